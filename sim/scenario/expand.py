"""From entries with patterns to one row for each host and server: plain tuples, quick to make by the million."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from sim.scenario.nova_conf import NovaOptions, read_options
from sim.scenario.patterns import HostIndex, Pattern, compile_pattern
from sim.scenario.spec import ActivitySpec, CloudSpec, HostSpec, ServerSpec, ServiceSpec

MIB, GIB = 2**20, 2**30


class HostRow(NamedTuple):
    """One host. Capacities in Nova's units; ratios and reserved as in force (the scenario's, else nova.conf's)."""

    name: str
    rack: str
    zone: str
    address: str | None
    vcpus: int
    """Shared ones (VCPU), without ``pinned_vcpus``."""
    memory_mb: int
    disk_gb: int
    reserved_vcpus: int
    reserved_memory_mb: int
    reserved_disk_gb: int
    cpu_ratio: float
    ram_ratio: float
    disk_ratio: float
    nic_bps: float
    migration_nic_bps: float | None
    aggregates: tuple[str, ...]
    """From the host's entry and from the aggregates' own lists, in the order of ``cloud.aggregates``."""
    traits: tuple[str, ...]
    numa_nodes: int
    pinned_vcpus: int
    hypervisor_type: str
    hypervisor_version: int
    service_version: int | None
    service: ServiceSpec
    fails: tuple[str, ...]
    slow: float
    power: str


class ServerRow(NamedTuple):
    """One server; names of everything, as written."""

    name: str
    uuid: str | None
    flavor: str
    host: str | None
    """None: placed by the scheduler at the start, or ``hostless``."""
    hostless: bool
    vm_state: str
    task_state: str | None
    power_state: str | None
    locked: bool | str
    project: str
    user: str
    image: str | None
    boot_from: str
    activity: str | ActivitySpec
    group: str | None
    availability_zone: str | None
    hints: Mapping[str, Any]
    metadata: Mapping[str, str]
    disk_used: float
    cpu_trace: str | None
    resized_from: str | None


def nova_options(cloud: CloudSpec) -> NovaOptions:
    """The options in force: Nova's defaults, the cloud's nova.conf, its own ``options``. InputError where wrong."""
    return read_options(cloud.nova.conf, cloud.nova.options)


def ratios(options: NovaOptions) -> tuple[float, float, float]:
    """CPU, RAM and disk allocation ratios of hosts that state none, as in Nova: the ratio, else the initial one."""
    found = []
    for kind in ("cpu", "ram", "disk"):
        stated = options[f"DEFAULT.{kind}_allocation_ratio"]
        found.append(stated or options[f"DEFAULT.initial_{kind}_allocation_ratio"])
    return found[0], found[1], found[2]


def host_names(entry: HostSpec) -> list[str]:
    """The hosts' names of one entry."""
    return compile_pattern(entry.name).names()


def expand_hosts(cloud: CloudSpec, options: NovaOptions | None = None) -> list[HostRow]:
    """One row for each host, in the scenario's order. ValueError for a pattern that cannot be."""
    options = nova_options(cloud) if options is None else options
    default = ratios(options)
    default_zone = options["DEFAULT.default_availability_zone"]
    reserved_mb, reserved_gb = (
        options["DEFAULT.reserved_host_memory_mb"],
        options["DEFAULT.reserved_host_disk_mb"] // 1024,
    )
    reserved_cpus = options["DEFAULT.reserved_host_cpus"]
    members, zones = _memberships(cloud)
    order = {aggregate.name: position for position, aggregate in enumerate(cloud.aggregates)}
    rows: list[HostRow] = []
    racks_used = 0
    for entry in cloud.hosts:
        pattern = compile_pattern(entry.name)
        racks, racks_used = _racks(entry, pattern, racks_used)
        entry_zones, addresses = _column(pattern, entry.zone), _column(pattern, entry.address)
        own = [_column(pattern, name) for name in entry.aggregates]
        tail = (
            entry.vcpus - entry.pinned_vcpus, entry.memory // MIB, entry.disk // GIB,
            entry.reserved_vcpus or reserved_cpus,
            reserved_mb if entry.reserved_memory is None else entry.reserved_memory // MIB,
            reserved_gb if entry.reserved_disk is None else entry.reserved_disk // GIB,
            entry.cpu_allocation_ratio or default[0], entry.ram_allocation_ratio or default[1],
            entry.disk_allocation_ratio or default[2], float(entry.nic), entry.migration_nic,
        )  # fmt: skip
        end = (entry.traits, entry.numa_nodes, entry.pinned_vcpus, entry.hypervisor_type, entry.hypervisor_version,
               entry.service_version, entry.service, tuple(entry.fails), entry.slow, entry.power)  # fmt: skip
        for position, name in enumerate(pattern.names()):
            joined = dict.fromkeys([one for column in own if (one := column[position])], 0)
            joined.update(dict.fromkeys(members.get(name, ()), 0))
            zone = entry_zones[position] or next((zones[one] for one in joined if one in zones), None) or default_zone
            places = tuple(sorted(joined, key=lambda one: order.get(one, len(order))))
            rows.append(HostRow(name, racks[position], zone, addresses[position], *tail, places, *end))
    return rows


def _memberships(cloud: CloudSpec) -> tuple[dict[str, list[str]], dict[str, str]]:
    """Host → aggregates that list it; aggregate → its zone (its own field, else the metadata key that Nova reads)."""
    members: dict[str, list[str]] = {}
    zones: dict[str, str] = {}
    known = [name for entry in cloud.hosts for name in compile_pattern(entry.name).names()] if any(
        "*" in one or "?" in one or "[" in one for aggregate in cloud.aggregates for one in aggregate.hosts
    ) else []  # fmt: skip
    index = HostIndex(known, {})
    for aggregate in cloud.aggregates:
        zone = aggregate.zone or aggregate.metadata.get("availability_zone")
        if zone:
            zones[aggregate.name] = zone
        for selector in aggregate.hosts:
            names = (
                index.match(selector) if any(sign in selector for sign in "*?[") else compile_pattern(selector).names()
            )
            for name in names:
                members.setdefault(name, []).append(aggregate.name)
    return members, zones


def _racks(entry: HostSpec, pattern: Pattern, used: int) -> tuple[list[str], int]:
    if entry.rack_size is None:
        return pattern.fill(entry.rack), used
    size = entry.rack_size
    count = pattern.size
    return [f"rack-{used + position // size + 1:03d}" for position in range(count)], used + -(-count // size)


def _column(pattern: Pattern, text: str | None) -> list[str | None]:
    if text is None:
        return [None] * pattern.size
    return list(pattern.fill(text))


def host_index(cloud: CloudSpec, rows: list[HostRow]) -> HostIndex:
    """Finds hosts by name, pattern, glob, rack, aggregate or zone."""
    places: dict[str, dict[str, list[str]]] = {
        "rack": {},
        "aggregate": {a.name: [] for a in cloud.aggregates},
        "zone": {},
    }
    for row in rows:
        places["rack"].setdefault(row.rack, []).append(row.name)
        places["zone"].setdefault(row.zone, []).append(row.name)
        for name in row.aggregates:
            places["aggregate"].setdefault(name, []).append(row.name)
    return HostIndex([row.name for row in rows], places)


# --- servers ---------------------------------------------------------------------------------------------------------

_TEXTS = ("uuid", "flavor", "task_state", "project", "user", "image", "group", "availability_zone", "cpu_trace",
          "resized_from")  # fmt: skip
"""Fields of a server that may use the placeholders of its name."""


def server_pattern(entry: ServerSpec) -> Pattern:
    """The names of one entry: a pattern, or ``name-1`` … ``name-COUNT``."""
    if entry.count is None:
        return compile_pattern(entry.name)
    if "{" in entry.name:
        raise ValueError(f"{entry.name!r} is a pattern and has count: {entry.count}; write one of them")
    return compile_pattern(f"{entry.name}-{{n:1-{entry.count}}}")


def server_hosts(entry: ServerSpec, pattern: Pattern, index: HostIndex) -> list[str | None]:
    """The host of each server of an entry. ValueError when a selector matches nothing."""
    size = pattern.size
    if entry.hosts:
        hosts = index.select(entry.hosts)
        return [*hosts * (size // len(hosts)), *hosts[: size % len(hosts)]]
    return _column(pattern, entry.host)


def expand_servers(cloud: CloudSpec, index: HostIndex | None = None) -> Iterator[ServerRow]:
    """One row for each server, in the scenario's order. Pass ``host_index(...)`` if it is at hand."""
    if index is None:
        index = host_index(cloud, expand_hosts(cloud))
    for entry in cloud.servers:
        pattern = server_pattern(entry)
        names, hosts = pattern.names(), server_hosts(entry, pattern, index)
        texts = {field: getattr(entry, field) for field in _TEXTS}
        moving = {field: pattern.fill(text) for field, text in texts.items() if text is not None and pattern.uses(text)}
        base = ServerRow(
            name="", host=None, hostless=entry.hostless, vm_state=entry.vm_state, power_state=entry.power_state,
            locked=entry.locked, boot_from=entry.boot_from, activity=entry.activity, hints=entry.hints,
            metadata=entry.metadata, disk_used=entry.disk_used, **texts,
        )  # fmt: skip
        if not moving:
            # A tuple's slices are quicker than named replacement, and a million servers are usual here.
            uuid_flavor, rest = base[1:3], base[4:]
            make = ServerRow._make
            for name, host in zip(names, hosts, strict=True):
                yield make((name, *uuid_flavor, host, *rest))
            continue
        columns = list(moving.items())
        for position, (name, host) in enumerate(zip(names, hosts, strict=True)):
            texts = {field: column[position] for field, column in columns}
            yield ServerRow(**{**base._asdict(), **texts, "name": name, "host": host})
