"""What an evacuation has to work with: hosts and what is free on them, and the servers of each host by class.

Servers of one class need as much, may go to the same hosts, and are of the same server group: any of them is as good as
another. What hosts they may go to is asked of the cloud's own scheduler; what is free, of placement.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sim.model.cloud import Cloud
from sim.model.host import UP
from sim.model.placement import RESOURCE_CLASSES
from sim.model.scheduler.request import SchedulerRequest
from sim.model.server import Server
from sim.runs.simulation import Simulation
from sim.scenario.spec import Scenario

RESOURCES = RESOURCE_CLASSES
"""Rows of everything that counts resources."""
_EVACUATED = frozenset({"active", "stopped", "error"})
"""States in which Nova evacuates a server."""
_HARD = "anti-affinity"

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Class:
    """Servers that are as good as each other."""

    flavor: str
    needs: tuple[int, ...]
    """Of each resource."""
    group: str | None
    """The anti-affinity group that limits how many of it a host may have."""


@dataclass(frozen=True)
class Room:
    """Hosts in columns, classes in rows."""

    hosts: tuple[str, ...]
    racks: tuple[str, ...]
    usable: Bools
    """Up and enabled: may take servers, (H,)."""
    free: Ints
    """What may still be claimed, (4, H); nothing on hosts that are not usable."""
    total: Ints
    """What no single claim may exceed, (4, H)."""
    classes: tuple[Class, ...]
    needs: Ints
    """Of each class, (C, 4)."""
    allowed: Bools
    """Where each class may go, (C, H)."""
    count: Ints
    """Servers of each class on each host, (C, H)."""
    members: dict[str, Ints]
    """Anti-affinity group → members on each host, (H,), movable or not."""
    limits: dict[str, int]
    """Anti-affinity group → most members on a host."""
    stuck: tuple[tuple[str, str], ...]
    """Servers that no evacuation would ever take, and why; they are in no class."""
    numa: int
    """Servers with NUMA nodes of their own: whether those fit is not looked at."""

    def slots(self, row: int) -> Ints:
        """How many servers of a class each host could take if only that class came, (H,)."""
        need = self.needs[row]
        wanted = need > 0
        if not wanted.any():
            return np.where(self.allowed[row], np.int64(1 << 30), 0)
        fits = (self.free[wanted] // need[wanted, None]).min(axis=0).clip(min=0)
        fits = np.where((need[wanted, None] <= self.total[wanted]).all(axis=0), fits, 0)
        group = self.classes[row].group
        if group is not None:
            fits = np.minimum(fits, (self.limits[group] - self.members[group]).clip(min=0))
        return np.asarray(np.where(self.allowed[row], fits, 0), dtype=np.int64)


def room_of(scenario: Scenario, seed: int) -> Room:
    """The room of a scenario's cloud as it stands at the start."""
    cloud = Simulation(scenario, seed, plan=False).cloud
    hosts, placement = cloud.hosts, cloud.placement
    usable = np.array([power == UP for power in hosts.power], dtype=bool) & ~np.asarray(hosts.disabled, dtype=bool)
    usable &= np.asarray(hosts.service_up, dtype=bool)
    free = np.where(usable, placement.free, 0).clip(min=0).astype(np.int64)
    masks = _Masks(cloud, usable)
    rows: dict[tuple[Class, bytes], list[int]] = {}
    stuck: list[tuple[str, str]] = []
    numa = 0
    for server in cloud.db.servers.values():
        if server.host is None or server.deleted or not server.held:
            continue
        numa += bool(server.resources.nodes)
        found, mask, why = masks.of(server)
        if why is not None:
            stuck.append((server.name, why))
        else:
            rows.setdefault((found, mask.tobytes()), []).append(server.host)
    count = np.zeros((len(rows), len(hosts)), dtype=np.int64)
    for row, places in enumerate(rows.values()):
        count[row] = np.bincount(places, minlength=len(hosts))
    classes = tuple(one for one, _ in rows)
    needs = np.array([one.needs for one in classes], dtype=np.int64).reshape(-1, len(RESOURCES))
    allowed = np.array([np.frombuffer(mask, dtype=bool) for _, mask in rows], dtype=bool).reshape(-1, len(hosts))
    groups = {name: group for name, group in cloud.groups.items() if group.policy == _HARD}
    members = {
        name: np.bincount([s.host for m in group.members if (s := cloud.db.servers.get(m)) is not None
                           and s.host is not None and not s.deleted], minlength=len(hosts)).astype(np.int64)
        for name, group in groups.items()
    }  # fmt: skip
    return Room(
        tuple(hosts.names), tuple(hosts.racks), usable, free, placement.total.copy(), classes, needs, allowed, count,
        members, {name: group.max_server_per_host for name, group in groups.items()}, tuple(stuck), numa,
    )  # fmt: skip


class _Masks:
    """Where servers may go, asked once for each kind of request."""

    def __init__(self, cloud: Cloud, usable: Bools) -> None:
        self._cloud, self._usable = cloud, usable
        self._known: dict[tuple[object, ...], Bools] = {}

    def of(self, server: Server) -> tuple[Class, Bools, str | None]:
        """Its class, where it may go, and why it can never be evacuated, if so."""
        group = self._cloud.groups.get(server.group) if server.group is not None else None
        hard = group is not None and group.policy == _HARD
        needs = server.resources
        amounts = (needs.vcpus, needs.memory_mb, needs.disk_gb, needs.pcpus)
        found = Class(server.flavor.name, amounts, server.group if hard else None)
        if server.vm_state not in _EVACUATED:
            return found, self._usable, f"Nova evacuates no server that is {server.vm_state}"
        mask = self._mask(server, hard)
        elsewhere = mask.copy()
        elsewhere[server.host] = False
        if not elsewhere.any():
            policy = group.policy if group is not None else None
            why = f"group {server.group} ({policy}) lets it go nowhere else" if policy else "no other host is allowed"
            return found, mask, why
        return found, mask, None

    def _mask(self, server: Server, hard: bool) -> Bools:
        """Without the members of its own anti-affinity group, who are counted host by host instead."""
        request = SchedulerRequest.for_move(server)
        group = self._cloud.groups.get(request.group) if request.group is not None else None
        if hard or (group is not None and group.policy != "affinity"):
            request.group = None
        alike = (server.flavor, server.image, server.az, server.project, request.group)
        if request.hints or request.group is not None:
            return self._asked(request)
        if alike not in self._known:
            self._known[alike] = self._asked(request)
        return self._known[alike]

    def _asked(self, request: SchedulerRequest) -> Bools:
        return np.asarray(self._cloud.scheduler.eligible(request) & self._usable, dtype=bool)


def hosts_named(room: Room, hosts: Sequence[int]) -> tuple[str, ...]:
    """Names of hosts, in order."""
    return tuple(room.hosts[host] for host in hosts)
