"""Operations as spans of time: what timelines and traces draw."""

from __future__ import annotations

import polars as pl

from sim.eventlog import records as r
from sim.metrics.source import Records
from sim.metrics.stages import stages
from sim.metrics.tables import table


def spans(source: Records) -> pl.DataFrame:
    """One row for each request and server that it set something off for, in the order asked; what Nova does of its own
    accord (a confirm when the window is over, …) has no request that was asked for, but the id of one.

    server, request, action, began_s, ended_s (the end of the run for one under way), outcome, migration, type, source,
    dest, retries, reason. A cold move ends where the server is at its new place: a confirm is another request.
    """
    return source.keep("timeline.spans", lambda: _spans(source))


def _spans(source: Records) -> pl.DataFrame:
    columns = ("request", "server", "action", "asked_s", "answered_s", "ended_s", "outcome", "reason")
    asked = table(source, "requests").lazy().with_columns(
        (pl.col("asked_s") + pl.col("answer_took_s")).alias("answered_s")
    ).select(columns)  # fmt: skip
    asked = (
        pl.concat([asked, _own(source).select(columns)]).sort("asked_s", maintain_order=True).with_row_index("order")
    )
    created = source.scan(r.ServerCreated).drop_nulls("request").select("request", pl.col("server").alias("made"))
    asked = asked.join(created, on="request", how="left", maintain_order="left").with_columns(
        pl.coalesce("server", "made").alias("server")
    )
    worked = stages(source).group_by("request", "server").agg(pl.col("ended_s").max().alias("worked_s"))
    moves = table(source, "migrations").lazy().select(
        "request", "server", "migration", "type", "source", "dest", "retries", pl.col("outcome").alias("moved"),
        (pl.col("created_s") + pl.col("total_s")).alias("arrived_s"),
    ).unique(["request", "server"], keep="last", maintain_order=True)  # fmt: skip
    joined = asked.join(worked, on=["request", "server"], how="left", maintain_order="left").join(
        moves, on=["request", "server"], how="left", maintain_order="left"
    )
    under_way = (pl.col("moved") == "under way") | (pl.col("moved").is_null() & (pl.col("outcome") == "under way"))
    over = pl.max_horizontal("answered_s", "ended_s", "worked_s", "arrived_s").fill_null(source.end_s)
    outcome = (
        pl.when(under_way)
        .then(pl.lit("under way"))
        .when(pl.col("outcome") == "refused")
        .then("outcome")
        .when((pl.col("moved") == "failed") | (pl.col("outcome") == "failed"))
        .then(pl.lit("failed"))
        .otherwise(pl.coalesce("moved", "outcome"))
    )
    made = joined.select(
        "order", "server", "request", "action", pl.col("asked_s").alias("began_s"),
        pl.when(under_way).then(source.end_s).otherwise(over).alias("ended_s"), outcome.alias("outcome"), "migration",
        "type", "source", "dest", pl.col("retries").fill_null(0), "reason",
    )  # fmt: skip
    return made.sort("order").drop("order").collect()


def _own(source: Records) -> pl.LazyFrame:
    """Actions that Nova began by itself, as rows of requests."""
    known = source.scan(r.Request).select("request")
    actions = source.scan(r.ActionStarted).sort("seq").unique(["request", "server"], keep="first", maintain_order=True)
    actions = actions.join(known, on="request", how="anti", maintain_order="left")
    begun = source.scan(r.EventStarted).group_by("request", "server").agg(pl.len().alias("begun"))
    ended = source.scan(r.EventFinished).sort("seq").group_by("request", "server").agg(
        pl.len().alias("over"), pl.last("t", "result", "details")
    )  # fmt: skip
    both = actions.select("request", "server", "action", pl.col("t").alias("asked_s"))
    for events in (begun, ended):
        both = both.join(events, on=["request", "server"], how="left", maintain_order="left")
    failed = pl.col("result") == "Error"
    outcome = (
        pl.when(pl.col("begun").fill_null(0) > pl.col("over").fill_null(0))
        .then(pl.lit("under way"))
        .when(failed)
        .then(pl.lit("failed"))
        .otherwise(pl.lit("done"))
    )
    return both.with_columns(
        pl.col("asked_s").alias("answered_s"), pl.col("t").alias("ended_s"), outcome.alias("outcome"),
        pl.when(failed).then("details").alias("reason"),
    )  # fmt: skip


_BUILD = "compute__do_build_and_run_instance"
_TRIES = ("compute_prep_resize", _BUILD)
"""Events of a host that tries: when it cannot, another host's follows."""


def turned_away(source: Records) -> pl.DataFrame:
    """Hosts that refused a server: request, server, host, t_s (when it said so), again (was another asked?)."""
    of = ["request", "server"]
    chosen = source.scan(r.Decision).drop_nulls("chosen").select("seq", "t", *of, pl.col("chosen").alias("asked"))
    tries = source.scan(r.EventStarted).filter(pl.col("event").is_in(_TRIES))
    tries = tries.select("seq", "t", *of, pl.col("host").alias("asked"))
    passed_over = [
        rows.sort("seq").with_columns(pl.col("asked").shift(1).over(of).alias("host")).drop_nulls("host")
        for rows in (chosen, tries)
    ]
    before = pl.concat(passed_over).select(*of, "host", "seq", pl.col("t").alias("next_s"))
    said = _said_no(source)
    met = before.join(said.select(*of, "host", "t_s"), on=[*of, "host"], how="left", maintain_order="left")
    met = met.with_columns(pl.coalesce("t_s", "next_s").alias("t_s"), pl.lit(True).alias("again"))
    last = said.join(before, on=[*of, "host"], how="anti", maintain_order="left").with_columns(
        pl.lit(False).alias("again")
    )
    columns = ("seq", *of, "host", "t_s", "again")
    return pl.concat([met.select(columns), last.select(columns)]).sort("seq").drop("seq").collect()


def _said_no(source: Records) -> pl.LazyFrame:
    """When a host refused: a claim failed, nothing was begun after a pre-check, a build left the server hostless."""
    of = ["request", "server"]
    steps = source.scan(r.Step).select("seq", pl.col("t").alias("t_s"), *of, "step", "host")
    went_on = source.scan(r.MigrationState).filter(pl.col("status") == "queued").select(
        *of, pl.col("t").alias("t_s")
    ).unique()  # fmt: skip
    ended = source.scan(r.EventFinished).filter(
        (pl.col("event") == "conductor_live_migrate_instance") & (pl.col("result") == "Error")
    ).select(*of).unique()  # fmt: skip
    checks = steps.filter(pl.col("step") == "pre_check").join(went_on, on=[*of, "t_s"], how="anti")
    checks = checks.join(ended, on=of, how="semi")
    claims = steps.filter(pl.col("step") == "claim_failure")
    host_was = source.scan(r.ServerState).select("seq", "server", pl.col("host").alias("kept_by")).sort("seq")
    builds = source.scan(r.EventFinished).filter(pl.col("event") == _BUILD).sort("seq")
    builds = builds.join_asof(host_was, on="seq", by="server", check_sortedness=False)
    builds = builds.filter(pl.col("kept_by").is_null()).select("seq", pl.col("t").alias("t_s"), *of, "host")
    refused = pl.concat([rows.select("seq", *of, "host", "t_s") for rows in (checks, claims, builds)])
    return refused.unique([*of, "host"], keep="last")
