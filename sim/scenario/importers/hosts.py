"""Hypervisors, services, aggregates and placement inventories → the hosts of a scenario and its aggregates."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sim.scenario.importers.columns import COMMANDS
from sim.scenario.importers.exports import Exports, Row, as_mapping, as_names
from sim.scenario.importers.placement import read_placement
from sim.scenario.importers.values import HostDefaults, Notes, natural, short

_RACK = re.compile(r"(?:^|[-_.])((?:rack|rk|r|cabinet|cab|row|chassis|enclosure|enc)[-_]?[0-9]+)(?=[-_.a-z]|$)", re.I)


@dataclass
class Host:
    """One host as it gathers; capacities None until something says them."""

    name: str
    vcpus: int | None = None
    """Shared ones, without ``pcpus``."""
    pcpus: int | None = None
    """Set aside for pinned guests."""
    numa_nodes: int | None = None
    traits: tuple[str, ...] = ()
    memory_mb: int | None = None
    disk_gb: int | None = None
    vcpus_used: int | None = None
    memory_used_mb: int | None = None
    rack: str = ""
    zone: str | None = None
    type: str | None = None
    version: int | None = None
    service: dict[str, Any] = field(default_factory=dict)
    extra: dict[str, Any] = field(default_factory=dict)
    """Reserved amounts and ratios that placement's inventories state, with units where the scenario has them."""
    ids: tuple[str, ...] = ()
    """Of the hypervisor, and that of its resource provider."""


@dataclass
class Hosts:
    """All hosts, and how other files may call them."""

    hosts: dict[str, Host] = field(default_factory=dict)
    metal: set[str] = field(default_factory=set)
    """Compute services of bare metal, which is left out."""
    _short: dict[str, str | None] = field(default_factory=dict)

    def add(self, name: str) -> Host:
        """The host of that name, made if it is new."""
        known = self.find(name)
        if known is not None:
            return known
        host = self.hosts[name] = Host(name)
        label = _label(name)
        self._short[label] = None if label in self._short else name
        return host

    def leave_out(self, name: str) -> None:
        """It is a service of bare metal."""
        host = self.find(name)
        self.metal |= {name, _label(name)}
        if host is not None:
            del self.hosts[host.name]
            self._short = {label: one for label, one in self._short.items() if one != host.name}

    def is_metal(self, name: str) -> bool:
        """Whether it is a compute service of bare metal; with or without its domain."""
        return self.find(name) is None and bool(self.metal & {name, _label(name)})

    def find(self, name: str) -> Host | None:
        """By its name; in capitals or not, with or without its domain, where that is clear."""
        if name in self.hosts:
            return self.hosts[name]
        label = _label(name)
        other = self._short.get(label)
        # cpu01 and CPU01.example.com are one host; cpu01.a and cpu01.b are two.
        same = other is not None and (label in (name.lower(), other.lower()) or name.lower() == other.lower())
        return self.hosts[other] if other is not None and same else None


def _label(name: str) -> str:
    return name.partition(".")[0].lower()


def read_hosts(exports: Exports, notes: Notes) -> Hosts:
    """Hosts from services and hypervisors, with states; capacities as far as they are stated."""
    found = Hosts()
    services = exports.rows(
        "services", ("id", "host"), lambda row: str(row.get("binary") or "nova-compute") == "nova-compute"
    )
    twice: list[str] = []
    for row in services:
        _service(found, row, notes, twice)
    if twice:
        notes.assume("compute services that are listed twice, the first is believed", twice)
    _hypervisors(found, exports.rows("hypervisors"), bool(services), notes)
    if not services and found.hosts:
        notes.assume(f"no list of compute services: hosts are taken as the hypervisors' state says; "
                     f"`{COMMANDS['services']}` would say")  # fmt: skip
    read_placement(found.hosts, exports, notes)
    return found


def _service(found: Hosts, row: Row, notes: Notes, twice: list[str]) -> None:
    name = notes.text(row, "host")
    if name is None:
        if row.get("host") is None:
            notes.wrong(row.where(), "a compute service without a host", f"export it with `{COMMANDS['services']}`")
        return
    if name in found.hosts:
        twice.append(name)
        return
    host = found.add(name)
    status, state = _word(notes, row, "status", ("enabled", "disabled")), _word(notes, row, "state", ("up", "down"))
    zone = notes.text(row, "zone")
    host.zone = None if zone == "internal" else zone
    if status == "disabled":
        host.service["status"] = "disabled"
        reason = notes.text(row, "reason")
        if reason:
            host.service["disabled_reason"] = reason
    if notes.flag(row, "forced_down"):
        host.service["forced_down"] = True
    elif state == "down":
        host.service["state"] = "down"


def _word(notes: Notes, row: Row, name: str, words: tuple[str, ...]) -> str | None:
    value = notes.text(row, name)
    if value is not None and value.lower() not in words:
        notes.wrong(row.where(name), f"{value!r} is not possible here", f"one of: {', '.join(words)}")
        return None
    return None if value is None else value.lower()


def _hypervisors(found: Hosts, rows: Sequence[Row], listed: bool, notes: Notes) -> None:
    """Capacities of hosts; ``listed`` says that services were, which know states better."""
    silent: list[str] = []
    metal: list[str] = []
    differing: list[str] = []
    told: set[str] = set()
    for row in rows:
        service = row.get("service")
        details = as_mapping(service) if isinstance(service, dict) else None
        name = notes.text(row, "name")
        at = str(details["host"]) if details and details.get("host") else service if isinstance(service, str) else name
        if name is None or at is None:
            notes.wrong(row.where(), "a hypervisor without a name", f"export it with `{COMMANDS['hypervisors']}`")
            continue
        if (notes.text(row, "type") or "").lower() == "ironic":
            metal.append(name)
            found.leave_out(at)
            continue
        host = found.find(at)
        if host is None:
            host = found.add(at)
            silent.append(name)
            _state(host, row, details, notes)
        told.add(host.name)
        host.ids = (*host.ids, *(str(one) for one in row.values("id")), name)
        if not _amounts(host, row, notes):
            differing.append(host.name)
    if metal:
        # The clients tell nodes, not the services that manage them: those have no hypervisor of their own.
        for name in [one for one in found.hosts if one not in told]:
            found.leave_out(name)
        notes.assume("bare metal is not simulated, left out", metal)
    if silent and listed:
        notes.assume("no compute service is listed for these hypervisors, taken as enabled and up", silent)
        alone = [name for name in found.hosts if name not in told]
        if alone:
            notes.assume(
                "and no hypervisor for these services: are they the same hosts under two names? Then they are here "
                "twice; `openstack hypervisor show HYPERVISOR -f json > hypervisor-HOST.json` tells which",
                alone,
            )
    if differing:
        notes.assume("hosts with several hypervisors that differ (one of another name before?), the first is believed",
                     differing)  # fmt: skip


def _state(host: Host, row: Row, details: Mapping[str, Any] | None, notes: Notes) -> None:
    """What a hypervisor says of its service, where no service does."""
    if _word(notes, row, "status", ("enabled", "disabled")) == "disabled":
        host.service["status"] = "disabled"
        if details and details.get("disabled_reason"):
            host.service["disabled_reason"] = str(details["disabled_reason"])
    if _word(notes, row, "state", ("up", "down")) == "down":
        host.service["state"] = "down"


def _amounts(host: Host, row: Row, notes: Notes) -> bool:
    """A hypervisor's numbers, where none are known yet; whether they go with those that are."""
    agree = True
    for name in ("vcpus", "memory_mb", "disk_gb"):
        value, known = notes.whole(row, name), getattr(host, name)
        agree = agree and (not value or not known or value == known)
        setattr(host, name, known or value or None)
    host.type = host.type or notes.text(row, "type")
    host.version = host.version or notes.whole(row, "version")
    host.vcpus_used = notes.whole(row, "vcpus_used") if host.vcpus_used is None else host.vcpus_used
    host.memory_used_mb = notes.whole(row, "memory_used_mb") if host.memory_used_mb is None else host.memory_used_mb
    cells = _cells(row.get("cpu_info"))
    host.numa_nodes = host.numa_nodes or cells
    return agree


def _cells(info: Any) -> int | None:
    """NUMA nodes, of a hypervisor's ``cpu_info``: an object, or its text with older microversions."""
    if isinstance(info, str):
        try:
            info = json.loads(info)
        except json.JSONDecodeError:
            return None
    topology = info.get("topology") if isinstance(info, Mapping) else None
    cells = topology.get("cells") if isinstance(topology, Mapping) else None
    return cells if isinstance(cells, int) and cells > 0 else None


def fill_capacities(found: Hosts, defaults: HostDefaults, notes: Notes) -> None:
    """Capacities that no export states: from ``--host-defaults``, else the commonest; an issue if there is none."""
    for name, default, word in (("vcpus", defaults.vcpus, "vcpus"),
                                ("memory_mb", (defaults.memory or 0) // 2**20 or None, "memory")):  # fmt: skip
        lacking = [host for host in found.hosts.values() if getattr(host, name) is None]
        known = Counter(value for host in found.hosts.values() if (value := getattr(host, name)))
        if not lacking:
            continue
        value = default
        if value is not None:
            notes.assume(f"{word} from --host-defaults", [host.name for host in lacking])
        elif known:
            value = max(known, key=lambda one: (known[one], one))
            unit = " MiB" if name == "memory_mb" else ""
            notes.assume(f"no export has {word} of these hosts, taken as the commonest ({value}{unit})",
                         [host.name for host in lacking])  # fmt: skip
        for host in lacking:
            setattr(host, name, value)
    if any(host.vcpus is None or host.memory_mb is None for host in found.hosts.values()):
        notes.wrong("hypervisors", "no export has the capacities of hosts (microversions from 2.88 do not tell them)",
                    f"add `{COMMANDS['hypervisors']}`, or placement's inventories "
                    "(`openstack resource provider inventory list UUID -f json > inventory-HOST.json`), "
                    "or --host-defaults vcpus=48,memory=384GiB,disk=2TB")  # fmt: skip


def fill_racks(found: Hosts, notes: Notes, rack_of: dict[str, str]) -> None:
    """Racks from aggregates' metadata, else from names such as ``r01-c03``; else a rack for each zone."""
    guessed, unknown = 0, []
    for host in found.hosts.values():
        match = _RACK.search(host.name)
        if host.name in rack_of:
            host.rack = rack_of[host.name]
        elif match is not None:
            host.rack = match[1]
            guessed += 1
        else:
            host.rack = f"rack-{host.zone}" if host.zone else "rack-1"
            unknown.append(host.name)
    if guessed:
        notes.assume(f"racks of {guessed} hosts are read from their names")
    if unknown:
        notes.assume("racks are unknown, one for each zone; correct `rack:` where links between racks matter", unknown)


def read_aggregates(exports: Exports, found: Hosts, notes: Notes) -> tuple[list[dict[str, Any]], dict[str, str]]:
    """Aggregates as the scenario writes them, and host → rack where their metadata says it."""
    made: list[dict[str, Any]] = []
    racks: dict[str, str] = {}
    strangers: list[str] = []
    names: set[str] = set()
    for row in exports.rows("aggregates"):
        name = notes.text(row, "name") or notes.text(row, "id")
        if name is None:
            notes.wrong(row.where(), "an aggregate without a name", f"export it with `{COMMANDS['aggregates']}`")
            continue
        if name in names:
            notes.wrong(row.where("name"), f"the aggregate {name!r} is there twice", "take one of them away")
            continue
        names.add(name)
        notes.rows["aggregates", name] = row
        metadata = as_mapping(row.get("metadata") or {})
        members = as_names(row.get("hosts") or [])
        zone = notes.text(row, "zone")
        if metadata is None or members is None:
            wrong, right = ("metadata", "{key: value}") if metadata is None else ("hosts", "[name, name]")
            notes.wrong(row.where(wrong), f"{short(row.get(wrong))} is not understood", f"the clients write {right}")
            continue
        zone = zone or metadata.get("availability_zone")
        metadata.pop("availability_zone", None)
        if not row.has("hosts"):
            members = [host.name for host in found.hosts.values() if zone and host.zone == zone]
            notes.assume(f"no file lists the hosts of aggregate {name}"
                         + (f", taken as those of zone {zone}" if members else ", it is empty"))  # fmt: skip
        hosts = [host.name for one in members if (host := found.find(one)) is not None]
        strangers += [f"{one} in {name}" for one in members if found.find(one) is None]
        racks.update(dict.fromkeys(hosts, str(metadata["rack"])) if metadata.get("rack") else {})
        made.append({"name": name, **({"zone": zone} if zone else {}),
                     **({"metadata": {key: str(value) for key, value in metadata.items()}} if metadata else {}),
                     "hosts": hosts})  # fmt: skip
    if strangers:
        notes.assume("aggregates name hosts that nothing else lists, left out", strangers)
    _zones(made, found, notes)
    return made, racks


def _zones(made: list[dict[str, Any]], found: Hosts, notes: Notes) -> None:
    """An aggregate's zone stands for its hosts'; a zone that only services tell stays with the host."""
    of_aggregates = {host: entry["zone"] for entry in made if "zone" in entry for host in entry["hosts"]}
    differing = [f"{host.name} ({host.zone}, {of_aggregates[host.name]})" for host in found.hosts.values()
                 if host.zone and host.name in of_aggregates and host.zone != of_aggregates[host.name]]  # fmt: skip
    if differing:
        notes.assume("services and aggregates disagree about zones, aggregates are believed", differing)
    for host in found.hosts.values():
        if host.name in of_aggregates:
            host.zone = of_aggregates[host.name]
    if not made and any(host.zone for host in found.hosts.values()):
        notes.assume(f"no list of aggregates: zones are those of the services, metadata is unknown; "
                     f"`{COMMANDS['aggregates']}` would say")  # fmt: skip
    made.sort(key=lambda entry: natural(entry["name"]))
