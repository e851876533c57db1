"""Flavors, images and server groups of exports."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sim import units
from sim.scenario.importers.columns import COMMANDS
from sim.scenario.importers.exports import Exports, Row, as_mapping, as_names
from sim.scenario.importers.values import Notes, short

POLICIES = ("anti-affinity", "affinity", "soft-anti-affinity", "soft-affinity")
_SIZE = ("vcpus", "ram", "disk", "ephemeral")


class Flavors:
    """Flavors by name and by id; those that only servers know (deleted, private) are added as they come."""

    def __init__(self, exports: Exports, notes: Notes) -> None:
        self._notes = notes
        self.made: dict[str, dict[str, Any]] = {}
        self.sizes: dict[str, tuple[int, int, int]] = {}
        """vcpus, MiB, GiB of each."""
        self._by_id: dict[str, str] = {}
        self._older: dict[tuple[str, tuple[int, int, int]], str] = {}
        """Name and size of flavors that were made anew since → what they are called here."""
        self.listed = False
        for row in exports.rows("flavors"):
            self.listed = True
            self._row(row)

    def _row(self, row: Row) -> None:
        notes = self._notes
        identity, name = notes.text(row, "id"), notes.text(row, "name")
        name = name or identity
        if name is None:
            notes.wrong(row.where(), "a flavor without a name", f"export it with `{COMMANDS['flavors']}`")
            return
        numbers = {key: notes.whole(row, key, 1 if key in {"vcpus", "ram"} else 0)
                   for key in ("vcpus", "ram", "disk", "ephemeral", "swap")}  # fmt: skip
        specs = as_mapping(row.get("extra_specs") or {})
        if specs is None:
            notes.wrong(row.where("extra_specs"), f"{short(row.get('extra_specs'))} is not understood", "{key: value}")
        missing = [key for key in ("vcpus", "ram", "disk") if row.get(key) is None]
        if missing:
            notes.wrong(row.where(), f"the flavor {name!r} has no {' and no '.join(missing)}",
                        f"export flavors with `{COMMANDS['flavors']}`")  # fmt: skip
        if name in self.made:
            notes.wrong(row.where("name"), f"the flavor {name!r} is there twice", "take one of them away")
        self._make(name, numbers, specs or {})
        notes.rows["flavors", name] = row
        if identity is not None:
            self._by_id[identity] = name

    def _make(self, name: str, numbers: Mapping[str, Any], specs: Mapping[str, Any]) -> None:
        vcpus, ram, disk = (int(numbers.get(key) or 0) for key in ("vcpus", "ram", "disk"))
        entry: dict[str, Any] = {"name": name, "vcpus": vcpus, "memory": units.exact_bytes(ram * units.MIB),
                                 "disk": units.exact_bytes(disk * units.GIB) if disk else 0}  # fmt: skip
        for key, unit in (("ephemeral", units.GIB), ("swap", units.MIB)):
            if numbers.get(key) and isinstance(numbers[key], int):  # a server's flavor without swap says ""
                entry[key] = units.exact_bytes(numbers[key] * unit)
        if specs:
            entry["extra_specs"] = {key: str(value) for key, value in specs.items()}
        self.made[name] = entry
        self.sizes[name] = (vcpus, ram, disk + int(numbers.get("ephemeral") or 0))

    def learn(self, row: Row) -> None:
        """A server of newer microversions brings its flavor with it: others that only name the flavor have it too.

        Where one file says the flavor's id and another brings the flavor, the id means it wherever else it stands.
        A flavor that was made anew in another size leaves its older servers as they were: theirs is one of its own.
        """
        ids = [str(value) for value in self._said(row) if not isinstance(value, Mapping)]
        for value in row.values("flavor"):
            size, name = _brought(value)
            if name is None:
                continue
            if size is not None and name not in self.made and str(value.get("id")) not in self._by_id:
                self._make(name, value, as_mapping(value.get("extra_specs") or {}) or {})
            elif size is not None and self.sizes.get(name, size) != size and (name, size) not in self._older:
                vcpus, ram, disk = size
                own = self._older[name, size] = f"{name}@{vcpus}-{ram}-{disk}"
                self._make(own, value, as_mapping(value.get("extra_specs") or {}) or {})
                self._notes.assume(f"servers have the flavor {name} in another size than it has now; theirs is {own}")
            for one in ids if name in self.made else ():
                if one not in self.made:
                    self._by_id.setdefault(one, name)

    def of(self, row: Row) -> str | None:
        """The name of a server's flavor; None if no export knows how large it is."""
        candidates: list[Any] = []
        for value in self._said(row):
            if isinstance(value, Mapping):
                size, name = _brought(value)
                if name is not None and size is not None and (name, size) in self._older:
                    return self._older[name, size]
                candidates += [value.get("id"), name]
            else:
                candidates.append(value)
        for candidate in candidates:
            if not isinstance(candidate, (str, int)):
                continue
            text = str(candidate)
            if text in self.made:
                return text
            if text in self._by_id:
                return self._by_id[text]
            head, bracket, _ = text.partition(" (")  # "m1.small (2)", as older clients write it
            if bracket and head in self.made:
                return head
        return None

    @staticmethod
    def _said(row: Row) -> list[Any]:
        """All that the exports say of a server's flavor: ids, names, whole flavors."""
        return [*row.values("flavor_id"), *row.values("flavor")]

    def named(self, row: Row) -> str:
        """What the export calls a server's flavor, for messages."""
        value = row.get("flavor")
        if isinstance(value, Mapping):
            value = value.get("original_name") or value.get("name") or value.get("id")
        return str(value if value is not None else row.get("flavor_id"))


def _brought(value: Any) -> tuple[tuple[int, int, int] | None, str | None]:
    """The size (vcpus, MiB, GiB), if it is told, and the name of a flavor that a server brings with it."""
    if not isinstance(value, Mapping):
        return None, None
    name = value.get("original_name") or value.get("name")
    numbers = [value.get(key, 0 if key in {"disk", "ephemeral"} else None) for key in _SIZE]
    if not all(isinstance(one, int) and not isinstance(one, bool) for one in numbers):
        return None, None if name is None else str(name)
    vcpus, ram, disk, ephemeral = numbers
    return (vcpus, ram, disk + ephemeral), None if name is None else str(name)


class Images:
    """Images by name and id; an image that only servers name is made with the default size."""

    def __init__(self, exports: Exports, notes: Notes) -> None:
        self.made: dict[str, dict[str, Any]] = {}
        self._by_id: dict[str, str] = {}
        self.unlisted: list[str] = []
        for row in exports.rows("images"):
            identity, name = notes.text(row, "id"), notes.text(row, "name")
            label = name if name and name not in self.made else identity
            if label is None:
                notes.wrong(row.where(), "an image without a name", f"export it with `{COMMANDS['images']}`")
                continue
            entry: dict[str, Any] = {"name": label}
            size = notes.whole(row, "size")
            if size:
                entry["size"] = units.exact_bytes(size)
            for key, field, unit in (("min_disk", "min_disk", units.GIB), ("min_memory", "min_ram", units.MIB)):
                value = notes.whole(row, field)
                if value:
                    entry[key] = units.exact_bytes(value * unit)
            self.made[label] = entry
            if identity is not None:
                self._by_id[identity] = label

    def of(self, row: Row) -> tuple[str | None, bool | None]:
        """A server's image, and whether it boots from a volume (None: no column says)."""
        if not (row.has("image") or row.has("image_id")):
            return None, None
        value = row.get("image")
        identity = row.get("image_id")
        if isinstance(value, Mapping):
            identity, value = value.get("id") or identity, value.get("name")
        names = [str(one) for one in (identity, value) if one and not str(one).startswith("N/A")]
        if not names:
            return None, True
        known = next((label for one in names if (label := self._by_id.get(one, one)) in self.made), None)
        if known is None:
            known = str(value) if value and not str(value).startswith("N/A") else names[0]
            self.made[known] = {"name": known}
            self._by_id[names[0]] = known
            self.unlisted.append(known)
        return known, False


def read_groups(exports: Exports, notes: Notes) -> tuple[list[dict[str, Any]], dict[str, str]]:
    """Server groups as the scenario writes them, and server's id or name → its group."""
    made: list[dict[str, Any]] = []
    group_of: dict[str, str] = {}
    names: set[str] = set()
    rows = exports.rows("groups")
    if rows and not any(row.has("members") for row in rows):
        notes.assume(
            f"no file lists members of server groups, only servers' own hints tell; `{COMMANDS['groups']}` would say"
        )
    for row in rows:
        identity = notes.text(row, "id")
        name = (notes.text(row, "name") or identity or "group").replace("{", "(").replace("}", ")")
        if name in names:  # Nova lets projects use a name twice
            name = next(one for n in range(2, 10**6) if (one := f"{name}-{n}") not in names)
            notes.assume(f"another server group of the same name is called {name}")
        names.add(name)
        policy = as_names(row.get("policy") or [])
        members = as_names(row.get("members") or [])
        rules = as_mapping(row.get("rules") or {})
        if policy is None or members is None or rules is None:
            field = "policy" if policy is None else "members" if members is None else "rules"
            notes.wrong(row.where(field), f"{short(row.get(field))} is not understood",
                        f"export it with `{COMMANDS['groups']}`")  # fmt: skip
            continue
        if not policy or policy[0] not in POLICIES:
            what = f"{policy[0]!r} is no policy" if policy else f"the group {name!r} has no policy"
            notes.wrong(row.where("policy"), what, f"one of: {', '.join(POLICIES)}")
            continue
        entry: dict[str, Any] = {"name": name, "policy": policy[0]}
        most = str(rules.get("max_server_per_host", 1))
        if not most.isdecimal() or not int(most):
            notes.wrong(row.where("rules"), f"max_server_per_host is {short(most)}", "a whole number, at least 1")
        elif "max_server_per_host" in rules and policy[0] == "anti-affinity":
            entry["rules"] = {"max_server_per_host": int(most)}
        made.append(entry)
        for member in members:
            group_of.setdefault(member, name)
        if identity is not None:
            group_of.setdefault(f"group {identity}", name)
    return made, group_of
