"""Rows that were measured on QEMU or Xen without Nova: the same copies over the same network model, and no more."""

from __future__ import annotations

import math
import re
from bisect import bisect
from collections.abc import Mapping
from typing import TypeVar

import simpy

from sim.experiments.validation.rows import Row
from sim.experiments.validation.settings import (
    Memory,
    UnknownKindError,
    auto_converge,
    channels,
    downtime_limit_s,
    link_bps,
    memory_of_row,
    order_at,
    rate,
    timings_of,
    xen_rules,
)
from sim.kernel.streams import Streams
from sim.model.migration.limits import LiveMigrationLimits
from sim.model.migration.memory import GuestMemory, memory_of
from sim.model.migration.precopy import PreCopy
from sim.model.network.flows import Flows
from sim.model.network.topology import star
from sim.scenario.timings import Timings
from sim.units import GIB

T = TypeVar("T")
_SOON_ENOUGH_S = 7 * 86400.0
FLEET = 4000
"""Guests of a fleet that are migrated."""
_MIX = {"idle": 0.60, "web": 0.25, "database": 0.10, "in_memory": 0.04, "hog": 0.01}
"""Activity of a public cloud's guests: 60 % of Azure's VMs average below 20 % CPU (Cortez et al., SOSP 2017), taken as
idle; the split of the rest is assumed."""
_FLEET_LINK_BPS = 25e9 / 8
"""Assumed, above the 16 Gbit/s of egress that Google documents for one VM of 8 vCPUs (n1-standard-8)."""
_SIZES = {2: 0.12, 4: 0.16, 8: 0.37, 16: 0.20, 32: 0.12, 64: 0.03}
"""Memory in GiB of Azure's VMs of 2019 (AzurePublicDataset V2): 12 % up to 2, 16 % to 4, 37 % to 8, 32 % to 32, 3 % to
64."""


def samples(row: Row) -> list[float]:
    """What the row's metric is a statistic of, in seconds. Raises UnknownKindError with the reason."""
    what = row.metric.split("_")[0]
    if what not in {"total", "downtime"}:
        raise UnknownKindError(f"metric {row.metric!r} of a copy is not simulated; known are total and downtime")
    timings = timings_of(row)
    if "fleet" in row.kind.lower():
        return _fleet(row, timings, what)
    copy = migrate(memory_of_row(row), limits_of(row, timings), row, timings)
    if copy is None:
        raise UnknownKindError(
            "the copy does not end within a week: the guest dirties its memory about as fast as the link carries it"
        )
    return [copy.elapsed_s + copy.tail_s if what == "total" else copy.downtime_s]


def limits_of(row: Row, timings: Timings) -> LiveMigrationLimits:
    """What the row's QEMU allows."""
    lanes = channels(row)
    postcopy = re.search("post-?copy", row.kind.lower()) is not None
    by_order = order_at(row) is not None
    xen = xen_rules(row)
    device_s = timings.device_state.quantile(0.5) if xen is None or xen.resume_s is None else xen.resume_s
    return LiveMigrationLimits(
        downtime=((0.0, downtime_limit_s(row)),),
        post_copy_after_rounds=1 if postcopy and not by_order else None,
        permit_post_copy=postcopy,
        throttling=auto_converge(row),
        stream_bps=math.inf if xen else timings.stream * lanes,
        block_stream_bps=timings.block_stream,
        bandwidth_bps=rate(row, of_copy=True) or math.inf,
        zero_page_bps=timings.zero_page_bps(lanes) if "multifd" in row.kind.lower() else timings.zero_pages,
        device_state_s=device_s,
        page_fault_s=timings.page_fault,
        xen=xen,
    )


def migrate(memory: Memory, limits: LiveMigrationLimits, row: Row, timings: Timings) -> PreCopy | None:
    """One copy between two hosts on a switch; None if it does not end within a week."""
    ram_b = row.ram_b or 0.0
    guest = GuestMemory(
        ram_b, min(ram_b, memory.nonzero_b), memory.dirty_bps, min(ram_b, memory.working_set_b), hot_b=memory.hot_b
    )
    copy = PreCopy(guest, limits, row.disk_b)
    _run([copy], link_bps(row) * timings.link_efficiency, order_at(row))
    return copy if copy.outcome == "completed" else None


def _run(copies: list[PreCopy], payload_bps: float, order: tuple[str, float] | None = None) -> None:
    """All copies at once, each between two hosts of its own; and the order that is given to them."""
    env = simpy.Environment()
    flows = Flows(env, star([str(host) for host in range(2 * len(copies))], payload_bps))
    started = [flows.start(copy, 2 * number, 2 * number + 1) for number, copy in enumerate(copies)]
    if order is not None:
        if order[1] > 0:
            env.run(until=order[1])
        for flow, copy in zip(started, copies, strict=True):
            flows.command(flow, copy.force_complete)
    env.run(until=_SOON_ENOUGH_S)


def _fleet(row: Row, timings: Timings, what: str) -> list[float]:
    """Guests as a public cloud has them, on today's hosts."""
    streams = Streams(1)
    copies = []
    for number in range(FLEET):
        entity = str(number)
        activity = _one_of(_MIX, streams.uniform("activity", entity))
        ram_b = float(_one_of(_SIZES, streams.uniform("memory", entity))) * GIB
        limits = LiveMigrationLimits(
            downtime=((0.0, downtime_limit_s(row)),), stream_bps=timings.stream, zero_page_bps=timings.zero_pages,
            device_state_s=streams.draw(timings.device_state, "device_state", entity), completion_timeout_s=86400.0,
        )  # fmt: skip
        copies.append(PreCopy(memory_of(activity, ram_b), limits))
    _run(copies, (row.link_bps or _FLEET_LINK_BPS) * timings.link_efficiency)
    done = [copy for copy in copies if copy.outcome == "completed"]
    return [copy.downtime_s if what == "downtime" else copy.elapsed_s + copy.tail_s for copy in done]


def _one_of(shares: Mapping[T, float], luck: float) -> T:
    """An entry by its share."""
    names, edges, total = list(shares), [], 0.0
    for share in shares.values():
        total += share
        edges.append(total)
    return names[min(bisect(edges, luck), len(names) - 1)]
