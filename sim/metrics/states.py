"""Table ``states``: what each server was, from when until when."""

from __future__ import annotations

import polars as pl

from sim.eventlog import records as r
from sim.metrics.columns import Table, flag, seconds, text
from sim.metrics.source import Records

_SAME = ("status", "vm_state", "task_state", "host", "flavor", "locked")


def spells(source: Records, servers: list[str] | None = None) -> pl.LazyFrame:
    """server, what it was, began_s, ended_s: spells in which nothing of :data:`_SAME` changed; of these servers only.

    A deleted server's last spell ends with its deletion.
    """
    wanted = pl.lit(True) if servers is None else pl.col("server").is_in(servers)
    first = source.scan(r.ServersPresent).select(
        pl.lit(-1, dtype=pl.Int64).alias("seq"), "row", pl.lit(0.0).alias("t"), "server", *_SAME
    )
    changes = source.scan(r.ServerState).select(
        "seq", pl.lit(0, dtype=pl.Int64).alias("row"), "t", "server", *_SAME
    )  # fmt: skip
    gone = source.scan(r.ServerDeleted).select("server", pl.col("t").alias("gone_s")).unique("server", keep="last")
    # Each server's rows stand together, so that a row is compared with the one above: much quicker than groups.
    rows = pl.concat([first, changes]).filter(wanted).sort("server", "seq", "row")
    begins = pl.col("server").ne_missing(pl.col("server").shift(1))
    fresh = pl.any_horizontal(pl.col(name).ne_missing(pl.col(name).shift(1)) for name in _SAME)
    rows = rows.filter(begins | fresh)
    same = pl.col("server").shift(-1) == pl.col("server")
    rows = rows.with_columns(pl.when(same).then(pl.col("t").shift(-1)).alias("until"))
    ended = pl.coalesce("until", "gone_s", pl.lit(source.end_s)).alias("ended_s")
    joined = rows.join(gone, on="server", how="left").sort("seq", "row")
    return joined.select("seq", "server", *_SAME, pl.col("t").alias("began_s"), ended)


def build(source: Records, warm_up: float) -> pl.DataFrame:
    """One row a spell."""
    kept = spells(source).filter(pl.col("ended_s") >= warm_up).with_columns(pl.col("began_s").clip(lower_bound=warm_up))
    return kept.with_columns((pl.col("ended_s") - pl.col("began_s")).alias("took_s")).collect()


TABLE = Table(
    "states",
    "States",
    "What each server was, from when until when: a row for each spell in which none of these changed. Several changes "
    "at one moment are rows of no length.",
    "keeps the part of a spell after it",
    (
        text("server", "the server"),
        text("status", "status, as the API shows it"),
        text("vm_state", "Nova's vm_state"),
        text("task_state", "Nova's task_state; empty for none"),
        text("host", "the host that it is on; empty for none"),
        text("flavor", "its flavor"),
        flag("locked", "whether it is locked"),
        seconds("began_s", "from when"),
        seconds("ended_s", "until when: the next change, its deletion, or the end of the run"),
        seconds("took_s", "how long that was"),
    ),
    build,
)
