"""Table ``failures``: everything that went wrong, one row for each fact of it, in the order of time."""

from __future__ import annotations

import polars as pl

from sim.eventlog import records as r
from sim.metrics.columns import Table, seconds, text
from sim.metrics.migrations import FAILED
from sim.metrics.source import Records


def _none() -> pl.Expr:
    return pl.lit(None, dtype=pl.String)


def build(source: Records, warm_up: float) -> pl.DataFrame:
    """Refusals, failed events, decisions without a host, migrations, faults, hosts, servers given up."""
    asked = source.scan(r.Request).select("request", "server", "action")
    refused = source.scan(r.Answer).filter(pl.col("code") >= 400).join(asked, on="request", how="left")
    events = source.scan(r.EventFinished).filter(pl.col("result") == "Error")
    migrations = source.scan(r.MigrationState).filter(pl.col("status").is_in([*FAILED, "cancelled"]))
    hosts = source.scan(r.HostState).filter(pl.col("power") != "up")
    links = source.scan(r.LinkState).filter(pl.col("capacity_bps") <= 0)

    def row(frame: pl.LazyFrame, kind: str, **columns: pl.Expr) -> pl.LazyFrame:
        whole = {"server": _none(), "host": _none(), "request": _none(), "what": _none(), "reason": _none(), **columns}
        named = [value.alias(name) for name, value in whole.items()]
        return frame.select("seq", pl.col("t").alias("t_s"), pl.lit(kind).alias("kind"), *named)

    server, request, reason = pl.col("server"), pl.col("request"), pl.col("reason")
    kinds = [
        row(refused, "refused", server=server, request=request, what=pl.col("action"), reason=pl.col("message")),
        row(events, "event", server=server, host=pl.col("host"), request=request, what=pl.col("event"),
            reason=pl.col("details")),
        row(source.scan(r.Decision).filter(pl.col("chosen").is_null()), "no host", server=server, request=request,
            what=pl.format("decision {}", "decision"), reason=reason),
        row(migrations, "migration", server=server, host=pl.col("source"), request=request,
            what=pl.format("{} {}", "type", "migration"), reason=pl.col("status")),
        row(source.scan(r.ServerFault), "fault", server=server, what=pl.format("fault {}", "code"),
            reason=pl.col("message")),
        row(hosts, "host", host=pl.col("host"), what=pl.col("power"), reason=reason),
        row(links, "link", what=pl.format("link {}", "link"), reason=pl.lit("no capacity left")),
        row(source.scan(r.NeedsHuman), "given up", server=server, what=pl.format("operation {}", "operation"),
            reason=reason),
    ]  # fmt: skip
    return pl.concat(kinds).filter(pl.col("t_s") >= warm_up).sort("seq").collect()


TABLE = Table(
    "failures",
    "Failures",
    "Everything that went wrong, fact by fact: one failed migration may be several rows (event, migration, fault).",
    "leaves out what went wrong earlier",
    (
        seconds("t_s", "when"),
        text("kind", "`refused` (by the API), `event`, `no host`, `migration`, `fault`, `host`, `link` or `given up`"),
        text("server", "the server it is about, if any"),
        text("host", "where it happened, if anywhere"),
        text("request", "the request that it belongs to, if any"),
        text("what", "action, event, decision, migration, fault, or the state of the host"),
        text("reason", "why, in Nova's words where Nova has them"),
    ),
    build,
)
