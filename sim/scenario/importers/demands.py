"""What flavors in use ask of hosts and seldom stands in exports: NUMA nodes, CPUs to pin to, traits, devices.

A server that is on a host proves that the host had what it asks for. So much is assumed, and told: without it, no
such server would find another host.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sim.scenario.guest_cpus import GuestCpus, cpu_list, guest_cpus
from sim.scenario.importers.hosts import Host
from sim.scenario.importers.kinds import Flavors
from sim.scenario.importers.values import Notes

_COUNTED = {"VCPU", "MEMORY_MB", "DISK_GB", "PCPU"}
_DEVICES = ("pci_passthrough:alias", "accel:device_profile")


def fill_demands(
    hosts: Mapping[str, Host], flavors: Flavors, servers: Sequence[Mapping[str, Any]], pinned: str | None, notes: Notes
) -> None:
    """NUMA nodes, PCPUs and traits of hosts; ``pinned`` is nova.conf's ``cpu_dedicated_set``."""
    used = {entry["flavor"] for entry in servers}
    asked = _understood(flavors, used, notes)
    placed = Counter((entry["host"], entry["flavor"]) for entry in servers if "host" in entry)
    here = {flavor for _, flavor in placed}
    _numa(hosts.values(), max((len(asked[one].nodes) for one in here if one in asked), default=0), notes)
    held: Counter[str] = Counter()
    for (host, flavor), count in placed.items():
        held[host] += asked[flavor].pcpus * count if flavor in asked else 0
    _pinned(hosts, held, pinned, notes)
    _traits(hosts, flavors, placed, notes)
    _devices(flavors, used, notes)


def _specs(flavors: Flavors, name: str) -> dict[str, str]:
    specs: dict[str, str] = flavors.made[name].get("extra_specs", {})
    return specs


def _understood(flavors: Flavors, used: set[str], notes: Notes) -> dict[str, GuestCpus]:
    """CPUs and NUMA nodes of each flavor. One that Nova refuses is left out if nobody has it; else the checks tell."""
    asked: dict[str, GuestCpus] = {}
    refused: list[str] = []
    for name, (vcpus, memory_mb, _) in flavors.sizes.items():
        specs = _specs(flavors, name)
        try:
            for key, value in specs.items():
                if key.startswith("resources:") and not value.isdecimal():
                    raise ValueError(f"{key} is {value!r}, no amount")
            asked[name] = guest_cpus(vcpus, memory_mb, specs, {})
        except ValueError as error:
            if name not in used:
                refused.append(f"{name} ({str(error).rstrip('.')})")
                del flavors.made[name]
    if refused:
        notes.assume("flavors that Nova refuses and no server has, left out", refused)
    return asked


def _numa(hosts: Iterable[Host], most: int, notes: Notes) -> None:
    lacking = [host for host in hosts if host.numa_nodes is None]
    if most < 2 or not lacking:
        return
    for host in lacking:
        host.numa_nodes = most
    notes.assume(
        f"no export tells NUMA nodes of these hosts, taken as {most}, which a flavor in use asks for; "
        "`openstack --os-compute-api-version 2.53 hypervisor show HOST -f json > hypervisor-HOST.json` would say",
        [host.name for host in lacking],
    )


def _pinned(hosts: Mapping[str, Host], held: Mapping[str, int], stated: str | None, notes: Notes) -> None:
    lacking = [host for host in hosts.values() if host.pcpus is None]
    count = 0
    try:
        count = len(cpu_list(stated or ""))
    except ValueError as error:
        notes.assume(f"compute.cpu_dedicated_set is not understood, {error}")
    if count and lacking:
        notes.assume(f"{count} CPUs of each host are for pinned guests, besides those that its hypervisor tells "
                     "(cpu_dedicated_set of nova.conf)", [host.name for host in lacking])  # fmt: skip
    elif lacking and any(held.values()):
        notes.assume(
            "flavors in use pin CPUs, and no export tells how many hosts set aside: only as many as their servers "
            "hold, so that nothing pinned can move; `openstack resource provider inventory list UUID -f json > "
            "inventory-HOST.json` would say",
            [host for host, one in held.items() if one],
        )
    for host in lacking:
        host.pcpus = count or held.get(host.name, 0)


def _traits(hosts: Mapping[str, Host], flavors: Flavors, placed: Iterable[tuple[str, str]], notes: Notes) -> None:
    stated = {name for name, host in hosts.items() if host.traits}
    taken: defaultdict[str, list[str]] = defaultdict(list)
    for name, flavor in placed:
        for key, value in _specs(flavors, flavor).items():
            trait = key.removeprefix("trait:")
            if trait != key and value == "required" and name not in stated and trait not in hosts[name].traits:
                hosts[name].traits = tuple(sorted((*hosts[name].traits, trait)))
                taken[trait].append(name)
    for trait, names in taken.items():
        notes.assume(f"no export tells traits of hosts: {trait} only where servers are that require it; `openstack "
                     "resource provider trait list UUID -f json > traits-HOST.json` would say", names)  # fmt: skip


def _devices(flavors: Flavors, used: Iterable[str], notes: Notes) -> None:
    """What the simulated hosts do not have."""
    unknown: list[str] = []
    devices: list[str] = []
    for name in sorted(used):
        for key, value in _specs(flavors, name).items():
            resource = key.removeprefix("resources:")
            if resource != key and resource not in _COUNTED and value != "0":
                unknown.append(f"{name} ({resource})")
            elif key in _DEVICES:
                devices.append(name)
    if unknown:
        notes.assume("flavors in use ask for resources that hosts do not have here: their servers find no other host",
                     unknown)  # fmt: skip
    if devices:
        notes.assume("devices are not simulated: servers of these flavors move as if they had none", devices)
