"""What matters: how much each axis moves a measure, alone and together with others.

Main effects: the mean over the variants with a value (or in a part of a range) less the mean over all. In a grid every
replication gives one such difference, so the interval is that of paired replications; in a sample the variants differ
in all axes at once, so the interval is that over the variants in the part.

Sobol's indices: the share of the variance over the whole space that goes with an axis alone (first order) and with it
in any company (total), by SALib from the points of ``indices:N``, with SALib's bootstrap intervals.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from sim.experiments.axes import Axis, Span, Value, value_text
from sim.experiments.design import points, problem
from sim.experiments.experiment import Experiment
from sim.experiments.extras import need
from sim.experiments.measures import Measure
from sim.experiments.report import Runs
from sim.experiments.stats.intervals import Estimate, Floats, mean_interval, t_interval
from sim.experiments.variants import short_names

PARTS = 6
"""Parts that a range is cut into for its main effect."""


@dataclass(frozen=True, slots=True)
class Level:
    """A value of an axis (or a part of its range) and what it does to the measure."""

    label: str
    at: float | None
    """Where to draw it; None: the value is no number."""
    variants: int
    mean: float
    effect: Estimate


@dataclass(frozen=True, slots=True)
class MainEffect:
    """One axis's effect on a measure."""

    axis: str
    levels: tuple[Level, ...]
    span: Span | None = None
    """The range that the levels are parts of."""

    @property
    def range(self) -> float:
        """From its lowest mean to its highest."""
        means = [level.mean for level in self.levels if np.isfinite(level.mean)]
        return max(means) - min(means) if means else float("nan")


@dataclass(frozen=True, slots=True)
class Index:
    """Sobol's indices of one axis, each with half the width of its interval."""

    axis: str
    first: float
    first_half: float
    total: float
    total_half: float


def axis_names(experiment: Experiment) -> dict[str, str]:
    """Path → the name that variants and figures use."""
    return {**short_names([axis.path for axis in experiment.axes]),
            **{axis.path: axis.name for axis in experiment.axes if axis.name}}  # fmt: skip


def main_effects(experiment: Experiment, runs: Runs, measure: Measure, confidence: float = 0.95) -> list[MainEffect]:
    """The effect of each axis that has several values, the strongest first."""
    columns = runs.columns(measure.column)
    grid = experiment.design.kind in {"grid", "list"}
    names = axis_names(experiment)
    found = []
    for axis in experiment.axes:
        name = names[axis.path]
        groups = _groups(axis, {variant: runs.values_of(variant).get(name) for variant in runs.variants})
        if len(groups) > 1:
            levels = _levels(groups, columns, measure, paired=grid, confidence=confidence)
            found.append(MainEffect(name, levels, axis.span))
    return sorted(found, key=lambda one: -one.range if np.isfinite(one.range) else 0.0)


def _groups(axis: Axis, values: dict[str, Value]) -> list[tuple[str, float | None, list[str]]]:
    """Label, place and variants of each value; a range is cut into parts of as many variants."""
    if axis.span is None:
        return [
            (value_text(value), axis.number(value), [name for name, one in values.items() if one == value])
            for value in axis.values if any(one == value for one in values.values())
        ]  # fmt: skip
    numbered = sorted((axis.number(value) or 0.0, name) for name, value in values.items() if value is not None)
    made: list[tuple[str, float | None, list[str]]] = []
    for chosen in _parts(numbered):
        low, high = chosen[0][0], chosen[-1][0]
        unit = f" {axis.span.unit}" if axis.span.unit else ""
        label = f"{low:.4g}" if low == high else f"{low:.4g} … {high:.4g}"
        made.append((label + unit, float(np.mean([one for one, _ in chosen])), [n for _, n in chosen]))
    return made


def _parts(numbered: list[tuple[float, str]]) -> Iterator[list[tuple[float, str]]]:
    """Of about as many variants each; one value is never in two parts."""
    left = min(PARTS, max(len(numbered) // 2, 1))
    start = 0
    while start < len(numbered):
        end = start + max(round((len(numbered) - start) / max(left, 1)), 1)
        while end < len(numbered) and numbered[end][0] == numbered[end - 1][0]:
            end += 1
        yield numbered[start:end]
        start, left = end, left - 1


def _levels(
    groups: list[tuple[str, float | None, list[str]]],
    columns: dict[str, Floats],
    measure: Measure,
    *,
    paired: bool,
    confidence: float,
) -> tuple[Level, ...]:
    used = [name for _, _, names in groups for name in names]
    whole = np.array([columns[name] for name in used])
    made = []
    for label, at, names in groups:
        values = np.array([columns[name] for name in names])
        if paired and measure.q is None:
            # A replication in which one variant failed says nothing of the difference between them.
            effect = t_interval(values.mean(axis=0) - whole.mean(axis=0), confidence)
            mean = float(values.mean(axis=0)[np.isfinite(whole.mean(axis=0))].mean()) if effect.n else float("nan")
        else:
            each = np.array([measure.value(row) for row in values])
            middle = float(np.nanmean([measure.value(row) for row in whole]))
            effect = mean_interval(each - middle, confidence)
            if effect.low == effect.high:  # that a few points agree does not make what lies between them known
                effect = replace(effect, low=math.nan, high=math.nan)
            mean = effect.value + middle
        made.append(Level(label, at, len(names), mean, effect))
    return tuple(made)


def sobol_indices(experiment: Experiment, runs: Runs, measure: Measure) -> list[Index] | None:
    """The indices of each axis, the greatest total first; None where the design is another or runs are missing.

    Also None where nothing varies: there is then no variance to share out.
    """
    if experiment.design.kind != "indices":
        return None
    names = axis_names(experiment)
    columns = runs.columns(measure.column)
    known = {variant: measure.value(columns[variant]) for variant in runs.variants}
    by_values = {_key(runs.values_of(variant)): variant for variant in runs.variants}
    rows = points(experiment.axes, experiment.design, experiment.seed)
    order = [names[axis.path] for axis in experiment.axes]
    y = np.array([known[by_values[_key(dict(zip(order, row, strict=True)))]] for row in rows])
    if not np.isfinite(y).all() or float(np.ptp(y)) == 0.0:
        return None
    analyse = need("SALib.analyze.sobol", "sensitivity", "Sobol's indices")
    found = analyse.analyze(problem(experiment.axes), y, calc_second_order=False, seed=experiment.seed)
    made = [
        Index(name, *(float(found[key][i]) for key in ("S1", "S1_conf", "ST", "ST_conf")))
        for i, name in enumerate(order)
    ]
    return sorted(made, key=lambda one: -one.total)


def _key(values: dict[str, Any]) -> tuple[tuple[str, str], ...]:
    return tuple(sorted((name, value_text(value)) for name, value in values.items()))
