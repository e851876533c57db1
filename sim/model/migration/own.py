"""Own models of live migration: how memory is dirtied, when rounds end, when the guest stops.

Derive :class:`MigrationModel`, and name it in a scenario, ``cloud.migration_model: path/to/file.py:Class``, or by an
entry point of the group ``novasim.migration_models``. ``sim.model.migration.battery`` tests what each must keep.
"""

from __future__ import annotations

from typing import Self

from sim.errors import InputError, Issue
from sim.model.migration.rounds import Rounds
from sim.model.own_class import NoSuchClassError, find_class

GROUP = "novasim.migration_models"
"""Group of entry points for own models."""
QEMU = "qemu"
"""The name of the model that is in force where a scenario names none."""
_WITHOUT_TIME, _WITHOUT_END = 1000, 1_000_000
"""Rounds in which no time passes, and rounds in all, after which a model counts as endless."""


class MigrationModel(Rounds):
    """One live migration's memory, between two changes of its bandwidth. As it stands it is QEMU's.

    All else is done for it: disks and zero pages before the first round, shared bandwidth, throttling, timeouts, abort,
    force-complete, post-copy, lost links, records.

    It may read ``memory`` (what the guest does), ``limits`` (what nova.conf and the host allow), ``left_b`` (bytes to
    send), ``rounds`` (synchronisations so far), ``elapsed_s`` (since the copy began), ``round_s`` (since this round
    did), ``round_busy_s`` (the same at the guest's full speed: less when it is throttled, idle or paused).

    It is copied again and again to look ahead, attribute by attribute: what you set on ``self`` must be replaced, never
    changed in place, so no lists.
    """

    _timeless = 0
    _last_sync_s = -1.0

    def clone(self) -> Self:
        """An independent copy of the state."""
        twin = super().clone()
        twin.__dict__.update(self.__dict__)
        return twin

    def next_sync_s(self, threshold_b: float, rate_bps: float) -> float:
        """Seconds from now, at this rate, until the round ends and what was dirtied is counted.

        ``threshold_b``: what can be sent within the downtime limit in force. Asked again whenever the rate or the limit
        changes, so answer what is left of the round. No round goes on when nothing is left to send.
        """
        return super()._sync_in(threshold_b, rate_bps)

    def dirtied_b(self) -> float:
        """At the end of a round: the bytes that were dirtied in it and are not among ``left_b`` already."""
        return super()._dirtied()

    def stops(self, threshold_b: float) -> bool:
        """After a round, with what was dirtied in ``left_b``: whether the guest stops and all the rest is sent."""
        return super()._fits(threshold_b)

    def _sync_in(self, threshold_b: float, rate_bps: float) -> float:
        seconds = self.next_sync_s(threshold_b, rate_bps)
        if not seconds >= 0:
            raise self._useless(f"next_sync_s answers {seconds!r}", "answer seconds, 0 or more")
        return min(seconds, self.left_b / rate_bps)

    def _dirtied(self) -> float:
        fresh = self.dirtied_b()
        if not 0 <= fresh <= self.memory.ram_b:
            raise self._useless(f"dirtied_b answers {fresh!r}", "answer bytes, from 0 to the guest's memory")
        return min(fresh, self.memory.ram_b - self.left_b)

    def _fits(self, threshold_b: float) -> bool:
        self._timeless = 0 if self.elapsed_s > self._last_sync_s else self._timeless + 1
        self._last_sync_s = self.elapsed_s
        if self.stops(threshold_b):
            return True
        if self._timeless > _WITHOUT_TIME or self.rounds > _WITHOUT_END:
            how = "in no time" if self._timeless > _WITHOUT_TIME else f"in {self.elapsed_s:.0f} s"
            raise self._useless(f"{self.rounds} rounds {how}, and no end", "let stops() answer True one day")
        return False

    def _repeat(self, _length: float, _until: float, _rate_bps: float) -> None:
        """Each round is played: a model may count them."""

    def _useless(self, what: str, right: str) -> InputError:
        return InputError([Issue("cloud.migration_model", f"{type(self).__name__}: {what}", right)])


def migration_model(name: str) -> type[Rounds] | None:
    """The model of that name; None is QEMU's. InputError if there is none, or it is of no use."""
    if name == QEMU:
        return None
    try:
        return find_class(name, GROUP, MigrationModel, [QEMU])
    except NoSuchClassError as error:
        raise InputError([Issue("cloud.migration_model", error.what, error.right)]) from None
