"""``novasim import``: operators' exports → scenario files."""

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
    from sim.scenario.importers.openstack import import_openstack, write_scenario

    data, report = import_openstack(directory, nova_conf=nova_conf, host_defaults=host_defaults)
    write_scenario(data, output)
    for line in report:
        print(line)
    print(f"wrote {output}")
