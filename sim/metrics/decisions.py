"""Table ``decisions``: what the scheduler chose, and how many hosts each filter left."""

from __future__ import annotations

import polars as pl

from sim.eventlog import records as r
from sim.metrics.columns import Table, count, flag, seconds, text, texts
from sim.metrics.source import Records


def _filters(source: Records) -> pl.LazyFrame:
    """Decision, filters: ``Name:removed`` in the order in which they were asked."""
    steps = source.scan(r.FilterStep).sort("seq")
    told = pl.format("{}:{}", "filter", pl.col("before") - pl.col("after"))
    return steps.group_by("decision").agg(told.alias("filters"))


def build(source: Records, warm_up: float) -> pl.DataFrame:
    """One row a decision."""
    rows = source.scan(r.Decision).filter(pl.col("t") >= warm_up).sort("seq")
    return (
        rows.join(_filters(source), on="decision", how="left", maintain_order="left")
        .with_columns(
            pl.col("t").alias("t_s"),
            pl.col("filters").is_not_null().alias("explained"),
            pl.col("filters").fill_null(pl.lit([], dtype=pl.List(pl.String))),
        )
        .collect()
    )


TABLE = Table(
    "decisions",
    "Scheduler decisions",
    "Every time the scheduler was asked for a host. A retry on a host chosen before is no new decision.",
    "leaves out decisions made earlier",
    (
        count("decision", "", "number of the decision"),
        seconds("t_s", "when it was made"),
        text("server", "the server that needed a host"),
        text("request", "the request that it belongs to"),
        count("attempt", "", "which attempt of that request it was"),
        count("hosts", "hosts", "hosts that placement offered"),
        count("left", "hosts", "of them, hosts that every filter let pass"),
        text("chosen", "the host chosen; empty when there was none"),
        texts("alternates", "hosts to be tried when the chosen one refuses"),
        text("reason", "why there was no host"),
        flag("explained", "whether the run recorded filters and weights (`--explain`)"),
        texts("filters", "`filter:hosts it removed`, in the order asked; empty unless explained"),
    ),
    build,
)
