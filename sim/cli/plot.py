"""``novasim plot``: a figure of a run, as PNG or SVG."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Annotated, Any

import typer

from sim import units
from sim.errors import InputError, Issue

KINDS = {
    "progress": "progress", "gantt-hosts": "gantt_hosts", "gantt-servers": "gantt_servers", "hosts": "heat_hosts",
    "links": "heat_links", "states": "ribbons", "network": "network", "spread": "spread", "headroom": "headroom",
    "guest": "guest_speed",
}  # fmt: skip
"""What can be drawn, and the name of it in ``sim.plots``."""
_OPTIONS = {
    "page": "--page", "at": "--at", "between": "--from and --to", "servers": "--server", "server": "--server",
    "hosts": "--host", "what": "--what",
}  # fmt: skip


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("plot")(plot)


def plot(
    folder: Annotated[Path, typer.Argument(metavar="RUN", help="Run folder.", show_default=False)],
    kind: Annotated[str, typer.Argument(help=f"{', '.join(KINDS)}, or all.", show_default=False)],
    *,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="File (.png or .svg); default: RUN/figures/KIND.png.")
    ] = None,
    server: Annotated[list[str] | None, typer.Option(help="Only this server (more than once: these).")] = None,
    host: Annotated[list[str] | None, typer.Option(help="Only this host (more than once: these).")] = None,
    page: Annotated[int | None, typer.Option(help="Page of a chart that has several.", min=1)] = None,
    at: Annotated[str | None, typer.Option(help="Moment of the network, like '10 min'; default: the busiest.")] = None,
    begin: Annotated[str | None, typer.Option("--from", help="From when, like '10 min'.")] = None,
    end: Annotated[str | None, typer.Option("--to", help="Until when.")] = None,
    what: Annotated[str | None, typer.Option(help="Of hosts: memory_mb, vcpus, disk_gb or servers.")] = None,
) -> None:
    """Draw a figure of a run: timelines, heat maps, states, the network at a moment, costs, headroom."""
    if kind != "all" and kind not in KINDS:
        raise InputError([Issue("KIND", f"{kind!r} is not a figure", f"use one of {', '.join(KINDS)}, or all")])
    issues: list[Issue] = []
    given: dict[str, Any] = {
        "page": page, "hosts": host, "what": what, "at": _moment("--at", at, issues), "servers": server,
        "between": _between(begin, end, issues),
    }  # fmt: skip
    given = {name: value for name, value in given.items() if value is not None}
    if kind == "all" and output is not None:
        issues.append(Issue("-o", "names one file, and `all` are several", "leave it out: they go to RUN/figures"))
    if kind == "guest":
        servers = given.pop("servers", [])
        if len(servers) != 1:
            issues.append(Issue("--server", "is needed once: whose guest?", "novasim show RUN servers lists them"))
        given["server"] = servers[0] if servers else ""
    if issues:
        raise InputError(issues)
    from sim.metrics.source import Records

    records = Records.open(folder)
    for name in [one for one in KINDS if one != "guest"] if kind == "all" else [kind]:
        print(_draw(records, name, given, output or folder / "figures" / f"{name}.png", skip=kind == "all"))


def _draw(records: Any, kind: str, given: dict[str, Any], path: Path, *, skip: bool) -> Path:
    """One figure to its file; an option that it does not know is an error, or left out where ``skip`` says so."""
    from sim import plots

    draw = getattr(plots, KINDS[kind])
    known = inspect.signature(draw).parameters
    wrong = [name for name in given if name not in known]
    if wrong and not skip:
        raise InputError([Issue(_OPTIONS[name], f"says nothing about {kind}", "leave it out") for name in wrong])
    made: Path = draw(records, **{name: value for name, value in given.items() if name in known}).save(path)
    return made


def _moment(option: str, text: str | None, issues: list[Issue]) -> float | None:
    if text is None:
        return None
    try:
        return units.parse_seconds(text)
    except ValueError as error:
        issues.append(Issue(option, str(error)))
        return None


def _between(begin: str | None, end: str | None, issues: list[Issue]) -> tuple[float, float] | None:
    if begin is None and end is None:
        return None
    first = _moment("--from", begin or "0 s", issues)
    if end is None:
        issues.append(Issue("--to", "is missing", "say until when, like --to '20 min'"))
        return None
    last = _moment("--to", end, issues)
    return None if first is None or last is None else (first, last)
