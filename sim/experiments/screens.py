"""What many runs say, on a terminal: numbers stay whole where it is narrow, and names take several lines."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from sim.experiments.compare import Compared, Difference
from sim.experiments.measures import Measure
from sim.experiments.report import Failure, Runs
from sim.experiments.sensitivity import Index, MainEffect
from sim.experiments.stats.intervals import ALIKE, Estimate
from sim.plots.text import shorten
from sim.units import counted

_ROWS = 30
_ENDS = 6
_FAILURES = 5
_WIDE = 0.25
_NAME = 120
"""Columns that a name may take, in all its lines."""


def grid(*headers: str, left: int = 1) -> Table:
    """A table without lines; the first ``left`` columns hold text, the rest numbers."""
    made = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="bold")
    for place, header in enumerate(headers):
        made.add_column(header, justify="left" if place < left else "right", no_wrap=place >= left,
                        overflow="fold" if place < left else "ellipsis")  # fmt: skip
    return made


def interval(measure: Measure, one: Estimate, *, signed: bool = False) -> str:
    """``11.8 s … 12.4 s``; ``exactly`` where all runs agree, a dash where nothing can be said."""
    if not math.isfinite(one.low):
        return "-"
    if one.low == one.high:
        return "exactly"
    low, high = measure.text(one.low, signed=signed), measure.text(one.high, signed=signed)
    return f"± {measure.text(one.half_width)}" if low == high else f"{low} … {high}"


def sweep_screen(runs: Runs, measures: Sequence[Measure], confidence: float) -> RenderableType:
    """Each measure of each variant: one table for one variant, else one for each measure that differs."""
    estimates = [(measure, runs.estimates(measure, confidence)) for measure in measures]
    if len(runs.variants) == 1:
        made = grid("measure", "value", f"{confidence:.0%} interval", "runs", "method")
        made.columns[0].no_wrap, made.columns[4].no_wrap, made.columns[4].justify = True, False, "left"
        for measure, of in estimates:
            one = of[runs.variants[0]]
            text = measure.text(one.value)
            made.add_row(measure.name, text, interval(measure, one), str(one.n), one.method)
        return made
    alike = [pair for pair in estimates if alike_all(pair[1])]
    parts: list[RenderableType] = []
    for measure, of in estimates:
        if not alike_all(of):
            parts += [_measure_table(runs, measure, of, confidence), Text()]
    if alike:
        said = ", ".join(f"{measure.name} {measure.text(next(iter(of.values())).value)}" for measure, of in alike)
        parts += [Text(f"in every run of every variant: {said}"), Text()]
    return Group(*parts[:-1])


def alike_all(estimates: Mapping[str, Estimate]) -> bool:
    """Whether the variants and their runs do not differ at all."""
    return len({(one.value, one.low, one.high) for one in estimates.values()}) == 1 and all(
        one.low == one.high for one in estimates.values()
    )


def _measure_table(runs: Runs, measure: Measure, of: Mapping[str, Estimate], confidence: float) -> RenderableType:
    made = grid(measure.name, "value", f"{confidence:.0%} interval", "runs")
    shown: list[str | None] = list(runs.variants)
    if len(shown) > _ROWS:
        ranked = sorted(runs.variants, key=lambda name: _last_if_nan(of[name].value))
        shown = [*ranked[:_ENDS], None, *ranked[-_ENDS:]]
    for name in shown:
        if name is None:
            made.add_row("…", "", "", "")
            continue
        one = of[name]
        made.add_row(shorten(name, _NAME), measure.text(one.value), interval(measure, one), str(one.n))
    lines: list[RenderableType] = [made]
    if len(runs.variants) > _ROWS:
        lines.append(
            Text(f"the {_ENDS} lowest and highest of {len(runs.variants)}; all are in summary.csv", style="dim")
        )
    return Group(*lines, Text(f"interval: {methods(of.values())}", style="dim"))


def _last_if_nan(value: float) -> tuple[bool, float]:
    return (math.isnan(value), value)


def methods(estimates: Iterable[Estimate]) -> str:
    """The methods of the intervals in words, each once."""
    return "; ".join(dict.fromkeys(one.method for one in estimates))


def failures_screen(failures: Sequence[Failure]) -> list[RenderableType]:
    """The runs that failed: why, and how to see each again."""
    if not failures:
        return []
    lines: list[RenderableType] = [Text(f"{counted(len(failures), 'runs')} failed:", style="bold red")]
    for one in failures[:_FAILURES]:
        lines.append(Text(f"  {one.variant}, replication {one.replication}, {one.stage}: {shorten(one.error, 300)}"))
        lines.append(Text(f"    {one.command}", style="dim"))
    if len(failures) > _FAILURES:
        lines.append(Text(f"  … and {len(failures) - _FAILURES} more, in runs.parquet", style="dim"))
    return lines


def effects_screen(effects: Sequence[MainEffect], measure: Measure) -> RenderableType:
    """Main effects on one measure, the strongest axis first."""
    made = grid("axis", "value", measure.name, "against all", "interval", left=2)
    for effect in effects:
        for number, level in enumerate(effect.levels):
            name = effect.axis if number == 0 else ""
            difference = measure.text(level.effect.value, signed=True)
            made.add_row(shorten(name, 40), shorten(level.label, 40), measure.text(level.mean), difference,
                         interval(measure, level.effect, signed=True))  # fmt: skip
    return made


def indices_screen(indices: Sequence[Index]) -> RenderableType:
    """Sobol's indices."""
    made = grid("axis", "alone", "", "in any company", "")
    for one in indices:
        made.add_row(
            one.axis, f"{one.first:.2f}", f"± {one.first_half:.2f}", f"{one.total:.2f}", f"± {one.total_half:.2f}"
        )
    if max(max(one.first_half, one.total_half) for one in indices) > _WIDE:
        return Group(made, Text("these intervals are wide: take more points, --sample indices:N", style="yellow"))
    return made


def compare_screen(compared: Sequence[Compared]) -> RenderableType:
    """Each measure that differs: differences from the baseline, and the place of each variant."""
    parts: list[RenderableType] = []
    alike = [one for one in compared if all(d.difference.low == d.difference.high == 0 for d in one.differences)]
    for one in compared:
        if one not in alike:
            parts += [_compared(one), *_left_out(len(one.differences)), Text(_together(one), style="dim"), Text()]
    if alike:
        parts += [Text("the same in all variants: " + ", ".join(one.measure.name for one in alike)), Text()]
    return Group(*parts[:-1])


def _compared(one: Compared) -> Table:
    measure = one.measure
    places = {
        rank.name: str(rank.best) if rank.best == rank.worst else f"{rank.best}-{rank.worst}" for rank in one.ranks
    }
    place = ["place"] if places else []
    made = grid(measure.name, "value", "difference", "interval", "", *place)
    own = [places[one.baseline]] if places else []
    made.add_row(shorten(one.baseline, _NAME), measure.text(one.baseline_value), "baseline", "", "", *own)
    for other in _shown(one):
        estimate = other.difference
        share = f"{other.relative:+,.{1 if abs(other.relative) < 1 else 0}%}" if math.isfinite(other.relative) else ""
        made.add_row(
            shorten(other.variant, _NAME), measure.text(other.value), measure.text(estimate.value, signed=True),
            interval(measure, estimate, signed=True), share,
            *([places[other.variant]] if places else []), style="" if estimate.excludes(0.0) else "dim",
        )  # fmt: skip
    return made


def _shown(one: Compared) -> Sequence[Difference]:
    """All differences, or where they are many the lowest and the highest."""
    if len(one.differences) <= _ROWS:
        return one.differences
    ranked = sorted(one.differences, key=lambda other: _last_if_nan(other.difference.value))
    return [*ranked[:_ENDS], *ranked[-_ENDS:]]


def _left_out(count: int) -> list[RenderableType]:
    said = f"the {_ENDS} lowest and highest of {count}; all are in --json"
    return [Text(said, style="dim")] if count > _ROWS else []


def _together(one: Compared) -> str:
    """The method, and what the places and the dim rows mean."""
    confidence = 1 - (1 - one.differences[0].difference.confidence) * len(one.differences)
    how = methods(d.difference for d in one.differences if d.difference.method != ALIKE)
    paired = ", paired by replication" if one.measure.statistic == "mean" else ""
    together = f", all at once with {confidence:.0%}" if len(one.differences) > 1 else f" with {confidence:.0%}"
    places = "; place: lowest first, a span where it cannot be told" if one.ranks else ""
    return f"{how}{paired}{together}; dim: not told from 0{places}"
