"""One cloud and its clock: what a run drives to the end and a session drives by hand."""

from __future__ import annotations

import gc
import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

from simpy.events import Event

from sim.eventlog import records
from sim.eventlog.log import EventLog
from sim.kernel.clock import Clock
from sim.model.build import build
from sim.model.plan import Plan
from sim.scenario.spec import Scenario

_BATCH = 2000
"""Events between two looks at the wall clock and the caller's patience."""
_YOUNG = 1_000_000
"""Objects made between two collections while a cloud is built and while its clock runs."""
_DONE = frozenset({"completed", "finished", "done"})
_ENDS = _DONE | {"error", "failed", "cancelled"}


class Progress(NamedTuple):
    """Where a run stands, for whoever watches it."""

    now_s: float
    """Simulated time."""
    under_way: int
    """Operations not finished."""
    done: int
    """Migrations that ended well."""
    failed: int
    """Migrations that ended badly."""
    asked: int
    """Servers that the operations begun so far are about."""
    settled: int
    """How often such a server has been moved, or left to a person."""
    waiting: int
    """Steps of the plan that have not begun."""
    events_per_s: float
    """Simulated events per wall second."""
    wall_s: float


class Simulation:
    """A scenario's cloud with its log, clock and plan. Nothing has happened yet."""

    def __init__(
        self, scenario: Scenario, seed: int | None = None, *, explain: bool = False, plan: bool = True
    ) -> None:
        self.scenario = scenario
        self.seed = scenario.run.seed if seed is None else seed
        self.env = Clock(initial_time=0.0)
        self.log = EventLog()
        with _rare_collections():
            self.cloud = build(scenario, self.seed, self.env, self.log, explain=explain)
        self.plan = Plan(self.cloud, scenario) if plan else Plan(self.cloud, scenario.model_copy(
            update={"plan": (), "faults": (), "workload": ()}))  # fmt: skip
        self.plan.start()
        self.events = 0
        self._tally = _Tally()

    def advance(
        self,
        *,
        until: Event | None = None,
        idle: bool = False,
        finished: bool = False,
        deadline: float | None = None,
        on_progress: Callable[[Progress], None] | None = None,
        interrupted: Callable[[], bool] | None = None,
    ) -> None:
        """Step the clock until ``until`` has happened, nothing is under way (``idle``), the whole plan is over too
        (``finished``), the ``deadline`` (simulated s) is reached, or nothing is left to happen.

        With a deadline the clock ends at the deadline exactly, with what is due at it done. Raises KeyboardInterrupt
        between two events soon after ``interrupted`` says so.
        """
        with _rare_collections():
            self._advance(until, idle, finished, deadline, on_progress, interrupted)

    def _advance(
        self, until: Event | None, idle: bool, finished: bool, deadline: float | None,
        on_progress: Callable[[Progress], None] | None, interrupted: Callable[[], bool] | None,
    ) -> None:  # fmt: skip
        env, cloud, plan = self.env, self.cloud, self.plan

        def over() -> bool:
            if finished and cloud.under_way == 0 and plan.over:
                return True
            return (until is not None and until.callbacks is None) or (idle and cloud.under_way == 0 and plan.open == 0)

        last = math.inf if deadline is None else deadline
        started = time.perf_counter()
        before = self.events
        while True:
            done = env.advance(_BATCH, last, cloud if until is None else None, over)
            self.events += done
            if done < _BATCH:
                break
            if interrupted is not None and interrupted():
                raise KeyboardInterrupt
            if on_progress is not None:
                wall = time.perf_counter() - started
                on_progress(self.progress((self.events - before) / max(wall, 1e-9), wall))
        if env.now < last < math.inf and not over():
            env.run(until=last)

    def step(self) -> bool:
        """Let the next event happen; False if there is none."""
        if self.env.peek() == float("inf"):
            return False
        self.env.step()
        self.events += 1
        return True

    def progress(self, events_per_s: float = 0.0, wall_s: float = 0.0) -> Progress:
        """Where it stands now, by the records written since the last look."""
        self._tally.look(self.log.records)
        return Progress(
            self.env.now, self.cloud.under_way, self._tally.done, self._tally.failed, self._tally.asked,
            self._tally.settled, self.plan.waiting, events_per_s, wall_s,
        )  # fmt: skip


@contextmanager
def _rare_collections() -> Iterator[None]:
    """A run makes millions of small objects that live on and no cycles: the collector looks through them less often.

    Half the time of a build, a fifth of a big drain's.
    """
    before = gc.get_threshold()
    gc.set_threshold(max(before[0], _YOUNG), *before[1:])
    try:
        yield
    finally:
        if not gc.get_freeze_count():
            # what is young becomes old, unseen: else the next object made would look through all that is alive
            gc.freeze()
            gc.unfreeze()
        gc.set_threshold(*before)


class _Tally:
    """Counts migrations by reading the log, so that the model need not count. Each counts once, as it stands."""

    def __init__(self) -> None:
        self.asked = self.settled = 0
        self._well: dict[int, bool] = {}
        self._ends = {True: 0, False: 0}
        self._seen = 0

    @property
    def done(self) -> int:
        """Migrations that ended well."""
        return self._ends[True]

    @property
    def failed(self) -> int:
        """Migrations that ended badly."""
        return self._ends[False]

    def look(self, written: list[records.Record]) -> None:
        """Read what is new."""
        for record in written[self._seen :]:
            if isinstance(record, records.MigrationState):
                if record.status in _ENDS:
                    self._ended(record.migration, record.status in _DONE)
            elif isinstance(record, records.Operation):
                self.asked += record.servers
            elif isinstance(record, records.NeedsHuman):
                self.settled += 1
        self._seen = len(written)

    def _ended(self, migration: int, well: bool) -> None:
        before = self._well.get(migration)
        if before is not None:
            self._ends[before] -= 1
        elif well:
            self.settled += 1
        self._well[migration] = well
        self._ends[well] += 1
