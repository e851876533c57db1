"""Which variant is better, and where that cannot be told: all pairs, paired by replication, corrected for their number.

The correction is Holm's: the probability of even one false statement in the whole ranking is at most the stated error.
Source: S. Holm, "A simple sequentially rejective multiple test procedure", Scand. J. Statist. 6 (1979).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from sim.experiments.stats.intervals import Floats, t_test


@dataclass(frozen=True, slots=True)
class Rank:
    """A variant's place: it is at best ``best`` and at worst ``worst`` of all; equal where its place is certain."""

    name: str
    mean: float
    best: int
    worst: int
    not_told_from: tuple[str, ...]
    """Variants of which it cannot be told whether they are better or worse."""


def holm(p_values: Sequence[float]) -> list[float]:
    """Adjusted p-values, in the order given: below the error, a difference is a statement."""
    order = np.argsort(p_values, kind="stable")
    adjusted = [0.0] * len(p_values)
    highest = 0.0
    for position, index in enumerate(order):
        highest = max(highest, min(1.0, (len(p_values) - position) * p_values[int(index)]))
        adjusted[int(index)] = highest
    return adjusted


def rank(values: Mapping[str, Floats], error: float = 0.05) -> list[Rank]:
    """All variants, the lowest mean first. ``values``: one number for each replication, in the same order for all.

    Replications in which either of a pair measured nothing do not count for that pair.
    """
    pairs = list(combinations(values, 2))
    p_values = holm([t_test(values[a] - values[b]) for a, b in pairs])
    lower: dict[str, int] = dict.fromkeys(values, 0)
    higher: dict[str, int] = dict.fromkeys(values, 0)
    untold: dict[str, list[str]] = {name: [] for name in values}
    for (a, b), p in zip(pairs, p_values, strict=True):
        if p >= error:
            untold[a].append(b)
            untold[b].append(a)
            continue
        first, last = (a, b) if float(np.nanmean(values[a] - values[b])) < 0 else (b, a)
        higher[last] += 1
        lower[first] += 1
    ranks = [
        Rank(name, _mean(values[name]), 1 + higher[name], len(values) - lower[name], tuple(untold[name]))
        for name in values
    ]
    return sorted(ranks, key=lambda one: (one.best, one.worst, not np.isfinite(one.mean), one.mean))


def _mean(values: Floats) -> float:
    found = values[np.isfinite(values)]
    return float(found.mean()) if len(found) else float("nan")
