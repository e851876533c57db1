"""Table ``stages``: where the time of every operation went, stage by stage and wait by wait."""

from __future__ import annotations

import polars as pl

from sim.eventlog import records as r
from sim.metrics.columns import Table, seconds, text
from sim.metrics.source import Records

WAIT = "wait"
"""The stage of those who wait."""


def stages(source: Records) -> pl.LazyFrame:
    """seq, server, request, stage, host, queue, began_s, ended_s, outcome: stages and waits in the order of the log."""
    none = pl.lit(None, dtype=pl.String)
    steps = source.scan(r.Step).select(
        "seq", "server", "request", pl.col("step").alias("stage"), "host", none.alias("queue"),
        pl.col("began").alias("began_s"), pl.col("t").alias("ended_s"), "outcome",
    )  # fmt: skip
    at_host = pl.col("queue").str.contains(":", literal=True)
    waits = source.scan(r.Waited).select(
        "seq", "server", "request", pl.lit(WAIT).alias("stage"),
        pl.when(at_host).then(pl.col("queue").str.splitn(":", 2).struct.field("field_1")).alias("host"), "queue",
        pl.col("began").alias("began_s"), pl.col("t").alias("ended_s"), pl.lit("done").alias("outcome"),
    )  # fmt: skip
    both = pl.concat([steps, waits]).join(_asked(source), on="request", how="left")
    # The door works on requests that are about no server too (services), and on servers that it makes itself.
    door = (pl.col("stage") == "api") | (pl.col("queue") == "api")
    return both.with_columns(pl.when(door).then("asked").otherwise("server").alias("server")).drop("asked").sort("seq")


def _asked(source: Records) -> pl.LazyFrame:
    """Request → the server that it is about, or that it made if it made one."""
    made = source.scan(r.ServerCreated).drop_nulls("request").unique("request", keep="first")
    about = source.scan(r.Request).select("request", "server")
    joined = about.join(made.select("request", pl.col("server").alias("made")), on="request", how="left")
    return joined.select("request", pl.coalesce("server", "made").alias("asked"))


def build(source: Records, warm_up: float) -> pl.DataFrame:
    """One row a stage."""
    made = stages(source).filter(pl.col("began_s") >= warm_up)
    return made.with_columns((pl.col("ended_s") - pl.col("began_s")).alias("took_s")).collect()


TABLE = Table(
    "stages",
    "Stages",
    "Every stage of every operation that has ended, and every wait between them, in the order of their ends.",
    "leaves out stages that began earlier",
    (
        text("server", "the server that it was done for; empty where none was named"),
        text("request", "the request that it belongs to"),
        text("stage", "`api`, `conductor`, `scheduler`, `pre_check`, `copy`, …; `wait` for a wait"),
        text("host", "where: the host that worked, or whose queue it was; empty for the control plane"),
        text("queue", "the queue that a wait was in"),
        seconds("began_s", "from when"),
        seconds("ended_s", "until when"),
        seconds("took_s", "how long that was"),
        text("outcome", "`done`, `failed` or `aborted`"),
    ),
    build,
)
