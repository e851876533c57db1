"""Tables ``downtime`` and ``slowdown``: what guests felt."""

from __future__ import annotations

import polars as pl

from sim.eventlog import records as r
from sim.metrics.columns import Table, number, seconds, text
from sim.metrics.source import Records


def _cut(rows: pl.LazyFrame, warm_up: float) -> pl.LazyFrame:
    """Spells (began_s, ended_s) without what lies before the cut, and how long they then are."""
    kept = rows.filter(pl.col("ended_s") >= warm_up).with_columns(pl.col("began_s").clip(lower_bound=warm_up))
    return kept.with_columns((pl.col("ended_s") - pl.col("began_s")).alias("took_s"))


def downtimes(source: Records, warm_up: float = 0.0) -> pl.LazyFrame:
    """Spells in which a guest did not run."""
    spells = source.scan(r.Downtime).select(
        "seq", "server", "cause", "request", pl.col("began").alias("began_s"), pl.col("t").alias("ended_s")
    )
    return _cut(spells, warm_up).sort("seq")


def downtime_by_server(source: Records, warm_up: float) -> pl.LazyFrame:
    """Server, downtime_s, longest_downtime_s."""
    took = pl.col("took_s")
    return (
        downtimes(source, warm_up)
        .group_by("server", maintain_order=True)
        .agg(took.sum().alias("downtime_s"), took.max().alias("longest_downtime_s"))
    )


def slowdowns(source: Records, warm_up: float = 0.0) -> pl.LazyFrame:
    """Spells of constant slowdown: a record holds until the server's next one, or the end."""
    until = pl.col("t").shift(-1).over("server").fill_null(source.end_s)
    spells = (
        source.scan(r.Slowdown)
        .sort("seq")
        .select("seq", "server", "cause", "fraction", pl.col("t").alias("began_s"), until.alias("ended_s"))
        .filter((pl.col("fraction") > 0) & (pl.col("ended_s") > pl.col("began_s")))
    )
    return _cut(spells, warm_up).with_columns((pl.col("fraction") * pl.col("took_s")).alias("lost_s")).sort("seq")


def slowdown_by_server(source: Records, warm_up: float) -> pl.LazyFrame:
    """Server, slowdown_s."""
    return (
        slowdowns(source, warm_up)
        .group_by("server", maintain_order=True)
        .agg(pl.col("lost_s").sum().alias("slowdown_s"))
    )


DOWNTIME = Table(
    "downtime",
    "Downtime",
    "Every spell in which a server's guest did not run.",
    "keeps the part of a spell after it",
    (
        text("server", "the server"),
        text("cause", "`live-migration`, `migration`, `resize`, `evacuation`, `host-failure`, `host-reboot`"),
        seconds("began_s", "when the guest stopped running"),
        seconds("ended_s", "when it ran again"),
        seconds("took_s", "how long that was"),
        text("request", "the request that it belongs to, if any"),
    ),
    lambda source, warm_up: downtimes(source, warm_up).collect(),
)
SLOWDOWN = Table(
    "slowdown",
    "Slowdown",
    "Every spell in which a server's guest ran slower than it would have: throttled, waiting for pages, stunned.",
    "keeps the part of a spell after it",
    (
        text("server", "the server"),
        text("cause", "what slowed it"),
        seconds("began_s", "from when"),
        seconds("ended_s", "until when (the end of the run, if nothing ended it)"),
        seconds("took_s", "how long that was"),
        number("fraction", "0..1", "share of its speed that it lacked"),
        seconds("lost_s", "running time lost: fraction × duration"),
    ),
    lambda source, warm_up: slowdowns(source, warm_up).collect(),
)
