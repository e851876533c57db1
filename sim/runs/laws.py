"""The laws of the cloud, each a small observer of records that raises :class:`LawViolation`.

They are a second opinion: they see records alone, share no code with the model, and rebuild what they need.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from typing import Any, Protocol

from sim.errors import LawViolation
from sim.eventlog import records as r
from sim.runs.arrows import ANYTIME, CHOICES, LEGAL_MIGRATIONS, LEGAL_VM_STATES, OVER, SHARED

Handler = Callable[[Any], None]
Resources = tuple[int, int, int, int]
_CLASSES = ("VCPU", "MEMORY_MB", "DISK_GB", "PCPU")


class Law(Protocol):
    """An observer of records."""

    def handlers(self) -> dict[type[r.Record], Handler]:
        """Record type → method."""


class EndingLaw(Law, Protocol):
    """A law that also asks something at the end of a log."""

    def end(self) -> None:
        """The log is over."""


class TimeLaw:
    """Time never goes back."""

    def __init__(self) -> None:
        self.now = 0.0

    def see(self, record: r.Record) -> None:
        """Every record passes here."""
        if record.t < self.now:
            raise LawViolation("time never goes back", f"{record.t} after {self.now}")
        self.now = record.t


class CapacityLaw:
    """No claim takes a host over its capacity; what is given back was held; a finished move holds nothing."""

    def __init__(self) -> None:
        self.capacity: dict[str, list[float]] = {}
        self.used: dict[str, list[int]] = {}
        self.held: dict[str, dict[str, Resources]] = defaultdict(dict)
        self._flavors: dict[str, Resources] = {}
        self._statuses: dict[str, str] = {}
        """Migration, as a consumer → its last status."""
        self._reverted: dict[str, str] = {}
        """Server → its migration that the destination has reverted last."""

    def handlers(self) -> dict[type[r.Record], Handler]:
        """Record type → method."""
        return {
            r.HostsPresent: self.hosts, r.DedicatedPresent: self.dedicated, r.FlavorsPresent: self.flavors,
            r.ServersPresent: self.servers, r.MigrationsPresent: self.migrations, r.HoldingsPresent: self.holdings,
            r.Claimed: self.claimed, r.Released: self.released, r.ClaimMoved: self.moved,
            r.MigrationState: self.migration, r.EventFinished: self.event,
        }  # fmt: skip

    def hosts(self, record: r.HostsPresent) -> None:
        """Capacity is (total - reserved) * ratio."""
        columns = zip(
            record.host, record.vcpus, record.reserved_vcpus, record.cpu_ratio, record.memory_mb,
            record.reserved_memory_mb, record.ram_ratio, record.disk_gb, record.reserved_disk_gb, record.disk_ratio,
            strict=True,
        )  # fmt: skip
        for host, vcpus, no_vcpus, cpu, memory, no_memory, ram, disk, no_disk, disk_ratio in columns:
            disk_gb = (disk - no_disk) * disk_ratio
            self.capacity[host] = [(vcpus - no_vcpus) * cpu, (memory - no_memory) * ram, disk_gb, 0.0]
            self.used[host] = [0, 0, 0, 0]

    def dedicated(self, record: r.DedicatedPresent) -> None:
        """CPUs for pinned guests are never overcommitted."""
        for host, pcpus in zip(record.host, record.pcpus, strict=True):
            self.capacity[host][3] = float(pcpus)

    def flavors(self, record: r.FlavorsPresent) -> None:
        """Flavors give the servers of the start their sizes."""
        columns = zip(record.flavor, record.vcpus, record.memory_mb, record.disk_gb, strict=True)
        self._flavors = {name: (vcpus, memory, disk, 0) for name, vcpus, memory, disk in columns}

    def servers(self, record: r.ServersPresent) -> None:
        """The start may be overfull: it is what the operator's cloud is."""
        columns = zip(record.server, record.host, record.flavor, record.holds, record.disk_gb_held, strict=True)
        for server, host, flavor, holds, disk in columns:
            if holds and host is not None:
                vcpus, memory, *_ = self._flavors[flavor]
                self._take(server, host, (vcpus, memory, disk, 0))

    def migrations(self, record: r.MigrationsPresent) -> None:
        """Moves that wait for confirm or revert hold their source."""
        columns = zip(record.migration, record.source, record.flavor, record.disk_gb_held, strict=True)
        for migration, source, flavor, disk in columns:
            vcpus, memory, *_ = self._flavors[flavor]
            self._take(f"migration:{migration}", source, (vcpus, memory, disk, 0))

    def holdings(self, record: r.HoldingsPresent) -> None:
        """Some hold other amounts than their flavor says."""
        columns = zip(
            record.consumer, record.host, record.vcpus, record.memory_mb, record.disk_gb, record.pcpus, strict=True
        )
        for consumer, host, *amounts in columns:
            self._give(consumer, host)
            vcpus, memory, disk, pcpus = amounts
            self._take(consumer, host, (vcpus, memory, disk, pcpus))

    def _take(self, consumer: str, host: str, resources: Resources) -> None:
        self.held[consumer][host] = resources
        used = self.used[host]
        for i in range(4):
            used[i] += resources[i]

    def _give(self, consumer: str, host: str) -> Resources:
        holdings = self.held.get(consumer, {})
        if host not in holdings:
            raise LawViolation("only what is held is given back", f"{consumer} holds nothing on {host}")
        resources = holdings.pop(host)
        used = self.used[host]
        for i in range(4):
            used[i] -= resources[i]
        return resources

    def claimed(self, record: r.Claimed) -> None:
        """A claim must fit, and a consumer holds a host's resources once."""
        if record.host in self.held[record.consumer]:
            raise LawViolation("one claim per consumer and host", f"{record.consumer} already holds {record.host}")
        new = (record.vcpus, record.memory_mb, record.disk_gb, record.pcpus)
        self._take(record.consumer, record.host, new)
        for amount, used, capacity, name in zip(
            new, self.used[record.host], self.capacity[record.host], _CLASSES, strict=True
        ):
            if amount and used > capacity + 1e-6:
                raise LawViolation("no host over its capacity", f"{record.host} {name} {used} > {capacity}")

    def released(self, record: r.Released) -> None:
        """Given back."""
        self._give(record.consumer, record.host)

    def moved(self, record: r.ClaimMoved) -> None:
        """The claim changes its owner."""
        self._take(record.new_consumer, record.host, self._give(record.consumer, record.host))

    def migration(self, record: r.MigrationState) -> None:
        """Remember the moves that ended well: they must hold nothing in the end."""
        if record.type != "evacuation":
            consumer = f"migration:{record.migration}"
            self._statuses[consumer] = record.status
            if record.status == "reverted":
                self._reverted[record.server] = consumer

    def event(self, record: r.EventFinished) -> None:
        """A move is reverted in earnest when the source has the server back."""
        if record.event == "compute_finish_revert_resize" and record.result == "Success":
            self._statuses[self._reverted[record.server]] = "back"

    def end(self) -> None:
        """At the end of the log."""
        for consumer, status in self._statuses.items():
            if status in {"confirmed", "completed", "back"} and self.held.get(consumer):
                raise LawViolation(
                    "a finished move holds nothing", f"{consumer} is {status}, holds {self.held[consumer]}"
                )


class ServerLaw:
    """vm_state moves along Nova's arrows; a deleted server stays so; a server lives on one known host."""

    def __init__(self) -> None:
        self.vm_state: dict[str, str] = {}
        self._hosts: set[str] = set()

    def handlers(self) -> dict[type[r.Record], Handler]:
        """Record type → method."""
        return {
            r.HostsPresent: lambda record: self._hosts.update(record.host), r.ServersPresent: self.present,
            r.ServerCreated: self.created, r.ServerState: self.state, r.ServerDeleted: self.deleted,
        }  # fmt: skip

    def present(self, record: r.ServersPresent) -> None:
        """As they stood."""
        self.vm_state.update(zip(record.server, record.vm_state, strict=True))

    def created(self, record: r.ServerCreated) -> None:
        """Names are unique for ever."""
        if record.server in self.vm_state:
            raise LawViolation("a server is created once", record.server)
        self.vm_state[record.server] = "building"

    def state(self, record: r.ServerState) -> None:
        """Only along the arrows, only on hosts that exist."""
        before = self.vm_state.get(record.server)
        if before is None:
            raise LawViolation("only servers that exist change", record.server)
        after = record.vm_state
        if after != before and after not in ANYTIME and after not in LEGAL_VM_STATES.get(before, ANYTIME):
            raise LawViolation("legal transitions", f"{record.server}: vm_state {before} → {after}")
        if before == "deleted":
            raise LawViolation("legal transitions", f"{record.server} changes after its deletion")
        if record.host is not None and record.host not in self._hosts:
            raise LawViolation("a server is on a host that exists", f"{record.server} on {record.host}")
        self.vm_state[record.server] = after

    def deleted(self, record: r.ServerDeleted) -> None:
        """Gone."""
        self.vm_state[record.server] = "deleted"


class MigrationLaw:
    """Migration records move along their arrows; live migrations keep to ``max_concurrent_live_migrations``."""

    def __init__(self) -> None:
        self.status: dict[int, str] = {}
        self._open: dict[str, dict[int, str]] = defaultdict(dict)
        """Server → its records that are pre-migrating, and their types."""
        self._shared: set[int] = set()
        self._unfinished: dict[str, set[int]] = defaultdict(set)
        """Server → its records that are neither done nor undone."""
        self._taken: dict[int, str] = {}
        """Records in error beside another unfinished one, whose work may go on: what they were."""
        self.limit = 0
        self.busy: dict[str, set[int]] = defaultdict(set)

    def handlers(self) -> dict[type[r.Record], Handler]:
        """Record type → method."""
        return {
            r.RunStarted: self.started, r.MigrationsPresent: self.present, r.MigrationState: self.state,
            r.HostState: self.host, r.ActionStarted: self.action,
        }  # fmt: skip

    def present(self, record: r.MigrationsPresent) -> None:
        """As they stood."""
        self.status.update(zip(record.migration, record.status, strict=True))
        for migration, server in zip(record.migration, record.server, strict=True):
            self._unfinished[server].add(migration)

    def host(self, record: r.HostState) -> None:
        """What ran on a host that went down runs no more, whatever its record still says."""
        if record.power in {"crashed", "rebooting"}:
            self.busy[record.host].clear()

    def started(self, record: r.RunStarted) -> None:
        """The limit that is in force."""
        self.limit = int(record.options.get("DEFAULT.max_concurrent_live_migrations", 1))

    def action(self, record: r.ActionStarted) -> None:
        """Another move takes up the record that one before it left."""
        if record.action in CHOICES:
            kind = CHOICES[record.action]
            self._shared.update(number for number, other in self._open[record.server].items() if other == kind)

    def state(self, record: r.MigrationState) -> None:
        """Along the arrows of its type."""
        before = self.status.get(record.migration)
        after = record.status
        arrows = LEGAL_MIGRATIONS.get(record.type)
        if arrows is None:
            raise LawViolation("migration types are Nova's", record.type)
        if after == "pre-migrating":
            self._open[record.server][record.migration] = record.type
        elif before == "pre-migrating":
            self._open[record.server].pop(record.migration, None)
        shared = record.migration in self._shared and after in SHARED
        taken = arrows.get(self._taken.get(record.migration, "error"), ())
        if after not in {before, *arrows.get(before, ()), *taken} and not shared:
            raise LawViolation("legal transitions", f"{record.type} {record.migration}: {before} → {after}")
        self.status[record.migration] = after
        self._note_unfinished(record, before)
        if record.type == "live-migration" and self.limit:
            busy = self.busy[record.source]
            if after in {"preparing", "running", "running (post-copy)"}:
                busy.add(record.migration)
                if len(busy) > self.limit:
                    raise LawViolation(
                        "max_concurrent_live_migrations", f"{record.source} has {len(busy)} > {self.limit} at once"
                    )
            else:
                busy.discard(record.migration)

    def _note_unfinished(self, record: r.MigrationState, before: str | None) -> None:
        unfinished = self._unfinished[record.server]
        (unfinished.discard if record.status in OVER else unfinished.add)(record.migration)
        if record.status != "error":
            self._taken.pop(record.migration, None)
        elif before not in {None, "error"} and len(unfinished) > 1:
            self._taken[record.migration] = before


class FlowLaw:
    """No link carries more than it can, and bytes are conserved: a flow's bytes are the integral of its rate."""

    def __init__(self) -> None:
        self.capacity: list[float] = []
        self.load: list[float] = []
        self._index: dict[str, int] = {}
        self.flows: dict[int, tuple[list[int], float, float, float]] = {}
        """flow → links, rate, bytes so far, since when."""
        self._touched: set[int] = set()
        self._time = 0.0

    def handlers(self) -> dict[type[r.Record], Handler]:
        """Record type → method."""
        return {
            r.LinksPresent: self.links, r.LinkState: self.link, r.FlowStarted: self.started, r.FlowRate: self.rate,
            r.FlowEnded: self.ended,
        }  # fmt: skip

    def links(self, record: r.LinksPresent) -> None:
        """Capacities at the start."""
        self.capacity = list(record.capacity_bps)
        self.load = [0.0] * len(self.capacity)
        self._index = {name: i for i, name in enumerate(record.link)}

    def link(self, record: r.LinkState) -> None:
        """A link's capacity changed."""
        self._settle(record.t)
        self.capacity[self._index[record.link]] = record.capacity_bps
        self._touched.add(self._index[record.link])

    def started(self, record: r.FlowStarted) -> None:
        """A flow loads its links."""
        self._settle(record.t)
        self.flows[record.flow] = (record.links, 0.0, 0.0, record.t)
        self._set(record.flow, record.rate_bps, record.t)

    def rate(self, record: r.FlowRate) -> None:
        """A flow's load changed."""
        self._settle(record.t)
        self._set(record.flow, record.rate_bps, record.t)

    def _set(self, flow: int, rate: float, now: float) -> float:
        if flow not in self.flows:
            raise LawViolation("only flows that run change", f"flow {flow}")
        links, old, sent, since = self.flows[flow]
        sent += old * (now - since)
        self.flows[flow] = (links, rate, sent, now)
        for link in links:
            self.load[link] += rate - old
            self._touched.add(link)
        return sent

    def ended(self, record: r.FlowEnded) -> None:
        """The bytes that were sent are those that the rates say."""
        self._settle(record.t)
        sent = self._set(record.flow, 0.0, record.t)
        if abs(sent - record.bytes) > 1e-6 * max(sent, record.bytes) + 1024:
            raise LawViolation("bytes are conserved", f"flow {record.flow}: rates make {sent}, it says {record.bytes}")
        del self.flows[record.flow]

    def _settle(self, now: float) -> None:
        """Links are looked at when their moment is over: rates of one moment change one after another."""
        if now == self._time or not self._touched:
            self._time = now
            return
        self._time = now
        self.end()

    def end(self) -> None:
        """No touched link carries more than it can."""
        for link in self._touched:
            if self.load[link] > self.capacity[link] * (1 + 1e-9) + 1:
                name = list(self._index)[link]
                raise LawViolation("no link over its capacity", f"{name}: {self.load[link]} > {self.capacity[link]}")
        self._touched.clear()


class RequestLaw:
    """Each request is answered at most once, and never before it is asked."""

    def __init__(self) -> None:
        self._open: set[str] = set()
        self._seen: set[str] = set()

    def handlers(self) -> dict[type[r.Record], Handler]:
        """Record type → method."""
        return {r.Request: self.request, r.Answer: self.answer}

    def request(self, record: r.Request) -> None:
        """Asked once."""
        if record.request in self._seen:
            raise LawViolation("a request is asked once", record.request)
        self._seen.add(record.request)
        self._open.add(record.request)

    def answer(self, record: r.Answer) -> None:
        """Answered once."""
        if record.request not in self._open:
            raise LawViolation("a request is answered once, after it is asked", record.request)
        self._open.discard(record.request)
