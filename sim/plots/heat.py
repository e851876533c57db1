"""Heat maps over time: how full hosts and links were."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Literal, NamedTuple

import numpy as np
import polars as pl
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from matplotlib.lines import Line2D
from matplotlib.patheffects import withStroke
from matplotlib.ticker import PercentFormatter
from numpy.typing import NDArray

from sim import units
from sim.errors import InputError, Issue
from sim.eventlog import records as r
from sim.metrics import hosts, links
from sim.metrics.claims import capacities
from sim.metrics.source import Records, Source, as_records
from sim.metrics.tables import table
from sim.plots import style
from sim.plots.bins import Floats, edges, means
from sim.plots.style import Between, Figure
from sim.plots.text import shorten

_ROWS = 100
"""More rows than this are drawn as means of several."""
_NAMED = 60
"""Up to this many rows are named one by one."""
_BINS = 400
_ROW_IN = (0.045, 0.17)
"""Height of a row, inches: at least, at most."""

What = Literal["memory_mb", "vcpus", "disk_gb", "servers"]
_WORDS = {
    "memory_mb": "Memory held on hosts (of what placement may give away)",
    "disk_gb": "Disk held on hosts (of what placement may give away)",
    "vcpus": "vCPUs held on hosts (of those that placement may give away)", "servers": "Servers on hosts",
}  # fmt: skip
_MARKS = {
    "down": (style.BAD, 2.0, "down"), "disabled": (style.INK, 0.9, "service disabled or forced down"),
    "less": (style.INK, 0.9, "capacity lowered"), "dead": (style.BAD, 2.0, "dead"),
}  # fmt: skip
"""What lines along the rows say: colour, width, words."""


class _Map(NamedTuple):
    """Rows of a heat map: names, (rows, bins) values, the row that each host is in, what was done to make them few."""

    names: list[str]
    values: Floats
    row: NDArray[np.int64]
    note: str


def heat_hosts(source: Source, what: What = "memory_mb", between: Between | None = None) -> Figure:
    """How full hosts were over time, racks together; ``what`` is memory_mb, vcpus, disk_gb or servers.

    Lines mark when a host was down or its service disabled. Many hosts are drawn as means of racks, or of neighbours.
    """
    if what not in _WORDS:
        raise InputError([Issue("what", f"{what!r} is nothing that hosts hold", f"use one of {', '.join(_WORDS)}")])
    records = as_records(source)
    known = records.frame(r.HostsPresent).select("host", "rack").with_row_index("place")
    order = known.with_columns(pl.col("place").min().over("rack").alias("first")).sort("first", "place")
    names = order["host"].to_list()
    at = edges(*style.window(between, 0.0, records.end_s), _BINS)
    series = hosts.over_time(records).sort("host", "t").select(
        "host", "t", (pl.col(what) - pl.col(what).shift(1).over("host").fill_null(0)).alias("delta")
    )  # fmt: skip
    rows = series["host"].replace_strict(names, range(len(names)), return_dtype=pl.Int64)
    values = means(rows, series["t"], series["delta"], len(names), at)
    if what != "servers":
        total = order.join(capacities(records), on="host", how="left", maintain_order="left")[what].to_numpy()
        values = np.divide(values, total[:, None], out=np.zeros_like(values), where=total[:, None] > 0)
    few = _few(names, order["rack"].to_list(), values, "hosts")
    with _drawn(few, f"{_WORDS[what]}: {records.name}", at, share=what != "servers") as made:
        marked = _outages(made.axes[0], records, dict(zip(names, few.row.tolist(), strict=True)))
        one_of = "a line marks a row as soon as one host of it is so" if marked and few.note else ""
        style.note(made, few.note, one_of)
    return made


def heat_links(source: Source, between: Between | None = None) -> Figure:
    """How busy links were over time: those that carried anything, in their order; of many, the busiest.

    Lines mark when a link had less than its first capacity, or none.
    """
    records = as_records(source)
    carried = table(records, "links").with_row_index("row").filter(pl.col("bytes_b") > 0)
    busiest = carried.sort("mean_share", "bytes_b", "row", descending=[True, True, False]).head(_ROWS).sort("row")
    names = busiest["link"].to_list()
    at = edges(*style.window(between, 0.0, records.end_s), _BINS)
    series = links.over_time(records).filter(pl.col("row").is_in(busiest["row"].to_list())).sort("row", "t")
    lost = _lost_capacity(series, records.end_s)
    share = pl.when(pl.col("capacity") > 0).then(pl.col("rate") / pl.col("capacity")).otherwise(0.0)
    series = series.with_columns(share.alias("share")).select(
        "row", "t", (pl.col("share") - pl.col("share").shift(1).over("row").fill_null(0.0)).alias("delta")
    )  # fmt: skip
    rows = series["row"].replace_strict(busiest["row"].to_list(), range(len(names)), return_dtype=pl.Int64)
    values = means(rows, series["t"], series["delta"], len(names), at)
    every = records.frame(r.LinksPresent).height
    some = (
        f"the {len(names)} busiest of {carried.height:,} links that carried anything"
        if carried.height > len(names)
        else ""
    )
    idle = every - carried.height
    rest = f"{units.counted(idle, 'links')} carried nothing" if idle else ""
    few = _Map(names, values, np.arange(len(names)), some)
    with _drawn(few, f"Load of links (of their capacity then): {records.name}", at, share=True) as made:
        _marked(made.axes[0], {kind: spans.with_columns(pl.col("link").replace_strict(names, range(len(names)),
                return_dtype=pl.Int64).alias("y")) for kind, spans in lost.items()})  # fmt: skip
        style.note(made, some, rest)
    return made


def _few(names: Sequence[str], groups: Sequence[str], values: Floats, what: str) -> _Map:
    """As many rows as fit: single ones, whole groups, or neighbours."""
    count = len(names)
    if count <= _ROWS:
        return _Map(list(names), values, np.arange(count), "")
    kinds = list(dict.fromkeys(groups))
    if len(kinds) <= _ROWS and len(kinds) > 1:
        number = {kind: row for row, kind in enumerate(kinds)}
        row = np.array([number[group] for group in groups])
        shown, how = kinds, f"each row is the mean of a rack ({count:,} {what} in {len(kinds)} racks)"
    else:
        size = -(-count // _ROWS)
        row = np.arange(count) // size
        starts = range(0, count, size)
        shown = [f"{names[start]} …" for start in starts]
        how = f"each row is the mean of {size} neighbours ({count:,} {what})"
    sums = np.zeros((len(shown), values.shape[1]))
    np.add.at(sums, row, values)
    return _Map(shown, sums / np.bincount(row)[:, None], row, how)


@contextmanager
def _drawn(few: _Map, title: str, at: Floats, *, share: bool) -> Iterator[Figure]:
    """The map with its names, time and colours; to be completed within the ``with``."""
    count = len(few.names)
    low, high = _ROW_IN
    height = min(max(count * high if count <= _NAMED else count * low * 1.6, 0.9), 9.5)
    with style.figure(height + 1.6, title) as made:
        axes = made.subplots()
        most = max(float(few.values.max(initial=0.0)), 1.0)
        image = axes.imshow(
            few.values if count else np.zeros((1, 1)), aspect="auto", interpolation="nearest", cmap=style.SHARE,
            norm=Normalize(0.0, most), origin="upper",
            extent=(at[0], at[-1], max(count, 1) - 0.5, -0.5),
        )  # fmt: skip
        bar = made.colorbar(image, ax=axes, pad=0.01, fraction=0.02, aspect=max(height / 0.14, 4))
        bar.outline.set_visible(False)
        if share:
            bar.ax.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
        every = 1 if count <= _NAMED else -(-count // (_NAMED // 2))
        axes.set_yticks(range(0, count, every), [shorten(name, 36) for name in few.names[::every]])
        axes.tick_params(axis="y", length=0)
        style.time_axis(axes, float(at[0]), float(at[-1]))
        axes.grid(visible=False)
        if not count:
            axes.text(0.5, 0.5, "nothing was carried", transform=axes.transAxes, ha="center", color=style.PALE)
        yield made


def _outages(axes: Axes, records: Records, row: dict[str, int]) -> bool:
    """Lines along the rows of hosts that were down, disabled or forced down; whether there were any."""
    states = records.frame(r.HostState).sort("seq")
    until = pl.col("t").shift(-1).over("host").fill_null(records.end_s)
    place = pl.col("host").replace_strict(list(row), list(row.values()), return_dtype=pl.Float64)
    states = states.with_columns(until.alias("until"), place.alias("y"))
    off = pl.col("disabled") | pl.col("forced_down")
    disabled = states.filter(off & (pl.col("power") == "up")).with_columns(pl.col("y") + 0.36)
    return _marked(axes, {"disabled": disabled, "down": states.filter(pl.col("power") != "up")})


def _lost_capacity(series: pl.DataFrame, end: float) -> dict[str, pl.DataFrame]:
    """Spells (link, t, until) of links with less than their first capacity, and with none."""
    until = pl.col("t").shift(-1).over("row").fill_null(end)
    spells = series.with_columns(until.alias("until"), pl.col("capacity").first().over("row").alias("first"))
    less = (pl.col("capacity") < pl.col("first")) & (pl.col("capacity") > 0)
    return {"less": spells.filter(less), "dead": spells.filter(pl.col("capacity") <= 0)}


def _marked(axes: Axes, kinds: dict[str, pl.DataFrame]) -> bool:
    """Lines from ``t`` to ``until`` at ``y``, by kind, with a legend; whether there were any."""
    handles = []
    for kind, rows in kinds.items():
        if rows.is_empty():
            continue
        colour, wide, words = _MARKS[kind]
        halo = [withStroke(linewidth=wide + 1.2, foreground="white")]
        axes.hlines(rows["y"], rows["t"], rows["until"], colors=colour, linewidth=wide, path_effects=halo)
        handles.append((words, Line2D([], [], color=colour, linewidth=wide)))
    if handles:
        style.legend(axes, handles)
    return bool(handles)
