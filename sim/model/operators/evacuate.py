"""Evacuate hosts that are down: an operator at a keyboard, or Masakari.

Masakari's delays: its host monitor looks every 60 s, the engine waits 180 s after it has disabled the service, and
three threads evacuate, each looking every second whether its server is there. Source: masakari-monitors and masakari,
as cited in ``docs/explanation/physics.md``.
"""

from __future__ import annotations

import math
from collections.abc import Generator
from typing import Any

from simpy.events import Event

from sim.model.host import UP
from sim.model.operators.operator import Job, Operator, Steps, failure
from sim.model.server import Server
from sim.scenario.spec import EvacuateStep

MASAKARI_POLL_S = 60.0
MASAKARI_WAIT_S = 180.0
MASAKARI_THREADS = 3
MASAKARI_PATIENCE_S = 90.0
MASAKARI_VERIFY_S = 1.0
_MASAKARI_REASON = "Masakari: host failure"
OPERATOR_PATIENCE_S = 1800.0
"""How long an operator looks at one server before going on (assumed): its new host may have died, too."""


class Evacuation:
    """Evacuates all servers of the hosts, once each has failed and Nova believes it."""

    def __init__(self, operator: Operator, hosts: list[int], spec: EvacuateStep) -> None:
        self.operator, self.hosts, self.spec = operator, hosts, spec
        self.cloud = operator.cloud
        self._by_masakari = spec.by == "masakari"
        self._patience_s = MASAKARI_PATIENCE_S if self._by_masakari else OPERATOR_PATIENCE_S

    def run(self, target: str) -> Steps:
        """Once, or for as long as the run lasts: that is no part of the plan that anybody waits for."""
        if not self.spec.again:
            yield from self._once(self.hosts, target)
            return
        for host in self.hosts:
            self.cloud.env.process(self._on_duty(host))

    def _once(self, hosts: list[int], target: str) -> Steps:
        """Every host on its own; the job ends with the last server."""
        servers = sum(len(self.cloud.db.on_host.get(host, {})) for host in hosts)
        job = self.operator.begin("evacuate", target, servers)
        lives = [self.cloud.env.process(self._host(host, job)) for host in hosts]
        yield self.cloud.env.all_of(lives)
        names = [self.cloud.hosts.names[host] for host, one in zip(hosts, lives, strict=True) if not one.value]
        back = f"back before it was their turn: {', '.join(names)}; " if names else ""
        self.operator.end(job, "done" if job.left == 0 else "partial", f"{back}{job.moved} moved, {job.left} left")

    def _on_duty(self, host: int) -> Steps:
        """Each failure of a host is a job; a host that is back gets servers again."""
        hosts, failures, door = self.cloud.hosts, self.cloud.failures, self.cloud.door
        while True:
            yield failures.when_failed(host)
            yield self.cloud.cast(self._once([host], hosts.names[host]))
            yield failures.when_back(host)
            if hosts.disabled_reason.get(host) == _MASAKARI_REASON:
                yield from door.service(host, disabled=False)
            if self.spec.force_down and hosts.forced_down[host]:
                yield from door.service(host, forced_down=False)

    def _host(self, host: int, job: Job) -> Generator[Event, Any, bool]:
        """False if the host was back before anybody asked for its servers."""
        env, service_group = self.cloud.env, self.cloud.service_group
        yield self.cloud.failures.when_failed(host) | service_group.when_down(host)
        if not (yield from (self._masakari(host) if self._by_masakari else self._somebody(host))):
            return False
        waiting = list(self.cloud.db.on_host.get(host, {}).values())
        waiting.reverse()
        threads = min(MASAKARI_THREADS if self._by_masakari else self.spec.concurrency, len(waiting))
        yield env.all_of([env.process(self._work(waiting, job)) for _ in range(threads)])
        return True

    def _somebody(self, host: int) -> Generator[Event, Any, bool]:
        """An operator sees that the service is down, and reacts; whether there still is a reason to then."""
        if self.spec.force_down:
            yield from self.cloud.door.service(host, forced_down=True)
        yield from self._believed(host)
        if self.cloud.service_group.is_up(host):
            return False
        reaction = self.cloud.streams.draw(self.spec.reaction, "evacuate.reaction", self.cloud.hosts.names[host])
        yield self.cloud.env.timeout(reaction)
        yield from self._believed(host)
        return not self.cloud.service_group.is_up(host)

    def _masakari(self, host: int) -> Generator[Event, Any, bool]:
        """Masakari looks, switches the service off, waits, and asks, whatever the host is by then.

        False if it was back when Masakari looked.
        """
        env, name = self.cloud.env, self.cloud.hosts.names[host]
        phase = self.cloud.streams.uniform("masakari.poll", name) * MASAKARI_POLL_S
        noticed = phase + math.ceil(max(0.0, env.now - phase) / MASAKARI_POLL_S) * MASAKARI_POLL_S
        yield env.timeout(noticed - env.now)
        if self.cloud.hosts.power[host] == UP and self.cloud.service_group.is_up(host):
            return False
        yield from self.cloud.door.service(host, disabled=True, reason=_MASAKARI_REASON)
        yield env.timeout(MASAKARI_WAIT_S)
        yield from self._believed(host)
        return True

    def _believed(self, host: int) -> Steps:
        """Wait until Nova believes the host to be down, or it is back."""
        if self.cloud.hosts.power[host] != UP:
            yield self.cloud.service_group.when_down(host) | self.cloud.failures.when_back(host)

    def _work(self, waiting: list[Server], job: Job) -> Steps:
        while waiting:
            yield from self._evacuate(waiting.pop(), job)

    def _evacuate(self, server: Server, job: Job) -> Steps:
        body = {} if self.spec.destination is None else {"host": self.spec.destination}
        source = server.host
        answer = yield from self.operator.ask(server, {"evacuate": body}, self.spec.microversion, "evacuate")
        if answer.code >= 400:
            self.operator.leave_to_human(server, job, answer.message or f"refused with {answer.code}")
            return
        asked = self.cloud.env.now
        there = yield from self.operator.wait_at_most(server, self._patience_s)
        if self._by_masakari:
            took = self.cloud.env.now - asked
            yield self.cloud.env.timeout(math.ceil(took / MASAKARI_VERIFY_S) * MASAKARI_VERIFY_S - took)
        if not there:
            self.operator.leave_to_human(server, job, f"not rebuilt within {self._patience_s:.0f} s")
            return
        if server.host == source or server.vm_state == "error":
            self.operator.leave_to_human(server, job, failure(server, answer.request_id))
            return
        job.moved += 1
