"""The scenario: what to simulate, frozen and typed. It knows no engine.

Field names are the keys of the YAML file. Unknown keys are errors. Quantities are written with units and held in
seconds, bytes and bytes per second. Numbered things are written as patterns: ``"r{r:01-04}-c{c:01-05}"`` makes 20
names, and other fields of the same entry may use ``{r}`` and ``{c}``. ``extends: other.yaml`` at the top lays this file
over another: mappings merge, lists are replaced, null takes an inherited key away.

This docstring and those of the classes and fields are the reference page and the descriptions of the JSON Schema.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    Strict,
    WithJsonSchema,
)

from sim import units
from sim.scenario.distribution import Dist
from sim.scenario.timings import Timings

_TIME = {"type": ["string", "number"], "description": "a time with its unit, like '90 s', '10 min', '2 h'"}
_SIZE = {"type": ["string", "number"], "description": "a size with its unit, like '64 GiB'"}
_RATE = {"type": ["string", "number"], "description": "a rate with its unit, like '25 Gbit/s' or '110 MB/s'"}

Seconds = Annotated[float, BeforeValidator(units.parse_seconds), WithJsonSchema(_TIME),
                    PlainSerializer(units.exact_seconds, when_used="json-unless-none")]  # fmt: skip
Bytes = Annotated[int, BeforeValidator(units.parse_bytes), WithJsonSchema(_SIZE),
                  PlainSerializer(units.exact_bytes, when_used="json-unless-none")]  # fmt: skip
Rate = Annotated[float, BeforeValidator(units.parse_rate), WithJsonSchema(_RATE),
                 PlainSerializer(units.exact_rate, when_used="json-unless-none")]  # fmt: skip


def _countable(value: int) -> int:
    if abs(value) > _MOST:
        raise ValueError(f"a number of {len(str(abs(value)))} digits is out of range; must be at most {_MOST:,}")
    return value


_MOST = 10**15
Whole = Annotated[int, Strict(), AfterValidator(_countable)]
"""Not ``true``, not ``"8"``, not 8.5."""
Counted = Annotated[int, Strict(), Field(ge=1), AfterValidator(_countable)]
"""A bound that stands behind the validator does not come into the schema of what may be left out."""
Number = Annotated[float, Strict(), Field(allow_inf_nan=False)]
Fraction = Annotated[Number, Field(ge=0, le=1)]
FileName = Annotated[str, Field(json_schema_extra={"format": "path"})]
"""A path, relative to the file that it is written in."""
VmState = Literal[
    "active", "building", "paused", "suspended", "stopped", "rescued", "resized", "soft-delete", "deleted", "error",
    "shelved", "shelved_offloaded",
]  # fmt: skip

ACTIVITY_CLASSES = ("idle", "web", "database", "in_memory", "hog")


class Spec(BaseModel):
    """Base of all parts of a scenario: frozen, no unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True, use_attribute_docstrings=True)


# --- the cloud -------------------------------------------------------------------------------------------------------


class ServiceSpec(Spec):
    """The nova-compute service of a host, at the start."""

    status: Literal["enabled", "disabled"] = "enabled"
    disabled_reason: str | None = None
    state: Literal["up", "down"] = "up"
    forced_down: bool = False


class HostSpec(Spec):
    """One compute host, or as many as the pattern in ``name`` makes."""

    name: str
    rack: str = "rack-1"
    """May use the pattern's placeholders: ``"rack-{r}"``."""
    rack_size: Counted | None = None
    """Instead of ``rack``: this many consecutive hosts share a rack (``rack-001``, ``rack-002``, …)."""
    zone: str | None = None
    """Availability zone; None is Nova's ``default_availability_zone``."""
    address: str | None = None
    """IP address, for the hint ``build_near_host_ip``; may use the pattern's placeholders: ``"10.0.{r}.{c}"``."""
    vcpus: Whole = Field(ge=1)
    """Host CPUs that guests may use."""
    memory: Bytes
    disk: Bytes
    reserved_vcpus: Whole = Field(default=0, ge=0)
    reserved_memory: Bytes | None = None
    """None: nova.conf's ``reserved_host_memory_mb``."""
    reserved_disk: Bytes | None = None
    cpu_allocation_ratio: Number | None = Field(default=None, gt=0)
    ram_allocation_ratio: Number | None = Field(default=None, gt=0)
    disk_allocation_ratio: Number | None = Field(default=None, gt=0)
    nic: Rate = 1.25e9
    migration_nic: Rate | None = None
    """A separate network for migrations; None shares ``nic``."""
    aggregates: tuple[str, ...] = ()
    traits: tuple[str, ...] = ()
    numa_nodes: Whole = Field(default=1, ge=1)
    """They share CPUs and memory evenly; guests with NUMA nodes (``hw:numa_nodes``, pinning) need room on them."""
    pinned_vcpus: Whole = Field(default=0, ge=0)
    """How many of ``vcpus`` are set aside for pinned guests (PCPU, never overcommitted); the rest are shared (VCPU)."""
    hypervisor_type: str = "QEMU"
    """``Xen`` copies memory by Xen's rules, everything else by QEMU's."""
    hypervisor_version: Whole = 8002000
    service_version: Whole | None = None
    """Version of the compute service; None is that of the simulated release."""
    service: ServiceSpec = ServiceSpec()
    fails: tuple[Literal["live_migration_check", "resize_claim", "pre_live_migration", "build", "rebuild"], ...] = ()
    """What goes wrong on this host whenever it is asked for as a destination."""
    slow: Number = Field(default=1.0, gt=0)
    """Its own work takes this many times as long."""
    power: str = "spec-hp-ml110-g5"
    """Power by CPU utilisation: spec-hp-ml110-g4 or -g5, or linear, cubic or fan with watts, as ``linear:100:250``."""


class AggregateSpec(Spec):
    """A host aggregate; its hosts are named here or in the hosts' own ``aggregates``."""

    name: str
    hosts: tuple[str, ...] = ()
    """Names or patterns."""
    zone: str | None = None
    metadata: dict[str, str] = {}


class FlavorSpec(Spec):
    """A flavor."""

    name: str
    vcpus: Whole = Field(ge=1)
    memory: Bytes
    disk: Bytes
    ephemeral: Bytes = 0
    swap: Bytes = 0
    extra_specs: dict[str, str] = {}


class ImageSpec(Spec):
    """An image that servers boot from."""

    name: str
    size: Bytes = 2 * units.GIB
    min_memory: Bytes = 0
    min_disk: Bytes = 0
    properties: dict[str, str] = {}


class ActivitySpec(Spec):
    """What a guest does to its memory, where a class name does not say it well enough."""

    dirty: Rate
    working_set: Bytes
    nonzero: Fraction = 1.0
    """Part of the memory that is not zero pages."""
    hot: Bytes = 0
    """Of the working set, what the guest's system writes all the time, beside ``dirty``; all of it within a second."""
    cpu: Fraction = 0.1
    profile: tuple[tuple[Seconds, Fraction], ...] = ()
    """``[time, factor]`` steps of the dirty rate, repeated after the last time; empty is constant."""


class ServerSpec(Spec):
    """One server, or as many as the pattern in ``name`` makes (or ``count``)."""

    name: str
    count: Counted | None = None
    """Without a pattern: makes ``name-1`` … ``name-COUNT``."""
    uuid: str | None = None
    flavor: str
    host: str | None = None
    """A host's name, may use placeholders; None with ``hosts`` empty: placed by the scheduler at the start."""
    hosts: tuple[str, ...] = ()
    """Names or patterns of hosts to spread the servers over, round robin."""
    hostless: bool = False
    """A server that never got a host (a failed build)."""
    vm_state: VmState = "active"
    task_state: str | None = None
    power_state: Literal["running", "paused", "shutdown", "crashed", "suspended", "nostate"] | None = None
    """None: what goes with ``vm_state``."""
    locked: bool | Literal["admin", "owner"] = False
    project: str = "demo"
    user: str = "demo"
    image: str | None = None
    boot_from: Literal["image", "volume"] = "image"
    activity: str | ActivitySpec = "idle"
    """A class (idle, web, database, in_memory, hog) or the numbers themselves."""
    group: str | None = None
    availability_zone: str | None = None
    """The zone asked for when it was created; the server is pinned to it."""
    hints: dict[str, Any] = {}
    metadata: dict[str, str] = {}
    disk_used: Fraction = 0.5
    """How full its local disks are."""
    cpu_trace: FileName | None = None
    """File with CPU utilisation over time (PlanetLab text, or Bitbrains or OpenDC Parquet); memory is dirtied along."""
    resized_from: str | None = None
    """For ``vm_state: resized``: the host it came from; its migration record waits for confirm or revert."""


class GroupSpec(Spec):
    """A server group."""

    name: str
    policy: Literal["anti-affinity", "affinity", "soft-anti-affinity", "soft-affinity"]
    rules: dict[str, Whole] = {}
    """``max_server_per_host`` for anti-affinity."""


class NetworkSpec(Spec):
    """The data network: leaf and spine by racks, a star, a ring of hosts, or a graph in a file."""

    kind: Literal["leaf_spine", "star", "ring", "graph"] = "leaf_spine"
    oversubscription: Number = Field(default=1.0, gt=0)
    spines: Whole = Field(default=1, ge=1)
    ring_capacity: Rate | None = None
    graph: FileName | None = None
    """File of the graph: GraphML, or JSON node-link; nodes named as hosts, edges with ``capacity`` ("40 Gbit/s")."""


class StorageSpec(Spec):
    """Where root disks live."""

    instances: Literal["local", "shared"] = "local"
    image_rate: Rate = 1.17e8
    """What the image service can send to one host."""
    image_cache: bool = True


class NovaSpec(Spec):
    """Nova's options, as the operator has them."""

    conf: FileName | tuple[FileName, ...] | None = None
    """Path of a nova.conf, or of several (later ones win), or of a folder of ``*.conf``."""
    policy: FileName | None = None
    """Path of a policy.yaml or policy.json."""
    options: dict[str, Any] = {}
    """``{resize_confirm_window: 60, libvirt: {…}}`` or ``{"libvirt.live_migration_downtime": 500}``.

    Wins over ``conf``; what has no group is of ``[DEFAULT]``.
    """


class PoolsSpec(Spec):
    """How many workers answer at each place; 0 is without limit."""

    api: Whole = Field(default=0, ge=0)
    conductor: Whole = Field(default=0, ge=0)
    scheduler: Whole = Field(default=0, ge=0)


class CloudSpec(Spec):
    """The cloud as it stands at the start."""

    hosts: tuple[HostSpec, ...] = Field(min_length=1)
    aggregates: tuple[AggregateSpec, ...] = ()
    flavors: tuple[FlavorSpec, ...] = ()
    images: tuple[ImageSpec, ...] = ()
    servers: tuple[ServerSpec, ...] = ()
    server_groups: tuple[GroupSpec, ...] = ()
    network: NetworkSpec = NetworkSpec()
    storage: StorageSpec = StorageSpec()
    nova: NovaSpec = NovaSpec()
    timings: str | Timings = "default"
    """A profile's name, a file with one (as ``novasim calibrate`` writes it), or ``{profile: name, …}`` with constants
    of your own."""
    workers: PoolsSpec = PoolsSpec()
    migration_model: str = "qemu"
    """How live migrations copy memory: ``qemu`` (Xen's rules on hosts whose hypervisor is Xen), or a model of your own:
    ``path/to/file.py:Class``, relative to where novasim is started, or the name of an entry point."""


# --- the plan --------------------------------------------------------------------------------------------------------


class RequestStep(Spec):
    """A raw request at the API's door: any action, any body."""

    server: str | None = None
    """Server's name; None for a create (body ``{"server": {…}}``)."""
    body: dict[str, Any] | None = None
    method: Literal["POST", "DELETE"] = "POST"
    migration: Whole | Literal["last"] | None = None
    """For abort (``method: DELETE``) and ``{"force_complete": null}``: which migration of the server."""
    microversion: str = "2.1"
    roles: tuple[str, ...] = ("admin",)
    project: str | None = None


class HostsStep(Spec):
    """Which hosts an operation is about: names, patterns, ``rack:NAME``, ``aggregate:NAME``, ``zone:NAME``."""

    hosts: tuple[str, ...] = Field(min_length=1)


class DrainStep(HostsStep):
    """Move all servers off the hosts, as an operator's script does: disable, migrate, watch, try again."""

    method: Literal["live", "cold", "auto"] = "auto"
    """auto: live for running and paused servers, cold for stopped ones."""
    concurrency: Whole = Field(default=10, ge=1)
    """Servers under way at once, over all hosts."""
    per_host: Counted | None = None
    """Servers under way at once, for each host; None is without limit of its own."""
    waves: bool = False
    """Ask for the next servers only when all that are under way are through, as simple scripts do."""
    order: Literal["host", "smallest_first", "largest_first", "random"] = "host"
    disable: bool = True
    microversion: str = "2.90"
    attempts: Whole = Field(default=1, ge=1)
    """How often the operator asks for one server before leaving it to a human."""
    retry_after: Seconds = 30.0
    confirm: bool = True
    """Confirm cold migrations as soon as they wait for it."""
    block_migration: Literal["auto"] | bool = "auto"
    destination: str | None = None


class RebootStep(HostsStep):
    """Reboot hosts and let them return after ``takes``. That ends a hang, too, and a crash that has no ``repair``."""

    takes: Dist = Dist.model_validate({"constant": "5 min"})
    enable: bool = True
    """Enable the compute service again when the host is back."""


class RollingRebootStep(HostsStep):
    """Drain, reboot and bring back the hosts, ``batch`` at a time. Those whose service was disabled before stay so."""

    batch: Whole = Field(default=1, ge=1)
    takes: Dist = Dist.model_validate({"constant": "5 min"})
    drain: dict[str, Any] = {}
    """Options of the drains, as in ``drain:`` without hosts."""


class FailStep(HostsStep):
    """Hosts fail: crash (guests die), hang (guests run, service silent), lose their network; back after ``repair``."""

    kind: Literal["crash", "hang", "network", "storage_stall", "slow"] = "crash"
    factor: Number = Field(default=10.0, gt=1)
    """For ``slow``: how many times slower."""
    repair: Dist | None = None
    """None: it stays as it is until the end."""


class EvacuateStep(HostsStep):
    """Evacuate all servers of each of the hosts that fails (or has), once Nova believes it to be down.

    An operator leaves alone who is back by then. Masakari misses who is back when it looks; who is back later keeps its
    servers, for Nova refuses.
    """

    by: Literal["operator", "masakari"] = "operator"
    reaction: Dist = Dist.model_validate({"constant": 0})
    """Operator: how long until somebody starts, once the service is seen down."""
    concurrency: Whole = Field(default=3, ge=1)
    again: bool = False
    """Whenever one of the hosts fails, as long as the run lasts; nothing waits for the end of such a step. What was
    switched off of a host is switched on when it is back. False: once."""
    force_down: bool = False
    """The operator forces the service down as soon as the host fails, instead of waiting for ``service_down_time``."""
    microversion: str = "2.90"
    destination: str | None = None


class ServiceStep(HostsStep):
    """Enable, disable, force down (or back up) compute services."""

    set: Literal["enabled", "disabled", "forced_down", "up"]
    reason: str | None = None


class LinkStep(Spec):
    """Set the capacity of links (0 is dead), for a while or for good."""

    links: tuple[str, ...] = Field(min_length=1)
    """Link names or glob patterns, as ``novasim check`` prints them."""
    capacity: Rate | None = None
    factor: Number | None = Field(default=None, ge=0)
    lasting: Seconds | None = None


class ConfirmStep(Spec):
    """Confirm (or revert) all servers that wait for it."""

    servers: tuple[str, ...] = ("*",)
    action: Literal["confirmResize", "revertResize"] = "confirmResize"


class PlanStep(Spec):
    """At ``at`` (or when the step named in ``after`` has ended), exactly one thing."""

    at: Seconds = 0.0
    after: str | None = None
    """Name of an earlier step; ``at`` then counts from its end."""
    name: str | None = None
    request: RequestStep | None = None
    drain: DrainStep | None = None
    reboot: RebootStep | None = None
    rolling_reboot: RollingRebootStep | None = None
    fail: FailStep | None = None
    evacuate: EvacuateStep | None = None
    service: ServiceStep | None = None
    link: LinkStep | None = None
    confirm: ConfirmStep | None = None


class FaultSpec(Spec):
    """Bad luck by distribution: each host named fails on its own, again and again."""

    hosts: tuple[str, ...] = Field(default=("*",), min_length=1)
    kind: Literal["crash", "hang", "network", "storage_stall", "slow"] = "crash"
    factor: Number = Field(default=10.0, gt=1)
    every: Dist
    """How long a host is well: from the start, or from its repair after such a failure, to the next one."""
    repair: Dist
    scope: Literal["host", "rack"] = "host"
    """rack: all named hosts of a rack fail together, whatever state they are in."""


class WorkloadSpec(Spec):
    """Users who create servers and delete them again."""

    name: str
    every: Dist | None = None
    """Time between arrivals; needed without ``trace``."""
    lifetime: Dist | None = None
    """How long a server lives; needed without ``trace``."""
    flavors: dict[str, Number] = {}
    """Flavor → weight; empty: all alike."""
    first: Seconds = 0.0
    until: Seconds | None = None
    count: Counted | None = None
    image: str | None = None
    boot_from: Literal["image", "volume"] = "image"
    activity: str = "idle"
    project: str = "demo"
    trace: FileName | None = None
    """Instead of ``every`` and ``lifetime``: a CSV or Parquet of arrivals with the columns t, lifetime (s), flavor."""


class RunSpec(Spec):
    """How long, and with which luck."""

    duration: Seconds | None = None
    """None: until nothing is under way."""
    seed: Whole = Field(default=1, ge=0)


class Scenario(Spec):
    """A whole scenario."""

    name: str = "scenario"
    story: str = ""
    cloud: CloudSpec
    plan: tuple[PlanStep, ...] = ()
    faults: tuple[FaultSpec, ...] = ()
    workload: tuple[WorkloadSpec, ...] = ()
    run: RunSpec = RunSpec()
