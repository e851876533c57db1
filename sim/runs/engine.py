"""Scenario + seed → log."""

from __future__ import annotations

from collections.abc import Callable

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
) -> Result:
    """Run a scenario to its end. ctrl-C ends it early: the result is then marked partial.

    Raises BrokenRunError when the log breaks a law of the cloud.
    """
    simulation = Simulation(scenario, seed, explain=explain)
    partial = False
    try:
        simulation.advance(
            finished=scenario.run.duration is None, deadline=scenario.run.duration, on_progress=on_progress
        )
    except KeyboardInterrupt:
        partial = True
    return finish(simulation, partial=partial, checkers=checkers)


def finish(simulation: Simulation, *, partial: bool, checkers: bool) -> Result:
    """Look over the log of a simulation and close it."""
    records = tuple(simulation.log.records)
    if checkers:
        try:
            check(records)
        except LawViolation as violation:
            raise BrokenRunError(violation, simulation.scenario.name, simulation.seed) from None
    return Result(
        simulation.scenario, simulation.seed, records, simulated_s=simulation.env.now, partial=partial, checked=checkers
    )
