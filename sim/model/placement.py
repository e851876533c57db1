"""Placement: the only writer of capacity. What each host has, what of it is held, and by whom.

Columns have the shape (4, H), rows in the order of :data:`RESOURCE_CLASSES`, column i is host i. Capacity is what
Nova's placement service means by it: (total - reserved) * allocation ratio, and no single claim above the total.
Guests with NUMA nodes also take room on the host's own (:mod:`sim.model.numa`): placement counts it and does not judge.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple, Protocol, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sim.eventlog import records
from sim.eventlog.log import EventLog
from sim.model.flavor import Resources
from sim.model.host import Hosts
from sim.model.numa import NumaNodes

RESOURCE_CLASSES = ("VCPU", "MEMORY_MB", "DISK_GB", "PCPU")
_PCPU = RESOURCE_CLASSES.index("PCPU")
_Number = TypeVar("_Number", np.int64, np.float64)


class Clock(Protocol):
    """Where the time for records comes from."""

    @property
    def now(self) -> float:
        """Simulated seconds."""


class Consumer(Protocol):
    """Who may hold resources: a server or a migration record."""

    @property
    def consumer(self) -> str:
        """Its name in records."""

    @property
    def held(self) -> dict[int, Resources]:
        """Host → what it holds there. Placement alone changes it."""


class Inventory(NamedTuple):
    """What placement knows of one resource class of one host."""

    total: int
    reserved: int
    ratio: float
    used: int


class Placement:
    """Who holds what. Every change but the bulk load is recorded.

    ``total``, ``reserved`` and ``ratio``: (3, H), in Nova's units, without PCPU. ``pinned``: host CPUs set aside for
    pinned guests, (H,). ``numa_nodes``: how many nodes each host has, (H,); ``pack_nodes``: fill fuller nodes first.
    """

    def __init__(
        self, clock: Clock, log: EventLog, hosts: Hosts, *, total: ArrayLike, reserved: ArrayLike, ratio: ArrayLike,
        pinned: ArrayLike = 0, numa_nodes: ArrayLike = 1, pack_nodes: bool = False,
    ) -> None:  # fmt: skip
        count = len(hosts)
        shape = (len(RESOURCE_CLASSES), count)
        self.clock, self.log, self.hosts = clock, log, hosts
        self.total: NDArray[np.int64] = _with_pcpus(total, pinned, count, np.int64)
        self.reserved: NDArray[np.int64] = _with_pcpus(reserved, 0, count, np.int64)
        self.ratio: NDArray[np.float64] = _with_pcpus(ratio, 1.0, count, np.float64)
        self.used: NDArray[np.int64] = np.zeros(shape, dtype=np.int64)
        self.capacity: NDArray[np.float64] = (self.total - self.reserved) * self.ratio
        self.free: NDArray[np.int64] = np.floor(self.capacity).astype(np.int64)
        """What still fits: whole units of capacity less what is used; below zero on an overfull host."""
        self.spare: NDArray[np.float64] = (self.total - self.reserved).astype(np.float64)
        """What the weighers call free, reserved and used taken off: memory and disk as they are, vCPUs times ratio.

        As on a compute node, pinned vCPUs are used vCPUs like others.
        """
        self.spare[0] = self.total[0] * self.ratio[0] - self.reserved[0]
        self._limits = tuple(zip(self.free, self.total, strict=True))
        self._taken = tuple(zip(self.used, self.free, self.spare, strict=True))
        """Views of the rows: a number of a row is read in half the time of one of a table."""
        self.journal = hosts.journal
        self.numa = NumaNodes(
            np.broadcast_to(numa_nodes, count), self.total[0], self.total[_PCPU], self.total[1],
            cpu_ratio=self.ratio[0], ram_ratio=self.ratio[1], pack=pack_nodes,
        )  # fmt: skip

    # --- changes

    def claim(self, consumer: Consumer, host: int, resources: Resources, *, force: bool = False) -> bool:
        """Take resources of a host; False, and nothing taken, if they do not fit.

        ``force``: without a look at capacity. A consumer that holds something there already (left from a move that
        broke off) just keeps that, as Nova has it.
        """
        if host in consumer.held:
            return True
        if not force and not self.fits(host, resources):
            return False
        self._take(consumer, host, resources)
        vcpus, memory_mb, disk_gb, pcpus, _ = resources
        name = self.hosts.names[host]
        self.log.append(records.Claimed(self.clock.now, consumer.consumer, name, vcpus, memory_mb, disk_gb, pcpus))
        return True

    def fits(self, host: int, resources: Resources) -> bool:
        """Whether a claim would be granted. What is not asked for is not looked at."""
        for free, total, amount in self.asked(resources):
            if amount > free.item(host) or amount > total.item(host):
                return False
        return True

    def asked(self, resources: Resources) -> list[tuple[NDArray[np.int64], NDArray[np.int64], int]]:
        """What is asked for: by resource class what is free, what there is in all, both (H,), and the amount."""
        rows = zip(self._limits, resources[:4], strict=True)
        return [(free, total, amount) for (free, total), amount in rows if amount]

    def granted(self, consumer: Consumer, host: int) -> bool:
        """Whether the host's own claim holds too: the NUMA nodes of what the consumer took there found room."""
        return self.numa.granted(consumer.consumer, host)

    def release(self, consumer: Consumer, host: int) -> None:
        """Give back what the consumer holds on a host, if it holds anything there."""
        resources = consumer.held.pop(host, None)
        if resources is not None:
            self._add(host, resources, -1)
            if resources.nodes:
                self.numa.give(consumer.consumer, host, resources.nodes)
            self.log.append(records.Released(self.clock.now, consumer.consumer, self.hosts.names[host]))

    def release_all(self, consumer: Consumer) -> None:
        """Give back everything."""
        for host in list(consumer.held):
            self.release(consumer, host)

    def move(self, consumer: Consumer, new_consumer: Consumer, host: int) -> None:
        """What ``consumer`` holds on a host is from now on held by ``new_consumer``.

        Raises KeyError if the first holds nothing there, ValueError if the second already does.
        """
        if host in new_consumer.held:
            raise ValueError(f"{new_consumer.consumer} already holds resources on {self.hosts.names[host]}")
        resources = new_consumer.held[host] = consumer.held.pop(host)
        if resources.nodes:
            self.numa.move(consumer.consumer, new_consumer.consumer, host)
        name = self.hosts.names[host]
        self.log.append(records.ClaimMoved(self.clock.now, consumer.consumer, new_consumer.consumer, name))

    def hand_over(self, giver: Consumer, taker: Consumer) -> bool:
        """All that ``giver`` holds is from now on held by ``taker``, instead of what that held before.

        False, and nothing done, if it holds nothing. So Nova moves allocations between a server and a migration.
        """
        if not giver.held:
            return False
        self.release_all(taker)
        for host in list(giver.held):
            self.move(giver, taker, host)
        return True

    def load(self, claims: Iterable[tuple[Consumer, int, Resources]]) -> None:
        """What is held when the simulation begins: taken as it is, overfull or not, and not recorded."""
        rows: list[tuple[Any, ...]] = []
        where: list[int] = []
        for consumer, host, resources in claims:
            if host in consumer.held:
                raise ValueError(f"{consumer.consumer} already holds resources on {self.hosts.names[host]}")
            consumer.held[host] = resources
            rows.append(resources[:4])
            where.append(host)
            if resources.nodes:
                self.numa.take(consumer.consumer, host, resources.nodes)
        if not rows:
            return
        amounts = np.array(rows, dtype=np.int64).T
        for i in range(len(RESOURCE_CLASSES)):
            if not amounts[i].any():
                continue
            taken = np.bincount(where, weights=amounts[i], minlength=len(self.hosts)).astype(np.int64)
            self.used[i] += taken
            self.free[i] -= taken
            self.spare[i] -= taken
            if i == _PCPU:
                self.spare[0] -= taken
        self.journal.forget()

    # --- questions

    def resources_of(self, consumer: Consumer) -> dict[int, Resources]:
        """What a consumer holds, by host."""
        return dict(consumer.held)

    def inventory(self, host: int) -> dict[str, Inventory]:
        """What placement knows of a host, by resource class."""
        columns = zip(
            RESOURCE_CLASSES, self.total[:, host], self.reserved[:, host], self.ratio[:, host], self.used[:, host],
            strict=True,
        )  # fmt: skip
        return {name: Inventory(int(t), int(r), float(ratio), int(u)) for name, t, r, ratio, u in columns}

    def memory(self, host: int) -> tuple[int, float, int]:
        """Memory as the host's own compute node counts it: total MB, allocation ratio, used MB with the reserved."""
        total, ratio = int(self.total[1, host]), float(self.ratio[1, host])
        return total, ratio, int(self.used[1, host] + self.reserved[1, host])

    # --- within

    def _take(self, consumer: Consumer, host: int, resources: Resources) -> None:
        if host in consumer.held:
            raise ValueError(f"{consumer.consumer} already holds resources on {self.hosts.names[host]}")
        consumer.held[host] = resources
        self._add(host, resources, 1)
        if resources.nodes:
            self.numa.take(consumer.consumer, host, resources.nodes)

    def _add(self, host: int, resources: Resources, sign: int) -> None:
        for (used, free, spare), amount in zip(self._taken, resources[:4], strict=True):
            if amount:
                taken = sign * amount
                used[host] = used.item(host) + taken
                free[host] = free.item(host) - taken
                spare[host] = spare.item(host) - taken
        if resources.pcpus:
            self.spare[0, host] -= sign * resources.pcpus
        self.journal.add(host)


def _with_pcpus(rows: ArrayLike, pcpus: ArrayLike, count: int, dtype: type[_Number]) -> NDArray[_Number]:
    """Three rows and the one of PCPU."""
    columns: NDArray[_Number] = np.empty((len(RESOURCE_CLASSES), count), dtype=dtype)
    columns[:_PCPU] = rows
    columns[_PCPU] = pcpus
    return columns
