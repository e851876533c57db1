"""Users: they create servers, keep them for a lifetime, and delete them. They knock on the door like anyone."""

from __future__ import annotations

import math
from bisect import bisect
from collections.abc import Iterator
from itertools import accumulate
from typing import Any

from simpy.events import Event

from sim.model.api.door import Call
from sim.model.cloud import Cloud
from sim.model.operators.operator import Steps
from sim.scenario.importers.traces import Arrival, read_arrivals
from sim.scenario.spec import WorkloadSpec


class Workload:
    """One stream of users."""

    def __init__(self, cloud: Cloud, spec: WorkloadSpec) -> None:
        self.cloud, self.spec = cloud, spec
        weights = spec.flavors or dict.fromkeys(cloud.flavors, 1.0)
        self._names = list(weights)
        self._cumulative = list(accumulate(weights.values()))
        self._living = 0
        self._over: Event | None = None
        """Happens when nobody lives any more, once nobody arrives any more."""

    def run(self) -> Steps:
        """Arrivals until the count, the end of the trace or ``until``; over when the last server's life is."""
        env, spec = self.cloud.env, self.spec
        for number, arrival in enumerate(self._arrivals(), 1):
            if spec.until is not None and arrival.t > spec.until:
                break
            if spec.count is not None and number > spec.count:
                break
            if arrival.t > env.now:
                yield env.timeout(arrival.t - env.now)
            self._living += 1
            env.process(self._server(f"{spec.name}-{number}", arrival))
        if self._living:
            self._over = env.event()
            yield self._over

    def _arrivals(self) -> Iterator[Arrival]:
        if self.spec.trace is not None:
            for arrival in read_arrivals(self.spec.trace):
                yield arrival._replace(t=self.spec.first + arrival.t)
            return
        draw, name, now = self.cloud.streams.draw, self.spec.name, self.spec.first
        every, lifetime = self.spec.every, self.spec.lifetime
        assert every is not None
        assert lifetime is not None
        while True:
            now += draw(every, "workload.every", name)
            luck = self.cloud.streams.uniform("workload.flavor", name) * self._cumulative[-1]
            flavor = self._names[bisect(self._cumulative, luck)]
            yield Arrival(now, draw(lifetime, "workload.lifetime", name), flavor)

    def _server(self, name: str, arrival: Arrival) -> Steps:
        """One server, from its user's side."""
        yield from self._live(name, arrival)
        self._living -= 1
        if not self._living and self._over is not None:
            self._over.succeed()

    def _live(self, name: str, arrival: Arrival) -> Steps:
        """Create it, keep it, delete it; one that lives without end is left to itself."""
        spec, cloud = self.spec, self.cloud
        image = spec.image or next(iter(cloud.glance), "")
        body: dict[str, Any] = {
            "name": name, "flavorRef": arrival.flavor, "imageRef": image, "networks": "none",
            "metadata": {"novasim:activity": spec.activity},
        }  # fmt: skip
        if spec.boot_from == "volume":
            del body["imageRef"]
            volume = {"boot_index": 0, "uuid": image, "source_type": "image", "destination_type": "volume"}
            body["block_device_mapping_v2"] = [volume]
        create = Call(
            server=None, body={"server": body}, microversion="2.90", roles=("member",), project=spec.project,
            who=f"workload:{spec.name}",
        )  # fmt: skip
        answer = yield from cloud.door.request(create)
        if answer.code >= 400 or math.isinf(arrival.lifetime):
            return
        yield cloud.env.timeout(arrival.lifetime)
        delete = Call(
            server=answer.body["server"]["id"], method="DELETE", microversion="2.90", roles=("member",),
            project=spec.project, who=f"workload:{spec.name}",
        )  # fmt: skip
        yield from cloud.door.request(delete)
