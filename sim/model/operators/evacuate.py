"""Evacuate hosts that are down: an operator at a keyboard, or Masakari.

Masakari's delays: its host monitor looks every 60 s, the engine waits 180 s after it has disabled the service, and
three threads evacuate. Source: masakari-monitors and masakari, as cited in ``docs/explanation/physics.md``.
"""

from __future__ import annotations

import math

from sim.model.operators.operator import Job, Operator, Steps, failure
from sim.model.server import Server
from sim.scenario.spec import EvacuateStep

MASAKARI_POLL_S = 60.0
MASAKARI_WAIT_S = 180.0
MASAKARI_THREADS = 3
MASAKARI_PATIENCE_S = 90.0
OPERATOR_PATIENCE_S = 1800.0
"""How long an operator looks at one server before going on (assumed): its new host may have died, too."""


class Evacuation:
    """Evacuates all servers of the hosts, as soon as Nova believes that each is down."""

    def __init__(self, operator: Operator, hosts: list[int], spec: EvacuateStep) -> None:
        self.operator, self.hosts, self.spec = operator, hosts, spec
        self.cloud = operator.cloud
        self._patience_s = MASAKARI_PATIENCE_S if spec.by == "masakari" else OPERATOR_PATIENCE_S

    def run(self, target: str) -> Steps:
        """Every host on its own; the job ends with the last server."""
        servers = sum(len(self.cloud.db.on_host.get(host, {})) for host in self.hosts)
        job = self.operator.begin("evacuate", target, servers)
        yield self.cloud.env.all_of([self.cloud.env.process(self._host(host, job)) for host in self.hosts])
        self.operator.end(job, "done" if job.left == 0 else "partial", f"{job.moved} moved, {job.left} left")

    def _host(self, host: int, job: Job) -> Steps:
        env, name = self.cloud.env, self.cloud.hosts.names[host]
        threads = self.spec.concurrency
        if self.spec.by == "masakari":
            phase = self.cloud.streams.uniform("masakari.poll", name) * MASAKARI_POLL_S
            noticed = phase + math.ceil(max(0.0, env.now - phase) / MASAKARI_POLL_S) * MASAKARI_POLL_S
            yield env.timeout(noticed - env.now)
            yield from self.cloud.door.service(host, disabled=True, reason="Masakari: host failure")
            yield env.timeout(MASAKARI_WAIT_S)
            threads = MASAKARI_THREADS
        else:
            if self.spec.force_down:
                yield from self.cloud.door.service(host, forced_down=True)
            yield self.cloud.service_group.when_down(host)
            yield env.timeout(self.cloud.streams.draw(self.spec.reaction, "evacuate.reaction", name))
        yield self.cloud.service_group.when_down(host)
        waiting = list(self.cloud.db.on_host.get(host, {}).values())
        waiting.reverse()
        yield env.all_of([env.process(self._work(waiting, job)) for _ in range(min(threads, len(waiting)))])

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
        if not (yield from self.operator.wait_at_most(server, self._patience_s)):
            self.operator.leave_to_human(server, job, f"not rebuilt within {self._patience_s:.0f} s")
            return
        if server.host == source or server.vm_state == "error":
            self.operator.leave_to_human(server, job, failure(server, answer.request_id))
            return
        job.moved += 1
