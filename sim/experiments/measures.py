"""Measures of many runs by the names people give them: ``makespan``, ``p95_makespan``, ``p99 downtime``, ``failures``.

A run gives one number for each column of its summary. A name says which column, and which statistic over the runs:

- ``makespan``, ``failed``, ``downtime_p95`` are the mean over the runs of that column;
- ``p95_makespan``, ``median_failed``, ``max_left`` are another statistic over the runs;
- ``failures`` are the servers that were asked to move and did not: those that ``failed`` and those that were ``left``;
- downtime, total time and queue time have a value for each *server*: a statistic in front of them is over the servers
  of a run, so ``p99 downtime`` is the mean over the runs of each run's 99th percentile; one more in front is over the
  runs: ``p95 p99 downtime``.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from sim import units
from sim.errors import Issue
from sim.experiments.stats.intervals import Estimate, Floats, finite, mean_interval, quantile_interval
from sim.scenario.patterns import closest

COLUMNS = (
    "makespan_s", "simulated_s", "requests", "refused", "asked", "moved", "failed", "left", "unmoved", "migrations",
    "migrations_failed", "retries", "auto_confirmed", "unconfirmed",
    *(f"{family}_{part}_s" for family in ("downtime", "total_time", "queue_time")
      for part in ("median", "p95", "p99", "max", "sum")),
    "bytes_sent_b", "slowdown_sum_s",
)  # fmt: skip
"""What :func:`sim.metrics.summary.summary` gives for each run, in its order; a test holds the two together."""
USUAL = ("makespan", "p95_makespan", "downtime_p95", "downtime_sum", "failed", "left")
"""Measures that are shown where none are asked for."""

_FAMILIES = ("downtime", "total_time", "queue_time")
_OTHER_NAMES = {"failures": "unmoved", "duration": "makespan", "slowdown": "slowdown_sum", "traffic": "bytes_sent",
                "slowdown_sum_s": "slowdown_sum"}  # fmt: skip
_STATISTIC = re.compile(r"(mean|median|min|max|sum|p\d{1,2}(?:\.\d+)?)$")


@dataclass(frozen=True, slots=True)
class Measure:
    """A column of a run's summary and a statistic over the runs: ``mean``, ``min``, ``max`` or a quantile."""

    name: str
    column: str
    statistic: str
    q: float | None = None

    @property
    def unit(self) -> str:
        """``s``, ``b`` (bytes), or nothing."""
        return self.column[-1] if self.column.endswith(("_s", "_b")) else ""

    def value(self, values: Sequence[float] | Floats) -> float:
        """The statistic of the runs' values."""
        x = finite(values)
        if not len(x):
            return math.nan
        if self.q is not None:
            return float(np.quantile(x, self.q))
        return float({"min": np.min, "max": np.max}.get(self.statistic, np.mean)(x))

    def estimate(self, values: Sequence[float] | Floats, confidence: float = 0.95) -> Estimate:
        """The statistic with its interval; least and greatest values seen have none."""
        if self.q is not None:
            return quantile_interval(values, self.q, confidence)
        if self.statistic == "mean":
            return mean_interval(values, confidence)
        found = self.value(values)
        return Estimate(
            found, math.nan, math.nan, len(finite(values)), confidence, f"the {self.statistic} of those run"
        )

    def text(self, value: float, *, signed: bool = False) -> str:
        """A value as people say it."""
        if not math.isfinite(value):
            return "-"
        if self.unit == "s" and abs(value) < 1e-6:
            value = 0.0  # what rounding leaves is nothing
        sign = "+" if signed and value > 0 else ""
        if self.unit == "s":
            short = 0 < abs(value) < 1  # differences of downtimes are some milliseconds
            return f"{sign}{value * 1000:.3g} ms" if short else sign + units.format_seconds(value)
        if self.unit == "b":
            return f"{'-' if value < 0 else sign}{units.format_bytes(abs(value))}"
        return f"{sign}{value:,.0f}" if float(value).is_integer() or abs(value) >= 1000 else f"{sign}{value:.3g}"

    def parse(self, text: str) -> float:
        """A value as people write it, with its unit; ValueError with what would be right."""
        if self.unit == "s":
            return units.parse_seconds(_number(text))
        if self.unit == "b":
            return float(units.parse_bytes(_number(text)))
        try:
            return float(text)
        except ValueError:
            raise ValueError(f"{text!r} is not a number; {self.name} has no unit") from None


def measure(text: str, place: str, issues: list[Issue]) -> Measure | None:
    """The measure of a name, or None and an issue."""
    words = re.sub(r"[\s_-]+", "_", text.strip().lower())
    statistics: list[str] = []
    rest = words
    while "_" in rest and _STATISTIC.match(rest.partition("_")[0]) and rest not in _columns():
        head, _, rest = rest.partition("_")
        statistics.append(head)
    rest = _OTHER_NAMES.get(rest, rest)
    if rest in _FAMILIES:
        if not statistics:
            right = f"say of which servers: median_{rest}, p95_{rest}, p99_{rest}, max_{rest} or sum_{rest}"
            issues.append(Issue(place, f"{rest} has a value for each server", right))
            return None
        rest = f"{rest}_{statistics.pop()}"
    column = _columns().get(rest)
    if column is None or len(statistics) > 1:
        right = closest(rest, sorted(_columns()), listed=len(COLUMNS))
        issues.append(Issue(place, f"{text.strip()!r} is not a measure of a run", right))
        return None
    statistic = statistics[0] if statistics else "mean"
    if statistic == "sum":
        issues.append(Issue(place, f"{text.strip()!r}: a sum over runs means nothing", f"use {rest} or p95_{rest}"))
        return None
    made = Measure(words, column, statistic, {"median": 0.5}.get(statistic))
    return replace(made, q=float(statistic[1:]) / 100) if statistic.startswith("p") else made


def measures(texts: Sequence[str], place: str) -> tuple[list[Measure], list[Issue]]:
    """The measures of several names, each once, and all that is wrong with them."""
    issues: list[Issue] = []
    found = [measure(part, place, issues) for text in texts for part in text.split(",") if part.strip()]
    return list(dict.fromkeys(one for one in found if one is not None)), issues


def _columns() -> dict[str, str]:
    """Names without units → columns."""
    return {re.sub(r"_[sb]$", "", column): column for column in COLUMNS}


def _number(text: str) -> str | float:
    """A bare 0 as a number: it needs no unit."""
    try:
        return 0.0 if float(text) == 0 else text
    except ValueError:
        return text
