"""What goes through the network."""

from __future__ import annotations

from dataclasses import dataclass

from sim.errors import LawViolation
from sim.eventlog import records as r
from sim.runs.laws.law import Handler


@dataclass(slots=True)
class _Flow:
    """What is known of a flow: its rate since when, and what it had sent by then."""

    record: r.FlowStarted
    since: float
    rate: float = 0.0
    sent: float = 0.0


class FlowLaw:
    """No link carries more than it can, and bytes are conserved: a flow's bytes are the integral of its rate.

    What a live migration says it copied is what its flow carried.
    """

    def __init__(self) -> None:
        self._names: list[str] = []
        self._capacity: list[float] = []
        self._load: list[float] = []
        self._index: dict[str, int] = {}
        self._hosts: set[str] = set()
        self._flows: dict[int, _Flow] = {}
        self._last = 0
        self._touched: set[int] = set()
        self._time = 0.0
        self._carried: dict[str, tuple[float, float, float]] = {}
        """Server → of its last live migration's flow: when it began and ended, and its bytes."""

    def handlers(self) -> dict[type[r.Record], Handler]:
        """Record type → method."""
        return {
            r.HostsPresent: self.hosts, r.LinksPresent: self.links, r.LinkState: self.link,
            r.FlowStarted: self.started, r.FlowRate: self.rate, r.FlowEnded: self.ended, r.LiveCopy: self.copied,
        }  # fmt: skip

    def hosts(self, record: r.HostsPresent) -> None:
        """Flows go from host to host."""
        self._hosts.update(record.host)

    def links(self, record: r.LinksPresent) -> None:
        """Capacities at the start."""
        self._names = record.link
        self._capacity = list(record.capacity_bps)
        self._load = [0.0] * len(self._capacity)
        self._index = {name: i for i, name in enumerate(record.link)}

    def link(self, record: r.LinkState) -> None:
        """A link's capacity changed."""
        link = self._index[record.link]
        if record.t != self._time:
            self._settle(record.t)
        self._capacity[link] = record.capacity_bps
        self._touched.add(link)

    def started(self, record: r.FlowStarted) -> None:
        """A flow loads its links."""
        if record.flow <= self._last:
            raise LawViolation("a flow begins once", f"flow {record.flow}")
        if record.source not in self._hosts or record.dest not in self._hosts:
            raise LawViolation("records name what exists", f"{record.source} → {record.dest}")
        self._last = record.flow
        if record.t != self._time:
            self._settle(record.t)
        self._flows[record.flow] = flow = _Flow(record, record.t)
        self._set(flow, record.rate_bps, record.t)

    def rate(self, record: r.FlowRate) -> None:
        """A flow's load changed."""
        if record.t != self._time:
            self._settle(record.t)
        flow = self._flows.get(record.flow)
        if flow is None:
            raise LawViolation("only flows that run change", f"flow {record.flow}")
        self._set(flow, record.rate_bps, record.t)

    def _set(self, flow: _Flow, rate: float, now: float) -> None:
        flow.sent += flow.rate * (now - flow.since)
        flow.since = now
        more = rate - flow.rate
        flow.rate = rate
        load, links = self._load, flow.record.links
        for link in links:
            load[link] += more
        self._touched.update(links)

    def ended(self, record: r.FlowEnded) -> None:
        """The bytes that were sent are those that the rates say."""
        if record.t != self._time:
            self._settle(record.t)
        flow = self._flows.pop(record.flow, None)
        if flow is None:
            raise LawViolation("only flows that run change", f"flow {record.flow}")
        self._set(flow, 0.0, record.t)
        if _differ(flow.sent, record.bytes):
            raise LawViolation(
                "bytes are conserved", f"flow {record.flow}: rates make {flow.sent}, it says {record.bytes}"
            )
        if flow.record.purpose == "live-migration":
            self._carried[flow.record.server] = (flow.record.t, record.t, flow.sent)

    def copied(self, record: r.LiveCopy) -> None:
        """What was copied went through the network, from the beginning of the copy to its end."""
        began, ended, sent = self._carried.get(record.server, (-1.0, -1.0, 0.0))
        if (began, ended) != (record.began, record.t) or _differ(sent, record.bytes_memory + record.bytes_disk):
            raise LawViolation("bytes are conserved", f"from {began} to {ended} its flow carried {sent}")

    def _settle(self, now: float) -> None:
        """Links are looked at when their moment is over: rates of one moment change one after another."""
        self._time = now
        self.end()

    def end(self) -> None:
        """No touched link carries more than it can."""
        load, capacity = self._load, self._capacity
        for link in self._touched:
            if load[link] > capacity[link] * (1 + 1e-9) + 1:
                raise LawViolation("no link over its capacity", f"{self._names[link]}: {load[link]} > {capacity[link]}")
        self._touched.clear()


def _differ(one: float, other: float) -> bool:
    """More than sums of rates may."""
    return abs(one - other) > 1e-6 * max(one, other) + 1024
