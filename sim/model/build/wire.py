"""Scenario → cloud, part by part, and the records of how it stands at the start."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import simpy

from sim.eventlog import records
from sim.eventlog.log import EventLog
from sim.kernel.pool import Pool
from sim.kernel.streams import Streams
from sim.model import states
from sim.model.aggregate import Aggregate, ServerGroup
from sim.model.api.door import Door
from sim.model.build import present
from sim.model.build.network import topology
from sim.model.build.placing import place
from sim.model.build.servers import Guests, ServerMaker, flavor_of, image_of
from sim.model.cloud import Cloud, FlowRecorder, Pools
from sim.model.compute import Compute
from sim.model.compute.failures import Failures
from sim.model.compute.group_check import GroupCheck
from sim.model.compute.images import Images
from sim.model.compute.service_group import ServiceGroup
from sim.model.conductor import Conductor
from sim.model.database import Database
from sim.model.guest_load import follow_traces
from sim.model.host import Hosts
from sim.model.migration.own import migration_model
from sim.model.network.flows import Flow, Flows
from sim.model.placement import Placement
from sim.model.scheduler.scheduler import Scheduler
from sim.model.scheduler.view import View
from sim.model.server import Server
from sim.model.stages import Stages
from sim.scenario.expand import HostRow, expand_hosts, expand_servers, host_index, nova_options
from sim.scenario.loader import digest
from sim.scenario.timings import load_profile

if TYPE_CHECKING:
    from sim.scenario.nova_conf import NovaOptions
    from sim.scenario.spec import CloudSpec, Scenario

SERVICE_VERSION = 70
"""Version of the compute service in the simulated release, where a host does not state another."""
_HOLDS_NOTHING = frozenset({"shelved_offloaded", "deleted"})
_WAITING = frozenset({"shelved", "soft-delete", "rescued"})
"""States that periodic tasks of the computes end after a while, counted from the start."""


def build(scenario: Scenario, seed: int, env: simpy.Environment, log: EventLog, *, explain: bool = False) -> Cloud:
    """A cloud as the scenario describes it, with nothing under way; the log then holds how it stands.

    ``explain`` records why the scheduler chose as it did.
    """
    spec = scenario.cloud
    options = nova_options(spec)
    timings = load_profile(spec.timings) if isinstance(spec.timings, str) else spec.timings
    cloud = Cloud(env, log, Streams(seed), options=options, nova=spec.nova, timings=timings, storage=spec.storage)
    cloud.migration_model = migration_model(spec.migration_model)
    rows = expand_hosts(spec, options)
    _passive(cloud, spec, rows)
    _network(cloud, spec, rows)
    view = View(
        hosts=cloud.hosts, placement=cloud.placement, aggregates=list(cloud.aggregates.values()), groups=cloud.groups,
        servers=cloud.db.servers, on_host=cloud.db.on_host, options=options,
    )  # fmt: skip
    _services(cloud, spec, view, explain)
    log.append(records.RunStarted(0.0, scenario.name, digest(scenario), seed, options.in_force()))
    names = cloud.hosts.names
    log.append(present.hosts(rows))
    dedicated = present.dedicated(rows)
    if dedicated is not None:
        log.append(dedicated)
    log.append(present.aggregates(cloud.aggregates.values(), names))
    log.append(present.flavors(cloud.flavors.values()))
    needs = present.flavor_needs(cloud.flavors.values())
    if needs is not None:
        log.append(needs)
    log.append(present.links(cloud.topology))
    _service_states(cloud, rows)
    _servers(cloud, spec, rows, view)
    log.append(present.servers(cloud.db.servers.values(), names))
    log.append(present.guests(cloud.db.servers.values()))
    log.append(present.migrations(cloud.db.migrations, names))
    if any(f.extra_specs for f in cloud.flavors.values()) or any(i.properties for i in cloud.glance.values()):
        holdings = present.holdings(cloud.db.servers.values(), cloud.db.migrations, names)
        if holdings is not None:
            log.append(holdings)
    log.append(present.groups(cloud.groups))
    for host, row in enumerate(rows):
        if row.service.status == "disabled" or row.service.forced_down or row.service.state == "down" or row.slow != 1:
            cloud.record_host(host, row.service.disabled_reason or "")
    return cloud


# --- passive state ----------------------------------------------------------------------------------------------------


def _passive(cloud: Cloud, spec: CloudSpec, rows: Sequence[HostRow]) -> None:
    """Hosts, capacity, tables, and everything that servers are made of."""
    hosts = cloud.hosts = Hosts([r.name for r in rows], [r.rack for r in rows], [r.zone for r in rows])
    hosts.hypervisor_type = [r.hypervisor_type for r in rows]
    hosts.hypervisor_version = np.array([r.hypervisor_version for r in rows], dtype=np.int64)
    hosts.service_version = [SERVICE_VERSION if r.service_version is None else r.service_version for r in rows]
    hosts.traits = [frozenset(r.traits) for r in rows]
    hosts.addresses = [r.address for r in rows]
    hosts.fails = [frozenset(r.fails) for r in rows]
    hosts.slow = [r.slow for r in rows]
    interval = float(cloud.options["DEFAULT.report_interval"])
    hosts.report_phase_s = cloud.streams.rng("service.report").uniform(0.0, interval, len(rows))
    cloud.placement = Placement(
        cloud.env, cloud.log, hosts,
        total=[[r.vcpus for r in rows], [r.memory_mb for r in rows], [r.disk_gb for r in rows]],
        reserved=[[r.reserved_vcpus for r in rows], [r.reserved_memory_mb for r in rows],
                  [r.reserved_disk_gb for r in rows]],
        ratio=[[r.cpu_ratio for r in rows], [r.ram_ratio for r in rows], [r.disk_ratio for r in rows]],
        pinned=[r.pinned_vcpus for r in rows], numa_nodes=[r.numa_nodes for r in rows],
        pack_nodes=bool(cloud.options["compute.packing_host_numa_cells_allocation_strategy"]),
    )  # fmt: skip
    cloud.db = Database(cloud.env, cloud.log, hosts)
    members: dict[str, list[int]] = {}
    for host, row in enumerate(rows):
        for name in row.aggregates:
            members.setdefault(name, []).append(host)
    cloud.aggregates = {
        a.name: Aggregate(a.name, members.get(a.name, []), a.zone or a.metadata.get("availability_zone"),
                          dict(a.metadata))
        for a in spec.aggregates
    }  # fmt: skip
    cloud.groups = {
        g.name: ServerGroup(g.name, g.policy, g.rules.get("max_server_per_host", 1)) for g in spec.server_groups
    }
    cloud.flavors = {f.name: flavor_of(f) for f in spec.flavors}
    cloud.glance = {i.name: image_of(i) for i in spec.images}
    cloud.guests = Guests()


def _network(cloud: Cloud, spec: CloudSpec, rows: Sequence[HostRow]) -> None:
    cloud.topology = topology(spec.network, rows, cloud.timings.link_efficiency)
    cloud.failures = Failures(cloud)
    recorder = FlowRecorder(cloud.env, cloud.log, cloud.hosts.names)

    def started(flow: Flow) -> None:
        recorder.started(flow)
        cloud.failures.begins(flow)

    cloud.flows = Flows(
        cloud.env, cloud.topology, on_start=started, on_rate=recorder.rate, on_slowdown=recorder.slowdown,
        on_end=recorder.ended,
    )  # fmt: skip


# --- services ---------------------------------------------------------------------------------------------------------


def _services(cloud: Cloud, spec: CloudSpec, view: View, explain: bool) -> None:
    """Everything that acts, in the order in which each needs the others."""
    env, workers = cloud.env, spec.workers
    cloud.pools = Pools(
        Pool(env, workers.api), Pool(env, workers.conductor or _workers(cloud.options, "conductor")),
        Pool(env, workers.scheduler or _workers(cloud.options, "scheduler")),
    )  # fmt: skip
    cloud.scheduler = Scheduler(view, env, cloud.log, cloud.streams, explain=explain)
    cloud.stages = Stages(cloud)
    cloud.service_group = ServiceGroup(
        env, cloud.hosts, float(cloud.options["DEFAULT.report_interval"]), _down_time_s(cloud.options)
    )  # fmt: skip
    cloud.group_check = GroupCheck(cloud)
    cloud.images = Images(cloud)
    cloud.conductor = Conductor(cloud)
    cloud.compute = Compute(cloud)
    cloud.door = Door(cloud)


def _down_time_s(options: NovaOptions) -> float:
    """``service_down_time``; one that is not longer than ``report_interval`` Nova replaces (servicegroup/api.py)."""
    interval, down_time = int(options["DEFAULT.report_interval"]), int(options["DEFAULT.service_down_time"])
    return float(int(interval * 2.5) if down_time <= interval else down_time)


def _workers(options: NovaOptions, group: str) -> int:
    """Nova's option; None, its default, is a worker for each CPU of a machine that is not simulated: no limit."""
    return int(options[f"{group}.workers"] or 0)


# --- servers ----------------------------------------------------------------------------------------------------------


def _service_states(cloud: Cloud, rows: Sequence[HostRow]) -> None:
    """Services that are disabled, forced down, or were silent long before the start."""
    for host, row in enumerate(rows):
        service = row.service
        cloud.hosts.disabled[host] = service.status == "disabled"
        if service.disabled_reason:
            cloud.hosts.disabled_reason[host] = service.disabled_reason
        if service.forced_down:
            cloud.service_group.force_down(host, True)
        elif service.state == "down":
            cloud.failures.silent_from_start(host)


def _servers(cloud: Cloud, spec: CloudSpec, rows: Sequence[HostRow], view: View) -> None:
    """Servers where the scenario says, then those that the scheduler places, then what waits for a periodic task."""
    db, index = cloud.db, cloud.hosts.index
    maker = ServerMaker(spec, index, cloud.flavors, cloud.glance, cloud.groups, cloud.guests)
    homeless: list[Server] = []
    waiting: list[Server] = []
    resized: list[tuple[Server, int]] = []
    claims = []
    for server, row in maker.make(expand_servers(spec, host_index(spec, list(rows)))):
        db.add_server(server)
        if server.vm_state not in _HOLDS_NOTHING:
            if server.host is not None:
                claims.append((server, server.host, server.resources))
            elif not row.hostless:
                homeless.append(server)
        if server.vm_state in _WAITING:
            waiting.append(server)
        if row.resized_from is not None:
            resized.append((server, index[row.resized_from]))
        elif server.vm_state == "deleted":
            _gone(cloud, server)
    cloud.placement.load(claims)
    for server, source in resized:
        _wait_for_confirm(cloud, server, source)
    if homeless:
        place(cloud, view, homeless)
    _periodic(cloud, waiting, [server for server, _ in resized])
    follow_traces(cloud, [server for server in db.servers.values() if server.extras.get("cpu_trace")])


def _periodic(cloud: Cloud, waiting: Sequence[Server], resized: Sequence[Server]) -> None:
    """What nova-compute's periodic tasks will find: one event each, armed for its moment."""
    for server in resized:
        cloud.compute.resize.finished(server.migrations[-1])
    for server in waiting:
        if server.vm_state == "shelved":
            cloud.compute.shelving.limit.begins(server, 0.0)
        elif server.vm_state == "rescued":
            cloud.compute.rescue.limit.begins(server, 0.0)
        else:
            cloud.compute.deleting.limit.begins(server, 0.0)


def _gone(cloud: Cloud, server: Server) -> None:
    """A server that was deleted before the start: known by name, on no host."""
    cloud.db.set_host(server, None)
    server.deleted, server.terminated = True, 0.0


def _wait_for_confirm(cloud: Cloud, server: Server, source: int) -> None:
    """A server that was moved before the start: its migration record holds the source."""
    move = cloud.db.add_migration(server, "migration", "finished", source, server.host)
    cloud.placement.load([(move, source, server.resources)])
    server.old_flavor, server.move_claim = server.flavor, move
    server.old_vm_state = "stopped" if server.power_state == states.SHUTDOWN else "active"
