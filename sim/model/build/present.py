"""The first records of a log: the cloud as it stands at the start, as columns."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from typing import Any

from sim.eventlog import records
from sim.model.aggregate import Aggregate, ServerGroup
from sim.model.flavor import Flavor
from sim.model.migration_record import MigrationRecord
from sim.model.needs import resources_of
from sim.model.network.topology import Topology
from sim.model.placement import Consumer
from sim.model.server import Server
from sim.scenario.expand import HostRow


def hosts(rows: Sequence[HostRow]) -> records.HostsPresent:
    """All hosts."""
    columns = (
        "name", "rack", "zone", "vcpus", "memory_mb", "disk_gb", "cpu_ratio", "ram_ratio", "disk_ratio",
        "reserved_vcpus", "reserved_memory_mb", "reserved_disk_gb", "power",
    )  # fmt: skip
    return records.HostsPresent(0.0, *([getattr(row, column) for row in rows] for column in columns))


def dedicated(rows: Sequence[HostRow]) -> records.DedicatedPresent | None:
    """Hosts with CPUs for pinned guests; None if there are none."""
    some = [row for row in rows if row.pinned_vcpus]
    return records.DedicatedPresent(0.0, [r.name for r in some], [r.pinned_vcpus for r in some]) if some else None


def aggregates(found: Iterable[Aggregate], names: Sequence[str]) -> records.AggregatesPresent:
    """All aggregates with their hosts' names."""
    found = list(found)
    return records.AggregatesPresent(
        0.0, [a.name for a in found], [a.zone for a in found], [[names[host] for host in a.hosts] for a in found]
    )


def flavors(found: Iterable[Flavor]) -> records.FlavorsPresent:
    """All flavors."""
    found = list(found)
    return records.FlavorsPresent(
        0.0, [f.name for f in found], [f.vcpus for f in found], [f.memory_mb for f in found], [f.disk_gb for f in found]
    )


def flavor_needs(found: Iterable[Flavor]) -> records.FlavorNeedsPresent | None:
    """Flavors that take other amounts than their columns say (an image may say more); None if there are none."""
    rows: list[tuple[Any, ...]] = []
    for flavor in found:
        try:
            needs = resources_of(flavor, None, False)
        except ValueError:  # no server can have such a flavor, and the door says so
            continue
        if needs[:4] != (flavor.vcpus, flavor.memory_mb, flavor.disk_gb, 0):
            rows.append((flavor.name, *needs[:4]))
    columns: list[list[Any]] = [list(column) for column in zip(*rows, strict=True)]
    return records.FlavorNeedsPresent(0.0, *columns) if rows else None


def links(network: Topology) -> records.LinksPresent:
    """All links."""
    return records.LinksPresent(0.0, network.names, [capacity for _, capacity in network.links])


def groups(found: Mapping[str, ServerGroup]) -> records.GroupsPresent:
    """All server groups."""
    return records.GroupsPresent(
        0.0, list(found), [g.policy for g in found.values()], [list(g.members) for g in found.values()]
    )


def holdings(
    servers: Iterable[Server], moves: Iterable[MigrationRecord], names: Sequence[str]
) -> records.HoldingsPresent | None:
    """Consumers that hold other amounts than their flavor's columns say (disk aside); None if there are none."""
    rows: list[tuple[Any, ...]] = []
    consumers: Iterator[tuple[Consumer, Flavor]] = chain(
        ((server, server.flavor) for server in servers), ((move, move.old_flavor) for move in moves)
    )
    for consumer, flavor in consumers:
        for host, held in consumer.held.items():
            if held.pcpus or held.vcpus != flavor.vcpus or held.memory_mb != flavor.memory_mb:
                rows.append((consumer.consumer, names[host], *held[:4]))
    columns: list[list[Any]] = [list(column) for column in zip(*rows, strict=True)]
    return records.HoldingsPresent(0.0, *columns) if rows else None


def migrations(found: Iterable[MigrationRecord], names: Sequence[str]) -> records.MigrationsPresent:
    """Migration records that wait for confirm or revert."""
    rows = []
    for move in found:
        assert move.source is not None
        assert move.dest is not None
        rows.append(
            (move.id, move.server.name, move.type, move.status, names[move.source], names[move.dest],
             move.old_flavor.name, move.held[move.source][2])
        )  # fmt: skip
    columns: list[list[Any]] = [list(column) for column in zip(*rows, strict=True)] or [[] for _ in range(8)]
    return records.MigrationsPresent(0.0, *columns)


def guests(found: Iterable[Server]) -> records.GuestsPresent:
    """What runs in all servers."""
    found = list(found)
    return records.GuestsPresent(
        0.0, [s.name for s in found], [s.guest.activity for s in found], [s.guest.cpu for s in found]
    )


def servers(found: Iterable[Server], names: Sequence[str]) -> records.ServersPresent:
    """All servers. What they hold is what placement says they hold on their own host."""
    found = list(found)
    held = [None if s.host is None else s.held.get(s.host) for s in found]
    return records.ServersPresent(
        0.0, [s.name for s in found], [s.uuid for s in found], [s.project for s in found],
        [s.flavor.name for s in found], [None if s.host is None else names[s.host] for s in found],
        [s.vm_state for s in found], [s.task_state for s in found], [s.power_state for s in found],
        [s.status for s in found], [s.locked_by is not None for s in found], [h is not None for h in held],
        [0 if h is None else h[2] for h in held],
    )  # fmt: skip
