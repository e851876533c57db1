"""From raw weights to totals, as Nova normalises them, over columns that are kept between decisions.

Totals are sums in the order of the weighers, host by host with the same additions whichever way they are made: equal
hosts have equal totals, so that ties are real.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from sim.model.scheduler.base import HostWeigher, StandingWeigher
from sim.model.scheduler.request import SchedulerRequest
from sim.model.scheduler.view import Column, Mask, View

Floats = NDArray[np.float64]
_FEW = 64
"""More changed hosts than these, and whole columns are made anew."""


def extremes(column: Column, mask: Mask, bar: Floats, weigher: HostWeigher, most: int) -> tuple[float, float, int]:
    """(low, high) of a weigher's normalisation over the hosts in ``mask`` (at least one); ``bar`` is -inf at others.

    ``most`` is the host that had most of all when it was last sought, and last of the answer. While it is outside the
    mask, as emptied hosts are in a drain, it is not sought anew.
    """
    low, high = weigher.minval, weigher.maxval
    if high is None:
        if most >= len(mask) or mask[most]:
            most = int(column.argmax())
        high = column.item(most if mask[most] else (column + bar).argmax())
        high = high if low is None else max(high, low)
    if low is None:
        bottom = column.argmin()
        if not mask[bottom]:
            bottom = (column - bar).argmin()
        low = min(high, float(column[bottom]))
    return float(low), float(high), most


def normalise(
    column: Column, low: float, high: float, weigher: HostWeigher, factor: float | Column, out: Floats
) -> None:  # fmt: skip
    """Into ``out``: ``factor`` times the column as 0..1. Low and high differ."""
    if weigher.minval is not None:
        column = np.maximum(column, weigher.minval)
    if weigher.maxval is not None:
        column = np.minimum(column, weigher.maxval)
    np.divide(column if low == 0.0 else column - low, high - low, out=out)
    if isinstance(factor, np.ndarray) or factor != 1.0:
        out *= factor


class _Standing:
    """A standing weigher's normalised column, right at the hosts of the last decision's mask.

    While low and high are equal it counts nothing, and its column is not kept up.
    """

    __slots__ = ("column", "factor", "high", "least", "low", "most", "weigher", "weights")

    def __init__(self, weigher: StandingWeigher, factor: float | Column, count: int) -> None:
        self.weigher, self.factor = weigher, factor
        self.column = weigher.column()
        self.weights: Floats = np.zeros(count)
        self.low = self.high = 0.0
        self.most = 0
        self.least = False
        """Whether no host in the last mask had more than ``minval``."""

    def update(self, mask: Mask, bar: Floats, changed: Sequence[int] | None) -> bool:
        """Make the column right where ``changed`` hosts or the extremes make it wrong; whether it was made anew.

        None: any host may have changed.
        """
        low, high, end = 0.0, 0.0, len(mask)
        if changed is not None and self.least and self._still_least(changed):
            return False
        self.least = False
        if not self.weigher.idle():
            low, high, self.most = extremes(self.column[:end], mask, bar, self.weigher, self.most)
            self.least = low == high == self.weigher.minval
        if changed is not None and low == self.low and high == self.high:
            if low != high:
                self._refresh(changed)
            return False
        self.low, self.high = low, high
        if low == high:
            return True
        factor = self.factor if not isinstance(self.factor, np.ndarray) else self.factor[:end]
        normalise(self.column[:end], low, high, self.weigher, factor, self.weights[:end])
        return True

    def _still_least(self, changed: Sequence[int]) -> bool:
        """Where no host had more than ``minval``: whether those that changed have no more either."""
        return bool(max(map(self.column.item, changed), default=self.low) <= self.low)

    def _refresh(self, changed: Sequence[int]) -> None:
        """The same as :func:`normalise`, number by number."""
        low, factor, column, weights = self.low, self.factor, self.column, self.weights
        span, minval, maxval = self.high - low, self.weigher.minval, self.weigher.maxval
        by_host = factor if isinstance(factor, np.ndarray) else None
        for host in changed:
            value = column.item(host)
            if minval is not None and value < minval:
                value = minval
            if maxval is not None and value > maxval:
                value = maxval
            weights[host] = (value - low) / span * (factor if by_host is None else by_host.item(host))


class Weighing:
    """Totals of all weighers."""

    def __init__(self, view: View, weighers: Sequence[HostWeigher]) -> None:
        self._view, self._weighers = view, weighers
        self._journal = view.hosts.journal
        self._totals: Floats = np.full(len(view.hosts), -np.inf)
        self._end = 0
        """Behind it all totals are -inf."""
        self._mask: Mask = np.zeros(len(view.hosts), dtype=bool)
        """The last decision's mask, in which no host is behind ``_mask_end``."""
        self._mask_end = 0
        self._bar: Floats = np.full(len(view.hosts), -np.inf)
        """0 at the hosts in that mask, -inf at others: added, it leaves these out in a fraction of a choice's time."""
        self._standing: list[_Standing] = []
        self._telling: list[Floats] = []
        """Weights of the standing weighers that do not count all hosts alike."""
        self._asked: list[tuple[HostWeigher, float | Column]] = []
        self._prepare()

    def _prepare(self) -> None:
        """Multipliers may have changed: take them anew. A weigher that is multiplied by 0 is left out."""
        self._version = self._view.version
        self._standing.clear()
        self._asked.clear()
        for weigher in self._weighers:
            factor = weigher.factor()
            if not np.any(factor):
                continue
            if isinstance(weigher, StandingWeigher):
                self._standing.append(_Standing(weigher, factor, len(self._totals)))
            else:
                self._asked.append((weigher, factor))
        self._position = -1

    def totals(self, request: SchedulerRequest, mask: Mask, end: int) -> Floats:
        """Total weights of the hosts in ``mask`` (at least one), -inf at others. (end,)

        The array is the callee's own: not to be written, and void after the next call.
        """
        if self._version != self._view.version:
            self._prepare()
        self._bring_up_to_date(mask, end)
        totals = self._totals[:end]
        copied = False
        for _, weights in self._extras(request, mask, end):
            totals = totals + weights if not copied else np.add(totals, weights, out=totals)
            copied = True
        return totals

    def parts(self, request: SchedulerRequest, mask: Mask, end: int) -> Iterator[tuple[HostWeigher, float, Floats]]:
        """Each weigher with its multiplier and weights, (end,), right after :meth:`totals` of the same arguments."""
        for standing in self._standing:
            weights = standing.weights[:end] if standing.low != standing.high else np.zeros(end)
            yield standing.weigher, _typical(standing.factor), weights
        factors = dict(self._asked)
        for weigher, weights in self._extras(request, mask, end):
            yield weigher, _typical(factors[weigher]), weights

    def _extras(self, request: SchedulerRequest, mask: Mask, end: int) -> Iterator[tuple[HostWeigher, Floats]]:
        for weigher, factor in self._asked:
            column = weigher.weights(request)
            if column is not None:
                low, high, _ = extremes(column[:end], mask[:end], self._bar[:end], weigher, 0)
                own = factor[:end] if isinstance(factor, np.ndarray) else factor
                weights: Floats = np.zeros(end)
                if low != high:
                    normalise(column[:end], low, high, weigher, own, weights)
                yield weigher, weights

    def _bring_up_to_date(self, mask: Mask, end: int) -> None:
        changed = self._changes(mask, end)
        anew = changed is None
        inside, bar = mask[:end], self._bar[:end]
        for standing in self._standing:
            if standing.update(inside, bar, changed):
                anew = True  # and right for the changed hosts too
        if anew:
            self._telling = [standing.weights for standing in self._standing if standing.low != standing.high]
        self._sum(None if anew else changed, end)

    def _changes(self, mask: Mask, end: int) -> list[int] | None:
        """Hosts that changed since the last decision, or came into the mask or out of it; None: too many to be told.

        Few do from one decision to the next.
        """
        changed = self._journal.since(self._position) if self._position >= 0 else None
        self._position = self._journal.position
        last = max(end, self._mask_end)
        moved = (mask[:last] != self._mask[:last]).nonzero()[0]
        if len(moved) > _FEW:
            changed = None
        if changed is None:
            self._bar = np.where(mask, 0.0, -np.inf)
        else:
            for host in moved.tolist():
                self._bar[host] = 0.0 if mask[host] else -np.inf
                changed.append(host)
        if len(moved):
            self._mask, self._mask_end = mask.copy(), end
        return None if changed is None or len(changed) > _FEW else list(dict.fromkeys(changed))

    def _sum(self, changed: Sequence[int] | None, end: int) -> None:
        """The totals of hosts that changed; None: of all before ``end``, where the mask ends."""
        totals, bar, telling = self._totals, self._bar, self._telling
        if changed is None:
            totals[end : self._end] = -np.inf
            self._end = end
            summed = totals[:end]
            np.copyto(summed, bar[:end])
            for weights in telling:
                summed += weights[:end]
            return
        self._end = max(self._end, end)
        for host in changed:
            total = bar.item(host)
            for weights in telling:
                total += weights.item(host)
            totals[host] = total


def _typical(factor: float | Column) -> float:
    """One number for a multiplier that may differ by host: the highest."""
    return float(np.max(factor))
