"""Nova's arrows: which vm_state may follow which, and which status of a migration record."""

from __future__ import annotations

from collections.abc import Mapping

ANYTIME = frozenset({"error", "active", "soft-delete", "deleted"})
"""os-resetState makes anything active or error; everything can be deleted."""

LEGAL_VM_STATES: Mapping[str, frozenset[str]] = {
    "building": frozenset({"stopped"}),
    "active": frozenset(
        {"building", "paused", "suspended", "stopped", "rescued", "resized", "shelved", "shelved_offloaded"}
    ),  # building: it was reset in the midst of a build that goes on
    "paused": frozenset({"stopped", "shelved", "shelved_offloaded"}),
    "suspended": frozenset({"stopped", "shelved", "shelved_offloaded"}),
    "stopped": frozenset({"rescued", "resized", "shelved", "shelved_offloaded", "paused", "suspended"}),
    "rescued": frozenset({"stopped"}),
    "resized": frozenset({"stopped"}),
    "error": frozenset({"building", "stopped", "rescued", "resized", "paused", "suspended", "shelved_offloaded"}),
    "shelved": frozenset({"shelved_offloaded", "stopped"}),
    "shelved_offloaded": frozenset({"stopped"}),
    "soft-delete": frozenset({"stopped", "paused", "suspended", "shelved", "shelved_offloaded", "rescued", "resized"}),
    "deleted": frozenset(),
}

_LIVE = {
    None: {"accepted"},
    "accepted": {"accepted", "queued", "preparing", "error", "cancelled", "failed"},
    "queued": {"preparing", "cancelled", "error", "failed"},
    "preparing": {"running", "error", "failed", "cancelled"},
    "running": {"running", "completed", "error", "failed", "cancelled", "running (post-copy)"},
    "running (post-copy)": {"completed", "error", "failed"},
    "failed": {"error"},
    "error": {"failed"},
}
_COLD = {
    None: {"pre-migrating"},
    "pre-migrating": {"pre-migrating", "migrating", "error"},
    "migrating": {"post-migrating", "error"},
    "post-migrating": {"finished", "error"},
    "finished": {"confirming", "reverting", "error", "confirmed"},
    "confirming": {"confirmed", "error"},
    "confirmed": {"error"},
    "reverting": {"reverted", "error"},
    "reverted": {"error"},
    "error": {"failed"},
}
_EVACUATION = {
    None: {"accepted"},
    "accepted": {"accepted", "pre-migrating", "error", "failed", "done", "completed"},
    "pre-migrating": {"pre-migrating", "done", "error", "failed", "completed"},
    "done": {"completed"},
    "completed": {"pre-migrating", "done", "failed", "error"},
    "error": {"failed"},
}
LEGAL_MIGRATIONS: Mapping[str, Mapping[str | None, set[str]]] = {
    "live-migration": _LIVE, "migration": _COLD, "resize": _COLD, "evacuation": _EVACUATION,
}  # fmt: skip

CHOICES = {"migrate": "migration", "resize": "resize"}
"""Actions that take up a record of that type which an earlier one left ``pre-migrating``."""
SHARED = frozenset(status for ends in _COLD.values() for status in ends)
"""What a record that two actions use may become at any time: the first may still be waiting for a silent host."""
OVER = frozenset({"confirmed", "reverted", "failed", "completed", "cancelled", "done"})
"""What a record is when its move is done or undone."""
