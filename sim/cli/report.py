"""``novasim report``: a run as one page of HTML that needs nothing else."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("report")(report)


def report(
    folder: Annotated[Path, typer.Argument(metavar="RUN", help="Run folder.", show_default=False)],
    output: Annotated[Path | None, typer.Option("-o", "--output", help="File; default: RUN/report.html.")] = None,
) -> None:
    """Write the report of a run: answer, figures, sortable tables, assumptions, manifest, how to reproduce it."""
    from sim.plots.report import write_report

    print(write_report(folder, output or folder / "report.html"))
