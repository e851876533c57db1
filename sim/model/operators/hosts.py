"""What operators do to hosts: reboot them, roll through them, switch services, and what bad luck does to them."""

from __future__ import annotations

from sim.model.compute.failures import Trouble
from sim.model.operators.drain import Drain
from sim.model.operators.operator import REFUSED, Operator, Steps
from sim.scenario.distribution import Dist
from sim.scenario.spec import DrainStep, FailStep, LinkStep, RebootStep, RollingRebootStep, ServiceStep


class HostKeeper:
    """Operations on hosts, each a generator in simulated time."""

    def __init__(self, operator: Operator) -> None:
        self.operator = operator
        self.cloud = operator.cloud
        self._changes: dict[int, dict[int, float]] = {}
        """Link → changes of its capacity in force, in the order in which they were made."""

    def reboot(self, hosts: list[int], spec: RebootStep, target: str) -> Steps:
        """All hosts at once go down, and come back each in its own time."""
        job = self.operator.begin("reboot", target)
        down = [self.cloud.env.process(self._reboot_one(host, spec.takes, spec.enable)) for host in hosts]
        yield self.cloud.env.all_of(down)
        self.operator.end(job)

    def _reboot_one(self, host: int, takes: Dist, enable: bool) -> Steps:
        """Also ends a hang, and a crash that nobody repairs."""
        name, failures, reboot = self.cloud.hosts.names[host], self.cloud.failures, Trouble("reboot")
        failures.strikes(host, reboot, "rebooted by the operator")
        yield self.cloud.env.timeout(self.cloud.streams.draw(takes, "reboot", name))
        cured = [one for one in failures.silences(host) if one.kind == "hang" or (one.kind == "crash" and one.for_good)]
        failures.mended(host, reboot, *cured)
        if enable and self.cloud.hosts.disabled[host]:
            yield from self.cloud.door.service(host, disabled=False)

    def rolling_reboot(self, hosts: list[int], spec: RollingRebootStep, target: str) -> Steps:
        """Drain, reboot and bring back, ``batch`` hosts at a time. Hosts that could not be emptied are not rebooted.

        Who was disabled before stays so.
        """
        job = self.operator.begin("rolling_reboot", target)
        skipped = []
        for first in range(0, len(hosts), spec.batch):
            batch = hosts[first : first + spec.batch]
            names = tuple(self.cloud.hosts.names[host] for host in batch)
            enabled = [host for host in batch if not self.cloud.hosts.disabled[host]]
            drain = DrainStep.model_validate({"hosts": names, **spec.drain})
            yield from Drain(self.operator, batch, drain).run(", ".join(names))
            empty = [host for host in batch if not self.cloud.db.on_host.get(host)]
            skipped += [self.cloud.hosts.names[host] for host in batch if host not in empty]
            yield self.cloud.env.all_of(
                [self.cloud.env.process(self._reboot_one(host, spec.takes, host in enabled)) for host in empty]
            )
        detail = f"not rebooted, still holding servers: {', '.join(skipped)}" if skipped else ""
        self.operator.end(job, "partial" if skipped else "done", detail)

    def fail(self, hosts: list[int], spec: FailStep, target: str) -> Steps:
        """Hosts fail together; each is repaired in its own time."""
        job = self.operator.begin("fail", f"{target} ({spec.kind})")
        troubles = [Trouble(spec.kind, spec.factor, for_good=spec.repair is None) for _ in hosts]
        for host, trouble in zip(hosts, troubles, strict=True):
            self.cloud.failures.strikes(host, trouble, f"failed: {spec.kind}")
        if spec.repair is not None:
            pairs = zip(hosts, troubles, strict=True)
            repairs = [self.cloud.env.process(self._repair(*pair, spec.repair)) for pair in pairs]
            yield self.cloud.env.all_of(repairs)
        self.operator.end(job)

    def _repair(self, host: int, trouble: Trouble, repair: Dist) -> Steps:
        yield self.cloud.env.timeout(self.cloud.streams.draw(repair, "repair", self.cloud.hosts.names[host]))
        self.cloud.failures.mended(host, trouble)

    def service(self, hosts: list[int], spec: ServiceStep, target: str) -> Steps:
        """Switch compute services; Nova may refuse."""
        job, refused = self.operator.begin("service", f"{target} {spec.set}"), []
        for host in hosts:
            if spec.set in {"enabled", "disabled"}:
                steps = self.cloud.door.service(host, disabled=spec.set == "disabled", reason=spec.reason)
            else:
                steps = self.cloud.door.service(host, forced_down=spec.set == "forced_down")
            answer = yield from steps
            if answer.code >= REFUSED:
                refused.append(answer.message or f"refused with {answer.code}")
        outcome = "done" if not refused else "failed" if len(refused) == len(hosts) else "partial"
        self.operator.end(job, outcome, " ".join(refused))

    def link(self, links: list[int], spec: LinkStep) -> Steps:
        """Links get another capacity, for a while or for good; of several changes the latest that lasts is in force."""
        job = self.operator.begin("link", ", ".join(spec.links))
        for link in links:
            capacity = self._capacity(link) * spec.factor if spec.factor is not None else spec.capacity or 0.0
            self._changes.setdefault(link, {})[job.number] = capacity
            self.cloud.failures.link_changes(link, capacity)
        if spec.lasting is not None:
            yield self.cloud.env.timeout(spec.lasting)
            for link in links:
                latest = next(reversed(self._changes[link])) == job.number
                del self._changes[link][job.number]
                if latest:
                    before = next(reversed(self._changes[link].values()), self._capacity(link))
                    self.cloud.failures.link_changes(link, before)
        self.operator.end(job)

    def _capacity(self, link: int) -> float:
        """What the link was built for."""
        return self.cloud.topology.links[link][1]
