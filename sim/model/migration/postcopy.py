"""What a guest feels in post-copy, while part of its memory is still at the source."""

from __future__ import annotations

from sim.model.migration.limits import LiveMigrationLimits
from sim.model.migration.memory import GuestMemory

PAGE_B = 4096
FAULT_STEPS = (0.75, 0.5, 0.25)
"""The guest's slowdown is told again when this part of what was missing at the switch is left."""


def fault_slowdown(memory: GuestMemory, limits: LiveMigrationLimits, missing_b: float) -> float:
    """Part of its speed that a guest loses to waiting for pages, ``missing_b`` bytes being at the source.

    A guest that touches r bytes a second of its working set waits ``page_fault_s`` for each page of it that is missing.
    """
    working_set = memory.working_set_b
    if not working_set:
        return 0.0
    missing = min(1.0, missing_b / working_set)
    waits = missing * memory.dirty_bps / PAGE_B * limits.page_fault_s
    return 1 - 1 / (1 + waits)


def felt(curve: tuple[tuple[float, float], ...], at_s: float, lost: float) -> tuple[tuple[float, float], ...]:
    """The curve with the part of its speed that the guest has lost from ``at_s`` on.

    What changes while the guest is handed over shows when it runs again.
    """
    if curve and curve[-1][0] > at_s:
        return (*curve[:-1], (curve[-1][0], lost))
    return (*curve, (at_s, lost))
