"""``novasim import``: operators' exports → scenario files; public traces → workloads."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

importer = typer.Typer(help="Make scenario files from what an operator already has.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.add_typer(importer, name="import")


@importer.command("openstack")
def openstack(
    directory: Annotated[Path, typer.Argument(help="Folder with the clients' JSON output.", show_default=False)],
    output: Annotated[Path, typer.Option("-o", "--output", help="Scenario file to write.", show_default=False)],
    nova_conf: Annotated[Path | None, typer.Option(help="The operator's nova.conf.")] = None,
    host_defaults: Annotated[
        str | None, typer.Option(help="Capacities where the export has none: vcpus=48,memory=384GiB,disk=2TB")
    ] = None,
) -> None:
    """Read `openstack … list -f json` and SDK exports, and write the cloud as a scenario file."""
    from sim.errors import visible
    from sim.scenario.importers.openstack import import_openstack, write_scenario

    data, report = import_openstack(directory, nova_conf=nova_conf, host_defaults=host_defaults)
    write_scenario(data, output)
    for line in report:
        print(visible(line))
    print(f"wrote {output}")


@importer.command("trace")
def trace(
    kind: Annotated[str, typer.Argument(metavar="FORMAT", help="azure or huawei-east-1.", show_default=False)],
    file: Annotated[Path, typer.Argument(help="The trace's file, as it is published.", show_default=False)],
    *,
    output: Annotated[
        Path, typer.Option("-o", "--output", help="CSV or Parquet to write: t, lifetime, flavor.", show_default=False)
    ],
    flavor_map: Annotated[
        str | None, typer.Option(help="Flavors for sizes, cores x GB: 2x4=m.small,4x16=m.large")
    ] = None,
    start: Annotated[str, typer.Option(help="Leave out what ended before: '2 h'.")] = "0 s",
    duration: Annotated[str | None, typer.Option(help="Leave out what began later than this after start.")] = None,
    every: Annotated[int, typer.Option(min=1, help="Take every so many-th server only.")] = 1,
) -> None:
    """Read a public trace of virtual machines, and write when servers are created and deleted, for a workload."""
    import math

    from sim.scenario.importers.public_traces import Window, import_trace

    window = Window(
        seconds_of("--start", start), math.inf if duration is None else seconds_of("--duration", duration), every
    )
    for line in import_trace(kind, file, output, flavor_map=flavor_map, window=window):
        print(line)
    print(f"wrote {output}")


def seconds_of(option: str, text: str) -> float:
    """A time of the command line; InputError if it is none."""
    from sim import units
    from sim.errors import InputError, Issue

    try:
        return units.parse_seconds(text)
    except ValueError as error:
        what, _, right = str(error).partition("; ")
        raise InputError([Issue(f"{option} {text}", what, right)]) from None
