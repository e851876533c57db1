"""Table ``requests``: who asked the API for what, what it answered, and how that went in the end."""

from __future__ import annotations

import polars as pl

from sim.eventlog import records as r
from sim.metrics.columns import Table, count, seconds, text
from sim.metrics.source import Records


def _answers(source: Records) -> pl.LazyFrame:
    return source.scan(r.Answer).select("request", pl.col("t").alias("answered_s"), "code", "message")


def _failed_events(source: Records) -> pl.LazyFrame:
    """When each request's last event ended, and which it was if it failed: a failure that was mended is none."""
    last = source.scan(r.EventFinished).sort("seq").group_by("request").last()
    failed = pl.col("result") == "Error"
    return last.select(
        "request",
        pl.col("t").alias("ended_s"),
        pl.when(failed).then("event").alias("failed_event"),
        pl.when(failed).then("details").alias("details"),
    )


def _open_events(source: Records) -> pl.LazyFrame:
    """Requests with events that began and have not ended."""
    begun = source.scan(r.EventStarted).group_by("request").agg(pl.len().alias("begun"))
    ended = source.scan(r.EventFinished).group_by("request").agg(pl.len().alias("over"))
    still = begun.join(ended, on="request", how="left").filter(pl.col("begun") > pl.col("over").fill_null(0))
    return still.select("request", pl.lit(True).alias("open"))


def build(source: Records, warm_up: float) -> pl.DataFrame:
    """One row a request."""
    asked = source.scan(r.Request).filter(pl.col("t") >= warm_up).rename({"t": "asked_s"})
    outcome = (
        pl.when(pl.col("code").is_null())
        .then(pl.lit("unanswered"))
        .when(pl.col("code") >= 400)
        .then(pl.lit("refused"))
        .when(pl.col("failed_event").is_not_null())
        .then(pl.lit("failed"))
        .when(pl.col("open").fill_null(False))
        .then(pl.lit("under way"))
        .otherwise(pl.lit("done"))
    )
    return (
        asked.join(_answers(source), on="request", how="left")
        .join(_failed_events(source), on="request", how="left")
        .join(_open_events(source), on="request", how="left")
        .with_columns(
            outcome.alias("outcome"),
            (pl.col("answered_s") - pl.col("asked_s")).alias("answer_took_s"),
            pl.coalesce("message", "details").alias("reason"),
        )
        .with_columns(pl.when(pl.col("outcome") == "under way").then(None).otherwise("ended_s").alias("ended_s"))
        .sort("seq")
        .collect()
    )


TABLE = Table(
    "requests",
    "Requests",
    "Everything asked of the API: one row for each request, with its answer and what became of it.",
    "leaves out requests made earlier",
    (
        text("request", "request id"),
        text("action", "the action, as the key of the request's body (or `create`, `delete`)"),
        text("server", "the server it is about; empty for a create"),
        text("who", "who asked"),
        text("microversion", "API version asked for"),
        seconds("asked_s", "when it was asked"),
        seconds("answer_took_s", "how long the API took to answer"),
        count("code", "HTTP status", "the API's answer"),
        text("outcome", "`done`, `refused` (by the API), `failed` (accepted, an event failed later), `under way` or "
             "`unanswered` (when the run ended)"),
        text("failed_event", "the last event of its instance action, if that failed"),
        text("reason", "the API's message, or the failed event's details"),
        seconds("ended_s", "when the last event of its instance action ended; empty when there is none"),
        text("body", "the request's body, JSON"),
    ),
    build,
)  # fmt: skip
