"""Runs in processes of this machine.

Each worker is a fresh interpreter with a socket to the driver: it imports nothing of the program that started it, so
that notebooks and scripts without a guard may use it. A worker that dies takes one run with it; that run is tried once
more in a new one. When the driver dies, its workers see the socket close and end after the run that they are at.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from multiprocessing.connection import Connection, wait

from sim.experiments.executors import Texts
from sim.experiments.outcome import Outcome, Task, failure
from sim.experiments.work import code

TRIES = 2
"""How often a run is tried whose worker dies."""


class _Worker:
    """A process and the run it is at."""

    def __init__(self) -> None:
        here, there = socket.socketpair()
        command = [sys.executable, "-m", "sim.experiments.executors.worker", str(there.fileno())]
        # Tables are not made here, and numpy has little to do: one thread each leaves the cores to the runs.
        settings = dict.fromkeys(("POLARS_MAX_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
        settings["PYTHONPATH"] = os.pathsep.join(filter(None, sys.path))  # measurements may come from anywhere
        self.process = subprocess.Popen(
            command, pass_fds=[there.fileno()], stdin=subprocess.DEVNULL, env={**os.environ, **settings}
        )
        there.close()
        self.line: Connection = Connection(here.detach())
        self.task: Task | None = None
        self._last = ""

    def give(self, task: Task, texts: Texts) -> None:
        """Set it to work; many runs of one scenario send it once."""
        self.task = task
        text = None if task.scenario == self._last else texts(task.scenario)
        self._last = task.scenario
        self.line.send((task, text, code()))

    def end(self) -> int:
        """Stop it and say how it ended."""
        self.line.close()
        self.process.kill()
        return self.process.wait()


class Processes:
    """``size`` workers, started when first needed."""

    def __init__(self, size: int | None = None) -> None:
        self.size = size or len(os.sched_getaffinity(0))
        self._workers: list[_Worker] = []

    def run(self, tasks: Iterator[Task], texts: Texts) -> Iterator[Outcome]:
        """Make the runs. Each worker has one at a time."""
        again: list[Task] = []
        tries: dict[str, int] = {}

        def following() -> Task | None:
            return again.pop() if again else next(tasks, None)

        while True:
            for worker in self._idle():
                task = following()
                if task is None:
                    break
                self._give(worker, task, texts)
            busy = {worker.line: worker for worker in self._workers if worker.task is not None}
            if not busy:
                return
            for line in wait(list(busy)):
                assert isinstance(line, Connection)
                worker = busy[line]
                task = worker.task
                assert task is not None
                worker.task = None
                try:
                    yield line.recv()
                except (EOFError, ConnectionError):
                    self._workers.remove(worker)
                    code_ = worker.end()
                    tries[task.key] = tries.get(task.key, 0) + 1
                    if tries[task.key] < TRIES:
                        again.append(task)
                    else:
                        yield failure(task, "worker", _death(code_))

    def _idle(self) -> Iterator[_Worker]:
        """Workers without a run; new ones while there are too few."""
        yield from [worker for worker in self._workers if worker.task is None]
        while len(self._workers) < self.size:
            worker = _Worker()
            self._workers.append(worker)
            yield worker

    def _give(self, worker: _Worker, task: Task, texts: Texts) -> None:
        try:
            worker.give(task, texts)
        except OSError:  # it died idle; its line now says so, and the task is tried again
            return

    def close(self) -> None:
        """Kill the workers."""
        for worker in self._workers:
            worker.end()
        self._workers.clear()


def _death(code_: int) -> str:
    text = f"was killed by signal {-code_}" if code_ < 0 else f"ended with {code_}"
    hint = "; the kernel does so when memory runs out" if code_ == -9 else ""
    return f"its worker {text}, {TRIES} times{hint}"
