"""Measured against simulated, row by row, and what it comes to."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from sim.experiments.validation import cloud_bench, qemu_bench
from sim.experiments.validation.rows import Row
from sim.experiments.validation.settings import UnknownKindError, not_understood, profile_of, without_cloud

TARGET_MEDIAN, TARGET_P90 = 0.05, 0.12
"""What predicted rows are to reach: the best published model's errors (Nathan et al., SoCC 2015)."""
_QUANTILES = {"p50": 50.0, "median": 50.0, "p90": 90.0, "p95": 95.0, "p99": 99.0, "min": 0.0, "max": 100.0}


@dataclass(frozen=True, slots=True)
class Comparison:
    """One row: what was measured and what was simulated, or why it could not be."""

    row: Row
    profile: str
    simulated: float | None
    reason: str = ""

    @property
    def error(self) -> float | None:
        """(simulated - measured) / measured."""
        if self.simulated is None or not self.row.value:
            return None
        return self.simulated / self.row.value - 1

    @property
    def not_understood(self) -> list[str]:
        """Words of its kind that change nothing in what is simulated."""
        return not_understood(self.row)

    @property
    def counts(self) -> bool:
        """Whether it says anything of the model's accuracy: it was predicted, not fitted."""
        return self.row.use == "predict" and self.error is not None


@dataclass(frozen=True, slots=True)
class Summary:
    """What the predicted rows come to; errors are absolute and relative, NaN without rows."""

    predicted: int
    fitted: int
    not_simulated: int
    median: float
    p90: float
    worst: float

    @property
    def met(self) -> bool:
        """Whether the target is reached."""
        return self.median <= TARGET_MEDIAN and self.p90 <= TARGET_P90


def compare(rows: Iterable[Row], on_row: Callable[[Row], None] = lambda _: None) -> list[Comparison]:
    """Simulate every row. One that cannot be is in the list with the reason."""
    made = []
    for row in rows:
        on_row(row)
        try:
            made.append(Comparison(row, profile_of(row), _simulated(row)))
        except UnknownKindError as error:
            made.append(Comparison(row, profile_of(row), None, str(error)))
    return made


def _simulated(row: Row) -> float:
    if row.unit != "s":
        raise UnknownKindError(f"{row.metric} in {row.unit} is not compared; only times are")
    bench = qemu_bench if without_cloud(row) else cloud_bench
    found = bench.samples(row)
    if not found:
        raise UnknownKindError("nothing came to its end in the simulation, so there is nothing to compare")
    what, _, statistic = row.metric.rpartition("_")
    if not what or statistic in {"mean", "avg"}:
        return math.fsum(found) / len(found)
    if statistic not in _QUANTILES:
        known = ", ".join(("mean", *_QUANTILES))
        raise UnknownKindError(f"metric {row.metric!r} ends in an unknown statistic; known are {known}")
    return float(np.percentile(found, _QUANTILES[statistic]))


def summary(comparisons: Sequence[Comparison]) -> Summary:
    """Median and 90th percentile of the predicted rows alone; fitted rows never count."""
    errors = [abs(one.error) for one in comparisons if one.counts and one.error is not None]
    nothing = not errors
    return Summary(
        predicted=len(errors),
        fitted=sum(1 for one in comparisons if one.row.use == "fit" and one.error is not None),
        not_simulated=sum(1 for one in comparisons if one.error is None),
        median=math.nan if nothing else float(np.median(errors)),
        p90=math.nan if nothing else float(np.percentile(errors, 90)),
        worst=math.nan if nothing else max(errors),
    )
