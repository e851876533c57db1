"""Least squares of set-up time, streams, hand-over and dirty rate on measured live migrations.

The model is the simulator's own in the form that can be solved. With B the stream's rate and r the guest's dirty rate::

    duration = set-up + memory (1 + r/B) / B + disk / B_disk
    downtime = hand-over + memory (r/B) / B

It holds for guests that send all their memory and need one more round, as most do. Both are linear in memory and disk,
so each is a linear least-squares problem; errors are relative. What the rows cannot tell is refused, with the reason.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import lstsq
from scipy.stats import t as student

from sim.errors import InputError, Issue
from sim.experiments.calibration.measurements import Measured

Array = NDArray[np.float64]
CONFIDENCE = 0.95
_COLLINEAR = 1e-3
"""Smallest singular value of the scaled columns, of the largest, with which they can still be told apart."""
_REWEIGHTED = 12
"""How often errors are weighed anew; each time brings the line nearer by the scatter's variance."""
_ONE_ROUND = 0.5
"""With r/B above this one more round is not enough, and the model does not hold."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """A constant with its 95 % interval."""

    value: float
    low: float
    high: float

    def inverse(self) -> Estimate:
        """Of seconds per byte, bytes per second."""
        return Estimate(1 / self.value, 1 / self.high, 1 / self.low if self.low > 0 else math.inf)


@dataclass(frozen=True, slots=True)
class Residual:
    """(fitted - measured) / measured of a row; ``downtime`` is None where it was not measured or not fitted."""

    row: Measured
    duration: float
    downtime: float | None


@dataclass(frozen=True, slots=True)
class Calibration:
    """What a file of measurements says of a cloud. Seconds, bytes per second; None where it does not say."""

    setup_s: Estimate
    stream_bps: Estimate
    block_bps: Estimate | None
    handover_s: Estimate | None
    dirty_bps: Estimate | None
    working_set_b: float | None
    """The least that the guest's working set can be: what the largest guest had dirtied."""
    residuals: tuple[Residual, ...]
    refused: tuple[str, ...]
    """What the rows cannot tell, and why."""

    def error(self, percentile: float) -> float:
        """That percentile of the durations' absolute relative errors."""
        return float(np.percentile([abs(one.duration) for one in self.residuals], percentile))


@dataclass(frozen=True, slots=True)
class _Line:
    """A linear least-squares solution: estimates of the columns' factors, and the fitted values."""

    factors: tuple[Estimate, ...]
    fitted: Array


def calibrate(rows: Sequence[Measured], where: str) -> Calibration:
    """Fit; raises InputError when not even set-up time and stream can be told from the rows."""
    _refuse_hopeless(rows, where)
    refused: list[str] = []
    memory, disk = (np.array([getattr(row, name) for row in rows]) for name in ("memory_b", "disk_b"))
    duration = np.array([row.duration_s for row in rows])
    line, blocks = _durations(memory, disk, duration, refused)
    _refuse_nonsense(line, where)
    setup, per_byte = line.factors[0], line.factors[1]
    down = _downtimes(rows, per_byte, refused)
    again = down.factors[1] if down is not None and len(down.factors) == 2 else None
    sent = per_byte if again is None else _less(per_byte, again)
    stream = sent.inverse()
    dirty = working_set = None
    if again is not None:
        rate = stream.value * again.value / sent.value
        dirty = Estimate(rate, rate * again.low / again.value, rate * again.high / again.value)
        working_set = again.value * float(memory.max()) * stream.value
    fitted_down = iter(() if down is None else down.fitted.tolist())
    residuals = tuple(
        Residual(row, float(line.fitted[i] / row.duration_s - 1),
                 None if row.downtime_s is None or down is None else next(fitted_down) / row.downtime_s - 1)
        for i, row in enumerate(rows)
    )  # fmt: skip
    return Calibration(
        setup, stream, line.factors[2].inverse() if blocks else None, None if down is None else down.factors[0], dirty,
        working_set, residuals, tuple(refused),
    )  # fmt: skip


# --- what is refused --------------------------------------------------------------------------------------------------


def _refuse_hopeless(rows: Sequence[Measured], where: str) -> None:
    issues = []
    if len(rows) < 3:
        issues.append(Issue(where, f"has {len(rows)} migrations", "two constants with an interval need three at least"))
    if rows and len({row.memory_b for row in rows}) == 1:
        right = "measure guests of other sizes too: from one size alone set-up and stream cannot be told apart"
        issues.append(Issue(where, "all guests have the same memory", right))
    if issues:
        raise InputError(issues)


def _refuse_nonsense(line: _Line, where: str) -> None:
    setup, per_byte = line.factors[0], line.factors[1]
    if per_byte.low <= 0:
        what = "durations do not grow with memory beyond their scatter, so no rate of the stream can be told"
        raise InputError([Issue(where, what, "measure larger guests, or each size more often")])
    if setup.value <= 0:
        what = f"the fit gives a set-up of {setup.value:.3g} s: durations grow faster than memory"
        raise InputError([Issue(where, what, "leave out migrations that had to wait, or whose guests were busy")])


def _durations(memory: Array, disk: Array, duration: Array, refused: list[str]) -> tuple[_Line, bool]:
    """The durations' line, and whether disks have a factor of their own."""
    ones = np.ones_like(memory)
    if not disk.any():
        refused.append("block_stream: no disk was copied")
        return _solved([ones, memory], duration), False
    if not _apart([ones, memory, disk]):
        refused.append(
            "block_stream: disks grow with memory, so the two cannot be told apart; one rate is taken for both"
        )
        return _solved([ones, memory + disk], duration), False
    if len(memory) < 4:
        refused.append("block_stream: three constants with an interval need four rows; one rate is taken for both")
        return _solved([ones, memory + disk], duration), False
    line = _solved([ones, memory, disk], duration)
    if line.factors[2].low <= 0:
        refused.append("block_stream: durations do not grow with the disks beyond their scatter")
        return _solved([ones, memory], duration), False
    return line, True


def _downtimes(rows: Sequence[Measured], per_byte: Estimate, refused: list[str]) -> _Line | None:
    """The downtimes' line: with memory, where they grow with it."""
    known = [row for row in rows if row.downtime_s]
    if len(known) < 3:
        what = "no downtime was measured" if not known else f"only {len(known)} downtimes were measured"
        refused.append(f"device_state, dirty rate: {what}")
        return None
    memory = np.array([row.memory_b for row in known])
    downtime = np.array([row.downtime_s for row in known], dtype=float)
    flat = _solved([np.ones_like(memory)], downtime)
    if len(set(memory.tolist())) == 1:
        refused.append("dirty rate: downtimes of one size only")
        return flat
    line = _solved([np.ones_like(memory), memory], downtime)
    handover, again = line.factors
    if again.low <= 0:
        most = max(0.0, again.high) / per_byte.value**2
        refused.append(
            f"dirty rate: downtimes do not grow with memory beyond their scatter (at most {most / 1e6:.3g} MB/s)"
        )
        return flat
    if handover.value <= 0:
        refused.append("device_state, dirty rate: the fit gives a hand-over of less than nothing")
        return None
    if again.value > _ONE_ROUND * per_byte.value:
        refused.append("dirty rate: so high that guests needed several rounds; durations and downtimes cannot tell it")
        return flat
    return line


# --- least squares ----------------------------------------------------------------------------------------------------


def _apart(columns: Sequence[Array]) -> bool:
    """Whether the columns are independent enough to be told apart."""
    scaled = np.column_stack([column / np.abs(column).max() for column in columns])
    singular = np.linalg.svd(scaled, compute_uv=False)
    return bool(singular[-1] > _COLLINEAR * singular[0])


def _solved(columns: Sequence[Array], values: Array) -> _Line:
    """Least squares of relative errors, with Student's intervals.

    Errors are relative to what the line says, not to what was measured: small values would else count for more than
    large ones, and draw the line below the mean (by twice the variance, where scatter is lognormal).
    """
    design = np.column_stack(columns)
    scale = np.abs(design).max(axis=0)
    solution, fitted = np.zeros(design.shape[1]), values
    for _ in range(_REWEIGHTED):
        weights = np.where(fitted > 0, fitted, values)
        weighted = design / scale / weights[:, None]
        solution, _, _, _ = lstsq(weighted, values / weights)
        fitted = design @ (solution / scale)
    free = len(values) - design.shape[1]
    if free > 0:
        variance = float(np.sum((values / weights - fitted / weights) ** 2)) / free
        spread = np.sqrt(variance * np.diag(np.linalg.inv(weighted.T @ weighted)))
        half = float(student.ppf((1 + CONFIDENCE) / 2, free)) * spread
    else:
        half = np.full(design.shape[1], math.inf)
    factors = tuple(
        Estimate(float(value / s), float((value - h) / s), float((value + h) / s))
        for value, h, s in zip(solution, half, scale, strict=True)
    )
    return _Line(factors, fitted)


def _less(whole: Estimate, part: Estimate) -> Estimate:
    """The difference of two independent estimates."""
    value = whole.value - part.value
    half = math.hypot(whole.high - whole.value, part.high - part.value)
    return Estimate(value, value - half, value + half)
