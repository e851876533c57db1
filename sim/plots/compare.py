"""Two runs on one page: numbers side by side, paired differences, what was changed."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, MaxNLocator, PercentFormatter

from sim import units
from sim.metrics.answer import answer
from sim.metrics.compare import PAIRED, TABLE, Comparison, compare, paired
from sim.metrics.source import Records, Source, as_records
from sim.metrics.timeline import spans
from sim.plots import style
from sim.plots.html import Picture, html_table, picture, render
from sim.plots.style import Figure
from sim.plots.text import duration, measured

_MOST = 1000
_LINES = 400
_SCENARIO = "scenario.yaml"
_TEXT_B = 256 * units.KIB
_A: tuple[str, Any] = ("#8a8a8a", (0, (5, 1.5)))
_B: tuple[str, Any] = (style.STAGES["copying"], "-")


def write_comparison(a: Source, b: Source, path: str | Path, names: tuple[str, str] = ("A", "B")) -> Path:
    """Write the page that compares run A with run B; returns its path. The same runs make the same bytes."""
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(comparison(a, b, names), encoding="utf-8")
    return target


def comparison(a: Source, b: Source, names: tuple[str, str] = ("A", "B")) -> str:
    """The page as HTML; ``names`` are what the two runs are called."""
    one, other = as_records(a), as_records(b)
    made = compare(one, other)
    rows = paired(one, other)
    some = f"The {_MOST:,} of {rows.height:,} servers that differ most." if rows.height > _MOST else ""
    order = rows.with_columns(pl.col("total_s_diff").abs().fill_null(0.0).alias("by")).sort(
        "by", descending=True, maintain_order=True
    )  # fmt: skip
    return render(
        "compare.html.j2", title=f"{names[0]} and {names[1]}: novasim comparison", names=names, comparison=made,
        measures=[measured(measure) for measure in made.measures], pairs=_paired_words(made),
        answers=(answer(one), answer(other)), figures=list(_figures(one, other, rows)),
        table=html_table(TABLE, order, most=_MOST, note=some), changed=_changed(one, other),
        manifests=(one.manifest, other.manifest),
    )  # fmt: skip


def _paired_words(made: Comparison) -> list[dict[str, str]]:
    def signed(value: float | None) -> str:
        if value is None:
            return "-"
        return duration(value).replace("-", "−") if value <= 0 else f"+{duration(value)}"

    return [
        {"words": one.words, "count": f"{one.count:,}", "better": f"{one.better:,}", "worse": f"{one.worse:,}",
         "same": f"{one.same:,}", "mean": signed(one.mean), "median": signed(one.median), "low": signed(one.low),
         "high": signed(one.high)}
        for one in made.pairs
    ]  # fmt: skip


def _changed(a: Records, b: Records) -> str:
    """The differences of the resolved scenarios and of the texts that they name, line by line; empty without any."""
    first, second = _texts(a), _texts(b)
    if not (first and second):
        return ""
    lines: list[str] = []
    for name in sorted({*first, *second}, key=lambda name: (name != _SCENARIO, name)):
        one, other = first.get(name, []), second.get(name, [])
        lines += difflib.unified_diff(one, other, f"A/{name}", f"B/{name}", n=2, lineterm="")
    more = [f"… and {len(lines) - _LINES:,} more lines"] if len(lines) > _LINES else []
    return "\n".join([*lines[:_LINES], *more])


def _texts(records: Records) -> dict[str, list[str]]:
    """The scenario of a run and the files in its folder that are text and no long ones: name → lines."""
    folder = records.folder
    if folder is None or not (folder / _SCENARIO).is_file():
        return {}
    found = [folder / _SCENARIO]
    found += [one for one in (folder / "files").rglob("*") if one.is_file() and one.stat().st_size <= _TEXT_B]
    texts = {}
    for path in found:
        try:
            texts[path.relative_to(folder).as_posix()] = path.read_text(encoding="utf-8").splitlines()
        except UnicodeDecodeError:  # a trace in Parquet
            continue
    return texts


# --- figures ---------------------------------------------------------------------------------------------------------


def _figures(a: Records, b: Records, rows: pl.DataFrame) -> Iterator[Picture]:
    yield picture("progress", progress_of_both(a, b), "How many servers had moved, moment by moment.", vector=True)
    if rows.filter(pl.col("touched_a") & pl.col("touched_b")).height:
        yield picture(
            "pairs", differences(rows), "Differences of single servers: left of zero, B is better.", vector=True
        )


def progress_of_both(a: Source, b: Source) -> Figure:
    """Servers moved (lines) and failed (dotted) in both runs over time."""
    records = (as_records(a), as_records(b))
    end = max(one.end_s for one in records)
    with style.figure(3.0, "How both went on") as made:
        axes = made.subplots()
        entries = []
        for name, one, (colour, dash) in zip("AB", records, (_A, _B), strict=True):
            moves = spans(one).filter(pl.col("type").is_not_null())
            for kind, outcomes, width in (("moved", ["done", "unconfirmed"], 1.8), ("failed", ["failed"], 0.8)):
                times = np.sort(moves.filter(pl.col("outcome").is_in(outcomes))["ended_s"].to_numpy())
                if kind == "moved" or len(times):
                    x = np.concatenate([[0.0], times, [one.end_s]])
                    y = np.concatenate([np.arange(len(times) + 1), [len(times)]])
                    axes.step(x, y, where="post", color=colour, linestyle=dash, linewidth=width)
                    entries.append((f"{name}: {kind}", Line2D([], [], color=colour, linestyle=dash, linewidth=width)))
        axes.set_ylim(0, None)
        axes.set_ylabel("moves")
        axes.yaxis.set_major_locator(MaxNLocator(6, integer=True))
        axes.grid(axis="y")
        style.time_axis(axes, 0.0, end)
        style.legend(axes, entries)
    return made


def differences(rows: pl.DataFrame) -> Figure:
    """How the differences (B less A) are spread over the servers that both runs touched."""
    both = rows.filter(pl.col("touched_a") & pl.col("touched_b"))
    with style.figure(2.9, "Differences of single servers, B less A") as made:
        panels = made.subplots(1, len(PAIRED), sharey=True)
        for axes, (name, words) in zip(panels, PAIRED, strict=True):
            values = both[f"{name}_diff"].drop_nulls().sort().to_numpy()
            axes.set_title(words, fontsize=8.5, fontweight="normal")
            axes.set_xlabel("seconds")
            axes.axvline(0.0, color=style.INK, linewidth=0.8)
            axes.grid()
            share = np.arange(1, len(values) + 1) / max(len(values), 1)
            axes.step(np.concatenate([values[:1], values]), np.concatenate([[0.0], share]), where="post", color=_B[0])
            reach = float(np.abs(values).max(initial=0.0)) * 1.08
            axes.set_xlim(-(reach or 1.0), reach or 1.0)
            axes.set_ylim(0, 1.03)
            axes.xaxis.set_major_locator(MaxNLocator(5) if reach else FixedLocator([0.0]))
        panels[0].set_ylabel("share of servers")
        panels[0].yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
        style.note(
            made, f"{units.counted(both.height, 'servers')} that both runs moved or hurt; left of zero B is better"
        )
    return made
