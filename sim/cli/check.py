"""``novasim check``: everything wrong with a scenario at once, and what of its nova.conf counts. Nothing is run."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from sim.scenario.nova_conf import OptionUse


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("check")(check)


def check(
    scenario: Annotated[Path, typer.Argument(help="Scenario file (YAML).", show_default=False)],
    sets: Annotated[list[str] | None, typer.Option("--set", help="path=value, overrides the file.")] = None,
) -> None:
    """Check a scenario: all issues at once; which options of its nova.conf are honoured."""
    from sim.model.migration.own import migration_model
    from sim.model.scheduler.loading import filter_classes, weigher_classes
    from sim.scenario.expand import expand_hosts, server_pattern
    from sim.scenario.loader import examine
    from sim.units import counted

    found = examine(scenario, sets or [])
    filter_classes(found.options)
    weigher_classes(found.options)
    migration_model(found.scenario.cloud.migration_model)
    for warning in found.warnings:
        print(f"warning: {warning}")
    options = found.options
    for title, uses in (
        ("honoured", options.honoured),
        ("known, without effect in the simulation", options.no_effect),
        ("unknown to Nova 34", options.unknown),
    ):
        if uses:
            print(f"Nova's options, {title} ({len(uses)}):")
            print("\n".join(_lines(uses)))
    cloud = found.scenario.cloud
    hosts, servers = len(expand_hosts(cloud, options)), sum(server_pattern(one).size for one in cloud.servers)
    steps = len(found.scenario.plan)
    what = f"{counted(hosts, 'hosts')}, {counted(servers, 'servers')}, {counted(steps, 'steps')} in the plan"
    print(f"{scenario}: good ({what})")


def _lines(uses: Sequence[OptionUse]) -> Iterator[str]:
    """One line for each option: where it is set, its name, its value or why it has no effect."""
    places = [_place(use.where) for use in uses]
    width = max(map(len, places))
    for use, place in zip(uses, places, strict=True):
        text = f" = {_shown(use.value)}" if use.value is not None else ""
        note = f"  ({use.note})" if use.note else ""
        yield f"  {place:<{width}}  {use.name}{text}{note}"


def _place(where: str) -> str:
    """``nova.conf:12``."""
    return where.partition(" ")[0].rpartition("/")[2]


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return ", ".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)
