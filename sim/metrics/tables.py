"""All tables by name, and their export."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import IO

import polars as pl

from sim.errors import InputError, Issue
from sim.metrics import (
    decisions,
    energy,
    failures,
    guests,
    headroom,
    hosts,
    links,
    migrations,
    operations,
    queues,
    requests,
    servers,
    stages,
    states,
    stranded,
)
from sim.metrics.columns import Table
from sim.metrics.source import Source, as_records

TABLES: dict[str, Table] = {
    table.name: table
    for table in (
        operations.TABLE,
        requests.TABLE,
        migrations.TABLE,
        stages.TABLE,
        servers.TABLE,
        states.TABLE,
        hosts.HOSTS,
        hosts.OVER_TIME,
        links.LINKS,
        links.OVER_TIME,
        decisions.TABLE,
        failures.TABLE,
        queues.QUEUES,
        queues.OVER_TIME,
        headroom.TABLE,
        stranded.TABLE,
        guests.DOWNTIME,
        guests.SLOWDOWN,
        energy.ENERGY,
        energy.OVER_TIME,
    )
}
"""Every table, in the order of the reference."""

FORMATS = ("parquet", "csv", "json")


def table(source: Source, name: str, warm_up: float = 0.0) -> pl.DataFrame:
    """A table of a run; InputError if there is none of that name.

    ``warm_up`` (s) is a cut of the metric: each table says what it leaves out.
    """
    made = TABLES.get(name)
    if made is None:
        raise InputError([Issue("table", f"{name!r} is not a table", f"tables are {', '.join(TABLES)}")])
    records = as_records(source)
    return records.keep(("table", name, warm_up), lambda: made.make(records, warm_up))


def export(
    source: Source,
    folder: str | Path,
    form: str = "parquet",
    names: Iterable[str] | None = None,
    warm_up: float = 0.0,
) -> list[Path]:
    """Write tables (all, or those named) to ``folder``; returns the paths.

    CSV holds lists as ``a|b``; JSON is a list of rows.
    """
    if form not in FORMATS:
        raise InputError([Issue("--format", f"{form!r} is not a format of files", f"use {', '.join(FORMATS)}")])
    records = as_records(source)
    target = Path(folder)
    target.mkdir(parents=True, exist_ok=True)
    paths = []
    for name in TABLES if names is None else names:
        path = target / f"{name}.{form}"
        write(table(records, name, warm_up), path, form)
        paths.append(path)
    return paths


def write(frame: pl.DataFrame, target: Path | IO[bytes], form: str) -> None:
    """Write one table to a file or a binary stream; InputError for a format there is not."""
    if form == "parquet":
        frame.write_parquet(target)
    elif form == "csv":
        lists = [pl.col(name).list.join("|") for name, dtype in frame.schema.items() if isinstance(dtype, pl.List)]
        frame.with_columns(lists).write_csv(target)
    elif form == "json":
        text = frame.write_json().encode()
        target.write_bytes(text) if isinstance(target, Path) else target.write(text)
    else:
        raise InputError([Issue("--format", f"{form!r} is not a format of files", f"use {', '.join(FORMATS)}")])
