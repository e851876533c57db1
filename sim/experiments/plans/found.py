"""What a search for a drain finds: plans with what their runs came to, what binds them, and files that replay."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from sim.experiments.axes import Value
from sim.experiments.experiment import Experiment
from sim.experiments.plans.goal import Verdict
from sim.experiments.plans.last import Last
from sim.experiments.stats.intervals import Estimate, Floats, t_interval
from sim.experiments.variants import AS_IT_IS, Variant

NOTHING, LITTLE = 0.002, 0.02
"""Shares by which a plan may be worse in what is to be least, and in the other, and still count as as good."""
Point = tuple[Value, ...]
"""A value for each knob, in the knobs' order."""


@dataclass(frozen=True, slots=True)
class Plan:
    """A plan and what its runs came to."""

    point: Point
    name: str
    verdict: Verdict
    makespan: Estimate
    disruption: Estimate
    """Guest time lost to downtime and slowdown, seconds."""
    unmoved: float
    """Servers that failed to move or were left, mean over the runs."""
    makespans: Floats = field(repr=False, compare=False)
    """By replication; NaN where a run failed."""

    def no_worse(self, other: Plan) -> bool:
        """Whether it is as short as another and as gentle, or more so; what is next to nothing does not count."""
        shorter = self.makespan.value <= other.makespan.value * (1 + NOTHING)
        return shorter and self.disruption.value <= other.disruption.value * (1 + NOTHING)


@dataclass(frozen=True, slots=True)
class Bind:
    """What a change of one thing would do to the best plan."""

    what: str
    change: str
    makespan: Estimate
    """Paired difference of makespans, seconds."""
    broken: tuple[str, ...]
    """Goals that the changed plan breaks, and the best plan does not."""


@dataclass(frozen=True, slots=True)
class DrainPlan:
    """The answer: the best plan found, the frontier, what binds, and how much was looked at."""

    best: Plan
    """Where no plan keeps the goals: the nearest to it."""
    asked: Plan
    """The scenario's own plan; where its own settings are not tried, where the search began."""
    frontier: tuple[Plan, ...]
    """Plans that nothing found beats in both makespan and disruption, the shortest first."""
    binds: tuple[Bind, ...]
    last: Last | None
    """What the last server of the best plan spent its time on, in the first replication."""
    stayed: tuple[tuple[str, tuple[str, ...]], ...]
    """Why servers did not move in the first replication of the best plan: reason, servers."""
    plans: int
    runs: int
    exhausted: bool
    """Whether the budget kept plans from being run: the search had not come to rest, or not all were confirmed."""
    others: tuple[Plan, ...] = field(repr=False, default=())


def bind(what: str, change: str, best: Plan, plan: Plan) -> Bind:
    """What ``plan``, which differs from the best in one thing, says about that thing."""
    both = min(len(plan.makespans), len(best.makespans))
    broken = tuple(goal for goal in plan.verdict.broken if goal not in best.verdict.broken)
    return Bind(what, change, t_interval(plan.makespans[:both] - best.makespans[:both]), broken)


def frontier(plans: Sequence[Plan], best: Plan | None = None) -> list[Plan]:
    """Plans that move as many servers as any, and that nothing beats in both makespan and disruption.

    All must have been run equally often, or luck would tell them apart. Of plans between which there is next to
    nothing, one stands for all; ``best`` stands for those that are no better than it, and is itself among them only
    if nothing beats it: it need not be, where what does breaks the goals.
    """
    least = min(plan.unmoved for plan in plans)
    able = [plan for plan in plans if plan.unmoved <= least and np.isfinite(plan.makespan.value)]
    if best in able:
        able = [plan for plan in able if plan is best or not (best.no_worse(plan) if best else False)]
    front: list[Plan] = []
    for plan in sorted(able, key=lambda one: (one.makespan.value, one.disruption.value)):
        if not front or plan.disruption.value < front[-1].disruption.value * (1 - NOTHING):
            front.append(plan)
    return front


def thinned(plans: Sequence[Plan], most: int, wanted: Plan | None = None) -> list[Plan]:
    """At most so many, spread evenly, both ends among them; and the one that is ``wanted``, if it is there."""
    if len(plans) <= most:
        return list(plans)
    kept = {round(i * (len(plans) - 1) / (most - 1)) for i in range(most)}
    return [plan for i, plan in enumerate(plans) if i in kept or plan is wanted]


def write_scenario(base: Experiment, variant: Variant, path: Path, words: Sequence[str]) -> Path:
    """The variant as a scenario of its own, resolved, with what is known of it in a comment."""
    from sim.scenario.loader import dump

    path.parent.mkdir(parents=True, exist_ok=True)
    head = "".join(f"# {line}\n" for line in words)
    name = "" if variant.name == AS_IT_IS else f"# changes: {variant.name}\n"
    path.write_text(f"{head}{name}{dump(base.scenario(variant))}", encoding="utf-8")
    return path
