"""``novasim check``: everything wrong with a scenario at once, and what of its nova.conf counts. Nothing is run."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from rich.table import Table

    from sim.scenario.nova_conf import OptionUse


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("check")(check)


def check(
    scenario: Annotated[Path, typer.Argument(help="Scenario file (YAML).", show_default=False)],
    sets: Annotated[list[str] | None, typer.Option("--set", help="path=value, overrides the file.")] = None,
) -> None:
    """Check a scenario: all issues at once; which options of its nova.conf are honoured."""
    from rich.console import Console

    from sim.scenario.expand import expand_hosts, server_pattern
    from sim.scenario.loader import examine

    found = examine(scenario, sets or [])
    console = Console(highlight=False, soft_wrap=True, markup=False)
    for warning in found.warnings:
        console.print(f"warning: {warning}")
    options = found.options
    for title, uses in (
        ("honoured", options.honoured),
        ("known to Nova, without effect in the simulation", options.no_effect),
        ("unknown to Nova 34", options.unknown),
    ):
        if uses:
            console.print(f"Nova's options, {title} ({len(uses)}):", style="bold")
            console.print(_table(uses))
    cloud = found.scenario.cloud
    hosts, servers = len(expand_hosts(cloud, options)), sum(server_pattern(one).size for one in cloud.servers)
    steps = len(found.scenario.plan)
    console.print(f"{scenario}: good ({hosts:,} hosts, {servers:,} servers, {steps} steps in the plan)")


def _table(uses: Sequence[OptionUse]) -> Table:
    """One line for each option: its name and value, where it is set, why it has no effect."""
    from rich.table import Table

    table = Table(box=None, show_header=False, padding=(0, 2, 0, 2), pad_edge=False)
    for use in uses:
        value = "" if use.value is None else f"= {_shown(use.value)}"
        table.add_row(f"  {use.name}", value, use.note, use.where.partition(" ")[0])
    return table


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return ", ".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)
