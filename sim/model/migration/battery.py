"""The battery of checks that every migration model must pass: QEMU's and Xen's as well as your own.

It plays small copies, in one go and in pieces, with orders and failures: ``assert examine(MyModel) == []``.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

from sim.errors import InputError
from sim.model.migration.limits import LiveMigrationLimits, Throttling
from sim.model.migration.memory import GuestMemory
from sim.model.migration.precopy import PreCopy
from sim.model.migration.rounds import Rounds
from sim.units import GIB, MIB

_RATE = 1.177e9
_TIMEOUT_S = 400.0
_MOST_STEPS = 10_000
_SAME = 1e-6
_ENDS = frozenset({"completed", "timed_out"})


@dataclass(frozen=True, slots=True)
class Case:
    """One guest and what its migration may do."""

    name: str
    memory: GuestMemory
    limits: LiveMigrationLimits
    disk_b: float = 0.0


def cases(kind: type[Rounds]) -> list[Case]:
    """The guests that a model is tried on."""
    limits = LiveMigrationLimits(
        downtime=((0.0, 0.05), (75.0, 0.3)), completion_timeout_s=_TIMEOUT_S, stream_bps=2.4e9, block_stream_bps=1e9,
        zero_page_bps=11e9, device_state_s=0.04, model=kind,
    )  # fmt: skip
    idle = GuestMemory(16 * GIB, 598e6, 0.5e6, 5.75e6)
    busy = GuestMemory(8 * GIB, 7 * GIB, 200e6, 3 * GIB)
    hog = GuestMemory(2 * GIB, 2 * GIB, 5e9, 1.2 * GIB)
    return [
        Case("an idle guest", idle, limits),
        Case("a busy guest", busy, limits),
        Case("a guest that dirties faster than the link", hog, limits),
        Case("a guest that is throttled", hog, replace(limits, throttling=Throttling())),
        Case("a guest with disks", busy, limits, 20 * GIB),
        Case("a guest whose activity comes and goes", replace(busy, profile=((5.0, 3.0), (9.0, 0.1))), limits),
        Case("a guest without memory", GuestMemory(0, 0, 0, 0), limits),
        Case("a guest whose memory is all zero", GuestMemory(4 * GIB, 0, 0, 0), limits),
        Case("a guest that writes nothing", GuestMemory(1 * GIB, 512 * MIB, 0, 0), limits),
    ]


def examine(kind: type[Rounds]) -> list[str]:
    """What a model breaks, in words, each once; empty if it is good."""
    found: dict[str, None] = {}
    for case in cases(kind):
        try:
            for fault in _faults(case):
                found[f"{fault} ({case.name})"] = None
        except InputError as error:
            for issue in error.issues:
                found[f"{issue.what}: {issue.right} ({case.name})"] = None
        except Exception as error:
            found[f"it raises {type(error).__name__}: {error} ({case.name})"] = None
    return list(found)


def _faults(case: Case) -> Iterator[str]:
    copy = _new(case)
    steps = _play(copy, _RATE)
    if steps is None or copy.outcome not in _ENDS:
        yield f"the copy does not end: after {copy.elapsed_s:.0f} s its outcome is {copy.outcome}"
        return
    whole = _told(copy)
    yield from _number_faults(copy)
    if not _equal(_told(_ended(case, _RATE)), whole):
        yield "the same copy comes out otherwise the second time: no luck, no memory of other copies"
    yield from _cut_faults(case, whole)
    yield from _order_faults(case, copy.elapsed_s)


def _new(case: Case) -> PreCopy:
    return PreCopy(case.memory, case.limits, case.disk_b)


def _play(copy: PreCopy, rate_bps: float, until_s: float = math.inf) -> int | None:
    """To the end, or until then; None if it takes too many steps or has none."""
    for step in range(_MOST_STEPS):
        if copy.finished or copy.elapsed_s >= until_s:
            return step
        rate = min(rate_bps, copy.cap_bps)
        span = min(copy.next_change(rate), until_s - copy.elapsed_s)
        if math.isinf(span):
            return None
        copy.advance(span, rate)
    return None


def _ended(case: Case, rate_bps: float) -> PreCopy:
    copy = _new(case)
    _play(copy, rate_bps)
    return copy


def _told(copy: PreCopy) -> tuple[str | None, str, float, float, float, float]:
    return copy.outcome, copy.mode, copy.elapsed_s, copy.downtime_s, copy.bytes_memory, copy.bytes_disk


def _equal(one: tuple[object, ...], other: tuple[object, ...]) -> bool:
    return all(
        math.isclose(a, b, rel_tol=_SAME, abs_tol=_SAME) if isinstance(a, float) and isinstance(b, float) else a == b
        for a, b in zip(one, other, strict=True)
    )


def _number_faults(copy: PreCopy) -> Iterator[str]:
    for what, number in (("time", copy.elapsed_s), ("downtime", copy.downtime_s), ("bytes", copy.bytes_memory)):
        if not 0 <= number < math.inf:
            yield f"its {what} comes to {number!r}"
    if copy.bytes_memory + copy.bytes_disk > _RATE * copy.elapsed_s * (1 + _SAME) + 1:
        yield "it sends more than its bandwidth carries"
    if copy.outcome == "completed" and copy.stopped_at_s is None:
        yield "it completes, and the guest was never stopped"


def _cut_faults(case: Case, whole: tuple[object, ...]) -> Iterator[str]:
    """Settled now and then, as when other copies begin and end, it must come out the same."""
    copy = _new(case)
    for number in range(1, 200):
        if copy.finished:
            break
        copy.next_change(_RATE / 3)
        _play(copy, _RATE, copy.elapsed_s + 0.037 * number)
    _play(copy, _RATE)
    if not _equal(_told(copy), whole):
        yield ("looked ahead and settled in pieces, it comes out otherwise: replace what you set on self, never change "
               "it in place, and let next_sync_s answer what is left of the round")  # fmt: skip
    slower = _new(case)
    _play(slower, _RATE, 1.3)
    if _play(slower, _RATE / 4) is None:
        yield "the copy does not end when its bandwidth falls"


def _order_faults(case: Case, length_s: float) -> Iterator[str]:
    """Abort, force-complete, and a link without bandwidth, at all moments."""
    for part in (0.0, 0.1, 0.5, 0.9, 0.999):
        copy = _new(case)
        _play(copy, _RATE, part * length_s)
        if not copy.finished and not (copy.abort() and copy.outcome == "aborted"):
            yield "it cannot be aborted"
        copy = _new(case)
        _play(copy, _RATE, part * length_s)
        if copy.force_complete() and (_play(copy, _RATE) is None or copy.outcome != "completed"):
            yield "paused by force-complete, it does not complete"
        copy = _new(case)
        _play(copy, _RATE, part * length_s)
        if not copy.finished and copy.stage != "scan":
            _play(copy, 0.0)
            if copy.outcome not in {"failed", "timed_out"}:
                yield f"without any bandwidth its outcome is {copy.outcome}, not failed"
