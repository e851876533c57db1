"""Checks of hosts, aggregates, flavors, images, groups, network."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from ipaddress import ip_address

from sim import units
from sim.scenario.expand import GIB, MIB, expand_hosts, host_index
from sim.scenario.findings import Checked, duplicates, parts_of
from sim.scenario.nova_conf import NovaOptions
from sim.scenario.patterns import closest, compile_pattern
from sim.scenario.spec import CloudSpec, HostSpec
from sim.scenario.tree import PathKeys


def check_cloud(checked: Checked, options: NovaOptions) -> None:
    """Everything but servers; fills ``checked.rows`` and ``checked.index``."""
    cloud = checked.scenario.cloud
    for kind in ("flavors", "images", "server_groups", "aggregates"):
        entries = getattr(cloud, kind)
        for number, entry in enumerate(entries):
            checked.named(("cloud", kind, number), entry.name)
        for name, path, first in duplicates((e.name, ("cloud", kind, i)) for i, e in enumerate(entries)):
            checked.error(
                (*path, "name"), f"{name!r} is there twice", f"also at {checked.where((*first, 'name'))}; rename one"
            )
    if _host_patterns(checked):
        checked.rows = expand_hosts(cloud, options)
        _addresses(checked)
        checked.index = host_index(cloud, checked.rows)
        _host_names(checked)
        _aggregates(checked)
        _zones(checked)
    else:
        checked.tainted |= {"hosts"}
    _flavors(checked)
    _groups(checked)
    _network(checked)


def _host_patterns(checked: Checked) -> bool:
    """Whether all hosts can be expanded; reports what cannot."""
    before = len(checked.found.errors)
    for number, entry in enumerate(checked.scenario.cloud.hosts):
        path: PathKeys = ("cloud", "hosts", number)
        if not checked.named(path, entry.name):
            continue
        try:
            pattern = compile_pattern(entry.name)
        except ValueError as error:
            checked.error((*path, "name"), *parts_of(error))
            continue
        texts = [("rack", entry.rack), ("zone", entry.zone), ("address", entry.address)]
        texts += [("aggregates", name) for name in entry.aggregates]
        for field, text in texts:
            try:
                pattern.uses(text or "")
            except ValueError as error:
                checked.error((*path, field), *parts_of(error))
        if entry.rack_size is not None and "rack" in entry.model_fields_set:
            checked.error((*path, "rack_size"), "rack and rack_size are both given", "write one of them")
        if entry.memory < MIB:
            checked.error(
                (*path, "memory"), f"{units.format_bytes(entry.memory)} is no memory of a host", "at least 1 MiB"
            )
        _set_aside(checked, path, entry)
    for number, aggregate in enumerate(checked.scenario.cloud.aggregates):
        for position, name in enumerate(aggregate.hosts):
            try:
                compile_pattern(name)
            except ValueError as error:
                checked.error(("cloud", "aggregates", number, "hosts", position), *parts_of(error))
    return len(checked.found.errors) == before


def _set_aside(checked: Checked, path: PathKeys, entry: HostSpec) -> None:
    """What hosts keep from guests, or for some of them, must leave something."""
    if entry.reserved_vcpus >= entry.vcpus:
        checked.error((*path, "reserved_vcpus"), f"all {entry.vcpus} vcpus are reserved", "reserve fewer")
    elif entry.reserved_vcpus and entry.reserved_vcpus + entry.pinned_vcpus > entry.vcpus:
        left = f"{entry.vcpus} vcpus less {entry.pinned_vcpus} pinned_vcpus"
        checked.error((*path, "reserved_vcpus"), f"{entry.reserved_vcpus} of {left}", "reserve fewer")
    if entry.reserved_memory is not None and entry.reserved_memory >= entry.memory:
        checked.error(
            (*path, "reserved_memory"), "all memory is reserved", f"less than {units.format_bytes(entry.memory)}"
        )
    if entry.pinned_vcpus > entry.vcpus:
        checked.error((*path, "pinned_vcpus"), f"{entry.pinned_vcpus} of {entry.vcpus} vcpus", f"at most {entry.vcpus}")


def _addresses(checked: Checked) -> None:
    for number, entry in enumerate(checked.scenario.cloud.hosts):
        found = [] if entry.address is None else compile_pattern(entry.name).fill(entry.address)
        for text in found:
            try:
                ip_address(text)
            except ValueError:
                checked.error(("cloud", "hosts", number, "address"), f"{text!r} is no IP address", "like '10.0.0.17'")
                break


def _host_names(checked: Checked) -> None:
    def named() -> Iterator[tuple[str, PathKeys]]:
        for number, entry in enumerate(checked.scenario.cloud.hosts):
            for name in compile_pattern(entry.name).names():
                yield name, ("cloud", "hosts", number, "name")

    reported: set[PathKeys] = set()
    for name, path, first in duplicates(named()):
        if path not in reported:
            reported.add(path)
            checked.error(path, f"the host {name!r} is there twice", f"also at {checked.where(first)}; rename one")


def _aggregates(checked: Checked) -> None:
    cloud = checked.scenario.cloud
    known = {aggregate.name for aggregate in cloud.aggregates}
    reported: set[tuple[int, str]] = set()
    by_host = {row.name: row for row in checked.rows}
    for number, entry in enumerate(cloud.hosts):
        pattern = compile_pattern(entry.name)
        for text in entry.aggregates:
            for name in dict.fromkeys(pattern.fill(text)):
                if name not in known and (number, text) not in reported:
                    reported.add((number, text))
                    checked.known(("cloud", "hosts", number, "aggregates"), "aggregates", name, known)
    for number, aggregate in enumerate(cloud.aggregates):
        path: PathKeys = ("cloud", "aggregates", number)
        checked.selectors((*path, "hosts"), aggregate.hosts)
        stated = aggregate.metadata.get("availability_zone")
        if aggregate.zone and stated and aggregate.zone != stated:
            checked.error((*path, "zone"), f"zone is {aggregate.zone!r}, its metadata says {stated!r}", "write it once")
        if not any(aggregate.name in row.aggregates for row in by_host.values()):
            checked.warn(path, f"no host is in the aggregate {aggregate.name!r}", "name its hosts")


def _zones(checked: Checked) -> None:
    """Nova allows a host in one zone only."""
    cloud = checked.scenario.cloud
    zones = {a.name: a.zone or a.metadata.get("availability_zone") for a in cloud.aggregates}
    places = {a.name: ("cloud", "aggregates", i) for i, a in enumerate(cloud.aggregates)}
    reported: set[tuple[str | None, ...]] = set()
    stated = _stated_zones(cloud)
    for row in checked.rows:
        of_aggregates = {zones[name]: name for name in row.aggregates if zones.get(name)}
        own = stated.get(row.name)
        found = sorted({zone for zone in (*of_aggregates, own) if zone is not None})
        key = (own, *found)
        if len(found) > 1 and key not in reported:
            reported.add(key)
            path: PathKeys = places[next(iter(of_aggregates.values()))]
            checked.error(path, f"the host {row.name!r} is in the zones {' and '.join(found)}",
                          "a host is in one zone: take it out of an aggregate, or drop a zone")  # fmt: skip


def _stated_zones(cloud: CloudSpec) -> dict[str, str]:
    stated: dict[str, str] = {}
    for entry in cloud.hosts:
        if entry.zone is not None:
            pattern = compile_pattern(entry.name)
            stated.update(zip(pattern.names(), pattern.fill(entry.zone), strict=True))
    return stated


def _flavors(checked: Checked) -> None:
    for number, flavor in enumerate(checked.scenario.cloud.flavors):
        for field, unit, word in (
            ("memory", MIB, "MiB"),
            ("swap", MIB, "MiB"),
            ("disk", GIB, "GiB"),
            ("ephemeral", GIB, "GiB"),
        ):
            size = getattr(flavor, field)
            if size % unit:
                near = max(1, round(size / unit))
                text = units.format_bytes(size)
                checked.error(("cloud", "flavors", number, field), f"{text} is no whole number of {word}",
                              f"Nova counts it in {word}; write '{near} {word}'")  # fmt: skip
        if not flavor.memory:
            checked.error(("cloud", "flavors", number, "memory"), "a flavor without memory", "write it like '2 GiB'")


def _groups(checked: Checked) -> None:
    for number, group in enumerate(checked.scenario.cloud.server_groups):
        path: PathKeys = ("cloud", "server_groups", number, "rules")
        for rule, value in group.rules.items():
            if rule != "max_server_per_host":
                checked.error((*path, rule), f"unknown rule {rule!r}", closest(rule, ["max_server_per_host"]))
            elif group.policy != "anti-affinity":
                checked.error((*path, rule), f"has no meaning for {group.policy}", "only anti-affinity has it")
            elif value < 1:
                checked.error((*path, rule), f"{value} is out of range", "must be at least 1")


def _network(checked: Checked) -> None:
    network = checked.scenario.cloud.network
    path: PathKeys = ("cloud", "network")
    uses: dict[str, Sequence[str]] = {"graph": ("graph",), "ring_capacity": ("ring",), "spines": ("leaf_spine",),
                                      "oversubscription": ("leaf_spine",)}  # fmt: skip
    if network.kind == "graph" and network.graph is None:
        checked.error((*path, "kind"), "kind: graph needs a file", "add graph: FILE (GraphML, or JSON node-link)")
    for field, kinds in uses.items():
        if field in network.model_fields_set and getattr(network, field) is not None and network.kind not in kinds:
            checked.error(
                (*path, field), f"{field} means nothing for kind: {network.kind}", f"only for kind: {kinds[0]}"
            )
