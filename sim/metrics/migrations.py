"""Table ``migrations``: each migration record's life, in times, bytes, attempts, and how it ended."""

from __future__ import annotations

import polars as pl

from sim.eventlog import records as r
from sim.metrics.columns import Table, count, number, seconds, text
from sim.metrics.source import Records

STATUSES = (
    "accepted", "queued", "preparing", "running", "running (post-copy)", "pre-migrating", "migrating",
    "post-migrating", "finished", "confirming", "confirmed", "reverting", "reverted", "completed", "done",
    "cancelled", "failed", "error",
)  # fmt: skip
"""Every status of a migration record, in about the order in which they come."""
MOVED = ("completed", "confirmed", "done", "finished", "confirming")
"""Statuses of a server that runs at its new place."""
FAILED = ("failed", "error")
_OVER = ("completed", "confirmed", "done", "reverted", "cancelled", *FAILED)


def status_column(status: str) -> str:
    """The name of the column that says when this status was reached."""
    return "at_" + status.replace(" (post-copy)", "_post_copy").replace("-", "_") + "_s"


def _lives(source: Records) -> pl.LazyFrame:
    """One row a migration: first facts, last facts, the first time of each status, its wait in the queue."""
    none = pl.lit(None, dtype=pl.String)
    stood = source.scan(r.MigrationsPresent).select(
        pl.lit(-1, dtype=pl.Int64).alias("seq"), "t", "migration", "server", "type", "status", "source", "dest",
        none.alias("request"),
    )  # fmt: skip
    states = pl.concat([stood, source.scan(r.MigrationState)]).sort("seq", maintain_order=True)
    queued = pl.col("status") == "queued"
    states = states.with_columns(
        pl.when(queued)
        .then(pl.col("t").shift(-1).over("migration").fill_null(source.end_s) - pl.col("t"))
        .alias("queue")
    )
    ours = pl.col("seq") >= 0
    first_of = [pl.col("t").filter(ours & (pl.col("status") == s)).first().alias(status_column(s)) for s in STATUSES]
    over = pl.col("t").filter(pl.col("status").is_in(_OVER))
    return states.group_by("migration", maintain_order=True).agg(
        pl.first("server", "type", "source", "request"),
        pl.when(ours.first()).then(pl.col("t").first()).alias("created_s"),
        pl.col("dest").drop_nulls().last(),
        pl.col("status").last(),
        pl.col("t").last().alias("last_s"),
        pl.col("queue").sum().alias("queue_s"),
        queued.any().alias("was_queued"),
        # An evacuation is over when the server runs elsewhere, however late its old host comes back and says so too.
        pl.when(pl.col("type").first() == "evacuation").then(over.first()).otherwise(over.last()).alias("ended_s"),
        *first_of,
    )


def _attempts(source: Records) -> pl.LazyFrame:
    """How many destinations were tried for a request and server: choices of the scheduler, or claims asked for."""
    chosen = (
        source.scan(r.Decision)
        .filter(pl.col("chosen").is_not_null())
        .group_by("request", "server")
        .agg(pl.len().alias("tries"))
    )
    claims = (
        source.scan(r.EventStarted)
        .filter(pl.col("event") == "compute_prep_resize")
        .group_by("request", "server")
        .agg(pl.len().alias("tries"))
    )
    return pl.concat([chosen, claims]).group_by("request", "server").agg(pl.col("tries").max())


def _reasons(source: Records) -> pl.LazyFrame:
    """Why a request went wrong for a server: its failed event's details, or why there was no host."""
    events = (
        source.scan(r.EventFinished)
        .filter(pl.col("result") == "Error", pl.col("details").is_not_null())
        .select("seq", "request", "server", pl.col("details").alias("why"), pl.lit(1).alias("rank"))
    )
    decisions = (
        source.scan(r.Decision)
        .filter(pl.col("reason").is_not_null())
        .select("seq", "request", "server", pl.col("reason").alias("why"), pl.lit(0).alias("rank"))
    )
    return pl.concat([decisions, events]).sort("rank", "seq").group_by("request", "server").agg(pl.col("why").last())


def _copies(source: Records) -> pl.LazyFrame:
    """What the copies of a live migration took, by migration."""
    copies = source.scan(r.LiveCopy).sort("seq")
    return copies.group_by("migration", maintain_order=True).agg(
        (pl.col("t") - pl.col("began")).sum().alias("copy_s"),
        pl.col("bytes_memory").sum().alias("live_memory_b"),
        pl.col("bytes_disk").sum().alias("live_disk_b"),
        pl.col("downtime_s").sum().alias("live_downtime_s"),
        pl.col("rounds").sum(),
        pl.col("throttle").max(),
        pl.col("mode").last().alias("copy_mode"),
        pl.col("outcome").last().alias("copy_outcome"),
    )


def _of_latest(rows: pl.LazyFrame, lives: pl.LazyFrame) -> pl.LazyFrame:
    """Adds to rows (server, at) the migration of the server that was created last before ``at``."""
    begun = lives.select("server", pl.col("created_s").fill_null(0.0), "migration").sort("created_s")
    return rows.sort("at").join_asof(
        begun, left_on="at", right_on="created_s", by="server", strategy="backward", check_sortedness=False
    )


def _disk_bytes(source: Records, lives: pl.LazyFrame) -> pl.LazyFrame:
    """Bytes of disks and images that flowed for a server while its migration was the last one."""
    begun = source.scan(r.FlowStarted).filter(pl.col("purpose") != "live-migration")
    ended = source.scan(r.FlowEnded).select("flow", "bytes")
    flows = begun.select("flow", "server", pl.col("t").alias("at")).join(ended, on="flow")
    return (
        _of_latest(flows, lives).group_by("migration", maintain_order=True).agg(pl.col("bytes").sum().alias("flow_b"))
    )


def _downtimes(source: Records, lives: pl.LazyFrame) -> pl.LazyFrame:
    """Seconds in which the guest did not run, by migration: the one whose request says so, else the last one begun."""
    spells = source.scan(r.Downtime).select(
        "server", "request", pl.col("t").alias("at"), (pl.col("t") - pl.col("began")).alias("down")
    )
    asked = lives.drop_nulls("request").select("server", "request", pl.col("migration").alias("own"))
    latest = _of_latest(spells, lives).join(asked, on=["server", "request"], how="left")
    return (
        latest.with_columns(pl.coalesce("own", "migration").alias("migration"))
        .drop_nulls("migration")
        .group_by("migration", maintain_order=True)
        .agg(pl.col("down").sum().alias("down_s"))
    )


def _confirms(source: Records, lives: pl.LazyFrame) -> pl.LazyFrame:
    """Migrations that somebody confirmed by a request that the API accepted."""
    accepted = source.scan(r.Answer).filter(pl.col("code") < 400).select("request")
    asked = source.scan(r.Request).filter(pl.col("action") == "confirmResize").join(accepted, on="request", how="semi")
    rows = _of_latest(asked.select("server", pl.col("t").alias("at")), lives)
    return rows.drop_nulls("migration").select("migration", pl.lit(True).alias("asked_confirm")).unique()


def _outcome() -> pl.Expr:
    status = pl.col("status")
    return (
        pl.when(status.is_in(["completed", "done", "confirmed"]))
        .then(pl.lit("done"))
        .when(status == "finished")
        .then(pl.lit("unconfirmed"))
        .when(status.is_in(["reverted", "cancelled"]))
        .then(status)
        .when(status.is_in(FAILED))
        .then(pl.lit("failed"))
        .otherwise(pl.lit("under way"))
    )


def _ended_so() -> pl.Expr:
    """Why a migration ended badly of which no event and no decision tells anything."""
    cancelled, copied = pl.col("status") == "cancelled", pl.col("copy_outcome")
    return (
        pl.when(cancelled & (copied == "timed_out"))
        .then(pl.lit("its copy was aborted after live_migration_completion_timeout"))
        .when(cancelled & copied.is_null())
        .then(pl.lit("it was aborted before its copy began"))
        .when(cancelled)
        .then(pl.lit("its copy was aborted on request"))
        .when(pl.col("at_finished_s").is_not_null())
        .then(pl.lit("it was not in VERIFY_RESIZE any more when its confirm window ended"))
        .when((copied == "failed") & (pl.col("copy_mode") == "postcopy"))
        .then(pl.lit("its copy lost the connection in post-copy: the guest was lost, whole on neither host"))
        .when(copied == "failed")
        .then(pl.lit("its copy lost the connection between the hosts"))
        .otherwise("status")
    )


def build(source: Records, warm_up: float) -> pl.DataFrame:
    """One row a migration record."""
    lives = _lives(source)
    moved = pl.coalesce(pl.when(pl.col("type").is_in(["migration", "resize"])).then("at_finished_s"), "ended_s")
    confirmed = pl.col("at_confirmed_s").is_not_null()
    return (
        lives.filter(pl.col("created_s").fill_null(0.0) >= warm_up)
        .join(_attempts(source), on=["request", "server"], how="left")
        .join(_reasons(source), on=["request", "server"], how="left")
        .join(_copies(source), on="migration", how="left")
        .join(_disk_bytes(source, lives), on="migration", how="left")
        .join(_downtimes(source, lives), on="migration", how="left")
        .join(_confirms(source, lives), on="migration", how="left")
        .with_columns(
            _outcome().alias("outcome"),
            (moved - pl.col("created_s")).alias("total_s"),
            (pl.coalesce("at_confirmed_s", "at_reverted_s") - pl.col("at_finished_s")).alias("confirm_s"),
            pl.when("was_queued").then("queue_s").alias("queue_s"),
            pl.coalesce("down_s", "live_downtime_s", pl.lit(0.0)).alias("downtime_s"),
            pl.col("live_memory_b").fill_null(0.0).alias("memory_b"),
            (pl.col("live_disk_b").fill_null(0.0) + pl.col("flow_b").fill_null(0.0)).alias("disk_b"),
            pl.coalesce("tries", pl.col("dest").is_not_null().cast(pl.Int64)).alias("attempts"),
            pl.when(confirmed & pl.col("asked_confirm").is_not_null())
            .then(pl.lit("request"))
            .when(confirmed)
            .then(pl.lit("window"))
            .alias("confirmed_by"),
        )
        .with_columns(
            (pl.col("attempts").cast(pl.Int64) - 1).clip(lower_bound=0).alias("retries"),
            ((pl.col("live_memory_b") + pl.col("live_disk_b")) / pl.col("copy_s")).alias("mean_rate_bps"),
            pl.when(pl.col("outcome").is_in(["failed", "cancelled"]))
            .then(pl.coalesce("why", _ended_so()))
            .alias("reason"),
        )
        .with_columns(pl.when(pl.col("mean_rate_bps").is_finite()).then("mean_rate_bps").alias("mean_rate_bps"))
        .sort("migration")
        .collect()
    )


_TIMES = tuple(
    seconds(status_column(status), f"when its status first became `{status}`; empty if it never did")
    for status in STATUSES
)

TABLE = Table(
    "migrations",
    "Migrations",
    "Every migration record: live and cold migrations, resizes, evacuations.",
    "leaves out migrations created earlier",
    (
        count("migration", "", "id of the migration record"),
        text("server", "the server"),
        text("type", "`live-migration`, `migration`, `resize` or `evacuation`"),
        text("source", "host it leaves"),
        text("dest", "host it goes to; empty when none was found"),
        text("status", "Nova's status at the end of the run"),
        text("outcome", "`done`, `unconfirmed` (at its new place, waits for confirm or revert), `reverted`, "
             "`cancelled`, `failed` or `under way` (when the run ended)"),
        text("reason", "why it failed or was cancelled, in Nova's words where Nova has any"),
        count("attempts", "hosts", "destinations tried"),
        count("retries", "hosts", "destinations tried after the first"),
        seconds("created_s", "when the record was created; empty if it stood at the start"),
        seconds("ended_s", "when it reached its last status; empty while it may still change"),
        seconds("total_s", "from its creation until the server was at its new place (cold: `finished`, before any "
                "confirm), or until it ended otherwise"),
        seconds("queue_s", "waited at the source host for other live migrations; empty for a kind that has no queue"),
        seconds("confirm_s", "from `finished` to `confirmed` or `reverted`"),
        text("confirmed_by", "`request`, or `window` when resize_confirm_window ran out"),
        seconds("downtime_s", "how long the guest did not run because of it"),
        seconds("copy_s", "how long a live migration copied"),
        number("memory_b", "bytes", "memory sent by live migration, pages sent again included"),
        number("disk_b", "bytes", "disks and images sent"),
        number("mean_rate_bps", "bytes/s", "bytes sent by the live copy over the time it took"),
        count("rounds", "", "rounds of pre-copy"),
        number("throttle", "0..1", "highest share of its CPU time that auto-converge took from the guest"),
        text("copy_mode", "how the live copy ended: `precopy`, `postcopy` or `paused`"),
        text("copy_outcome", "`completed`, `aborted`, `timed_out` or `failed`"),
        text("request", "request that began it"),
        *_TIMES,
    ),
    build,
)  # fmt: skip
