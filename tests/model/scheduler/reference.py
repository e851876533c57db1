"""A scheduler in plain Python, written from Nova's documented rules, that shares no code with the simulator's.

It looks at one host after the other and remembers nothing. Slow, and short enough to be read against
https://docs.openstack.org/nova/latest/admin/scheduling.html.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from sim.model.scheduler.request import SchedulerRequest
from sim.model.server import Server
from tests.model.scheduler.clouds import SmallCloud


class Expected(NamedTuple):
    """What a decision must come to."""

    offered: list[int]
    left: list[int]
    weights: dict[int, float]


class Reference:
    """Asks a small cloud, host by host."""

    def __init__(self, cloud: SmallCloud) -> None:
        self.cloud = cloud
        self.filters: dict[str, Callable[[int, SchedulerRequest], bool]] = {
            "ComputeFilter": self._up,
            "ServerGroupAntiAffinityFilter": self._anti_affinity,
            "ServerGroupAffinityFilter": self._affinity,
            "DifferentHostFilter": lambda host, request: not self._beside(host, request, "different_host"),
            "SameHostFilter": lambda host, request: (
                "same_host" not in request.hints or self._beside(host, request, "same_host")
            ),
            "IoOpsFilter": lambda host, _: self.cloud.hosts.io_ops[host] < self._option("max_io_ops_per_host"),
            "NumInstancesFilter": lambda host, _: len(self._servers(host)) < self._option("max_instances_per_host"),
            "AggregateNumInstancesFilter": lambda host, _: (
                len(self._servers(host)) < self._aggregate_number(host, "max_instances_per_host")
            ),
            "AggregateIoOpsFilter": lambda host, _: (
                self.cloud.hosts.io_ops[host] < self._aggregate_number(host, "max_io_ops_per_host")
            ),
            "AggregateInstanceExtraSpecsFilter": self._extra_specs,
            "AggregateMultiTenancyIsolation": self._tenants,
            "AggregateTypeAffinityFilter": self._types,
            "IsolatedHostsFilter": self._isolated,
            "AllHostsFilter": lambda *_: True,
        }

    def decide(self, request: SchedulerRequest) -> Expected:
        """Offered hosts, those left by the filters, and their weights."""
        offered = [host for host in range(len(self.cloud.hosts)) if self._placement(host, request)]
        if not (request.group or "same_host" in request.hints or "different_host" in request.hints):
            offered = offered[: self.cloud.options["scheduler.max_placement_results"]]
        left = [host for host in offered if host not in request.ignore]
        if request.force_host is None:
            for name in self._option("enabled_filters"):
                left = [host for host in left if self.filters[name](host, request)]
        return Expected(offered, left, self._weigh(left, request))

    # --- placement

    def _placement(self, host: int, request: SchedulerRequest) -> bool:
        wanted_host = request.requested_host if request.requested_host is not None else request.force_host
        if wanted_host is not None and host != wanted_host:
            return False
        if self.cloud.hosts.disabled[host]:
            return False
        placement = self.cloud.placement
        for row, amount in enumerate(request.resources[:4]):
            total, reserved = int(placement.total[row][host]), int(placement.reserved[row][host])
            used = self._used(row, host)
            if amount and (amount > total or used + amount > (total - reserved) * placement.ratio[row][host]):
                return False
        required = {key[6:] for key, value in request.flavor.extra_specs.items()
                    if key.startswith("trait:") and value == "required"}  # fmt: skip
        forbidden = {key[6:] for key, value in request.flavor.extra_specs.items()
                     if key.startswith("trait:") and value == "forbidden"}  # fmt: skip
        traits = self.cloud.hosts.traits[host]
        if not required <= traits or forbidden & traits:
            return False
        zones = {aggregate.zone for aggregate in self.cloud.aggregates if aggregate.zone}
        return request.az not in zones or request.az in {a.zone for a in self._aggregates(host)}

    # --- filters

    def _up(self, host: int, request: SchedulerRequest) -> bool:
        return bool(self.cloud.hosts.service_up[host]) and not self.cloud.hosts.disabled[host]

    def _anti_affinity(self, host: int, request: SchedulerRequest) -> bool:
        group = self._group(request, "anti-affinity")
        if group is None or request.server in self._servers(host):
            return True
        return sum(server.name in group.members for server in self._servers(host)) < group.max_server_per_host

    def _affinity(self, host: int, request: SchedulerRequest) -> bool:
        group = self._group(request, "affinity")
        if group is None:
            return True
        members = [self.cloud.db.servers[name] for name in group.members]
        hosts = {server.host for server in members if not server.deleted and server.host is not None}
        return not hosts or host in hosts

    def _beside(self, host: int, request: SchedulerRequest, hint: str) -> bool:
        named = request.hints.get(hint, [])
        return any(server.uuid in named for server in self._servers(host))

    def _extra_specs(self, host: int, request: SchedulerRequest) -> bool:
        said: dict[str, set[str]] = {}
        for aggregate in self._aggregates(host):
            for key, text in aggregate.metadata.items():
                said.setdefault(key, set()).update(word.strip() for word in text.split(","))
        for key, wanted in request.flavor.extra_specs.items():
            if ":" in key and not key.startswith("aggregate_instance_extra_specs:"):
                continue
            if wanted not in said.get(key.split(":")[-1], set()):
                return False
        return True

    def _tenants(self, host: int, request: SchedulerRequest) -> bool:
        tenants = {
            word.strip()
            for aggregate in self._aggregates(host)
            for key, text in aggregate.metadata.items()
            if key.startswith("filter_tenant_id")
            for word in text.split(",")
        }
        return not tenants or request.server.project in tenants

    def _types(self, host: int, request: SchedulerRequest) -> bool:
        said = [a.metadata["instance_type"] for a in self._aggregates(host) if "instance_type" in a.metadata]
        return not said or any(request.flavor.name in [w.strip() for w in text.split(",")] for text in said)

    def _isolated(self, host: int, request: SchedulerRequest) -> bool:
        image = request.image is not None and request.image.name in self._option("isolated_images")
        isolated = self.cloud.hosts.names[host] in self._option("isolated_hosts")
        if self._option("restrict_isolated_hosts_to_isolated_images"):
            return image == isolated
        return isolated or not image

    # --- weighers

    def _weigh(self, left: list[int], request: SchedulerRequest) -> dict[int, float]:
        totals = dict.fromkeys(left, 0.0)
        if len(left) < 2:
            return totals
        placement, hosts = self.cloud.placement, self.cloud.hosts
        affinity, anti = self._group(request, "soft-affinity"), self._group(request, "soft-anti-affinity")

        def members(group: Any, host: int) -> int:
            return 0 if group is None else sum(server.name in group.members for server in self._servers(host))

        def free(row: int, host: int) -> float:
            ratio = placement.ratio[0][host] if row == 0 else 1.0
            return float(max(0, placement.total[row][host] * ratio - self._used(row, host)))

        rules: list[tuple[str, float, Callable[[int], float], bool]] = [
            ("build_failure", -1.0, lambda host: hosts.failed_builds[host], False),
            ("cpu", 1.0, lambda host: free(0, host), True),
            ("disk", 1.0, lambda host: free(2, host), True),
            ("hypervisor_version", 1.0, lambda host: hosts.hypervisor_version[host], False),
            ("io_ops", 1.0, lambda host: hosts.io_ops[host], True),
            ("num_instances", 1.0, lambda host: len(self._servers(host)), False),
            ("ram", 1.0, lambda host: free(1, host), True),
            ("soft_affinity", 1.0, lambda host: members(affinity, host), False),
            ("soft_anti_affinity", 1.0, lambda host: -members(anti, host), False),
        ]
        for name, sign, rule, from_zero in rules:
            raw = {host: float(rule(host)) for host in left}
            low = 0.0 if from_zero else min(raw.values())
            span = max(raw.values()) - low
            for host in left:
                if span:
                    factor = sign * self._aggregate_number(host, f"{name}_weight_multiplier")
                    totals[host] += factor * ((raw[host] - low) / span)
        return totals

    # --- what it looks at

    def _option(self, name: str) -> Any:
        return self.cloud.options[f"filter_scheduler.{name}"]

    def _used(self, row: int, host: int) -> int:
        consumers = [*self.cloud.db.servers.values(), *self.cloud.db.migrations]
        return sum(consumer.held[host][row] for consumer in consumers if host in consumer.held)

    def _servers(self, host: int) -> list[Server]:
        return [s for s in self.cloud.db.servers.values() if s.host == host and not s.deleted]

    def _aggregates(self, host: int) -> list[Any]:
        return [aggregate for aggregate in self.cloud.aggregates if host in aggregate.hosts]

    def _aggregate_number(self, host: int, key: str) -> float:
        said = [float(a.metadata[key]) for a in self._aggregates(host) if key in a.metadata]
        return min(said) if said else float(self._option(key))

    def _group(self, request: SchedulerRequest, policy: str) -> Any:
        group = self.cloud.groups.get(request.group or "")
        return group if group is not None and group.policy == policy else None
