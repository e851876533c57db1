"""``novasim run``: play a scenario, print the answer, leave a run folder."""

from __future__ import annotations

import json
import sys
from contextlib import closing, nullcontext
from pathlib import Path
from typing import Annotated

import typer

from sim.cli.live import LiveLine


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("run")(run)


def run(
    scenario: Annotated[Path, typer.Argument(help="Scenario file (YAML).", show_default=False)],
    *,
    seed: Annotated[int | None, typer.Option(help="Seed of all luck; default: the scenario's.", min=0)] = None,
    out: Annotated[Path | None, typer.Option(help="Run folder; default: results/NAME-seedSEED.")] = None,
    sets: Annotated[list[str] | None, typer.Option("--set", help="path=value, overrides the file.")] = None,
    explain: Annotated[bool, typer.Option("--explain", help="Record why each host was or was not chosen.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the answer as JSON.")] = False,
) -> None:
    """Run a scenario and print the answer: how long, what failed and why, downtime, headroom."""
    from sim.scenario.loader import load

    loaded = load(scenario, sets or [])
    # A file with mistakes is refused before the engine is even loaded.
    from sim.public import Run
    from sim.runs.engine import execute
    from sim.runs.store import save

    show = LiveLine(loaded.run.duration) if sys.stderr.isatty() and not as_json else None
    with closing(show) if show else nullcontext():
        result = execute(
            loaded,
            seed,
            explain=explain,
            on_progress=show.update if show else None,
            on_phase=show.say if show else None,
        )
        if show:
            show.say("writing the run folder")
        folder = save(result, out or Path("results") / f"{loaded.name}-seed{result.seed}")
        if show:
            show.say("making tables of it")
        answer = Run(result.manifest, result).answer()
    if as_json:
        from dataclasses import asdict

        print(json.dumps({"folder": str(folder), "manifest": result.manifest, "answer": asdict(answer)}, indent=2))
    else:
        from sim.plots.text import answer_screen, console

        screen = console()
        screen.print(answer_screen(answer, result.manifest))
        screen.print(
            f"run folder {folder}\nlook closer: novasim show {folder} migrations", style="dim", highlight=False
        )
    if result.manifest["partial"]:
        print("interrupted: the answer is about what was simulated until then (marked partial)", file=sys.stderr)
        raise typer.Exit(130)
