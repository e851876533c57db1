"""Runs in this very process, one after the other."""

from __future__ import annotations

from collections.abc import Iterator

from sim.experiments.executors import Texts
from sim.experiments.outcome import Outcome, Task
from sim.experiments.work import code, perform


class Inline:
    """For a few runs, and for looking at them with a debugger."""

    size = 1

    def run(self, tasks: Iterator[Task], texts: Texts) -> Iterator[Outcome]:
        """Make the runs in order."""
        for task in tasks:
            yield perform(task, texts(task.scenario), code())

    def close(self) -> None:
        """Nothing is held."""
