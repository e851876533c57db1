"""Which links a flow from host to host crosses. Every cable is two links, one for each direction.

Hosts are numbered; names are for people. Leaf-spine, star and ring routes are arithmetic, so 100 000 hosts cost two
arrays; any other graph is searched by hops with networkx, ties broken by name, and remembered.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

import networkx as nx
import numpy as np
from numpy.typing import ArrayLike

Link = tuple[str, float]
"""Name and capacity in bytes per second."""
Route = tuple[int, ...]
"""Indices of the links that a flow crosses, in order."""

_TREES_KEPT = 256


class Topology(ABC):
    """Links, and routes between hosts. The first links are the hosts' NICs: up, down, up, down, … in order of hosts."""

    def __init__(self, hosts: Sequence[str], nic_bps: ArrayLike) -> None:
        speeds = np.broadcast_to(np.asarray(nic_bps, dtype=float), (len(hosts),))
        if (speeds < 0).any():
            raise ValueError("a NIC's capacity must not be negative")
        self.links: list[Link] = []
        for host, speed in zip(hosts, speeds.tolist(), strict=True):
            self.links += ((f"{host}:up", speed), (f"{host}:down", speed))
        self.host_up: Sequence[int] = range(0, 2 * len(hosts), 2)
        """Host → the link that its NIC sends on."""
        self.host_down: Sequence[int] = range(1, 2 * len(hosts), 2)
        """Host → the link that its NIC receives on."""
        self.feeds_bps: dict[int, float] = {}
        """Link → the most that the NICs behind it can send through it; links without such a bound are absent."""

    @property
    def names(self) -> list[str]:
        """Names of the links."""
        return [name for name, _ in self.links]

    def nics(self, host: int) -> tuple[int, ...]:
        """The links of the host's own cables."""
        return (self.host_up[host], self.host_down[host])

    @abstractmethod
    def _between(self, source: int, dest: int) -> Route:
        """Links between the two NICs."""

    def route(self, source: int, dest: int) -> Route:
        """Links from host to host; a host reaches itself over none."""
        if source == dest:
            return ()
        return (2 * source, *self._between(source, dest), 2 * dest + 1)

    def migration_route(self, source: int, dest: int) -> Route:
        """As :meth:`route`, for live migrations: over a network of their own where both hosts have one."""
        return self.route(source, dest)

    def ingress(self, host: int) -> Route:
        """Links from outside the cloud (image service, volumes) to a host."""
        return (2 * host + 1,)

    def egress(self, host: int) -> Route:
        """Links from a host to the outside of the cloud."""
        return (2 * host,)


class Star(Topology):
    """All hosts on one switch that never blocks."""

    def _between(self, _source: int, _dest: int) -> Route:
        return ()


class LeafSpine(Topology):
    """A leaf switch for each rack, ``spines`` spine switches, uplinks of sum(NICs of the rack) / oversubscription.

    Flows between racks take spine (source + dest) mod ``spines``: spread as by a hash of addresses, and the same in
    every run.
    """

    def __init__(
        self, hosts: Sequence[str], racks: Sequence[str], nic_bps: ArrayLike, oversubscription: float = 1.0,
        spines: int = 1,
    ) -> None:  # fmt: skip
        if oversubscription <= 0 or spines < 1:
            raise ValueError(f"oversubscription {oversubscription} and spines {spines} must be positive")
        super().__init__(hosts, nic_bps)
        names = list(dict.fromkeys(racks))
        number = {name: i for i, name in enumerate(names)}
        self._rack = [number[rack] for rack in racks]
        if len(self._rack) != len(hosts):
            raise ValueError(f"{len(hosts)} hosts but {len(self._rack)} racks named")
        self._spines = spines
        self._first = len(self.links)
        within = np.bincount(self._rack, weights=[speed for _, speed in self.links[::2]], minlength=len(names))
        for name, total in zip(names, within.tolist(), strict=True):
            for spine in range(spines):
                tail = f"{name}:spine-{spine + 1}" if spines > 1 else name
                for direction in ("up", "down"):
                    self.feeds_bps[len(self.links)] = total
                    self.links.append((f"{tail}:{direction}", total / oversubscription / spines))

    def _between(self, source: int, dest: int) -> Route:
        leaf, other = self._rack[source], self._rack[dest]
        if leaf == other:
            return ()
        spine = (source + dest) % self._spines
        return (self._first + 2 * (leaf * self._spines + spine), self._first + 2 * (other * self._spines + spine) + 1)

    def ingress(self, host: int) -> Route:
        """Over the spine of the host's number and its rack's downlink."""
        return (self._first + 2 * (self._rack[host] * self._spines + host % self._spines) + 1, 2 * host + 1)

    def egress(self, host: int) -> Route:
        """Over the rack's uplink to the spine of the host's number."""
        return (2 * host, self._first + 2 * (self._rack[host] * self._spines + host % self._spines))


class Ring(Topology):
    """Hosts in a ring; a flow takes the shorter way round, clockwise if both are as long."""

    def __init__(self, hosts: Sequence[str], nic_bps: ArrayLike, ring_bps: float) -> None:
        super().__init__(hosts, nic_bps)
        if ring_bps < 0:
            raise ValueError("the ring's capacity must not be negative")
        self._size = len(hosts)
        self._first = len(self.links)
        for i in range(self._size):
            a, b = hosts[i], hosts[(i + 1) % self._size]
            self.links += ((f"{a}>{b}", ring_bps), (f"{b}>{a}", ring_bps))

    def _between(self, source: int, dest: int) -> Route:
        clockwise = (dest - source) % self._size
        if 2 * clockwise <= self._size:
            return tuple(self._first + 2 * ((source + i) % self._size) for i in range(clockwise))
        against = self._size - clockwise
        return tuple(self._first + 2 * ((source - 1 - i) % self._size) + 1 for i in range(against))


class GraphTopology(Topology):
    """Any graph: nodes named as hosts (others are switches), edges with ``capacity_bps`` for each direction.

    Fewest hops; among equals the path whose nodes come first by name, counted from the source. Raises ValueError for a
    host that is no node, an edge without capacity, and (when asked for it) a pair without a path.
    """

    def __init__(self, graph: nx.Graph, hosts: Sequence[str], nic_bps: ArrayLike) -> None:
        super().__init__(hosts, nic_bps)
        missing = [host for host in hosts if host not in graph]
        if missing:
            raise ValueError(f"hosts missing from the network graph: {', '.join(missing[:5])}")
        self._graph, self._hosts = graph, list(hosts)
        self._edge: dict[tuple[str, str], int] = {}
        for a, b in sorted(tuple(sorted(edge)) for edge in graph.edges):
            capacity = graph.edges[a, b].get("capacity_bps")
            if not isinstance(capacity, (int, float)) or not capacity >= 0:
                raise ValueError(f"edge {a} - {b} of the network graph needs a capacity_bps that is not negative")
            for one, other in ((a, b), (b, a)):
                self._edge[one, other] = len(self.links)
                self.links.append((f"{one}>{other}", float(capacity)))
        self._known: dict[tuple[int, int], Route] = {}
        self._trees: dict[int, dict[str, str]] = {}

    def _between(self, source: int, dest: int) -> Route:
        found = self._known.get((source, dest))
        if found is None:
            found = self._known[source, dest] = self._search(source, dest)
        return found

    def _search(self, source: int, dest: int) -> Route:
        before = self._trees.get(source)
        if before is None:
            if len(self._trees) >= _TREES_KEPT:
                del self._trees[next(iter(self._trees))]
            before = {two: one for one, two in nx.bfs_edges(self._graph, self._hosts[source], sort_neighbors=sorted)}
            self._trees[source] = before
        node, start, path = self._hosts[dest], self._hosts[source], []
        if node not in before:
            raise ValueError(f"no path in the network graph from {start} to {node}")
        while node != start:
            path.append(self._edge[before[node], node])
            node = before[node]
        return tuple(reversed(path))


class TwoNetworks(Topology):
    """A data network and another one for live migrations, for the hosts that are on it."""

    def __init__(self, data: Topology, migration: Topology, on_it: Sequence[bool]) -> None:
        offset = len(data.links)
        self.links = data.links + [(f"migration:{name}", capacity) for name, capacity in migration.links]
        self.host_up, self.host_down = data.host_up, data.host_down
        self.feeds_bps = data.feeds_bps | {offset + link: bound for link, bound in migration.feeds_bps.items()}
        self.migration_up = [offset + link for link in migration.host_up]
        self.migration_down = [offset + link for link in migration.host_down]
        self._data, self._migration, self._on_it, self._offset = data, migration, list(on_it), offset

    def _between(self, source: int, dest: int) -> Route:
        return self._data._between(source, dest)

    def nics(self, host: int) -> tuple[int, ...]:
        """Those of both networks."""
        own = (self.host_up[host], self.host_down[host])
        return (*own, self.migration_up[host], self.migration_down[host]) if self._on_it[host] else own

    def route(self, source: int, dest: int) -> Route:
        """Over the data network."""
        return self._data.route(source, dest)

    def ingress(self, host: int) -> Route:
        """Over the data network."""
        return self._data.ingress(host)

    def egress(self, host: int) -> Route:
        """Over the data network."""
        return self._data.egress(host)

    def migration_route(self, source: int, dest: int) -> Route:
        """Over the migration network if both hosts are on it, else over the data network."""
        if not (self._on_it[source] and self._on_it[dest]):
            return self._data.route(source, dest)
        return tuple(self._offset + link for link in self._migration.route(source, dest))


def leaf_spine(
    hosts: Sequence[str], racks: Sequence[str], nic_bps: ArrayLike, oversubscription: float = 1.0, spines: int = 1
) -> Topology:  # fmt: skip
    """Racks of hosts under leaf switches; see :class:`LeafSpine`."""
    return LeafSpine(hosts, racks, nic_bps, oversubscription, spines)


def star(hosts: Sequence[str], nic_bps: ArrayLike) -> Topology:
    """All hosts on one switch."""
    return Star(hosts, nic_bps)


def ring(hosts: Sequence[str], nic_bps: ArrayLike, ring_bps: float) -> Topology:
    """Hosts in a ring of cables of ``ring_bps``."""
    return Ring(hosts, nic_bps, ring_bps)


def from_graph(graph: nx.Graph, hosts: Sequence[str], nic_bps: ArrayLike) -> Topology:
    """Any graph; see :class:`GraphTopology`."""
    return GraphTopology(graph, hosts, nic_bps)
