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
from collections import deque
from collections.abc import Iterator
from multiprocessing.connection import Connection, wait
from pathlib import Path

from sim.experiments.executors import Texts
from sim.experiments.outcome import Outcome, Task, failure
from sim.experiments.work import code

AHEAD = 2
"""Runs that a worker has been given: one under way, one waiting beside it, so that it never waits for the driver."""
TRIES = 2
"""How often a run is tried whose worker dies."""


class _Worker:
    """A process and the runs that it has been given, the one it is at first."""

    def __init__(self) -> None:
        here, there = socket.socketpair()
        # -P: a file sim.py where novasim is started is not this package. A driver that looks there itself says so: "".
        command = [sys.executable, "-P", "-m", "sim.experiments.executors.worker", str(there.fileno())]
        # Tables are not made here, and numpy has little to do: one thread each leaves the cores to the runs.
        settings = dict.fromkeys(("POLARS_MAX_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
        # Measurements may come from anywhere.
        settings["PYTHONPATH"] = os.pathsep.join(path or str(Path.cwd()) for path in sys.path)
        self.process = subprocess.Popen(
            command, pass_fds=[there.fileno()], stdin=subprocess.DEVNULL, env={**os.environ, **settings}
        )
        there.close()
        self.line: Connection = Connection(here.detach())
        self.tasks: deque[Task] = deque()
        self._last = ""

    def give(self, task: Task, texts: Texts) -> None:
        """Set it to work; many runs of one scenario send it once."""
        self.tasks.append(task)
        text = None if task.scenario == self._last else texts(task.scenario)
        self._last = task.scenario
        try:
            self.line.send((task, text, code()))
        except OSError:  # it has died, as its line is about to say; the task is tried again
            return

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

    @property
    def pids(self) -> list[int]:
        """The processes that there are now."""
        return [worker.process.pid for worker in self._workers]

    def run(self, tasks: Iterator[Task], texts: Texts) -> Iterator[Outcome]:
        """Make the runs. Each worker has one under way, and the next beside it."""
        again: deque[Task] = deque()
        tries: dict[str, int] = {}
        while True:
            self._fill(again, tasks, texts)
            busy = {worker.line: worker for worker in self._workers if worker.tasks}
            if not busy:
                return
            for line in wait(list(busy)):
                assert isinstance(line, Connection)
                worker = busy[line]
                try:
                    outcome = line.recv()
                except (EOFError, ConnectionError):
                    self._workers.remove(worker)
                    died = worker.end()
                    task = worker.tasks.popleft()
                    again.extend(worker.tasks)
                    tries[task.key] = tries.get(task.key, 0) + 1
                    if tries[task.key] < TRIES:
                        again.append(task)
                        continue
                    outcome = failure(task, "worker", _death(died))
                else:
                    worker.tasks.popleft()
                    self._fill(again, tasks, texts)  # before the caller takes its time over the outcome
                yield outcome

    def _fill(self, again: deque[Task], tasks: Iterator[Task], texts: Texts) -> None:
        """Give every worker something to do, those with the least first; new workers while there are too few."""
        while True:
            idlest = min(self._workers, key=lambda worker: len(worker.tasks), default=None)
            if idlest is None or (idlest.tasks and len(self._workers) < self.size):
                idlest = None
            elif len(idlest.tasks) >= AHEAD:
                return
            task = again.popleft() if again else next(tasks, None)
            if task is None:
                return
            if idlest is None:
                idlest = _Worker()
                self._workers.append(idlest)
            idlest.give(task, texts)

    def close(self) -> None:
        """Kill the workers."""
        for worker in self._workers:
            worker.end()
        self._workers.clear()


def _death(died: int) -> str:
    text = f"was killed by signal {-died}" if died < 0 else f"ended with {died}"
    hint = "; the kernel does so when memory runs out" if died == -9 else ""
    return f"its worker {text}, {TRIES} times{hint}"
