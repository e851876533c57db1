"""The cloud on which filters and weighers are examined: small, uneven, and never still."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from sim.eventlog.log import EventLog
from sim.model.aggregate import Aggregate, ServerGroup
from sim.model.flavor import Flavor, Image
from sim.model.guest import Guest
from sim.model.host import Hosts
from sim.model.placement import Placement
from sim.model.scheduler.request import SchedulerRequest
from sim.model.scheduler.view import Column, Options, View
from sim.model.server import Server

_GUEST = Guest("idle", 0.0, 0, 1.0)
_FLAVORS = (
    Flavor("small", 1, 1024, 10),
    Flavor("large", 4, 8192, 80, 10, 1024, {"hw:cpu_policy": "dedicated", "trait:HW_CPU_X86_AVX2": "required"}),
    Flavor("odd", 2, 2048, 0, extra_specs={
        "capabilities:hypervisor_version": ">= 8000000", "capabilities:free_ram_mb": ">= 1024", "ssd": "true",
        "aggregate_instance_extra_specs:disk": "<or> ssd <or> nvme", "hw:numa_nodes": "2"}),
)  # fmt: skip
_IMAGES = (
    None,
    Image("plain", 10**9),
    Image("kvm", 10**9, properties={"hw_architecture": "x86_64", "img_hv_type": "kvm", "os_distro": "debian"}),
    Image("arm", 10**9, properties={"hw_architecture": "aarch64", "img_hv_requested_version": ">=6.0"}),
)
_HINTS: tuple[dict[str, Any], ...] = (
    {}, {"same_host": ["uuid-s0", "uuid-s1"]}, {"different_host": "uuid-s2"},
    {"query": '["or", [">=", "$free_ram_mb", 8192], ["=", "$host", "h0"]]'}, {"build_near_host_ip": "10.0.0.1"},
)  # fmt: skip
_POLICIES = (None, "anti-affinity", "affinity", "soft-anti-affinity", "soft-affinity")
_METADATA = (
    {"disk": "ssd", "ram_weight_multiplier": "2", "max_instances_per_host": "2"},
    {"disk": "hdd, nvme", "ssd": "true", "filter_tenant_id": "demo, other", "instance_type": "small"},
    {"os_distro": "debian", "cpu_weight_multiplier": "-1.5", "max_io_ops_per_host": "1"},
)


class _StandingClock(NamedTuple):
    now: float = 0.0


class SampleCloud:
    """Hosts that differ in everything, servers on them, requests of all kinds, and what happens in between."""

    def __init__(self, options: Options, hosts: int = 12) -> None:
        self.log = EventLog()
        names = [f"h{number}" for number in range(hosts)]
        self.hosts = Hosts(names, [f"r{number % 3}" for number in range(hosts)], ["nova"] * hosts)
        number = np.arange(hosts)
        self.hosts.hypervisor_version[:] = np.where(number % 4, 8002000, 6001000)
        self.hosts.traits = [frozenset(["HW_CPU_X86_AVX2"] if n % 2 else ["HW_ARCH_AARCH64"]) for n in range(hosts)]
        self.hosts.addresses = [f"10.0.{n % 2}.{n}" if n % 5 else None for n in range(hosts)]
        self.placement = Placement(
            _StandingClock(), self.log, self.hosts,
            total=[8 + 8 * (number % 2), 16384 * (1 + number % 3), 100 + 100 * (number % 2)],
            reserved=np.zeros((3, hosts)), ratio=np.array([4.0, 1.0, 1.5])[:, None],
            pinned=4 * (number % 3), numa_nodes=1 + number % 2,
        )  # fmt: skip
        zones = (None, "east", None)
        self.aggregates = [
            Aggregate(f"a{n}", list(range(n, hosts, n + 2)), zones[n], dict(metadata))
            for n, metadata in enumerate(_METADATA if hosts > 1 else ())
        ]
        self.groups = {policy: ServerGroup(policy, policy) for policy in _POLICIES if policy}
        self.servers: dict[str, Server] = {}
        self.on_host: dict[int, dict[str, Server]] = {}
        self.view = View(
            hosts=self.hosts, placement=self.placement, aggregates=self.aggregates, groups=self.groups,
            servers=self.servers, on_host=self.on_host, options=options,
        )  # fmt: skip
        for n in range(2 * hosts if hosts > 1 else 0):
            self._arrive(self._server(n), (n * n) % hosts)

    def _server(self, n: int) -> Server:
        mixed = n * 2654435761 >> 5
        flavor, image = _FLAVORS[n % len(_FLAVORS)], _IMAGES[mixed % len(_IMAGES)]
        project = ("demo", "other", "third")[mixed // 7 % 3]
        server = Server(f"s{n}", f"uuid-s{n}", flavor, _GUEST, project=project, user="user", image=image)
        server.group = _POLICIES[mixed // 11 % len(_POLICIES)]
        if server.group is not None:
            self.groups[server.group].members.append(server.name)
        server.az = "east" if mixed % 7 == 0 and self.aggregates else None
        server.extras = {"hints": _HINTS[mixed // 13 % len(_HINTS)]}
        self.servers[server.name] = server
        return server

    def _arrive(self, server: Server, host: int) -> None:
        server.host = host
        self.on_host.setdefault(host, {})[server.name] = server
        self.hosts.instances[host] += 1
        self.placement.claim(server, host, server.resources, force=True)

    def _leave(self, server: Server) -> None:
        assert server.host is not None
        del self.on_host[server.host][server.name]
        self.hosts.instances[server.host] -= 1
        self.placement.release_all(server)
        server.host = None

    def requests(self) -> list[SchedulerRequest]:
        """For servers that run, and for servers yet to be built."""
        running = [SchedulerRequest.for_move(server, ignore=(0,)) for server in list(self.servers.values())[:8]]
        first = len(self.servers) + 100
        building = [SchedulerRequest.for_build(self._server(n)) for n in range(first, first + 30)]
        return running + building

    def columns(self) -> list[Column]:
        """Every live column."""
        hosts, placement = self.hosts, self.placement
        return [
            hosts.disabled, hosts.forced_down, hosts.service_up, hosts.instances, hosts.io_ops, hosts.failed_builds,
            hosts.hypervisor_version, placement.total, placement.reserved, placement.ratio, placement.used,
            placement.capacity, placement.free, placement.spare,
        ]  # fmt: skip

    def happenings(self) -> Iterator[str]:
        """Changes the cloud, and says how, one change after the other."""
        hosts, journal, last = self.hosts, self.hosts.journal, len(self.hosts) - 1
        yield "nothing"
        hosts.disabled[0] = hosts.service_up[last] = True
        hosts.service_up[last // 2] = False
        yield "services go down"
        for host in (0, last // 2, last):
            hosts.build_failed(host)
            hosts.io_ops[host] += 2
            journal.add(host)
        yield "builds fail, work begins"
        for server in list(self.servers.values())[:5]:
            if server.host is not None:
                self._leave(server)
        yield "servers leave"
        self._arrive(self._server(1), last)
        yield "a server arrives"
        for aggregate in self.aggregates:
            aggregate.hosts = sorted({*range(len(hosts))} - {*aggregate.hosts})
        hosts.traits = [traits | {"CUSTOM_NEW"} for traits in hosts.traits]
        self.view.refresh()
        yield "aggregates and traits change"
        for host in range(len(hosts)):
            hosts.build_succeeded(host)
        yield "builds go well"
