"""What a finished sweep says: each measure of each variant with its interval; as rows, CSV and JSON."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from sim.errors import InputError, Issue
from sim.experiments.measures import Measure
from sim.experiments.stats.intervals import Estimate, Floats
from sim.experiments.store import description, table

SUMMARY = "summary.csv"


@dataclass(frozen=True, slots=True)
class Failure:
    """A run that failed: what, where in its making, and what to type to see it."""

    variant: str
    replication: int
    stage: str
    error: str
    command: str


class Runs:
    """The runs of an experiment's folder, column by column; a column is read when it is asked for."""

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        self.about: dict[str, Any] = description(folder)
        self.variants: tuple[str, ...] = tuple(variant["name"] for variant in self.about["variants"])
        self._table = table(folder)
        self._known = set(self._table.collect_schema().names())
        self._columns: dict[str, dict[str, Floats]] = {}

    def columns(self, column: str) -> dict[str, Floats]:
        """Variant → its values, one for each replication in order; NaN where a run failed or measured nothing.

        InputError for a column that these runs have not.
        """
        if column not in self._columns:
            if column not in self._known:
                what = f"the runs have no {column}"
                raise InputError([Issue(str(self.folder), what, "give the sweep's command again")])
            rows = self._table.select("variant", "replication", column).collect()
            parts = {str(key[0]): part for key, part in rows.group_by("variant", maintain_order=True)}
            replications = int(str(rows["replication"].max())) if rows.height else 0
            self._columns[column] = {
                name: _placed(parts.get(name), column, replications) for name in self.variants
            }  # fmt: skip
        return self._columns[column]

    def estimates(self, measure: Measure, confidence: float = 0.95) -> dict[str, Estimate]:
        """Variant → the measure with its interval."""
        return {name: measure.estimate(values, confidence) for name, values in self.columns(measure.column).items()}

    def values_of(self, variant: str) -> dict[str, Any]:
        """What the variant changes, by the short name of the axis."""
        found: dict[str, Any] = next(one["values"] for one in self.about["variants"] if one["name"] == variant)
        return found

    def counts(self) -> dict[str, tuple[int, int]]:
        """Variant → runs, and how many of them failed."""
        failed = pl.col("status") == "failed"
        rows = self._table.group_by("variant").agg(pl.len(), failed.sum().alias("failed")).collect()
        found = {name: (int(count), int(bad)) for name, count, bad in rows.iter_rows()}
        return {name: found.get(name, (0, 0)) for name in self.variants}

    def failures(self) -> list[Failure]:
        """The runs that failed."""
        rows = self._table.filter(pl.col("status") == "failed")
        rows = rows.select("variant", "replication", "stage", "error", "command")
        return [Failure(*row) for row in rows.collect().iter_rows()]


def _placed(rows: pl.DataFrame | None, column: str, replications: int) -> Floats:
    values = np.full(replications, np.nan)
    if rows is not None:
        values[rows["replication"].to_numpy() - 1] = rows[column].cast(pl.Float64).fill_null(np.nan).to_numpy()
    return values


def summarise(runs: Runs, measures: Sequence[Measure], confidence: float = 0.95) -> pl.DataFrame:
    """A row for each variant and measure: value, low, high, n, confidence, method."""
    rows = [
        {"variant": name, "measure": measure.name, "unit": measure.unit, "value": one.value, "low": one.low,
         "high": one.high, "n": one.n, "confidence": confidence, "method": one.method}
        for measure in measures for name, one in runs.estimates(measure, confidence).items()
    ]  # fmt: skip
    texts, numbers = ("variant", "measure", "unit"), ("value", "low", "high")
    schema: dict[str, Any] = {**dict.fromkeys(texts, pl.String), **dict.fromkeys(numbers, pl.Float64), "n": pl.Int64,
                              "confidence": pl.Float64, "method": pl.String}  # fmt: skip
    return pl.DataFrame(rows, schema=schema)
