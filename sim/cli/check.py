"""``novasim check``: everything wrong with a scenario at once, and what of its nova.conf counts. Nothing is run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("check")(check)


def check(
    scenario: Annotated[Path, typer.Argument(help="Scenario file (YAML).", show_default=False)],
    sets: Annotated[list[str] | None, typer.Option("--set", help="path=value, overrides the file.")] = None,
) -> None:
    """Check a scenario: all issues at once; which options of its nova.conf are honoured."""
    from rich.console import Console

    from sim.public import load
    from sim.scenario.checks import warnings
    from sim.scenario.nova_conf import read_options

    loaded = load(scenario, sets or [])
    console = Console(highlight=False)
    cloud = loaded.cloud
    for warning in warnings(loaded):
        console.print(f"warning: {warning}")
    options = read_options(cloud.nova.conf, cloud.nova.options)
    for title, found in (
        ("honoured", options.honoured),
        ("known, without effect here", options.no_effect),
        ("unknown to Nova 34", options.unknown),
    ):
        if found:
            console.print(f"[bold]{title}[/bold] ({len(found)})")
            for option in found:
                console.print(f"  {option}")
    console.print(f"{scenario}: good")
