"""What Nova, libvirt and QEMU allow a live migration."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from sim.units import GIB

TimeoutAction = Literal["abort", "force_complete"]


@dataclass(frozen=True, slots=True)
class Throttling:
    """QEMU's auto-converge. At a bitmap sync more than 1 s after the last judged one, a period in which more than half as
    many bytes were dirtied as sent is high; every ``periods`` high ones the vCPUs are throttled further."""  # fmt: skip

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


def data_gb(memory_mb: int, disks_b: Sequence[float] = ()) -> float:
    """Nova's size of a migration: memory and each copied disk in GiB, each at least 2."""
    return max(2.0, memory_mb / 1024) + sum(max(2.0, disk / GIB) for disk in disks_b)


def downtime_steps(downtime_ms: int, steps: int, delay_s: int, size_gb: float) -> tuple[tuple[float, float], ...]:
    """Nova's staircase of the downtime limit, in seconds: ``steps`` equal steps from downtime/steps up to downtime, one
    each int(delay * size) s."""  # fmt: skip
    delay = int(delay_s * size_gb)
    base = downtime_ms / steps
    rise = (downtime_ms - base) / steps
    return tuple((float(delay * i), int(base + rise * i) / 1000) for i in range(steps + 1))
