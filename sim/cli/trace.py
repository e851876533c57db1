"""``novasim trace``: a run as a trace for Perfetto."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("trace")(trace)


def trace(
    folder: Annotated[Path, typer.Argument(metavar="RUN", help="Run folder.", show_default=False)],
    output: Annotated[Path | None, typer.Option("-o", "--output", help="File; default: RUN/trace.json.")] = None,
) -> None:
    """Write a run as a trace: open it at https://ui.perfetto.dev, or in chrome://tracing."""
    from sim.plots.trace import write_trace

    print(write_trace(folder, output or folder / "trace.json"))
