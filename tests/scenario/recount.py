"""The answer of a run counted again: slowly, in plain Python, from the records alone. For tests."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import TypeVar

from sim.eventlog import records as r
from sim.eventlog.records import Record

R = TypeVar("R", bound=Record)

MOVES = {"migrate", "os-migrateLive", "evacuate"}
HERE = {"completed", "done", "confirmed", "finished"}
DEAD = {"failed", "error"}
OVER = HERE | DEAD | {"reverted", "cancelled"}


class Recount:
    """What happened, told once more."""

    def __init__(self, log: Iterable[Record]) -> None:
        self.log = list(log)
        self.end = max(record.t for record in self.log)

    def each(self, kind: type[R]) -> list[R]:
        """The records of one type."""
        return [record for record in self.log if isinstance(record, kind)]

    def states(self) -> dict[int, list[r.MigrationState]]:
        """The states of each migration, in their order."""
        made: dict[int, list[r.MigrationState]] = defaultdict(list)
        for record in self.each(r.MigrationState):
            made[record.migration].append(record)
        return made

    def moved(self) -> set[str]:
        """Servers that were asked to move, and whose host is another at the end than when they were asked first."""
        host = {
            server: where
            for present in self.each(r.ServersPresent)
            for server, where in zip(present.server, present.host, strict=True)
        }
        asked: dict[str, str | None] = {}
        for record in self.log:
            if isinstance(record, r.Request) and record.action in MOVES and record.server:
                asked.setdefault(record.server, host.get(record.server))
            elif isinstance(record, r.ServerState):
                host[record.server] = record.host
        return {server for server, before in asked.items() if host.get(server) != before}

    def total_times(self) -> dict[str, float]:
        """Seconds that the migrations of each server took until it ran elsewhere, or until they ended otherwise."""
        made: dict[str, float] = defaultdict(float)
        for states in self.states().values():
            cold = states[0].type in {"migration", "resize"}
            there = [one.t for one in states if one.status == "finished"] if cold else []
            ends = there[-1:] or [one.t for one in states if one.status in OVER]
            if ends:
                made[states[0].server] += ends[0 if states[0].type == "evacuation" else -1] - states[0].t
        return {server: took for server, took in made.items() if took > 0}

    def downtimes(self) -> dict[str, float]:
        """Seconds that each guest did not run."""
        made: dict[str, float] = defaultdict(float)
        for one in self.each(r.Downtime):
            made[one.server] += one.t - one.began
        return made

    def sent(self) -> tuple[float, dict[str, float]]:
        """Bytes that left their host, and bytes over each link."""
        links = [link for present in self.each(r.LinksPresent) for link in present.link]
        over = {one.flow: one.links for one in self.each(r.FlowStarted)}
        by_link: dict[str, float] = defaultdict(float)
        total = 0.0
        for one in self.each(r.FlowEnded):
            total += one.bytes if over[one.flow] else 0.0
            for link in over[one.flow]:
                by_link[links[link]] += one.bytes
        return total, by_link

    def confirmed_by_nova(self) -> set[int]:
        """Migrations that became confirmed without a request to confirm that server."""
        asked = {one.server for one in self.each(r.Request) if one.action == "confirmResize"}
        return {
            number
            for number, states in self.states().items()
            if states[-1].status == "confirmed" and states[0].server not in asked
        }

    def headroom(self, flavor: str, among: Iterable[str] | None = None) -> int:
        """How many more of a flavor fit at the end, on hosts (all, or those named) that are up and enabled."""
        flavors = {
            name: (vcpus, memory, disk)
            for one in self.each(r.FlavorsPresent)
            for name, vcpus, memory, disk in zip(one.flavor, one.vcpus, one.memory_mb, one.disk_gb, strict=True)
        }
        held = self._held(flavors)
        used: dict[str, list[int]] = defaultdict(lambda: [0, 0, 0])
        for (_, host), amounts in held.items():
            used[host] = [before + more for before, more in zip(used[host], amounts, strict=True)]
        last = {one.host: one for one in self.each(r.HostState)}
        chosen = None if among is None else set(among)
        made = 0
        need = flavors[flavor]
        for one in self.each(r.HostsPresent):
            rooms = zip(
                [(v - n) * k for v, n, k in zip(one.vcpus, one.reserved_vcpus, one.cpu_ratio, strict=True)],
                [(v - n) * k for v, n, k in zip(one.memory_mb, one.reserved_memory_mb, one.ram_ratio, strict=True)],
                [(v - n) * k for v, n, k in zip(one.disk_gb, one.reserved_disk_gb, one.disk_ratio, strict=True)],
                strict=True,
            )
            for host, room in zip(one.host, rooms, strict=True):
                state = last.get(host)
                usable = state is None or (state.power == "up" and not state.disabled and not state.forced_down)
                if usable and (chosen is None or host in chosen):
                    free = [math.floor(total) - taken for total, taken in zip(room, used[host], strict=True)]
                    made += max(min(left // one for left, one in zip(free, need, strict=True) if one), 0)
        return made

    def _held(self, flavors: dict[str, tuple[int, int, int]]) -> dict[tuple[str, str], tuple[int, int, int]]:
        """What each consumer holds on each host at the end."""
        held: dict[tuple[str, str], tuple[int, int, int]] = {}
        for record in self.log:
            if isinstance(record, r.ServersPresent):
                columns = (record.server, record.flavor, record.host, record.holds, record.disk_gb_held)
                for server, flavor, host, holds, disk in zip(*columns, strict=True):
                    if host is not None and holds:
                        held[server, host] = (*flavors[flavor][:2], disk)
            elif isinstance(record, r.Claimed):
                held[record.consumer, record.host] = (record.vcpus, record.memory_mb, record.disk_gb)
            elif isinstance(record, r.Released):
                held.pop((record.consumer, record.host), None)
            elif isinstance(record, r.ClaimMoved):
                held[record.new_consumer, record.host] = held.pop((record.consumer, record.host))
        return held


def quantile(values: Sequence[float], share: float) -> float:
    """The linear quantile."""
    ordered = sorted(values)
    place = share * (len(ordered) - 1)
    low = math.floor(place)
    return ordered[low] + (ordered[min(low + 1, len(ordered) - 1)] - ordered[low]) * (place - low)
