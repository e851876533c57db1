"""What Nova, libvirt and QEMU allow a live migration."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from sim.model.migration.memory import IDLE_WORKING_SET_B
from sim.model.migration.stage import Stage
from sim.units import GIB

if TYPE_CHECKING:
    from sim.model.migration.rounds import Rounds

TimeoutAction = Literal["abort", "force_complete"]


@dataclass(frozen=True, slots=True)
class Throttling:
    """QEMU's auto-converge.

    At a bitmap sync more than 1 s after the last judged one, a period in which more than half as many bytes were
    dirtied as sent is high; every ``periods`` high ones the vCPUs are throttled further.
    """

    initial: float = 0.2
    increment: float = 0.1
    maximum: float = 0.99
    periods: int = 2
    first_counts: bool = True
    """Whether the first period can be high."""
    resync_s: float = math.inf
    """An extra sync when there was none for so long, except in round 1."""


def throttling(qemu_version: int, initial: float = 0.2, increment: float = 0.1) -> Throttling:
    """Auto-converge as that QEMU does it; ``qemu_version`` as libvirt says it (2.6.0 is 2006000).

    Every third high period, the first never judged, before 5.0; every second since; an extra sync each 5 s since 9.2.
    """
    if qemu_version < 5_000_000:
        return Throttling(initial, increment, periods=3, first_counts=False)
    return Throttling(initial, increment, resync_s=5.0 if qemu_version >= 9_002_000 else math.inf)


@dataclass(frozen=True, slots=True)
class XenRules:
    """How Xen ends the rounds: by what was dirtied, not by how long the rest would take.

    With ``minimum_bps`` it is the rate-adaptive copy of Clark'05, else Xen's later copy at full rate.
    """

    minimum_bps: float | None = None
    """Rate of the first round; later ones are sent as fast as the guest dirtied in the last one, and ``step_bps``."""
    step_bps: float = 6.25e6
    maximum_bps: float = math.inf
    """A round that would have to go faster is the last."""
    last_bps: float = math.inf
    """Rate of the last round, while the guest stands still."""
    resume_s: float | None = None
    """From the last byte until the guest runs at the destination; None: as QEMU's device state."""
    few_b: float = 50 * 4096
    """Stop when a round leaves less than this (50 pages; 256 KiB in 2005)."""
    rounds: int = 29
    amount: float = 3.0
    """Stop when this many times the memory was sent."""
    hot_b: float = 0.0
    """Pages of the guest's system that are written again within any round."""
    skips: bool = False
    """Whether the first round passes over what was dirtied again before its turn; the next one sends it."""


CLARK_2005 = XenRules(
    minimum_bps=12.5e6, maximum_bps=62.5e6, last_bps=18.2e6 / 0.201, few_b=256 * 1024, hot_b=IDLE_WORKING_SET_B,
    resume_s=0.009, skips=True,
)  # fmt: skip
"""100 Mbit/s at first, 50 more than was dirtied after that, 500 at most; the last round at full speed: 18.2 MB in
201 ms, and 9 ms to start the guest (Clark et al., NSDI 2005; the 500 from memory)."""
XEN = XenRules(hot_b=IDLE_WORKING_SET_B, skips=True)
"""Xen up to 4.x (Akoush et al., MASCOTS 2010)."""


@dataclass(frozen=True, slots=True)
class LiveMigrationLimits:
    """Limits of one live migration; times count from the begin of the copy."""

    downtime: tuple[tuple[float, float], ...] = ((0.0, 0.3),)
    """Staircase of (from when, downtime limit in seconds); bare QEMU has one step of 300 ms."""
    completion_timeout_s: float = math.inf
    timeout_action: TimeoutAction = "abort"
    permit_post_copy: bool = False
    post_copy_after_rounds: int | None = None
    """``virsh migrate --postcopy-after-precopy`` is 1; Nova never does it by itself."""
    throttling: Throttling | None = None
    """None: auto-converge is not permitted."""
    stream_bps: float = math.inf
    """What the migration's streams can carry in all (single stream, or its multifd channels together)."""
    block_stream_bps: float = math.inf
    """What the disks' stream can carry."""
    bandwidth_bps: float = math.inf
    """live_migration_bandwidth; not in force in post-copy."""
    zero_page_bps: float = math.inf
    """How fast zero pages are passed over."""
    device_state_s: float = 0.0
    """Part of the downtime that is not memory (T_dev)."""
    page_fault_s: float = 0.0005
    """Post-copy: wait for one page that is not there."""
    connection_lost_s: float = 30.0
    """Without a byte for this long the connection counts as lost."""
    slice_s: float = 0.05
    """QEMU looks at what remains after each such slice of sending; 0 looks all the time."""

    xen: XenRules | None = None
    """None: QEMU."""
    model: type[Rounds] | None = None
    """A model of one's own; it comes before QEMU's and Xen's."""

    caps_bps: dict[Stage, float] = field(init=False, repr=False, compare=False)
    """The most that a copy can use in each stage."""
    timeouts_s: dict[Stage, float] = field(init=False, repr=False, compare=False)
    """When Nova gives up a copy that is in that stage."""

    def __post_init__(self) -> None:
        if not self.downtime[0][1] > 0:
            raise ValueError("a downtime limit must be more than nothing: with none the guest never stops")
        memory_bps = min(self.stream_bps, self.bandwidth_bps)
        caps_bps = {
            Stage.DISK: min(self.block_stream_bps, self.bandwidth_bps), Stage.SCAN: 0.0, Stage.ROUNDS: memory_bps,
            Stage.STOPPED: memory_bps, Stage.POSTCOPY: self.stream_bps, Stage.ENDED: 0.0,
        }  # fmt: skip
        timeouts_s = dict.fromkeys(Stage, self.completion_timeout_s) | {Stage.POSTCOPY: math.inf}
        if self.timeout_action == "force_complete" and self.permit_post_copy:
            timeouts_s[Stage.DISK] = math.inf  # tried again and again until memory is under way
        object.__setattr__(self, "caps_bps", caps_bps)
        object.__setattr__(self, "timeouts_s", timeouts_s)

    def downtime_at(self, elapsed_s: float) -> tuple[float, float]:
        """The downtime limit in force so long after the begin, and until when; seconds."""
        now = self.downtime[0][1]
        for since, value in self.downtime:
            if since > elapsed_s:
                return now, since
            now = value
        return now, math.inf


def data_gb(memory_mb: int, disks_b: Sequence[float] = ()) -> float:
    """Nova's size of a migration: memory and each copied disk in GiB, each at least 2."""
    return max(2.0, memory_mb / 1024) + sum(max(2.0, disk / GIB) for disk in disks_b)


def downtime_steps(downtime_ms: int, steps: int, delay_s: int, size_gb: float) -> tuple[tuple[float, float], ...]:
    """Nova's staircase of the downtime limit, in seconds.

    ``steps`` equal steps from downtime/steps up to downtime, one each int(delay * size) s.
    """
    delay = int(delay_s * size_gb)
    base = downtime_ms / steps
    rise = (downtime_ms - base) / steps
    return tuple((float(delay * i), int(base + rise * i) / 1000) for i in range(steps + 1))
