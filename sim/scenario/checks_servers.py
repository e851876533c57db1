"""Checks of servers: names, references, states that can be, and whether they fit where they are."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import NamedTuple

from sim import units
from sim.scenario.expand import GIB, MIB, HostRow, server_hosts, server_pattern
from sim.scenario.findings import Checked, parts_of
from sim.scenario.guest_cpus import guest_cpus
from sim.scenario.patterns import Pattern, closest
from sim.scenario.spec import ACTIVITY_CLASSES, ActivitySpec, FlavorSpec, ServerSpec
from sim.scenario.tree import PathKeys

_UUID = re.compile(r"[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}$", re.IGNORECASE)
_RESIZE = ("resize_prep", "resize_migrating", "resize_migrated", "resize_finish")
_REBUILD = ("rebuilding", "rebuild_block_device_mapping", "rebuild_spawning")
TASKS: dict[str, tuple[str, ...]] = {
    "active": ("migrating", *_RESIZE, *_REBUILD, "powering-off", "pausing", "suspending", "rebooting", "reboot_pending",
               "reboot_started", "rebooting_hard", "reboot_pending_hard", "reboot_started_hard", "rescuing", "shelving",
               "shelving_image_pending_upload", "shelving_image_uploading", "image_snapshot", "image_snapshot_pending",
               "image_pending_upload", "image_uploading", "image_backup", "updating_password", "deleting",
               "soft-deleting"),
    "stopped": ("powering-on", *_RESIZE, *_REBUILD, "rebooting_hard", "rescuing", "shelving", "deleting",
                "soft-deleting", "image_snapshot"),
    "paused": ("unpausing", "migrating", "shelving", "deleting", "rebooting_hard"),
    "suspended": ("resuming", "shelving", "deleting", "rebooting_hard"),
    "rescued": ("unrescuing", "deleting"),
    "resized": ("resize_confirming", "resize_reverting", "deleting"),
    "building": ("scheduling", "block_device_mapping", "networking", "spawning", "deleting"),
    "error": (*_REBUILD, "deleting", "rebooting_hard", "powering-off"),
    "shelved": ("shelving_offloading", "unshelving", "spawning", "deleting"),
    "shelved_offloaded": ("unshelving", "spawning", "deleting"),
    "soft-delete": ("restoring", "deleting"),
    "deleted": (),
}  # fmt: skip
_POWER = {
    "active": "running",
    "paused": "paused",
    "stopped": "shutdown",
    "rescued": "running",
    "suspended": "shutdown",
}
_HOSTLESS = ("error", "building", "shelved_offloaded", "deleted")


class _Load:
    """What the servers take of each host, in placement's units."""

    def __init__(self, rows: Sequence[HostRow]) -> None:
        self.vcpus: Counter[str] = Counter()
        self.pcpus: Counter[str] = Counter()
        self.memory_mb: Counter[str] = Counter()
        self.disk_gb: Counter[str] = Counter()
        self.groups: defaultdict[str, Counter[str]] = defaultdict(Counter)
        self.most = {
            "vcpus": max((row.vcpus for row in rows), default=0),
            "pinned_vcpus": max((row.pinned_vcpus for row in rows), default=0),
            "memory": max((row.memory_mb * MIB for row in rows), default=0),
            "disk": max((row.disk_gb * GIB for row in rows), default=0),
        }
        """What the largest host has of each."""

    def add(self, hosts: Counter[str], flavor: FlavorSpec, on_volume: bool) -> None:
        disk_gb = ((0 if on_volume else flavor.disk) + flavor.ephemeral) // GIB + -(-flavor.swap // GIB)
        vcpus, pcpus = _cpus(flavor)
        for host, count in hosts.items():
            self.vcpus[host] += count * vcpus
            self.pcpus[host] += count * pcpus
            self.memory_mb[host] += count * (flavor.memory // MIB)
            self.disk_gb[host] += count * disk_gb


def _cpus(flavor: FlavorSpec) -> tuple[int, int]:
    """VCPU and PCPU of a flavor; what Nova refuses is told elsewhere."""
    specs = flavor.extra_specs
    try:
        found = guest_cpus(flavor.vcpus, flavor.memory // MIB, specs, {})
        return int(specs.get("resources:VCPU", found.vcpus)), int(specs.get("resources:PCPU", found.pcpus))
    except ValueError:
        return flavor.vcpus, 0


def check_servers(checked: Checked) -> None:
    """All of the cloud's servers."""
    cloud = checked.scenario.cloud
    flavors = {flavor.name: flavor for flavor in cloud.flavors}
    first: dict[str, int] = {}
    uuids: dict[str, int] = {}
    load = _Load(checked.rows)
    for number, entry in enumerate(cloud.servers):
        path: PathKeys = ("cloud", "servers", number)
        if not checked.named(path, entry.name):
            continue
        try:
            pattern = server_pattern(entry)
        except ValueError as error:
            checked.error((*path, "name"), *parts_of(error))
            continue
        _names(checked, path, pattern, first, number)
        _uuid(checked, path, entry, pattern, uuids)
        columns = _references(checked, path, entry, pattern)
        _states(checked, path, entry)
        _activity(checked, path, entry, flavors)
        if columns is not None and "hosts" not in checked.tainted:
            _place(checked, path, entry, columns, load)
    if checked.whole and "hosts" not in checked.tainted:
        _overfull(checked, load)
        _policies(checked, load)


def _names(checked: Checked, path: PathKeys, pattern: Pattern, first: dict[str, int], number: int) -> None:
    names = pattern.names()
    for name in names:
        if name in first:
            other = checked.where(("cloud", "servers", first[name], "name"))
            checked.error((*path, "name"), f"the server {name!r} is there twice", f"also at {other}; rename one")
            return
    first.update(dict.fromkeys(names, number))


def _uuid(checked: Checked, path: PathKeys, entry: ServerSpec, pattern: Pattern, seen: dict[str, int]) -> None:
    if entry.uuid is None:
        return
    place = (*path, "uuid")
    if "{" not in entry.uuid and pattern.size > 1:
        checked.error(place, "many servers cannot share one uuid", "leave uuid out")
    elif "{" not in entry.uuid and not _UUID.match(entry.uuid):
        checked.error(
            place, f"{entry.uuid!r} is no uuid", "write it like 3f1c0d5e-8a1b-4c2d-9e3f-0123456789ab, or leave it out"
        )
    elif entry.uuid in seen:
        other = checked.where(("cloud", "servers", seen[entry.uuid], "uuid"))
        checked.error(place, "this uuid is there twice", f"also at {other}")
    else:
        seen[entry.uuid] = int(path[-1])


class _Columns(NamedTuple):
    """A server entry's columns: one value for each server."""

    flavor: list[str]
    host: list[str | None]
    group: list[str]


def _references(checked: Checked, path: PathKeys, entry: ServerSpec, pattern: Pattern) -> _Columns | None:
    """Names of other things that the entry uses; None where the columns cannot be made."""
    cloud = checked.scenario.cloud
    known: dict[str, tuple[str, set[str]]] = {
        "flavor": ("flavors", {one.name for one in cloud.flavors}),
        "image": ("images", {one.name for one in cloud.images}),
        "group": ("server_groups", {one.name for one in cloud.server_groups}),
        "availability_zone": ("zones", set(checked.index.places.get("zone", {}))),
        "resized_from": ("hosts", set(checked.index.hosts)),
    }
    columns: dict[str, list[str]] = {}
    before = len(checked.found.errors)
    for field in ("flavor", "image", "group", "availability_zone", "resized_from", "task_state", "project", "user",
                  "cpu_trace", "uuid"):  # fmt: skip
        text = getattr(entry, field)
        if text is None:
            continue
        try:
            columns[field] = pattern.fill(text)
        except ValueError as error:
            checked.error((*path, field), *parts_of(error))
            continue
        if field in known and not ("hosts" in checked.tainted and field in {"availability_zone", "resized_from"}):
            kind, names = known[field]
            for name in dict.fromkeys(columns[field]):
                if not checked.known((*path, field), kind, name, names):
                    break
    hosts = _hosts(checked, path, entry, pattern)
    if hosts is None or len(checked.found.errors) > before:
        return None
    return _Columns(columns["flavor"], hosts, columns.get("group", []))


def _hosts(checked: Checked, path: PathKeys, entry: ServerSpec, pattern: Pattern) -> list[str | None] | None:
    if entry.host is not None and entry.hosts:
        checked.error((*path, "hosts"), "host and hosts are both given", "write one of them")
        return None
    if entry.hostless and (entry.host is not None or entry.hosts):
        checked.error((*path, "hostless"), "a server without a host has one", "take host away, or hostless")
        return None
    if entry.hosts:
        before = len(checked.found.errors)
        checked.selectors((*path, "hosts"), entry.hosts)
        if len(checked.found.errors) > before or "hosts" in checked.tainted:
            return None
    try:
        hosts = server_hosts(entry, pattern, checked.index)
    except ValueError as error:
        checked.error((*path, "host"), *parts_of(error))
        return None
    if entry.host is not None:
        for host in dict.fromkeys(hosts):
            if not checked.known((*path, "host"), "hosts", host, checked.index.hosts):
                return None
    return hosts


def _states(checked: Checked, path: PathKeys, entry: ServerSpec) -> None:
    state, task = entry.vm_state, entry.task_state
    placed = entry.host is not None or bool(entry.hosts)
    if task is not None and "{" not in task:
        known = sorted({name for names in TASKS.values() for name in names})
        if task not in known:
            checked.error((*path, "task_state"), f"Nova has no task_state {task!r}", closest(task, known, listed=60))
        elif task not in TASKS[state]:
            right = f"with {state} go: {', '.join(TASKS[state])}" if TASKS[state] else f"{state} has none"
            checked.error((*path, "task_state"), f"{task!r} does not go with vm_state {state!r}", right)
        else:
            checked.warn(
                (*path, "task_state"), f"nothing is under way behind {task!r}", "it stays until somebody resets it"
            )
    if state == "resized" and entry.resized_from is None:
        checked.error((*path, "vm_state"), "a resized server came from somewhere", "add resized_from: HOST")
    if state != "resized" and entry.resized_from is not None:
        checked.error(
            (*path, "resized_from"), f"only for vm_state: resized, not {state}", "take it away, or set vm_state"
        )
    if state == "resized" and not placed:
        checked.error((*path, "vm_state"), "a resized server is on a host", "add host: HOST")
    if entry.hostless and state not in _HOSTLESS:
        checked.error(
            (*path, "hostless"), f"a server that is {state} has a host", f"possible for: {', '.join(_HOSTLESS)}"
        )
    if state == "shelved_offloaded" and placed:
        checked.error(
            (*path, "host"), "a shelved_offloaded server has no host", "take host away, or say vm_state: shelved"
        )
    power = _POWER.get(state)
    if entry.power_state is not None and power is not None and entry.power_state != power:
        checked.warn((*path, "power_state"), f"{entry.power_state} while {state}", f"usually {power}")


def _activity(checked: Checked, path: PathKeys, entry: ServerSpec, flavors: dict[str, FlavorSpec]) -> None:
    activity = entry.activity
    if isinstance(activity, ActivitySpec):
        flavor = flavors.get(entry.flavor)
        times = [time for time, _ in activity.profile]
        if times != sorted(times):
            checked.error((*path, "activity", "profile"), "its times go back", "write them in order")
        if flavor is not None and activity.working_set > flavor.memory:
            checked.warn((*path, "activity", "working_set"), "more than the flavor's memory",
                         f"at most {units.format_bytes(flavor.memory)}")  # fmt: skip
        if activity.hot > activity.working_set:
            checked.error((*path, "activity", "hot"), "more than the working set that it is part of",
                          f"at most {units.format_bytes(activity.working_set)}")  # fmt: skip
    elif activity not in ACTIVITY_CLASSES:
        checked.error((*path, "activity"), f"unknown activity {activity!r}",
                      f"{closest(activity, ACTIVITY_CLASSES)}; or write dirty: and working_set:")  # fmt: skip


def _place(checked: Checked, path: PathKeys, entry: ServerSpec, columns: _Columns, load: _Load) -> None:
    """Whether the servers can be where they are, and what they take there."""
    flavors = {flavor.name: flavor for flavor in checked.scenario.cloud.flavors}
    local = entry.boot_from == "image" and checked.scenario.cloud.storage.instances == "local"
    if entry.hostless or entry.vm_state in {"shelved_offloaded", "deleted"}:
        return
    for name in dict.fromkeys(columns.flavor):
        if checked.whole:
            _fits_somewhere(checked, path, flavors[name], local, load)
        at = [host for flavor, host in zip(columns.flavor, columns.host, strict=True) if flavor == name] if len(
            set(columns.flavor)) > 1 else columns.host  # fmt: skip
        load.add(Counter(host for host in at if host is not None), flavors[name], entry.boot_from == "volume")
    for group in dict.fromkeys(columns.group):
        pairs = zip(columns.group, columns.host, strict=True)
        load.groups[group].update(host for one, host in pairs if one == group and host is not None)
    if entry.availability_zone is not None and "{" not in entry.availability_zone:
        inside = set(checked.index.places["zone"].get(entry.availability_zone, ()))
        outside = next((host for host in columns.host if host is not None and host not in inside), None)
        if outside is not None:
            checked.warn((*path, "availability_zone"), f"{outside} is not in {entry.availability_zone}",
                         "the server is pinned to a zone that it is not in")  # fmt: skip


def _fits_somewhere(checked: Checked, path: PathKeys, flavor: FlavorSpec, local: bool, load: _Load) -> None:
    vcpus, pcpus = _cpus(flavor)
    needs = {"vcpus": vcpus, "pinned_vcpus": pcpus, "memory": flavor.memory,
             "disk": flavor.disk + flavor.ephemeral if local else 0}  # fmt: skip
    for word, need in needs.items():
        text = str if word.endswith("vcpus") else units.format_bytes
        if need > load.most[word]:
            checked.error((*path, "flavor"), f"{flavor.name!r} needs {text(need)} of {word}, more than any host has",
                          f"the largest host has {text(load.most[word])}")  # fmt: skip


def _overfull(checked: Checked, load: _Load) -> None:
    full: list[str] = []
    for row in checked.rows:
        for word, used, total in (
            ("VCPU", load.vcpus[row.name], (row.vcpus - row.reserved_vcpus) * row.cpu_ratio),
            ("PCPU", load.pcpus[row.name], row.pinned_vcpus),
            ("MEMORY_MB", load.memory_mb[row.name], (row.memory_mb - row.reserved_memory_mb) * row.ram_ratio),
            ("DISK_GB", load.disk_gb[row.name], (row.disk_gb - row.reserved_disk_gb) * row.disk_ratio),
        ):
            if used > total:
                full.append(f"{row.name} ({word} {used:,} of {total:,.0f})")
    if full:
        more = f", … {len(full) - 5} more" if len(full) > 5 else ""
        right = "Nova lets them be and puts nothing more there; raise capacities or ratios if it is not meant"
        what = f"hosts are overfull from the start: {', '.join(full[:5])}{more}"
        checked.warn(("cloud", "servers"), what, right)


def _policies(checked: Checked, load: _Load) -> None:
    for number, group in enumerate(checked.scenario.cloud.server_groups):
        members = load.groups.get(group.name)
        if not members:
            continue
        path: PathKeys = ("cloud", "server_groups", number)
        most = group.rules.get("max_server_per_host", 1)
        crowded = [f"{host} has {count}" for host, count in members.items() if count > most]
        if group.policy == "anti-affinity" and crowded:
            checked.warn(
                path, f"{group.name} is broken from the start: {', '.join(crowded)}", f"at most {most} on a host"
            )
        if group.policy == "affinity" and len(members) > 1:
            checked.warn(path, f"{group.name} is broken from the start: on {', '.join(members)}", "all on one host")
