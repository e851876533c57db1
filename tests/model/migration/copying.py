"""Helpers of the tests of copies: drive one through a constant rate, or page by page."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from sim.model.migration.limits import LiveMigrationLimits
from sim.model.migration.memory import GuestMemory
from sim.model.migration.precopy import PreCopy

GIB, MIB = 2**30, 2**20
GBE = 117.7e6
"""Payload of 1 GbE, bytes per second."""


def drive(copy: PreCopy, rate_bps: float, until_s: float = math.inf) -> float:
    """Let it run at a rate (or its cap, if lower) to its end or ``until_s``; seconds from the begin."""
    while not copy.finished and copy.elapsed_s < until_s:
        rate = min(rate_bps, copy.cap_bps)
        span = copy.next_change(rate)
        left = until_s - copy.elapsed_s
        if math.isinf(span) and math.isinf(left):
            return math.inf
        copy.advance(min(span, left), rate)
    return copy.elapsed_s


def reach(copy: PreCopy, stage: str, rate_bps: float, step_s: float = 0.01, most_s: float = 5000.0) -> None:
    """Small steps until it stands in that stage."""
    while copy.stage != stage:
        copy.advance(step_s, min(rate_bps, copy.cap_bps))
        assert not copy.finished, f"ended as {copy.outcome} before it was {stage}"
        assert copy.elapsed_s < most_s, f"never {stage}"


def pages(
    memory: GuestMemory, limit_s: float, rate_bps: float, *, slice_s: float = 0.05, page: int = 4096
) -> dict[str, float]:
    """A pre-copy page by page, in steps of a millisecond.

    A bitmap, a sender that walks it, a guest that writes the pages of its working set in some order, over and over: its
    hot ones once a second, the others at its rate. It shares nothing with the model but the question.
    """
    count = int(memory.nonzero_b // page)
    order = np.random.default_rng(1).permutation(count)[: int(memory.working_set_b // page)]
    system, order = np.split(order, [int(memory.hot_b // page)])
    hot = len(order)
    to_send = np.ones(count, dtype=bool)
    written = np.zeros(count, dtype=bool)
    step = 0.001
    send, write = rate_bps * step / page, memory.dirty_bps * step / page
    budget = pen = 0.0
    at, sent, ticks, rounds = 0, 0, 0, 0
    per_slice = round(slice_s / step)
    while True:
        for _ in range(per_slice):
            ticks += 1
            budget += send
            while budget >= 1 and to_send.any():
                ahead = to_send[at:].nonzero()[0][: int(budget)]
                if not len(ahead):
                    at = 0
                    continue
                to_send[at + ahead] = False
                at += int(ahead[-1]) + 1
                sent += len(ahead)
                budget -= len(ahead)
            first, pen = int(pen), pen + write
            for number in range(first, min(int(pen), first + hot)):
                written[order[number % hot]] = True
            turn = ticks % 1000 * len(system) / 1000
            written[system[int(turn) : int(turn + len(system) / 1000 + 1e-9)]] = True
            if not to_send.any():
                break
        if to_send.sum() * page <= limit_s * rate_bps:
            to_send |= written
            written[:] = False
            rounds += 1
            left = int(to_send.sum())
            if left * page <= limit_s * rate_bps:
                return {
                    "total": ticks * step + left * page / rate_bps, "downtime": left * page / rate_bps,
                    "sent": (sent + left) * page, "rounds": rounds,
                }  # fmt: skip
            if ticks * step > 60:
                return {"total": math.inf, "downtime": math.inf, "sent": math.inf, "rounds": rounds}


def guest(ram: float = 4 * GIB, nonzero: float | None = None, dirty: float = 0.0, working_set: float | None = None,
          **more: Any) -> GuestMemory:  # fmt: skip
    """A guest's memory; all of it non-zero and writable unless said otherwise."""
    return GuestMemory(
        ram, ram if nonzero is None else nonzero, dirty, ram if working_set is None else working_set, **more
    )


def bare(limit_s: float = 0.3, **more: Any) -> LiveMigrationLimits:
    """QEMU without Nova: one downtime limit."""
    return LiveMigrationLimits(downtime=((0.0, limit_s),), **more)
