"""How much of each run to leave out: found from pilot runs, by MSER-5 on what the cloud carries over time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from sim.errors import InputError, Issue
from sim.eventlog import records as r
from sim.experiments.driver import Driver, Progress
from sim.experiments.executors import Executor
from sim.experiments.experiment import Experiment
from sim.experiments.stats.intervals import Floats
from sim.experiments.stats.warmup import mser5
from sim.experiments.store import Store
from sim.runs.result import Result

PILOTS = 5
"""Replications of each variant that are averaged: their luck hides the warm-up less than that of one."""
POINTS = 200
SERIES = ("memory", "moving")


def check_durations(experiment: Experiment) -> None:
    """InputError where a run ends when nothing is under way: it never comes to a steady state."""
    if any(experiment.scenario(variant).run.duration is None for variant in experiment.variants):
        right = "add one, like --set 'run.duration=2 d'"
        raise InputError([Issue("--warm-up auto", "the scenario has no run.duration, so no steady state", right)])


def find_warm_up(
    experiment: Experiment, store: Store, executor: Executor, on_progress: Callable[[Progress], None] | None = None
) -> float:
    """Seconds after which memory held and migrations under way have come to rest, in all variants.

    InputError where a run has no fixed duration, or has not come to rest in half of it.
    """
    check_durations(experiment)
    pilot = replace(experiment, replications=PILOTS, until=None, warm_up=0.0)
    driver = Driver(pilot, store, executor, measurement=load_over_time, on_progress=on_progress)
    driver.run()
    sums: dict[tuple[str, str], Floats] = {}
    counts: dict[str, int] = {}
    for outcome in driver.outcomes(PILOTS):
        if outcome.failed:
            continue
        counts[outcome.variant] = counts.get(outcome.variant, 0) + 1
        for name in SERIES:
            values = np.array([outcome.values[f"{name}_{i}"] for i in range(POINTS)], dtype=np.float64)
            sums[outcome.variant, name] = sums.get((outcome.variant, name), np.zeros(POINTS)) + values
    latest = 0.0
    for variant in experiment.variants:
        duration = experiment.scenario(variant).run.duration or 0.0
        for name in SERIES if variant.name in counts else ():
            cut = mser5(sums[variant.name, name] / counts[variant.name])
            if cut is None:
                what = f"{name} does not come to rest within {duration / 2:g} s, half of the run"
                raise InputError([Issue(f"--warm-up auto ({variant.name})", what, "run for longer, or name a time")])
            latest = max(latest, cut * duration / POINTS)
    return latest


def load_over_time(result: Result) -> dict[str, float]:
    """Memory held on hosts (MB) and migrations under way: the mean of each in equal parts of a run."""
    end = float(result.manifest["simulated_s"])
    held: dict[tuple[str, str], int] = {}
    moving: set[int] = set()
    memory, count = _Level(), _Level()
    for record in result.records():
        if isinstance(record, r.ServersPresent):
            memory = _Level(float(sum(_held_at_start(record, held, result))))
        elif isinstance(record, r.Claimed):
            held[record.consumer, record.host] = record.memory_mb
            memory.change(record.t, record.memory_mb)
        elif isinstance(record, r.Released):
            memory.change(record.t, -held.pop((record.consumer, record.host), 0))
        elif isinstance(record, r.ClaimMoved):
            held[record.new_consumer, record.host] = held.pop((record.consumer, record.host), 0)
        elif isinstance(record, r.MigrationState):
            before = len(moving)
            (moving.discard if record.status in _ENDED else moving.add)(record.migration)
            count.change(record.t, len(moving) - before)
    series = dict(zip(SERIES, (memory.means(end), count.means(end)), strict=True))
    return {f"{name}_{i}": float(value) for name, means in series.items() for i, value in enumerate(means)}


_ENDED = frozenset({"completed", "confirmed", "done", "reverted", "cancelled", "failed", "error", "finished"})


def _held_at_start(record: r.ServersPresent, held: dict[tuple[str, str], int], result: Result) -> list[int]:
    flavors = next(one for one in result.records() if isinstance(one, r.FlavorsPresent))
    sizes = dict(zip(flavors.flavor, flavors.memory_mb, strict=True))
    for server, host, flavor, holds in zip(record.server, record.host, record.flavor, record.holds, strict=True):
        if holds and host is not None:
            held[server, host] = sizes[flavor]
    return list(held.values())


class _Level:
    """A quantity that is constant between changes."""

    def __init__(self, start: float = 0.0) -> None:
        self._times, self._levels = [0.0], [start]

    def change(self, t: float, by: float) -> None:
        """It changes by so much at ``t``."""
        self._times.append(t)
        self._levels.append(self._levels[-1] + by)

    def means(self, end: float) -> Floats:
        """Its mean in each of ``POINTS`` equal parts of the time until ``end``."""
        times = np.minimum(np.array([*self._times, end]), end)
        area = np.concatenate([[0.0], np.cumsum(np.array(self._levels) * np.diff(times))])
        edges = np.linspace(0.0, end, POINTS + 1)
        return np.asarray(np.diff(np.interp(edges, times, area)) / (end / POINTS), dtype=np.float64)
