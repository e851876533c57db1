"""``novasim explain``: what happened to a server, a request or a decision, and why, in sentences."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("explain")(explain)


def explain(
    folder: Annotated[Path, typer.Argument(metavar="RUN", help="Run folder.", show_default=False)],
    what: Annotated[
        str,
        typer.Argument(metavar="WHAT", help="A server, a request (req-…) or a decision's number.", show_default=False),
    ],
    *,
    host: Annotated[str | None, typer.Option(help="Of a decision: why this host was not chosen.")] = None,
) -> None:
    """Tell what happened and why: each step, which filters removed which hosts, where time went, what would help."""
    from sim.metrics.explain.story import explain as told

    print(told(folder, what, host))
