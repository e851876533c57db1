"""The records: facts of a run, one frozen type for each kind of fact.

Everything before the log only writes them, everything after it only reads them. A record is made when the fact
happens, and names things by the names users gave them. ``t`` is simulated seconds since the run began. Field order is
the storage order; a change of it moves every digest.

Bulk records (``…Present``) hold the cloud as it stood at the start, as columns: a million servers are one record.
"""

from __future__ import annotations

from typing import Any

import msgspec


class Record(msgspec.Struct, frozen=True, array_like=True, tag_field="record", tag=True, gc=False):
    """Base of all records."""

    t: float
    """When, seconds since the run began."""


# --- the cloud at the start ------------------------------------------------------------------------------------------


class RunStarted(Record, frozen=True):
    """First record of every log: what was run, and the limits that checkers hold it to."""

    scenario: str
    scenario_digest: str
    seed: int
    options: dict[str, Any]
    """Nova's options as they were in force, ``"DEFAULT.max_concurrent_live_migrations": 1``."""


class HostsPresent(Record, frozen=True):
    """Columns over hosts; capacities are totals, ratios and reserved as placement has them."""

    host: list[str]
    rack: list[str]
    zone: list[str]
    vcpus: list[int]
    memory_mb: list[int]
    disk_gb: list[int]
    cpu_ratio: list[float]
    ram_ratio: list[float]
    disk_ratio: list[float]
    reserved_vcpus: list[int]
    reserved_memory_mb: list[int]
    reserved_disk_gb: list[int]
    power_model: list[str]


class DedicatedPresent(Record, frozen=True):
    """Hosts with CPUs set aside for pinned guests, and how many (PCPU); written if there are any."""

    host: list[str]
    pcpus: list[int]


class AggregatesPresent(Record, frozen=True):
    """Aggregates: names and the hosts of each."""

    aggregate: list[str]
    zone: list[str | None]
    hosts: list[list[str]]


class FlavorsPresent(Record, frozen=True):
    """Columns over flavors; ``disk_gb`` is what placement counts (root + ephemeral + swap)."""

    flavor: list[str]
    vcpus: list[int]
    memory_mb: list[int]
    disk_gb: list[int]


class FlavorNeedsPresent(Record, frozen=True):
    """Flavors that take other amounts of a host than their columns say (pinned CPUs, extra specs ``resources:…``).

    Written if there are any.
    """

    flavor: list[str]
    vcpus: list[int]
    memory_mb: list[int]
    disk_gb: list[int]
    pcpus: list[int]


class LinksPresent(Record, frozen=True):
    """Columns over network links, bytes per second, one direction each."""

    link: list[str]
    capacity_bps: list[float]


class ServersPresent(Record, frozen=True):
    """Columns over the servers that exist at the start; ``host`` is None for a server that never got one.

    ``holds`` says whether the server holds its flavor's resources on its host in placement.
    """

    server: list[str]
    uuid: list[str]
    project: list[str]
    flavor: list[str]
    host: list[str | None]
    vm_state: list[str]
    task_state: list[str | None]
    power_state: list[int]
    status: list[str]
    locked: list[bool]
    holds: list[bool]
    disk_gb_held: list[int]
    """What the server holds of DISK_GB (0 for a server booted from volume)."""


class GuestsPresent(Record, frozen=True):
    """Columns over the same servers: what runs in them."""

    server: list[str]
    activity: list[str]
    cpu: list[float]
    """CPU utilisation, 0..1 of the server's vCPUs, until a :class:`GuestLoad` says otherwise."""


class MigrationsPresent(Record, frozen=True):
    """Migration records that stand at the start: resizes and migrations that wait for confirm or revert.

    Each holds its old flavor's resources on its source, ``disk_gb_held`` of DISK_GB.
    """

    migration: list[int]
    server: list[str]
    type: list[str]
    status: list[str]
    source: list[str]
    dest: list[str]
    flavor: list[str]
    disk_gb_held: list[int]


class HoldingsPresent(Record, frozen=True):
    """Consumers that hold other amounts at the start than their flavor's columns say; written if there are any."""

    consumer: list[str]
    host: list[str]
    vcpus: list[int]
    memory_mb: list[int]
    disk_gb: list[int]
    pcpus: list[int]


class GroupsPresent(Record, frozen=True):
    """Server groups: name, policy, members."""

    group: list[str]
    policy: list[str]
    members: list[list[str]]


# --- requests --------------------------------------------------------------------------------------------------------


class Request(Record, frozen=True):
    """Somebody knocked on the API's door."""

    request: str
    """Request id, ``req-…``."""
    action: str
    """``migrate``, ``os-migrateLive``, ``delete``, … as in the body's key or the method."""
    server: str | None
    microversion: str
    who: str
    """Who asked: ``admin``, an operator's or workload's name."""
    body: str
    """The body as JSON text."""


class Answer(Record, frozen=True):
    """The API's answer to a request; ``message`` is None for success."""

    request: str
    code: int
    message: str | None


# --- servers, migrations, actions ------------------------------------------------------------------------------------


class ServerCreated(Record, frozen=True):
    """A server record was made by a create request."""

    server: str
    uuid: str
    project: str
    flavor: str
    request: str | None
    boot_from_volume: bool = False
    """A server booted from volume holds no DISK_GB."""
    cpu: float = 0.0
    """Its guest's CPU utilisation, 0..1 of its vCPUs, until a :class:`GuestLoad` says otherwise."""


class ServerState(Record, frozen=True):
    """A server after a change of any of these; ``status`` is what the API shows."""

    server: str
    vm_state: str
    task_state: str | None
    power_state: int
    host: str | None
    flavor: str
    status: str
    locked: bool
    request: str | None


class ServerDeleted(Record, frozen=True):
    """A server is gone."""

    server: str
    request: str | None


class ServerFault(Record, frozen=True):
    """Nova attached a fault to a server."""

    server: str
    code: int
    message: str
    details: str


class MigrationState(Record, frozen=True):
    """A migration record was created (first record of its id) or changed."""

    migration: int
    server: str
    type: str
    """``migration``, ``resize``, ``live-migration`` or ``evacuation``."""
    status: str
    source: str
    dest: str | None
    request: str | None


class ActionStarted(Record, frozen=True):
    """An instance action began (``migrate``, ``live-migration``, ``evacuate``, …)."""

    server: str
    action: str
    request: str


class EventStarted(Record, frozen=True):
    """An event of an instance action began (``conductor_migrate_server``, ``compute_prep_resize``, …)."""

    server: str
    request: str
    event: str
    host: str


class EventFinished(Record, frozen=True):
    """An event of an instance action ended; ``details`` holds the reason of an error."""

    server: str
    request: str
    event: str
    host: str
    result: str
    """``Success`` or ``Error``."""
    details: str | None


# --- placement and scheduling ----------------------------------------------------------------------------------------


class Claimed(Record, frozen=True):
    """A consumer took resources on a host. Consumers are a server's name or ``migration:ID``."""

    consumer: str
    host: str
    vcpus: int
    memory_mb: int
    disk_gb: int
    pcpus: int = 0
    """Host CPUs for itself alone."""


class Released(Record, frozen=True):
    """A consumer gave back all that it held on a host."""

    consumer: str
    host: str


class ClaimMoved(Record, frozen=True):
    """What ``consumer`` held on ``host`` is now held by ``new_consumer`` (source claim ↔ migration record)."""

    consumer: str
    new_consumer: str
    host: str


class Decision(Record, frozen=True):
    """The scheduler chose (or could not)."""

    decision: int
    request: str | None
    server: str
    hosts: int
    """Hosts that placement offered."""
    left: int
    """Hosts that survived the filters."""
    chosen: str | None
    alternates: list[str]
    attempt: int
    reason: str | None
    """Why there is no host, when there is none."""


class FilterStep(Record, frozen=True):
    """Explanation of a decision, recorded only when asked for: what one filter did."""

    decision: int
    filter: str
    before: int
    after: int
    removed: list[str]
    """Names of the removed hosts, at most 1000."""


class WeighStep(Record, frozen=True):
    """Explanation of a decision: one weigher's multiplied weights of the surviving hosts, best 100 by total."""

    decision: int
    weigher: str
    multiplier: float
    hosts: list[str]
    weights: list[float]


# --- how time went ---------------------------------------------------------------------------------------------------


class Step(Record, frozen=True):
    """A stage of an operation is over (or broke off); it lasted from ``began`` to ``t``."""

    server: str
    request: str | None
    step: str
    """``api``, ``conductor``, ``schedule``, ``pre_check``, ``queue``, ``pre_live_migration``, ``copy``, …"""
    host: str | None
    began: float
    outcome: str
    """``done``, ``failed``, ``aborted``."""


class Waited(Record, frozen=True):
    """Somebody waited at a queue from ``began`` to ``t`` (only written when the wait was longer than nothing)."""

    queue: str
    """``api``, ``conductor``, ``scheduler``, ``live_migrations:HOST``, ``builds:HOST``,
    ``snapshots:HOST``, ``disk_ops:HOST``."""
    server: str
    request: str | None
    began: float


class LiveCopy(Record, frozen=True):
    """A live migration's copy ended: what it took."""

    migration: int
    server: str
    source: str
    dest: str
    began: float
    mode: str
    """How it ended the copy: ``precopy``, ``postcopy``, ``paused``."""
    outcome: str
    """``completed``, ``aborted``, ``timed_out``, ``failed``."""
    rounds: int
    bytes_memory: float
    bytes_disk: float
    downtime_s: float
    throttle: float
    """Highest auto-converge throttle, 0..0.99."""


class Downtime(Record, frozen=True):
    """A server's guest did not run from ``began`` to ``t``."""

    server: str
    began: float
    cause: str
    """``live-migration``, ``migration``, ``resize``, ``evacuation``, ``host-failure``, ``host-reboot``."""
    request: str | None


class Slowdown(Record, frozen=True):
    """From now on the guest runs at ``1 - fraction`` of its speed."""

    server: str
    fraction: float
    cause: str


class FlowStarted(Record, frozen=True):
    """Bytes begin to flow from host to host over ``links`` (indices into LinksPresent)."""

    flow: int
    purpose: str
    """``live-migration``, ``disk``, ``image``."""
    server: str
    source: str
    dest: str
    links: list[int]
    rate_bps: float


class FlowRate(Record, frozen=True):
    """A flow's rate changed because a neighbour came, went or changed."""

    flow: int
    rate_bps: float


class FlowEnded(Record, frozen=True):
    """A flow ended, finished or not, after ``bytes`` in all."""

    flow: int
    bytes: float
    finished: bool


class LinkState(Record, frozen=True):
    """A link's capacity changed (0: it is dead)."""

    link: str
    capacity_bps: float


# --- hosts, failures, operators --------------------------------------------------------------------------------------


class HostState(Record, frozen=True):
    """A host after a change; ``power``: up, crashed, hung, rebooting, cut_off; the rest is Nova's service record."""

    host: str
    power: str
    disabled: bool
    forced_down: bool
    reason: str


class Operation(Record, frozen=True):
    """An operator's plan step, a workload or a fault begins (``phase`` begun) and ends (ended)."""

    operation: int
    kind: str
    """``drain``, ``evacuate``, ``rolling_reboot``, ``fail``, …"""
    target: str
    phase: str
    outcome: str
    """``done``, ``partial``, ``failed``; empty while under way."""
    detail: str
    servers: int = 0
    """How many servers it is about, said when it begins."""


class NeedsHuman(Record, frozen=True):
    """An operation gave up on a server and leaves it to a person, with the reason."""

    server: str
    operation: int
    reason: str


class GuestLoad(Record, frozen=True):
    """A guest's CPU utilisation from now on (0..1), where a trace or profile gives one."""

    server: str
    cpu: float


RECORD_TYPES: tuple[type[Record], ...] = tuple(Record.__subclasses__())
"""Every record type, in the order of this file."""
