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


def extremes(column: Column, mask: Mask, weigher: HostWeigher) -> tuple[float, float]:
    """(low, high) of a weigher's normalisation over the hosts in ``mask`` (at least one)."""
    low, high = weigher.minval, weigher.maxval
    if high is None:
        top = column.argmax()
        if not mask[top]:
            top = np.where(mask, column, -np.inf).argmax()
        high = float(column[top])
        high = high if low is None else max(high, low)
    if low is None:
        bottom = column.argmin()
        if not mask[bottom]:
            bottom = np.where(mask, column, np.inf).argmin()
        low = min(high, float(column[bottom]))
    return float(low), float(high)


def normalised(column: Column, low: float, high: float, weigher: HostWeigher, factor: float | Column) -> Floats:
    """``factor`` times the column as 0..1; all 0 where low and high are equal."""
    if low == high:
        return np.zeros(len(column))
    if weigher.minval is not None:
        column = np.maximum(column, weigher.minval)
    if weigher.maxval is not None:
        column = np.minimum(column, weigher.maxval)
    weights: Floats = column / (high - low) if low == 0.0 else (column - low) / (high - low)
    if isinstance(factor, np.ndarray) or factor != 1.0:
        weights *= factor
    return weights


class _Standing:
    """A standing weigher's normalised column, right for the hosts before ``valid``."""

    __slots__ = ("column", "factor", "high", "low", "valid", "weigher", "weights")

    def __init__(self, weigher: StandingWeigher, factor: float | Column, count: int) -> None:
        self.weigher, self.factor = weigher, factor
        self.column = weigher.column()
        self.weights: Floats = np.zeros(count)
        self.low = self.high = 0.0
        self.valid = -1

    def update(self, mask: Mask, end: int) -> bool:
        """Make the column right before ``end``, changed hosts aside; whether it was made anew."""
        if self.weigher.idle():
            low = high = 0.0
        else:
            low, high = extremes(self.column[:end], mask[:end], self.weigher)
        if low == self.low and high == self.high and self.valid >= end:
            return False
        self.low, self.high, self.valid = low, high, end
        factor = self.factor if not isinstance(self.factor, np.ndarray) else self.factor[:end]
        self.weights[:end] = normalised(self.column[:end], low, high, self.weigher, factor)
        return True

    def refresh(self, changed: Sequence[int]) -> None:
        """Some hosts changed: the same as :func:`normalised`, number by number."""
        low, high, factor, column, valid = self.low, self.high, self.factor, self.column, self.valid
        if low == high:
            return  # all are 0
        span, minval, maxval = high - low, self.weigher.minval, self.weigher.maxval
        for host in changed:
            if host >= valid:
                continue
            value = float(column[host])
            if minval is not None:
                value = max(value, minval)
            if maxval is not None:
                value = min(value, maxval)
            self.weights[host] = (
                (value - low) / span * (float(factor[host]) if isinstance(factor, np.ndarray) else factor)
            )


class Weighing:
    """Totals of all weighers."""

    def __init__(self, view: View, weighers: Sequence[HostWeigher]) -> None:
        self._view, self._weighers = view, weighers
        self._journal = view.hosts.journal
        self._totals: Floats = np.zeros(len(view.hosts))
        self._standing: list[_Standing] = []
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
        self._position, self._valid = -1, -1

    def totals(self, request: SchedulerRequest, mask: Mask, end: int) -> Floats:
        """Total weights of the hosts in ``mask`` (at least one); what stands at others means nothing. (end,)

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
            yield standing.weigher, _typical(standing.factor), standing.weights[:end]
        factors = dict(self._asked)
        for weigher, weights in self._extras(request, mask, end):
            yield weigher, _typical(factors[weigher]), weights

    def _extras(self, request: SchedulerRequest, mask: Mask, end: int) -> Iterator[tuple[HostWeigher, Floats]]:
        for weigher, factor in self._asked:
            column = weigher.weights(request)
            if column is not None:
                low, high = extremes(column[:end], mask[:end], weigher)
                own = factor[:end] if isinstance(factor, np.ndarray) else factor
                yield weigher, normalised(column[:end], low, high, weigher, own)

    def _bring_up_to_date(self, mask: Mask, end: int) -> None:
        changed = self._journal.since(self._position) if self._position >= 0 else None
        self._position = self._journal.position
        if changed is None or len(changed) > _FEW:
            for standing in self._standing:
                standing.valid = -1
            self._valid = -1
            changed = []
        changed = list(dict.fromkeys(changed))
        anew = self._valid < end
        for standing in self._standing:
            if standing.update(mask, end):
                anew = True  # and right for the changed hosts too
            elif changed:
                standing.refresh(changed)
        totals = self._totals
        telling = [standing.weights for standing in self._standing if standing.low != standing.high]
        if anew:
            self._valid = end
            summed = totals[:end]
            np.copyto(summed, 0.0)
            for weights in telling:
                summed += weights[:end]
        else:
            for host in changed:
                if host >= self._valid:
                    continue
                total = 0.0
                for weights in telling:
                    total += weights[host]
                totals[host] = total


def _typical(factor: float | Column) -> float:
    """One number for a multiplier that may differ by host: the highest."""
    return float(np.max(factor))
