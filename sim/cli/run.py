"""``novasim run``: play a scenario, print the answer, leave a run folder."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sim import units

if TYPE_CHECKING:
    from sim.runs.simulation import Progress


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

    show = _LiveLine() if sys.stderr.isatty() and not as_json else None
    result = execute(loaded, seed, explain=explain, on_progress=show.update if show else None)
    if show:
        show.close()
    folder = save(result, out or Path("results") / f"{loaded.name}-seed{result.seed}")
    answer = Run(result.manifest, result).answer()
    if as_json:
        from dataclasses import asdict

        print(json.dumps({"folder": str(folder), "manifest": result.manifest, "answer": asdict(answer)}, indent=2))
    else:
        from sim.plots.text import answer_screen, console

        screen = console()
        screen.print(answer_screen(answer, result.manifest))
        screen.print(f"[dim]run folder {folder}   novasim show {folder} migrations[/dim]", highlight=False)
    if result.manifest["partial"]:
        print("interrupted: the answer is about what was simulated until then (marked partial)", file=sys.stderr)
        raise typer.Exit(130)


class _LiveLine:
    """One line on the terminal that says where the run stands."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.live import Live

        self._live = Live(console=Console(stderr=True), refresh_per_second=5, transient=True)
        self._live.start()

    def update(self, progress: Progress) -> None:
        """Called from time to time while the run lasts."""
        over = progress.done + progress.failed
        text = (
            f"simulated {units.format_seconds(progress.now_s)}   under way {progress.under_way}   "
            f"done {progress.done}   failed {progress.failed}   {progress.events_per_s:,.0f} events/s"
        )
        if progress.asked and over:
            left = max(progress.asked - over, 0)
            text += f"   {over}/{progress.asked} servers, about {left * progress.wall_s / over:.0f} s to go"
        self._live.update(text)

    def close(self) -> None:
        """The line goes."""
        self._live.stop()
