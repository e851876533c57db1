"""Scenario + seed → log."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from sim.errors import LawViolation, NovasimError
from sim.runs.checkers import check
from sim.runs.result import Result
from sim.runs.simulation import Progress, Simulation
from sim.scenario.spec import Scenario


class BrokenRunError(NovasimError):
    """A checker disagrees with the log of a run; says which law, which record, and what to type to see it again."""

    def __init__(self, violation: LawViolation, scenario: str, seed: int) -> None:
        super().__init__(violation, scenario, seed)
        self.violation, self.scenario, self.seed = violation, scenario, seed

    def __str__(self) -> str:
        return f"{self.violation}\nto see it again: the scenario {self.scenario!r} with seed {self.seed}"


def execute(
    scenario: Scenario,
    seed: int | None = None,
    *,
    explain: bool = False,
    checkers: bool = True,
    on_progress: Callable[[Progress], None] | None = None,
    on_phase: Callable[[str], None] | None = None,
) -> Result:
    """Run a scenario to its end. ctrl-C ends it early: the result is then marked partial.

    ``on_phase`` is told what is done before and after the run itself. Raises BrokenRunError when the log breaks a law
    of the cloud.
    """
    say = on_phase or (lambda _: None)
    say("building the cloud")
    simulation = Simulation(scenario, seed, explain=explain)
    partial = False
    with _patient() as interrupted:
        try:
            simulation.advance(
                finished=scenario.run.duration is None, deadline=scenario.run.duration, on_progress=on_progress,
                interrupted=interrupted,
            )  # fmt: skip
        except KeyboardInterrupt:
            partial = True
    say("holding the log against the laws of the cloud")
    return finish(simulation, partial=partial, checkers=checkers)


@contextmanager
def _patient() -> Iterator[Callable[[], bool]]:
    """Within it ctrl-C waits for the end of an event, so that none is half done in the log; a second one does not."""
    asked = False

    def note(_signal: int, _frame: FrameType | None) -> None:
        nonlocal asked
        if asked:
            raise KeyboardInterrupt
        asked = True

    if threading.current_thread() is not threading.main_thread():
        yield lambda: False
        return
    before = signal.signal(signal.SIGINT, note)
    try:
        yield lambda: asked
    finally:
        signal.signal(signal.SIGINT, before)


def finish(simulation: Simulation, *, partial: bool, checkers: bool) -> Result:
    """Look over the log of a simulation and close it: what guests that are still missed have lost so far is in it."""
    records = (*simulation.log.records, *simulation.cloud.compute.uptime.missed())
    if checkers:
        try:
            check(records)
        except LawViolation as violation:
            raise BrokenRunError(violation, simulation.scenario.name, simulation.seed) from None
    return Result(
        simulation.scenario, simulation.seed, records, simulated_s=simulation.env.now, partial=partial, checked=checkers
    )
