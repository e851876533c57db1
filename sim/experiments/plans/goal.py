"""``--goal "makespan < 6 h, p99 downtime < 1 s, failures = 0"``: what a plan must keep, and by how much it does.

A goal about a number that each run has (``makespan``, ``failed``, ``p99 downtime`` over the servers of a run) must hold
in every run made; a statistic over runs in front (``p95_makespan``) makes it a goal about all of them together.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from sim.errors import Issue
from sim.experiments.measures import Measure, measure
from sim.experiments.stats.intervals import Estimate, Floats, finite, share_interval

_SHAPE = re.compile(r"(?P<name>.+?)\s*(?P<sign><=|>=|≤|≥|<|>|==|=)\s*(?P<value>.+)$")
_BETWEEN = re.compile(r"[,;&]|\band\b")
_SIGNS = {"≤": "<=", "≥": ">=", "==": "="}


@dataclass(frozen=True, slots=True)
class Goal:
    """One bound on one measure."""

    measure: Measure
    sign: str
    bound: float

    def __str__(self) -> str:
        return f"{self.measure.name} {self.sign} {self.measure.text(self.bound)}"

    @property
    def per_run(self) -> bool:
        """Whether it is about each run, not about a statistic of all."""
        return self.measure.statistic == "mean"

    def holds(self, value: float) -> bool:
        """Whether a value keeps it; one that was not measured keeps it if nothing had to be."""
        if math.isnan(value):
            return self.measure.column != "makespan_s" and self.sign in {"<", "<="}
        return {"<": value < self.bound, "<=": value <= self.bound, ">": value > self.bound, ">=": value >= self.bound,
                "=": value == self.bound}[self.sign]  # fmt: skip

    def excess(self, value: float) -> float:
        """By which share of the bound a value breaks it; 0 if it does not."""
        if self.holds(value):
            return 0.0
        if math.isnan(value):
            return 1.0
        return max(abs(value - self.bound) / max(abs(self.bound), 1.0), 1e-9)


@dataclass(frozen=True, slots=True)
class Verdict:
    """How a plan keeps its goals."""

    met: bool
    """In every run, and in all statistics over runs."""
    runs: int
    good_runs: int
    share: Estimate
    """How probable it is that a run keeps all that is about a run."""
    excess: float
    """Mean over the runs of the shares by which bounds are broken, summed; failed runs count as broken wholly."""
    broken: tuple[str, ...]
    """Goals that are not kept."""


def parse_goals(text: str, place: str, issues: list[Issue]) -> list[Goal]:
    """The goals of a text, between commas, semicolons or "and"; issues for all that cannot be read."""
    parts = [part.strip() for part in _BETWEEN.split(text)]
    return [goal for part in parts if (goal := _goal(part, place, issues)) is not None]


def _goal(text: str, place: str, issues: list[Issue]) -> Goal | None:
    match = _SHAPE.match(text)
    if match is None:
        issues.append(Issue(place, f"{text!r} is not a goal", "write goals like makespan < 6 h, failures = 0"))
        return None
    of = measure(match["name"], place, issues)
    if of is None:
        return None
    try:
        bound = of.parse(match["value"].strip())
    except ValueError as error:
        issues.append(Issue(place, f"{text!r}: {error}", "write the bound with its unit, like makespan < 6 h"))
        return None
    return Goal(of, _SIGNS.get(match["sign"], match["sign"]), bound)


def judge(goals: Sequence[Goal], columns: Mapping[str, Floats], runs: int) -> Verdict:
    """How these runs keep the goals; ``columns`` hold the finished runs, ``runs`` counts the failed ones too."""
    made = max((len(values) for values in columns.values()), default=0)
    good = np.ones(made, dtype=bool)
    excess = np.zeros(made)
    broken = []
    overall = 0.0
    for goal in goals:
        values = columns[goal.measure.column]
        if goal.per_run:
            keeps = np.array([goal.holds(float(value)) for value in values], dtype=bool)
            good &= keeps
            excess += np.array([goal.excess(float(value)) for value in values])
            if not keeps.all():
                broken.append(str(goal))
        else:
            value = goal.measure.value(finite(values))
            overall += goal.excess(value)
            if not goal.holds(value):
                broken.append(str(goal))
    failed = runs - made
    total = (float(excess.sum()) + failed * len(goals)) / max(runs, 1) + overall
    kept = int(good.sum())
    return Verdict(not broken and not failed and runs > 0, runs, kept, share_interval(kept, runs), total, tuple(broken))
