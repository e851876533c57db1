"""Small clouds for the scheduler alone: hosts, placement, tables, and a clock that stands."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import simpy

from sim.eventlog.log import EventLog
from sim.kernel.streams import Streams
from sim.model.aggregate import Aggregate, ServerGroup
from sim.model.database import Database
from sim.model.flavor import Flavor, Image
from sim.model.guest import Guest
from sim.model.host import Hosts
from sim.model.placement import Placement
from sim.model.scheduler.request import SchedulerRequest, Selection
from sim.model.scheduler.scheduler import Scheduler
from sim.model.scheduler.view import View
from sim.model.server import Server
from sim.scenario.nova_conf import read_options

IDLE = Guest("idle", 0.0, 0, 1.0)
SMALL = Flavor("small", 2, 2048, 20)


class SmallCloud:
    """``count`` hosts ``h0`` … of 16 vCPUs, 32 GiB and 500 GB. Change columns in place before the first request."""

    def __init__(
        self, count: int = 4, options: Mapping[str, Any] | None = None, *, explain: bool = False, seed: int = 1,
        aggregates: Sequence[Aggregate] = (), groups: Sequence[ServerGroup] = (), zones: Sequence[str] | None = None,
        total: Sequence[Sequence[int]] | None = None, ratio: Sequence[Sequence[float]] | None = None,
        placement: type[Placement] = Placement, **more: Any,
    ) -> None:  # fmt: skip
        self.env, self.log, self.explain = simpy.Environment(), EventLog(), explain
        names = [f"h{number}" for number in range(count)]
        self.hosts = Hosts(names, ["rack"] * count, list(zones) if zones else ["nova"] * count)
        self.placement = placement(
            self.env, self.log, self.hosts,
            total=[[16] * count, [32768] * count, [500] * count] if total is None else total,
            reserved=np.zeros((3, count)),
            ratio=[[4.0] * count, [1.0] * count, [1.0] * count] if ratio is None else ratio, **more,
        )  # fmt: skip
        self.db = Database(self.env, self.log, self.hosts)
        self.aggregates, self.groups = list(aggregates), {group.name: group for group in groups}
        self.options = read_options(None, dict(options or {}))
        self.view = View(
            hosts=self.hosts, placement=self.placement, aggregates=self.aggregates, groups=self.groups,
            servers=self.db.servers, on_host=self.db.on_host, options=self.options,
        )  # fmt: skip
        self.streams = Streams(seed)
        self._scheduler: Scheduler | None = None

    @property
    def scheduler(self) -> Scheduler:
        if self._scheduler is None:
            self._scheduler = Scheduler(self.view, self.env, self.log, self.streams, explain=self.explain)
        return self._scheduler

    def server(
        self, name: str, flavor: Flavor = SMALL, *, host: int | None = None, image: Image | None = None,
        group: str | None = None, hints: Mapping[str, Any] | None = None, project: str = "demo", az: str | None = None,
        volume: bool = False,
    ) -> Server:  # fmt: skip
        """A server in the tables; with ``host``, on it and holding its share."""
        server = Server(
            name, f"uuid-{name}", flavor, IDLE, project=project, user="user", image=image, boot_from_volume=volume
        )
        server.group, server.az = group, az
        if group is not None:
            self.groups[group].members.append(name)
        if hints:
            server.extras = {"hints": dict(hints)}
        self.db.add_server(server)
        if host is not None:
            self.placement.load([(server, host, server.resources)])
            self.db.set_host(server, host)
        return server

    def select(self, server: Server, alternates: int = 0, **request: Any) -> Selection:
        """Ask for a host as a build does."""
        return self.scheduler.select(SchedulerRequest(server, **request), alternates)

    def build(self, name: str, flavor: Flavor = SMALL, **more: Any) -> int:
        """A new server on the host that the scheduler chose."""
        server = self.server(name, flavor, **more)
        chosen = self.select(server).chosen
        self.db.set_host(server, chosen)
        return chosen
