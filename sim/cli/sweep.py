"""``novasim sweep``: many runs of a scenario and of its variants."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from sim.cli.many import Dask, RunsLine, Workers, make_executor, print_json
from sim.errors import InputError, Issue

if TYPE_CHECKING:
    from sim.experiments.driver import Finished
    from sim.experiments.experiment import Experiment
    from sim.experiments.measures import Measure
    from sim.experiments.report import Runs


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("sweep")(sweep)


def sweep(
    source: Annotated[Path, typer.Argument(metavar="SCENARIO", help="Scenario, or sweep file.", show_default=False)],
    *,
    replications: Annotated[
        int | None, typer.Option("--replications", "-n", help="Runs of each variant; with --until, at most.", min=1)
    ] = None,
    until: Annotated[
        str | None, typer.Option(help='Run until it is known that well: "p95_makespan ± 5 %, failed ± 0.5".')
    ] = None,
    axis: Annotated[
        list[str] | None, typer.Option(help="PATH=VALUES: 2,4,8 or a range 1..16 or 10 Gbit/s..40 Gbit/s.")
    ] = None,
    sample: Annotated[
        str | None, typer.Option(help="Which points of the axes: grid, list, latin:N, sobol:N, indices:N.")
    ] = None,
    sets: Annotated[list[str] | None, typer.Option("--set", help="path=value, for all variants.")] = None,
    seed: Annotated[int | None, typer.Option(help="Seed of the replications' seeds.", min=0)] = None,
    warm_up: Annotated[
        str | None, typer.Option(help="Simulated time to leave out of each run, like 30 min, or auto (MSER-5).")
    ] = None,
    metric: Annotated[
        list[str] | None, typer.Option(help="What to report: makespan, p95_makespan, p99_downtime, failed, …")
    ] = None,
    confidence: Annotated[float, typer.Option(help="Of the intervals.", min=0.5, max=0.999)] = 0.95,
    out: Annotated[Path | None, typer.Option(help="Folder; default: results/sweep-NAME.")] = None,
    keep: Annotated[bool, typer.Option("--keep", help="Keep every run's folder too.")] = False,
    workers: Workers = None,
    dask: Dask = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Run a scenario, or variants of it, many times: intervals, sensitivity, figures; resumable.

    Every variant has the same luck in a replication. Give the same command again to continue one that was stopped.
    """
    given = {"axis": axis or [], "sample": sample, "sets": sets or [], "seed": seed, "replications": replications,
             "until": until, "warm_up": warm_up}  # fmt: skip
    experiment, measures = _asked(source, given, metric or [], confidence)
    target = out or Path("results") / f"sweep-{experiment.name}"
    finished, runs = _run(experiment, target, workers, dask, keep)
    figures = _write(experiment, runs, measures, confidence)
    if as_json:
        print_json(_json(experiment, finished, runs, measures, confidence))
    else:
        _show(experiment, finished, runs, measures, confidence=confidence, figures=figures)
    if finished.failed:
        raise typer.Exit(3)


def _asked(
    source: Path, given: dict[str, Any], metrics: list[str], confidence: float
) -> tuple[Experiment, list[Measure]]:
    """The experiment of a file and the options, or everything wrong with them."""
    from sim.experiments.axes import parse_axis
    from sim.experiments.design import check_design, parse_design
    from sim.experiments.experiment import axis_issues, experiment, is_sweep_file, read_sweep
    from sim.experiments.measures import USUAL, measures
    from sim.experiments.precision import parse_until
    from sim.scenario.loader import examine

    chosen, issues = measures(metrics or USUAL, "--metric")
    parts: dict[str, Any] = {"source": str(source)}
    try:
        if source.is_file() and is_sweep_file(source):
            parts = read_sweep(source)
        else:
            examine(source)
    except InputError as error:
        issues += error.issues
    axes = [parse_axis(text, "--axis", issues) for text in given["axis"]]
    parts["axes"] = [*parts.get("axes", ()), *(one for one in axes if one is not None)]
    parts["sets"] = [*parts.get("sets", ()), *given["sets"]]
    if given["sample"] is not None:
        parts["design"] = parse_design(given["sample"], "--sample", issues)
    if given["until"] is not None:
        parts["until"] = parse_until(given["until"], "--until", issues)
    if given["warm_up"] is not None:
        parts["warm_up"] = _warm_up(given["warm_up"], issues)
    parts.update({key: given[key] for key in ("seed", "replications") if given[key] is not None})
    if parts.get("until") is not None:
        parts["until"].confidence = confidence
    if issues:
        if parts.get("design") is not None and None not in axes:
            issues += [one for one in check_design(parts["axes"], parts["design"], "--sample") if one not in issues]
        issues += [one for one in axis_issues(parts["source"], parts["sets"], parts["axes"]) if one not in issues]
        raise InputError(issues)
    return experiment(**parts), chosen


def _warm_up(text: str, issues: list[Issue]) -> float | Literal["auto"]:
    from sim.units import parse_seconds

    if text == "auto":
        return "auto"
    try:
        return parse_seconds(0.0 if text.strip() == "0" else text)
    except ValueError as error:
        issues.append(Issue("--warm-up", str(error), "or write auto"))
        return 0.0


def _run(
    experiment: Experiment, target: Path, workers: int | None, dask: str | None, keep: bool
) -> tuple[Finished, Runs]:
    from dataclasses import replace

    from sim.experiments.driver import Driver
    from sim.experiments.report import Runs
    from sim.experiments.store import Store
    from sim.experiments.warmup import check_durations, find_warm_up

    with RunsLine() as line:
        if experiment.warm_up == "auto":
            check_durations(experiment)
        with closing(make_executor(workers, dask)) as executor, Store(target) as store:
            if experiment.warm_up == "auto":
                found = find_warm_up(experiment, store, executor, line.update)
                experiment = replace(experiment, warm_up=found)
            finished = Driver(experiment, store, executor, keep=keep, on_progress=line.update).run()
    return finished, Runs(target)


def _write(experiment: Experiment, runs: Runs, measures: list[Measure], confidence: float) -> list[Path]:
    """The table of intervals, and a figure for each measure that the variants or axes move."""
    from sim.experiments.figures import effects_figure, indices_figure, variants_figure
    from sim.experiments.report import SUMMARY, summarise
    from sim.experiments.screens import alike_all
    from sim.experiments.sensitivity import main_effects, sobol_indices

    summarise(runs, measures, confidence).write_csv(runs.folder / SUMMARY)
    folder = runs.folder / "figures"
    made = []
    if len(runs.variants) == 1:
        return []
    for measure in measures:
        estimates = runs.estimates(measure, confidence)
        if alike_all(estimates):
            continue
        effects = main_effects(experiment, runs, measure, confidence)
        indices = sobol_indices(experiment, runs, measure)
        if len(runs.variants) <= 40:
            figure = variants_figure(estimates, measure, experiment.name)
            made.append(figure.save(folder / f"{measure.name}-variants.png"))
        if effects:
            made.append(effects_figure(effects, measure, experiment.name).save(folder / f"{measure.name}-effects.png"))
        if indices:
            made.append(indices_figure(indices, measure, experiment.name).save(folder / f"{measure.name}-sobol.png"))
    return made


def _show(
    experiment: Experiment,
    finished: Finished,
    runs: Runs,
    measures: list[Measure],
    *,
    confidence: float,
    figures: list[Path],
) -> None:
    from rich.text import Text

    from sim.experiments.screens import effects_screen, failures_screen, indices_screen, sweep_screen
    from sim.experiments.sensitivity import main_effects, sobol_indices
    from sim.plots.text import console
    from sim.units import counted, format_seconds

    screen = console()
    variants = "" if len(runs.variants) == 1 else f"{counted(len(runs.variants), 'variants')} × "
    title = Text(experiment.name, style="bold")
    title.append(
        f"  {variants}{counted(finished.replications, 'replications')}, seed {experiment.seed}", style="not bold"
    )
    if runs.about["warm_up_s"]:
        title.append(f", warm-up {format_seconds(runs.about['warm_up_s'])} left out", style="not bold")
    if finished.found:
        verb = "was" if finished.found == 1 else "were"
        title.append(f"  ({counted(finished.found, 'runs')} {verb} on disk)", style="dim")
    screen.print(title)
    screen.print(sweep_screen(runs, measures, confidence))
    effects = main_effects(experiment, runs, measures[0], confidence)
    if len(effects) > 1:
        screen.print("", effects_screen(effects, measures[0]), sep="\n")
    indices = sobol_indices(experiment, runs, measures[0])
    if indices:
        screen.print("", Text(f"share of the variance of {measures[0].name} (Sobol's indices)", style="bold"),
                      indices_screen(indices), sep="\n")  # fmt: skip
    if experiment.until is not None:
        wanted = ", ".join(one.text for one in experiment.until.wanted)
        words = "is reached" if finished.precise else "is NOT reached"
        few = experiment.until.too_few(finished.replications)
        why = f": {few} are the least for such a quantile" if few and not finished.precise else ""
        known = experiment.until.standing(lambda name, column: runs.columns(column)[name], runs.variants)
        why += f"; known is {known}" if known else ""
        screen.print(Text(f"{wanted} {words} after {counted(finished.replications, 'replications')}{why}",
                           style="green" if finished.precise else "yellow"))  # fmt: skip
    screen.print(*failures_screen(runs.failures()), sep="\n", end="\n" if finished.failed else "")
    more = f", {counted(len(figures), 'figures')}" if figures else ""
    screen.print(Text(f"{runs.folder}: runs.parquet, summary.csv{more}", style="dim"))
    if len(runs.variants) > 1:
        screen.print(Text(f"differences of variants under the same luck: novasim compare {runs.folder}", style="dim"))


def _json(
    experiment: Experiment, finished: Finished, runs: Runs, measures: list[Measure], confidence: float
) -> dict[str, Any]:
    from dataclasses import asdict

    from sim.experiments.report import summarise
    from sim.experiments.sensitivity import main_effects, sobol_indices

    return {
        "folder": str(runs.folder), "experiment": runs.about, "finished": asdict(finished),
        "measures": list(summarise(runs, measures, confidence).iter_rows(named=True)),
        "effects": {m.name: list(map(asdict, main_effects(experiment, runs, m, confidence))) for m in measures},
        "indices": {m.name: [asdict(i) for i in sobol_indices(experiment, runs, m) or ()] for m in measures},
        "failures": [asdict(failure) for failure in runs.failures()],
    }  # fmt: skip
