"""``novasim show``: tables of a run."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sim.errors import InputError, Issue

if TYPE_CHECKING:
    import polars


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("show")(show)


def show(
    folder: Annotated[Path, typer.Argument(metavar="RUN", help="Run folder.", show_default=False)],
    what: Annotated[str, typer.Argument(help="answer, server, or a table: migrations, servers, …")] = "answer",
    name: Annotated[str | None, typer.Argument(help="For `server`: its name.")] = None,
    form: Annotated[str, typer.Option("--format", help="table, csv or json.")] = "table",
    rows: Annotated[int, typer.Option(help="How many rows of a table to print; 0 is all.", min=0)] = 40,
) -> None:
    """Show the answer, a table, or one server's life."""
    from sim.public import open_run

    run = open_run(folder)
    if what == "answer":
        from rich.console import Console

        from sim.plots.text import answer_screen

        Console().print(answer_screen(run.answer(), run.manifest))
        return
    if what == "server":
        if name is None:
            raise InputError([Issue("novasim show RUN server", "needs a server's name", "add one, like web-1")])
        from sim.metrics.explain.story import server_life

        print(server_life(folder, name))
        return
    _print(run.table(what), form, rows, what)


def _print(table: polars.DataFrame, form: str, rows: int, title: str) -> None:
    if form == "csv":
        sys.stdout.write(table.write_csv())
    elif form == "json":
        sys.stdout.write(table.write_json() + "\n")
    elif form == "table":
        from rich.console import Console

        from sim.plots.text import data_table

        Console().print(data_table(table, title, rows))
    else:
        raise InputError([Issue("--format", f"{form!r} is not a format", "use table, csv or json")])
