"""State ribbons: what each server was, from the start of the run to its end; and one server's speed over time."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.patheffects import withStroke
from matplotlib.ticker import PercentFormatter

from sim import units
from sim.errors import InputError, Issue
from sim.eventlog import records as r
from sim.metrics.guests import downtimes, slowdowns
from sim.metrics.source import Records, Source, as_records
from sim.metrics.stages import stages
from sim.metrics.states import spells
from sim.metrics.tables import table
from sim.plots import style
from sim.plots.style import Between, Figure
from sim.plots.text import shorten

_PAGE = 48
_ROW_IN = 0.17
_OUTLINE = [withStroke(linewidth=1.4, foreground="#333333")]
"""Names are read on light colours too."""


def ribbons(
    source: Source, servers: Sequence[str] | None = None, page: int = 1, between: Between | None = None
) -> Figure:
    """A ribbon for each server (those that changed, or those named): its status, its host, when its guest stood still.

    InputError for a server there is not, or a page there is not.
    """
    records = as_records(source)
    every = table(records, "servers")["server"]
    names = _changed(records, every.to_list()) if servers is None else _known(list(servers), set(every))
    pages = max(-(-len(names) // _PAGE), 1)
    if not 1 <= page <= pages:
        raise InputError([Issue("page", f"{page} is not a page", f"there are {pages}")])
    shown = names[(page - 1) * _PAGE : page * _PAGE]
    rows = spells(records, shown).collect()
    start, end = style.window(between, 0.0, records.end_s)
    height = max(len(shown), 2) * _ROW_IN
    with style.figure(height + 1.4, f"States of servers: {records.name}") as made:
        axes = made.subplots()
        _bands(axes, rows, shown, end - start)
        stood = _stills(axes, records, shown, end - start)
        axes.set_ylim(max(len(shown), 1) - 0.5, -0.5)
        axes.set_yticks(range(len(shown)), [shorten(name, 28) for name in shown])
        axes.tick_params(axis="y", length=0)
        style.time_axis(axes, start, end)
        statuses = set(rows["status"])
        order = [*style.STATUSES, *sorted(statuses - set(style.STATUSES))]
        entries = [
            (status, Patch(**style.status_look(status) | {"linewidth": 0.4})) for status in order if status in statuses
        ]
        still = ("guest stands still", Line2D([], [], color=style.INK, linewidth=2.2))
        style.legend(axes, [*entries, still] if stood else entries)
        paged = f"page {page} of {pages}: {len(shown)} of {len(names):,} servers that changed" if pages > 1 else ""
        rest = len(every) - len(names)
        quiet = f"{units.counted(rest, 'servers')} never changed" if servers is None and rest else ""
        style.note(made, paged, quiet, "names on the ribbons are hosts; an unnamed piece is too short for one")
    return made


def _changed(records: Records, every: list[str]) -> list[str]:
    """Servers of which any record speaks, in their order."""
    kinds = (r.ServerState, r.ServerCreated, r.ServerDeleted, r.Downtime, r.Slowdown)
    told = pl.concat([records.scan(kind).select("server") for kind in kinds]).unique().collect()["server"]
    there = set(told)
    return [name for name in every if name in there]


def _known(names: list[str], every: set[str]) -> list[str]:
    missing = [name for name in names if name not in every]
    if missing:
        right = "novasim show RUN servers lists them"
        raise InputError([Issue("server", f"there is no {name!r} in this run", right) for name in missing])
    return names


def _bands(axes: Axes, rows: pl.DataFrame, shown: list[str], span: float) -> None:
    number = {name: place for place, name in enumerate(shown)}
    corners: dict[str, list[list[tuple[float, float]]]] = {}
    for server, status, begin, end in rows.select("server", "status", "began_s", "ended_s").iter_rows():
        y = number[server]
        box = [(begin, y - 0.42), (end, y - 0.42), (end, y + 0.42), (begin, y + 0.42)]
        corners.setdefault(status, []).append(box)
    for status, boxes in corners.items():
        axes.add_collection(PolyCollection(boxes, **style.status_look(status)))
    same = pl.col("host").ne_missing(pl.col("host").shift(1).over("server")).cum_sum().over("server")
    stays = rows.with_columns(same.alias("stay")).group_by("server", "stay", maintain_order=True).agg(
        pl.first("host", "began_s"), pl.last("ended_s")
    )  # fmt: skip
    for server, _, host, begin, end in stays.iter_rows():
        y = number[server]
        if begin > 0:
            axes.plot([begin, begin], [y - 0.5, y + 0.5], color=style.INK, linewidth=0.9)
        if host is not None and (end - begin) / span > 0.012 * len(host):
            axes.text(begin + 0.004 * span, y + 0.02, host, fontsize=6.5, va="center", color="white", fontweight="bold",
                      path_effects=_OUTLINE)  # fmt: skip


def _stills(axes: Axes, records: Records, shown: list[str], span: float) -> bool:
    """Thick lines where guests stood still; a short one is drawn as long as can be seen. Returns whether any did."""
    number = {name: place for place, name in enumerate(shown)}
    rows = downtimes(records).filter(pl.col("server").is_in(shown)).collect()
    for server, begin, end in rows.select("server", "began_s", "ended_s").iter_rows():
        y = number[server] + 0.32
        axes.plot([begin, max(end, begin + 0.0015 * span)], [y, y], color=style.INK, linewidth=2.2,
                  solid_capstyle="butt")  # fmt: skip
    return not rows.is_empty()


def guest_speed(source: Source, server: str, between: Between | None = None) -> Figure:
    """How fast a server's guest ran (1: as ever, 0: it stood still), and the running time it lost, over its moves.

    InputError when there is no such server.
    """
    records = as_records(source)
    _known([server], set(table(records, "servers")["server"]))
    still = downtimes(records).filter(pl.col("server") == server).collect()
    slow = slowdowns(records).filter(pl.col("server") == server).collect()
    work = stages(records).filter(pl.col("server") == server).collect()
    start, end = style.window(between, *_around(records, still, slow, work))
    times, speed = _steps(still, slow, start, end)
    with style.figure(3.6, f"What {server} felt: {records.name}") as made:
        axes = made.subplots()
        kinds = _stages_behind(axes, work, start, end)
        axes.fill_between(times, speed, step="post", color=style.INK, alpha=0.10, linewidth=0)
        axes.step(times, speed, where="post", color=style.INK)
        axes.set_ylim(0, 1.06)
        axes.set_ylabel("speed of the guest")
        axes.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
        lost = np.concatenate([[0.0], np.cumsum((1.0 - speed[:-1]) * np.diff(times))])
        lines = [("speed", Line2D([], [], color=style.INK))]
        if lost[-1] > 0:
            lines.append(("running time lost, summed", _lost(axes, times, lost)))
        style.time_axis(axes, start, end)
        style.legend(axes, [*lines, *((kind, style.STAGES[kind]) for kind in kinds)])
        down, slowed = float(still["took_s"].sum()), float(slow["lost_s"].sum())
        stood = f"stood still for {units.format_seconds(down)} in {units.counted(still.height, 'spells')}"
        style.note(
            made, stood if still.height else "never stood still",
            f"lost {units.format_seconds(slowed)} of running time to slowdowns" if slowed else "was never slowed",
        )  # fmt: skip
    return made


def _lost(axes: Axes, times: np.ndarray, lost: np.ndarray) -> Line2D:
    """Running time lost, on a scale of its own at the right; returns its line for the legend."""
    other = axes.twinx()
    (line,) = other.plot(times, lost, color=style.BAD, linestyle=(0, (4, 2)))
    other.set_ylim(0, float(lost[-1]) * 1.15)
    other.set_ylabel("running time lost (s)", color=style.BAD)
    other.spines["right"].set_visible(True)
    return line


def _around(records: Records, *frames: pl.DataFrame) -> Between:
    """From shortly before the first of them to shortly after the last; the whole run when there are none."""
    spans = [(float(str(f["began_s"].min())), float(str(f["ended_s"].max()))) for f in frames if f.height]
    if not spans:
        return 0.0, records.end_s
    first, last = min(begin for begin, _ in spans), max(end for _, end in spans)
    pad = 0.05 * max(last - first, 1.0)
    return max(first - pad, 0.0), last + pad


def _steps(
    still: pl.DataFrame, slow: pl.DataFrame, start: float, end: float
) -> tuple[np.ndarray, np.ndarray]:  # fmt: skip
    """Moments, and the speed from each to the next: 0 while it stands still, else what its slowdown leaves."""
    edges = np.concatenate([still["began_s"], still["ended_s"], slow["began_s"], slow["ended_s"], [start, end]])
    times = np.unique(edges[(edges >= start) & (edges <= end)])
    speed = np.ones(len(times))
    for begin, over, fraction in slow.select("began_s", "ended_s", "fraction").iter_rows():
        speed[(times >= begin) & (times < over)] = 1.0 - fraction
    for begin, over in still.select("began_s", "ended_s").iter_rows():
        speed[(times >= begin) & (times < over)] = 0.0
    return times, speed


def _stages_behind(axes: Axes, work: pl.DataFrame, start: float, end: float) -> list[str]:
    """A band at the top for what was done meanwhile; returns the kinds of stages."""
    kinds: dict[str, None] = {}
    for stage, begin, over in work.select("stage", "began_s", "ended_s").iter_rows():
        if over >= start and begin <= end and stage in style.KIND:
            kinds[style.KIND[stage]] = None
            axes.axvspan(begin, over, 0.955, 1.0, color=style.stage_colour(stage), linewidth=0)
    return [kind for kind in style.STAGES if kind in kinds]
