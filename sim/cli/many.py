"""What the commands of many runs share: where runs are made, and how far they are."""

from __future__ import annotations

import json
import sys
import time
from typing import TYPE_CHECKING, Annotated, Any, Self

import typer

from sim.units import format_seconds

if TYPE_CHECKING:
    from sim.experiments.driver import Progress
    from sim.experiments.executors import Executor

Workers = Annotated[int | None, typer.Option(help="Processes; default: one for each core.", min=1, show_default=False)]
Dask = Annotated[str | None, typer.Option(help="Run on a Dask cluster: tcp://HOST:PORT of its scheduler, or local.")]

_EVERY_S = 30.0
"""Wall seconds between two lines where no terminal shows a bar."""


def print_json(what: Any) -> None:
    """Print plain data as JSON, which has no word for NaN: null stands for it."""
    numbers = json.loads(json.dumps(what, ensure_ascii=False), parse_constant=lambda _: None)
    print(json.dumps(numbers, indent=1, ensure_ascii=False))


def make_executor(workers: int | None, dask: str | None) -> Executor:
    """Processes of this machine, or a cluster."""
    if dask is not None:
        from sim.experiments.executors.dask import Dask as Cluster

        return Cluster(dask, workers)
    from sim.experiments.executors.processes import Processes

    return Processes(workers)


class Line:
    """One line about long work: it changes on a terminal, else it is printed on standard error every half minute."""

    def __init__(self) -> None:
        self._said = time.perf_counter()
        self._live = None
        if sys.stderr.isatty():
            from rich.console import Console
            from rich.live import Live

            self._live = Live(console=Console(stderr=True), refresh_per_second=5, transient=True)
            self._live.start()

    def say(self, words: str, done: int = 0, total: int = 0) -> None:
        """The words, beside a bar if there is a ``total``."""
        if self._live is None:
            if time.perf_counter() - self._said >= _EVERY_S:
                self._said = time.perf_counter()
                print(words, file=sys.stderr, flush=True)
            return
        from rich.progress_bar import ProgressBar
        from rich.table import Table

        row = Table.grid(padding=(0, 2))
        row.add_row(*([ProgressBar(total=total, completed=done, width=30)] if total else []), words)
        self._live.update(row)

    def close(self) -> None:
        """The line goes."""
        if self._live is not None:
            self._live.stop()


class RunsLine(Line):
    """The line about runs; as a context it closes itself, and tells of an interruption, which ends with 130."""

    def __init__(self) -> None:
        super().__init__()
        self.last: Progress | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self.close()
        if kind is KeyboardInterrupt:
            done = f"{self.last.done:,} of {self.last.total:,} runs are" if self.last else "nothing is"
            print(f"interrupted: {done} finished and kept; the same command continues", file=sys.stderr)
            raise typer.Exit(130)

    def update(self, progress: Progress) -> None:
        """Called after each run."""
        self.last = progress
        self.say(_words(progress), progress.done, max(progress.total, 1))


def _words(progress: Progress) -> str:
    text = f"{progress.done:,}/{progress.total:,} runs"
    if progress.most > progress.total:
        text += f" (at most {progress.most:,})"
    text += f", {progress.failed:,} failed, {progress.rate:.1f} runs/s"
    if progress.done < progress.total and progress.left_s == progress.left_s:
        text += f", about {format_seconds(progress.left_s)} to go"
    return text
