"""Runs on a Dask cluster: ``--dask tcp://scheduler:8786``, or ``--dask local`` for one of this machine.

Dask gives the runs of a lost worker to others; one that has killed several workers is a failed run. Scenarios travel
to the cluster once each, results come back as they are; nothing is written there.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

from sim.errors import InputError, Issue, NovasimError
from sim.experiments.executors import Texts
from sim.experiments.extras import need
from sim.experiments.outcome import Outcome, Task, failure
from sim.experiments.work import code, perform

AHEAD = 2
"""Runs given to the cluster for each of its threads: one under way, one waiting beside it."""
_PATIENCE_S = 10
_TALKERS = ("distributed", "tornado.application", "asyncio")


def _hush() -> None:
    """Keep Dask's own words off the screen: what it has to say of a lost scheduler is said here, in one line."""
    for name in [*_TALKERS, *(name for name in logging.root.manager.loggerDict if name.startswith("distributed."))]:
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)


class Dask:
    """A cluster's scheduler at an address, or ``local``: ``size`` processes under a scheduler on loopback."""

    def __init__(self, address: str, size: int | None = None) -> None:
        distributed = need("distributed", "dask", "--dask")
        _hush()
        self._distributed = distributed
        self._cluster: Any = None
        if address == "local":
            self._cluster = distributed.LocalCluster(
                n_workers=size, threads_per_worker=1, dashboard_address=None, host="127.0.0.1"
            )
            address = self._cluster.scheduler_address
        try:
            self._client = distributed.Client(address, timeout=_PATIENCE_S)
        except (OSError, ValueError, TypeError) as error:
            right = "name a Dask scheduler like tcp://host:8786, or local"
            raise InputError([Issue(f"--dask {address}", f"no scheduler answers there ({error})", right)]) from None

    @property
    def size(self) -> int:
        """Threads of the workers that are there now."""
        return max(sum(int(count) for count in self._client.nthreads().values()), 1)

    def wait_for_workers(self, count: int) -> None:
        """Until so many workers have come."""
        self._client.wait_for_workers(count)

    def run(self, tasks: Iterator[Task], texts: Texts) -> Iterator[Outcome]:
        """Make the runs; as many are on the cluster as it has room for."""
        client, distributed = self._client, self._distributed
        sent: dict[str, Any] = {}
        waiting = distributed.as_completed(with_results=False, loop=client.loop)
        tasks_of: dict[str, Task] = {}

        def fill() -> None:
            room = AHEAD * self.size
            while len(tasks_of) < room and (task := next(tasks, None)) is not None:
                if task.scenario not in sent:
                    if len(sent) >= 4:  # futures that are dropped are dropped on the cluster too, once unused
                        sent.pop(next(iter(sent)))
                    # A task that makes it, not data put there: when its holder dies, the scheduler makes it anew.
                    sent[task.scenario] = client.submit(bytes, texts(task.scenario), key=f"novasim-{task.scenario}")
                future = client.submit(
                    perform, task, sent[task.scenario], code(), pure=False, key=f"novasim-{task.key}"
                )
                tasks_of[future.key] = task
                waiting.add(future)

        fill()
        while tasks_of:
            future = next(waiting)
            task = tasks_of.pop(future.key)
            yield self._outcome(future, task)
            fill()

    def _outcome(self, future: Any, task: Task) -> Outcome:
        try:
            outcome = future.result()
        except self._distributed.KilledWorker:
            return failure(task, "worker", "its worker died, on several workers")
        except (self._distributed.CancelledError, self._distributed.comm.CommClosedError, TimeoutError) as error:
            raise NovasimError(
                f"the Dask scheduler is gone ({type(error).__name__}); the same command continues"
            ) from None
        except Exception as error:  # whatever the cluster does to a run, the others go on
            return failure(task, "worker", f"{type(error).__name__}: {error}")
        assert isinstance(outcome, Outcome)
        return outcome

    def close(self) -> None:
        """Leave the cluster; end it if it was made here."""
        self._client.close()
        if self._cluster is not None:
            self._cluster.close()
