"""Variants of a sweep against each other: the same replication of two variants has the same luck, so differences are
taken replication by replication, and most of the luck cancels.

Intervals hold together: with k comparisons each is made at 1 - (1 - confidence) / k (Bonferroni), so that all of them
are right at once with the stated confidence. Differences of means are by paired t, differences of quantiles by a
bootstrap of whole replications.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from sim.errors import InputError, Issue
from sim.experiments.measures import Measure
from sim.experiments.report import Runs
from sim.experiments.stats.intervals import Estimate, Floats, bootstrap, t_interval
from sim.experiments.stats.ranking import Rank, rank
from sim.experiments.variants import AS_IT_IS
from sim.scenario.patterns import closest


@dataclass(frozen=True, slots=True)
class Difference:
    """One variant less the baseline."""

    variant: str
    value: float
    """The variant's own value."""
    difference: Estimate
    relative: float
    """The difference as a share of the baseline's value."""
    lower: int
    """Replications in which it is lower than the baseline."""
    higher: int


@dataclass(frozen=True, slots=True)
class Compared:
    """All variants in one measure."""

    measure: Measure
    baseline: str
    baseline_value: float
    differences: tuple[Difference, ...]
    ranks: tuple[Rank, ...]
    """Lowest first; empty for measures that are no means."""

    def as_dict(self) -> dict[str, Any]:
        """As nested dictionaries and lists, for JSON."""
        return asdict(self)


def compare(
    runs: Runs, measures: Sequence[Measure], baseline: str | None = None, confidence: float = 0.95
) -> list[Compared]:
    """Every measure; ``baseline`` None is the scenario as it is, else the first variant.

    InputError for a baseline that there is not, a sweep of one variant, or runs too few to be paired.
    """
    first = baseline or (AS_IT_IS if AS_IT_IS in runs.variants else runs.variants[0])
    if first not in runs.variants:
        raise InputError([Issue("--baseline", f"{first!r} is not a variant", closest(first, runs.variants))])
    if len(runs.variants) < 2:
        right = "sweep along an axis, like --axis plan[0].drain.concurrency=2,4"
        raise InputError([Issue(str(runs.folder), "has one variant, and nothing to compare it with", right)])
    return [_compared(runs, measure, first, confidence) for measure in measures]


def _compared(runs: Runs, measure: Measure, baseline: str, confidence: float) -> Compared:
    columns = runs.columns(measure.column)
    others = [name for name in runs.variants if name != baseline]
    level = 1 - (1 - confidence) / len(others)
    base = measure.value(columns[baseline])
    found = []
    for name in others:
        pair = np.stack([columns[name], columns[baseline]], axis=1)
        pair = pair[np.isfinite(pair).all(axis=1)]
        estimate = _difference(pair, measure, level)
        apart = pair[:, 0] - pair[:, 1]
        relative = estimate.value / base if base else float("nan")
        found.append(Difference(name, measure.value(columns[name]), estimate, relative, int((apart < 0).sum()),
                                int((apart > 0).sum())))  # fmt: skip
    ranks = tuple(rank(columns, 1 - confidence)) if measure.statistic == "mean" else ()
    return Compared(measure, baseline, base, tuple(found), ranks)


def _difference(pair: Floats, measure: Measure, level: float) -> Estimate:
    """``pair``: shape (replications, 2), the variant and the baseline."""
    if measure.statistic == "mean":
        return t_interval(pair[:, 0] - pair[:, 1], level)
    n = len(pair)
    value = measure.value(pair[:, 0]) - measure.value(pair[:, 1])
    if measure.q is None or n < 2:
        return Estimate(value, float("nan"), float("nan"), n, level, f"the {measure.statistic} of those run")
    q = measure.q

    def apart(samples: Floats) -> Floats:
        found = np.quantile(samples, q, axis=-2)
        return np.asarray(found[..., 0] - found[..., 1])

    low, high = bootstrap(pair, apart, level)
    return Estimate(value, low, high, n, level, "bootstrap of replications")
