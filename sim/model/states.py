"""Nova's words for the state of a server, and the status that the API shows for them.

Source: Nova's ``api/openstack/common.py`` and the answers of a running Nova.
"""

from __future__ import annotations

NOSTATE, RUNNING, PAUSED, SHUTDOWN, CRASHED, SUSPENDED = 0, 1, 3, 4, 6, 7
"""Power states, as numbers in the API."""

POWER_STATES = {
    "nostate": NOSTATE, "running": RUNNING, "paused": PAUSED, "shutdown": SHUTDOWN, "crashed": CRASHED,
    "suspended": SUSPENDED,
}  # fmt: skip

_BY_VM_STATE = {
    "active": "ACTIVE", "building": "BUILD", "stopped": "SHUTOFF", "resized": "VERIFY_RESIZE", "paused": "PAUSED",
    "suspended": "SUSPENDED", "rescued": "RESCUE", "error": "ERROR", "deleted": "DELETED",
    "soft-delete": "SOFT_DELETED", "shelved": "SHELVED", "shelved_offloaded": "SHELVED_OFFLOADED",
}  # fmt: skip

_RESIZING = ("resize_prep", "resize_migrating", "resize_migrated", "resize_finish")
_BY_TASK_STATE: dict[tuple[str, str], str] = {
    **{("active", task): "REBOOT" for task in ("rebooting", "reboot_pending", "reboot_started")},
    **{("active", task): "HARD_REBOOT" for task in ("rebooting_hard", "reboot_pending_hard", "reboot_started_hard")},
    **{
        (vm_state, task): "REBUILD"
        for vm_state in ("active", "stopped", "error")
        for task in ("rebuilding", "rebuild_block_device_mapping", "rebuild_spawning")
    },
    **{(vm_state, task): "RESIZE" for vm_state in ("active", "stopped") for task in _RESIZING},
    ("resized", "resize_reverting"): "REVERT_RESIZE",
    ("active", "updating_password"): "PASSWORD",
    ("active", "migrating"): "MIGRATING",
    ("paused", "migrating"): "MIGRATING",
}


def status(vm_state: str, task_state: str | None) -> str:
    """The status that the API shows."""
    if task_state is not None:
        shown = _BY_TASK_STATE.get((vm_state, task_state))
        if shown is not None:
            return shown
    return _BY_VM_STATE.get(vm_state, "UNKNOWN")
