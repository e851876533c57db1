"""Arrivals of servers from a file: when each is created, how long it lives, and its flavor.

The file is a CSV with a header or a Parquet, with the columns ``t`` and ``lifetime`` (seconds, or in a CSV a time with
its unit) and ``flavor``, in any order of rows. An empty lifetime is without end.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from sim import units
from sim.errors import InputError, Issue

if TYPE_CHECKING:
    import polars as pl

COLUMNS = ("t", "lifetime", "flavor")
TOLD = 50
"""How many mistakes of one kind are told one by one."""
_RIGHT = "write a header and rows like t,lifetime,flavor / 12.5,3600,m.small"


class Arrival(NamedTuple):
    """A user creates a server at ``t`` and deletes it ``lifetime`` later, both in seconds; inf is never."""

    t: float
    lifetime: float
    flavor: str


def read_arrivals(path: str | Path) -> Iterator[Arrival]:
    """The file's arrivals in order of time; rows of the same time in the file's order.

    Raises InputError with every mistake of the file and its line.
    """
    frame = arrivals_table(path)
    return (Arrival(t, lifetime, flavor) for t, lifetime, flavor in frame.iter_rows())


def arrivals_table(path: str | Path) -> pl.DataFrame:
    """The same as a table with the columns ``t`` and ``lifetime`` (Float64) and ``flavor`` (String)."""
    import polars as pl

    path = Path(path)
    raw = read_table(path, COLUMNS, _RIGHT)
    issues: list[Issue] = []
    columns = {
        "t": _seconds(raw, path, "t", issues),
        "lifetime": _seconds(raw, path, "lifetime", issues, empty=math.inf),
        "flavor": raw["flavor"].cast(pl.String, strict=False),
    }
    bad = raw.select(pl.col("line").filter(columns["flavor"].is_null() | (columns["flavor"] == "")))["line"].to_list()
    issues += listed(path, bad, "flavor", lambda _: "no flavor", "write the name of one of cloud.flavors")
    if issues:
        raise InputError(issues)
    return pl.DataFrame(columns).sort("t", maintain_order=True)


def read_table(path: Path, columns: tuple[str, ...], right: str, header: bool = True) -> pl.DataFrame:
    """A CSV's text (or a Parquet's values) in ``columns``, with its line in ``line``; InputError if that is not in it.

    Without ``header`` the columns are the file's by position.
    """
    import polars as pl

    try:
        if path.suffix.lower() in {".parquet", ".pq"}:
            frame = pl.read_parquet(path)
        else:
            frame = pl.read_csv(path, has_header=header, infer_schema=False, comment_prefix="#" if header else None)
    except (OSError, pl.exceptions.PolarsError) as error:
        what = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise InputError([Issue(str(path), f"cannot be read: {what}", right)]) from None
    if not header and frame.width != len(columns):
        raise InputError([Issue(str(path), f"has {units.counted(frame.width, 'columns')}, not {len(columns)}", right)])
    names = [name.strip() for name in frame.columns] if header else list(columns)
    if len(set(names)) < len(names):
        twice = next(name for position, name in enumerate(names) if name in names[:position])
        raise InputError([Issue(str(path), f"has the column {twice!r} twice", right)])
    frame.columns = names
    missing = [name for name in columns if name not in frame.columns]
    if missing:
        found = ", ".join(name[:40] for name in names[:8])
        raise InputError([Issue(str(path), f"no column {' and '.join(missing)} (there are {found})", right)])
    return frame.select(columns).with_row_index("line", offset=2 if header else 1)


def listed(path: Path, lines: list[int], column: str, what: object, right: str) -> list[Issue]:
    """An issue for each line (the first :data:`TOLD`), ``what(i)`` saying what is wrong in the i-th."""
    assert callable(what)
    issues = [Issue(f"{path}:{line} {column}", what(i), right) for i, line in enumerate(lines[:TOLD])]
    if len(lines) > TOLD:
        issues.append(Issue(f"{path} {column}", f"the same in {len(lines) - TOLD} more lines", right))
    return issues


def _seconds(
    raw: pl.DataFrame, path: Path, column: str, issues: list[Issue], empty: float | None = None
) -> pl.Series:  # fmt: skip
    """A column of seconds. Plain numbers at once; what is left as times with units, one by one."""
    import polars as pl

    given = raw[column]
    values = given.cast(pl.Float64, strict=False)
    blank = given.is_null() | (given.cast(pl.String, strict=False).str.strip_chars() == "")
    wrong: list[int] = []
    words: list[str] = []
    for row in raw.select(pl.arg_where(values.is_null() & ~blank)).to_series().to_list():
        try:
            values[row] = units.parse_seconds(str(given[row]))
        except ValueError as error:
            wrong.append(int(raw["line"][row]))
            words.append(str(error))
    issues += listed(path, wrong, column, lambda i: words[i].split("; ")[0], "write seconds, or a time like 5 min")
    if empty is None:
        lines = raw["line"].filter(blank).to_list()
        issues += listed(path, lines, column, lambda _: "is empty", "write seconds since the start")
    else:
        values = values.zip_with(~blank, pl.repeat(empty, len(values), eager=True, dtype=pl.Float64))
    bad = (values < 0) | values.is_nan()
    texts = given.filter(bad.fill_null(value=False)).to_list()
    lines = raw["line"].filter(bad.fill_null(value=False)).to_list()
    issues += listed(path, lines, column, lambda i: f"{texts[i]} is no time from now on", "write 0 or more seconds")
    return values
