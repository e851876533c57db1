"""Nova's weighers, by the names that Nova gives them and in the order in which their weights are summed.

``PCIWeigher``, ``MetricsWeigher`` and ``CrossCellWeigher`` are not here: without PCI devices, metrics and several cells
their weights are equal for all hosts, and count nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress

import numpy as np

from sim.model.flavor import Image
from sim.model.image_properties import properties_of
from sim.model.scheduler.base import HostWeigher, StandingWeigher
from sim.model.scheduler.request import SchedulerRequest
from sim.model.scheduler.view import Column, View


class _SoftAffinity(HostWeigher):
    """Members of the request's group on the host, for one policy."""

    policy = ""
    direction = 1

    def weights(self, request: SchedulerRequest) -> Column | None:
        """How many members of the group each host has; None for servers without such a group."""
        group = None if request.group is None else self.view.groups[request.group]
        if group is None or group.policy != self.policy:
            return None
        column = np.zeros(len(self.view.hosts))
        for host, members in self.view.members_by_host(group).items():
            column[host] = self.direction * members
        return column


class ServerGroupSoftAffinityWeigher(_SoftAffinity):
    """Rather where members of the group are."""

    option = "soft_affinity_weight_multiplier"
    policy = "soft-affinity"


class ServerGroupSoftAntiAffinityWeigher(_SoftAffinity):
    """Rather where no members of the group are."""

    option = "soft_anti_affinity_weight_multiplier"
    policy = "soft-anti-affinity"
    direction = -1


class BuildFailureWeigher(StandingWeigher):
    """Away from hosts whose last builds failed."""

    option = "build_failure_weight_multiplier"
    sign = -1.0

    def column(self) -> Column:
        """Failed builds."""
        return self.view.hosts.failed_builds

    def idle(self) -> bool:
        """Most clouds never fail a build."""
        return not self.view.hosts.ever_failed_builds


class CPUWeigher(StandingWeigher):
    """Rather where vCPUs are left: total * ratio - used."""

    option = "cpu_weight_multiplier"
    minval = 0.0

    def column(self) -> Column:
        """vCPUs left."""
        return self.view.free_vcpus


class DiskWeigher(StandingWeigher):
    """Rather where disk is left."""

    option = "disk_weight_multiplier"
    minval = 0.0

    def column(self) -> Column:
        """GB left."""
        return self.view.free_disk_gb


class HypervisorVersionWeigher(StandingWeigher):
    """Rather newer hypervisors."""

    option = "hypervisor_version_weight_multiplier"

    def __init__(self, view: View) -> None:
        super().__init__(view)
        self._version = -1
        self._equal = False

    def column(self) -> Column:
        """Versions as numbers."""
        return self.view.hosts.hypervisor_version

    def idle(self) -> bool:
        """In most clouds all are the same."""
        if self._version != self.view.version:
            self._version = self.view.version
            versions = self.view.hosts.hypervisor_version
            self._equal = bool((versions == versions[0]).all())
        return self._equal


class ImagePropertiesWeigher(HostWeigher):
    """Rather where servers of images with the same properties are."""

    option = "image_props_weight_multiplier"

    def __init__(self, view: View) -> None:
        super().__init__(view)
        self._setting: dict[str, float] = {}
        for text in view.options["filter_scheduler.image_props_weight_setting"]:
            name, _, value = text.partition("=")
            # As in Nova, what is no number is passed over.
            with suppress(ValueError):
                self._setting[name] = float(value)
        self._off = float(view.options["filter_scheduler.image_props_weight_multiplier"]) == 0.0

    def weights(self, request: SchedulerRequest) -> Column | None:
        """Matching properties of the host's servers, counted with the weights of the setting."""
        if self._off or request.image is None or not request.image.properties:
            return None
        wanted = properties_of(request.image)
        worth: dict[Image | None, float] = {}
        column = np.zeros(len(self.view.hosts))
        for host, servers in self.view.on_host.items():
            for server in servers.values():
                if server.image not in worth:
                    worth[server.image] = self._worth(wanted, properties_of(server.image))
                column[host] += worth[server.image]
        return column

    def _worth(self, wanted: Mapping[str, str], found: Mapping[str, str]) -> float:
        """What one server's image counts."""
        same = [name for name, value in wanted.items() if found.get(name) == value]
        return sum(self._setting.get(name, 0.0) for name in same) if self._setting else float(len(same))


class IoOpsWeigher(StandingWeigher):
    """Away from hosts that build, resize or rebuild much."""

    option = "io_ops_weight_multiplier"
    minval = 0.0

    def column(self) -> Column:
        """I/O operations under way."""
        return self.view.hosts.io_ops


class NumInstancesWeigher(StandingWeigher):
    """By the number of servers."""

    option = "num_instances_weight_multiplier"

    def column(self) -> Column:
        """Servers on the host."""
        return self.view.hosts.instances


class RAMWeigher(StandingWeigher):
    """Rather where memory is left, allocation ratio aside."""

    option = "ram_weight_multiplier"
    minval = 0.0

    def column(self) -> Column:
        """MB left."""
        return self.view.free_memory_mb


WEIGHERS: dict[str, type[HostWeigher]] = {
    f"nova.scheduler.weights.{module}.{kind.__name__}": kind
    for module, kind in (
        ("affinity", ServerGroupSoftAffinityWeigher),
        ("affinity", ServerGroupSoftAntiAffinityWeigher),
        ("compute", BuildFailureWeigher),
        ("cpu", CPUWeigher),
        ("disk", DiskWeigher),
        ("hypervisor_version", HypervisorVersionWeigher),
        ("image_props", ImagePropertiesWeigher),
        ("io_ops", IoOpsWeigher),
        ("num_instances", NumInstancesWeigher),
        ("ram", RAMWeigher),
    )
}
"""By the path that Nova's ``weight_classes`` would name them with."""
EQUAL_WEIGHERS = frozenset(
    f"nova.scheduler.weights.{name}"
    for name in ("cross_cell.CrossCellWeigher", "metrics.MetricsWeigher", "pci.PCIWeigher")
)
"""Weighers of Nova that count nothing here."""
ALL_WEIGHERS = "nova.scheduler.weights.all_weighers"
