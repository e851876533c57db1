"""The drain that is good enough: searches an operator's knobs for the best plan that keeps the goals.

Every plan tried is a variant of the scenario, run with the same luck as all others. The search looks at the scenario's
own plan and a Latin hypercube over the knobs, then walks: from the best plan, and from the plans that nothing beats in
both makespan and disruption, to all plans that differ in one knob, until none is better or half of the budget is spent.
The best few, and the neighbours of the very best, are then run more often, as far as the rest of the budget goes: the
answer and what binds it come from those. The scenario's own plan is run whatever the budget is.

The walk is decided between batches, never within one, so the answer does not depend on where the runs are made.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence

import numpy as np
from scipy.stats import qmc

from sim.errors import InputError
from sim.experiments.axes import Value
from sim.experiments.driver import Driver, Progress
from sim.experiments.executors import Executor
from sim.experiments.experiment import Experiment
from sim.experiments.plans.found import LITTLE, NOTHING, Bind, DrainPlan, Plan, Point, bind, frontier, thinned
from sim.experiments.plans.goal import Goal, judge
from sim.experiments.plans.knobs import Knob, settings_text
from sim.experiments.plans.last import Last, last_to_arrive
from sim.experiments.seeds import seed_of
from sim.experiments.stats.intervals import mean_interval
from sim.experiments.store import Store
from sim.experiments.variants import Variant
from sim.metrics.answer import answer
from sim.runs.engine import execute
from sim.scenario.spec import Scenario
from sim.scenario.yaml_text import one_line

SCREEN = 3
"""Replications of a plan while the search looks around."""
_FINALISTS = 5
_FRONT = 8
_COLUMNS = ("makespan_s", "downtime_sum_s", "slowdown_sum_s", "unmoved")


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
        budget: int = 1200,
        on_progress: Callable[[Progress], None] | None = None,
    ) -> None:
        self.base, self.scenario, self.knobs, self.goals = base, scenario, tuple(knobs), tuple(goals)
        self._store, self._executor, self._on_progress = store, executor, on_progress
        self._minimise, self.replications, self._budget = minimise, max(replications, SCREEN), budget
        self.start: Point = tuple(knob.start for knob in knobs)
        self.seen: dict[Point, Plan] = {}
        """Every plan by its first replications, so that all may be held against each other."""
        self.confirmed: dict[Point, Plan] = {}
        """Plans that were run as often as was asked."""
        self._impossible: set[Point] = set()
        self._made: dict[str, int] = {}
        """Runs made of each variant: one that is looked at and then confirmed is not run twice."""
        self._cut = False
        """Whether the budget kept a plan from being run."""

    def run(self) -> DrainPlan:
        """Search, confirm, and say what binds. InputError if even the scenario's own plan cannot be run."""
        self.base.scenario(self.variant(self.start))
        self._try([self.start], SCREEN, math.inf)
        if self._try(self._sample(), SCREEN, self._budget / 2):
            self._walk()
        finalists = [*sorted(self.seen.values(), key=self._key)[:_FINALISTS],
                     *thinned(frontier(list(self.seen.values())), _FRONT)]  # fmt: skip
        self._try([self.start], self.replications, math.inf)
        self._try([plan.point for plan in finalists], self.replications, self._budget)
        best = self._smallest(self._best())
        while True:
            binds = self._binds(best)  # where the walk was cut short, a neighbour may turn out to be the better plan
            better = self._smallest(self._best())
            if better is best:
                break
            best = better
        front = thinned(frontier(list(self.confirmed.values()), best), _FRONT, best)
        last, stayed = self._story(best)
        return DrainPlan(
            best, self.confirmed[self.start], tuple(front), binds, last, stayed, len(self.seen), self._spent,
            self._cut, tuple({**self.seen, **self.confirmed}.values()),
        )  # fmt: skip

    # --- plans as variants

    def variant(self, point: Point) -> Variant:
        """The plan as a variant of the scenario: only what differs from it is set."""
        pairs = list(zip(self.knobs, point, strict=True))
        changed = {knob: value for knob, value in pairs if value != knob.own}
        values = {knob.name: value for knob, value in pairs}
        name = settings_text(values, {knob.name: knob.own for knob in self.knobs})
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

    @property
    def _spent(self) -> int:
        return sum(self._made.values())

    def _walk(self) -> None:
        """Look at the neighbours of the best and of the frontier until all are known, or the budget ends it."""
        walked: set[Point] = set()
        while True:
            leaders = [min(self.seen.values(), key=self._key), *thinned(frontier(list(self.seen.values())), 3)]
            new = [plan.point for plan in leaders if plan.point not in walked]
            walked.update(new)
            near = [near for point in new for near in self._neighbours(point)]
            if not new or not self._try(near, SCREEN, self._budget / 2):
                return

    def _try(self, points: Iterable[Point], replications: int, most: float) -> bool:
        """Run plans until ``most`` runs have been made in all; False, and fewer of them, if that does not suffice."""
        wanted = [
            point for point in dict.fromkeys(points)
            if point not in self._impossible and point not in (self.seen if replications == SCREEN else self.confirmed)
        ]  # fmt: skip
        made: dict[Point, Variant] = {}
        runs = self._spent
        for point in wanted:
            variant = self.variant(point)
            runs += max(replications - self._made.get(variant.name, 0), 0)
            if runs > most:
                self._cut = True
                break
            made[point] = variant
        for point, (few, all_of_them) in self._plans(made, replications).items():
            self.seen[point] = few
            if replications == self.replications:
                self.confirmed[point] = all_of_them
        return len(made) == len(wanted)

    def _plans(self, variants: dict[Point, Variant], replications: int) -> dict[Point, tuple[Plan, Plan]]:
        """Run variants and judge them by the first replications, and by all of them.

        A plan that no scenario may have is left out, and not tried again.
        """
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
        for variant in good.values():
            self._made[variant.name] = max(self._made.get(variant.name, 0), replications)
        rows: dict[str, dict[int, list[float]]] = {variant.name: {} for variant in good.values()}
        names = tuple(dict.fromkeys([*_COLUMNS, *(goal.measure.column for goal in self.goals)]))
        for outcome in driver.outcomes(replications):
            if not outcome.failed:
                values = (outcome.values.get(name) for name in names)
                rows[outcome.variant][outcome.replication] = [np.nan if value is None else value for value in values]
        found = {}
        for point, variant in good.items():
            first = {number: row for number, row in rows[variant.name].items() if number <= SCREEN}
            few, every = (self._plan(point, variant.name, names, made, runs)
                          for made, runs in ((first, SCREEN), (rows[variant.name], replications)))  # fmt: skip
            found[point] = (few, every)
        return found

    def _plan(self, point: Point, name: str, names: Sequence[str], rows: dict[int, list[float]], runs: int) -> Plan:
        """``rows``: replication → the columns' values; a failed run has none."""
        table = np.array(list(rows.values()), dtype=np.float64).reshape(len(rows), len(names))
        makespans = np.full(runs, np.nan)
        makespans[np.array(list(rows), dtype=np.intp) - 1] = table[:, 0]
        columns = {column: table[:, i] for i, column in enumerate(names)}
        lost = columns["downtime_sum_s"] + columns["slowdown_sum_s"]
        unmoved = columns["unmoved"]
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

    def _best(self) -> Plan:
        """The best of those confirmed; where there is next to nothing between several, the best in the other aim."""
        first = min(self.confirmed.values(), key=self._key)
        most = self._aims(first)[0] * (1 + NOTHING)
        equal = [
            plan for plan in self.confirmed.values()
            if self._key(plan)[:3] == self._key(first)[:3] and self._aims(plan)[0] <= most
        ]  # fmt: skip
        return min(equal, key=lambda plan: (self._aims(plan)[1], self._strength(plan)))

    def _smallest(self, best: Plan) -> Plan:
        """Turn knobs back as long as that costs nothing: a plan that is as good and changes less is the better one."""
        while True:
            down = [point for point in self._neighbours(best.point) if self._weaker(point, best.point)]
            self._try(down, self.replications, self._budget)
            found = (self.confirmed.get(point) for point in down)
            able = [plan for plan in found if plan is not None and self._as_good(plan, best)]
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
        worse = first > wanted * (1 + NOTHING) or second > other * (1 + LITTLE)
        return kept and plan.unmoved <= best.unmoved and not worse

    # --- what binds

    def _binds(self, best: Plan) -> tuple[Bind, ...]:
        near = self._neighbours(best.point)
        self._try(near, self.replications, self._budget)
        found = []
        for point in near:
            plan = self.confirmed.get(point)
            if plan is not None:
                at = next(i for i, (a, b) in enumerate(zip(point, best.point, strict=True)) if a != b)
                change = f"{_text(best.point[at])} → {_text(point[at])}"
                found.append(bind(self.knobs[at].name, change, best, plan))
        if self._spent + self.replications <= self._budget:
            found.append(bind("network", "twice as fast", best, self._faster_network(best)))
        else:
            self._cut = True
        return tuple(sorted(found, key=lambda one: _or_inf(one.makespan.value)))

    def _story(self, best: Plan) -> tuple[Last | None, tuple[tuple[str, tuple[str, ...]], ...]]:
        """Of the first replication: the last server to arrive, and which did not move, and why."""
        run = execute(self.base.scenario(self.variant(best.point)), seed_of(self.base.seed, 1))
        said = answer(run)
        reasons = [*said.failed_reasons, *said.left_reasons]
        return last_to_arrive(run.records()), tuple((one.reason, tuple(one.servers)) for one in reasons)

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
        return self._plans({best.point: faster}, self.replications)[best.point][1]


def _with(base: Experiment, variants: tuple[Variant, ...], replications: int) -> Experiment:
    return Experiment(base.source, variants, base.sets, (), base.design, base.seed, replications, name=base.name)


def _or_inf(value: float) -> float:
    return value if np.isfinite(value) else np.inf


def _text(value: Value) -> str:
    return one_line(value)
