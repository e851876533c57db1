"""Servers of exports: where they are, in which state, and what goes with that."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from typing import Any, get_args

from sim.scenario.checks_servers import TASKS
from sim.scenario.importers.columns import COMMANDS
from sim.scenario.importers.exports import Exports, Row, as_mapping, as_names
from sim.scenario.importers.hosts import Host, Hosts
from sim.scenario.importers.kinds import Flavors, Images
from sim.scenario.importers.values import Notes, listed, natural
from sim.scenario.spec import VmState
from sim.units import counted

_VM_STATES = get_args(VmState)
_OF_STATUS = {
    "ACTIVE": "active", "SHUTOFF": "stopped", "PAUSED": "paused", "SUSPENDED": "suspended", "RESCUE": "rescued",
    "VERIFY_RESIZE": "resized", "REVERT_RESIZE": "resized", "ERROR": "error", "SHELVED": "shelved",
    "SHELVED_OFFLOADED": "shelved_offloaded", "SOFT_DELETED": "soft-delete", "DELETED": "deleted", "BUILD": "building",
    "REBOOT": "active", "HARD_REBOOT": "active", "PASSWORD": "active", "REBUILD": "active", "MIGRATING": "active",
    "RESIZE": "active",
}  # fmt: skip
_TASK_OF_STATUS = {"REBOOT": "rebooting", "HARD_REBOOT": "rebooting_hard", "PASSWORD": "updating_password",
                   "REBUILD": "rebuilding", "MIGRATING": "migrating", "RESIZE": "resize_prep",
                   "REVERT_RESIZE": "resize_reverting"}  # fmt: skip
_POWER = {0: "nostate", 1: "running", 3: "paused", 4: "shutdown", 6: "crashed", 7: "suspended"}
_USUAL_POWER = {"active": "running", "building": "nostate", "paused": "paused", "stopped": "shutdown",
                "rescued": "running", "shelved": "shutdown", "shelved_offloaded": "shutdown",
                "suspended": "shutdown"}  # fmt: skip
_HOSTLESS = {"error", "building", "shelved_offloaded"}


class Servers:
    """Reads all servers; ``made`` are entries as the scenario writes them, in the order of hosts and names."""

    def __init__(
        self,
        exports: Exports,
        hosts: Hosts,
        notes: Notes,
        *,
        flavors: Flavors,
        images: Images,
        group_of: Mapping[str, str],
    ) -> None:
        self._hosts, self._flavors, self._images, self._group_of, self._notes = hosts, flavors, images, group_of, notes
        self._told: defaultdict[str, list[str]] = defaultdict(list)
        """What had to be assumed → servers."""
        self._unknown: defaultdict[str, list[Row]] = defaultdict(list)
        """Flavors that no export knows → their servers."""
        self._names: Counter[str] = Counter()
        self._uuids: set[str] = set()
        self._came_from = _migrations(exports, notes)
        self.made: list[dict[str, Any]] = []
        rows = exports.rows("servers", ("id", "name"))
        if rows and not any(row.has("flavor") for row in rows):
            notes.wrong(
                rows[0].where(), "no column tells the servers' flavors", f"export them with `{COMMANDS['servers']}`"
            )
            return
        for row in rows:
            flavors.learn(row)
        for row in rows:
            self._server(row)
        for name, those in self._unknown.items():
            whose = f" of {len(those)} servers" if len(those) > 1 else ""
            notes.wrong(
                those[0].where("flavor"),
                f"no export says how large the flavor {name!r}{whose} is",
                f"add it to `{COMMANDS['flavors']}` (--all lists private ones; write a deleted one by hand)",
            )
        self._tell(rows)
        order = {name: position for position, name in enumerate(hosts.hosts)}
        self.made.sort(key=lambda one: (order.get(one.get("host", ""), len(order)), natural(one["name"])))

    def used(self) -> dict[str, list[int]]:
        """vcpus, MiB, GiB that the servers take of each host, and how many they are."""
        sums: dict[str, list[int]] = {name: [0, 0, 0, 0] for name in self._hosts.hosts}
        for entry in self.made:
            if "host" in entry:
                of_host = sums[entry["host"]]
                for position, amount in enumerate((*self._flavors.sizes[entry["flavor"]], 1)):
                    of_host[position] += amount
        return sums

    def _server(self, row: Row) -> None:
        notes = self._notes
        identity, name = notes.text(row, "id"), notes.text(row, "name")
        if identity is None and name is None:
            notes.wrong(row.where(), "a server with neither ID nor Name", f"export it with `{COMMANDS['servers']}`")
            return
        label = name or identity or ""
        if identity is not None and identity in self._uuids:
            self._told["listed twice, the first is taken"].append(label)
            return
        status = (notes.text(row, "status") or "").upper()
        if status == "DELETED":
            self._told["already deleted, left out"].append(label)
            return
        flavor = self._flavors.of(row)
        if flavor is None:
            if row.get("flavor") is None and row.get("flavor_id") is None:
                self._told["no flavor is told (a cell that did not answer?), left out"].append(label)
            else:
                self._unknown[self._flavors.named(row)].append(row)
            return
        if self._hosts.is_metal(notes.text(row, "host") or ""):
            self._told["on bare metal, left out"].append(label)
            return
        entry: dict[str, Any] = {"name": self._unique(label)}
        notes.rows["servers", entry["name"]] = row
        if identity is not None and len(identity) == 36:
            self._uuids.add(identity)
            entry["uuid"] = identity
        entry["flavor"] = flavor
        self._state(row, entry, status)
        self._place(row, entry)
        self._rest(row, entry, identity, name)
        self.made.append(entry)

    def _unique(self, name: str) -> str:
        """Nova lets servers share a name, and have braces in it; a scenario does not."""
        plain = name.replace("{", "(").replace("}", ")")
        self._names[plain] += 1
        if self._names[plain] == 1:
            return plain
        while (other := f"{plain}-{self._names[plain]}") in self._names:
            self._names[plain] += 1
        self._names[other] += 1
        self._told["another server has the same name, a number is added"].append(other)
        return other

    def _state(self, row: Row, entry: dict[str, Any], status: str) -> None:
        notes = self._notes
        power = self._power(row)
        vm_state = notes.text(row, "vm_state")
        if vm_state is not None and vm_state not in _VM_STATES:
            self._told[f"unknown vm_state {vm_state!r}, judged by status"].append(entry["name"])
            vm_state = None
        if vm_state is None:
            vm_state = _OF_STATUS.get(status)
            if status == "MIGRATING" and power == "paused":
                vm_state = "paused"
        if vm_state is None:
            vm_state = "stopped" if power == "shutdown" else "active"
            what = f"status {status} is not of a server at rest" if status else "no status is told"
            self._told[f"{what}, taken as {vm_state}"].append(entry["name"])
        if vm_state != "active":
            entry["vm_state"] = vm_state
        task = notes.text(row, "task_state")
        if task is not None and task.lower() == "none":
            task = None
        if task is None and not row.has("task_state"):
            task = _TASK_OF_STATUS.get(status)
        if task is not None and task not in TASKS[vm_state]:
            self._told[f"task_state {task} does not go with {vm_state}, left out"].append(entry["name"])
        elif task is not None:
            entry["task_state"] = task
            self._told["in the midst of something, which stays so until somebody resets it; take task_state away if it "
                       "has ended since"].append(f"{entry['name']} ({task})")  # fmt: skip
        if power is not None and power != _USUAL_POWER.get(vm_state, "running"):
            entry["power_state"] = power

    def _power(self, row: Row) -> str | None:
        value = row.get("power_state")
        if value is None or value == "N/A":  # what older clients write for none
            return None
        if isinstance(value, str):
            word = value.strip().lower()
            known = {**{str(number): one for number, one in _POWER.items()}, **{one: one for one in _POWER.values()}}
            found = known.get(word)
        else:
            found = _POWER.get(int(value)) if isinstance(value, (int, float)) and value == int(value) else None
        if found is None:
            self._notes.wrong(row.where("power_state"), f"{value!r} is no power state",
                              "one of: " + ", ".join(f"{n} ({word})" for n, word in _POWER.items()))  # fmt: skip
        return found

    def _place(self, row: Row, entry: dict[str, Any]) -> None:
        vm_state = entry.get("vm_state", "active")
        name = self._notes.text(row, "host")
        if vm_state == "shelved_offloaded":
            if name is not None:
                self._told["shelved and offloaded, so its host is left out"].append(entry["name"])
            return
        if name is not None:
            host = self._hosts.find(name)
            if host is None:
                host = self._hosts.add(name)
                self._told["no other file lists their hosts, which are added"].append(f"{entry['name']} ({name})")
                host.zone = self._notes.text(row, "zone")
            entry["host"] = host.name
        elif not row.has("host"):
            self._told["no column tells the host, the scheduler places them at the start"].append(entry["name"])
        elif vm_state in _HOSTLESS:
            entry["hostless"] = True
        else:
            self._told[f"{vm_state} without a host, the scheduler places it at the start"].append(entry["name"])
        if vm_state == "resized":
            self._resized(row, entry)

    def _resized(self, row: Row, entry: dict[str, Any]) -> None:
        """A server that waits for confirmation came from a host that still keeps room for it."""
        came_from = self._came_from.get(str(row.get("id")))
        known = self._hosts.find(came_from) if came_from is not None else None
        here = entry.get("host")
        if known is None:
            alike = [host for host in self._hosts.hosts.values() if host.name != here]
            zone = self._hosts.hosts[here].zone if here is not None else None
            known = next((host for host in alike if host.zone == zone), alike[0] if alike else None)
            if known is not None:
                self._told[f"resized, and no export says from where (`{COMMANDS['migrations']}` would)"].append(
                    f"{entry['name']} (taken: {known.name})")  # fmt: skip
        if known is None or here is None:
            entry.pop("vm_state")
            self._told["resized without hosts to be confirmed on, taken as active"].append(entry["name"])
            return
        entry["resized_from"] = known.name

    def _rest(self, row: Row, entry: dict[str, Any], identity: str | None, name: str | None) -> None:
        notes = self._notes
        image, volume = self._images.of(row)
        if volume is None:
            self._told["no column tells the image, taken as booted from an image"].append(entry["name"])
        elif volume:
            entry["boot_from"] = "volume"
        if image is not None:
            entry["image"] = image
        hints = as_mapping(row.get("hints") or {}) or {}
        wanted = as_names(hints.pop("group", None) or [])
        group = self._group_of.get(identity or "") or self._group_of.get(name or "")
        group = group or next(
            (self._group_of[key] for one in wanted or [] if (key := f"group {one}") in self._group_of), None
        )
        if group is not None:
            entry["group"] = group
        elif wanted:
            self._told["in a server group that no file lists, its policy is unknown and left out"].append(entry["name"])
        if hints:
            entry["hints"] = hints
        pinned = notes.text(row, "pinned_zone")
        if pinned is not None:
            entry["availability_zone"] = pinned
        if notes.flag(row, "locked"):
            entry["locked"] = True
        for key in ("project", "user"):
            value = notes.text(row, key)
            if value is not None:
                entry[key] = value.replace("{", "(").replace("}", ")")
        metadata = as_mapping(row.get("metadata") or {})
        if metadata:
            entry["metadata"] = {key: str(value) for key, value in metadata.items()}

    def _tell(self, rows: Iterable[Row]) -> None:
        notes = self._notes
        for what, names in self._told.items():
            notes.assume(f"{counted(len(names), 'servers')} {what}", names)
        rows = list(rows)
        seen = {str(value) for row in rows for name in ("id", "name") for value in row.values(name)}
        strangers = [one for one in self._group_of if not one.startswith("group ") and one not in seen]
        if rows and strangers:
            notes.assume("server groups have members that no list of servers has (deleted, or not seen?), left out",
                         strangers)  # fmt: skip
        if rows and not any(row.has("pinned_zone") for row in rows):
            notes.assume(
                "no column tells the zone that servers were created for (2.96 and later do): none is pinned to one"
            )
        if rows and not any(row.has("locked") for row in rows):
            notes.assume("no column tells which servers are locked (an SDK export does): none is")
        if rows and not any(row.has("host") for row in rows):
            notes.assume(f"hosts of servers are unknown; `{COMMANDS['servers']}` by an administrator tells them")
        for field in ("host", "status"):
            differing = [str(row.get("name")) for row in rows if len({str(one) for one in row.values(field)}) > 1]
            if differing:
                first = rows[0].sources[0][0].path.name
                notes.assume(
                    f"files disagree about the {field} of {counted(len(differing), 'servers')}, {first} is believed",
                    differing,
                )


def _migrations(exports: Exports, notes: Notes) -> dict[str, str]:
    """Server's id → the host that it came from, of migrations that wait for confirmation."""
    found: dict[str, str] = {}
    for row in exports.rows("migrations", ("id",)):
        server, source = notes.text(row, "server"), notes.text(row, "source")
        if server and source and (notes.text(row, "status") or "") == "finished":
            found[server] = source
    return found


def compare_use(hosts: Iterable[Host], used: Mapping[str, list[int]], reserved_mb: int, notes: Notes) -> None:
    """What hypervisors say is in use, against the servers listed: does somebody fail to see some of them?"""
    more: list[str] = []
    observed: Counter[int] = Counter()
    for host in hosts:
        vcpus, _, _, count = used.get(host.name, [0, 0, 0, 0])
        if host.memory_used_mb is not None and not count and host.vcpus_used == 0:
            observed[host.memory_used_mb] += 1
        if host.vcpus_used is not None and host.vcpus_used > vcpus:
            more.append(f"{host.name} ({host.vcpus_used} vcpus in use, {vcpus} by the servers listed)")
    if more:
        notes.assume(
            f"hypervisors hold more than the servers listed; did `server list` have --all-projects? {listed(more)}"
        )
    if observed:
        seen = max(observed, key=lambda one: (observed[one], one))
        if seen != reserved_mb:
            notes.assume(f"empty hypervisors report {seen} MiB in use, the options reserve {reserved_mb} MiB: "
                         "the options are believed")  # fmt: skip
