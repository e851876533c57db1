"""Who holds what of which host."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from sim.errors import LawViolation
from sim.eventlog import records as r
from sim.runs.laws.law import Handler

Resources = tuple[int, int, int, int]
State = tuple[str, str | None, bool, str, str | None]
"""A server's vm_state and host, whether it is locked, its flavor, and its task."""
_CLASSES = ("VCPU", "MEMORY_MB", "DISK_GB", "PCPU")
MIGRATION = "migration:"
_ROUNDING = 1e-6


class _Held(dict[str, dict[str, Resources]]):
    """Consumer → host → what it holds there. Servers of the start come in when they are first looked at."""

    def __init__(self, law: CapacityLaw) -> None:
        super().__init__()
        self._law = law

    def __missing__(self, consumer: str) -> dict[str, Resources]:
        found = self[consumer] = self._law.held_at_start(consumer)
        return found


class CapacityLaw:
    """No claim takes a host over its capacity; what is given back was held; who is gone holds nothing.

    Claims are of a flavor's size.
    """

    def __init__(self) -> None:
        self.capacity: dict[str, tuple[float, ...]] = {}
        self.used: dict[str, list[int]] = {}
        self.start: dict[str, int] = {}
        """Server of the start → its row."""
        self._rows = r.ServersPresent(0.0, [], [], [], [], [], [], [], [], [], [], [], [])
        self.held = _Held(self)
        self.flavors: dict[str, Resources] = {}
        self._sizes: set[Resources] = set()
        """Sizes that have been found to be right."""

    def handlers(self) -> dict[type[r.Record], Handler]:
        """Record type → method."""
        return {
            r.HostsPresent: self.hosts, r.DedicatedPresent: self.dedicated, r.FlavorsPresent: self.kinds,
            r.FlavorNeedsPresent: self.needs, r.ServersPresent: self.servers, r.MigrationsPresent: self.migrations,
            r.HoldingsPresent: self.holdings, r.ServerCreated: self.created, r.ServerDeleted: self.deleted,
            r.Claimed: self.claimed, r.Released: self.released, r.ClaimMoved: self.moved,
        }  # fmt: skip

    # --- the start

    def hosts(self, record: r.HostsPresent) -> None:
        """Capacity is (total - reserved) * ratio."""
        columns = zip(
            record.host, record.vcpus, record.reserved_vcpus, record.cpu_ratio, record.memory_mb,
            record.reserved_memory_mb, record.ram_ratio, record.disk_gb, record.reserved_disk_gb, record.disk_ratio,
            strict=True,
        )  # fmt: skip
        for host, vcpus, no_vcpus, cpu, memory, no_memory, ram, disk, no_disk, disk_ratio in columns:
            disk_gb = (disk - no_disk) * disk_ratio
            amounts = ((vcpus - no_vcpus) * cpu, (memory - no_memory) * ram, disk_gb, 0.0)
            self.capacity[host] = tuple(amount + _ROUNDING for amount in amounts)
            self.used[host] = [0, 0, 0, 0]

    def dedicated(self, record: r.DedicatedPresent) -> None:
        """CPUs for pinned guests are never overcommitted."""
        for host, pcpus in zip(record.host, record.pcpus, strict=True):
            self.capacity[host] = (*self.capacity[host][:3], float(pcpus))

    def kinds(self, record: r.FlavorsPresent) -> None:
        """Flavors give servers their sizes."""
        columns = zip(record.flavor, record.vcpus, record.memory_mb, record.disk_gb, strict=True)
        self.flavors = {name: (vcpus, memory, disk, 0) for name, vcpus, memory, disk in columns}
        self._sizes.update(self.flavors.values())

    def needs(self, record: r.FlavorNeedsPresent) -> None:
        """Some have other sizes."""
        self._sizes.update(zip(record.vcpus, record.memory_mb, record.disk_gb, record.pcpus, strict=True))

    def servers(self, record: r.ServersPresent) -> None:
        """The start may be overfull: it is what the operator's cloud is."""
        rows = Counter(zip(record.host, record.flavor, record.disk_gb_held, record.holds, strict=True))
        for (host, flavor, disk, holds), count in rows.items():
            if holds and host is not None:
                for i, amount in enumerate(self._size(flavor, disk)):
                    self.used[host][i] += count * amount
        self._rows = record
        self.start = dict(zip(record.server, range(len(record.server)), strict=True))

    def held_at_start(self, server: str) -> dict[str, Resources]:
        """By host."""
        row, rows = self.start[server], self._rows
        host = rows.host[row]
        if not rows.holds[row] or host is None:
            return {}
        return {host: self._size(rows.flavor[row], rows.disk_gb_held[row])}

    def stood(self, server: str) -> State:
        """How a server was at the start."""
        row = self.start.get(server)
        if row is None:
            raise LawViolation("only servers that exist change", server)
        rows = self._rows
        return rows.vm_state[row], rows.host[row], rows.locked[row], rows.flavor[row], rows.task_state[row]

    def _size(self, flavor: str, disk_gb: int) -> Resources:
        vcpus, memory, *_ = self.flavors[flavor]
        return vcpus, memory, disk_gb, 0

    def migrations(self, record: r.MigrationsPresent) -> None:
        """Moves that wait for confirm or revert hold their source."""
        columns = zip(record.migration, record.source, record.flavor, record.disk_gb_held, strict=True)
        for migration, source, flavor, disk in columns:
            self.held[f"{MIGRATION}{migration}"] = {}
            self._take(f"{MIGRATION}{migration}", source, self._size(flavor, disk))

    def holdings(self, record: r.HoldingsPresent) -> None:
        """Some hold other amounts than their flavor says."""
        columns = zip(
            record.consumer, record.host, record.vcpus, record.memory_mb, record.disk_gb, record.pcpus, strict=True
        )
        for consumer, host, *amounts in columns:
            self._give(consumer, host)
            vcpus, memory, disk, pcpus = amounts
            self._take(consumer, host, (vcpus, memory, disk, pcpus))
            self._sizes.add((vcpus, memory, disk, pcpus))

    # --- what happens

    def created(self, record: r.ServerCreated) -> None:
        """It may claim."""
        self.held[record.server] = {}

    def _take(self, consumer: str, host: str, resources: Resources) -> list[int]:
        self.held[consumer][host] = resources
        used = self.used[host]
        used[0] += resources[0]
        used[1] += resources[1]
        used[2] += resources[2]
        used[3] += resources[3]
        return used

    def _give(self, consumer: str, host: str) -> Resources:
        resources = self.held[consumer].pop(host, None)
        if resources is None:
            raise LawViolation("only what is held is given back", f"{consumer} holds nothing on {host}")
        used = self.used[host]
        used[0] -= resources[0]
        used[1] -= resources[1]
        used[2] -= resources[2]
        used[3] -= resources[3]
        return resources

    def claimed(self, record: r.Claimed) -> None:
        """A claim must fit, be of a known size, and a consumer holds a host's resources once."""
        host = record.host
        if host in self.held[record.consumer]:
            raise LawViolation("one claim per consumer and host", f"{record.consumer} already holds {host}")
        new = (record.vcpus, record.memory_mb, record.disk_gb, record.pcpus)
        if new not in self._sizes:
            self._check_size(new, record.consumer)
        used, capacity = self._take(record.consumer, host, new), self.capacity[host]
        for i in (0, 1, 2, 3):
            if used[i] > capacity[i] and new[i]:
                raise LawViolation("no host over its capacity", f"{host} {_CLASSES[i]} {used[i]} > {capacity[i]}")

    def _check_size(self, size: Resources, consumer: str) -> None:
        """Less disk for a server booted from volume; an image may pin its guest, and set one CPU aside for that."""
        vcpus, memory, disk, pcpus = size
        for v, m, d, p in self._sizes:
            more = vcpus + pcpus - v - p
            if memory == m and 0 <= disk <= d and ((vcpus, pcpus) == (v, p) or (pcpus and more in {0, 1})):
                self._sizes.add(size)
                return
        raise LawViolation("claims are of a flavor's size", f"{consumer} claims {size}")

    def released(self, record: r.Released) -> None:
        """Given back."""
        self._give(record.consumer, record.host)

    def moved(self, record: r.ClaimMoved) -> None:
        """The claim changes its owner: from a server to its migration, or back."""
        consumer, new = record.consumer, record.new_consumer
        if consumer.startswith(MIGRATION) == new.startswith(MIGRATION):
            raise LawViolation("claims move between a server and its migration", f"{consumer} → {new}")
        self._take(new, record.host, self._give(consumer, record.host))

    def deleted(self, record: r.ServerDeleted) -> None:
        """What a server held has been given back when it is gone."""
        if self.held[record.server]:
            raise LawViolation("a deleted server holds nothing", f"{record.server} holds {self.held[record.server]}")

    def has_room(self, server: str, migrations: Iterable[int], host: str) -> bool:
        """Whether the server, or one of its migrations, holds something on that host."""
        return host in self.held[server] or any(host in self.held[f"{MIGRATION}{number}"] for number in migrations)
