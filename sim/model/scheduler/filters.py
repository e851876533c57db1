"""Nova's filters of hosts and servers, by the names that Nova gives them."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping, Sequence
from ipaddress import ip_address, ip_network

import numpy as np

from sim.model.scheduler.base import HostFilter
from sim.model.scheduler.extra_specs import matches
from sim.model.scheduler.request import SchedulerRequest
from sim.model.scheduler.view import LIVE_COLUMNS, Column, Mask, View


class AllHostsFilter(HostFilter):
    """Lets all pass."""

    def mask(self, request: SchedulerRequest) -> Mask | None:
        """All."""
        return None


class ComputeFilter(HostFilter):
    """Only hosts whose service is enabled and up."""

    def mask(self, request: SchedulerRequest) -> Mask | None:
        """Enabled and up."""
        hosts = self.view.hosts
        return np.greater(hosts.service_up, hosts.disabled)


class ComputeCapabilitiesFilter(HostFilter):
    """Extra specs about the host itself: ``capabilities:hypervisor_version``, or plain ``hypervisor_type``."""

    def key(self, request: SchedulerRequest) -> Hashable | None:
        """The flavor, where its extra specs look at nothing that changes from decision to decision."""
        specs = request.flavor.extra_specs
        if not specs or any(name in LIVE_COLUMNS for name, _, _ in _capabilities(specs)):
            return None
        return request.flavor

    def mask(self, request: SchedulerRequest) -> Mask | None:
        """Hosts that have what the flavor's extra specs want of them."""
        found: Mask | None = None
        for name, wanted, stated in _capabilities(request.flavor.extra_specs):
            column = self.view.column(name)
            if column is None:
                if stated:
                    return np.zeros(len(self.view.hosts), dtype=bool)
                continue
            ok = _matching(column, wanted)
            found = ok if found is None else found & ok
            if not found.any():
                break
        return found


def _capabilities(specs: Mapping[str, str]) -> Iterator[tuple[str, str, bool]]:
    """What extra specs want of hosts: name, value wanted, and whether the name is surely one of a host's."""
    for key, wanted in specs.items():
        scope, colon, rest = key.partition(":")
        if not colon:
            yield key, wanted, False
        elif scope == "capabilities":
            yield rest, wanted, True


def _matching(column: Column, wanted: str) -> Mask:
    """Where a column is what an extra spec wants, each different value looked at once; unknown values never are."""
    verdicts = {value: value is not None and matches(str(value), wanted) for value in set(column.tolist())}
    return np.array([verdicts[value] for value in column.tolist()], dtype=np.bool_)


class ServerGroupAntiAffinityFilter(HostFilter):
    """At most so many members of an anti-affinity group on a host (the server itself aside)."""

    def mask(self, request: SchedulerRequest) -> Mask | None:
        """Hosts with room for another member."""
        group = None if request.group is None else self.view.groups[request.group]
        if group is None or group.policy != "anti-affinity":
            return None
        mask = np.ones(len(self.view.hosts), dtype=bool)
        for host, members in self.view.members_by_host(group).items():
            mask[host] = members < group.max_server_per_host
        if request.server.host is not None:
            mask[request.server.host] = True
        return mask


class ServerGroupAffinityFilter(HostFilter):
    """Only hosts where members of an affinity group are, if there are any."""

    def mask(self, request: SchedulerRequest) -> Mask | None:
        """Hosts of the group."""
        group = None if request.group is None else self.view.groups[request.group]
        if group is None or group.policy != "affinity":
            return None
        hosts = self.view.members_by_host(group)
        return _only(self.view, list(hosts)) if hosts else None


class DifferentHostFilter(HostFilter):
    """Not where the servers of the hint ``different_host`` are."""

    def mask(self, request: SchedulerRequest) -> Mask | None:
        """Hosts without them."""
        named = _hosts_of(self.view, request.hints.get("different_host"))
        return None if named is None else ~_only(self.view, named)


class SameHostFilter(HostFilter):
    """Only where one of the servers of the hint ``same_host`` is."""

    def mask(self, request: SchedulerRequest) -> Mask | None:
        """Hosts with them."""
        named = _hosts_of(self.view, request.hints.get("same_host"))
        return None if named is None else _only(self.view, named)


def _only(view: View, hosts: Sequence[int]) -> Mask:
    mask = np.zeros(len(view.hosts), dtype=bool)
    mask[hosts] = True
    return mask


def _hosts_of(view: View, servers: str | Sequence[str] | None) -> list[int] | None:
    """Hosts of servers named by UUID (or name); None if none are named."""
    if not servers:
        return None
    found = [view.server(name) for name in ([servers] if isinstance(servers, str) else servers)]
    return [server.host for server in found if server is not None and server.host is not None and not server.deleted]


class SimpleCIDRAffinityFilter(HostFilter):
    """Only hosts with an address near that of the hint ``build_near_host_ip`` (``cidr``, ``/24``)."""

    def key(self, request: SchedulerRequest) -> Hashable | None:
        """The two hints, if there are any."""
        near = request.hint("build_near_host_ip")
        return f"{near}{request.hint('cidr')}" if near else None

    def mask(self, request: SchedulerRequest) -> Mask | None:
        """Hosts with addresses in that network; a host without a known address is in none."""
        near = request.hint("build_near_host_ip")
        if not near:
            return None
        network = ip_network(f"{near}{request.hint('cidr') or '/24'}", strict=False)
        addresses = self.view.hosts.addresses
        return np.array([text is not None and ip_address(text) in network for text in addresses], dtype=np.bool_)


class IoOpsFilter(HostFilter):
    """Fewer I/O operations under way than ``max_io_ops_per_host``."""

    option, column = "max_io_ops_per_host", "num_io_ops"

    def __init__(self, view: View) -> None:
        super().__init__(view)
        self.most = int(view.options[f"filter_scheduler.{self.option}"])

    def limit(self) -> float | Column:
        """One limit for all."""
        return self.most

    def mask(self, request: SchedulerRequest) -> Mask | None:
        """Hosts below the limit."""
        column = self.view.column(self.column)
        assert column is not None
        return np.less(column, self.limit())


class AggregateIoOpsFilter(IoOpsFilter):
    """The same, with the limit that the host's aggregates set."""

    def limit(self) -> float | Column:
        """The least limit of the host's aggregates, else the option's."""
        return self.view.least(self.option, self.most, int)


class NumInstancesFilter(IoOpsFilter):
    """Fewer servers than ``max_instances_per_host``."""

    option, column = "max_instances_per_host", "num_instances"


class AggregateNumInstancesFilter(AggregateIoOpsFilter):
    """The same, with the limit that the host's aggregates set."""

    option, column = "max_instances_per_host", "num_instances"


class IsolatedHostsFilter(HostFilter):
    """Keeps ``isolated_images`` on ``isolated_hosts``, and others away if so wished."""

    def __init__(self, view: View) -> None:
        super().__init__(view)
        options = view.options
        names = view.hosts.index
        self._images = list(options["filter_scheduler.isolated_images"])
        named = (names.get(name) for name in options["filter_scheduler.isolated_hosts"])
        self._isolated = _only(view, [host for host in named if host is not None])
        self._restrict = bool(options["filter_scheduler.restrict_isolated_hosts_to_isolated_images"])

    def key(self, request: SchedulerRequest) -> Hashable | None:
        """Whether the image is isolated is all that matters."""
        return request.image is not None and request.image.name in self._images

    def mask(self, request: SchedulerRequest) -> Mask | None:
        """Isolated hosts for isolated images."""
        if self.key(request):
            return self._isolated
        return ~self._isolated if self._restrict else None


class MetricsFilter(AllHostsFilter):
    """Hosts that report the metrics of ``[metrics] weight_setting``: none are asked for here."""


class NUMATopologyFilter(HostFilter):
    """Only hosts whose NUMA nodes have room for each of the guest's."""

    def mask(self, request: SchedulerRequest) -> Mask | None:
        """Hosts with room, within the allocation ratios."""
        nodes = request.resources.nodes
        return self.view.placement.numa.fits(nodes) if nodes else None


class PciPassthroughFilter(HostFilter):
    """Hosts have no PCI devices to give away: a flavor that wants one fits nowhere."""

    def mask(self, request: SchedulerRequest) -> Mask | None:
        """All, or none."""
        if "pci_passthrough:alias" not in request.flavor.extra_specs:
            return None
        return np.zeros(len(self.view.hosts), dtype=bool)
