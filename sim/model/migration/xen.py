"""Pre-copy as Xen runs it: whole rounds, ended by what the guest dirtied; in 2005 at a rate that follows the guest."""

from __future__ import annotations

from sim.model.migration.limits import LiveMigrationLimits, XenRules
from sim.model.migration.memory import GuestMemory
from sim.model.migration.rounds import Rounds
from sim.model.migration.stage import Stage


class XenRounds(Rounds):
    """The state of a Xen copy between two changes of its rate; see :class:`sim.model.migration.limits.XenRules`."""

    def __init__(self, memory: GuestMemory, limits: LiveMigrationLimits, disk_b: float, rules: XenRules) -> None:
        self.rules = rules
        self.wanted_bps = rules.minimum_bps or rules.maximum_bps
        super().__init__(memory, limits, disk_b)

    @property
    def cap_bps(self) -> float:
        """Also what the copy allows itself."""
        cap = super().cap_bps
        if self.stage is Stage.ROUNDS:
            return min(cap, self.wanted_bps)
        return min(cap, self.rules.last_bps)

    def _sync_in(self, _threshold_b: float, rate_bps: float) -> float:
        """A round is sent to its end; of the first, what is not dirty again."""
        if not self._skips():
            return self.left_b / rate_bps
        memory, full_speed = self.memory, self._busy(1.0)
        already = self.rules.hot_b + memory.dirty_bps * self.round_busy_s
        by_growth = (self.left_b - already) / (rate_bps + full_speed * memory.dirty_bps)
        by_working_set = (self.left_b - self._most_dirty()) / rate_bps
        return max(0.0, by_growth, by_working_set)

    def _skips(self) -> bool:
        return self.rules.skips and not self.rounds

    def _most_dirty(self) -> float:
        return min(max(self.memory.working_set_b, self.rules.hot_b), self.memory.ram_b)

    def _dirtied(self) -> float:
        if not self.round_busy_s:
            return 0.0
        return min(self.rules.hot_b + self.memory.dirty_bps * self.round_busy_s, self._most_dirty())

    def _sync(self, _threshold_b: float, _last_s: float, _until: float, _rate_bps: float) -> None:
        rules, fresh, length = self.rules, self._dirtied(), self.round_s
        self.left_b = fresh if self._skips() else self.left_b + fresh
        self.rounds += 1
        self.round_s = self.round_busy_s = 0.0
        if rules.minimum_bps is not None and length:
            self.wanted_bps = max(rules.minimum_bps, fresh / length + rules.step_bps)
        crosses = self.sent_memory_b > rules.amount * self.memory.ram_b
        if fresh < rules.few_b or self.rounds >= rules.rounds or crosses or self.wanted_bps > rules.maximum_bps:
            self._stop()
