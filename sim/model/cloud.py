"""The cloud: every part of one simulated deployment, and the operations under way on it.

Parts find each other here, by the names that Nova gives them. :mod:`sim.model.build` makes a cloud; nobody else does.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import simpy
from simpy.events import Event, Process

from sim.eventlog import records
from sim.eventlog.log import EventLog
from sim.kernel.pool import Pool
from sim.kernel.streams import Streams
from sim.model.compute.failures import Trouble
from sim.model.network.flows import Flow, Flows

if TYPE_CHECKING:
    from sim.model.aggregate import Aggregate, ServerGroup
    from sim.model.api.door import Door
    from sim.model.build.servers import Guests
    from sim.model.compute import Compute
    from sim.model.compute.failures import Failures
    from sim.model.compute.group_check import GroupCheck
    from sim.model.compute.images import Images
    from sim.model.compute.service_group import ServiceGroup
    from sim.model.conductor import Conductor
    from sim.model.database import Database
    from sim.model.flavor import Flavor, Image
    from sim.model.host import Hosts
    from sim.model.migration.rounds import Rounds
    from sim.model.network.topology import Topology
    from sim.model.placement import Placement
    from sim.model.scheduler.scheduler import Scheduler
    from sim.model.server import Server
    from sim.model.stages import Stages
    from sim.scenario.nova_conf import NovaOptions
    from sim.scenario.spec import NovaSpec, StorageSpec
    from sim.scenario.timings import Timings


@dataclass(frozen=True, slots=True)
class Pools:
    """Workers of the services that all operations share."""

    api: Pool
    conductor: Pool
    scheduler: Pool


class Cloud:
    """One simulated deployment. ``build`` fills in the parts below the constructor's."""

    hosts: Hosts
    placement: Placement
    db: Database
    aggregates: dict[str, Aggregate]
    groups: dict[str, ServerGroup]
    flavors: dict[str, Flavor]
    glance: dict[str, Image]
    """Images by name."""
    guests: Guests
    topology: Topology
    flows: Flows
    scheduler: Scheduler
    stages: Stages
    pools: Pools
    service_group: ServiceGroup
    group_check: GroupCheck
    images: Images
    """Image caches of the hosts."""
    failures: Failures
    conductor: Conductor
    compute: Compute
    door: Door

    def __init__(
        self,
        env: simpy.Environment,
        log: EventLog,
        streams: Streams,
        *,
        options: NovaOptions,
        nova: NovaSpec,
        timings: Timings,
        storage: StorageSpec,
    ) -> None:
        self.env, self.log, self.streams = env, log, streams
        self.options, self.nova, self.timings, self.storage = options, nova, timings, storage
        self.migration_model: type[Rounds] | None = None
        """An own model of live migrations; None is QEMU's."""
        self.shared_storage = storage.instances == "shared"
        """Whether root disks lie where every host sees them."""
        self.processes: dict[str, Process] = {}
        """Server → the operation under way on it, the latest if there are several."""
        self.under_way = 0
        """Operations that have begun and not ended."""

    def cast(self, steps: Generator[Event, Any, Any], server: Server | None = None) -> Process:
        """Begin an operation that nobody waits for, as a message cast to a service."""
        process = self.env.process(steps)
        self.under_way += 1
        assert process.callbacks is not None
        if server is None:
            process.callbacks.append(self._ended)
        else:
            name = server.name
            self.processes[name] = process
            process.callbacks.append(lambda ended: self._ended_on(ended, name))
        return process

    def _ended(self, _: Event) -> None:
        self.under_way -= 1

    def _ended_on(self, process: Event, server: str) -> None:
        self.under_way -= 1
        if self.processes.get(server) is process:
            del self.processes[server]

    # --- hosts

    def host_failed(self, host: int, kind: str, reason: str) -> None:
        """A host falls silent until :meth:`host_returned`: ``kind`` is crash, reboot, hang or network."""
        self.failures.strikes(host, Trouble(kind, for_good=True), reason)

    def host_returned(self, host: int) -> None:
        """A silent host is back, whatever silenced it."""
        self.failures.mended(host, *self.failures.silences(host))

    def record_host(self, host: int, reason: str = "") -> None:
        """Record a host as it now is."""
        hosts = self.hosts
        self.log.append(
            records.HostState(
                self.env.now, hosts.names[host], hosts.power[host], bool(hosts.disabled[host]),
                bool(hosts.forced_down[host]), reason,
            )
        )  # fmt: skip


class FlowRecorder:
    """Writes down what the flows do. A flow's label is (purpose, server)."""

    def __init__(self, env: simpy.Environment, log: EventLog, names: Mapping[int, str] | list[str]) -> None:
        self._env, self._log, self._names = env, log, names

    def started(self, flow: Flow) -> None:
        """It begins."""
        purpose, server = flow.label
        self._log.append(
            records.FlowStarted(
                self._env.now, flow.id, purpose, server, self._names[flow.source], self._names[flow.dest],
                list(flow.route), flow.rate_bps,
            )
        )  # fmt: skip

    def rate(self, flow: Flow) -> None:
        """It goes faster or slower."""
        self._log.append(records.FlowRate(self._env.now, flow.id, flow.rate_bps))

    def slowdown(self, flow: Flow) -> None:
        """Its guest feels it more or less."""
        self._log.append(records.Slowdown(self._env.now, flow.label[1], flow.slowdown, flow.label[0]))

    def ended(self, flow: Flow) -> None:
        """It is over."""
        self._log.append(records.FlowEnded(self._env.now, flow.id, flow.bytes, flow.transfer.finished))
