"""Bad luck by distribution: hosts (or whole racks) fail and are repaired, again and again, each from its own stream."""

from __future__ import annotations

from collections.abc import Sequence

from sim.model.operators.hosts import HostKeeper
from sim.model.operators.operator import Steps
from sim.scenario.spec import FaultSpec


class Faults:
    """Starts one process for each thing that can fail; it sleeps until the failure."""

    def __init__(self, keeper: HostKeeper) -> None:
        self.keeper = keeper
        self.cloud = keeper.cloud

    def start(self, spec: FaultSpec, hosts: Sequence[int], number: int) -> None:
        """Arm the failures of one entry of ``faults``; ``number`` tells entries apart in the random streams."""
        groups: dict[str, list[int]] = {}
        for host in hosts:
            name = self.cloud.hosts.racks[host] if spec.scope == "rack" else self.cloud.hosts.names[host]
            groups.setdefault(name, []).append(host)
        for name, members in groups.items():
            self.cloud.env.process(self._live(spec, name, members, number))

    def _live(self, spec: FaultSpec, name: str, members: list[int], number: int) -> Steps:
        env, draw = self.cloud.env, self.cloud.streams.draw
        while True:
            yield env.timeout(draw(spec.every, f"fault.{number}.every", name))
            job = self.keeper.operator.begin("fault", f"{name} ({spec.kind})")
            well = [host for host in members if self.cloud.hosts.power[host] == "up"]
            for host in well:
                self.keeper.break_host(host, spec.kind, spec.factor)
            yield env.timeout(draw(spec.repair, f"fault.{number}.repair", name))
            for host in well:
                self.keeper.mend_host(host, spec.kind)
            self.keeper.operator.end(job)
