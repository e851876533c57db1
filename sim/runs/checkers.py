"""Runs all laws over a log: at the end of every run, in every test, and on demand over any stored run."""

from __future__ import annotations

from collections.abc import Iterable

from sim.errors import LawViolation
from sim.eventlog import records as r
from sim.runs.laws.asking import EventLaw, RequestLaw
from sim.runs.laws.claims import CapacityLaw
from sim.runs.laws.hosts import DecisionLaw, HostLaw, OperationLaw
from sim.runs.laws.law import EndingLaw, Handler, Law
from sim.runs.laws.links import FlowLaw
from sim.runs.laws.moves import MigrationLaw
from sim.runs.laws.servers import ServerLaw
from sim.runs.laws.times import SpanLaw


def check(records: Iterable[r.Record]) -> int:
    """Run all laws over the records; returns how many records were seen. Raises LawViolation at the first break."""
    claims, flows, hosts = CapacityLaw(), FlowLaw(), HostLaw()
    servers = ServerLaw(claims)
    moves = MigrationLaw(servers)
    observers: list[Law] = [
        claims, flows, hosts, servers, moves, RequestLaw(), EventLaw(hosts, moves), DecisionLaw(hosts, servers),
        OperationLaw(servers), SpanLaw(),
    ]  # fmt: skip
    seen = _hold(records, _by_kind(observers))
    ending: list[EndingLaw] = [moves, flows]
    for law in ending:
        law.end()
    return seen


def _by_kind(observers: Iterable[Law]) -> dict[type[r.Record], Handler]:
    """Record type → whoever looks at such records, one after the other."""
    found: dict[type[r.Record], list[Handler]] = {}
    for law in observers:
        for kind, handler in law.handlers().items():
            found.setdefault(kind, []).append(handler)
    return {kind: handlers[0] if len(handlers) == 1 else _each(handlers) for kind, handlers in found.items()}


def _each(handlers: list[Handler]) -> Handler:
    def look(record: r.Record) -> None:
        for handler in handlers:
            handler(record)

    return look


def _hold(records: Iterable[r.Record], handlers: dict[type[r.Record], Handler]) -> int:
    """Record by record; what is broken is told with the record and its position in the log."""
    now, seen, record = 0.0, 0, None
    find = handlers.get
    try:
        for record in records:
            t = record.t
            if not t >= now:
                raise LawViolation("time never goes back", f"{t} after {now}")
            now = t
            look = find(type(record))
            if look is not None:
                look(record)
            seen += 1
    except LawViolation as violation:
        raise LawViolation(violation.law, violation.detail, record, seen) from None
    except LookupError as error:
        raise LawViolation("records name what exists", f"no {error} before it", record, seen) from None
    return seen
