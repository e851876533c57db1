"""Where the constants of the timing profiles come from: least squares on the rows marked for fitting, no others.

A profile's stages cannot be told apart by totals. Their sum is what is fitted; it is split as the default profile
splits it. What of a live migration's set-up is nova-compute's own part is known from one cloud whose times were read
from nova-compute's log, and taken for all.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares

from sim.experiments.validation.qemu_bench import limits_of, migrate
from sim.experiments.validation.rows import Row
from sim.experiments.validation.settings import Memory, memory_of_row, profile_of, timings_of
from sim.model.migration.limits import LiveMigrationLimits, data_gb, downtime_steps
from sim.model.migration.memory import ACTIVITIES
from sim.scenario.timings import Timings, load_profile
from sim.units import MIB

CONTROL = ("api", "conductor", "scheduler", "pre_check")
"""Stages of a live migration before nova-compute on the source takes it."""
COMPUTE = ("pre_live_migration", "live_start", "live_finish")
"""Stages on the source's account: under its limit of migrations at once."""
RESIZE = ("api", "conductor", "scheduler", "prep_resize", "shutdown", "resize_disk", "finish_resize")
CONFIRM = ("api", "confirm")


@dataclass(frozen=True, slots=True)
class Constant:
    """One fitted number: what the fit says, what the shipped profile holds."""

    name: str
    fitted: float
    shipped: float
    unit: str


@dataclass(frozen=True, slots=True)
class Fit:
    """One fit: its constants, and how well they give back the rows that they come from."""

    profile: str
    constants: tuple[Constant, ...]
    residuals: tuple[tuple[str, float], ...]
    """Row → (fitted - measured) / measured."""
    left_out: tuple[tuple[str, float], ...] = ()
    """Row → its error when the constants are fitted to the other rows, where these still say what each of them is."""


def fits(rows: Sequence[Row]) -> list[Fit]:
    """All fits, on the rows with ``use`` fit. A profile none of whose rows is there is left out."""
    known = [row for row in rows if row.use == "fit"]
    made = [_zhaw(known), _osic(known), _rally(known), _hog(known)]
    return [fit for fit in made if fit is not None]


# --- one by one -------------------------------------------------------------------------------------------------------


def _zhaw(rows: Sequence[Row]) -> Fit | None:
    """nova-compute's own part of the set-up, and the speed of finding zero pages, from idle guests of two sizes."""
    own = _of("zhaw-1gbe-2014", rows)
    shipped = load_profile("zhaw-1gbe-2014")

    def total(row: Row, at: NDArray[np.float64]) -> float:
        compute_s, zero_bps = at[0], at[1] * 1e9
        return float(compute_s + _copy_s(row, shipped, stream=shipped.stream, zero=zero_bps))

    return _fitted("zhaw-1gbe-2014", own, total, (
        ("pre_live_migration + live_start + live_finish", 4.0, _mean(shipped, COMPUTE), "s"),
        ("zero_pages", 1.5, shipped.zero_pages / 1e9, "GB/s"),
    ))  # fmt: skip


def _osic(rows: Sequence[Row]) -> Fit | None:
    """Set-up and three streams from shared, tunnelled and block migrations of two sizes."""
    own = _of("osic-10gbe-2017", rows)
    shipped = load_profile("osic-10gbe-2017")

    def total(row: Row, at: NDArray[np.float64]) -> float:
        setup_s, stream, tunnelled, block = at[0], at[1] * 1e9, at[2] * 1e9, at[3] * 1e9
        rate = tunnelled if "tun-on" in row.kind else stream
        return float(setup_s + _copy_s(row, shipped, stream=rate, zero=shipped.zero_pages, block=min(block, rate)))

    return _fitted("osic-10gbe-2017", own, total, (
        ("all stages of the set-up", 7.0, shipped.live_setup_s, "s"),
        ("stream", 0.45, shipped.stream / 1e9, "GB/s"),
        ("tunnelled_stream", 0.2, shipped.tunnelled_stream / 1e9, "GB/s"),
        ("block_stream", 0.45, shipped.block_stream / 1e9, "GB/s"),
    ))  # fmt: skip


def _hog(rows: Sequence[Row]) -> Fit | None:
    """How fast ``stress`` dirties memory, from auto-converging migrations without Nova."""
    own = [row for row in _of("qemu-2016", rows) if "ac" in row.kind.lower().split()]

    def total(row: Row, at: NDArray[np.float64]) -> float:
        timings = timings_of(row)
        memory = memory_of_row(row)
        copy = migrate(
            Memory(at[0] * 1e9, memory.working_set_b, memory.nonzero_b), limits_of(row, timings), row, timings
        )
        return math.inf if copy is None else copy.elapsed_s + copy.tail_s

    return _fitted("qemu-2016", own, total, (("hog: dirty rate", 0.9, ACTIVITIES["hog"].dirty_bps / 1e9, "GB/s"),))


def _rally(rows: Sequence[Row]) -> Fit | None:
    """Sums of stages behind what a polling client saw, and how long one of its polls takes.

    A poll shows only that the action ended since the last one. The time of a poll is fitted to all rows, each action's
    duration is taken in the middle of the interval that its median shows.
    """
    own = _of("rally-2016", rows)
    shipped = load_profile("rally-2016")
    polling = shipped.polling
    if not own or polling is None:
        return None
    asked = [max(1, round((row.value - polling.first) / (polling.every + 0.15))) for row in own]
    values = np.array([row.value for row in own])

    def seen(call_s: float) -> NDArray[np.float64]:
        return np.array([polling.first + k * (polling.every + call_s) + call_s for k in asked])

    found = least_squares(lambda at: seen(at[0]) / values - 1, [0.15])
    call_s = float(found.x[0])
    constants = [Constant("polling.call", call_s, polling.call, "s")]
    stages = {"live": CONTROL + COMPUTE, "confirm": CONFIRM, "resize": RESIZE}
    for row, k in zip(own, asked, strict=True):
        word = next(word for word in stages if word in row.kind)
        middle = polling.first + (k - 0.5) * (polling.every + call_s)
        if word == "live":
            middle -= _copy_s(row, shipped, stream=shipped.stream, zero=shipped.zero_pages)
        constants.append(Constant(f"all stages: {word}", middle, _median(shipped, stages[word]), "s"))
    residuals = tuple((row.id, float(error)) for row, error in zip(own, seen(call_s) / values - 1, strict=True))
    return Fit("rally-2016", tuple(constants), residuals)


# --- what they share --------------------------------------------------------------------------------------------------


def _of(profile: str, rows: Sequence[Row]) -> list[Row]:
    return [row for row in rows if profile_of(row) == profile]


def _fitted(
    profile: str,
    rows: list[Row],
    total: Callable[[Row, NDArray[np.float64]], float],
    unknowns: tuple[tuple[str, float, float, str], ...],
) -> Fit | None:
    """Least squares of relative errors. ``unknowns`` are (name, first guess, shipped value, unit)."""
    if len(rows) < len(unknowns):
        return None

    def errors(at: NDArray[np.float64], those: list[Row]) -> NDArray[np.float64]:
        return np.array([total(row, at) / row.value - 1 for row in those])

    def solve(those: list[Row]) -> tuple[NDArray[np.float64], bool]:
        """The constants, and whether every one of them moves some of the rows."""
        guesses = [guess for _, guess, _, _ in unknowns]
        found = least_squares(lambda at: errors(at, those), guesses, bounds=(1e-3, math.inf), x_scale=guesses,
                              diff_step=1e-4)  # fmt: skip
        return found.x, len(those) >= len(unknowns) and bool(np.linalg.matrix_rank(found.jac) == len(unknowns))

    at, _ = solve(rows)
    left_out = []
    for row in rows:
        others, known = solve([other for other in rows if other is not row])
        if known:
            left_out.append((row.id, float(errors(others, [row])[0])))
    constants = tuple(
        Constant(name, float(value), shipped, unit)
        for (name, _, shipped, unit), value in zip(unknowns, at, strict=True)
    )
    residuals = tuple((row.id, float(error)) for row, error in zip(rows, errors(at, rows), strict=True))
    return Fit(profile, constants, residuals, tuple(left_out))


def _copy_s(row: Row, timings: Timings, *, stream: float, zero: float, block: float = math.inf) -> float:
    """Duration of a copy under Nova's defaults."""
    ram_b = row.ram_b or 0.0
    disks = (row.disk_b,) if row.disk_b else ()
    limits = LiveMigrationLimits(
        downtime=downtime_steps(500, 10, 75, data_gb(int(ram_b / MIB), disks)), stream_bps=stream,
        block_stream_bps=block, zero_page_bps=zero, device_state_s=timings.device_state.mean,
    )  # fmt: skip
    copy = migrate(memory_of_row(row), limits, row, timings)
    return math.inf if copy is None else copy.elapsed_s + copy.tail_s


def _mean(timings: Timings, stages: Sequence[str]) -> float:
    return math.fsum(getattr(timings, stage).mean for stage in stages)


def _median(timings: Timings, stages: Sequence[str]) -> float:
    return math.fsum(getattr(timings, stage).quantile(0.5) for stage in stages)
