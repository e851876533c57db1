"""Pages of HTML that need nothing but themselves: styles, script and pictures are within them."""

from __future__ import annotations

import base64
import re
from collections.abc import Sequence
from functools import cache
from importlib import resources
from typing import Any, NamedTuple

import jinja2
import polars as pl
from markupsafe import Markup

from sim import units
from sim.metrics.columns import Column, Table
from sim.plots.style import Figure

_FIRST = 15
"""Rows of a table that stand there before anybody asks for all."""


_LONG_TAIL = re.compile(r"_(?=[a-z]{3})")
"""Where a column's name may break: never before its unit."""


class Cell(NamedTuple):
    """A cell: its text, what it is sorted by (None: its text), its classes."""

    text: str
    value: str | None = None
    style: str = ""


class Head(NamedTuple):
    """A column's head."""

    name: str
    unit: str
    meaning: str
    numeric: bool


class HtmlTable(NamedTuple):
    """A table for the page. ``total`` is how many rows there are, of which ``rows`` stand in it."""

    name: str
    title: str
    meaning: str
    note: str
    heads: list[Head]
    rows: list[list[Cell]]
    total: int
    first: int = _FIRST


class Picture(NamedTuple):
    """A figure for the page: ``source`` holds the picture itself."""

    name: str
    caption: str
    source: str


@cache
def _environment() -> jinja2.Environment:
    made = jinja2.Environment(
        loader=jinja2.PackageLoader("sim.plots", "templates"), autoescape=True, undefined=jinja2.StrictUndefined,
        trim_blocks=False, lstrip_blocks=False,
    )  # fmt: skip
    made.globals["seconds"] = units.format_seconds
    made.filters["breakable"] = lambda name: _LONG_TAIL.sub("_\u200b", name)
    return made


def render(template: str, **context: Any) -> str:
    """The page of a template in ``templates/``."""
    folder = resources.files("sim.plots") / "templates"
    css, js = (Markup((folder / name).read_text(encoding="utf-8")) for name in ("style.css", "page.js"))
    return _environment().get_template(template).render(css=css, js=js, **context)


def picture(name: str, figure: Figure, caption: str, *, vector: bool) -> Picture:
    """A figure within the page: as SVG (for few lines and words), or as PNG (for many)."""
    kind, data = ("image/svg+xml", figure.image("svg")) if vector else ("image/png", figure.image("png"))
    return Picture(name, caption, f"data:{kind};base64,{base64.b64encode(data).decode()}")


def html_table(
    table: Table, frame: pl.DataFrame, columns: Sequence[str] | None = None, most: int | None = None, note: str = ""
) -> HtmlTable:  # fmt: skip
    """Rows of a table of metrics for the page: its first ``most``, without columns that are empty in all of them."""
    shown = frame if most is None else frame.head(most)
    named = {column.name: column for column in table.columns}
    wanted = [named[name] for name in columns or list(named)]
    kept = [column for column in wanted if shown[column.name].null_count() < shown.height]
    heads = [Head(column.name, _unit(column), column.meaning, _numeric(column)) for column in kept]
    digits = [decimals(shown[column.name]) for column in kept]
    rows = [
        [cell(*one) for one in zip(row, kept, digits, strict=True)]
        for row in shown.select(column.name for column in kept).iter_rows()
    ]
    return HtmlTable(table.name, table.title, table.meaning, note, heads, rows, frame.height)


def _numeric(column: Column) -> bool:
    return column.dtype in (pl.Float64(), pl.Int64())


def _unit(column: Column) -> str:
    """The unit in the head; sizes, rates and shares have theirs in each cell."""
    return "" if column.unit in {"bytes", "bytes/s", "0..1", column.name} else column.unit


def decimals(values: pl.Series) -> int:
    """How many all of a column have: none where all are whole, three where one would else read as nothing, else two."""
    if values.dtype != pl.Float64 or values.is_null().all():
        return 0
    sizes = values.drop_nulls().abs()
    if (sizes == sizes.round()).all():
        return 0
    return 3 if ((sizes >= 0.0005) & (sizes < 0.1)).any() else 2


def cell(value: Any, column: Column, digits: int = 2) -> Cell:
    """A value as people read it, with what it is sorted by; ``digits`` are its column's."""
    if value is None:
        return Cell("-", style="n" if _numeric(column) else "")
    if isinstance(value, bool):
        return Cell("yes" if value else "no")
    if isinstance(value, list):
        return Cell(", ".join(map(str, value)), style="t")
    if isinstance(value, str):
        return Cell(value, style="w" if len(value) > 60 else "t" if len(value) > 24 else "")
    if column.unit == "bytes":
        text = units.format_bytes(value)
    elif column.unit == "bytes/s":
        text = units.format_rate(value)
    elif column.unit == "0..1":
        text = f"{value:.1%}"
    elif isinstance(value, int):
        text = f"{value:,}"
    else:
        text = f"{value:,.{digits}f}"
        text = text if text.strip("-0.") else text.removeprefix("-")  # nothing has no sign
    plain = f"{value:.9g}"
    return Cell(text, None if plain == text else plain, "n")
