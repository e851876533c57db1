"""``novasim show``: the answer and the tables of a run, to look at or to take along."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sim import units
from sim.errors import InputError, Issue

if TYPE_CHECKING:
    import polars

    from sim.metrics.source import Records


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("show")(show)


def show(
    folder: Annotated[Path, typer.Argument(metavar="RUN", help="Run folder.", show_default=False)],
    what: Annotated[
        str, typer.Argument(help="answer, tables (what there is), a table, or all; server NAME.")
    ] = "answer",
    name: Annotated[str | None, typer.Argument(help="For `server`: its name.")] = None,
    *,
    form: Annotated[str | None, typer.Option("--format", help="table, csv, json or parquet.")] = None,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="File to write (its ending says the format); of all: folder.")
    ] = None,
    columns: Annotated[str | None, typer.Option(help="Only these columns: server,outcome,total_s.")] = None,
    rows: Annotated[int, typer.Option(help="How many rows of a table to print; 0 is all.", min=0)] = 40,
    warm_up: Annotated[str, typer.Option(help="Leave out what came before, like '30 min'.")] = "0",
) -> None:
    """Show the answer, a table, or one server's life; or write tables as Parquet, CSV or JSON."""
    from sim.metrics.source import Records

    cut = _seconds(warm_up)
    records = Records.open(folder)
    if what == "answer":
        _answer(records)
    elif what == "tables":
        _tables()
    elif what == "server":
        if name is None:
            raise InputError([Issue("novasim show RUN server", "needs a server's name", "add one, like web-1")])
        from sim.metrics.explain.story import server_life

        print(server_life(records, name))
    elif what == "all":
        _all(records, output, form or "parquet", cut)
    else:
        from sim.metrics.tables import table

        whole = table(records, what, cut)
        picked = whole if columns is None else whole.select(_picked(columns, whole.columns))
        _one(picked, what, form, output, rows)


def _seconds(text: str) -> float:
    try:
        return units.parse_seconds(0 if text == "0" else text)
    except ValueError as error:
        raise InputError([Issue("--warm-up", str(error))]) from None


def _picked(columns: str, known: list[str]) -> list[str]:
    names = [name.strip() for name in columns.split(",") if name.strip()]
    wrong = [name for name in names if name not in known]
    if wrong:
        right = f"columns are {', '.join(known)}"
        raise InputError([Issue("--columns", f"{name!r} is not a column of this table", right) for name in wrong])
    return names


def _answer(records: Records) -> None:
    from sim.metrics.answer import answer
    from sim.plots.text import answer_screen, console

    console().print(answer_screen(answer(records), records.manifest))


def _tables() -> None:
    """Which tables there are."""
    from sim.metrics.tables import TABLES

    width = max(map(len, TABLES))
    for made in TABLES.values():
        print(f"{made.name:<{width}}  {made.meaning}")


def _all(records: Records, folder: Path | None, form: str, cut: float) -> None:
    """Every table to a folder."""
    from sim.metrics.tables import export

    if folder is None:
        raise InputError([Issue("-o", "is missing: `all` writes many files", "name a folder, like -o tables")])
    for path in export(records, folder, form, warm_up=cut):
        print(path)


def _one(table: polars.DataFrame, title: str, form: str | None, output: Path | None, rows: int) -> None:
    """One table to a file or to the terminal."""
    from sim.metrics.tables import FORMATS, write

    if output is not None:
        kind = form or output.suffix.lstrip(".")
        if kind not in FORMATS:  # before a file of that name is begun
            raise InputError(
                [Issue("-o", f"{kind or 'no ending'!r} is not a format of files", "use .parquet, .csv, .json")]
            )
        output.parent.mkdir(parents=True, exist_ok=True)
        write(table, output, kind)
        print(output)
    elif form in {None, "table"}:
        from sim.plots.text import console, data_table

        screen = console()
        screen.print(data_table(table, title, rows, screen.width))
    else:
        if form == "parquet" and sys.stdout.isatty():
            raise InputError([Issue("--format parquet", "is not for a terminal", "name a file with -o, or pipe it on")])
        write(table, sys.stdout.buffer, form or "")
