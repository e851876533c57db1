"""Figures of many runs: main effects, Sobol's indices, measures of variants, the frontier of plans."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.ticker import FixedLocator, FuncFormatter, Locator, LogLocator, MaxNLocator, NullLocator

from sim.experiments.compare import Compared
from sim.experiments.measures import Measure
from sim.experiments.plans.capacity import Full
from sim.experiments.sensitivity import Index, MainEffect
from sim.experiments.stats.intervals import Estimate
from sim.plots.style import BAD, INK, PALE, Figure, figure, note
from sim.plots.text import shorten

_BLUE = "#0072b2"
_PANELS = 4
"""Panels in a row."""
_LABEL, _NAME, _TITLE = 30, 70, 100
"""Characters of a value, of a variant, of a title."""
_FINE_S = 3.0
"""Of a time axis that is shorter, ticks are not whole seconds."""
_WIDE = 50
"""Times whose greatest is so many times the least stand on a logarithmic scale."""
_DECADES = (0.001, 0.01, 0.1, 1.0, 10.0, 60.0, 600.0, 3600.0, 36000.0, 86400.0, 864000.0, 8640000.0)
"""Their ticks, seconds."""
_SHOWN = 40
"""Variants in one figure."""


def effects_figure(effects: Sequence[MainEffect], measure: Measure, title: str) -> Figure:
    """A panel for each axis: the mean of the measure at each of its values, with intervals; one scale for all."""
    columns = min(len(effects), _PANELS)
    rows = -(-len(effects) // columns)
    with figure(0.8 + 2.4 * rows, f"{title}: main effects on {_words(measure)}") as made:
        panels = made.subplots(rows, columns, sharey=True, squeeze=False)
        for axes, effect in zip(panels.flat, effects, strict=False):
            _effect(axes, effect, measure)
        for axes in list(panels.flat)[len(effects) :]:
            axes.set_axis_off()
        for row in panels:
            row[0].set_ylabel(_words(measure))
        bars = f"bars are {_level(effects[0].levels[0].effect)} intervals of the difference from the mean of all"
        note(made, "mean over all variants with that value or in that part of the range", bars, "strongest axis first")
        return made


def _effect(axes: Axes, effect: MainEffect, measure: Measure) -> None:
    levels = effect.levels
    places = [number for level in levels if effect.span is not None and (number := level.at) is not None]
    at = places if len(places) == len(levels) else list(range(len(levels)))
    means = np.array([level.mean for level in levels])
    bars = np.array(
        [[level.effect.value - level.effect.low, level.effect.high - level.effect.value] for level in levels]
    )
    axes.errorbar(at, means, yerr=np.nan_to_num(bars).T.clip(min=0), color=_BLUE, marker="o", markersize=4, capsize=3)
    axes.set_title(shorten(effect.axis, _LABEL))
    if effect.span is None:
        labels = [shorten(level.label, _LABEL) for level in levels]
        axes.set_xticks(at, labels, rotation=20 if sum(map(len, labels)) > _LABEL else 0)
    else:
        axes.set_xlabel(effect.span.unit)
        if effect.span.log:
            axes.set_xscale("log")
            axes.xaxis.set_major_locator(LogLocator(10, (1.0, 2.0, 5.0)))
            axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
            axes.xaxis.set_minor_locator(NullLocator())
    _value_axis(axes, measure)
    axes.margins(x=0.1)


def indices_figure(indices: Sequence[Index], measure: Measure, title: str) -> Figure:
    """Bars for each axis: its share of the variance alone, and in any company."""
    with figure(1.2 + 0.45 * len(indices), f"{title}: what the variance of {_words(measure)} comes from") as made:
        axes = made.subplots()
        at = np.arange(len(indices))
        for shift, label, colour, values, halves in (
            (-0.18, "alone (first order)", _BLUE, [i.first for i in indices], [i.first_half for i in indices]),
            (0.18, "in any company (total)", PALE, [i.total for i in indices], [i.total_half for i in indices]),
        ):
            axes.barh(
                at + shift, values, 0.34, xerr=halves, color=colour, label=label, error_kw={"ecolor": INK, "capsize": 2}
            )
        axes.set_yticks(at, [index.axis for index in indices])
        axes.invert_yaxis()
        axes.set_xlabel("share of the variance")
        axes.axvline(0, color=INK, linewidth=0.6)
        axes.grid(axis="x")
        axes.legend(loc="lower right")
        note(made, "Sobol's indices with SALib's 95 % bootstrap intervals", "an index below its bar is not told from 0")
        return made


def variants_figure(estimates: Mapping[str, Estimate], measure: Measure, title: str) -> Figure:
    """The measure of each variant with its interval, in the order given."""
    shown = list(estimates.items())[:_SHOWN]
    with figure(1.0 + 0.28 * len(shown), f"{title}: {_words(measure)}") as made:
        axes = made.subplots()
        at = np.arange(len(shown))
        values = np.array([one.value for _, one in shown])
        bars = np.array([[one.value - one.low, one.high - one.value] for _, one in shown])
        axes.errorbar(values, at, xerr=np.nan_to_num(bars).T.clip(min=0), fmt="o", color=_BLUE, markersize=4, capsize=3)
        axes.set_yticks(at, [shorten(name, _NAME) for name, _ in shown])
        axes.invert_yaxis()
        _scale(axes.xaxis, measure)
        axes.grid(axis="x")
        left_out = len(estimates) - len(shown)
        note(
            made,
            f"{_level(shown[0][1])} intervals" if shown else "",
            f"{left_out} more variants not shown" if left_out else "",
        )
        return made


def differences_figure(compared: Compared, title: str) -> Figure:
    """Each variant less the baseline, with the intervals that hold together; hollow where it cannot be told from 0."""
    measure, shown = compared.measure, compared.differences[:_SHOWN]
    with figure(
        1.2 + 0.28 * len(shown), shorten(f"{title}: {_words(measure)} less that of {compared.baseline}", _TITLE)
    ) as made:
        axes = made.subplots()
        for at, one in enumerate(shown):
            estimate = one.difference
            bars = np.nan_to_num([[estimate.value - estimate.low], [estimate.high - estimate.value]]).clip(min=0)
            fill = _BLUE if estimate.excludes(0.0) else "white"
            axes.errorbar([estimate.value], [at], xerr=bars, fmt="o", color=_BLUE, markerfacecolor=fill, capsize=3)
        axes.axvline(0, color=INK, linewidth=0.8)
        axes.set_yticks(range(len(shown)), [shorten(one.variant, _NAME) for one in shown])
        axes.invert_yaxis()
        _scale(axes.xaxis, measure, signed=True)
        axes.grid(axis="x")
        left_out = len(compared.differences) - len(shown)
        note(made, "paired by replication; all intervals hold together", "hollow: cannot be told from no difference",
             f"{left_out} more variants not shown" if left_out else "")  # fmt: skip
        return made


_SPOTS: dict[str, tuple[str, dict[str, Any]]] = {
    "beaten": ("beaten in both", {"marker": "o", "color": PALE}),
    "glanced": ("seen in too few runs to say", {"marker": "o", "facecolors": "none", "edgecolors": PALE}),
    "fewer": ("moves fewer servers", {"marker": "x", "color": PALE}),
}
"""How plans that are not on the frontier are drawn."""


def frontier_figure(
    points: Sequence[tuple[float, float]],
    others: Mapping[str, Sequence[tuple[float, float]]],
    best: tuple[float, float],
    title: str,
) -> Figure:
    """Plans by makespan (s) and disruption (s): those that nothing beats in both, and the rest; ``best`` has a ring.

    ``others`` are those that are ``beaten``, that were only ``glanced`` at in fewer runs than the frontier's, and that
    leave servers which others move, ``fewer``. Under the frontier's steps there is no plan with as many runs.
    """
    with figure(4.2, title) as made:
        axes = made.subplots()
        for kind, (label, look) in _SPOTS.items():
            if others[kind]:
                x, y = np.array(others[kind]).T
                axes.scatter(x, y, s=14, label=label, **look)
        front = np.array(points).reshape(-1, 2)
        axes.plot(*front.T, color=_BLUE, marker="o", markersize=5, drawstyle="steps-post", label="frontier")
        if np.isfinite(best).all():
            axes.scatter(
                *best, s=90, facecolors="none", edgecolors=BAD, linewidths=1.6, label="the best plan", zorder=4
            )
        seconds = Measure("time", "time_s", "mean")
        every = np.array([*points, *(spot for spots in others.values() for spot in spots)])
        for axis, scale, values in zip(
            (axes.xaxis, axes.yaxis), (axes.set_xscale, axes.set_yscale), every.T, strict=True
        ):
            wide = values.min() > 0 and values.max() > _WIDE * values.min()
            scale("log" if wide else "linear")
            _scale(axis, seconds)
            if wide:
                axis.set_major_locator(FixedLocator(_DECADES))
                axis.set_minor_locator(NullLocator())
        axes.set_xlabel("makespan")
        axes.set_ylabel("guest time lost to downtime and slowdown")
        axes.grid()
        axes.legend(loc="best")
        note(made, "means over the replications")
        return made


def full_figure(found: Sequence[Full], horizon_s: float, title: str) -> Figure:
    """When each flavor is full: the median's interval, and the span of nine of ten runs."""
    shown = sorted(found, key=lambda one: one.when.value)[:_SHOWN]
    day = 86400.0
    with figure(1.2 + 0.34 * len(shown), title) as made:
        axes = made.subplots()
        for at, one in enumerate(shown):
            axes.plot([one.early / day, one.late / day], [at, at], "|-", color=PALE, linewidth=2, markersize=12)
            axes.plot([one.when.low / day, one.when.high / day], [at, at], color=_BLUE, linewidth=5)
            marker = ">" if one.never * 2 > one.runs else "o"
            axes.plot([one.when.value / day], [at], marker, color=_BLUE, markeredgecolor="white", markersize=7)
        axes.set_yticks(range(len(shown)), [one.flavor for one in shown])
        axes.invert_yaxis()
        last = max((one.late for one in shown), default=horizon_s)
        axes.set_xlim(0, min(horizon_s * 1.02, last * 1.2) / day)
        axes.set_xlabel("days from now")
        axes.grid(axis="x")
        beyond = any(one.never * 2 > one.runs for one in shown)
        note(
            made, "dot: median; blue: its interval; grey: nine of ten runs", "arrow: not full by then" if beyond else ""
        )
        return made


def _level(estimate: Estimate) -> str:
    return f"{100 * estimate.confidence:g} %"


def _words(measure: Measure) -> str:
    return measure.name.replace("_", " ")


def _value_axis(axes: Axes, measure: Measure) -> None:
    _scale(axes.yaxis, measure)
    axes.grid(axis="y")


def _scale(axis: Axis, measure: Measure, *, signed: bool = False) -> None:
    """Ticks as people say them: times at whole minutes or hours, numbers without a unit as they are."""

    def words(value: float, _: object) -> str:
        if measure.unit != "s":
            return measure.text(value, signed=signed)
        low, high = sorted(axis.get_view_interval())
        if value and high - low < _FINE_S:  # so close that ticks in whole seconds would read alike
            factor, unit = (1000, "ms") if max(-low, high) < 1 else (1, "s")
            return f"{'+' if signed and value > 0 else ''}{round(factor * value, 6):g} {unit}"
        return re.sub(r" 00 (s|min|h)$|\.0+(?= s$)", "", measure.text(value, signed=signed)) if value else "0"

    if measure.unit == "s":
        axis.set_major_locator(_Clock())
    axis.set_major_formatter(FuncFormatter(words))


class _Clock(Locator):
    """Ticks of a time axis: steps that a clock has."""

    _STEPS = tuple(
        float(unit * count)
        for unit, counts in ((1, (1, 2, 5, 10, 20, 30)), (60, (1, 2, 5, 10, 20, 30)), (3600, (1, 2, 3, 6, 12)),
                             (86400, (1, 2, 5, 10, 20, 50, 100)))
        for count in counts
    )  # fmt: skip

    def __call__(self) -> Sequence[float]:
        assert self.axis is not None, "matplotlib sets it before it asks"
        return self.tick_values(*self.axis.get_view_interval())

    def tick_values(self, vmin: float, vmax: float) -> Sequence[float]:
        """Multiples of the smallest step that gives at most eight."""
        low, high = min(vmin, vmax), max(vmin, vmax)
        step = next((one for one in self._STEPS if (high - low) / one <= 8), None)
        if step is None or (high - low) / step < 3:
            return list(MaxNLocator(6).tick_values(low, high))
        return [step * one for one in range(math.ceil(low / step), math.floor(high / step) + 1)]
