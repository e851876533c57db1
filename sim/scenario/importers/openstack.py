"""An operator's exports (clients' JSON, nova.conf) → a scenario's cloud, with everything that had to be assumed.

Nothing is simulated that an export does not say without being told: each gap is an assumption, in the report and at
the top of the file.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sim import units
from sim.errors import InputError
from sim.scenario.expand import ratios
from sim.scenario.importers.columns import COMMANDS
from sim.scenario.importers.demands import fill_demands
from sim.scenario.importers.exports import Exports, read_exports, summary
from sim.scenario.importers.hosts import Host, Hosts, fill_capacities, fill_racks, read_aggregates, read_hosts
from sim.scenario.importers.kinds import Flavors, Images, read_groups
from sim.scenario.importers.retold import of_exports, warnings
from sim.scenario.importers.servers import Servers, compare_use
from sim.scenario.importers.values import HostDefaults, Notes
from sim.scenario.importers.writing import write_scenario
from sim.scenario.loader import examine
from sim.scenario.nova_conf import NovaOptions, read_options
from sim.scenario.tree import shown

__all__ = ["Imported", "import_openstack", "write_scenario"]

_NIC = "10 Gbit/s"
_SHARED = {"rbd": "shared", "lvm": "local", "raw": "local", "flat": "local", "qcow2": "local", "ploop": "local",
           "default": "local"}  # fmt: skip


@dataclass(frozen=True)
class Imported:
    """A cloud, as plain data of a scenario file, and where it comes from."""

    cloud: dict[str, Any]
    sources: tuple[str, ...]
    """One line for each file."""
    assumed: tuple[str, ...]
    """One sentence for each gap."""
    notes: tuple[str, ...]
    """What nova.conf says of the hosts, and the like: facts, not gaps."""
    conf: Path | None = None
    counts: Mapping[str, int] = field(default_factory=dict)


def import_openstack(
    directory: str | Path, nova_conf: str | Path | None = None, host_defaults: str | None = None
) -> tuple[Imported, list[str]]:
    """The cloud that the exports in ``directory`` describe, and the report to be shown: files, assumptions, warnings.

    ``nova_conf`` defaults to the folder's own ``nova.conf``; ``host_defaults`` is
    ``vcpus=48,memory=384GiB,disk=2TB,nic=25Gbit/s`` for what no export tells. InputError carries everything wrong, with
    file, line and path.
    """
    defaults = HostDefaults(host_defaults)
    exports = read_exports(directory)
    own = exports.folder / "nova.conf"
    conf = Path(nova_conf) if nova_conf is not None else own if own.exists() else None
    options = read_options(conf)
    notes = Notes()
    cloud = _cloud(exports, defaults, options, conf, notes)
    if notes.issues:
        raise InputError(notes.told())
    try:
        examined = examine({"cloud": cloud}, base=exports.folder)
    except InputError as error:
        raise InputError(of_exports(error.issues, shown(str(exports.folder)), cloud, notes)) from None
    facts = _facts(options, conf)
    counts = {kind: len(cloud[kind]) for kind in ("hosts", "servers", "flavors", "aggregates", "server_groups")}
    sources = tuple(summary(exports))
    imported = Imported(cloud, sources, tuple(notes.assumed), tuple(facts), conf, counts)
    told = (one for one in examined.warnings if "nothing happens" not in one.what)
    size = ", ".join(units.counted(count, kind.replace("_", " ")) for kind, count in counts.items())
    report = [*(f"read      {line}" for line in sources), *(f"not used  {line}" for line in exports.unused),
              *(f"note      {line}" for line in facts), *(f"assumed   {line}" for line in notes.assumed),
              *(f"warning   {text}" for text in warnings(told)), f"cloud     {size}"]  # fmt: skip
    return imported, report


def _cloud(
    exports: Exports, defaults: HostDefaults, options: NovaOptions, conf: Path | None, notes: Notes
) -> dict[str, Any]:
    if not exports.of("servers") and not exports.of("hypervisors") and not exports.of("services"):
        found = ", ".join(sorted({one.kind for one in exports.files})) or "none of them can be used"
        notes.wrong(str(exports.folder), f"lists neither servers nor hypervisors (found: {found})",
                    f"add `{COMMANDS['servers']}` and `{COMMANDS['hypervisors']}`")  # fmt: skip
        return {}
    hosts = read_hosts(exports, notes)
    flavors, images = Flavors(exports, notes), Images(exports, notes)
    groups, group_of = read_groups(exports, notes)
    servers = Servers(exports, hosts, notes, flavors=flavors, images=images, group_of=group_of)
    aggregates, racks = read_aggregates(exports, hosts, notes)
    if not hosts.hosts and not notes.issues:
        notes.wrong(str(exports.folder), "no file tells of any host", f"add `{COMMANDS['hypervisors']}`")
    _missing(exports, flavors, servers, conf, notes)
    fill_capacities(hosts, defaults, notes)
    if notes.issues:
        return {}
    fill_demands(hosts.hosts, flavors, servers.made, options.values["compute.cpu_dedicated_set"], notes)
    fill_racks(hosts, notes, racks)
    used = servers.used()
    _disks(hosts, defaults, used, notes)
    compare_use(hosts.hosts.values(), used, options["DEFAULT.reserved_host_memory_mb"], notes)
    if images.unlisted:
        notes.assume(f"sizes of images are unknown, {units.format_bytes(2 * units.GIB)} each; "
                     f"`{COMMANDS['images']}` would say", images.unlisted)  # fmt: skip
    if servers.made:
        notes.assume(
            "no export tells what guests do to their memory: `activity: web` for all; set it where you know better"
        )
        notes.assume("no export tells how full local disks are: half")
    _pins(hosts, servers, options["DEFAULT.default_availability_zone"], notes)
    zoned = {host for entry in aggregates for host in entry["hosts"] if "zone" in entry}
    zone = options["DEFAULT.default_availability_zone"]
    return {
        "hosts": [_host(one, defaults, one.name in zoned or one.zone == zone) for one in hosts.hosts.values()],
        "aggregates": aggregates,
        "flavors": list(flavors.made.values()),
        "images": list(images.made.values()),
        "server_groups": groups,
        "servers": [{**entry, "activity": "web"} for entry in servers.made],
        "network": {"kind": "leaf_spine", "oversubscription": 1.0},
        "storage": {"instances": _storage(options, conf, notes)},
        **({"nova": {"conf": str(conf.resolve())}} if conf is not None else {}),
    }  # fmt: skip


def _missing(exports: Exports, flavors: Flavors, servers: Servers, conf: Path | None, notes: Notes) -> None:
    """Whole files that are not there."""
    if not exports.of("servers"):
        notes.assume(f"no list of servers: the cloud is empty; `{COMMANDS['servers']}` would fill it")
    if not flavors.listed and servers.made:
        notes.assume("no list of flavors: those of the servers' own details are taken")
    if not exports.of("groups") and servers.made:
        notes.assume(f"no list of server groups: none bind; `{COMMANDS['groups']}` would say")
    if not exports.of("aggregates") and not any("no list of aggregates" in text for text in notes.assumed):
        notes.assume(f"no list of aggregates: there are none; `{COMMANDS['aggregates']}` would say")
    if conf is None:
        notes.assume(
            "no nova.conf: Nova's defaults (ratios, reserved memory, retries, confirm window, filters); see --nova-conf"
        )


def _pins(hosts: Hosts, servers: Servers, default: str, notes: Notes) -> None:
    """Servers may be pinned to a zone that is gone, or whose hosts are not in the exports."""
    zones = {host.zone or default for host in hosts.hosts.values()}
    pinned = [entry for entry in servers.made if entry.get("availability_zone") not in zones | {None}]
    if pinned:
        notes.assume("servers are pinned to zones that no host is in, which is left out",
                     [f"{entry['name']} ({entry.pop('availability_zone')})" for entry in pinned])  # fmt: skip


def _disks(hosts: Hosts, defaults: HostDefaults, used: Mapping[str, list[int]], notes: Notes) -> None:
    """Disks are the capacity that exports seldom have."""
    lacking = [host for host in hosts.hosts.values() if host.disk_gb is None]
    if not lacking:
        return
    disk = (defaults.disk or 0) // units.GIB
    if disk:
        notes.assume(
            f"disks of {units.format_bytes(disk * units.GIB)} from --host-defaults", [host.name for host in lacking]
        )
    else:
        disk = 1024
        while disk < 2 * max((amount[2] for amount in used.values()), default=0):
            disk *= 2
        notes.assume(f"no export has disks: {units.format_bytes(disk * units.GIB)} for each host, at least twice what "
                     "the fullest holds, so that DISK_GB limits nothing; --host-defaults disk=… says better",
                     [host.name for host in lacking])  # fmt: skip
    for host in lacking:
        host.disk_gb = disk


def _host(host: Host, defaults: HostDefaults, zone_known: bool) -> dict[str, Any]:
    assert host.memory_mb is not None  # fill_capacities has seen to it
    assert host.disk_gb is not None
    entry: dict[str, Any] = {"name": host.name.replace("{", "(").replace("}", ")"), "rack": host.rack}
    if host.zone is not None and not zone_known:
        entry["zone"] = host.zone
    entry |= {"vcpus": (host.vcpus or 0) + (host.pcpus or 0), "memory": units.exact_bytes(host.memory_mb * units.MIB),
              "disk": units.exact_bytes(host.disk_gb * units.GIB),
              "nic": _NIC if defaults.nic is None else units.exact_rate(defaults.nic)}  # fmt: skip
    entry |= host.extra
    for key, value in (("pinned_vcpus", host.pcpus), ("traits", list(host.traits))):
        if value:
            entry[key] = value
    if host.numa_nodes is not None and host.numa_nodes > 1:
        entry["numa_nodes"] = host.numa_nodes
    if host.type is not None and host.type != "QEMU":
        entry["hypervisor_type"] = host.type
    if host.version:
        entry["hypervisor_version"] = host.version
    if host.service:
        entry["service"] = host.service
    return entry


def _storage(options: NovaOptions, conf: Path | None, notes: Notes) -> str:
    """Where root disks live: from images_type."""
    kind = options.values["libvirt.images_type"]
    place = _SHARED[kind]
    if conf is None:
        notes.assume(
            "root disks are local to their hosts (no nova.conf); write storage: {instances: shared} if they are not"
        )
    elif place == "local" and kind != "lvm":
        notes.assume(f"images_type is {kind}: root disks are local, unless instances_path is a shared file system; "
                     "then write storage: {instances: shared}")  # fmt: skip
    notes.assume(
        "links: each host has the NIC that its line says, racks are not oversubscribed; correct `nic:` and `network:`"
    )
    return place


def _facts(options: NovaOptions, conf: Path | None) -> list[str]:
    cpu, ram, disk = ratios(options)
    facts = [f"allocation ratios cpu {cpu:g}, ram {ram:g}, disk {disk:g}; reserved memory "
             f"{options['DEFAULT.reserved_host_memory_mb']} MiB (where a host's line states none)"]  # fmt: skip
    if conf is not None:
        idle, unknown = len(options.no_effect), len(options.unknown)
        facts.append(
            f"{conf.name}: {len(options.honoured)} options are honoured, {idle} have no effect here, "
            f"{unknown} are unknown to Nova; `novasim check` lists them"
        )
    return facts
