"""Measured cases: one row is one published number and what it was measured on."""

from __future__ import annotations

import csv
import io
import math
from dataclasses import dataclass, replace
from importlib import resources
from pathlib import Path

from sim.errors import InputError, Issue
from sim.units import GIB, parse_rate

COLUMNS = ("id", "use", "kind", "ram_gib", "disk_copied_gib", "link", "requested_at_once", "metric", "value", "unit",
           "spread", "mark", "setup", "source")  # fmt: skip
_NEEDED = ("id", "use", "kind", "metric", "value")
_USES = ("fit", "predict")
_UNITS = {
    "": 1.0, "s": 1.0, "sec": 1.0, "seconds": 1.0, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "min": 60.0, "minutes": 60.0,
    "h": 3600.0,
}  # fmt: skip
_TIMES = ("total", "downtime", "makespan", "first", "last")
"""Metrics that are times: their unit must be known."""
_OTHER_UNITS = frozenset(
    {"B", "kB", "MB", "MiB", "GB", "GiB", "B/s", "MB/s", "MiB/s", "Mbit/s", "Gbit/s", "J", "kJ", "W", "%", "pages"}
)
"""Units with which even these are no times: such a row is told, not simulated."""
_LOOPBACK_BPS = 1e12
"""No link at all: what the stream carries is the limit."""


@dataclass(frozen=True, slots=True)
class Row:
    """One measured case. Sizes in bytes, the link's nominal rate in bytes per second, the value in seconds."""

    id: str
    use: str
    """``fit``: a profile's constants were fitted to it; ``predict``: they were not."""
    kind: str
    ram_b: float | None
    disk_b: float
    link_bps: float | None
    at_once: int
    metric: str
    value: float
    setup: str
    source: str
    unit: str = "s"
    """``s``, whatever unit of time the file has; else what was measured is no time."""
    marked: str = ""
    """What its file says of its use, where novasim knows better: constants that it ships come from this case."""

    @property
    def words(self) -> str:
        """Everything that is said in words, for looking things up."""
        return f"{self.kind}; {self.setup}; {self.source}".lower()

    @property
    def case(self) -> tuple[object, ...]:
        """What was measured on what, and what came out: the same for the same published number under any name."""
        setting = (self.kind.lower(), self.ram_b, self.disk_b, self.link_bps, self.at_once)
        return (*setting, self.metric, f"{self.value:.6g}", self.unit)


def read_rows(path: Path | None = None) -> list[Row]:
    """The rows of a CSV file with the columns of :data:`COLUMNS`; None is the file that comes with novasim.

    A row that shipped constants were fitted to is marked ``fit``, whatever a file says of it. Raises InputError with
    every issue of the file.
    """
    if path is None:
        where = "measured.csv"
        text = (resources.files(__package__) / where).read_text(encoding="utf-8")
    else:
        where = str(path)
        try:
            text = path.read_text(encoding="utf-8-sig")
        except (OSError, UnicodeDecodeError) as error:
            raise InputError([Issue(where, f"cannot be read: {error}", "give a CSV file of measured cases")]) from None
    reader = csv.DictReader(io.StringIO(text))
    missing = [name for name in _NEEDED if name not in (reader.fieldnames or ())]
    if missing:
        right = f"the first line names the columns {', '.join(COLUMNS)}"
        raise InputError([Issue(f"{where}:1", f"lacks the columns {', '.join(missing)}", right)])
    issues: list[Issue] = []
    rows = [_row(entry, f"{where}:{reader.line_num}", issues) for entry in reader]
    names = [row.id for row in rows]
    issues += [
        Issue(where, f"{name!r} is the id of {names.count(name)} rows", "give each row its own")
        for name in dict.fromkeys(names)
        if names.count(name) > 1
    ]
    if issues:
        raise InputError(issues)
    if not rows:
        raise InputError([Issue(where, "holds no rows", "each line after the first is a measured case")])
    if path is None:
        return rows
    fitted = {row.case for row in read_rows() if row.use == "fit"}
    return [replace(row, use="fit", marked=row.use) if row.use != "fit" and row.case in fitted else row for row in rows]


def _row(entry: dict[str, str | None], where: str, issues: list[Issue]) -> Row:
    texts = {name: (entry.get(name) or "").strip() for name in COLUMNS}
    if None in entry:
        issues.append(
            Issue(where, "has more cells than the first line names", 'put text with a comma in quotes: "a, b"')
        )

    def number(name: str, least: float = 0.0) -> float | None:
        text = texts[name]
        if not text:
            return None
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not least <= value < math.inf:
            issues.append(Issue(f"{where} {name}", f"{text!r} is no number of at least {least:g}"))
            return None
        return value

    issues.extend(Issue(f"{where} {name}", "is empty") for name in _NEEDED if not texts[name])
    if texts["use"] and texts["use"] not in _USES:
        issues.append(Issue(f"{where} use", f"{texts['use']!r} is unknown", f"write {' or '.join(_USES)}"))
    if texts["unit"] not in _UNITS and texts["unit"] not in _OTHER_UNITS and texts["metric"].startswith(_TIMES):
        issues.append(Issue(f"{where} unit", f"{texts['unit']!r} is unknown", "write s, ms, us, min or h"))
    ram, disk, at_once = number("ram_gib"), number("disk_copied_gib"), number("requested_at_once", 1)
    if at_once is not None and not at_once.is_integer():
        issues.append(Issue(f"{where} requested_at_once", f"{at_once:g} is no whole number"))
    return Row(
        id=texts["id"], use=texts["use"], kind=texts["kind"], ram_b=None if ram is None else ram * GIB,
        disk_b=(disk or 0.0) * GIB, link_bps=_link(texts["link"], where, issues), at_once=int(at_once or 1),
        metric=texts["metric"], value=(number("value") or 0.0) * _UNITS.get(texts["unit"], 1.0), setup=texts["setup"],
        source=texts["source"], unit="s" if texts["unit"] in _UNITS else texts["unit"],
    )  # fmt: skip


def _link(text: str, where: str, issues: list[Issue]) -> float | None:
    """``1GbE``, ``10GbE``, or any rate with a unit → bytes per second, nominal."""
    if not text:
        return None
    if text.lower() == "loopback":
        return _LOOPBACK_BPS
    try:
        rate = float(text[:-3]) * 1e9 / 8 if text.lower().endswith("gbe") else parse_rate(text)
    except ValueError:
        rate = math.nan
    if 0 < rate < math.inf:
        return rate
    issues.append(Issue(f"{where} link", f"{text!r} is no link", "write 10GbE, loopback or a rate like 25 Gbit/s"))
    return None
