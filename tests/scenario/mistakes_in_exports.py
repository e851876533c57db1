"""Mistakes in operators' exports and in nova.conf: what the files hold, and what must be said of it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

GOOD_EXPORT: dict[str, str] = {
    "hypervisor-list.json": """[
  {"ID": "u1", "Hypervisor Hostname": "cpu-1", "Hypervisor Type": "QEMU", "State": "up",
   "vCPUs": 16, "vCPUs Used": 1, "Memory MB": 65536, "Memory MB Used": 2560},
  {"ID": "u2", "Hypervisor Hostname": "cpu-2", "Hypervisor Type": "QEMU", "State": "up",
   "vCPUs": 16, "vCPUs Used": 0, "Memory MB": 65536, "Memory MB Used": 512}
]
""",
    "compute-service-list.json": """[
  {"ID": "s1", "Binary": "nova-compute", "Host": "cpu-1", "Zone": "nova", "Status": "enabled", "State": "up"},
  {"ID": "s2", "Binary": "nova-compute", "Host": "cpu-2", "Zone": "nova", "Status": "disabled", "State": "up"}
]
""",
    "flavor-list.json": """[
  {"ID": "1", "Name": "small", "RAM": 2048, "Disk": 20, "Ephemeral": 0, "VCPUs": 1, "Swap": 0, "Properties": {}}
]
""",
    "server-list.json": """[
  {"ID": "5731deaf-f2d7-46d0-86ee-30982bb2d66f", "Name": "web-1", "Status": "ACTIVE", "Task State": null,
   "Power State": 1, "Networks": {}, "Image ID": "i1", "Flavor": "small", "Host": "cpu-1"}
]
""",
    "aggregate-list.json": """[
  {"ID": 1, "Name": "ssd", "Availability Zone": null, "Properties": {"disk": "ssd"}, "Hosts": ["cpu-1"]}
]
""",
    "server-group-list.json": """[
  {"ID": "g1", "Name": "etcd", "Policy": "anti-affinity", "Members": ["5731deaf-f2d7-46d0-86ee-30982bb2d66f"]}
]
""",
}


class ExportMistake(NamedTuple):
    """Files that differ from the good ones (None: not there), the place to be named, what must be said."""

    files: Mapping[str, str | None]
    place: str
    says: tuple[str, ...]
    options: tuple[str, ...] = ()


def write_exports(folder: Path, files: Mapping[str, str | None]) -> None:
    """The good files, with some of them replaced."""
    folder.mkdir()
    for name, text in {**GOOD_EXPORT, **files}.items():
        if text is not None:
            (folder / name).write_text(text)


def _edit(name: str, old: str, new: str) -> dict[str, str | None]:
    text = GOOD_EXPORT[name]
    assert text.count(old) == 1, (name, old)
    return {name: text.replace(old, new)}


EXPORT_MISTAKES: dict[str, ExportMistake] = {
    # files that are no JSON
    "empty file": ExportMistake({"flavor-list.json": ""}, "flavor-list.json:1", ("is empty", "did it fail")),
    "a table": ExportMistake({"server-list.json": "+----+------+\n| ID | Name |\n+----+------+\n"}, "server-list.json:1", ("is a table", "-f json")),
    "cut off": ExportMistake({"server-list.json": GOOD_EXPORT["server-list.json"][:-3]}, "server-list.json:3", ("not JSON", "ends too early")),
    "a comma too many": ExportMistake(_edit("flavor-list.json", '"Properties": {}}', '"Properties": {}},'), "flavor-list.json:", ("not JSON", "(column ")),
    "a warning before it": ExportMistake({"flavor-list.json": "WARNING: deprecated\n[]\n"}, "flavor-list.json:1", ("begins with 'WARNING: deprecated'", "standard output")),
    "one word": ExportMistake({"flavor-list.json": '"denied"\n'}, "flavor-list.json:1", ("holds text, not a list", "-f json")),
    "an entry that is none": ExportMistake(_edit("flavor-list.json", "\n]", ',\n  "large"\n]'), "flavor-list.json:3 [1]", ("'large' is not an object", "{column: value}")),
    # values
    "vcpus in words": ExportMistake({"hypervisor-list.json": GOOD_EXPORT["hypervisor-list.json"].replace('"vCPUs": 16, "vCPUs Used": 1', '"vCPUs": "many", "vCPUs Used": 1')}, 'hypervisor-list.json:3 [0].vCPUs', ("'many' is not a whole number", "like 8")),
    "negative memory": ExportMistake({"hypervisor-list.json": GOOD_EXPORT["hypervisor-list.json"].replace('"Memory MB": 65536, "Memory MB Used": 512', '"Memory MB": -1, "Memory MB Used": 512')}, 'hypervisor-list.json:5 [1]["Memory MB"]', ("-1 is out of range", "at least 0")),
    "flavor without memory": ExportMistake(_edit("flavor-list.json", '"RAM": 2048', '"RAM": 0'), "flavor-list.json:2 [0].RAM", ("0 is out of range", "at least 1")),
    "flavor of no size": ExportMistake(_edit("flavor-list.json", ' "Disk": 20, "Ephemeral": 0, "VCPUs": 1,', ""), "flavor-list.json:2 [0]", ("'small' has no vcpus and no disk", "flavor list --long")),
    "flavor twice": ExportMistake(_edit("flavor-list.json", "\n]", ',\n  {"ID": "2", "Name": "small", "RAM": 4096, "Disk": 1, "VCPUs": 1}\n]'), "flavor-list.json:3 [1].Name", ("'small' is there twice",)),
    "flavor's properties": ExportMistake(_edit("flavor-list.json", '"Properties": {}', '"Properties": 7'), "flavor-list.json:2 [0].Properties", ("7 is not understood", "{key: value}")),
    "unknown flavor": ExportMistake(_edit("server-list.json", '"Flavor": "small"', '"Flavor": "gone"'), "server-list.json:3 [0].Flavor", ("how large the flavor 'gone' is", "flavor list --long --all")),
    "no flavor column": ExportMistake(_edit("server-list.json", ' "Flavor": "small",', ""), "server-list.json:2 [0]", ("no column tells the servers' flavors", "server list --all-projects --long")),
    "power state": ExportMistake(_edit("server-list.json", '"Power State": 1', '"Power State": "on"'), 'server-list.json:3 [0]["Power State"]', ("'on' is no power state", "1 (running)")),
    "a list for a status": ExportMistake(_edit("server-list.json", '"ACTIVE"', '["ACTIVE"]'), "server-list.json:2 [0].Status", ("is not text", "a name or an id")),
    "nobody": ExportMistake(_edit("server-list.json", '"ID": "5731deaf-f2d7-46d0-86ee-30982bb2d66f", "Name": "web-1", ', ""), "server-list.json:2 [0]", ("neither ID nor Name", "server list")),
    "service's status": ExportMistake(_edit("compute-service-list.json", '"disabled"', '"off"'), "compute-service-list.json:3 [1].Status", ("'off' is not possible", "enabled, disabled")),
    "service's state": ExportMistake({"compute-service-list.json": GOOD_EXPORT["compute-service-list.json"].replace('"disabled", "State": "up"', '"disabled", "State": "XXX"')}, "compute-service-list.json:3 [1].State", ("'XXX' is not possible", "up, down")),
    "forced down in words": ExportMistake(_edit("compute-service-list.json", '"Status": "disabled"', '"Forced Down": "perhaps", "Status": "disabled"'), 'compute-service-list.json:3 [1]["Forced Down"]', ("'perhaps' is neither true nor false",)),
    "service without host": ExportMistake(_edit("compute-service-list.json", '"Host": "cpu-2", ', ""), "compute-service-list.json:3 [1]", ("without a host", "compute service list")),
    "aggregate twice": ExportMistake(_edit("aggregate-list.json", "\n]", ',\n  {"ID": 2, "Name": "ssd", "Availability Zone": null, "Properties": {}, "Hosts": []}\n]'), "aggregate-list.json:3 [1].Name", ("'ssd' is there twice",)),
    "aggregate's hosts": ExportMistake(_edit("aggregate-list.json", '["cpu-1"]', '{"cpu-1": true}'), "aggregate-list.json:2 [0].Hosts", ("is not understood", "[name, name]")),
    "two zones": ExportMistake(_edit("aggregate-list.json", "\n]", ',\n  {"ID": 2, "Name": "b", "Availability Zone": "z2", "Properties": {}, "Hosts": ["cpu-1"]},\n  {"ID": 3, "Name": "c", "Availability Zone": "z3", "Properties": {}, "Hosts": ["cpu-1"]}\n]'), "aggregate-list.json:3 [1]", ("'cpu-1' is in the zones z2 and z3", "a host is in one zone")),
    "no policy": ExportMistake(_edit("server-group-list.json", '"anti-affinity"', '"apart"'), "server-group-list.json:2 [0].Policy", ("'apart' is no policy", "anti-affinity, affinity")),
    # what is missing
    "no capacities": ExportMistake({"hypervisor-list.json": '[\n  {"ID": "u1", "Hypervisor Hostname": "cpu-1", "State": "up"}\n]\n'}, "hypervisors", ("no export has the capacities", "--os-compute-api-version 2.53", "resource provider inventory", "--host-defaults")),
    "half of the capacities": ExportMistake({"hypervisor-list.json": '[\n  {"ID": "u1", "Hypervisor Hostname": "cpu-1", "State": "up"}\n]\n'}, "hypervisors", ("--host-defaults",), ("--host-defaults", "vcpus=8")),
    "nothing of use": ExportMistake({**dict.fromkeys(GOOD_EXPORT), "volumes.json": '[{"ID": "v", "Attached to": []}]'}, "export", ("neither servers nor hypervisors", "server list", "hypervisor list")),
    "no flavors at all": ExportMistake({"flavor-list.json": None}, "server-list.json:3 [0].Flavor", ("how large the flavor 'small' is",)),
}  # fmt: skip


class ConfMistake(NamedTuple):
    """A nova.conf, ``§`` on the line to be named, and what must be said."""

    text: str
    says: tuple[str, ...]


CONF_MISTAKES: dict[str, ConfMistake] = {
    "no section": ConfMistake("§resize_confirm_window = 60\n", ("stands before any section", "[DEFAULT]")),
    "unclosed section": ConfMistake("§[DEFAULT\nresize_confirm_window = 60\n", ("is no section", "[DEFAULT]")),
    "no equals sign": ConfMistake("[DEFAULT]\n§resize_confirm_window 60\n", ("no option and value", "option = value")),
    "continues nothing": ConfMistake("[DEFAULT]\n\n§  60\n", ("continues nothing", "column 1")),
    "continues a comment": ConfMistake("[DEFAULT]\nreport_interval = 10\n# seconds\n§  60\n", ("continues nothing", "column 1")),
    "no reports": ConfMistake("[DEFAULT]\n§report_interval = 0\n", ("report_interval", "at least 1")),
    "workers below none": ConfMistake("[conductor]\n§workers = -1\n", ("workers", "at least 0")),
    "no connection": ConfMistake("[libvirt]\n§live_migration_parallel_connections = -1\n", ("at least 1",)),
    "bandwidth below none": ConfMistake("[libvirt]\n§live_migration_bandwidth = -1\n", ("at least 0",)),
    "not a number": ConfMistake("[DEFAULT]\n§resize_confirm_window = soon\n", ("resize_confirm_window", "wrong value", "a whole number")),
    "below its bound": ConfMistake("[DEFAULT]\n§resize_confirm_window = -1\n", ("resize_confirm_window", "at least 0")),
    "not a switch": ConfMistake("[libvirt]\n§live_migration_permit_post_copy = perhaps\n", ("live_migration_permit_post_copy", "true or false")),
    "not a choice": ConfMistake("[DEFAULT]\na = b\n[libvirt]\n§live_migration_timeout_action = cancel\n", ("live_migration_timeout_action", "abort, force_complete")),
    "ratio in words": ConfMistake("[DEFAULT]\n§cpu_allocation_ratio = high\n", ("cpu_allocation_ratio", "a number")),
    "downtime below libvirt's": ConfMistake("[libvirt]\n§live_migration_downtime = 50\n", ("live_migration_downtime", "at least 100")),
    "no reference": ConfMistake("[DEFAULT]\n§resize_confirm_window = $window\n", ("resize_confirm_window",)),
}  # fmt: skip
