"""Placement's own numbers: inventories, traits and names of resource providers, as its clients list them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

from sim.scenario.importers.exports import Export, Exports, Row
from sim.scenario.importers.values import Notes, short

if TYPE_CHECKING:
    from sim.scenario.importers.hosts import Host

_RESOURCES = {"VCPU": "vcpus", "MEMORY_MB": "memory_mb", "DISK_GB": "disk_gb", "PCPU": "pcpus"}
_RATIOS = {"VCPU": "cpu_allocation_ratio", "MEMORY_MB": "ram_allocation_ratio", "DISK_GB": "disk_allocation_ratio"}
_RESERVED = {"VCPU": "reserved_vcpus", "MEMORY_MB": "reserved_memory", "DISK_GB": "reserved_disk"}
_UNITS = {"MEMORY_MB": "MiB", "DISK_GB": "GiB"}
_AFTER = re.compile(r"(\..*|[-_ ][^0-9]*)?")
"""What may follow a host's name in a file's: its domain, or words."""


def read_placement(hosts: Mapping[str, Host], exports: Exports, notes: Notes) -> None:
    """Inventories and traits: one file for each resource provider, named after the host or the provider."""
    names = {name: host for host in hosts.values() for name in (host.name, *host.ids) if not name.isdigit()}
    for row in exports.rows("providers"):
        host = names.get(str(row.get("name")))
        if host is not None:
            names[str(row.get("id"))] = host
    for kind, what in (("inventories", "an inventory"), ("traits", "a list of traits")):
        for export in exports.of(kind):
            host = _named(export, names)
            if host is None:
                exports.unused.append(f"{export.path.name}: {what} of no known host (name the file after the host)")
                continue
            rows = [Row(kind, export, index) for index in range(len(export.rows))]
            if kind == "inventories":
                _inventory(host, rows, notes)
            else:
                host.traits = tuple(name for row in rows if (name := notes.text(row, "name")) is not None)


def _named(export: Export, names: Mapping[str, Host]) -> Host | None:
    stem = export.path.stem
    found = [name for name in names if _is_in(name, stem)]
    return names[max(found, key=len)] if found else None


def _is_in(name: str, stem: str) -> bool:
    """Whether a file is named after a host: cpu1 is not in inventory-cpu11, and not in inventory-cpu1-2."""
    before, found, after = stem.rpartition(name)
    return bool(found) and not before[-1:].isalnum() and _AFTER.fullmatch(after) is not None


def _inventory(host: Host, rows: list[Row], notes: Notes) -> None:
    stated = {str(row.get("resource_class")): row for row in rows}
    if "PCPU" in stated and "VCPU" not in stated:
        host.vcpus = 0
    for name in (one for one in _RESOURCES if one in stated):
        row = stated[name]
        total, reserved, ratio = notes.whole(row, "total", 1), notes.whole(row, "reserved"), row.get("ratio")
        if total is not None:
            setattr(host, _RESOURCES[name], total)
        if name not in _RATIOS:
            continue
        if reserved is not None:
            host.extra[_RESERVED[name]] = f"{reserved} {_UNITS[name]}" if name in _UNITS else reserved
        if isinstance(ratio, (int, float)) and not isinstance(ratio, bool) and ratio > 0:
            host.extra[_RATIOS[name]] = float(ratio)
        elif ratio is not None:
            notes.wrong(row.where("ratio"), f"{short(ratio)} is no ratio", "a number above 0, like 4.0")
