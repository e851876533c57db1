"""Plans of drains: goals, knobs, and a search whose answers are held to those of trying everything."""

from __future__ import annotations

import math
from contextlib import closing
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from luck import Luck

import sim
from sim.errors import Issue
from sim.experiments.executors.inline import Inline
from sim.experiments.experiment import Experiment
from sim.experiments.figures import frontier_figure
from sim.experiments.plans.drain import DrainSearch
from sim.experiments.plans.found import Plan, frontier, thinned, write_scenario
from sim.experiments.plans.goal import Goal, Verdict, judge, parse_goals
from sim.experiments.plans.knobs import drain_step, knobs, parse_tried
from sim.experiments.plans.last import last_to_arrive
from sim.experiments.seeds import seed_of
from sim.experiments.stats.intervals import Estimate
from sim.experiments.store import Store
from sim.scenario.loader import parse
from sim.scenario.yaml_text import to_yaml

CLOUD = {
    "name": "four",
    "cloud": {
        "hosts": [{"name": "h{n:1-4}", "vcpus": 32, "memory": "128 GiB", "disk": "1 TiB", "nic": "10 Gbit/s"}],
        "flavors": [{"name": "s", "vcpus": 2, "memory": "4 GiB", "disk": "20 GiB"},
                    {"name": "l", "vcpus": 4, "memory": "24 GiB", "disk": "20 GiB"}],
        "servers": [{"name": "small-{n:1-5}", "flavor": "s", "host": "h1", "activity": "web"},
                    {"name": "large-1", "flavor": "l", "host": "h1", "activity": "database"}],
        "storage": {"instances": "shared"},
    },
    "plan": [{"name": "empty", "drain": {"hosts": ["h1"], "concurrency": 2, "method": "live"}}],
}  # fmt: skip
FIXED = [
    "per_host=null",
    "bandwidth=0",
    "auto_converge=false",
    "post_copy=false",
    "method=live",
    "timeout_action=abort",
]


@pytest.fixture
def scenario_file(tmp_path: Path) -> Path:
    path = tmp_path / "four.yaml"
    path.write_text(to_yaml(CLOUD))
    return path


def _goals(text: str) -> list[Goal]:
    issues: list[Issue] = []
    found = parse_goals(text, "--goal", issues)
    assert not issues
    return found


def _search(
    file: Path, folder: Path, executor: object, tried: list[str], goal: str = "", **more: object
) -> DrainSearch:
    scenario = sim.load(file)
    step = drain_step(scenario, None, [])
    assert step is not None
    found = knobs(scenario, step, parse_tried(tried, []))
    base = Experiment(str(file), (), name="four")
    store = Store(folder)
    return DrainSearch(base, scenario, found, _goals(goal) if goal else [], store, executor, **more)


# --- goals ------------------------------------------------------------------------------------------------------------


def test_goals_are_read_with_their_units_and_signs() -> None:
    found = _goals("makespan < 6 h, p99 downtime ≤ 1 s, failures = 0, moved >= 10, p95_makespan < 7 h")
    assert [(goal.measure.column, goal.sign, goal.bound, goal.per_run) for goal in found] == [
        ("makespan_s", "<", 21600.0, True), ("downtime_p99_s", "<=", 1.0, True), ("unmoved", "=", 0.0, True),
        ("moved", ">=", 10.0, True), ("makespan_s", "<", 25200.0, False),
    ]  # fmt: skip


@pytest.mark.parametrize("text", ["makespan", "makespan < 6", "speed < 3 s", "failed < few", "makespan < 6 h,"])
def test_what_is_no_goal_is_refused(text: str) -> None:
    issues: list[Issue] = []
    parse_goals(text, "--goal", issues)
    assert len(issues) == 1


def test_goals_may_stand_as_people_say_them() -> None:
    wanted = _goals("makespan < 6 h, p99 downtime < 500 ms, failures = 0")
    assert _goals("makespan < 6 h and p99 downtime < 0.5 s; failures == 0") == wanted


def test_a_goal_about_runs_must_hold_in_each_and_one_about_all_in_all() -> None:
    columns = {"makespan_s": np.array([10.0, 20.0, 30.0, 40.0]), "failed": np.array([0.0, 0.0, 0.0, 1.0])}
    good = judge(_goals("makespan < 41 s"), columns, 4)
    assert (good.met, good.good_runs, good.excess, good.broken) == (True, 4, 0.0, ())
    assert good.share.low == pytest.approx(0.025 ** (1 / 4))  # nothing against it in four runs
    bad = judge(_goals("makespan < 35 s, failed = 0"), columns, 4)
    assert (bad.met, bad.good_runs) == (False, 3)
    assert bad.broken == ("makespan < 35.0 s", "failed = 0")
    assert bad.excess == pytest.approx((5 / 35 + 1) / 4)
    over_all = judge(_goals("median_makespan < 26 s"), columns, 4)
    assert over_all.met
    assert judge(_goals("median_makespan < 25 s"), columns, 4).broken == ("median_makespan < 25.0 s",)
    lost = judge(_goals("makespan < 41 s"), columns, 5)  # one run more was made, and failed
    assert (lost.met, lost.excess) == (False, 1 / 5)


def test_what_was_not_measured_keeps_a_bound_above_but_a_makespan_must_be_there() -> None:
    (downtime, makespan) = _goals("p99 downtime < 1 s, makespan < 1 h")
    assert downtime.holds(math.nan)
    assert not makespan.holds(math.nan)


# --- knobs ------------------------------------------------------------------------------------------------------------


def test_knobs_begin_where_the_scenario_is_and_change_what_they_say(scenario_file: Path) -> None:
    scenario = sim.load(scenario_file)
    found = {knob.name: knob for knob in knobs(scenario, 0, {})}
    assert (found["concurrency"].values, found["concurrency"].start) == ((1, 2, 4, 8), 2)
    assert found["per_host"].values == (None,)  # one host
    assert (found["method"].values, found["method"].start) == (("live", "cold"), "live")
    assert found["nova_limit"].start == 1
    assert found["bandwidth"].values == (298, 596, 0)  # 1.25e9 / 2**20 = 1192 MiB/s
    for name, value, seen in (("nova_limit", 4, "DEFAULT.max_concurrent_live_migrations"),
                              ("bandwidth", 298, "libvirt.live_migration_bandwidth"),
                              ("post_copy", True, "libvirt.live_migration_permit_post_copy")):  # fmt: skip
        edited = sim.load(scenario_file, [f"{found[name].path}={str(value).lower()}"])
        from sim.scenario.expand import nova_options

        assert nova_options(edited.cloud)[seen] == value
    assert found["concurrency"].neighbours(2) == [1, 4]
    assert found["order"].neighbours("host") == ["smallest_first", "largest_first"]


def test_an_option_is_turned_where_the_scenario_itself_has_it(scenario_file: Path) -> None:
    nested = {**CLOUD, "cloud": {**CLOUD["cloud"], "nova": {"options": {
        "max_concurrent_live_migrations": 3, "libvirt": {"live_migration_bandwidth": 50}}}}}  # fmt: skip
    scenario = parse(nested)
    found = {knob.name: knob for knob in knobs(scenario, 0, {})}
    assert found["nova_limit"].path == "cloud.nova.options.max_concurrent_live_migrations"
    assert found["bandwidth"].path == "cloud.nova.options.libvirt.live_migration_bandwidth"
    assert (found["nova_limit"].values, found["bandwidth"].values) == ((1, 2, 3, 4), (50, 298, 596, 0))


def test_every_mistake_in_knobs_is_said(scenario_file: Path) -> None:
    issues: list[Issue] = []
    scenario = sim.load(scenario_file)
    parse_tried(["concurency=2", "order", "nova_limit=1..4", "concurrency=2,2"], issues)
    assert len(issues) == 4
    assert "'concurrency'" in str(issues[0])
    issues = []
    drain_step(scenario, "emty", issues)
    drain_step(scenario.model_copy(update={"plan": ()}), None, issues)
    assert ["'empty'" in str(issues[0]), "--hosts" in str(issues[1])] == [True, True]


def test_a_setting_that_is_fixed_is_set(scenario_file: Path, tmp_path: Path) -> None:
    """The scenario has two workers and moves live: neither may be left as it is."""
    tried = [*FIXED, "method=cold", "concurrency=1", "order=host", "nova_limit=1"]
    search = _search(scenario_file, tmp_path / "a", Inline(), tried, replications=3)
    best = search.run().best
    assert best.name == "concurrency=1 method=cold"
    (drain,) = [step.drain for step in search.base.scenario(search.variant(best.point)).plan]
    assert drain is not None
    assert (drain.concurrency, drain.method) == (1, "cold")


def _plan(name: str, makespan: float, disruption: float, unmoved: float = 0.0) -> Plan:
    exact = [Estimate(value, value, value, 3, 0.95, "") for value in (makespan, disruption)]
    return Plan(
        (name,),
        name,
        Verdict(True, 3, 3, Estimate(1.0, 0.4, 1.0, 3, 0.95, ""), 0.0, ()),
        *exact,
        unmoved,
        np.array([makespan] * 3),
    )


def test_the_best_plan_is_on_the_frontier_only_if_nothing_beats_it() -> None:
    """Where what is shorter and gentler breaks the goals; and whatever beats only the best plan stays off it too."""
    cold, best, between, slow = (
        _plan("cold", 40, 100),
        _plan("best", 300, 130),
        _plan("b", 400, 110),
        _plan("s", 900, 9),
    )
    fewer = _plan("fewer", 10, 10, unmoved=1)
    found = frontier([slow, between, best, cold, fewer], best)
    assert [plan.name for plan in found] == ["cold", "s"]
    assert [plan.name for plan in frontier([slow, between, best], best)] == ["best", "b", "s"]
    assert [plan.name for plan in thinned([cold, best, between, slow], 2, best)] == ["cold", "best", "s"]


def test_no_plan_with_as_many_runs_lies_under_the_frontier_in_the_figure() -> None:
    points = [(40.0, 100.0), (900.0, 9.0)]
    others = {"beaten": [(300.0, 130.0)], "glanced": [(35.0, 101.0)], "fewer": []}
    axes = frontier_figure(points, others, (300.0, 130.0), "plans").axes[0]
    (line,) = (one for one in axes.lines if one.get_label() == "frontier")
    assert line.get_drawstyle() == "steps-post"
    assert [tuple(one) for one in line.get_xydata()] == points
    spots = {one.get_label(): one for one in axes.collections}
    assert set(spots) == {"beaten in both", "seen in too few runs to say", "the best plan"}
    assert spots["the best plan"].get_offsets().tolist() == [[300.0, 130.0]]
    assert len(spots["seen in too few runs to say"].get_facecolors()) == 0, "hollow"


# --- the search -------------------------------------------------------------------------------------------------------


def test_the_best_plan_and_the_frontier_are_those_of_trying_everything(scenario_file: Path, tmp_path: Path) -> None:
    tried = [*FIXED, "concurrency=1,2,4", "order=host,largest_first", "nova_limit=1,2"]
    search = _search(scenario_file, tmp_path / "a", Inline(), tried, replications=3)
    found = search.run()
    every = {point: search.seen.get(point) for point in product(*(knob.values for knob in search.knobs))}
    missing = [point for point, plan in every.items() if plan is None]
    search._try(missing, 3, math.inf)
    plans = list(search.seen.values())
    shortest = min(plan.makespan.value for plan in plans)
    assert len(plans) == 12
    assert found.best.makespan.value <= shortest * 1.002
    front = {
        plan.name for plan in plans
        if not any((other.makespan.value <= plan.makespan.value and other.disruption.value < plan.disruption.value)
                   or (other.makespan.value < plan.makespan.value and other.disruption.value <= plan.disruption.value)
                   for other in plans)
    }  # fmt: skip
    assert {plan.name for plan in found.frontier} <= front
    assert {plan.makespan.value for plan in found.frontier} >= {shortest}
    # with one migration at a time for a host, more workers change nothing: the smallest such plan is the answer
    assert "concurrency" not in found.best.name or "nova_limit" in found.best.name


def test_a_goal_turns_the_search_to_plans_that_keep_it(scenario_file: Path, tmp_path: Path) -> None:
    tried = [*FIXED, "concurrency=1,2,4", "order=host", "nova_limit=1,4"]
    free = _search(scenario_file, tmp_path / "a", Inline(), tried, replications=3).run()
    slowest = max(plan.makespan.value for plan in free.others)
    gentle = _search(scenario_file, tmp_path / "b", Inline(), tried, f"makespan < {slowest * 1.01} s",
                             replications=3, minimise="disruption").run()  # fmt: skip
    assert gentle.best.verdict.met
    assert gentle.best.disruption.value <= free.best.disruption.value * 1.02
    never = _search(scenario_file, tmp_path / "c", Inline(), tried, "makespan < 1 s", replications=3).run()
    assert not never.best.verdict.met
    assert never.best.verdict.broken == ("makespan < 1.00 s",)
    assert never.best.makespan.value == pytest.approx(free.best.makespan.value, rel=0.003)


def test_the_answer_replays_as_a_scenario(scenario_file: Path, tmp_path: Path) -> None:
    tried = [*FIXED, "concurrency=1,4", "order=host", "nova_limit=1,2"]
    search = _search(scenario_file, tmp_path / "a", Inline(), tried, replications=2)
    best = search.run().best
    path = write_scenario(search.base, search.variant(best.point), tmp_path / "best.yaml", ["found"])
    assert path.read_text().startswith("# found\n")
    again = sim.run(path, seed=seed_of(1, 2))
    assert again.answer().makespan_s == pytest.approx(best.makespans[1])
    kept = "".join(file.read_text() for file in (tmp_path / "a" / "runs").glob("*.json"))
    assert str(again.manifest["log_digest"]) in kept


def test_the_answer_does_not_depend_on_the_order_of_the_runs(scenario_file: Path, tmp_path: Path) -> None:
    answers = set()
    for order in range(2):
        search = _search(
            scenario_file, tmp_path / str(order), Luck(order), ["method=live", "order=host"], replications=4
        )
        found = search.run()
        answers.add((found.best.name, tuple(plan.name for plan in found.frontier), found.runs, found.plans))
    assert len(answers) == 1


def test_a_budget_ends_the_search_and_the_answer_says_so(scenario_file: Path, tmp_path: Path) -> None:
    found = _search(scenario_file, tmp_path / "a", Luck(), [], replications=3, budget=12).run()
    assert found.exhausted
    assert found.runs <= 12
    made = Luck()
    many = _search(scenario_file, tmp_path / "c", made, [], replications=8, budget=50).run()
    assert many.exhausted
    assert many.runs == len(set(made.made)) <= 50  # those that confirm are counted, and none twice
    assert not _search(scenario_file, tmp_path / "b", Luck(), [*FIXED, "order=host"], replications=3).run().exhausted


@pytest.mark.parametrize("budget", [12, 20, 40, 80])
def test_no_plan_that_was_run_is_better_than_the_best(scenario_file: Path, tmp_path: Path, budget: int) -> None:
    """However early the search had to stop: a plan that keeps the goals is never passed over for one that does not."""
    tried = [*FIXED, "concurrency=1,2,4", "order=host,largest_first", "nova_limit=1,2"]
    whole = _search(scenario_file, tmp_path / "a", Inline(), tried, replications=3).run()
    goal = f"makespan < {whole.best.makespan.value * 1.05} s"
    search = _search(scenario_file, tmp_path / "b", Inline(), tried, goal, replications=3, budget=budget)
    found = search.run()
    assert found.best.verdict.met == any(plan.verdict.met for plan in search.confirmed.values())
    kept = [plan.makespan.value for plan in search.confirmed.values() if plan.verdict.met]
    assert not kept or found.best.makespan.value <= min(kept) * 1.005


def test_what_binds_is_what_changes_the_makespan(scenario_file: Path, tmp_path: Path) -> None:
    """With one migration at a time, Nova's limit and the network bind; the number of workers does not."""
    tried = [*FIXED, "concurrency=2,4", "order=host", "nova_limit=1"]
    limited = _search(scenario_file, tmp_path / "a", Inline(), tried, replications=3).run()
    by = {bind.what: bind for bind in limited.binds}
    assert by["network"].makespan.high < 0
    assert abs(by["concurrency"].makespan.value) < 0.05 * limited.best.makespan.value
    assert limited.last is not None
    assert limited.last.server in {"large-1", *(f"small-{n}" for n in range(1, 6))}


def test_the_last_to_arrive_is_told_with_its_longest_stages() -> None:
    run = sim.run(parse(CLOUD), seed=3)
    found = last_to_arrive(run.records())
    assert found is not None
    table = run.table("migrations").sort("ended_s")
    assert found.server == table["server"][-1]
    names = [name for name, _ in found.stages]
    assert len(names) == 3
    assert [took for _, took in found.stages] == sorted((took for _, took in found.stages), reverse=True)
    assert last_to_arrive([]) is None


def test_a_search_that_is_stopped_goes_on_where_it_was(scenario_file: Path, tmp_path: Path) -> None:
    first = Luck()
    one = _search(scenario_file, tmp_path / "a", first, [*FIXED, "order=host"], replications=4)
    before = one.run()
    one._store.close()
    again = Luck()
    with closing(again):
        after = _search(scenario_file, tmp_path / "a", again, [*FIXED, "order=host"], replications=4).run()
    assert first.made
    assert not again.made
    assert after.best.name == before.best.name
