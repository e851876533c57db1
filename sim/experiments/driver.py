"""Drives an experiment: gives its runs to an executor, keeps each as it comes back, stops when it is enough."""

from __future__ import annotations

import time
from array import array
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from msgspec.structs import replace

from sim.experiments.executors import Executor
from sim.experiments.experiment import Experiment
from sim.experiments.measures import COLUMNS
from sim.experiments.outcome import Measurement, Outcome, Task
from sim.experiments.seeds import seed_of
from sim.experiments.stats.intervals import Floats
from sim.experiments.store import Store
from sim.experiments.variants import Variant
from sim.experiments.work import code, key_of, pack
from sim.scenario.loader import digest

_CACHE = 4
"""Packed scenarios in memory."""


class Progress(NamedTuple):
    """Where an experiment stands, for whoever watches it."""

    done: int
    """Runs finished, now or before, failed ones too."""
    failed: int
    found: int
    """Of them, how many were on disk already."""
    total: int
    """Runs asked for until the next look; in all, if there is no wanted precision."""
    most: int
    """Runs if no look says that it is enough."""
    rate: float
    """Runs per wall second, lately."""
    left_s: float
    """Wall seconds until ``total``; NaN while nothing is known."""


@dataclass(frozen=True, slots=True)
class Finished:
    """How an experiment ended."""

    replications: int
    """Of each variant."""
    runs: int
    failed: int
    found: int
    precise: bool
    """Whether the wanted precision was reached; True where none was asked for."""


class Driver:
    """One experiment, one folder, one executor."""

    def __init__(
        self,
        experiment: Experiment,
        store: Store,
        executor: Executor,
        *,
        measurement: Measurement | None = None,
        keep: bool = False,
        on_progress: Callable[[Progress], None] | None = None,
    ) -> None:
        self.experiment, self.store, self.executor = experiment, store, executor
        self._measurement, self._keep, self._on_progress = measurement, keep, on_progress
        self._digests: dict[str, str] = {}
        self._packed: dict[str, bytes] = {}
        self._variants = {variant.name: variant for variant in experiment.variants}
        self._values: dict[tuple[str, str], array[float]] = {}
        self._done = self._failed = self._found = 0
        self._started = time.perf_counter()

    def run(self) -> Finished:
        """Make all runs that are not on disk; ends where the experiment says that it is enough."""
        experiment = self.experiment
        self.store.describe(self.description())
        replications, precise = 0, False
        self._started = time.perf_counter()
        for look in experiment.looks():
            self._wave(replications, look)
            replications = look
            precise = experiment.until is None or experiment.until.met(self._column, list(self._variants))
            if precise or self._hopeless():
                break
        self.store.describe({**self.description(), "made": replications, "precise": precise})
        self.store.tabulate(self.outcomes(replications), self._columns(replications))
        return Finished(replications, self._done, self._failed, self._found, precise)

    def description(self) -> dict[str, Any]:
        """What is asked for, as JSON; with it the folder stands for itself."""
        made = self.experiment
        return {
            "name": made.name, "scenario": made.source, "sets": list(made.sets), "seed": made.seed,
            "replications": made.replications,
            "until": [one.text for one in made.until.wanted] if made.until else None,
            "warm_up_s": made.warm_up, "design": str(made.design), "code": code(),
            "axes": [{"path": axis.path, "values": list(axis.values), "low": axis.span.low, "high": axis.span.high,
                      "unit": axis.span.unit, "whole": axis.span.whole, "log": axis.span.log} if axis.span else
                     {"path": axis.path, "values": list(axis.values)} for axis in made.axes],
            "variants": [{"name": v.name, "settings": list(v.settings), "values": dict(v.values),
                          "scenario_digest": self._digest(v)} for v in made.variants],
        }  # fmt: skip

    def outcomes(self, replications: int) -> Iterator[Outcome]:
        """The finished runs in order: by variant, then by replication."""
        for task in self._tasks(0, replications):
            found = self._kept(task)
            if found is not None:
                yield found

    # --- within

    def _wave(self, after: int, until: int) -> None:
        """Make the replications after one number until another, of all variants."""
        self._tell(until)

        def missing() -> Iterator[Task]:
            for task in self._tasks(after, until):
                found = self._kept(task)
                if found is None or found.stage == "worker":  # a worker's death is no result
                    yield task
                else:
                    self._found += 1
                    self._take(found)

        for outcome in self.executor.run(missing(), self._text):
            self.store.put(outcome)
            self._take(outcome)
            self._tell(until)
        self._tell(until)

    def _kept(self, task: Task) -> Outcome | None:
        """What came of a run, under the name it has now: the same scenario may have been another variant before."""
        found = self.store.get(task.key)
        if found is None:
            return None
        return replace(found, variant=task.variant, replication=task.replication, command=task.command)

    def _tasks(self, after: int, until: int) -> Iterator[Task]:
        experiment = self.experiment
        warm_up = experiment.warm_up if isinstance(experiment.warm_up, float) else 0.0
        name = "" if self._measurement is None else f"{self._measurement.__module__}.{self._measurement.__qualname__}"
        for variant in experiment.variants:
            found = self._digest(variant)
            for replication in range(after + 1, until + 1):
                seed = seed_of(experiment.seed, replication)
                key = key_of(found, seed, warm_up, name, self._keep)
                keep = str(self.store.run_folder(key)) if self._keep else None
                yield Task(key, variant.name, replication, seed, found, experiment.command(variant, seed), warm_up,
                           self._measurement, keep)  # fmt: skip

    def _digest(self, variant: Variant) -> str:
        if variant.name not in self._digests:
            scenario = self.experiment.scenario(variant)
            found = self._digests[variant.name] = digest(scenario)
            self._hold(found, pack(scenario))
        return self._digests[variant.name]

    def _text(self, wanted: str) -> bytes:
        """The packed scenario of a digest."""
        if wanted not in self._packed:
            name = next(name for name, found in self._digests.items() if found == wanted)
            self._hold(wanted, pack(self.experiment.scenario(self._variants[name])))
        return self._packed[wanted]

    def _hold(self, found: str, text: bytes) -> None:
        while len(self._packed) >= _CACHE:
            self._packed.pop(next(iter(self._packed)))
        self._packed[found] = text

    def _take(self, outcome: Outcome) -> None:
        """One more run is finished; only what the wanted precision looks at is remembered."""
        self._done += 1
        self._failed += outcome.failed
        until = self.experiment.until
        if until is not None and not outcome.failed:
            for column in until.columns:
                values = self._values.setdefault((outcome.variant, column), array("d"))
                value = outcome.values.get(column)
                values.append(float("nan") if value is None else value)

    def _column(self, variant: str, column: str) -> Floats:
        # Sorted, because a sum must not depend on which run came back first.
        return np.sort(np.array(self._values.get((variant, column), array("d"))))

    def _hopeless(self) -> bool:
        """Whether no run of some variant has measured what is to be known: as many more would not either."""
        until = self.experiment.until
        return until is not None and any(
            not np.isfinite(self._column(name, column)).any() for name in self._variants for column in until.columns
        )

    def _columns(self, replications: int) -> list[str]:
        found = next((one for one in self.outcomes(replications) if not one.failed), None)
        return list(found.values if found is not None else COLUMNS)

    def _tell(self, until: int) -> None:
        if self._on_progress is None:
            return
        total = until * len(self._variants)
        made = self._done - self._found
        rate = made / max(time.perf_counter() - self._started, 1e-9)
        left = (total - self._done) / rate if made else float("nan")
        most = self.experiment.replications * len(self._variants)
        self._on_progress(Progress(self._done, self._failed, self._found, total, most, rate, left))
