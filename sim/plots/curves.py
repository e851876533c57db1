"""Curves: how a run went on, and how its costs are spread over servers."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import LogLocator, MaxNLocator, NullLocator, PercentFormatter

from sim import units
from sim.metrics.answer import flavors_by_use, headrooms
from sim.metrics.source import Source, as_records
from sim.metrics.tables import table
from sim.metrics.timeline import spans
from sim.plots import style
from sim.plots.style import Between, Figure
from sim.plots.text import shorten

_ENDS: dict[str, tuple[str, Any]] = {
    "moved": (style.STAGES["finishing"], "-"), "failed": (style.BAD, (0, (5, 1.5))),
    "other": ("#5d3a9b", (0, (1.5, 1.2))), "under way": (style.STAGES["copying"], (0, (6, 1.5, 1.5, 1.5))),
}  # fmt: skip
_WORDS = {"moved": "moved", "failed": "failed or refused", "other": "cancelled, reverted", "under way": "under way"}
_SPREADS = (("downtime_s", "guest stood still"), ("slowdown_s", "lost to slowdowns"), ("total_s", "its moves took"),
            ("queue_s", "of that, in queues"))  # fmt: skip


_WIDE = 50
"""Values whose greatest is so many times what 95 % have stand on a logarithmic scale."""
_MANY = 20
"""Of so many values, quantiles are marked."""


def progress(source: Source, between: Between | None = None) -> Figure:
    """How many moves were under way, had succeeded and had failed, moment by moment; operations as bars below."""
    records = as_records(source)
    moves = spans(records).filter(pl.col("type").is_not_null() | pl.col("action").is_in(["os-migrateLive", "evacuate"]))
    kind = (
        pl.when(pl.col("outcome").is_in(["done", "unconfirmed"]))
        .then(pl.lit("moved"))
        .when(pl.col("outcome").is_in(["failed", "refused"]))
        .then(pl.lit("failed"))
        .when(pl.col("outcome") == "under way")
        .then(pl.lit("under way"))
        .otherwise(pl.lit("other"))
    )
    moves = moves.with_columns(kind.alias("kind"))
    operations = table(records, "operations").head(6)
    start, end = style.window(between, 0.0, records.end_s)
    bars = 0.2 * max(operations.height, 1)
    with style.figure(3.0 + bars, f"How it went on: {records.name}") as made:
        axes, below = made.subplots(2, 1, height_ratios=[2.2, bars])
        ends = {name: moves.filter(pl.col("kind") == name)["ended_s"].sort().to_numpy() for name in _ENDS}
        for name in ("moved", "failed", "other"):
            if len(ends[name]):
                _stairs(axes, ends[name], np.ones(len(ends[name])), name, records.end_s)
        over = moves.filter(pl.col("kind") != "under way")["ended_s"].to_numpy()
        times = np.concatenate([moves["began_s"].to_numpy(), over])
        _stairs(axes, times, np.concatenate([np.ones(moves.height), -np.ones(len(over))]), "under way", records.end_s)
        axes.set_ylim(0, None)
        axes.yaxis.set_major_locator(MaxNLocator(6, integer=True))
        axes.yaxis.set_major_formatter(style.COUNTS)
        axes.set_ylabel("moves")
        style.time_axis(axes, start, end)
        axes.grid(axis="y")
        present = [name for name in _ENDS if len(ends[name]) or name == "under way"]
        style.legend(axes, [(_WORDS[name], Line2D([], [], color=_ENDS[name][0], linestyle=_ENDS[name][1]))
                            for name in present])  # fmt: skip
        _operations(below, operations, records.end_s, (start, end))
        more = table(records, "operations").height - operations.height
        style.note(made, f"{moves.height:,} moves asked for", f"{more} more operations are not drawn" if more else "")
    return made


def _stairs(axes: Axes, times: np.ndarray, steps: np.ndarray, name: str, end: float) -> None:
    moments, which = np.unique(times, return_inverse=True)  # one place freed and taken at once is no change
    x = np.concatenate([[0.0], moments, [end]])
    y = np.concatenate([[0.0], np.cumsum(np.bincount(which, weights=steps, minlength=len(moments)))])
    colour, dash = _ENDS[name]
    axes.step(x, np.append(y, y[-1]), where="post", color=colour, linestyle=dash)


def _operations(axes: Axes, operations: pl.DataFrame, end: float, between: Between) -> None:
    """Bars below the curves, one for each operation of the plan; its name within its bar, or beside a short one."""
    start, stop = between
    columns = ("kind", "target", "began_s", "ended_s", "outcome")
    for row, (kind, target, begin, over, outcome) in enumerate(operations.select(columns).iter_rows()):
        until = end if over is None else over
        colour = {"done": "#b9d9cd", "partial": "#f3d9a4", "failed": "#eeb894"}.get(outcome, style.FAINT)
        seen = max(until - begin, 0.002 * (stop - start))  # a moment is drawn as long as can be seen
        axes.barh(row, seen, left=begin, color=colour, height=0.85)
        low, high = (min(max((t - start) / (stop - start), 0.0), 1.0) for t in (begin, until))
        late = high > 0.6
        within = high - low > 0.35 or (late and low < 0.4)
        side = "right" if late and not within else "left"
        x = low if within or side == "right" else high
        axes.annotate(f"{kind} {shorten(target, 40)}: {outcome}", (x, row), xycoords=axes.get_yaxis_transform(),
                      xytext=(4 if side == "left" else -4, 0), textcoords="offset points", fontsize=7.5, ha=side,
                      va="center")  # fmt: skip
    axes.set_xlim(start, stop)
    axes.set_ylim(max(operations.height, 1) - 0.5, -0.5)
    axes.set_axis_off()


def spread(source: Source) -> Figure:
    """How downtime, slowdown, migration time and waiting are spread over the servers that were moved or hurt."""
    records = as_records(source)
    moves = table(records, "migrations").group_by("server").agg(pl.col("total_s", "queue_s").sum())
    servers = table(records, "servers").join(moves, on="server", how="left")
    touched = servers.filter((pl.col("migrations") > 0) | (pl.col("downtime_s") > 0) | (pl.col("slowdown_s") > 0))
    with style.figure(2.9, f"What it cost the servers: {records.name}") as made:
        panels = made.subplots(1, len(_SPREADS), sharey=True)
        for axes, (name, words) in zip(panels, _SPREADS, strict=True):
            values = touched[name].fill_null(0.0).sort().to_numpy()
            _distribution(axes, values, words)
        panels[0].set_ylabel("share of servers")
        panels[0].yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
        dots = "; dots: median and 95 %" if touched.height >= _MANY else ""
        style.note(made, f"each curve: share of {units.counted(touched.height, 'servers')} (those moved, stopped or "
                         f"slowed) with at most so much{dots}")  # fmt: skip
    return made


def _distribution(axes: Axes, values: np.ndarray, words: str) -> None:
    axes.set_title(words, fontsize=8.5, fontweight="normal")
    axes.set_xlabel("seconds")
    axes.grid()
    axes.set_ylim(0, 1.08)
    if not len(values) or not values[-1]:
        words = "none of them" if len(values) else "no server"
        axes.text(0.5, 0.5, words, transform=axes.transAxes, ha="center", color=style.PALE)
        axes.set_xticks([0.0])
        return
    share = np.arange(1, len(values) + 1) / len(values)
    most = float(values[-1])
    axes.step(
        np.concatenate([[0.0], values]), np.concatenate([[0.0], share]), where="post", color=style.STAGES["copying"]
    )
    for q in (0.5, 0.95) if len(values) >= _MANY else ():
        at = float(np.quantile(values, q))
        axes.plot([at], [q], "o", color=style.INK, markersize=4)
        left = at > 0.6 * most  # above a rising curve on its left, below it on its right: there it never is
        axes.annotate(units.format_seconds(at), (at, q), xytext=(-5, 3) if left else (5, -9),
                      textcoords="offset points", fontsize=7.5, ha="right" if left else "left", zorder=5)  # fmt: skip
    if most > _WIDE * max(float(np.quantile(values, 0.95)), 1e-3):  # a few would press all others into one line
        axes.set_xscale("log")
        axes.set_xlim(float(values[values > 0][0]) / 1.5, most * 1.5)
        axes.xaxis.set_major_locator(LogLocator(numticks=6))
        axes.xaxis.set_minor_locator(NullLocator())
        axes.xaxis.set_major_formatter("{x:g}")
        return
    axes.set_xlim(-0.02 * max(most, 1e-3), 1.05 * max(most, 1e-3))
    axes.xaxis.set_major_locator(MaxNLocator(5))


def headroom(source: Source) -> Figure:
    """How many more of each flavor fit, before and after, in the cloud, each zone and each aggregate."""
    records = as_records(source)
    known, every = flavors_by_use(records), headrooms(records)
    flavors, groups = known[:4], every[:8]
    with style.figure(1.5 + 0.42 * max(len(groups), 1), f"Headroom: {records.name}") as made:
        panels = np.atleast_1d(np.asarray(made.subplots(1, max(len(flavors), 1), sharey=True)))
        y = np.arange(len(groups))
        for axes, flavor in zip(panels, flavors, strict=False):
            before, after = ([getattr(group, of)[flavor] for group in groups] for of in ("fits_start", "fits"))
            axes.barh(y - 0.2, before, 0.36, color="#b8cfe0")
            axes.barh(y + 0.2, after, 0.36, color=style.STAGES["copying"])
            top = max([*before, *after, 1])
            for values, shift in ((before, -0.2), (after, 0.2)):
                for place, value in enumerate(values):
                    axes.text(value + 0.015 * top, place + shift, f"{value:,}", va="center", fontsize=7)
            axes.set_xlabel(f"more {shorten(flavor, 22)}")
            axes.set_xlim(0, 1.22 * top)
            axes.xaxis.set_major_locator(MaxNLocator(3, integer=True))
            axes.xaxis.set_major_formatter(style.COUNTS)
            axes.grid(axis="x")
        names = [group.group if group.kind == "cloud" else f"{group.kind} {group.group}" for group in groups]
        panels[0].set_yticks(y, [shorten(name, 26) for name in names])
        panels[0].invert_yaxis()
        style.legend(panels[0], [("at the start", "#b8cfe0"), ("at the end", style.STAGES["copying"])])
        left = [
            f"{len(known) - len(flavors)} more flavors" if len(known) > len(flavors) else "",
            f"{len(every) - len(groups)} more zones and aggregates" if len(every) > len(groups) else "",
        ]
        missing = " and ".join(part for part in left if part)
        style.note(
            made, "how many more servers would fit if only that flavor came", f"not drawn: {missing}" if missing else ""
        )
    return made
