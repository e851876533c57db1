"""Bad luck by distribution: hosts (or whole racks) fail and are repaired, again and again, each from its own stream."""

from __future__ import annotations

from collections.abc import Sequence

from sim.model.compute.failures import Trouble
from sim.model.operators.operator import Operator, Steps
from sim.scenario.spec import FaultSpec


class Faults:
    """Starts one process for each thing that can fail; it sleeps until the failure."""

    def __init__(self, operator: Operator) -> None:
        self.operator, self.cloud = operator, operator.cloud

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
            job = self.operator.begin("fault", f"{name} ({spec.kind})")
            trouble = Trouble(spec.kind, spec.factor)
            for host in members:
                self.cloud.failures.strikes(host, trouble, f"failed: {spec.kind}")
            yield env.timeout(draw(spec.repair, f"fault.{number}.repair", name))
            for host in members:
                self.cloud.failures.mended(host, trouble)
            self.operator.end(job)
