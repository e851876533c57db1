"""Tables ``queues`` and ``queues_over_time``: who waited where, and how long the lines were."""

from __future__ import annotations

import polars as pl

from sim.eventlog import records as r
from sim.metrics.columns import Table, count, number, seconds, text
from sim.metrics.hosts import cut
from sim.metrics.source import Records


def over_time(source: Records) -> pl.DataFrame:
    """t, queue, waiting: how many wait in each queue, a row after each moment at which that changed."""
    return source.keep("queues.over_time", lambda: _over_time(source))


def _over_time(source: Records) -> pl.DataFrame:
    waits = source.scan(r.Waited)
    one = pl.lit(1, dtype=pl.Int64)
    comes = waits.select(pl.col("began").alias("t"), "queue", one.alias("waiting"))
    goes = waits.select("t", "queue", (-one).alias("waiting"))
    changes = pl.concat([comes, goes]).group_by("queue", "t").agg(pl.col("waiting").sum()).sort("queue", "t")
    counted = changes.with_columns(pl.col("waiting").cum_sum().over("queue"))
    return counted.sort("t", "queue").collect()


def _series(source: Records, warm_up: float) -> pl.DataFrame:
    return cut(over_time(source), ["queue"], warm_up).select(pl.col("t").alias("t_s"), "queue", "waiting")


def _queues(source: Records, warm_up: float) -> pl.DataFrame:
    waits = source.scan(r.Waited).filter(pl.col("t") >= warm_up)
    took = pl.col("t") - pl.max_horizontal("began", pl.lit(warm_up))
    span = max(source.end_s - warm_up, 0.0)
    sums = waits.with_columns(took.alias("took")).group_by("queue", maintain_order=True).agg(
        pl.len().alias("waits"),
        pl.col("took").sum().alias("waited_s"),
        pl.col("took").quantile(0.5, "linear").alias("median_s"),
        pl.col("took").quantile(0.95, "linear").alias("p95_s"),
        pl.col("took").max().alias("max_s"),
    )  # fmt: skip
    longest = cut(over_time(source), ["queue"], warm_up).lazy().group_by("queue", maintain_order=True).agg(
        pl.col("waiting").max().alias("longest")
    )  # fmt: skip
    mean = pl.col("waited_s") / span if span > 0 else pl.lit(0.0)
    made = sums.join(longest, on="queue", how="left").with_columns(mean.alias("mean_length"))
    return made.sort("waited_s", "queue", descending=[True, False]).collect()


_QUEUE = text("queue", "`api`, `conductor`, `scheduler`, `image`, `live_migrations:HOST`, …")

QUEUES = Table(
    "queues",
    "Queues",
    "Every queue in which anybody waited, the longest waits in all first. Waits that had not ended at the end are not "
    "in it.",
    "counts waits that ended after it, and of them the part after it",
    (
        _QUEUE,
        count("waits", "", "how often somebody waited (a turn without a wait is not counted)"),
        seconds("waited_s", "how long all of them waited together"),
        seconds("median_s", "median wait"),
        seconds("p95_s", "95th percentile of waits"),
        seconds("max_s", "longest wait"),
        count("longest", "waiting", "longest line"),
        number("mean_length", "waiting", "mean length over the run (waited_s over its duration: Little's law)"),
    ),
    _queues,
)
OVER_TIME = Table(
    "queues_over_time",
    "Queues over time",
    "How many wait in each queue: a row after each moment at which that changed.",
    "begins with what held then",
    (seconds("t_s", "from when on"), _QUEUE, count("waiting", "waiting", "how many wait")),
    _series,
)
