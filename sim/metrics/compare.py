"""Two runs side by side: the answer's numbers, and the differences of the servers that both moved, pair by pair."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import polars as pl

from sim import units
from sim.metrics.columns import Table, seconds, text
from sim.metrics.servers import needs
from sim.metrics.source import Records, Source, as_records
from sim.metrics.summary import summary
from sim.metrics.tables import table

MEASURES: tuple[tuple[str, str, int], ...] = (
    ("makespan_s", "makespan", -1), ("moved", "servers moved", 1), ("failed", "servers failed", -1),
    ("left", "servers left", -1), ("migrations", "migrations", 0), ("migrations_failed", "migrations failed", -1),
    ("retries", "retries", -1), ("unconfirmed", "unconfirmed at the end", -1), ("refused", "requests refused", -1),
    ("downtime_median_s", "downtime of a server, median", -1), ("downtime_p95_s", "downtime of a server, 95 %", -1),
    ("downtime_max_s", "downtime of a server, most", -1), ("downtime_sum_s", "downtime, all servers", -1),
    ("total_time_median_s", "migration time of a server, median", -1),
    ("total_time_p95_s", "migration time of a server, 95 %", -1),
    ("queue_time_sum_s", "waiting in queues, all servers", -1),
    ("slowdown_sum_s", "running time lost to slowdowns", -1), ("bytes_sent_b", "bytes sent", -1),
)  # fmt: skip
"""Column of the summary, its words, and which way is better: -1 less, 1 more, 0 neither."""
PAIRED = (("downtime_s", "downtime"), ("total_s", "migration time"), ("queue_s", "waiting in queues"),
          ("slowdown_s", "lost to slowdowns"))  # fmt: skip
"""What is compared server by server, all of it better when less."""


@dataclass(frozen=True, slots=True)
class Measured:
    """One number of both runs. ``better``: 1 B is better, -1 A is, 0 neither, or by less than half a percent."""

    name: str
    words: str
    unit: str
    """``s``, ``b`` (bytes) or nothing."""
    a: float
    b: float
    better: int

    @property
    def difference(self) -> float:
        """B less A; what is left of rounding is no difference."""
        return 0.0 if math.isclose(self.a, self.b, rel_tol=1e-9) else self.b - self.a

    @property
    def ratio(self) -> float | None:
        """B of A; None where A is nothing."""
        return self.b / self.a if self.a and math.isfinite(self.a) and math.isfinite(self.b) else None


@dataclass(frozen=True, slots=True)
class Pairs:
    """How one quantity differs (B less A, seconds) over the servers that both runs moved or hurt."""

    name: str
    words: str
    count: int
    mean: float | None
    median: float | None
    low: float | None
    """5 % of the differences are below."""
    high: float | None
    """5 % of the differences are above."""
    better: int
    """Servers for which B is better (less) by more than a millisecond."""
    worse: int
    same: int


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two runs: numbers of both, paired differences, what stands in the way of comparing them."""

    measures: list[Measured]
    pairs: list[Pairs]
    only_a: int
    """Servers that only A moved or hurt."""
    only_b: int
    cautions: list[str]


_MOVED = ("done", "unconfirmed")
"""Outcomes of migrations that ended elsewhere."""
_SAME_S, _SAME_SHARE = 1e-3, 5e-3
"""Smaller differences, of a server or of a measure, are none."""


def compare(a: Source, b: Source) -> Comparison:
    """Compare two runs; the first is what the second is measured against."""
    one, other = as_records(a), as_records(b)
    rows = paired(one, other)
    both = rows.filter(pl.col("touched_a") & pl.col("touched_b"))
    only_a, only_b = (rows.filter(pl.col(f"touched_{x}") & ~pl.col(f"touched_{y}")).height for x, y in ("ab", "ba"))
    pairs = [_pairs(both, *what) for what in PAIRED]
    return Comparison(_measures(one, other), pairs, only_a, only_b, [*_cautions(one, other), *_spared(rows)])


def _measures(a: Records, b: Records) -> list[Measured]:
    first, second = summary(a), summary(b)
    made = []
    for name, words, way in MEASURES:
        unit = name[-1] if name.endswith(("_s", "_b")) else ""
        made.append(Measured(name, words, unit, first[name], second[name], _better(first[name], second[name], way)))
    first_needs, second_needs = (float(needs(records)["server"].n_unique()) for records in (a, b))
    better = _better(first_needs, second_needs, -1)
    return [*made, Measured("humans", "servers that need a person", "", first_needs, second_needs, better)]


def _better(a: float, b: float, way: int) -> int:
    if not abs(b - a) > _SAME_SHARE * max(abs(a), abs(b)):
        return 0
    return way if b > a else -way


def _felt(records: Records) -> pl.DataFrame:
    """Server, what it felt, and whether anything was done to it."""
    moves = table(records, "migrations").group_by("server", maintain_order=True).agg(
        pl.col("total_s", "queue_s").sum(), pl.col("outcome").last(), pl.col("dest").last()
    )  # fmt: skip
    servers = table(records, "servers").select("server", "downtime_s", "slowdown_s")
    joined = servers.join(moves, on="server", how="left", maintain_order="left")
    hurt = pl.col("outcome").is_not_null() | (pl.col("downtime_s") > 0) | (pl.col("slowdown_s") > 0)
    return joined.with_columns(pl.col("total_s", "queue_s").fill_null(0.0), hurt.alias("touched"))


def paired(a: Source, b: Source) -> pl.DataFrame:
    """One row for each server that either run moved or hurt: what it felt in both, and the differences (B less A)."""
    one, other = _felt(as_records(a)), _felt(as_records(b))
    joined = one.join(other, on="server", how="full", coalesce=True, suffix="_b", maintain_order="left_right")
    joined = joined.rename({name: f"{name}_a" for name in one.columns if name != "server"})
    touched = [pl.col(f"touched_{x}").fill_null(False) for x in "ab"]
    joined = joined.with_columns(touched).filter(pl.col("touched_a") | pl.col("touched_b"))
    return joined.with_columns((pl.col(f"{name}_b") - pl.col(f"{name}_a")).alias(f"{name}_diff") for name, _ in PAIRED)


def _pairs(both: pl.DataFrame, name: str, words: str) -> Pairs:
    diff = both[f"{name}_diff"].drop_nulls()
    if diff.is_empty():
        return Pairs(name, words, 0, None, None, None, None, 0, 0, 0)
    mean, median, low, high = (
        float(str(value)) for value in (diff.mean(), diff.median(), diff.quantile(0.05, "linear"),
                                        diff.quantile(0.95, "linear"))
    )  # fmt: skip
    better, worse = int((diff < -_SAME_S).sum()), int((diff > _SAME_S).sum())
    return Pairs(name, words, len(diff), mean, median, low, high, better, worse, len(diff) - better - worse)


def _cautions(a: Records, b: Records) -> list[str]:
    """What a reader must know before believing the differences."""
    said = []
    seeds = [records.manifest.get("seed") for records in (a, b)]
    if None not in seeds and seeds[0] != seeds[1]:
        said.append(
            f"The seeds differ ({seeds[0]} and {seeds[1]}): part of every difference is luck. Run both with one seed."
        )
    if a.manifest.get("scenario_digest") and a.manifest.get("scenario_digest") == b.manifest.get("scenario_digest"):
        said.append(
            "Both runs are of the same scenario." if seeds[0] != seeds[1] else "Both are the same scenario and seed."
        )
    versions = [records.manifest.get("versions", {}).get("novasim") for records in (a, b)]
    if versions[0] != versions[1]:
        said.append(f"They were made by different versions of novasim ({versions[0]} and {versions[1]}).")
    for name, records in (("A", a), ("B", b)):
        if records.manifest.get("partial"):
            said.append(f"{name} was interrupted: it is about what was simulated until then.")
    shared = table(a, "servers").join(table(b, "servers"), on="server", how="inner").height
    if not shared:
        said.append("No server is in both runs: only the numbers as a whole can be compared.")
    return said


def _spared(rows: pl.DataFrame) -> Iterator[str]:
    """Whoever did not move felt less of moving: that is to be known before a downtime is called better."""
    moved = [pl.col(f"outcome_{x}").fill_null("").is_in(_MOVED) for x in "ab"]
    for here, there, name, other in ((moved[0], moved[1], "A", "B"), (moved[1], moved[0], "B", "A")):
        some = rows.filter(here & ~there)["server"].to_list()
        if some:
            who = f"{some[0]} moved" if len(some) == 1 else f"{units.counted(len(some), 'servers')} moved"
            yield f"{who} in {name} only: a move's downtime that {other} did not have is no gain of {other}'s."


TABLE = Table(
    "pairs", "Servers, pair by pair", "Every server that either run moved or hurt; differences are B less A.", "", (
        text("server", "the server"),
        text("outcome_a", "how its last migration ended in A"), text("outcome_b", "and in B"),
        text("dest_a", "where it went in A"), text("dest_b", "and in B"),
        *(seconds(f"{name}_{x}", f"{words}, {way}") for name, words in PAIRED
          for x, way in (("a", "in A"), ("b", "in B"), ("diff", "B less A"))),
    ), lambda *_: pl.DataFrame(),
)  # fmt: skip
"""The columns of :func:`paired`, for pages."""
