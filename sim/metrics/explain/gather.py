"""The records about one server, read without reading the rest of the log."""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl

from sim.eventlog import records as r
from sim.eventlog.columns import fields, is_bulk, rebuild
from sim.eventlog.records import RECORD_TYPES, Record
from sim.metrics.source import Records

_BY_SERVER = tuple(kind for kind in RECORD_TYPES if "server" in fields(kind) and not is_bulk(kind))
_OF_FLOWS = (r.FlowRate, r.FlowEnded)
_OF_DECISIONS = (r.FilterStep, r.WeighStep)


def of_server(source: Records, server: str) -> list[Record]:
    """Every record about a server, its requests, flows and decisions, and the states of hosts it was on; in order."""
    found: dict[int, Record] = {}

    def take(kind: type[Record], which: pl.Expr) -> Iterator[Record]:
        for seq, record in rebuild(kind, source.scan(kind).filter(which).collect()):
            found[seq] = record
            yield record

    requests, flows, decisions, hosts = set[str](), set[int](), set[int](), set[str]()
    for kind in _BY_SERVER:
        for record in take(kind, pl.col("server") == server):
            if isinstance(record, r.Request):
                requests.add(record.request)
            elif isinstance(record, r.FlowStarted):
                flows.add(record.flow)
            elif isinstance(record, r.Decision):
                decisions.add(record.decision)
            elif isinstance(record, r.ServerState) and record.host is not None:
                hosts.add(record.host)
            elif isinstance(record, r.ServerCreated) and record.request is not None:
                requests.add(record.request)
    start = source.frame(r.ServersPresent).filter(pl.col("server") == server)
    hosts.update(host for host in start["host"].to_list() if host is not None)
    creates = pl.col("request").is_in(sorted(requests)) & pl.col("server").is_null()
    wanted: list[tuple[tuple[type[Record], ...], pl.Expr]] = [
        ((r.Answer,), pl.col("request").is_in(sorted(requests))),
        ((r.Request,), creates),
        (_OF_FLOWS, pl.col("flow").is_in(sorted(flows))),
        (_OF_DECISIONS, pl.col("decision").is_in(sorted(decisions))),
        ((r.HostState,), pl.col("host").is_in(sorted(hosts))),
    ]
    for kinds, which in wanted:
        for kind in kinds:
            for _ in take(kind, which):
                pass
    return [found[seq] for seq in sorted(found)]
