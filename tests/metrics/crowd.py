"""A drain of any size as a log, written by arithmetic: what figures, reports and traces are looked at with.

Racks of 20 hosts, 10 servers a host, a leaf-spine network of 1.25 GB/s NICs. The first ``drained`` hosts are emptied,
one live migration at a time on each; every 7th server tries a second destination, every 23rd never converges and fails,
every 11th is throttled. A host that is not drained crashes when half of the drain is over, and comes back.
"""

from __future__ import annotations

from collections.abc import Iterator
from heapq import merge

from sim.eventlog import records as r

GB = 1e9
PER_HOST = 10
_TAKES = 34.0
"""Seconds from one server's turn to the next one's."""


class Crowd:
    """``hosts`` hosts, of which the first ``drained`` are emptied."""

    def __init__(self, hosts: int, drained: int, per_host: int = PER_HOST) -> None:
        self.hosts, self.drained, self.per_host = hosts, drained, per_host
        self.names = [f"r{host // 20 + 1:03}-c{host % 20 + 1:02}" for host in range(hosts)]
        self.racks = [f"r{host // 20 + 1:03}" for host in range(hosts)]
        self._first = 2 * hosts
        self._flow = 0

    def log(self) -> Iterator[r.Record]:
        """All records in order."""
        yield from self._start()
        lanes = [self._drain(host) for host in range(self.drained)]
        yield from merge(self._plan(), *lanes, key=lambda record: record.t)

    def _start(self) -> Iterator[r.Record]:
        n, names, rack_names = self.hosts, self.names, list(dict.fromkeys(self.racks))
        yield r.RunStarted(0.0, f"crowd-{n}", "0" * 64, 7, {"DEFAULT.max_concurrent_live_migrations": 1})
        zones = [f"zone-{(host // 20) % 2 + 1}" for host in range(n)]
        yield r.HostsPresent(
            0.0, names, self.racks, zones, [64] * n, [262144] * n, [8000] * n, [4.0] * n, [1.0] * n, [1.0] * n,
            [0] * n, [4096] * n, [0] * n, ["spec-hp-ml110-g5"] * n,
        )  # fmt: skip
        yield r.AggregatesPresent(0.0, ["fast"], [None], [names[::2]])
        yield r.FlavorsPresent(0.0, ["m.large", "m.huge"], [4, 32], [16384, 131072], [40, 200])
        links = [f"{name}:{way}" for name in names for way in ("up", "down")]
        links += [f"{rack}:{way}" for rack in rack_names for way in ("up", "down")]
        yield r.LinksPresent(0.0, links, [1.25 * GB] * 2 * n + [25.0 * GB] * 2 * len(rack_names))
        where = [host for host in range(n) for _ in range(self.per_host)]
        servers = [f"vm-{number:06}" for number in range(len(where))]
        count = len(servers)
        yield r.ServersPresent(
            0.0, servers, [f"uuid-{name}" for name in servers], ["demo"] * count, ["m.large"] * count,
            [names[host] for host in where], ["active"] * count, [None] * count, [1] * count, ["ACTIVE"] * count,
            [False] * count, [True] * count, [40] * count,
        )  # fmt: skip
        yield r.GroupsPresent(0.0, [], [], [])

    def _plan(self) -> Iterator[r.Record]:
        count, victim = self.drained * self.per_host, self.names[-1]
        over = 10.0 + self.per_host * _TAKES + 300.0
        failed = sum(number % 23 == 5 for number in range(count))
        yield r.Operation(10.0, 1, "drain", "rack:r001", "begun", "", "", count)
        for host in range(self.drained):
            yield r.HostState(10.0, self.names[host], "up", True, False, "drain of rack:r001")
        yield r.HostState(over / 2, victim, "crashed", False, False, "power supply")
        yield r.HostState(over / 2 + 120.0, victim, "up", False, False, "")
        outcome = "partial" if failed else "done"
        yield r.Operation(over, 1, "drain", "rack:r001", "ended", outcome, f"{count - failed} moved, {failed} left")

    def _drain(self, host: int) -> Iterator[r.Record]:
        """One host's servers, all asked for at 10 s, each in its turn."""
        turns = [self._move(host, place) for place in range(self.per_host)]
        yield from merge(*turns, key=lambda record: record.t)

    def _move(self, host: int, place: int) -> Iterator[r.Record]:
        number = host * self.per_host + place
        server, source, request = f"vm-{number:06}", self.names[host], f"req-{number:06}"
        fails, spare = number % 23 == 5, self.hosts - self.drained
        dest_host = self.drained + (number * 7 + 3) % (spare - 1)
        other = self.names[self.drained + (number * 7 + 4) % (spare - 1)]
        dest, t, turn = self.names[dest_host], 10.0 + 0.01 * place, 10.0 + place * _TAKES
        body = '{"os-migrateLive": {"host": null, "block_migration": "auto"}}'
        yield r.Request(t, request, "os-migrateLive", server, "2.90", "drain", body)
        yield r.Step(t + 0.12, server, request, "api", None, t, "done")
        yield self._state(t + 0.12, server, source, request, "migrating")
        yield r.ActionStarted(t + 0.12, server, "live-migration", request)
        yield r.Answer(t + 0.12, request, 202, None)
        yield r.Step(t + 0.3, server, request, "conductor", None, t + 0.12, "done")
        kind = ("live-migration", "accepted", source)
        yield r.MigrationState(t + 0.3, number + 1, server, *kind, None, request)
        yield r.ClaimMoved(t + 0.3, server, f"migration:{number + 1}", source)
        for attempt, name in enumerate([other, dest] if number % 7 == 3 and other != dest else [dest], start=1):
            refused = name != dest
            yield r.Step(t + 0.6, server, request, "scheduler", None, t + 0.3, "done")
            yield r.Decision(t + 0.6, number * 2 + attempt, request, server, spare, spare - attempt + 1, name, [],
                             attempt, None)  # fmt: skip
            yield r.Claimed(t + 0.6, server, name, 4, 16384, 40)
            yield r.Step(t + 1.2, server, request, "pre_check", name, t + 0.6, "failed" if refused else "done")
            if refused:
                yield r.Released(t + 1.2, server, name)
                t += 0.9
        t += 1.2
        yield r.MigrationState(t, number + 1, server, "live-migration", "queued", source, dest, request)
        begins = max(turn + 3.0, t) if place else t
        if begins > t:
            yield r.Waited(begins, f"live_migrations:{source}", server, request, t)
        yield from self._copy(number, host, dest_host, begins, request=request, fails=fails)

    def _copy(
        self, number: int, host: int, dest_host: int, t: float, *, request: str, fails: bool
    ) -> Iterator[r.Record]:  # fmt: skip
        server, source, dest = f"vm-{number:06}", self.names[host], self.names[dest_host]
        kind = (number + 1, server, "live-migration")
        yield r.MigrationState(t, *kind, "preparing", source, dest, request)
        yield r.Step(t + 2.0, server, request, "pre_live_migration", dest, t, "done")
        yield r.MigrationState(t + 2.0, *kind, "running", source, dest, request)
        yield r.Step(t + 2.5, server, request, "live_start", source, t + 2.0, "done")
        began, copied = t + 2.5, t + (29.0 if fails else 14.0 + number % 5 * 3)
        self._flow += 1
        flow, rate = self._flow, GB * (0.8 if number % 3 else 1.1)
        yield r.FlowStarted(began, flow, "live-migration", server, source, dest, self._route(host, dest_host), rate)
        slow = number % 11 == 2 or fails
        if slow:
            yield r.Slowdown(began + 5.0, server, 0.2, "auto-converge")
            yield r.Slowdown(began + 8.0, server, 0.6, "auto-converge")
        sent = rate * (copied - began)
        yield r.FlowEnded(copied, flow, sent, not fails)
        if slow:
            yield r.Slowdown(copied, server, 0.0, "auto-converge")
        outcome = ("precopy", "timed_out" if fails else "completed")
        down = 0.0 if fails else 0.08 + number % 13 * 0.02
        yield r.LiveCopy(copied, *kind[:2], source, dest, began, *outcome, 4, sent, 0.0, down, 0.6 if slow else 0.0)
        yield r.Step(copied, server, request, "copy", source, began, "aborted" if fails else "done")
        yield from self._end(number, source, dest, copied, down=down, request=request)

    def _end(self, number: int, source: str, dest: str, t: float, *, down: float, request: str) -> Iterator[r.Record]:
        server, kind = f"vm-{number:06}", (number + 1, f"vm-{number:06}", "live-migration")
        if not down:
            why = "Live migration has timed out"
            yield r.Step(t + 2.0, server, request, "live_rollback", source, t, "done")
            yield r.Released(t + 2.0, server, dest)
            yield r.ClaimMoved(t + 2.0, f"migration:{number + 1}", server, source)
            yield self._state(t + 2.0, server, source, request)
            yield r.EventStarted(t + 2.0, server, request, "compute_live_migration", source)
            yield r.EventFinished(t + 2.0, server, request, "compute_live_migration", source, "Error", why)
            yield r.MigrationState(t + 2.0, *kind, "failed", source, dest, request)
            yield r.NeedsHuman(t + 2.0, server, 1, why)
            return
        yield r.Downtime(t + down, server, t, "live-migration", request)
        yield r.Step(t + 2.5, server, request, "live_finish", source, t + down, "done")
        yield self._state(t + 2.5, server, dest, request)
        yield r.MigrationState(t + 2.5, *kind, "completed", source, dest, request)
        yield r.Released(t + 2.5, f"migration:{number + 1}", source)

    def _route(self, host: int, dest: int) -> list[int]:
        leaf, other = host // 20, dest // 20
        middle = [] if leaf == other else [self._first + 2 * leaf, self._first + 2 * other + 1]
        return [2 * host, *middle, 2 * dest + 1]

    @staticmethod
    def _state(t: float, server: str, host: str, request: str, task: str | None = None) -> r.Record:
        status = "MIGRATING" if task else "ACTIVE"
        return r.ServerState(t, server, "active", task, 1, host, "m.large", status, False, request)


def crowd(hosts: int, drained: int, per_host: int = PER_HOST) -> Iterator[r.Record]:
    """The log of a drain of ``drained`` of ``hosts`` hosts."""
    return Crowd(hosts, drained, per_host).log()
