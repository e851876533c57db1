"""What a table is: its columns with units and meanings, and the function that makes it from a log."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import polars as pl

from sim.errors import StateError
from sim.metrics.source import Records


class Column(NamedTuple):
    """One column: name, type, unit ("" for names and words), meaning."""

    name: str
    dtype: pl.DataType
    unit: str
    meaning: str


def text(name: str, meaning: str) -> Column:
    """A column of names or words."""
    return Column(name, pl.String(), "", meaning)


def seconds(name: str, meaning: str) -> Column:
    """A column of durations or moments (since the run began)."""
    return Column(name, pl.Float64(), "s", meaning)


def number(name: str, unit: str, meaning: str) -> Column:
    """A column of real numbers."""
    return Column(name, pl.Float64(), unit, meaning)


def count(name: str, unit: str, meaning: str) -> Column:
    """A column of whole numbers."""
    return Column(name, pl.Int64(), unit, meaning)


def flag(name: str, meaning: str) -> Column:
    """A column of yes and no."""
    return Column(name, pl.Boolean(), "", meaning)


def texts(name: str, meaning: str) -> Column:
    """A column of lists of names."""
    return Column(name, pl.List(pl.String()), "", meaning)


@dataclass(frozen=True, slots=True)
class Table:
    """A table of a run. ``build(records, warm_up)`` makes it; ``warm_up_means`` says what the cut leaves out."""

    name: str
    title: str
    meaning: str
    warm_up_means: str
    columns: tuple[Column, ...]
    build: Callable[[Records, float], pl.DataFrame]

    def make(self, source: Records, warm_up: float = 0.0) -> pl.DataFrame:
        """The table: exactly the documented columns, in their order. StateError when ``build`` lacks one."""
        made = self.build(source, warm_up)
        missing = [column.name for column in self.columns if column.name not in made.columns]
        if missing:
            raise StateError(f"table {self.name} lacks {missing}")
        return made.select(pl.col(column.name).cast(column.dtype) for column in self.columns)
