"""Plays a scenario's plan: each step at its time, or after another."""

from __future__ import annotations

import fnmatch

from simpy.events import Event

from sim.model.api.door import Call
from sim.model.cloud import Cloud
from sim.model.faults import Faults
from sim.model.operators.drain import Drain
from sim.model.operators.evacuate import Evacuation
from sim.model.operators.hosts import HostKeeper
from sim.model.operators.operator import Operator, Steps
from sim.model.workload import Workload
from sim.scenario.patterns import match_hosts
from sim.scenario.spec import ConfirmStep, HostsStep, PlanStep, RequestStep, Scenario


class Plan:
    """The plan, the faults and the workloads of a scenario, on a cloud."""

    def __init__(self, cloud: Cloud, scenario: Scenario) -> None:
        self.cloud, self.scenario = cloud, scenario
        self.operator = Operator(cloud)
        self.keeper = HostKeeper(self.operator)
        self.open = 0
        """Steps that have begun and not ended."""
        self.waiting = len(scenario.plan)
        """Steps that have not begun."""
        self._left = len(scenario.plan) + len(scenario.workload)
        self._ended: dict[str, Event] = {step.name: cloud.env.event() for step in scenario.plan if step.name}

    @property
    def over(self) -> bool:
        """Whether every step and every workload has ended."""
        return self._left == 0

    def start(self) -> None:
        """Arm everything; nothing happens before the clock runs."""
        env = self.cloud.env
        for step in self.scenario.plan:
            env.process(self._play(step))
        for spec in self.scenario.workload:
            env.process(self._users(spec))
        faults = Faults(self.operator)
        for number, fault in enumerate(self.scenario.faults):
            faults.start(fault, self._hosts(fault.hosts), number)

    def _users(self, spec: object) -> Steps:
        from sim.scenario.spec import WorkloadSpec

        assert isinstance(spec, WorkloadSpec)
        yield from Workload(self.cloud, spec).run()
        self._left -= 1

    def _play(self, step: PlanStep) -> Steps:
        if step.after is not None:
            yield self._ended[step.after]
        if step.at:
            yield self.cloud.env.timeout(step.at)
        self.open += 1
        self.waiting -= 1
        yield from self._do(step)
        self.open -= 1
        self._left -= 1
        if step.name is not None:
            self._ended[step.name].succeed()

    def _do(self, step: PlanStep) -> Steps:
        """The one thing that a step is."""
        if step.request is not None:
            yield from self._request(step.request)
        elif step.confirm is not None:
            yield from self._confirm(step.confirm)
        elif step.link is not None:
            names = [name for name, _ in self.cloud.topology.links]
            links = [i for i, name in enumerate(names) if any(fnmatch.fnmatch(name, p) for p in step.link.links)]
            yield from self.keeper.link(links, step.link)
        elif step.drain is not None:
            hosts, target = self._target(step.drain)
            yield from Drain(self.operator, hosts, step.drain).run(target)
        elif step.evacuate is not None:
            hosts, target = self._target(step.evacuate)
            yield from Evacuation(self.operator, hosts, step.evacuate).run(target)
        else:
            yield from self._keep(step)

    def _keep(self, step: PlanStep) -> Steps:
        """Steps about hosts themselves."""
        if step.reboot is not None:
            hosts, target = self._target(step.reboot)
            yield from self.keeper.reboot(hosts, step.reboot, target)
        elif step.rolling_reboot is not None:
            hosts, target = self._target(step.rolling_reboot)
            yield from self.keeper.rolling_reboot(hosts, step.rolling_reboot, target)
        elif step.fail is not None:
            hosts, target = self._target(step.fail)
            yield from self.keeper.fail(hosts, step.fail, target)
        elif step.service is not None:
            hosts, target = self._target(step.service)
            yield from self.keeper.service(hosts, step.service, target)

    def _request(self, spec: RequestStep) -> Steps:
        """A raw request at the door."""
        migration = spec.migration
        if migration == "last":
            server = self.cloud.db.servers.get(spec.server or "")
            migration = server.migrations[-1].id if server is not None and server.migrations else None
        call = Call(
            server=spec.server, body=spec.body, method=spec.method, migration=migration,
            microversion=spec.microversion, roles=spec.roles, project=spec.project, who="plan",
        )  # fmt: skip
        yield from self.cloud.door.request(call)

    def _confirm(self, spec: ConfirmStep) -> Steps:
        """Confirm or revert whoever waits for it and is named."""
        job = self.operator.begin("confirm", ", ".join(spec.servers))
        for server in list(self.cloud.db.servers.values()):
            if server.vm_state == "resized" and any(fnmatch.fnmatch(server.name, p) for p in spec.servers):
                answer = yield from self.operator.ask(server, {spec.action: None}, "2.90", "confirm")
                if answer.code >= 400:
                    self.operator.leave_to_human(server, job, answer.message or f"refused with {answer.code}")
        self.operator.end(job, "done" if job.left == 0 else "partial")

    def _target(self, step: HostsStep) -> tuple[list[int], str]:
        return self._hosts(step.hosts), ", ".join(step.hosts)

    def _hosts(self, selectors: tuple[str, ...]) -> list[int]:
        """Host indices that the selectors mean, each once, in the hosts' order."""
        aggregates = {name: [self.cloud.hosts.names[i] for i in a.hosts] for name, a in self.cloud.aggregates.items()}
        return match_hosts(
            selectors, self.cloud.hosts.names, self.cloud.hosts.racks, self.cloud.hosts.zones, aggregates
        )
