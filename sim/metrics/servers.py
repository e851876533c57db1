"""Table ``servers``: where each server began and ended, what it felt, and whether it needs a person."""

from __future__ import annotations

import polars as pl

from sim.eventlog import records as r
from sim.metrics import migrations
from sim.metrics.columns import Table, count, flag, seconds, text
from sim.metrics.guests import downtime_by_server, slowdown_by_server
from sim.metrics.hosts import states_at
from sim.metrics.source import Records


def _starts(source: Records) -> pl.LazyFrame:
    """Servers as they were when they first appeared."""
    present = source.scan(r.ServersPresent).select(
        "seq", "row", "server", "uuid", "project", pl.col("flavor").alias("start_flavor"),
        pl.col("host").alias("start_host"), pl.col("status").alias("start_status"), "vm_state", "task_state",
        "power_state", "locked",
    )  # fmt: skip
    created = source.scan(r.ServerCreated).select(
        "seq", pl.lit(0, dtype=pl.Int64).alias("row"), "server", "uuid", "project",
        pl.col("flavor").alias("start_flavor"), pl.col("t").alias("created_s"),
    )  # fmt: skip
    return pl.concat([present, created], how="diagonal")


def _ends(source: Records) -> pl.LazyFrame:
    """Servers as their last state said, and how often their host changed."""
    states = source.scan(r.ServerState).sort("seq")
    before = source.scan(r.ServersPresent).select("server", pl.col("host").alias("first_host"))
    states = states.join(before, on="server", how="left", maintain_order="left")
    previous = pl.col("host").shift(1).over("server")
    first = pl.int_range(pl.len()).over("server") == 0
    states = states.with_columns(pl.when(first).then("first_host").otherwise(previous).alias("came_from"))
    return states.group_by("server", maintain_order=True).agg(
        pl.last("t", "vm_state", "task_state", "power_state", "host", "flavor", "status", "locked").name.suffix("_end"),
        (pl.col("came_from").is_not_null() & pl.col("host").is_not_null() & (pl.col("came_from") != pl.col("host")))
        .sum()
        .alias("moves"),
    )


def _migrations(source: Records, warm_up: float) -> pl.LazyFrame:
    table = migrations.TABLE.make(source, warm_up).lazy()
    return table.group_by("server", maintain_order=True).agg(
        pl.len().alias("migrations"),
        (pl.col("outcome") == "failed").sum().alias("failures"),
        pl.col("retries").sum(),
    )


def needs(source: Records) -> pl.DataFrame:
    """Why servers need a person at the end: server, since_s, kind, reason; a server may be there for several reasons.

    Kinds: ``error``, ``unconfirmed``, ``stuck``, ``host-down``, ``guest-lost`` (Nova calls it
    ACTIVE), ``not-started`` (off since its host failed), ``given-up`` (an operation left it).
    """
    return source.keep("servers.needs", lambda: _needs(source))


def _needs(source: Records) -> pl.DataFrame:
    ends = lives(source).filter(pl.col("deleted_s").is_null())
    faults = source.frame(r.ServerFault).group_by("server", maintain_order=True).agg(pl.col("message").last())
    ends = ends.join(faults, on="server", how="left", maintain_order="left")
    hosts = states_at(source).select(pl.col("host").alias("end_host"), "power", "reason")
    ends = ends.join(hosts, on="end_host", how="left", maintain_order="left")
    ends = ends.join(_power_changed(source), on="end_host", how="left", maintain_order="left")
    given_up = source.frame(r.NeedsHuman).select("server", pl.col("t").alias("since_s"), "reason")
    given_up = given_up.join(lives(source).filter(pl.col("deleted_s").is_not_null()), on="server", how="anti")
    given_up = _as_its_migration_tells(source, given_up)
    moved = source.frame(r.MigrationState).filter(pl.col("status").is_in(migrations.MOVED)).group_by("server")
    given_up = given_up.join(moved.agg(pl.col("t").max().alias("moved_s")), on="server", how="left")
    given_up = given_up.filter(pl.col("moved_s").is_null() | (pl.col("moved_s") <= pl.col("since_s")))
    since = pl.coalesce("changed_s", pl.lit(0.0)).alias("since_s")
    kinds = [
        ends.filter(pl.col("vm_state") == "error").select(
            "server", since, pl.lit("error").alias("kind"),
            pl.format("is in ERROR: {}", pl.col("message").fill_null("no fault is recorded")).alias("reason"),
        ),
        ends.filter((pl.col("vm_state") == "resized") & pl.col("task_state").is_null()).select(
            "server", since, pl.lit("unconfirmed").alias("kind"),
            pl.lit("waits in VERIFY_RESIZE: nobody confirmed or reverted its move").alias("reason"),
        ),
        ends.filter(pl.col("task_state").is_not_null()).select(
            "server", since, pl.lit("stuck").alias("kind"),
            pl.format("is still in task_state {} at the end", "task_state").alias("reason"),
        ),
        ends.filter(pl.col("power").is_not_null() & (pl.col("power") != "up")).select(
            "server", pl.coalesce("down_s", pl.lit(0.0)).alias("since_s"), pl.lit("host-down").alias("kind"),
            pl.format("its host {} is {}", "end_host", "power").alias("reason"),
        ),
        _lost(source, ends), _not_started(source, ends),
        given_up.select("server", "since_s", pl.lit("given-up").alias("kind"), "reason"),
    ]  # fmt: skip
    return pl.concat(kinds).sort("since_s", "server", maintain_order=True)


def _power_changed(source: Records) -> pl.DataFrame:
    """When each host last went down, or came back."""
    states = source.frame(r.HostState).sort("seq")
    before = pl.col("power").shift(1).over("host").fill_null("up")
    changes = states.filter(pl.col("power") != before).group_by(pl.col("host").alias("end_host"))
    return changes.agg(pl.col("t").max().alias("down_s"))


def _lost(source: Records, ends: pl.DataFrame) -> pl.DataFrame:
    """Servers that Nova still calls active, whose guest a broken post-copy left whole on neither host."""
    copies = source.frame(r.LiveCopy).filter((pl.col("mode") == "postcopy") & (pl.col("outcome") == "failed"))
    last = copies.group_by("server").agg(pl.col("t").max().alias("since_s"))
    boots = source.frame(r.Step).filter((pl.col("step") == "guest_boot") & (pl.col("outcome") == "done"))
    started = boots.group_by("server").agg(pl.col("t").max().alias("started_s"))
    active = ends.filter(pl.col("vm_state") == "active").select("server")
    dead = last.join(active, on="server").join(started, on="server", how="left").sort("server")
    return dead.filter(pl.col("started_s").is_null() | (pl.col("started_s") < pl.col("since_s"))).select(
        "server", "since_s", pl.lit("guest-lost").alias("kind"),
        pl.lit("its guest was lost in post-copy and does not run, whatever its status says").alias("reason"),
    )  # fmt: skip


def _not_started(source: Records, ends: pl.DataFrame) -> pl.DataFrame:
    """Servers whose guest went with their host and is missed to the end, though the host that they are on is up.

    Nova calls them stopped: it found them off when the host was back, or left them so where they were evacuated to.
    """
    missed = source.frame(r.Downtime).filter(
        pl.col("cause").is_in(["host-failure", "host-reboot"]) & (pl.col("t") >= source.end_s)
    )
    stopped = ends.filter((pl.col("vm_state") == "stopped") & (pl.col("power").is_null() | (pl.col("power") == "up")))
    dead = missed.join(stopped.select("server"), on="server")
    there = source.frame(r.MigrationState).filter((pl.col("type") == "evacuation") & (pl.col("status") == "done"))
    dead = dead.join(there.group_by("server").agg(pl.col("t").max().alias("moved_s")), on="server", how="left")
    evacuated = pl.col("moved_s").fill_null(-1.0) >= pl.col("began")
    return dead.sort("began", "server").select(
        "server", pl.col("began").alias("since_s"), pl.lit("not-started").alias("kind"),
        pl.when(evacuated).then(pl.lit("went down with its host, was evacuated, and is stopped there since then"))
        .otherwise(pl.lit("went down with its host, which is back, and was not started again")).alias("reason"),
    )  # fmt: skip


def _as_its_migration_tells(source: Records, given_up: pl.DataFrame) -> pl.DataFrame:
    """An operator sees no more than the status in which a migration ended; the log knows why."""
    told = migrations.TABLE.make(source, 0.0).drop_nulls("reason").group_by("server").agg(pl.last("reason", "status"))
    told = told.select(
        "server", pl.format("migration ended as {}", "status").alias("seen"), pl.col("reason").alias("told")
    )
    both = given_up.join(told, on="server", how="left", maintain_order="left")
    return both.with_columns(
        pl.when(pl.col("reason") == pl.col("seen")).then("told").otherwise("reason").alias("reason")
    ).drop("seen", "told")


def lives(source: Records) -> pl.DataFrame:
    """One row a server: how it began and how it ended, from its own records alone."""
    return source.keep("servers.lives", lambda: _lives(source))


def _lives(source: Records) -> pl.DataFrame:
    deleted = source.scan(r.ServerDeleted).group_by("server").agg(pl.col("t").last().alias("deleted_s"))
    gone = pl.col("deleted_s").is_not_null()
    changed = pl.col("t_end").is_not_null()

    def end(name: str, start: str) -> pl.Expr:
        return pl.when(changed).then(f"{name}_end").otherwise(start)

    return (
        _starts(source)
        .join(_ends(source), on="server", how="left")
        .join(deleted, on="server", how="left")
        .sort("seq", "row")
        .with_columns(
            pl.when(~gone).then(end("host", "start_host")).alias("end_host"),
            end("flavor", "start_flavor").alias("flavor"),
            pl.when(gone).then(pl.lit("DELETED")).otherwise(end("status", "start_status")).alias("status"),
            pl.when(gone).then(pl.lit("deleted")).otherwise(end("vm_state", "vm_state")).alias("vm_state"),
            pl.when(~gone).then(end("task_state", "task_state")).alias("task_state"),
            end("power_state", "power_state").alias("power_state"),
            end("locked", "locked").alias("locked"),
            pl.col("t_end").alias("changed_s"),
            pl.col("moves").fill_null(0),
        )
        .collect()
    )


def build(source: Records, warm_up: float) -> pl.DataFrame:
    """One row a server, in order of their appearance."""
    person = needs(source).group_by("server", maintain_order=True).agg(pl.col("reason").str.join("; "))
    made = (
        lives(source)
        .lazy()
        .join(_migrations(source, warm_up), on="server", how="left")
        .join(downtime_by_server(source, warm_up), on="server", how="left")
        .join(slowdown_by_server(source, warm_up), on="server", how="left")
        .join(person.lazy().rename({"reason": "needs_human"}), on="server", how="left")
        .sort("seq", "row")
    )
    zero = [pl.col(name).fill_null(0) for name in ("migrations", "failures", "retries")]
    none = [pl.col(name).fill_null(0.0) for name in ("downtime_s", "longest_downtime_s", "slowdown_s")]
    return made.with_columns(*zero, *none).collect()


TABLE = Table(
    "servers",
    "Servers",
    "Every server that was there at the start or was created: how it began, how it ended, what it felt in between.",
    "counts migrations, downtime and slowdown after it only",
    (
        text("server", "its name"),
        text("uuid", "its id in Nova"),
        text("project", "its owner"),
        text("flavor", "flavor at the end"),
        text("start_host", "host at the start; empty for a server created later, or without a host"),
        text("end_host", "host at the end; empty for a server that is deleted or has none"),
        text("start_status", "status at the start; empty for a server created later"),
        text("status", "status at the end, as the API shows it"),
        text("vm_state", "vm_state at the end"),
        text("task_state", "task_state at the end; empty for none"),
        count("power_state", "", "power state at the end: 1 running, 3 paused, 4 shut down, 6 crashed, 7 suspended"),
        flag("locked", "whether it is locked at the end"),
        count("moves", "", "how often its host changed"),
        count("migrations", "", "migration records"),
        count("failures", "", "migrations that failed"),
        count("retries", "hosts", "destinations tried after the first, over all its migrations"),
        seconds("downtime_s", "how long its guest did not run, for whatever cause"),
        seconds("longest_downtime_s", "the longest spell in which its guest did not run"),
        seconds("slowdown_s", "running time lost to slowdowns: the integral of the fraction taken from it"),
        text("needs_human", "why it needs a person at the end; empty if it does not"),
        seconds("created_s", "when it was created; empty if it was there at the start"),
        seconds("deleted_s", "when it was deleted"),
    ),
    build,
)  # fmt: skip
