"""Validation on a terminal and as a figure."""

from __future__ import annotations

import math
from collections.abc import Sequence

from matplotlib.ticker import FuncFormatter
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from sim.experiments.validation.comparison import TARGET_MEDIAN, TARGET_P90, Comparison, Summary, summary
from sim.experiments.validation.fits import Fit
from sim.plots.style import BAD, INK, PALE, Figure, figure, note

_FITTED, _PREDICTED = "#9ecae1", "#0072b2"


def seconds(value: float) -> str:
    """Four digits, in seconds."""
    return f"{value:.3f}" if value < 10 else f"{value:.2f}" if value < 100 else f"{value:.1f}"


def screen(comparisons: Sequence[Comparison], *, wide: bool = True) -> RenderableType:
    """The table, what could not be simulated, and what it all comes to. Not ``wide``: without what each case was."""
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="bold")
    for name in ("case", "kind", "metric") if wide else ("case", "metric"):
        table.add_column(name, no_wrap=True)
    for name in ("measured s", "simulated s", "error"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("", no_wrap=True)
    left_out: list[RenderableType] = []
    for one in comparisons:
        row, error = one.row, one.error
        if error is None or one.simulated is None:
            left_out.append(Text(f"{row.id}: not simulated: {one.reason or 'measured as 0'}", style="yellow"))
            continue
        if one.not_understood:
            left_out.append(Text(f"{row.id}: simulated as if its kind did not say {', '.join(one.not_understood)}",
                                 style="yellow"))  # fmt: skip
        if row.marked:
            left_out.append(Text(f"{row.id}: marked {row.marked}, but constants come from it: it does not count",
                                 style="yellow"))  # fmt: skip
        style = "dim" if row.use == "fit" else "red" if abs(error) > TARGET_P90 else ""
        used = "fitted" if row.use == "fit" else "predicted"
        case = (row.id, row.kind, row.metric) if wide else (row.id, row.metric)
        table.add_row(*case, seconds(row.value), seconds(one.simulated), f"{error:+.1%}", used, style=style)
    return Group(table, *left_out, Text(), *(Text(line) for line in words(summary(comparisons))))


def words(said: Summary) -> list[str]:
    """The summary in sentences."""
    lines = []
    if said.predicted:
        verdict = "reached" if said.met else "not reached"
        lines.append(
            f"{said.predicted} predicted: median |error| {said.median:.1%}, 90th percentile {said.p90:.1%}, "
            f"worst {said.worst:.1%} (target {TARGET_MEDIAN:.0%} and {TARGET_P90:.0%}: {verdict})"
        )
    else:
        lines.append("no predicted row was simulated, so nothing can be said of the error")
    lines.append(f"{said.fitted} fitted: constants come from them, so they do not count")
    if said.not_simulated:
        lines.append(f"{said.not_simulated} not simulated")
    return lines


def fits_screen(made: Sequence[Fit]) -> RenderableType:
    """Every fit: constants with what the shipped profiles hold, and how well they give the rows back."""
    parts: list[RenderableType] = []
    for fit in made:
        table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="bold")
        table.add_column(fit.profile, no_wrap=True, min_width=50)
        for name in ("fitted", "shipped"):
            table.add_column(name, justify="right")
        table.add_column("left out" if fit.left_out else "", no_wrap=True)
        for constant in fit.constants:
            table.add_row(constant.name, f"{constant.fitted:.4g}", f"{constant.shipped:.4g}", constant.unit)
        alone = dict(fit.left_out)
        for row, error in fit.residuals:
            unseen = f"{alone[row]:+.2%}" if row in alone else ""
            table.add_row(*(Text(cell, style="dim") for cell in (f"  {row}", f"{error:+.2%}", unseen, "")))
        parts += [table, Text()]
    return Group(*parts) if parts else Text("no row is marked for fitting")


def errors_figure(comparisons: Sequence[Comparison]) -> Figure:
    """Every row's error, measured and simulated side by side; fitted rows are pale."""
    shown = [one for one in comparisons if one.error is not None]
    said = summary(comparisons)
    with figure(1.6 + 0.24 * len(shown), "Simulated against measured") as made:
        left, right = made.subplots(1, 2, width_ratios=(3, 2))
        at = list(range(len(shown)))
        errors = [100 * (one.error or 0.0) for one in shown]
        colours = [_FITTED if one.row.use == "fit" else _PREDICTED for one in shown]
        left.barh(at, errors, color=colours, height=0.7)
        left.set_yticks(at, [one.row.id for one in shown])
        left.invert_yaxis()
        left.axvline(0.0, color=INK, linewidth=0.8)
        for edge in (-100 * TARGET_P90, 100 * TARGET_P90):
            left.axvline(edge, color=BAD, linewidth=0.8, linestyle="--")
        left.set_xlabel("error, % of measured")
        left.set_title("Error of each case")
        for used, colour in (("predict", _PREDICTED), ("fit", _FITTED)):
            of = [one for one in shown if one.row.use == used]
            label = "predicted" if used == "predict" else "fitted"
            simulated = [one.simulated or math.nan for one in of]
            right.scatter([one.row.value for one in of], simulated, color=colour, s=22, label=label, edgecolor=INK,
                          linewidth=0.4)  # fmt: skip
        values = [one.row.value for one in shown] or [1.0]
        ends = (min(values) / 2, max(values) * 2)
        right.plot(ends, ends, color=PALE, linewidth=0.8)
        right.set_xscale("log")
        right.set_yscale("log")
        for axis in (right.xaxis, right.yaxis):
            axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        right.set_xlabel("measured, s")
        right.set_ylabel("simulated, s")
        right.set_title("All cases")
        right.legend(loc="upper left")
        note(made, f"dashed: ± {TARGET_P90:.0%}", *words(said))
        return made
