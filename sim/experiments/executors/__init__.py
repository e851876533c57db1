"""Where runs are made: this process, processes of this machine, a Dask cluster. The results are the same everywhere."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Protocol

from sim.experiments.outcome import Outcome, Task

Texts = Callable[[str], bytes]
"""A scenario's digest → the packed scenario."""


class Executor(Protocol):
    """Makes runs; they come back in any order."""

    @property
    def size(self) -> int:
        """How many runs it makes at once, now."""

    def run(self, tasks: Iterator[Task], texts: Texts) -> Iterator[Outcome]:
        """Make the runs. Takes tasks as it has room for them, so that there may be any number."""

    def close(self) -> None:
        """Let go of everything; what is under way is lost."""
