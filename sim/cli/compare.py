"""``novasim compare``: two runs side by side."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("compare")(compare)


def compare(
    a: Annotated[Path, typer.Argument(metavar="A", help="Run folder that is measured against.", show_default=False)],
    b: Annotated[Path, typer.Argument(metavar="B", help="Run folder.", show_default=False)],
    *,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="Page to write; default: compare-A-B.html beside B.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the comparison as JSON, and write no page.")] = False,
) -> None:
    """Compare two runs: numbers side by side, paired differences of servers, what was changed; also as a page."""
    from sim.metrics.compare import compare as compared
    from sim.metrics.source import Records

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
    screen.print(f"[dim]page {write_comparison(one, other, target, names)}[/dim]", highlight=False, soft_wrap=True)
