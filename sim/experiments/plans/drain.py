"""The drain that is good enough: searches an operator's knobs for the best plan that keeps the goals.

Every plan tried is a variant of the scenario, run with the same luck as all others. The search looks at the scenario's
own plan and a Latin hypercube over the knobs, then walks: from the best plan, and from the plans that nothing beats in
both makespan and disruption, to all plans that differ in one knob, until none is better or the budget is spent. The
best few, and the neighbours of the very best, are then run more often: the answer and what binds it come from those.

The walk is decided between batches, never within one, so the answer does not depend on where the runs are made.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from scipy.stats import qmc

from sim.errors import InputError
from sim.experiments.axes import Value
from sim.experiments.driver import Driver, Progress
from sim.experiments.executors import Executor
from sim.experiments.experiment import Experiment
from sim.experiments.plans.goal import Goal, Verdict, judge
from sim.experiments.plans.knobs import Knob, settings_text
from sim.experiments.plans.last import Last, last_to_arrive
from sim.experiments.seeds import seed_of
from sim.experiments.stats.intervals import Estimate, Floats, mean_interval, t_interval
from sim.experiments.store import Store
from sim.experiments.variants import AS_IT_IS, Variant
from sim.runs.engine import execute
from sim.scenario.spec import Scenario
from sim.scenario.yaml_text import one_line

SCREEN = 3
"""Replications of a plan while the search looks around."""
_FINALISTS = 5
_FRONT = 8
_ROUNDS = 8
NOTHING, _LITTLE = 0.002, 0.02
"""Shares by which a plan may be worse in what is to be least, and in the other, and still count as as good."""
_COLUMNS = ("makespan_s", "downtime_sum_s", "slowdown_sum_s", "failed", "left")
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


@dataclass(frozen=True, slots=True)
class Bind:
    """What a change of one thing would do to the best plan."""

    what: str
    change: str
    makespan: Estimate
    """Paired difference of makespans, seconds."""
    broken: tuple[str, ...]
    """Goals that the changed plan breaks."""


@dataclass(frozen=True, slots=True)
class DrainPlan:
    """The answer: the best plan found, the frontier, what binds, and how much was looked at."""

    best: Plan
    asked: Plan
    """The scenario's own plan."""
    frontier: tuple[Plan, ...]
    """Plans that nothing found beats in both makespan and disruption, the shortest first."""
    binds: tuple[Bind, ...]
    last: Last | None
    """What the last server of the best plan spent its time on, in the first replication."""
    plans: int
    runs: int
    exhausted: bool
    """Whether the budget ended the search before it came to rest."""
    others: tuple[Plan, ...] = field(repr=False, default=())


class DrainSearch:
    """One search; ``goals`` may be empty: then the best plan is that of the least ``minimise``."""

    def __init__(
        self,
        base: Experiment,
        scenario: Scenario,
        knobs: Sequence[Knob],
        goals: Sequence[Goal],
        store: Store,
        executor: Executor,
        *,
        minimise: str = "makespan",
        replications: int = 10,
        budget: int = 600,
        on_progress: Callable[[Progress], None] | None = None,
    ) -> None:
        self.base, self.scenario, self.knobs, self.goals = base, scenario, tuple(knobs), tuple(goals)
        self._store, self._executor, self._on_progress = store, executor, on_progress
        self._minimise, self.replications, self._budget = minimise, replications, budget
        self.start: Point = tuple(knob.start for knob in knobs)
        self.seen: dict[Point, Plan] = {}
        self._extra: dict[str, Plan] = {}
        self._impossible: set[Point] = set()
        self._spent = 0

    def run(self) -> DrainPlan:
        """Search, confirm, and say what binds. InputError if even the scenario's own plan cannot be run."""
        self.base.scenario(self.variant(self.start))
        self._try([self.start, *self._sample()], SCREEN)
        rested = self._walk()
        finalists = sorted(self.seen.values(), key=self._key)[:_FINALISTS]
        self._try([self.start, *(plan.point for plan in finalists)], self.replications, free=True)
        best = self._smallest(min(self.seen.values(), key=self._final_key))
        self._confirm_frontier()
        binds = self._binds(best)
        return DrainPlan(
            best, self.seen[self.start], tuple(self.frontier()), binds, self._last(best), len(self.seen), self._spent,
            not rested, tuple(self.seen.values()),
        )  # fmt: skip

    # --- plans as variants

    def variant(self, point: Point) -> Variant:
        """The plan as a variant of the scenario: only what differs from it is set."""
        pairs = list(zip(self.knobs, point, strict=True))
        changed = {knob: value for knob, value in pairs if value != knob.start}
        values = {knob.name: value for knob, value in pairs}
        name = settings_text(values, {knob.name: knob.start for knob in self.knobs})
        settings = tuple(f"{knob.path}={one_line(value)}" for knob, value in changed.items())
        return Variant(name, settings, {knob.name: value for knob, value in changed.items()})

    def _sample(self) -> list[Point]:
        turned = [knob for knob in self.knobs if len(knob.values) > 1]
        if not turned:
            return []
        rows = qmc.LatinHypercube(len(turned), rng=np.random.default_rng(self.base.seed)).random(3 * len(turned))
        places = [{knob: float(u) for knob, u in zip(turned, row, strict=True)} for row in rows]
        return [
            tuple(knob.values[int(place.get(knob, 0.0) * len(knob.values))] for knob in self.knobs) for place in places
        ]

    def _neighbours(self, point: Point) -> list[Point]:
        return [
            (*point[:i], value, *point[i + 1 :])
            for i, knob in enumerate(self.knobs)
            for value in knob.neighbours(point[i])
        ]

    # --- the walk

    def _walk(self) -> bool:
        """Look at the neighbours of the best and of the frontier until all are known; whether the budget let it."""
        walked: set[Point] = set()
        while True:
            leaders = [min(self.seen.values(), key=self._key), *_thinned(self.frontier(), 3)]
            new = [plan.point for plan in leaders if plan.point not in walked]
            if not new:
                return True
            walked.update(new)
            if not self._try([near for point in new for near in self._neighbours(point)], SCREEN):
                return False

    def _try(self, points: Iterable[Point], replications: int, *, free: bool = False) -> bool:
        """Run plans; False, and fewer of them, if the budget does not suffice (``free`` does not ask)."""
        wanted = [
            point for point in dict.fromkeys(points)
            if point not in self._impossible
            and (point not in self.seen or self.seen[point].verdict.runs < replications)
        ]  # fmt: skip
        room = len(wanted) if free else max((self._budget - self._spent) // replications, 0)
        made = {point: self.variant(point) for point in wanted[:room]}
        for point, plan in self._plans(made, replications).items():
            self.seen[point] = plan
        return room >= len(wanted)

    def _plans(self, variants: dict[Point, Variant], replications: int) -> dict[Point, Plan]:
        """Run variants and judge them. A plan that no scenario may have is left out, and not tried again."""
        good: dict[Point, Variant] = {}
        for point, variant in variants.items():
            try:
                self.base.scenario(variant)
            except InputError:
                if point == self.start:
                    raise
                self._impossible.add(point)
                continue
            good[point] = variant
        if not good:
            return {}
        batch = _with(self.base, tuple(good.values()), replications)
        driver = Driver(batch, self._store, self._executor, on_progress=self._on_progress)
        driver.run()
        self._spent += len(good) * replications
        rows: dict[str, dict[int, list[float]]] = {variant.name: {} for variant in good.values()}
        names = tuple(dict.fromkeys([*_COLUMNS, *(goal.measure.column for goal in self.goals)]))
        for outcome in driver.outcomes(replications):
            if not outcome.failed:
                values = (outcome.values.get(name) for name in names)
                rows[outcome.variant][outcome.replication] = [np.nan if value is None else value for value in values]
        return {point: self._plan(point, v.name, names, rows[v.name], replications) for point, v in good.items()}

    def _plan(self, point: Point, name: str, names: Sequence[str], rows: dict[int, list[float]], runs: int) -> Plan:
        """``rows``: replication → the columns' values; a failed run has none."""
        table = np.array(list(rows.values()), dtype=np.float64).reshape(len(rows), len(names))
        makespans = np.full(runs, np.nan)
        makespans[np.array(list(rows), dtype=np.intp) - 1] = table[:, 0]
        columns = {column: table[:, i] for i, column in enumerate(names)}
        lost = columns["downtime_sum_s"] + columns["slowdown_sum_s"]
        unmoved = columns["failed"] + columns["left"]
        return Plan(
            point, name, judge(self.goals, columns, runs), mean_interval(columns["makespan_s"]), mean_interval(lost),
            float(unmoved.mean()) if len(unmoved) else np.inf, makespans,
        )  # fmt: skip

    # --- which is better

    def _key(self, plan: Plan) -> tuple[object, ...]:
        """Plans in order, the best first: goals kept, servers moved, then what is to be least, then few changes."""
        verdict = plan.verdict
        return (not verdict.met, verdict.excess, plan.unmoved, *self._aims(plan), self._strength(plan))

    def _aims(self, plan: Plan) -> tuple[float, float]:
        """What is to be least, and the other of makespan and disruption."""
        aims = _or_inf(plan.makespan.value), _or_inf(plan.disruption.value)
        return aims if self._minimise == "makespan" else aims[::-1]

    def _strength(self, plan: Plan) -> tuple[int, int, str]:
        """How far the plan is from the scenario's own, knob by knob; the name makes it an order."""
        steps = [self._steps(number, value) for number, value in enumerate(plan.point)]
        return sum(steps), sum(step > 0 for step in steps), plan.name

    def _steps(self, number: int, value: Value) -> int:
        """How many settings lie between a knob's value and the scenario's own."""
        knob = self.knobs[number]
        if knob.loose:
            return int(value != knob.start)
        return abs(knob.values.index(value) - knob.values.index(knob.start))

    def _final_key(self, plan: Plan) -> tuple[object, ...]:
        """As :meth:`_key`, those first that were run as often as was asked."""
        return (plan.verdict.runs < self.replications, *self._key(plan))

    def _smallest(self, best: Plan) -> Plan:
        """Turn knobs back as long as that costs nothing: a plan that is as good and changes less is the better one."""
        while True:
            down = [point for point in self._neighbours(best.point) if self._weaker(point, best.point)]
            self._try(down, self.replications, free=True)
            able = [plan for point in down if (plan := self.seen.get(point)) is not None and self._as_good(plan, best)]
            if not able:
                return best
            best = min(able, key=self._strength)

    def _weaker(self, point: Point, than: Point) -> bool:
        """Whether a neighbour has its one knob nearer to where the scenario has it."""
        return any(self._steps(i, a) < self._steps(i, b) for i, (a, b) in enumerate(zip(point, than, strict=True)))

    def _as_good(self, plan: Plan, best: Plan) -> bool:
        kept = plan.verdict.met == best.verdict.met and plan.verdict.excess <= best.verdict.excess
        first, second = self._aims(plan)
        wanted, other = self._aims(best)
        worse = first > wanted * (1 + NOTHING) or second > other * (1 + _LITTLE)
        confirmed = plan.verdict.runs >= self.replications
        return confirmed and kept and plan.unmoved <= best.unmoved and not worse

    def _confirm_frontier(self) -> None:
        """Run the plans of the frontier as often as the best; those that then are beaten make room for others."""
        for _ in range(_ROUNDS):
            front = _thinned([plan for plan in self.frontier() if plan.verdict.runs < self.replications], _FRONT)
            if not front:
                return
            self._try([plan.point for plan in front], self.replications, free=True)

    def frontier(self) -> list[Plan]:
        """Plans that move as many servers as any, and that nothing beats in both makespan and disruption."""
        least = min(plan.unmoved for plan in self.seen.values())
        able = [plan for plan in self.seen.values() if plan.unmoved <= least and np.isfinite(plan.makespan.value)]
        able.sort(key=lambda plan: (plan.makespan.value, plan.disruption.value, self._strength(plan)))
        front: list[Plan] = []
        for plan in able:
            if not front or plan.disruption.value < front[-1].disruption.value:
                front.append(plan)
        return front

    # --- what binds

    def _binds(self, best: Plan) -> tuple[Bind, ...]:
        near = self._neighbours(best.point)
        self._try(near, self.replications, free=True)
        found = []
        for point in near:
            plan = self.seen.get(point)
            if plan is not None:
                at = next(i for i, (a, b) in enumerate(zip(point, best.point, strict=True)) if a != b)
                change = f"{_text(best.point[at])} → {_text(point[at])}"
                found.append(_bind(self.knobs[at].name, change, best, plan))
        found.append(_bind("network", "twice as fast", best, self._faster_network(best)))
        return tuple(sorted(found, key=lambda one: _or_inf(one.makespan.value)))

    def _last(self, best: Plan) -> Last | None:
        scenario = self.base.scenario(self.variant(best.point))
        return last_to_arrive(execute(scenario, seed_of(self.base.seed, 1)).records())

    def _faster_network(self, best: Plan) -> Plan:
        """The best plan on a network with twice the capacity at every host."""
        settings = []
        for number, host in enumerate(self.scenario.cloud.hosts):
            for name in ("nic", "migration_nic"):
                rate = getattr(host, name)
                if rate is not None:
                    settings.append(f"cloud.hosts[{number}].{name}={2 * rate} B/s")
        plan = self.variant(best.point)
        faster = Variant(f"{plan.name}, network twice as fast", (*plan.settings, *settings), {})
        return self._plans({best.point: faster}, self.replications)[best.point]


def _bind(what: str, change: str, best: Plan, plan: Plan) -> Bind:
    both = min(len(plan.makespans), len(best.makespans))
    return Bind(what, change, t_interval(plan.makespans[:both] - best.makespans[:both]), plan.verdict.broken)


def _with(base: Experiment, variants: tuple[Variant, ...], replications: int) -> Experiment:
    return Experiment(base.source, variants, base.sets, (), base.design, base.seed, replications, name=base.name)


def _thinned(plans: Sequence[Plan], most: int) -> list[Plan]:
    """At most so many, spread evenly, both ends among them."""
    if len(plans) <= most:
        return list(plans)
    return [plans[round(i * (len(plans) - 1) / (most - 1))] for i in range(most)]


def _or_inf(value: float) -> float:
    return value if np.isfinite(value) else np.inf


def _text(value: Value) -> str:
    return one_line(value)


def write_scenario(base: Experiment, variant: Variant, path: Path, words: Sequence[str]) -> Path:
    """The variant as a scenario of its own, resolved, with what is known of it in a comment."""
    from sim.scenario.loader import dump

    path.parent.mkdir(parents=True, exist_ok=True)
    head = "".join(f"# {line}\n" for line in words)
    name = "" if variant.name == AS_IT_IS else f"# changes: {variant.name}\n"
    path.write_text(f"{head}{name}{dump(base.scenario(variant))}", encoding="utf-8")
    return path
