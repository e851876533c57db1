"""Runs that cost nothing: their numbers come from their seeds, and they return in any order."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from sim.experiments.executors import Texts
from sim.experiments.measures import COLUMNS
from sim.experiments.outcome import Outcome, Task, failure


def numbers(task: Task) -> dict[str, float | None]:
    """A lognormal makespan that the seed decides and the variant shifts; all else nothing."""
    luck = np.random.default_rng(task.seed)
    values: dict[str, float | None] = dict.fromkeys(COLUMNS, 0.0)
    shift = float(task.scenario[:4].encode()[0])
    return {**values, "makespan_s": float(100.0 * luck.lognormal(0.0, 0.3) + shift), "downtime_p95_s": None}


class Luck:
    """An executor that makes numbers, not runs; ``order`` is the seed of the order in which they come back."""

    size = 4

    def __init__(self, order: int = 0, fails: int | None = None, remember: bool = True) -> None:
        self._order = np.random.default_rng(order)
        self._fails, self._remember = fails, remember
        self.made: list[tuple[str, int]] = []

    def run(self, tasks: Iterator[Task], texts: Texts) -> Iterator[Outcome]:
        """Make the numbers; eight are under way at once."""
        held: list[Task] = []
        while True:
            while len(held) < 8 and (task := next(tasks, None)) is not None:
                held.append(task)
            if not held:
                return
            yield self._outcome(held.pop(int(self._order.integers(len(held)))))

    def _outcome(self, task: Task) -> Outcome:
        if self._remember:
            self.made.append((task.variant, task.replication))
        if task.replication == self._fails:
            return failure(task, "run", "ValueError: bad luck")
        return Outcome(
            key=task.key, variant=task.variant, replication=task.replication, seed=task.seed, scenario=task.scenario,
            command=task.command, log_digest="0" * 64, values=numbers(task),
        )  # fmt: skip

    def close(self) -> None:
        """Nothing is held."""
