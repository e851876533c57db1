"""Measured live migrations: a CSV of memory, disk, duration and downtime, with units in its cells or in its header."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from sim import units
from sim.errors import InputError, Issue
from sim.scenario.patterns import closest

_SPELLED = {
    "gib": "GiB", "mib": "MiB", "gb": "GB", "mb": "MB", "tib": "TiB", "tb": "TB", "b": "B", "s": "s", "ms": "ms",
    "min": "min", "h": "h",
}  # fmt: skip
_PARSERS: dict[str, Callable[[str], float]] = {
    "memory": units.parse_bytes, "disk": units.parse_bytes, "duration": units.parse_seconds,
    "downtime": units.parse_seconds,
}  # fmt: skip
_NEEDED = ("memory", "duration")
_EXAMPLES = {"memory": "8 GiB", "disk": "20 GiB", "duration": "25.7 s", "downtime": "95 ms"}
_BARE = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?$")


@dataclass(frozen=True, slots=True)
class Measured:
    """One migration: bytes and seconds. ``downtime_s`` is None where it was not measured."""

    line: int
    memory_b: float
    disk_b: float
    duration_s: float
    downtime_s: float | None


def read_measurements(path: Path) -> list[Measured]:
    """The rows of a file. Columns are ``memory`` and ``duration``, and where known ``disk`` and ``downtime``.

    A cell has its unit (``8 GiB``), or the header says it for all (``memory_gib``, ``duration (s)``). Raises InputError
    with everything that is wrong.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError([Issue(str(path), f"cannot be read: {error}", "give a CSV file")]) from None
    lines = list(csv.reader(io.StringIO(text)))
    if not lines:
        raise InputError([Issue(str(path), "is empty", f"first line: {','.join(_PARSERS)}")])
    issues: list[Issue] = []
    columns = _columns(lines[0], f"{path}:1", issues)
    issues += [
        Issue(f"{path}:{number}", "has more cells than the first line names", "write 60.5, not 60,5")
        for number, cells in enumerate(lines[1:], 2)
        if any(cell.strip() for cell in cells[len(lines[0]):])
    ]  # fmt: skip
    found = [_row(number, cells, columns, f"{path}:{number}", issues) for number, cells in enumerate(lines[1:], 2)
             if any(cell.strip() for cell in cells)]  # fmt: skip
    if issues:
        raise InputError(issues)
    return [row for row in found if row is not None]


def _columns(header: list[str], where: str, issues: list[Issue]) -> dict[str, tuple[int, str]]:
    """Quantity → (index, unit that the header gives)."""
    found: dict[str, tuple[int, str]] = {}
    for index, title in enumerate(header):
        words = [word for word in re.split(r"[\s_()\[\],/]+", title.strip().lower()) if word]
        if not words:
            continue
        if words[0] not in _PARSERS or len(words) > 2 or (len(words) == 2 and words[1] not in _SPELLED):
            right = f"{closest(words[0], list(_PARSERS))}; with a unit, as memory_gib or duration_s, or none"
            issues.append(Issue(where, f"unknown column {title.strip()!r}", right))
        elif words[0] in found:
            issues.append(Issue(where, f"two columns of {words[0]}", "leave one"))
        else:
            found[words[0]] = (index, _SPELLED[words[1]] if len(words) == 2 else "")
    missing = [name for name in _NEEDED if name not in found]
    issues.extend(Issue(where, f"no column {name!r}", f"columns are {', '.join(_PARSERS)}") for name in missing)
    return found


def _row(
    number: int, cells: list[str], columns: dict[str, tuple[int, str]], where: str, issues: list[Issue]
) -> Measured | None:  # fmt: skip
    """A line of the file, or None and what is wrong with it."""
    before = len(issues)
    values = {name: _value(name, cells, column, f"{where} {name}", issues) for name, column in columns.items()}
    if len(issues) > before or any(values.get(name) is None for name in _NEEDED):
        return None
    downtime, duration = values.get("downtime"), values["duration"] or 0.0
    if downtime is not None and downtime > duration:
        issues.append(Issue(f"{where} downtime", "is longer than the whole migration", "are the columns mixed up?"))
        return None
    return Measured(number, values["memory"] or 0.0, values.get("disk") or 0.0, duration, downtime)


def _value(name: str, cells: list[str], column: tuple[int, str], where: str, issues: list[Issue]) -> float | None:
    index, unit = column
    text = cells[index].strip() if index < len(cells) else ""
    if not text:
        if name in _NEEDED:
            issues.append(Issue(where, "is empty", f"write it like {_EXAMPLES[name]!r}"))
        return None
    try:
        value = float(_PARSERS[name](f"{text} {unit}" if unit and _BARE.match(text) else text))
    except ValueError as error:
        what, _, right = str(error).partition("; ")
        issues.append(Issue(where, what, right))
        return None
    if name in _NEEDED and value <= 0:
        issues.append(Issue(where, f"{text!r} must be more than nothing", f"write it like {_EXAMPLES[name]!r}"))
    return value
