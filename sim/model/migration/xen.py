"""Pre-copy as Xen runs it: whole rounds, ended by what the guest dirtied; in 2005 at a rate that follows the guest.

All of the memory is sent, pages of zeroes like others, so no copy is faster than memory / rate (Akoush et al. 2010).
"""

from __future__ import annotations

from dataclasses import replace
from typing import Self

from sim.model.migration.limits import LiveMigrationLimits, XenRules
from sim.model.migration.memory import GuestMemory
from sim.model.migration.rounds import Rounds
from sim.model.migration.stage import Stage

_HALVINGS = 60
"""Of a stretch of time, until nothing is left of it."""


class XenRounds(Rounds):
    """The state of a Xen copy between two changes of its rate; see :class:`sim.model.migration.limits.XenRules`."""

    __slots__ = ("rules", "wanted_bps")

    def __init__(self, memory: GuestMemory, limits: LiveMigrationLimits, disk_b: float, rules: XenRules) -> None:
        self.rules = rules
        self.wanted_bps = rules.minimum_bps or rules.maximum_bps
        super().__init__(replace(memory, nonzero_b=memory.ram_b), limits, disk_b)

    def clone(self) -> Self:
        """An independent copy of the state."""
        twin = super().clone()
        twin.rules, twin.wanted_bps = self.rules, self.wanted_bps
        return twin

    def _enter(self, stage: Stage) -> None:
        """Begin a stage, with the cap that the copy sets itself."""
        super()._enter(stage)
        self.cap_bps = min(self.cap_bps, self.wanted_bps if stage is Stage.ROUNDS else self.rules.last_bps)

    def _sync_in(self, _threshold_b: float, rate_bps: float) -> float:
        """A round is sent to its end; of the first, what is not dirty again: until all that is left is dirty."""
        early, late = 0.0, self.left_b / rate_bps
        if not self._skips():
            return late
        for _ in range(_HALVINGS):
            middle = (early + late) / 2
            if self.left_b - rate_bps * middle > self._dirty_after(self.round_busy_s + self._busy(middle)):
                early = middle
            else:
                late = middle
        return late

    def _skips(self) -> bool:
        return self.rules.skips and not self.rounds

    def _dirty_after(self, busy_s: float) -> float:
        memory, hot_b = self.memory, self.rules.hot_b
        if not busy_s:
            return 0.0
        return min(hot_b + memory.dirty_bps * busy_s, max(memory.working_set_b, hot_b), memory.ram_b)

    def _dirtied(self) -> float:
        return self._dirty_after(self.round_busy_s)

    def _sync(self, _threshold_b: float, _last_s: float, _until: float, _rate_bps: float) -> None:
        rules, fresh, length = self.rules, self._dirtied(), self.round_s
        self.left_b = fresh if self._skips() else self.left_b + fresh
        self.rounds += 1
        self.round_s = self.round_busy_s = 0.0
        if rules.minimum_bps is not None and length:
            self.wanted_bps = max(rules.minimum_bps, fresh / length + rules.step_bps)
            self._enter(self.stage)
        crosses = self.sent_memory_b > rules.amount * self.memory.ram_b
        if fresh < rules.few_b or self.rounds >= rules.rounds or crosses or self.wanted_bps > rules.maximum_bps:
            self._stop()
