"""``novasim plan``: searches for the drain that is good enough, the failures survived, the day on which it is full."""

from __future__ import annotations

import sys
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from sim.cli.many import Dask, Line, RunsLine, Workers, make_executor, print_json
from sim.errors import InputError, Issue

if TYPE_CHECKING:
    from sim.experiments.plans.knobs import Knob

plan = typer.Typer(help="Search for plans: drains, failures survived, room for growth.", no_args_is_help=True)

Source = Annotated[Path, typer.Argument(metavar="SCENARIO", help="Scenario file (YAML).", show_default=False)]
Sets = Annotated[list[str] | None, typer.Option("--set", help="path=value, overrides the file.")]
Seed = Annotated[int, typer.Option(help="Seed of the replications' seeds.", min=0)]
Json = Annotated[bool, typer.Option("--json", help="Print the answer as JSON.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.add_typer(plan, name="plan")


@plan.command("drain")
def drain(
    source: Source,
    *,
    goal: Annotated[
        str | None, typer.Option(help='What the plan must keep: "makespan < 6 h, p99 downtime < 1 s, failures = 0".')
    ] = None,
    minimize: Annotated[
        Literal["makespan", "disruption"], typer.Option(help="What is to be least among plans that keep the goals.")
    ] = "makespan",
    step: Annotated[str | None, typer.Option(help="Name of the plan's drain; default: its first.")] = None,
    hosts: Annotated[
        list[str] | None, typer.Option(help="Hosts to drain, instead of the scenario's plan: names, rack:NAME, …")
    ] = None,
    tried: Annotated[
        list[str] | None,
        typer.Option("--try", help="NAME=VALUES of a knob: concurrency, per_host, order, method, nova_limit, bandwidth "
                     "(MiB/s), auto_converge, post_copy, timeout_action. One value fixes it."),
    ] = None,
    replications: Annotated[int, typer.Option("-n", "--replications", help="Runs of the best plans.", min=2)] = 10,
    budget: Annotated[
        int, typer.Option(help="Most runs: half to look around, the others to confirm the best and what binds.", min=1)
    ] = 1200,
    sets: Sets = None,
    seed: Seed = 1,
    out: Annotated[Path | None, typer.Option(help="Folder; default: results/plan-drain-NAME.")] = None,
    workers: Workers = None,
    dask: Dask = None,
    as_json: Json = False,
) -> None:  # fmt: skip
    """Find the shortest (or gentlest) drain that keeps the goals; the frontier; what binds."""
    from sim.experiments.plans.drain import DrainSearch
    from sim.experiments.plans.goal import parse_goals
    from sim.experiments.plans.knobs import drain_step, knobs, parse_tried
    from sim.experiments.store import Store
    from sim.scenario.yaml_text import one_line

    issues: list[Issue] = []
    goals = parse_goals(goal, "--goal", issues) if goal is not None else []
    edits = list(sets or [])
    if hosts:
        edits.append(f"plan={one_line([{'drain': {'hosts': hosts}}])}")
    base, scenario = _loaded(source, edits, seed, issues)
    settings = parse_tried(tried or [], issues)
    number = drain_step(scenario, step, issues) if scenario is not None else None
    if issues or scenario is None or number is None:
        raise InputError(issues)
    found = knobs(scenario, number, settings)
    issues += _tried_issues(source, edits, [knob for knob in found if knob.name in settings])
    if issues:
        raise InputError(issues)
    target = out or Path("results") / f"plan-drain-{base.name}"
    with RunsLine() as line, closing(make_executor(workers, dask)) as executor, Store(target) as store:
        search = DrainSearch(base, scenario, found, goals, store, executor, minimise=minimize,
                             replications=replications, budget=budget, on_progress=line.update)  # fmt: skip
        answer = search.run()
    files = _write_drain(search, answer, target, goal or "")
    if as_json:
        print_json(_drain_json(answer, files))
    else:
        from sim.experiments.plans.screens import drain_screen

        _show(drain_screen(answer, goals), f"drain of {base.name}" + (f": {goal}" if goal else ""), files)
    if not answer.best.verdict.met:
        raise typer.Exit(1)


def _tried_issues(source: Path, edits: list[str], tried: list[Knob]) -> list[Issue]:
    """What is wrong with values of knobs that were named."""
    from sim.experiments.axes import Axis
    from sim.experiments.experiment import axis_issues

    return [
        Issue(f"--try {knob.name}", one.what, one.right)
        for knob in tried
        for one in axis_issues(source, edits, [Axis(knob.path, knob.values)])
    ]


def _loaded(source: Path, edits: list[str], seed: int, issues: list[Issue]) -> tuple[Any, Any]:
    """The experiment that plans are variants of, and its scenario; None and issues where it has mistakes."""
    from sim.experiments.experiment import Experiment
    from sim.scenario.loader import load

    base = Experiment(str(source), (), tuple(edits), seed=seed, name=source.stem)
    try:
        return base, load(source, edits)
    except InputError as error:
        issues += error.issues
        return base, None


def _write_drain(search: Any, answer: Any, target: Path, goal: str) -> list[Path]:
    """The best plan and the frontier as scenarios that replay, the frontier as a figure and a table."""
    import polars as pl

    from sim.experiments.figures import frontier_figure
    from sim.experiments.plans.found import write_scenario
    from sim.units import format_seconds

    for before in target.glob("frontier-*.yaml"):  # of another goal
        before.unlink()
    made = []
    for name, one in [("best", answer.best), *((f"frontier-{i}", p) for i, p in enumerate(answer.frontier, 1))]:
        words = [
            f"A plan that novasim found for: {goal or 'the shortest drain'}",
            f"makespan {format_seconds(one.makespan.value)}, guest time lost {format_seconds(one.disruption.value)}, "
            f"means of {one.verdict.runs} runs; {one.verdict.good_runs} of them keep the goals",
        ]  # fmt: skip
        made.append(write_scenario(search.base, search.variant(one.point), target / f"{name}.yaml", words))
    rows = [
        {"plan": one.name, "makespan_s": one.makespan.value, "disruption_s": one.disruption.value,
         "unmoved": one.unmoved, "goals_kept": one.verdict.met, "runs": one.verdict.runs,
         "on_frontier": one in answer.frontier, "best": one.point == answer.best.point,
         **{knob.name: str(value) for knob, value in zip(search.knobs, one.point, strict=True)}}
        for one in answer.others
    ]  # fmt: skip
    pl.DataFrame(rows).write_csv(target / "plans.csv")
    front = [(one.makespan.value, one.disruption.value) for one in answer.frontier]
    best = (answer.best.makespan.value, answer.best.disruption.value)
    others = [one for one in answer.others if one not in answer.frontier and one.makespan.n]
    least = min(one.unmoved for one in answer.others)
    kinds: dict[str, list[tuple[float, float]]] = {"beaten": [], "glanced": [], "fewer": []}
    for one in others:
        glanced = "glanced" if one.verdict.runs < answer.best.verdict.runs else "beaten"
        kinds["fewer" if one.unmoved > least else glanced].append((one.makespan.value, one.disruption.value))
    figure = frontier_figure(front, kinds, best, f"{search.base.name}: plans of the drain")
    return [*made[:1], target / "plans.csv", figure.save(target / "frontier.png")]


def _drain_json(answer: Any, files: list[Path]) -> dict[str, Any]:
    from dataclasses import asdict

    made = asdict(answer)
    for one in (made["best"], made["asked"], *made["frontier"], *made["others"]):
        del one["makespans"]
    return {**made, "scenario": str(files[0])}


def _show(screen: Any, title: str, files: list[Path]) -> None:
    from rich.text import Text

    from sim.plots.text import console

    out = console()
    out.print(Text(title, style="bold"))
    out.print(screen)
    out.print(Text("  ".join(str(path) for path in files), style="dim"), soft_wrap=True)


@plan.command("headroom")
def headroom(
    source: Source,
    *,
    sets_max: Annotated[
        int, typer.Option(help="Most sets of hosts to look at one by one, for one number of failures.", min=1)
    ] = 3000,
    samples: Annotated[int, typer.Option(help="Sets drawn by luck, for each number of failures.", min=10)] = 200,
    sets: Sets = None,
    seed: Seed = 1,
    out: Annotated[Path | None, typer.Option(help="Folder; default: results/plan-headroom-NAME.")] = None,
    as_json: Json = False,
) -> None:
    """How many hosts may fail at once and be evacuated: the worst, any, a whole rack; proven, or with the gap."""
    from dataclasses import asdict

    from sim.experiments.plans.headroom import HeadroomSearch
    from sim.experiments.plans.replay import replay
    from sim.experiments.plans.room import room_of

    issues: list[Issue] = []
    base, scenario = _loaded(source, list(sets or []), seed, issues)
    if issues:
        raise InputError(issues)
    room, line = room_of(scenario, scenario.run.seed), Line()
    try:
        found = HeadroomSearch(
            room, seed, sets_max=sets_max, samples=samples,
            on_judged=lambda count: line.say(f"{count:,} sets of hosts judged"),
        ).run()  # fmt: skip
    finally:
        line.close()
    target = out or Path("results") / f"plan-headroom-{base.name}"
    worst = found.worst
    cases = [
        (f"the hardest {worst.proven}", worst.hardest, "hardest"),
        ("the breaking ones", worst.breaking, "breaking"),
    ]
    replays = [
        replay(scenario, hosts, f"{what} ({', '.join(hosts[:4])}{', …' if len(hosts) > 4 else ''})",
               target / f"{name}.yaml", scenario.run.seed)
        for what, hosts, name in cases if hosts
    ]  # fmt: skip
    if as_json:
        print_json({**asdict(found), "replays": [asdict(one) for one in replays]})
        return
    from sim.experiments.plans.screens import headroom_screen

    _show(headroom_screen(found, replays), f"headroom of {base.name}", [Path(one.scenario) for one in replays])


@plan.command("capacity")
def capacity(
    source: Source,
    *,
    growth: Annotated[
        str, typer.Option(help='Servers that arrive and stay: "m.small=5/day, m.large=3 %/month".', show_default=False)
    ],
    horizon: Annotated[
        str | None, typer.Option(help="How far to look, like 2 years; default: until all that grows is full.")
    ] = None,
    replications: Annotated[int, typer.Option("-n", "--replications", help="Runs.", min=2)] = 20,
    confidence: Annotated[float, typer.Option(help="Of the intervals.", min=0.5, max=0.999)] = 0.95,
    sets: Sets = None,
    seed: Seed = 1,
    out: Annotated[Path | None, typer.Option(help="Folder; default: results/plan-capacity-NAME.")] = None,
    workers: Workers = None,
    dask: Dask = None,
    as_json: Json = False,
) -> None:
    """When the cloud is full for each flavor, if it grows: simulated arrivals, with intervals."""
    from dataclasses import asdict, replace

    from sim.experiments.plans import capacity as planned
    from sim.experiments.plans.found import write_scenario
    from sim.experiments.variants import Variant

    issues: list[Issue] = []
    base, scenario = _loaded(source, list(sets or []), seed, issues)
    found = planned.parse_growth(growth, scenario, issues) if scenario is not None else []
    span = _time(horizon, "--horizon", issues) if horizon is not None else None
    if issues:
        raise InputError(issues)
    end = span or planned.horizon(scenario, scenario.run.seed, found)
    variant = Variant(f"growth {growth}", planned.growth_settings(scenario, found, end), {})
    target = out or Path("results") / f"plan-capacity-{base.name}"
    made = replace(base, variants=(variant,), replications=replications)
    columns, failures = _measured(made, target, planned.full_times, workers, dask)
    answer = planned.answers(found, planned.servers_today(scenario), columns, end, confidence)
    file = write_scenario(made, variant, target / "growth.yaml", [f"The cloud, growing: {growth}"])
    if as_json:
        print_json({"horizon_s": end, "flavors": [asdict(one) for one in answer], "scenario": str(file)})
        return
    from sim.experiments.figures import full_figure
    from sim.experiments.plans.screens import capacity_screen

    figure = full_figure(answer, end, f"{base.name}: full, growing by {growth}").save(target / "full.png")
    _show(capacity_screen(answer, end, confidence), f"capacity of {base.name}: {growth}", [file, figure])
    if scenario.plan:
        what = "the scenario's own plan is carried out too, and a host that it disables takes no servers"
        print(f'note: {what}: --set "plan=[]" lets the cloud grow without it', file=sys.stderr)
    refused = sum(columns["refused"]) / max(sum(columns["requests"]), 1)
    if refused >= 0.01:
        what = f"{refused:.0%} of all requests were refused at the door, before any host was looked for"
        print(f"warning: {what}: novasim run {file}, then novasim show RUN requests", file=sys.stderr)
    if failures:
        raise typer.Exit(3)


def _time(text: str, place: str, issues: list[Issue]) -> float | None:
    from sim.units import parse_seconds

    try:
        return parse_seconds(text)
    except ValueError as error:
        issues.append(Issue(place, str(error)))
        return None


def _measured(made: Any, target: Path, measurement: Any, workers: int | None, dask: str | None) -> Any:
    """Make the runs with a measurement of their own; its columns over the runs that did not fail, and how many did."""
    from sim.experiments.driver import Driver
    from sim.experiments.report import Runs
    from sim.experiments.screens import failures_screen
    from sim.experiments.store import Store
    from sim.plots.text import console

    with RunsLine() as line, closing(make_executor(workers, dask)) as executor, Store(target) as store:
        driver = Driver(made, store, executor, measurement=measurement, on_progress=line.update)
        finished = driver.run()
    rows = [outcome.values for outcome in driver.outcomes(finished.replications) if not outcome.failed]
    if finished.failed:
        console().print(*failures_screen(Runs(target).failures()), sep="\n")
    if not rows:
        raise typer.Exit(3)
    names = rows[0]
    return {name: [float("nan") if (v := row[name]) is None else v for row in rows] for name in names}, finished.failed
