"""Gantt charts: what every host, or every server, went through, stage by stage."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import polars as pl
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from sim import units
from sim.errors import InputError, Issue
from sim.eventlog import records as r
from sim.metrics.source import Records, Source, as_records
from sim.metrics.stages import WAIT, stages
from sim.metrics.timeline import spans, turned_away
from sim.plots import style
from sim.plots.bins import edges, lanes, means
from sim.plots.style import Between, Figure
from sim.plots.text import shorten

_ROOM = 48
"""Lanes on a page. A row grows with what goes on in it at once, up to a bound; more lanes then share its room."""
_LANE_IN = 0.145
"""Inches."""
_GAP = 0.35
"""Between rows, in lanes."""
_BRIEF = 1 / 250
"""A host's stages that last a smaller part of the chart have no lane of their own: they are lines across its row."""
_NARROW = 0.5
"""A page whose servers take a smaller part of the time than this has a time axis of its own."""
_AT_TOP = 0.1
"""Of a lane: where those turned away are marked, so that the failure that follows is not under the mark."""
_RECEIVES = "receiving"
_REFUSING = frozenset({"pre_check", "prep_resize", "claim_failure"})
"""Stages in which a host says no: that is marked as a refusal, and not as a failure too."""
_RECEIVING = "#c6def0"
_STAYED = frozenset({"done", "unconfirmed", "under way"})
"""Outcomes of moves that are on their way to their destination, or there."""


def gantt_hosts(
    source: Source, hosts: Sequence[str] | None = None, page: int = 1, between: Between | None = None
) -> Figure:
    """What hosts worked on: a row for each host that worked (or those named), who worked longest first.

    Above, how many operations were in which stage over the whole cloud. Waits and the control plane are no host's work.
    InputError for a host that did not work, or a page there is not.
    """
    records = as_records(source)
    work = stages(records).filter(pl.col("host").is_not_null() & (pl.col("stage") != WAIT))
    ends = records.scan(r.FlowEnded).select("flow", pl.col("t").alias("ended_s"))
    comes = records.scan(r.FlowStarted).filter(pl.col("source") != pl.col("dest")).join(ends, on="flow", how="left")
    received = comes.select(
        "seq", "server", pl.lit(None, dtype=pl.String).alias("request"), pl.lit(_RECEIVES).alias("stage"),
        pl.col("dest").alias("host"), pl.lit(None, dtype=pl.String).alias("queue"), pl.col("t").alias("began_s"),
        pl.col("ended_s").fill_null(records.end_s), pl.lit("done").alias("outcome"),
    )  # fmt: skip
    # A join has no order of its own, and where bars overlap the last one drawn is seen.
    bars = pl.concat([work, received]).rename({"host": "row"}).sort("began_s", "seq", "row", "stage").collect()
    known = records.frame(r.HostsPresent)["host"].to_list()
    bars = bars.filter(pl.col("row").is_in(known))  # what comes from outside the cloud is no host's
    own = pl.when(pl.col("stage") == _RECEIVES).then(0.0).otherwise(pl.col("ended_s") - pl.col("began_s"))
    order = bars.group_by("row").agg(own.sum().alias("worked")).sort("worked", "row", descending=[True, False])
    names = _wanted(order["row"].to_list(), hosts, "hosts that worked")
    idle = units.counted(len(known) - order.height, "hosts") + " did nothing" if len(known) > order.height else ""
    start, end = style.window(between, *_work(records, bars))
    brief = pl.col("ended_s") - pl.col("began_s") < (end - start) * _BRIEF
    bars = bars.with_columns(brief.alias("brief"))
    chart = _Chart(
        "Hosts at work", "hosts that worked, busiest first", idle, _pages(bars.filter(~brief), names, 4), (start, end)
    )
    away = turned_away(records).rename({"host": "row"})
    return _drawn(records, _Rows(bars, None, away), chart, page)


def gantt_servers(
    source: Source, servers: Sequence[str] | None = None, page: int = 1, between: Between | None = None
) -> Figure:
    """What servers went through: a row for each server that was asked for (or those named), in order of the asking.

    InputError for a server that was not asked for, or a page there is not.
    """
    records = as_records(source)
    bars = stages(records).drop_nulls("server").rename({"server": "row"}).collect()
    asked = spans(records).drop_nulls("server").rename({"server": "row"})
    names = _wanted(asked["row"].unique(maintain_order=True).to_list(), servers, "servers asked for")
    every = records.frame(r.ServersPresent).height + records.frame(r.ServerCreated).height
    rest = every - asked["row"].n_unique()
    left = f"nobody asked for {units.counted(rest, 'servers')}" if rest > 0 else ""
    span = style.window(between, *_work(records, asked))
    pages = _pages(asked, names, 8)
    chart = _Chart("What servers went through", "servers asked for", left, pages, span, zooms=between is None)
    away = turned_away(records).rename({"server": "row"})
    return _drawn(records, _Rows(bars, asked, away), chart, page)


class _Rows(NamedTuple):
    """What is drawn, by ``row``: stages, whole requests (None: they are not drawn), and who was turned away when."""

    bars: pl.DataFrame
    asked: pl.DataFrame | None
    away: pl.DataFrame

    def of(self, names: Sequence[str]) -> dict[str, _Rows]:
        """The same for each of these rows."""
        wanted = list(names)
        parts = [None if frame is None else frame.filter(pl.col("row").is_in(wanted)).partition_by("row", as_dict=True)
                 for frame in self]  # fmt: skip
        bars, asked, away = parts
        assert bars is not None
        assert away is not None
        return {
            name: _Rows(bars.get((name,), self.bars.clear()), None if asked is None else asked[(name,)],
                        away.get((name,), self.away.clear()))
            for name in wanted
        }  # fmt: skip


class _Chart(NamedTuple):
    title: str
    what: str
    rest: str
    pages: list[dict[str, int]]
    """For each page its rows, with the room of each in lanes."""
    between: Between
    zooms: bool = False
    """Whether a page may have a time axis of its own."""


def _wanted(names: list[str], wanted: Sequence[str] | None, what: str) -> list[str]:
    if wanted is None:
        return names
    missing = sorted(set(wanted) - set(names))
    if missing:
        raise InputError([Issue(name, f"is not among the {what}", "leave it out") for name in missing])
    return list(wanted)


def _drawn(records: Records, rows: _Rows, chart: _Chart, page: int) -> Figure:
    pages = chart.pages
    if not 1 <= page <= max(len(pages), 1):
        raise InputError([Issue("page", f"{page} is not a page", f"there are {max(len(pages), 1)}")])
    shown = pages[page - 1] if pages else {}
    span = _span(rows, shown, chart)
    high = _LANE_IN * max(sum(shown.values()) + _GAP * len(shown), 3)
    with style.figure(high + 2.2, f"{chart.title}: {records.name}") as made:
        top, axes = made.subplots(2, 1, sharex=span is None, height_ratios=[0.85, high])
        kinds = _overview(top, records, *chart.between)
        marks = _rows(axes, rows, shown)
        style.time_axis(axes, *(span or chart.between))
        if span is not None:
            style.time_axis(top, *chart.between)
            top.axvspan(*span, facecolor="none", edgecolor=style.INK, linewidth=1.2, zorder=5)
        _legend(top, kinds, rows, marks)
        every = sum(map(len, pages))
        paged = f"page {page} of {len(pages)}: {len(shown)} of {every:,} {chart.what}" if len(pages) > 1 else ""
        astray = "↛: the move failed, was cancelled or reverted" if "astray" in marks else ""
        framed = ", the time of this page framed" if span is not None else ""
        above = f"above: all operations of the run{framed}" if paged else ""
        style.note(made, paged, chart.rest, above, astray)
    return made


def _span(rows: _Rows, shown: dict[str, int], chart: _Chart) -> Between | None:
    """When the servers of a page were at work, where on the axis of the whole run their bars would be slivers."""
    if not chart.zooms or rows.asked is None or len(chart.pages) < 2:
        return None
    mine = rows.asked.filter(pl.col("row").is_in(list(shown)))
    start, end = _padded(mine)
    return (start, end) if end - start < _NARROW * (chart.between[1] - chart.between[0]) else None


def _work(records: Records, rows: pl.DataFrame) -> tuple[float, float]:
    """From the first operation to the last: a quiet rest of the run is not drawn."""
    if rows.is_empty():
        return 0.0, max(records.end_s, 1.0)
    return _padded(rows)


def _padded(rows: pl.DataFrame) -> tuple[float, float]:
    first, last = float(str(rows["began_s"].min())), float(str(rows["ended_s"].max()))
    pad = 0.02 * max(last - first, 1.0)
    return max(first - pad, 0.0), last + pad


def _pages(rows: pl.DataFrame, names: Sequence[str], most_lanes: int) -> list[dict[str, int]]:
    """Rows for each page, and for each row the room it needs, in lanes."""
    one = pl.lit(1, dtype=pl.Int64)
    changes = pl.concat([
        rows.select("row", pl.col("began_s").alias("t"), one.alias("n")),
        rows.select("row", pl.col("ended_s").alias("t"), (-one).alias("n")),
    ]).sort("row", "t", "n")  # fmt: skip
    counted = changes.with_columns(pl.col("n").cum_sum().over("row"))
    most = dict.fromkeys(names, 1) | dict(counted.group_by("row").agg(pl.col("n").max()).iter_rows())
    pages: list[dict[str, int]] = []
    room = 0
    for name in names:
        need = min(max(most[name], 1), most_lanes)
        if not pages or room + need > _ROOM:
            pages.append({})
            room = 0
        pages[-1][name] = need
        room += need
    return pages


def _overview(axes: Axes, records: Records, start: float, end: float) -> list[str]:
    """How many operations are in which kind of stage, over all hosts and servers; returns the kinds there are.

    Means over a five-hundredth of the time shown: less than one where stages are short.
    """
    rows = stages(records).select(
        pl.col("stage").replace_strict(style.KIND, default=None, return_dtype=pl.String).alias("kind"),
        "began_s", "ended_s",
    ).drop_nulls("kind").collect()  # fmt: skip
    there = set(rows["kind"].unique())
    kinds = [kind for kind in style.STAGES if kind in there]
    kind = rows["kind"].replace_strict(kinds, range(len(kinds)), return_dtype=pl.Int64).to_numpy()
    at, ones = edges(start, end, 500), np.ones(len(kind))
    times = np.concatenate([rows["began_s"].to_numpy(), rows["ended_s"].to_numpy()])
    counts = means(np.concatenate([kind, kind]), times, np.concatenate([ones, -ones]), len(kinds), at)
    if kinds:
        colours = [style.STAGES[kind] for kind in kinds]
        axes.stackplot((at[1:] + at[:-1]) / 2, counts.clip(min=0.0), colors=colours, step="mid", linewidth=0)
    axes.set_ylabel("under way")
    axes.set_ylim(0, None)
    axes.yaxis.set_major_locator(MaxNLocator(4, integer=True))
    axes.yaxis.set_major_formatter(style.COUNTS if counts.sum(axis=0).max(initial=0.0) > 1 else style.PARTS)
    return kinds


def _rows(axes: Axes, rows: _Rows, shown: dict[str, int]) -> set[str]:
    """A row for each name, its lanes from the top; a thin line between rows. Returns the kinds of marks there are."""
    y = 0.0
    boxes: list[tuple[float, float, float, float]] = []
    colours: list[str] = []
    marks: dict[str, list[tuple[float, float]]] = {"failed": [], "refused": [], "retry": []}
    ticks = []
    astray = False
    each = rows.of(list(shown))
    for name, room in shown.items():
        row = each[name]
        drawn = _host_lanes(row, room) if row.asked is None else _server_lanes(row, row.asked, room)
        for begin, end, low, high, colour in drawn.boxes:
            boxes.append((begin, end, y + low, y + high))
            colours.append(colour)
        for kind, t, at in drawn.marks:
            marks[kind].append((t, y + at))
        ticks.append(y + room / 2)
        if row.asked is not None:
            astray |= _journey(axes, row.asked, y + room / 2)
        y += room + _GAP
        axes.axhline(y - _GAP / 2, color=style.FAINT, linewidth=0.5, zorder=0)
    corners = [[(b, lo), (e, lo), (e, hi), (b, hi)] for b, e, lo, hi in boxes]
    axes.add_collection(PolyCollection(corners, facecolors=colours, edgecolors=colours, linewidths=0.25))
    for kind, points in marks.items():
        if points:
            axes.scatter(*zip(*points, strict=True), **_MARKS[kind], zorder=3 if kind == "retry" else 4)
    axes.set_ylim(max(y, 1.0), -_GAP)
    axes.set_yticks(ticks, [shorten(name, 28) for name in shown])
    axes.tick_params(axis="y", length=0)
    if not shown:
        axes.text(0.5, 0.5, "nothing was done", transform=axes.transAxes, ha="center", color=style.PALE)
    return {kind for kind, points in marks.items() if points} | ({"astray"} if astray else set())


_MARKS: dict[str, dict[str, Any]] = {
    "failed": {"marker": "X", "s": 26, "color": style.BAD, "edgecolors": "white", "linewidths": 0.5},
    "refused": {"marker": "D", "s": 14, "facecolors": "white", "edgecolors": style.BAD, "linewidths": 1.0},
    "retry": {"marker": "v", "s": 16, "color": style.INK, "edgecolors": "white", "linewidths": 0.4},
}


class _Drawn(NamedTuple):
    """A row's bars (begin, end, low, high, colour) and marks (kind, t, height), in lanes from its top."""

    boxes: list[tuple[float, float, float, float, str]]
    marks: list[tuple[str, float, float]]


def _host_lanes(row: _Rows, room: int) -> _Drawn:
    """A host's stages in as few lanes as do not overlap; brief ones are lines across its row."""
    drawn = _Drawn([], [])
    brief = row.bars.filter("brief").with_columns(pl.lit(-1).alias("lane"))
    long = row.bars.filter(~pl.col("brief"))
    lane = lanes(long["began_s"].to_numpy(), long["ended_s"].to_numpy())
    high = room / max(int(lane.max(initial=0)) + 1, room)
    every = pl.concat([brief, long.with_columns(pl.Series("lane", lane, dtype=pl.Int32))])
    columns = ("lane", "began_s", "ended_s", "stage", "outcome")
    for at, begin, end, stage, outcome in every.select(columns).iter_rows():
        low, top = (at * high, (at + 1) * high) if at >= 0 else (0.0, float(room))
        drawn.boxes.append((begin, end, low + 0.1 * high, top - 0.1 * high, _colour(stage)))
        if outcome != "done" and stage not in _REFUSING:
            drawn.marks.append(("failed", end, (low + top) / 2))
    drawn.marks.extend(("retry", t, _AT_TOP) for t in row.away["t_s"])
    return drawn


def _server_lanes(row: _Rows, asked: pl.DataFrame, room: int) -> _Drawn:
    """A server's requests in as few lanes as do not overlap, each with its stages on it."""
    drawn = _Drawn([], [])
    lane = lanes(asked["began_s"].to_numpy(), asked["ended_s"].to_numpy())
    high = room / max(int(lane.max(initial=0)) + 1, room)
    of: dict[str | None, float] = {}
    whole = asked.select("request", "began_s", "ended_s", "outcome").iter_rows()
    for at, (request, begin, end, outcome) in zip(lane.tolist(), whole, strict=True):
        of[request] = at
        drawn.boxes.append((begin, end, (at + 0.42) * high, (at + 0.58) * high, style.PALE))
        if outcome in {"failed", "refused"}:
            drawn.marks.append((outcome, end, (at + 0.5) * high))
    for request, begin, end, stage in row.bars.select("request", "began_s", "ended_s", "stage").iter_rows():
        at = of.get(request, 0.0)
        drawn.boxes.append((begin, end, (at + 0.1) * high, (at + 0.9) * high, _colour(stage)))
    for request, t in row.away.select("request", "t_s").iter_rows():
        drawn.marks.append(("retry", t, (of.get(request, 0.0) + _AT_TOP) * high))
    return drawn


def _journey(axes: Axes, asked: pl.DataFrame, y: float) -> bool:
    """At the right: where the server's last move went. Returns whether it did not, and its arrow is struck (↛)."""
    moves = asked.filter(pl.col("source").is_not_null())
    if moves.height:
        last = moves.row(-1, named=True)
        stayed = last["outcome"] in _STAYED
        words = f"{shorten(last['source'], 14)} {'→' if stayed else '↛'} {shorten(last['dest'] or 'nowhere', 14)}"
        axes.text(1.006, y, words, transform=axes.get_yaxis_transform(), va="center", fontsize=7, color="#555555")
        return not stayed
    return False


def _colour(stage: str) -> str:
    return _RECEIVING if stage == _RECEIVES else style.stage_colour(stage)


def _legend(axes: Axes, kinds: list[str], rows: _Rows, present: set[str]) -> None:
    """What the colours mean, and the marks there are."""
    words_of = {"guest": "starting, stopping or rebuilding the guest"}
    entries: list[tuple[str, Any]] = [(words_of.get(kind, kind), style.STAGES[kind]) for kind in kinds]
    marks = [("failed", "failed"), ("refused", "refused by the API"), ("retry", "turned away by a host")]
    if rows.asked is None:
        if (rows.bars["stage"] == _RECEIVES).any():
            entries.append(("receiving", _RECEIVING))
        marks = [("failed", "failed or aborted"), ("retry", "turned a server away")]
    for kind, words in marks:
        if kind not in present:
            continue
        mark = _MARKS[kind]
        face, edge = mark.get("facecolors", mark.get("color")), mark["edgecolors"]
        entries.append((words, Line2D([], [], linestyle="none", marker=mark["marker"], markersize=5.5,
                                      markerfacecolor=face, markeredgecolor=edge)))  # fmt: skip
    style.legend(axes, entries)
