"""NUMA nodes of hosts: what each has, and which guests with NUMA nodes of their own lie where.

Columns have the shape (N, H): row n is node n of every host, empty where a host has fewer. As in Nova, guests without
NUMA nodes count on none, and hosts without CPUs set aside pin guests to their shared ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from itertools import permutations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sim.scenario.guest_cpus import GuestNode

NO_ROOM = "Requested instance NUMA topology cannot fit the given host NUMA topology"
"""What a compute host says when its own claim fails for want of room on its nodes."""
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
_Places = tuple[int, ...]


class NumaNodes:
    """Nodes of all hosts. ``vcpus``, ``pcpus``, ``memory_mb`` are the hosts' totals, shared evenly by their nodes."""

    def __init__(
        self, nodes: ArrayLike, vcpus: Ints, pcpus: Ints, memory_mb: Ints, *, cpu_ratio: NDArray[np.float64],
        ram_ratio: NDArray[np.float64], pack: bool = False,
    ) -> None:  # fmt: skip
        self.count: Ints = np.array(nodes, dtype=np.int64)
        self._vcpus = self._share(vcpus)
        self._pcpus = self._share(np.where(pcpus > 0, pcpus, vcpus))
        self._memory = self._share(memory_mb)
        self._cpu_ratio, self._ram_ratio = cpu_ratio, ram_ratio
        self._pack = pack
        """Whether fuller nodes are filled first."""
        shape = self._vcpus.shape
        self._used_vcpus: Ints = np.zeros(shape, dtype=np.int64)
        self._used_pcpus: Ints = np.zeros(shape, dtype=np.int64)
        self._used_memory: Ints = np.zeros(shape, dtype=np.int64)
        self._taken: dict[tuple[str, int], tuple[_Places, bool]] = {}

    def _share(self, totals: Ints) -> Ints:
        """Even shares, the first nodes one more where it does not come out even. (N, H)"""
        node = np.arange(int(self.count.max(initial=1)))[:, None]
        share, rest = totals // self.count, totals % self.count
        return np.where(node < self.count, share + (node < rest), 0)

    # --- questions

    def fits(self, wanted: Sequence[GuestNode]) -> Bools:
        """Hosts where each of the guest's nodes finds a node of its own, within the allocation ratios. (H,)"""
        places = len(self._vcpus)
        if len(wanted) > places:
            return np.zeros(self._vcpus.shape[1], dtype=bool)
        kinds = {node: self._room(node, slice(None)) for node in set(wanted)}
        if len(kinds) == 1:
            return np.asarray(np.count_nonzero(kinds[wanted[0]], axis=0) >= len(wanted))
        ways = (
            np.logical_and.reduce([kinds[node][place] for node, place in zip(wanted, way, strict=True)])
            for way in permutations(range(places), len(wanted))
        )
        return reduce(np.logical_or, ways)

    def granted(self, consumer: str, host: int) -> bool:
        """Whether the host's own claim held when the consumer's was taken: its nodes found room there."""
        taken = self._taken.get((consumer, host))
        return taken is None or taken[1]

    def _room(self, node: GuestNode, hosts: slice | int, *, limits: bool = True) -> Bools:
        """Where one node of a guest fits, by Nova's rules; ``limits``: within the allocation ratios. (N,) or (N, H)"""
        memory, used = self._memory[:, hosts], self._used_memory[:, hosts]
        room = (memory - used if node.exact else memory) >= node.memory_mb
        room &= node.shared <= self._vcpus[:, hosts]
        if node.pinned:
            room &= node.pinned <= self._pcpus[:, hosts] - self._used_pcpus[:, hosts]
        if node.shared and limits:
            room &= self._used_vcpus[:, hosts] + node.shared <= self._vcpus[:, hosts] * self._cpu_ratio[hosts]
            room &= used + node.memory_mb <= memory * self._ram_ratio[hosts]
        return np.asarray(room)

    def _choose(self, host: int, wanted: Sequence[GuestNode], *, limits: bool) -> _Places | None:
        """The nodes that Nova would choose on a host, None if there are none."""
        count = int(self.count[host])
        if count < len(wanted):
            return None
        rooms = [self._room(node, host, limits=limits).tolist() for node in wanted]
        for way in permutations(self._in_order(host, count, wanted), len(wanted)):
            if all(room[place] for room, place in zip(rooms, way, strict=True)):
                return way
        return None

    def _in_order(self, host: int, count: int, wanted: Sequence[GuestNode]) -> list[int]:
        """Nodes in the order in which Nova tries them: emptier first, or fuller first where it packs."""
        order = list(range(count))
        if count == len(wanted):
            return order
        memory, used = self._memory[:, host], self._used_memory[:, host]
        order.sort(key=lambda n: memory[n] - used[n], reverse=not self._pack)
        if wanted[0].pinned:
            order.sort(key=lambda n: self._pcpus[n, host] - self._used_pcpus[n, host], reverse=not self._pack)
        else:
            order.sort(key=lambda n: self._used_vcpus[n, host], reverse=self._pack)
        return order

    # --- changes

    def take(self, consumer: str, host: int, wanted: Sequence[GuestNode]) -> None:
        """The guest's nodes take room on the host; where they find none, they overfill it, and are not granted."""
        places = self._choose(host, wanted, limits=True) or self._choose(host, wanted, limits=False)
        granted = places is not None
        if places is None:
            count = int(self.count[host])
            places = tuple(i % count for i in range(len(wanted)))
        self._taken[consumer, host] = (places, granted)
        self._add(host, places, wanted, 1)

    def give(self, consumer: str, host: int, wanted: Sequence[GuestNode]) -> None:
        """What was taken is given back."""
        places, _ = self._taken.pop((consumer, host))
        self._add(host, places, wanted, -1)

    def move(self, consumer: str, new_consumer: str, host: int) -> None:
        """What the one took is from now on the other's."""
        self._taken[new_consumer, host] = self._taken.pop((consumer, host))

    def _add(self, host: int, places: _Places, wanted: Sequence[GuestNode], sign: int) -> None:
        for place, node in zip(places, wanted, strict=True):
            self._used_vcpus[place, host] += sign * node.shared
            self._used_pcpus[place, host] += sign * node.pinned
            self._used_memory[place, host] += sign * node.memory_mb

    def used(self, host: int) -> list[tuple[int, int, int]]:
        """(shared, pinned, MB) that guests take of each node of a host."""
        columns = (self._used_vcpus, self._used_pcpus, self._used_memory)
        vcpus, pcpus, memory = (column[: int(self.count[host]), host].tolist() for column in columns)
        return list(zip(vcpus, pcpus, memory, strict=True))
