"""``novasim compare``: two runs side by side, or the variants of a sweep under the same luck."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from sim.errors import InputError, Issue


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("compare")(compare)


def compare(
    a: Annotated[
        Path, typer.Argument(metavar="A", help="Run folder that is measured against, or a sweep.", show_default=False)
    ],
    b: Annotated[Path | None, typer.Argument(metavar="[B]", help="Run folder.", show_default=False)] = None,
    *,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="Page of two runs; default: compare-A-B.html beside B.")
    ] = None,
    baseline: Annotated[
        str | None, typer.Option(help="Of a sweep: the variant to measure against; default: as it is, or the first.")
    ] = None,
    metric: Annotated[
        list[str] | None, typer.Option(help="Of a sweep: makespan, p95_makespan, p99_downtime, failed, …")
    ] = None,
    confidence: Annotated[float, typer.Option(help="Of a sweep's intervals.", min=0.5, max=0.999)] = 0.95,
    as_json: Annotated[bool, typer.Option("--json", help="Print the comparison as JSON, and write no page.")] = False,
) -> None:
    """Compare two runs: numbers side by side, paired differences of servers, what was changed; also as a page.

    Of a sweep: paired differences of its variants, with intervals, and a ranking that says when it cannot tell.
    """
    if b is None:
        if output is not None:
            raise InputError([Issue("--output", "is of two runs", "name two run folders, or leave it away")])
        _variants(a, baseline, metric or [], confidence, as_json=as_json)
        return
    if baseline is not None or metric:
        raise InputError([Issue("--baseline, --metric", "are of a sweep", "name one sweep folder, or leave them away")])
    from sim.experiments.store import DESCRIPTION
    from sim.metrics.compare import compare as compared
    from sim.metrics.source import Records

    right = "name it alone to compare its variants; `novasim sweep --keep` keeps the folders of its runs"
    sweeps = [Issue(str(one), "is a sweep's folder, not a run's", right) for one in (a, b)
              if (one / DESCRIPTION).is_file()]  # fmt: skip
    if sweeps:
        raise InputError(sweeps)
    one, other = Records.open(a), Records.open(b)
    made = compared(one, other)
    if as_json:
        numbers = json.loads(json.dumps(asdict(made)), parse_constant=lambda _: None)  # JSON has no NaN
        print(json.dumps(numbers, indent=2))
        return
    from sim.plots.compare import write_comparison
    from sim.plots.text import comparison_screen, console

    names = (a.resolve().name, b.resolve().name)
    screen = console()
    screen.print(comparison_screen(made, names))
    target = output or b.resolve().parent / f"compare-{names[0]}-{names[1]}.html"
    screen.print(f"page {write_comparison(one, other, target, names)}", style="dim", highlight=False, soft_wrap=True)


def _variants(folder: Path, baseline: str | None, metric: list[str], confidence: float, *, as_json: bool) -> None:
    """The variants of a sweep."""
    from sim.cli.many import print_json
    from sim.experiments.compare import compare as compared
    from sim.experiments.figures import differences_figure
    from sim.experiments.measures import USUAL, measures
    from sim.experiments.report import Runs
    from sim.experiments.screens import compare_screen, failures_screen
    from sim.experiments.store import DESCRIPTION

    if not (folder / DESCRIPTION).is_file():
        right = "name two run folders, or one folder that `novasim sweep` wrote"
        raise InputError([Issue(str(folder), "is not a sweep's folder", right)])
    chosen, issues = measures(metric or USUAL, "--metric")
    if issues:
        raise InputError(issues)
    runs = Runs(folder)
    made = compared(runs, chosen, baseline, confidence)
    if as_json:
        print_json([one.as_dict() for one in made])
        return
    from sim.plots.text import console

    screen = console()
    screen.print(compare_screen(made), *failures_screen(runs.failures()), sep="\n")
    figures = folder / "figures"
    for one in made:
        differences_figure(one, runs.about["name"]).save(figures / f"{one.measure.name}-differences.png")
    screen.print(f"figures {figures}", style="dim", highlight=False, soft_wrap=True)
