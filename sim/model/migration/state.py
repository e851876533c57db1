"""Where a copy stands, in numbers. What happens to them is in :mod:`sim.model.migration.rounds`."""

from __future__ import annotations

import math
from typing import Self

from sim.model.migration.limits import LiveMigrationLimits
from sim.model.migration.memory import GuestMemory
from sim.model.migration.stage import Stage


class CopyState:
    """The state of a copy of ``memory`` and ``disk_b`` bytes of disks before its first byte."""

    __slots__ = (
        "before_b", "cap_bps", "curve", "disk_left_b", "downtime_s", "elapsed_s", "fault_step", "held", "high_periods",
        "left_b", "limits", "lost", "memory", "outcome", "paused", "period_dirty_b", "period_s", "period_sent_b",
        "periods", "postcopy_b", "round_busy_s", "round_s", "rounds", "scan_left_s", "sent_disk_b", "sent_memory_b",
        "slowdown", "stage", "stalled_s", "stopped_at_s", "throttle", "timeout_s", "zero_b",
    )  # fmt: skip

    def __init__(self, memory: GuestMemory, limits: LiveMigrationLimits, disk_b: float) -> None:
        self.memory, self.limits = memory, limits
        self.elapsed_s = 0.0
        self.disk_left_b = disk_b
        self.zero_b = memory.ram_b - memory.nonzero_b
        self.scan_left_s = self.zero_b / limits.zero_page_bps
        self.left_b = float(memory.nonzero_b)
        self.rounds = 0
        """Bitmap syncs so far."""
        self.round_s = 0.0
        self.round_busy_s = 0.0
        """Seconds at full speed that the guest had in this round."""
        self.throttle = 0.0
        self.high_periods = 0
        self.period_s = self.period_dirty_b = self.period_sent_b = 0.0
        self.periods = 0
        self.before_b = math.nan
        """What was to be sent after the sync before the last, to see that rounds repeat."""
        self.sent_memory_b = self.sent_disk_b = 0.0
        self.stalled_s = 0.0
        self.held = False
        """Whether disks cannot be read or written at present."""
        self.stopped_at_s: float | None = None
        self.downtime_s = 0.0
        self.paused = False
        """Paused on purpose (force_complete without post-copy)."""
        self.fault_step = 0
        self.postcopy_b = 0.0
        """What was left when post-copy began."""
        self.slowdown = 0.0
        self.curve: tuple[tuple[float, float], ...] = ()
        self.outcome: str | None = None
        self.lost = False
        """The guest is on neither side whole: post-copy lost its source."""
        self.stage = Stage.ENDED
        self.cap_bps = 0.0
        """The most that the copy can use in this stage."""
        self.timeout_s = math.inf
        """When Nova gives up in this stage."""

    def clone(self) -> Self:
        """An independent copy, attribute by attribute: a dict is copied at once, but four times as big."""
        twin = object.__new__(type(self))
        twin.before_b, twin.cap_bps, twin.curve = self.before_b, self.cap_bps, self.curve
        twin.disk_left_b, twin.downtime_s, twin.elapsed_s = self.disk_left_b, self.downtime_s, self.elapsed_s
        twin.fault_step, twin.held, twin.high_periods = self.fault_step, self.held, self.high_periods
        twin.left_b, twin.limits, twin.lost = self.left_b, self.limits, self.lost
        twin.memory, twin.outcome, twin.paused = self.memory, self.outcome, self.paused
        twin.period_dirty_b, twin.period_s, twin.period_sent_b = self.period_dirty_b, self.period_s, self.period_sent_b
        twin.periods, twin.postcopy_b, twin.round_busy_s = self.periods, self.postcopy_b, self.round_busy_s
        twin.round_s, twin.rounds, twin.scan_left_s = self.round_s, self.rounds, self.scan_left_s
        twin.sent_disk_b, twin.sent_memory_b, twin.slowdown = self.sent_disk_b, self.sent_memory_b, self.slowdown
        twin.stage, twin.stalled_s, twin.stopped_at_s = self.stage, self.stalled_s, self.stopped_at_s
        twin.throttle, twin.timeout_s, twin.zero_b = self.throttle, self.timeout_s, self.zero_b
        return twin
