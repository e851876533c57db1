"""What a guest's memory does while it is copied."""

from __future__ import annotations

import bisect
import itertools
import math
from dataclasses import dataclass

from sim.units import GIB, MIB


@dataclass(frozen=True, slots=True)
class GuestMemory:
    """A guest's memory.

    Unique bytes dirtied in ``s`` seconds at full speed are ``dirty_bps * s``, as by a sequential writer, and the
    hot pages, ``hot_b`` of them within :data:`HOT_S`; together at most the working set. ``profile`` are (time, factor)
    steps of the dirty rate, repeated after the last time; ``phase_s`` says where in it the copy begins.
    """

    ram_b: float
    nonzero_b: float
    dirty_bps: float
    working_set_b: float
    profile: tuple[tuple[float, float], ...] = ()
    phase_s: float = 0.0
    hot_b: float = 0.0
    """Pages that the guest's system writes all the time, beside ``dirty_bps`` and in the working set."""

    def __post_init__(self) -> None:
        for name in ("ram_b", "nonzero_b", "dirty_bps", "working_set_b", "phase_s", "hot_b"):
            if not getattr(self, name) >= 0:
                raise ValueError(f"{name} must not be negative, not {getattr(self, name)}")
        if self.nonzero_b > self.ram_b or self.working_set_b > self.ram_b:
            raise ValueError("neither the non-zero part nor the working set can be larger than the memory")
        times = [time for time, _ in self.profile]
        if times and (times[0] <= 0 or any(b <= a for a, b in itertools.pairwise(times))):
            raise ValueError("a profile's times must be positive and rise")

    def dirtied_b(self, busy_s: float) -> float:
        """Unique bytes written in so many seconds at full speed."""
        fresh = self.dirty_bps * busy_s
        if self.hot_b:
            fresh += self.hot_b * min(1.0, busy_s / HOT_S)
        return min(fresh, self.working_set_b)

    def busy_s(self, start_s: float, end_s: float) -> float:
        """Seconds at full dirty rate that are worth the time from ``start_s`` to ``end_s`` of the copy."""
        if not self.profile:
            return end_s - start_s
        return self._busy_until(end_s + self.phase_s) - self._busy_until(start_s + self.phase_s)

    def _busy_until(self, time_s: float) -> float:
        """Integral of the profile's factor from 0; step i ends at its time and has its factor until then."""
        period = self.profile[-1][0]
        whole = _integral(self.profile, period)
        turns = math.floor(time_s / period)
        return turns * whole + _integral(self.profile, time_s - turns * period)


def _integral(profile: tuple[tuple[float, float], ...], until_s: float) -> float:
    steps = bisect.bisect_left(profile, (until_s, -math.inf))
    total = last = 0.0
    for time, factor in profile[:steps]:
        total += (time - last) * factor
        last = time
    if steps < len(profile):
        total += (until_s - last) * profile[steps][1]
    return total


@dataclass(frozen=True, slots=True)
class Activity:
    """A class of guests. Working set and touched memory grow with the guest, up to a bound."""

    dirty_bps: float
    working_set: float
    """Part of the memory."""
    working_set_max_b: float
    touched: float
    """Part of the memory beyond the system's own that is not zero pages."""
    cpu: float
    source: str


IDLE_SYSTEM_B = 598e6
"""What an idle Linux guest has touched, of any size (Quintela, qemu-devel: 598 MB of 16 GiB)."""
IDLE_WORKING_SET_B = 5.75e6
"""What an idle guest writes again and again.

Published downtimes of idle guests are 27 to 60 ms over a loopback of 2.4 GB/s and 72 to 108 ms over 1 GbE of
117.7 MB/s (qemu-devel). So many bytes make the difference of the ranges' ends, 45 and 48 ms; device state and hand-over
make the rest, 24.6 to 57.6 ms. That holds if they are all written again even in the short copies over loopback.
"""
HOT_S = 1.0
"""How soon a guest's system has written all its hot pages again.

What a guest dirties does not grow from nothing with the time: of SPECweb99's published rounds (Clark'05, see
:mod:`sim.experiments.validation.settings`) none is smaller than 14 MB, though they last from 0.4 to 10 s. One second is
assumed: longer than the shortest of these, shorter than an idle guest's copy over loopback.
"""

ACTIVITIES: dict[str, Activity] = {
    "idle": Activity(0.5e6, 1.0, IDLE_WORKING_SET_B, 0.0, 0.02, "598 MB non-zero and working set from measurements "
                     "(qemu-devel); dirty rate assumed"),
    "web": Activity(12e6, 1.0, 128 * MIB, 0.4, 0.15, "assumed: 5-20 MB/s, working set 50-200 MB"),
    "database": Activity(50e6, 0.18, math.inf, 0.9, 0.35, "assumed: 20-80 MB/s, working set 10-25 % of memory"),
    "in_memory": Activity(200e6, 0.45, math.inf, 0.95, 0.5, "assumed: 100-400 MB/s, working set 30-60 %; a 20-CPU Java "
                          "warehouse measured 277 MB/s (QEMU commit 7ca1dfad)"),
    "hog": Activity(858e6, 0.5, 64 * GIB, 0.5, 1.0, "stress --vm 2 of 512 MB in 2 GiB on one CPU: 858 MB/s fitted to "
                    "published auto-converge times (novasim validate --fits)"),
}  # fmt: skip
"""The classes by name. Dirty rates without a measurement say "assumed"."""


def memory_of(activity: str, ram_b: float, phase_s: float = 0.0) -> GuestMemory:
    """The memory of a guest of ``ram_b`` bytes and of that class; KeyError if there is no such class."""
    kind = ACTIVITIES[activity]
    system = min(ram_b, IDLE_SYSTEM_B)
    return GuestMemory(
        ram_b, system + kind.touched * (ram_b - system), kind.dirty_bps,
        min(kind.working_set * ram_b, kind.working_set_max_b), (), phase_s, min(ram_b, IDLE_WORKING_SET_B),
    )  # fmt: skip
