"""Table ``operations``: what operators, workloads and faults did, step by step of the plan."""

from __future__ import annotations

import polars as pl

from sim.eventlog import records as r
from sim.metrics.columns import Table, count, seconds, text
from sim.metrics.source import Records


def build(source: Records, warm_up: float) -> pl.DataFrame:
    """One row an operation."""
    rows = source.scan(r.Operation).sort("seq")
    begun = rows.filter(pl.col("phase") == "begun").rename({"t": "began_s"}).drop("outcome", "detail")
    ended = rows.filter(pl.col("phase") == "ended").select(
        "operation", pl.col("t").alias("ended_s"), "outcome", "detail"
    )
    ended = ended.unique("operation", keep="last")
    made = begun.filter(pl.col("began_s") >= warm_up).join(ended, on="operation", how="left", maintain_order="left")
    took = (pl.col("ended_s") - pl.col("began_s")).alias("took_s")
    return made.with_columns(took, pl.col("outcome").fill_null("under way")).collect()


TABLE = Table(
    "operations",
    "Operations",
    "Every step of the plan, every workload and every fault that began.",
    "leaves out operations that began earlier",
    (
        count("operation", "", "its number"),
        text("kind", "`drain`, `evacuate`, `rolling_reboot`, `fail`, …"),
        text("target", "what it is about: hosts, a rack, a server"),
        seconds("began_s", "when it began"),
        seconds("ended_s", "when it ended; empty while under way"),
        seconds("took_s", "how long it took"),
        text("outcome", "`done`, `partial`, `failed` or `under way` (when the run ended)"),
        text("detail", "how it went, in its own words"),
        count("servers", "servers", "servers that it was about when it began"),
    ),
    build,
)
