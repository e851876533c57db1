"""What filters and weighers see of the cloud: live columns, aggregates, groups, servers, options.

Nothing here is written by them. Hosts that do not differ in what rarely changes (aggregates, traits, hypervisor, zone)
are of one *kind*: a rule about such things is asked once for each kind, not once for each host.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from sim.model.aggregate import Aggregate, ServerGroup
from sim.model.host import Hosts
from sim.model.placement import Placement
from sim.model.server import Server

Mask = NDArray[np.bool_]
"""One truth value for each host, (H,)."""
Column = NDArray[Any]
"""One number for each host, (H,)."""


class Options(Protocol):
    """Nova's options in force; ``sim.scenario.nova_conf.NovaOptions`` is one."""

    def __getitem__(self, name: str) -> Any:
        """The value of ``GROUP.name``."""


class HostKind(NamedTuple):
    """What all hosts of one kind have in common."""

    aggregates: tuple[Aggregate, ...]
    traits: frozenset[str]
    hypervisor_type: str
    hypervisor_version: int
    zone: str

    def values(self, key: str) -> list[str]:
        """What the host's aggregates say of ``key``, each different value once, as written."""
        found = (metadata_of(aggregate).get(key) for aggregate in self.aggregates)
        return list(dict.fromkeys(value for value in found if value is not None))

    def metadata(self) -> dict[str, list[str]]:
        """What the host's aggregates say, merged; comma-separated values taken apart."""
        merged: dict[str, list[str]] = {}
        for aggregate in self.aggregates:
            for key, text in metadata_of(aggregate).items():
                merged.setdefault(key, []).extend(word.strip() for word in text.split(","))
        return merged


def metadata_of(aggregate: Aggregate) -> Mapping[str, str]:
    """An aggregate's metadata, its availability zone among them as Nova keeps it."""
    if aggregate.zone is None:
        return aggregate.metadata
    return {**aggregate.metadata, "availability_zone": aggregate.zone}


class View:
    """The cloud as the scheduler sees it. Everything passed in is live: changed elsewhere, read here.

    The scheduler alone calls :meth:`expect`, and for the length of one decision.

    After a change of aggregates, traits, zones or hypervisors call :meth:`refresh`.
    """

    def __init__(
        self,
        *,
        hosts: Hosts,
        placement: Placement,
        aggregates: Sequence[Aggregate],
        groups: Mapping[str, ServerGroup],
        servers: Mapping[str, Server],
        on_host: Mapping[int, Mapping[str, Server]],
        options: Options,
    ) -> None:
        self.hosts, self.placement, self.options = hosts, placement, options
        self.aggregates, self.groups = aggregates, groups
        self.servers = servers
        """By name."""
        self.on_host = on_host
        """Host → its servers by name."""
        self.free_vcpus: Column = placement.spare[0]
        self.free_memory_mb: Column = placement.spare[1]
        self.free_disk_gb: Column = placement.spare[2]
        """What Nova's weighers call free: live columns, (H,) each."""
        self.version = 0
        """Rises with every :meth:`refresh`; masks made under another version are void."""
        self._kinds: list[HostKind] | None = None
        self._kind_of: NDArray[np.intp] = np.zeros(len(hosts), dtype=np.intp)
        self._names: dict[str, str] = {}
        self._expected: dict[str, int] = {}
        self._kept: dict[object, Any] = {}
        """What was worked out of what rarely changes."""

    def refresh(self) -> None:
        """What rarely changes has changed."""
        self.version += 1
        self._kinds = None
        self._kept.clear()

    # --- kinds of hosts

    @property
    def kinds(self) -> list[HostKind]:
        """The kinds of hosts there are."""
        if self._kinds is None:
            self._kinds = self._find_kinds()
        return self._kinds

    def _find_kinds(self) -> list[HostKind]:
        hosts = self.hosts
        member_of: list[list[int]] = [[] for _ in range(len(hosts))]
        for number, aggregate in enumerate(self.aggregates):
            for host in aggregate.hosts:
                member_of[host].append(number)
        known: dict[tuple[Any, ...], int] = {}
        kinds: list[HostKind] = []
        versions = hosts.hypervisor_version.tolist()
        for host, members in enumerate(member_of):
            rest = (hosts.traits[host], hosts.hypervisor_type[host], versions[host], hosts.zones[host])
            key = (tuple(members), *rest)
            number = known.setdefault(key, len(kinds))
            if number == len(kinds):
                kinds.append(HostKind(tuple(self.aggregates[i] for i in members), *rest))
            self._kind_of[host] = number
        return kinds

    def spread(self, values: Sequence[Any]) -> Column:
        """One value for each kind → one for each host."""
        return np.asarray(values)[self._kind_of]

    def mask(self, rule: Callable[[HostKind], bool]) -> Mask | None:
        """The hosts whose kind the rule lets pass; None if it lets all pass."""
        verdicts = [rule(kind) for kind in self.kinds]
        return None if all(verdicts) else self.spread(verdicts)

    def least(self, key: str, default: float, cast: Callable[[str], float]) -> float | Column:
        """A number that aggregates may set by host: the least of what they say, else ``default``.

        As Nova has it, one value that is no number makes all of that host's values void.
        """
        asked = (key, default, cast)
        if asked not in self._kept:
            self._kept[asked] = self._least(key, default, cast)
        found: float | Column = self._kept[asked]
        return found

    def _least(self, key: str, default: float, cast: Callable[[str], float]) -> float | Column:
        if not any(key in aggregate.metadata for aggregate in self.aggregates):
            return default
        found: list[float] = []
        for kind in self.kinds:
            try:
                found.append(min((cast(value) for value in kind.values(key)), default=default))
            except ValueError:
                found.append(default)
        return self.spread(found)

    # --- servers and groups

    def server(self, name_or_uuid: str) -> Server | None:
        """A server by name or UUID, None if there is none."""
        found = self.servers.get(self._names.get(name_or_uuid, name_or_uuid))
        if found is None:
            found = next((server for server in self.servers.values() if server.uuid == name_or_uuid), None)
            if found is not None:
                self._names[name_or_uuid] = found.name
        return found

    def members_by_host(self, group: ServerGroup) -> dict[int, int]:
        """Host → how many members of the group are on it."""
        counts: dict[int, int] = {}
        for name in group.members:
            server = self.servers.get(name)
            if server is None or server.deleted:
                continue
            host = self._expected.get(name) if server.host is None else server.host
            if host is not None:
                counts[host] = counts.get(host, 0) + 1
        return counts

    # --- servers that are about to arrive

    def expect(self, server: Server, host: int) -> None:
        """Count a server, and the work of building it, on the host that was chosen, until :meth:`expect_none`."""
        self._expected[server.name] = host
        self._count(host, 1)

    def expect_none(self) -> None:
        """Count only what is so."""
        for host in self._expected.values():
            self._count(host, -1)
        self._expected.clear()

    def _count(self, host: int, sign: int) -> None:
        self.hosts.instances[host] += sign
        self.hosts.io_ops[host] += sign
        self.hosts.journal.add(host)

    # --- columns by the names that Nova's host state gives them

    def column(self, name: str) -> Column | None:
        """A number or text of every host by its name in Nova's host state; None for a name it does not have."""
        if name in STANDING_COLUMNS:
            if name not in self._kept:
                self._kept[name] = STANDING_COLUMNS[name](self)
            column: Column = self._kept[name]
            return column
        make = LIVE_COLUMNS.get(name)
        return None if make is None else make(self)


def _texts(values: Sequence[str | None]) -> Column:
    return np.array(values, dtype=object)


STANDING_COLUMNS: dict[str, Callable[[View], Column]] = {
    "host": lambda view: _texts(view.hosts.names),
    "nodename": lambda view: _texts(view.hosts.names),
    "hypervisor_hostname": lambda view: _texts(view.hosts.names),
    "host_ip": lambda view: _texts(view.hosts.addresses),
    "hypervisor_type": lambda view: _texts(view.hosts.hypervisor_type),
    "hypervisor_version": lambda view: view.hosts.hypervisor_version,
    "total_usable_ram_mb": lambda view: view.placement.total[1],
    "total_usable_disk_gb": lambda view: view.placement.total[2],
    "vcpus_total": lambda view: view.placement.total[0],
    "cpu_allocation_ratio": lambda view: view.placement.ratio[0],
    "ram_allocation_ratio": lambda view: view.placement.ratio[1],
    "disk_allocation_ratio": lambda view: view.placement.ratio[2],
}
"""Columns that are the same until the next :meth:`View.refresh`."""
LIVE_COLUMNS: dict[str, Callable[[View], Column]] = {
    "vcpus_used": lambda view: view.placement.used[0] + view.placement.used[3] + view.placement.reserved[0],
    "free_ram_mb": lambda view: view.free_memory_mb.astype(np.int64),
    "free_disk_mb": lambda view: view.free_disk_gb.astype(np.int64) * 1024,
    "disk_mb_used": lambda view: (view.placement.used[2] + view.placement.reserved[2]) * 1024,
    "num_instances": lambda view: view.hosts.instances,
    "num_io_ops": lambda view: view.hosts.io_ops,
    "failed_builds": lambda view: view.hosts.failed_builds,
}
"""Columns that change from decision to decision."""
