"""Drain hosts: disable them, move every server off, try again, and name what is left."""

from __future__ import annotations

import heapq
from collections.abc import Generator, Iterable
from typing import Any

from simpy.events import Event

from sim.model.operators.operator import Job, Operator, Steps, failure
from sim.model.server import Server
from sim.scenario.spec import DrainStep

_MOVED = frozenset({"completed", "confirmed", "finished"})


class Drain:
    """One drain. Its workers take servers in the wanted order, at most ``per_host`` of each host at once."""

    def __init__(self, operator: Operator, hosts: list[int], spec: DrainStep) -> None:
        self.operator, self.hosts, self.spec = operator, hosts, spec
        self.cloud = operator.cloud
        self._sources = frozenset(hosts)
        self._ready: list[tuple[int, int]] = []
        """Heap of (rank of the lane's next server, lane): a token each for what a lane may have under way."""
        self._lanes: list[list[tuple[int, Server]]] = []
        """Servers to move with their ranks, next one last; a lane is a host, or all of them without ``per_host``."""

    def run(self, target: str) -> Steps:
        """Drain to the end: everything moved, or left to a human."""
        operator, cloud, spec = self.operator, self.cloud, self.spec
        servers = self._servers()
        job = operator.begin("drain", target, len(servers))
        if spec.disable:
            for host in self.hosts:
                if not cloud.hosts.disabled[host]:
                    yield from cloud.door.service(host, disabled=True, reason=f"drain of {target}")
        self._queue(servers)
        if spec.waves:
            yield from self._waves(job)
        else:
            count = min(spec.concurrency, len(self._ready) or 1)
            yield cloud.env.all_of([cloud.env.process(self._work(job)) for _ in range(count)])
        outcome = "done" if job.left == 0 else "partial"
        operator.end(job, outcome, f"{job.moved} moved, {job.left} left")

    def _servers(self) -> list[Server]:
        """All servers of the hosts, in the order in which they shall go."""
        found = [server for host in self.hosts for server in self.cloud.db.on_host.get(host, {}).values()]
        order = self.spec.order
        if order == "smallest_first":
            found.sort(key=lambda server: (server.flavor.memory_mb, server.name))
        elif order == "largest_first":
            found.sort(key=lambda server: (-server.flavor.memory_mb, server.name))
        elif order == "random":
            luck = self.cloud.streams.uniform
            found = [server for _, _, server in sorted((luck("drain.order", s.name), s.name, s) for s in found)]
        return found

    def _queue(self, servers: Iterable[Server]) -> None:
        lanes: dict[int, list[tuple[int, Server]]] = {}
        for rank, server in enumerate(servers):
            lane = 0 if self.spec.per_host is None else (server.host or 0)
            lanes.setdefault(lane, []).append((rank, server))
        for number, lane_servers in enumerate(lanes.values()):
            tokens = self.spec.per_host or self.spec.concurrency
            for rank, _ in lane_servers[:tokens]:
                heapq.heappush(self._ready, (rank, number))
            lane_servers.reverse()
            self._lanes.append(lane_servers)

    def _work(self, job: Job) -> Steps:
        """One worker: as long as there is something it may take."""
        while (taken := self._take()) is not None:
            server, number = taken
            yield from self._move(server, job)
            self._give_back(number)

    def _waves(self, job: Job) -> Steps:
        """As many as may be under way at once, and the next ones when all of them are through."""
        env = self.cloud.env
        while self._ready:
            wave: list[tuple[Server, int]] = []
            while len(wave) < self.spec.concurrency and (taken := self._take()) is not None:
                wave.append(taken)
            yield env.all_of([env.process(self._move(server, job)) for server, _ in wave])
            for _, number in wave:
                self._give_back(number)

    def _take(self) -> tuple[Server, int] | None:
        """The next server and its lane, for one of the lane's tokens."""
        while self._ready:
            _, number = heapq.heappop(self._ready)
            lane = self._lanes[number]
            if lane:  # else its other tokens took the rest
                return lane.pop()[1], number
        return None

    def _give_back(self, number: int) -> None:
        """A lane's token is free again."""
        lane = self._lanes[number]
        if lane:
            heapq.heappush(self._ready, (lane[-1][0], number))

    def _move(self, server: Server, job: Job) -> Steps:
        """Move one server, ``attempts`` times at most."""
        reason = ""
        for attempt in range(self.spec.attempts):
            if server.deleted or server.host not in self._sources:
                return
            if attempt:
                yield self.cloud.env.timeout(self.spec.retry_after)
            live = self.spec.method == "live" or (self.spec.method == "auto" and server.vm_state != "stopped")
            reason = yield from (self._live(server) if live else self._cold(server))
            if not reason:
                job.moved += 1
                return
        self.operator.leave_to_human(server, job, reason)

    def _live(self, server: Server) -> Generator[Event, Any, str]:
        """Returns why it failed; empty when it moved."""
        body: dict[str, Any] = {"host": self.spec.destination, "block_migration": self.spec.block_migration}
        source = server.host
        answer = yield from self.operator.ask(server, {"os-migrateLive": body}, self.spec.microversion, "drain")
        if answer.code >= 400:
            return answer.message or f"refused with {answer.code}"
        yield from self.operator.wait(server)
        if server.host != source and server.migrations[-1].status in _MOVED:
            return ""
        return failure(server, answer.request_id)

    def _cold(self, server: Server) -> Generator[Event, Any, str]:
        """Returns why it failed; empty when it moved and was confirmed (if asked to)."""
        body = None if self.spec.destination is None else {"host": self.spec.destination}
        answer = yield from self.operator.ask(server, {"migrate": body}, self.spec.microversion, "drain")
        if answer.code >= 400:
            return answer.message or f"refused with {answer.code}"
        yield from self.operator.wait(server)
        if server.vm_state != "resized":
            return failure(server, answer.request_id)
        if self.spec.confirm:
            answer = yield from self.operator.ask(server, {"confirmResize": None}, self.spec.microversion, "drain")
            if answer.code >= 400:
                return answer.message or f"confirm refused with {answer.code}"
            yield from self.operator.wait(server)
        return ""
