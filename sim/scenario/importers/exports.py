"""A folder of the clients' JSON output → rows by what they list, each value with its file, line and path.

Files are recognised by their columns, not by their names. Several files that list the same (another microversion,
another client) are laid over each other by id: what one leaves blank another may fill.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sim.errors import InputError, Issue
from sim.scenario.importers.columns import COLUMNS, kind_of, named_after, plain
from sim.scenario.importers.places import Places
from sim.scenario.patterns import closest
from sim.scenario.tree import Key, shown
from sim.units import counted

_WRAPPED = ("servers", "hypervisors", "services", "aggregates", "server_groups", "flavors", "images", "migrations",
            "os-services", "data", "items", "value")  # fmt: skip
"""Keys under which an API answer or a tool puts its list."""
_BLANK = (None, "", "None", "null")
_PAIR = re.compile(r"([^=,']+)='(.*?)'(?:,\s+(?=[^=,']+=')|\s*$)", re.DOTALL)


@dataclass
class Export:
    """One file."""

    path: Path
    text: str
    kind: str
    prefix: tuple[Key, ...]
    """Where the list stands in the file."""
    rows: list[dict[str, Any]]
    single: bool = False
    """The file is one row, as `… show` prints it, and no list."""
    places: Places = field(init=False)

    def __post_init__(self) -> None:
        self.places = Places(str(self.path), self.text)

    def where(self, index: int, *path: Key) -> str:
        """File, line and path of a value in a row."""
        row: tuple[Key, ...] = () if self.single else (index,)
        return self.places.place((*self.prefix, *row, *path))


class Row:
    """One thing that is listed, maybe by several files: the first that says something is believed."""

    __slots__ = ("kind", "sources")

    def __init__(self, kind: str, export: Export, index: int) -> None:
        self.kind = kind
        self.sources: list[tuple[Export, int, dict[str, str]]] = []
        self.add(export, index)

    def add(self, export: Export, index: int) -> None:
        """Another file's row of the same thing."""
        self.sources.append((export, index, {plain(key): key for key in export.rows[index]}))

    def get(self, name: str) -> Any:
        """The value of a field, None if no file says it."""
        found = self._found(name)
        return found[3] if found is not None else None

    def has(self, name: str) -> bool:
        """Whether any file has a column for the field, blank or not."""
        columns = [plain(column) for column in COLUMNS[self.kind][name]]
        return any(column in keys for _, _, keys in self.sources for column in columns)

    def values(self, name: str) -> list[Any]:
        """What each file says, without those that say nothing."""
        return [found[3] for source in self.sources if (found := self._in(source, name)) is not None]

    def where(self, name: str | None = None) -> str:
        """File, line and path of a field, or of the row."""
        found = self._found(name) if name is not None else None
        if found is not None:
            return found[0].where(found[1], found[2])
        export, index, _ = self.sources[0]
        return export.where(index)

    def _found(self, name: str) -> tuple[Export, int, str, Any] | None:
        return next((found for source in self.sources if (found := self._in(source, name)) is not None), None)

    def _in(self, source: tuple[Export, int, dict[str, str]], name: str) -> tuple[Export, int, str, Any] | None:
        export, index, keys = source
        row = export.rows[index]
        for column in COLUMNS[self.kind][name]:
            key = keys.get(plain(column))
            if key is not None and not _is_blank(row[key]):
                return export, index, key, row[key]
        return None


def _is_blank(value: Any) -> bool:
    if isinstance(value, float):
        return math.isnan(value)  # what tools that made a table of the export write for nothing
    return value is None or (isinstance(value, str) and value.strip() in _BLANK)


@dataclass
class Exports:
    """All files of a folder."""

    folder: Path
    files: list[Export]
    unused: list[str]
    """Files that are none of ours, each with what it seems to be."""
    issues: list[Issue] = field(default_factory=list)

    def of(self, kind: str) -> list[Export]:
        """The files that list ``kind``, the fullest first."""
        found = [one for one in self.files if one.kind == kind]
        return sorted(found, key=lambda one: (-len(one.rows), -len(one.rows[0]) if one.rows else 0, one.path.name))

    def rows(
        self, kind: str, keys: tuple[str, ...] = ("id", "name"), only: Callable[[Row], bool] | None = None
    ) -> list[Row]:
        """What the files of a kind list, each thing once: the same where any of ``keys`` is the same in two files.

        Rows of which ``only`` says no are none of that kind, whatever else they are.
        """
        made: list[Row] = []
        for export in self.of(kind):
            known: dict[tuple[str, str], Row] = {}
            for row in made:
                for key in keys:
                    known.update({(key, str(value)): row for value in row.values(key)})
            for index in range(len(export.rows)):
                row = Row(kind, export, index)
                if only is not None and not only(row):
                    continue
                same = [known[key, str(value)] for key in keys if (value := row.get(key)) is not None
                        and (key, str(value)) in known]  # fmt: skip
                # A name may be there twice; only an id that is the same, or missing, makes two rows one.
                first = next((one for one in same if _agree(one, row, keys[0])), None)
                if first is not None:
                    first.add(export, index)
                else:
                    made.append(row)
        return made


def _agree(one: Row, other: Row, key: str) -> bool:
    """Numbers of older microversions and UUIDs of newer ones can be the same thing's."""
    first, second = one.get(key), other.get(key)
    return first is None or second is None or str(first) == str(second) or str(first).isdigit() != str(second).isdigit()


def read_exports(directory: str | Path) -> Exports:
    """Every ``*.json`` of a folder. InputError where there is none, or one is not what a client writes."""
    folder = Path(directory)
    if not folder.is_dir():
        siblings = sorted(one.name for one in folder.parent.iterdir() if one.is_dir()) if folder.parent.is_dir() else []
        what = "is a file, not a folder" if folder.exists() else "no such folder"
        right = f"name the folder {shown(str(folder.parent))!r}" if folder.exists() else closest(folder.name, siblings)
        raise InputError([Issue(str(directory), what, right)])
    found = Exports(folder, [], [])
    everything = sorted(one for one in folder.iterdir() if one.is_file())
    paths = [one for one in everything if one.suffix.lower() == ".json"]
    others = [one.name for one in everything if one not in paths and named_after(one.name) is not None]
    if not paths:
        raise InputError([Issue(str(directory), f"has {others[0]}, but no *.json" if others else "has no *.json",
                                "save exports here, like 'openstack server list --all-projects --long -f json > "
                                "server-list.json'")])  # fmt: skip
    told = "only *.json is read (add -f json to the command)"
    found.unused.extend(f"{shown(str(folder / one))}: {told}" for one in others)
    for path in paths:
        _read(path, found)
    if found.issues:
        raise InputError(found.issues)
    return found


def _read(path: Path, found: Exports) -> None:
    name = shown(str(path))
    try:
        text = path.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        found.issues.append(Issue(name, f"cannot be read as text: {error}", "save it as UTF-8"))
        return
    try:
        data = json.loads(text)
    except (json.JSONDecodeError, RecursionError) as error:
        found.issues.append(_not_json(name, text, error))
        return
    prefix: tuple[Key, ...] = ()
    hint = path.stem
    if isinstance(data, dict) and kind_of(data, hint) is not None:
        _rows(path, text, [data], found, prefix=(), hint=hint, single=True)
        return
    if isinstance(data, dict):
        key = next((one for one in _WRAPPED if isinstance(data.get(one), list)), None)
        if key is not None:
            data, prefix, hint = data[key], (key,), f"{path.stem} {key}"
        elif isinstance(data.get("inventories"), dict):
            data = [{"resource_class": one, **values} for one, values in data["inventories"].items()
                    if isinstance(values, dict)]  # fmt: skip
            hint = f"{path.stem} inventories"
        else:
            found.unused.append(f"{name}: neither a list of servers, hypervisors, … nor one of them")
            return
    if not isinstance(data, list):
        what = f"holds {'text' if isinstance(data, str) else 'a single value'}, not a list"
        found.issues.append(Issue(f"{name}:1", what, "save the output of `openstack … list -f json`"))
        return
    _rows(path, text, data, found, prefix=prefix, hint=hint)


def _rows(
    path: Path, text: str, data: list[Any], found: Exports, *, prefix: tuple[Key, ...], hint: str, single: bool = False
) -> None:
    name = shown(str(path))
    bad = [(index, row) for index, row in enumerate(data) if not isinstance(row, dict)]
    if bad and len(bad) < len(data):
        for index, row in bad[:10]:
            where = Places(str(path), text).place((*prefix, index))
            found.issues.append(
                Issue(where, f"{_short(row)} is not an object with columns", "each entry is {column: value}")
            )
        return
    columns = dict.fromkeys(key for row in data if isinstance(row, dict) for key in row)
    kind = kind_of(columns, hint) if not bad else None
    if kind is None:
        says = (
            f"columns: {', '.join(list(columns)[:6])}" if columns else "empty" if not data else "a list of plain values"
        )
        found.unused.append(f"{name}: not a list of servers, hypervisors, … ({says})")
        return
    found.files.append(Export(path, text, kind, prefix, data, single))


def _not_json(name: str, text: str, error: Exception) -> Issue:
    start = text.lstrip()[:1]
    if not start:
        return Issue(f"{name}:1", "is empty", "save the command's output again; did it fail?")
    if start == "+":
        return Issue(f"{name}:1", "is a table for reading, not JSON", "add -f json to the command")
    if not isinstance(error, json.JSONDecodeError):
        return Issue(name, "is nested too deep", "save the output of `openstack … list -f json`")
    if start not in "[{":
        line = text.lstrip().splitlines()[0]
        return Issue(f"{name}:{error.lineno}", f"is not JSON: begins with {_short(line)}",
                     "save only the command's standard output, with -f json")  # fmt: skip
    right = (
        "the file ends too early: save it again"
        if error.pos >= len(text.rstrip())
        else "save it again as the client wrote it"
    )
    return Issue(f"{name}:{error.lineno}", f"is not JSON: {error.msg.lower()} (column {error.colno})", right)


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "…"


def summary(found: Exports) -> Iterator[str]:
    """One line for each file: what it gave."""
    for export in found.files:
        word = export.kind.replace("groups", "server groups")
        yield f"{export.path.name}: {counted(len(export.rows), word)}"


def as_mapping(value: Any) -> dict[str, Any] | None:
    """An object, or the client's ``a='b', c='d, e'`` in its place; None if it is neither."""
    if isinstance(value, Mapping):
        return {str(key): inner for key, inner in value.items()}
    if isinstance(value, str):
        quoted = {match[1].strip(): match[2] for match in _PAIR.finditer(value)}
        if not _PAIR.sub("", value).strip():
            return quoted
        parts = [part.split("=", 1) for part in value.split(", ") if part.strip()]
        if all(len(part) == 2 for part in parts):
            return {key.strip(): text.strip().strip("'\"") for key, text in parts}
    return None


def as_names(value: Any) -> list[str] | None:
    """A list of texts, or the client's ``a, b`` in its place; None if it is neither."""
    if isinstance(value, (list, tuple)) and all(isinstance(one, (str, int)) for one in value):
        return [str(one) for one in value]
    if isinstance(value, str):
        return [one.strip().strip("'\"") for one in value.strip("[]").split(",") if one.strip()]
    return None
