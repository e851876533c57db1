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
    (r"specweb|\bweb\b|simpleweb|apache|nginx|\bhttp", "web"),
    (r"database|oltp|\bdb\b|\w*mysql|mariadb|postgres\w*|sysbench|tpc-?c", "database"),
    (r"memcached|redis|java|jvm|specjbb", "in_memory"),
    (r"\bhog\b|diabolic|muncher|memory writer|\bstress\b|loaded", "hog"),
)  # fmt: skip
_QEMU = (r"pre-?copy", r"post-?copy", "fleet")
"""Words of kinds that were measured without a cloud around them."""

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
    if not without_cloud(row) or "fleet" in row.kind.lower():
        return "default"
    version = qemu_version(row)
    return "qemu-2016" if version is not None and version < _OLD_QEMU else "qemu-2024"


def without_cloud(row: Row) -> bool:
    """Whether it was measured on bare QEMU or Xen, not as a live migration that a cloud's users asked for."""
    kind = row.kind.lower()
    return re.search("|".join(_QEMU), kind) is not None and re.search(r"\blive\b|\d+ vms\b", kind) is None


def timings_of(row: Row) -> Timings:
    """That profile's constants."""
    return load_profile(profile_of(row))


def qemu_version(row: Row) -> int | None:
    """QEMU's version as libvirt says it, where the words give one."""
    found = re.search(r"qemu (\d+)(?:\.(\d+))?(?:\.(\d+))?", row.words)
    return None if found is None else int(found[1]) * 1_000_000 + int(found[2] or 0) * 1000 + int(found[3] or 0)


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
    nonzero_b = ram_b if _on_xen(row) else min(ram_b, IDLE_SYSTEM_B)
    idle = Memory(ACTIVITIES["idle"].dirty_bps, hot_b, nonzero_b, hot_b)
    memory = _stressed(row, ram_b, idle) or _filled(row, ram_b, idle) or _working(row, ram_b) or idle
    named = rate(row, of_copy=False)
    if named is None:
        return memory
    if memory.hot_b == memory.working_set_b:  # an idle guest's pages are none that anything is written to at a rate
        size = ram_b if memory == idle else memory.nonzero_b
        return Memory(named, size, size)
    return replace(memory, dirty_bps=named)


def _stressed(row: Row, ram_b: float, idle: Memory) -> Memory | None:
    """Workers of ``stress``, "2x512MB", as many at a time as there are CPUs; or one on so much of the memory."""
    hog_bps = ACTIVITIES["hog"].dirty_bps
    part = re.search(r"(\d+)\s*%(?: of)?(?: the)? (?:memory|ram)\b", row.kind.lower())
    if part is not None:
        size = min(ram_b, ram_b * int(part[1]) / 100)
        return Memory(hog_bps, size, min(ram_b, idle.nonzero_b + size))
    found = re.search(r"(\d+)\s*x\s*(\d+)\s*(m|g)i?b", row.kind.lower())
    if found is None:
        return None
    workers, cpus = int(found[1]), re.search(r"(\d+)\s*v?cpus?\b", row.words)
    at_once = min(workers, max(1, int(cpus[1]))) if cpus is not None else workers
    size = min(ram_b, float(workers * int(found[2]) * MIB * (1024 if found[3] == "g" else 1)))
    return Memory(hog_bps * at_once, size, min(ram_b, idle.nonzero_b + size))


def _filled(row: Row, ram_b: float, idle: Memory) -> Memory | None:
    """Idle guests of which is said how much of their memory is not zero."""
    found = re.search(r"(\d+(?:\.\d+)?)\s*% random", row.kind.lower())
    if found is not None:
        if float(found[1]) > 100:
            raise UnknownKindError(f"{found[1]} % of the memory are more than all of it")
        return replace(idle, nonzero_b=ram_b * float(found[1]) / 100)
    if _workload(row) is not None:
        return None
    if "mostly zero" in row.words:
        return replace(idle, nonzero_b=0.0)
    return replace(idle, nonzero_b=_TINY * ram_b) if "tiny" in row.words else None


def _working(row: Row, ram_b: float) -> Memory | None:
    """Guests with a workload that is named, and has then touched all its memory or what its class touches."""
    name = _workload(row)
    spark = re.search(r"spark at (\d+) kb/s", row.words)
    if spark and name is None:
        return Memory(float(spark[1]) * 1e3, min(ram_b, _SPARK_WORKING_SET_B), ram_b)
    if name is None:
        return None
    memory = memory_of(name, ram_b)
    if not _on_xen(row):
        return Memory(memory.dirty_bps, memory.working_set_b, memory.nonzero_b, memory.hot_b)
    return Memory(XEN_WEB_DIRTY_BPS if name == "web" else memory.dirty_bps, memory.working_set_b, ram_b)


def rate(row: Row, *, of_copy: bool) -> float | None:
    """A rate that is named: of the guest, as in "300 MB/s dirty", or of the copy, as in "bandwidth 50 MB/s"."""
    for found in re.finditer(r"(\w*\s*)(\d+(?:\.\d+)?)\s*([kmg]?)(i?)(b|bit)/s(\s*\w*)", row.kind.lower()):
        copy = re.search("bandwidth|speed|limit|cap|max", found[1] + found[6]) is not None
        if copy == of_copy:
            scale = float((1024 if found[4] else 1000) ** ("", "k", "m", "g").index(found[3]))
            return float(found[2]) * scale / (8 if found[5] == "bit" else 1)
    return None


def auto_converge(row: Row) -> Throttling | None:
    """Auto-converge as the row's QEMU does it, with "AC initial/increment"; None where it is not spoken of."""
    kind = row.kind.lower()
    word = r"\b(?:ac|auto-?converge)\b"
    found = re.search(word + r"(?:\s*(\d+)\s*/\s*(\d+))?", kind)
    if found is None or re.search(rf"\b(?:no|not|without)\s+{word}|{word}\s+off\b", kind):
        return None
    version = qemu_version(row) or 8_000_000
    if found[1] is None:
        return throttling(version)
    if not (1 <= int(found[1]) <= 99 and 1 <= int(found[2]) <= 99):
        raise UnknownKindError(f"auto-converge of {found[1]}/{found[2]} there is none: QEMU takes 1 to 99 %")
    return throttling(version, int(found[1]) / 100, int(found[2]) / 100)


def downtime_limit_s(row: Row) -> float:
    """QEMU's limit: named in the kind, else in the setup, else its default of 300 ms."""
    number = r"(\d+(?:\.\d+)?)\s*(ms|s)\b"
    said = (
        (rf"downtime\D{{0,12}}{number}|{number}\s*downtime", row.kind),
        (rf"(?<!at )(?<!after )(?<!timeout )\b{number}", row.kind),
        (rf"max downtime\D{{0,12}}{number}", row.setup),
    )  # fmt: skip
    for pattern, text in said:
        found = re.search(pattern, text.lower())
        if found:
            value, unit = [group for group in found.groups() if group][:2]
            if not float(value):
                raise UnknownKindError("with a downtime limit of 0 the guest never stops")
            return float(value) * (1e-3 if unit == "ms" else 1.0)
    return 0.3


def order_at(row: Row) -> tuple[str, float] | None:
    """What somebody does to the copy and when: ("post-copy" or "pause", seconds from its begin)."""
    kind = row.kind.lower()
    if re.search(r"post-?copy\b.*\b(immediate|at once|from the start|only)|\b(pure|immediate) post-?copy", kind):
        return "post-copy", 0.0
    found = re.search(r"(post-?copy|pause|suspend)\w*\D{0,12}?\b(?:at|after)\s+(\d+(?:\.\d+)?)\s*(s|min)\b", kind)
    if found is None:
        return None
    seconds = float(found[2]) * (60 if found[3] == "min" else 1)
    return "post-copy" if found[1].startswith("post") else "pause", seconds


def channels(row: Row) -> int:
    """How many multifd channels carry the copy; 1 is without multifd."""
    found = re.search(r"multifd\s*(\d+)|(\d+)\s*(?:multifd\s*)?(?:channels|threads|streams)", row.kind.lower())
    if found is not None:
        lanes = int(found[1] or found[2])
        if not lanes:
            raise UnknownKindError("a copy through no channel at all never ends")
        return lanes
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


_READ = (
    r"live|shared|block|nfs|ceph|volume|tun-?o[nf]+|tunnell?(?:ed|ing)|idle|tiny|mostly zero(?: pages)?|load|\w+->\w+",
    r"nano|small|medium|large|no progress timeout|\d+ vms?|pre-?copy|post-?copy|after|at|no|not|with(?:out)?|a|of|the",
    r"(?:ac|auto-?converge)(?: \d+/\d+)?|random|data|rest|zero|workers?|dirty|rate|only|guest|server|stream|one",
    r"\d+(?:\.\d+)?% ?(?:random|memory|ram)|\d+x\d+[mg]i?b|(?:max )?downtime|bandwidth|limit|max|paused?",
    r"immediate(?:ly)?|suspend(?:ed)?|multi-?fd|channels|threads|streams|xen|fleet|spark|resize|confirm|revert|cold|migrate|migration",
    r"soft|hard|reboot|resume|unpause|stop|start|delete|boot(?:_server)?|create|evacuat\w+|masakari|rate-adaptive|qemu",
    r"to|and|memory|ram|v?cpus?|off|on|ms|s|min|x|[kmg]?i?b(?:it)?/s|[kmg]i?b",
)
"""All the words of a kind that something is made of, or that say nothing."""


def not_understood(row: Row) -> list[str]:
    """Words of the row's kind that change nothing in what is simulated."""
    known = "|".join((*_READ, _COMPRESSION, *(pattern for pattern, _ in _WORKLOADS)))
    left = re.sub(rf"(?<![\w-])(?:{known})(?![\w-])", " ", row.kind.lower())
    return re.findall(r"[a-z][\w-]{2,}", left)
