"""What a row's words say of its setting. Nothing here knows a row by its name."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Any

from sim.experiments.validation.rows import Row
from sim.model.migration.limits import CLARK_2005, XEN, Throttling, XenRules, throttling
from sim.model.migration.memory import ACTIVITIES, IDLE_SYSTEM_B, IDLE_WORKING_SET_B, memory_of
from sim.scenario.timings import Timings, load_profile
from sim.units import MIB

_PROFILES = (
    (r"\bspark\b|\bosic\b|22-node", "osic-10gbe-2017"),
    (r"\bzhaw\b|icehouse", "zhaw-1gbe-2014"),
    (r"\brally\b|performance-docs|polling", "rally-2016"),
)
"""Words of a cloud that was measured → the timing profile that stands for it."""
_OLD_QEMU = 4_000_000
"""Before this QEMU's streams are those of 2016."""
_TEN_GBE = 1.25e9
_SPARK_WORKING_SET_B = 64 * MIB
_TINY = 0.1
"""Part of a tiny test guest's memory that is not zero pages (assumed)."""
_WORKLOADS = (
    (r"specweb|\bweb\b|simpleweb|apache|\bhttp", "web"), (r"database|oltp|\bdb\b", "database"),
    (r"memcached|redis|java|jvm", "in_memory"), (r"\bhog\b|diabolic|muncher|memory writer", "hog"),
)  # fmt: skip

XEN_WEB_HOT_B, XEN_WEB_DIRTY_BPS = 15.7e6, 2.26e6
"""A web server under full load on Xen: what it writes again within any round, and the rest.

From the bytes of the rounds of SPECweb99's migration (Clark'05): 676.8, 126.7, 39.0, 28.4, 24.2, 16.7, 14.2, 15.3 and
18.2 MB. From memory, but they make the 960 MB that are given as the total. Their lengths follow from the paper's rule.
"""

_COMPRESSION = r"\b(zlib|zstd|lz4|qat|qatzip|qpl|uadk|xbzrle|compress\w*)\b"


class UnknownKindError(ValueError):
    """A row that cannot be simulated; the text says why, for whoever reads the table."""


@dataclass(frozen=True, slots=True)
class Memory:
    """A guest's memory, as a scenario's activity would give it."""

    dirty_bps: float
    working_set_b: float
    nonzero_b: float
    hot_b: float = 0.0
    """What the guest's system writes all the time; only where nothing else is said of what it writes."""

    def activity(self, ram_b: float) -> dict[str, Any]:
        """The ``activity:`` of a server."""
        return {
            "dirty": f"{self.dirty_bps!r} B/s", "working_set": f"{int(min(self.working_set_b, ram_b))} B",
            "nonzero": min(1.0, self.nonzero_b / ram_b), "hot": f"{int(min(self.hot_b, ram_b))} B",
        }  # fmt: skip


def profile_of(row: Row) -> str:
    """The timing profile of a cloud, or of bare QEMU, that the row's words speak of."""
    for pattern, name in _PROFILES:
        if re.search(pattern, row.words):
            return name
    bare = re.search(r"\b(precopy|pre-copy|postcopy|post-copy)\b", row.kind.lower()) is not None
    if not bare:
        return "default"
    version = qemu_version(row)
    return "qemu-2016" if version is not None and version < _OLD_QEMU else "qemu-2024"


def timings_of(row: Row) -> Timings:
    """That profile's constants."""
    return load_profile(profile_of(row))


def qemu_version(row: Row) -> int | None:
    """QEMU's version as libvirt says it, where the words give one."""
    found = re.search(r"qemu (\d+)\.(\d+)(?:\.(\d+))?", row.words)
    return None if found is None else int(found[1]) * 1_000_000 + int(found[2]) * 1000 + int(found[3] or 0)


def link_bps(row: Row) -> float:
    """Nominal rate of the hosts' links."""
    return row.link_bps or _TEN_GBE


def memory_of_row(row: Row) -> Memory:
    """What the guest's memory does: by the first that is said of workers, filling, zero pages, size, workload."""
    ram_b = row.ram_b
    if ram_b is None:
        raise UnknownKindError("says nothing of the guest's memory (ram_gib)")
    kind = row.kind.lower()
    if re.search(_COMPRESSION, kind) and "random" not in kind:
        raise UnknownKindError("compression is not simulated, except of random data, which it cannot make smaller")
    hot_b = min(ram_b, IDLE_WORKING_SET_B)
    idle = Memory(_dirty(kind, ACTIVITIES["idle"].dirty_bps), hot_b, min(ram_b, IDLE_SYSTEM_B), hot_b)
    return _stressed(row, ram_b, idle) or _filled(row, ram_b, idle) or _working(row, ram_b) or idle


def _stressed(row: Row, ram_b: float, idle: Memory) -> Memory | None:
    """Workers of ``stress``: "2x512MB"."""
    kind = row.kind.lower()
    found = re.search(r"(\d+)\s*x\s*(\d+)\s*(m|g)i?b", kind)
    if found is None:
        return None
    working_set = float(int(found[1]) * int(found[2]) * MIB * (1024 if found[3] == "g" else 1))
    nonzero = min(ram_b, idle.nonzero_b + working_set)
    return Memory(_dirty(kind, ACTIVITIES["hog"].dirty_bps), min(ram_b, working_set), nonzero)


def _filled(row: Row, ram_b: float, idle: Memory) -> Memory | None:
    """Idle guests of which is said how much of their memory is not zero."""
    found = re.search(r"(\d+(?:\.\d+)?)\s*% random", row.kind.lower())
    if found is not None:
        return replace(idle, nonzero_b=ram_b * float(found[1]) / 100)
    if "mostly zero" in row.words:
        return replace(idle, nonzero_b=0.0)
    return replace(idle, nonzero_b=_TINY * ram_b) if "tiny" in row.words else None


def _working(row: Row, ram_b: float) -> Memory | None:
    """Guests with a workload that is named, and has then touched all its memory or what its class touches."""
    spark = re.search(r"spark at (\d+) kb/s", row.words)
    if spark:
        return Memory(float(spark[1]) * 1e3, min(ram_b, _SPARK_WORKING_SET_B), ram_b)
    name = _workload(row)
    if name is None:
        return None
    memory = memory_of(name, ram_b)
    if not _on_xen(row):
        return Memory(_dirty(row.kind.lower(), memory.dirty_bps), memory.working_set_b, memory.nonzero_b, memory.hot_b)
    dirty_bps = XEN_WEB_DIRTY_BPS if name == "web" else memory.dirty_bps
    return Memory(_dirty(row.kind.lower(), dirty_bps), memory.working_set_b, ram_b)


def _dirty(kind: str, otherwise: float) -> float:
    """A dirty rate that is named, as in "300 MB/s dirty"."""
    found = re.search(r"(\d+(?:\.\d+)?)\s*(k|m|g)b/s", kind)
    return otherwise if found is None else float(found[1]) * {"k": 1e3, "m": 1e6, "g": 1e9}[found[2]]


def auto_converge(row: Row) -> Throttling | None:
    """Auto-converge as the row's QEMU does it, with "AC initial/increment"; None where it is not spoken of."""
    kind = row.kind.lower()
    found = re.search(r"\b(?:ac|auto-?converge)\b(?:\s*(\d+)\s*/\s*(\d+))?", kind)
    if found is None:
        return None
    version = qemu_version(row) or 8_000_000
    if found[1] is None:
        return throttling(version)
    return throttling(version, int(found[1]) / 100, int(found[2]) / 100)


def downtime_limit_s(row: Row) -> float:
    """QEMU's limit: named in the kind, else in the setup, else its default of 300 ms."""
    for text in (row.kind, row.setup):
        found = re.search(r"(\d+(?:\.\d+)?)\s*(ms|s)\b(?!\s*total)", text.lower())
        if found and (text is row.kind or "max downtime" in text.lower()):
            return float(found[1]) * (1e-3 if found[2] == "ms" else 1.0)
    return 0.3


def channels(row: Row) -> int:
    """How many multifd channels carry the copy; 1 is without multifd."""
    found = re.search(r"multifd\s*(\d+)|(\d+)\s*(?:multifd\s*)?(?:channels|threads|streams)", row.kind.lower())
    if found is not None:
        return int(found[1] or found[2])
    return 2 if "multifd" in row.kind.lower() else 1


def xen_rules(row: Row) -> XenRules | None:
    """Xen's rules, where it was Xen: the rate-adaptive ones of 2005, or the later ones."""
    if not _on_xen(row):
        return None
    rules = CLARK_2005 if "rate-adaptive" in row.words or "clark" in row.words else XEN
    return replace(rules, hot_b=XEN_WEB_HOT_B) if _workload(row) == "web" else rules


def _on_xen(row: Row) -> bool:
    return re.search(r"\bxen\b", row.words) is not None


def _workload(row: Row) -> str | None:
    """The class of guests whose words the row uses first."""
    text = f"{row.kind} {row.id}".lower()
    return next((name for pattern, name in _WORKLOADS if re.search(pattern, text)), None)
