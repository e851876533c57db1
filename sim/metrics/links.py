"""Tables ``links`` and ``links_over_time``: what each network link carried, from the rates of flows."""

from __future__ import annotations

import polars as pl

from sim.eventlog import records as r
from sim.metrics.columns import Table, count, number, seconds, text
from sim.metrics.hosts import cut
from sim.metrics.source import Records

_FULL = 0.99
"""A link that carries this share of its capacity is called full."""


def flow_changes(source: Records) -> pl.LazyFrame:
    """Changes of flows: seq, t, flow, delta (bytes/s), begun (+1 starts, -1 ends, 0 otherwise)."""
    one, none = pl.lit(1, dtype=pl.Int64), pl.lit(0, dtype=pl.Int64)
    begun = source.scan(r.FlowStarted).select("seq", "t", "flow", "rate_bps", one.alias("begun"))
    changed = source.scan(r.FlowRate).select("seq", "t", "flow", "rate_bps", none.alias("begun"))
    ended = source.scan(r.FlowEnded).select("seq", "t", "flow", pl.lit(0.0).alias("rate_bps"), (-one).alias("begun"))
    both = pl.concat([begun, changed, ended]).sort("seq")
    before = pl.col("rate_bps").shift(1).over("flow").fill_null(0.0)
    return both.with_columns((pl.col("rate_bps") - before).alias("delta"))


def over_time(source: Records) -> pl.DataFrame:
    """Row of the link in LinksPresent, t, rate, flows, capacity: a row at the start and after each moment of change."""
    return source.keep("links.over_time", lambda: _over_time(source))


def _over_time(source: Records) -> pl.DataFrame:
    links = source.scan(r.LinksPresent)
    names = links.select("link", "row")
    start = links.select(pl.lit(0.0).alias("t"), "row", "capacity_bps")
    states = source.scan(r.LinkState).sort("seq").join(names, on="link", how="left", maintain_order="left")
    capacity = pl.concat([start, states.select("t", "row", "capacity_bps")])
    before = pl.col("capacity_bps").shift(1).over("row").fill_null(0.0)
    capacity = capacity.select("t", "row", (pl.col("capacity_bps") - before).alias("capacity"))
    routes = source.scan(r.FlowStarted).select("flow", pl.col("links").alias("row"))
    carried = flow_changes(source).join(routes, on="flow", how="left").explode("row", empty_as_null=False)
    carried = carried.select("t", "row", pl.col("delta").alias("rate"), pl.col("begun").alias("flows"))
    sums = pl.concat([capacity, carried], how="diagonal").group_by("t", "row", maintain_order=True).agg(
        pl.col("capacity", "rate").sum(), pl.col("flows").sum()
    )  # fmt: skip
    series = sums.sort("row", "t").with_columns(pl.col("capacity", "rate", "flows").cum_sum().over("row"))
    # Sums of differences leave a crumb where nothing flows any more.
    rate = pl.when(pl.col("flows") > 0).then(pl.col("rate").clip(lower_bound=0.0)).otherwise(0.0)
    return series.with_columns(rate.alias("rate")).join(names, on="row", how="left").sort("t", "row").collect()


def _share(rate: str, capacity: str) -> pl.Expr:
    return pl.when(pl.col(capacity) > 0).then(pl.col(rate) / pl.col(capacity)).otherwise(0.0)


def _series(source: Records, warm_up: float) -> pl.DataFrame:
    rows = cut(over_time(source), ["row"], warm_up)
    return rows.select(
        pl.col("t").alias("t_s"),
        "link",
        "flows",
        pl.col("rate").alias("rate_bps"),
        pl.col("capacity").alias("capacity_bps"),
        _share("rate", "capacity").alias("share"),
    )


def _links(source: Records, warm_up: float) -> pl.DataFrame:
    rows = cut(over_time(source), ["row"], warm_up).lazy()
    until = pl.col("t").shift(-1).over("row").fill_null(max(source.end_s, warm_up))
    spell = (until - pl.col("t")).clip(lower_bound=0.0)
    rows = rows.sort("row", "t").with_columns(spell.alias("spell"), _share("rate", "capacity").alias("share"))
    spells = pl.col("spell")
    made = rows.group_by("row", maintain_order=True).agg(
        pl.first("link"),
        pl.col("capacity").last().alias("capacity_bps"),
        (pl.col("rate") * spells).sum().alias("bytes_b"),
        (pl.col("capacity") * spells).sum().alias("could"),
        pl.col("rate").max().alias("peak_bps"),
        pl.col("share").max().alias("peak_share"),
        spells.filter(pl.col("flows") > 0).sum().alias("busy_s"),
        spells.filter(pl.col("share") >= _FULL).sum().alias("full_s"),
        pl.col("flows").max().alias("flows_peak"),
    )
    mean = _share("bytes_b", "could").alias("mean_share")
    return made.with_columns(mean).sort("row").collect()


LINKS = Table(
    "links",
    "Links",
    "Every network link (one direction each) and what the run's flows made of it.",
    "counts what flowed after it only",
    (
        text("link", "its name"),
        number("capacity_bps", "bytes/s", "its capacity at the end"),
        number("bytes_b", "bytes", "bytes carried"),
        number("mean_share", "0..1", "bytes carried, of what it could have carried"),
        number("peak_bps", "bytes/s", "highest rate"),
        number("peak_share", "0..1", "highest rate, of its capacity then"),
        seconds("busy_s", "time with any flow on it"),
        seconds("full_s", "time at 99 % of its capacity or more"),
        count("flows_peak", "flows", "most flows at once"),
    ),
    _links,
)
OVER_TIME = Table(
    "links_over_time",
    "Links over time",
    "What each link carries: a row at the start, and one after each moment at which that changed.",
    "begins with what held then",
    (
        seconds("t_s", "from when on"),
        text("link", "its name"),
        count("flows", "flows", "flows on it"),
        number("rate_bps", "bytes/s", "what they carry together"),
        number("capacity_bps", "bytes/s", "its capacity"),
        number("share", "0..1", "rate, of capacity"),
    ),
    _series,
)
