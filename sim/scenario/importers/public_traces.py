"""Public traces of virtual machines → arrivals of servers, for a workload's ``trace:``.

- ``azure``: ``vmtable.csv`` (or ``.csv.gz``) of AzurePublicDataset V1 and V2: no header; 11 columns: VM, subscription,
  deployment, created and deleted (s), max, average and 95th percentile of the CPU, category, cores, memory (GB). In V2
  the last two are buckets, ``>24`` cores and ``>64`` GB the highest; Microsoft's notebook counts those as 30 and 70.
  A VM that is deleted at the end of the trace's 30 days was alive then: how long it lived is not known.
  Source: github.com/Azure/AzurePublicDataset, AzurePublicDatasetV1.md, AzurePublicDatasetV2.md and their notebooks.
- ``huawei-east-1``: ``Huawei-East-1.csv`` of VMAgent: header ``vmid,cpu,memory,time,type``; cores, GB, seconds, and 0
  for a creation or 1 for a deletion. Source: vmagent.readthedocs.io, "Dataset".
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from sim import units
from sim.errors import InputError, Issue
from sim.scenario.importers.traces import COLUMNS, listed, read_table
from sim.scenario.importers.values import natural
from sim.scenario.patterns import closest

if TYPE_CHECKING:
    import polars as pl

_AZURE = ("vmid", "subscriptionid", "deploymentid", "vmcreated", "vmdeleted", "maxcpu", "avgcpu", "p95maxcpu",
          "vmcategory", "cores", "memory")  # fmt: skip
_AZURE_ABOVE = {"cores": ("24", 30.0), "memory": ("64", 70.0)}
"""Column → the highest bucket's bound, and what Microsoft's notebook counts it as."""
_CALLED = {"cores": "cores", "memory": "GB"}
_HUAWEI = ("vmid", "cpu", "memory", "time", "type")
_COLUMN_RIGHT = "is this the file that the trace's own page describes?"


class Lives(NamedTuple):
    """VMs of a trace: columns ``t``, ``lifetime`` (s; inf: beyond the trace's end), ``cores``, ``memory`` (GB)."""

    table: pl.DataFrame
    notes: tuple[str, ...]


class Window(NamedTuple):
    """Which part of a trace is wanted."""

    start: float = 0.0
    duration: float = math.inf
    every: int = 1
    """Every so many-th VM, in order of creation."""


def import_trace(
    kind: str, path: Path, output: Path, *, flavor_map: str | None = None, window: Window | None = None
) -> list[str]:  # fmt: skip
    """Read a trace and write its arrivals; returns what there is to say about it.

    ``flavor_map`` gives sizes the names of flavors: ``2x4=m.small,4x16=m.large``, cores x GB. Without it a flavor is
    called after its size. Raises InputError with everything wrong; then nothing is written.
    """
    import polars as pl

    if kind not in FORMATS:
        raise InputError([Issue("FORMAT", f"unknown format {kind!r}", closest(kind, sorted(FORMATS)))])
    names = flavor_names(flavor_map)
    lives = FORMATS[kind](path)
    table = _cut(lives.table, window or Window())
    sizes = table.group_by("cores", "memory").len("servers").sort("cores", "memory")
    called = [names.get((cores, memory), size_name(cores, memory)) for cores, memory, _ in sizes.iter_rows()]
    sizes = sizes.with_columns(pl.Series("flavor", called, dtype=pl.String))
    endless = pl.when(pl.col("lifetime").is_finite()).then("lifetime").alias("lifetime")
    arrivals = table.join(sizes, on=("cores", "memory"), maintain_order="left").with_columns(endless)
    _write(arrivals.select(COLUMNS), output)
    return [*lives.notes, *_told(arrivals, sizes, output)]


def flavor_names(text: str | None) -> dict[tuple[float, float], str]:
    """What ``--flavor-map`` says: (cores, GB) → flavor."""
    found: dict[tuple[float, float], str] = {}
    issues = []
    for part in (one.strip() for one in (text or "").split(",")):
        size, equals, name = part.partition("=")
        cores, times, memory = size.lower().partition("x")
        try:
            if not (equals and times and name.strip()):
                raise ValueError(part)
            of = float(cores), float(memory)
            if of in found:
                issues.append(Issue(f"--flavor-map {part}", f"{size} has the flavor {found[of]!r} already", "take one"))
            found[of] = name.strip()
        except ValueError:
            if part:
                right = "write cores x GB = flavor, like 2x4=m.small,4x16=m.large"
                issues.append(Issue(f"--flavor-map {part}", "is not CORESxGB=FLAVOR", right))
    if issues:
        raise InputError(issues)
    return found


def size_name(cores: float, memory: float) -> str:
    """What a flavor of that size is called: ``2c-4g``, ``1c-1.75g``."""
    return f"{cores:g}c-{memory:g}g"


# --- formats ----------------------------------------------------------------------------------------------------------


def azure(path: Path) -> Lives:
    """``vmtable.csv`` of AzurePublicDataset, V1 or V2."""
    import polars as pl

    raw = read_table(path, _AZURE, f"vmtable.csv has {len(_AZURE)} columns and no header", header=False)
    issues: list[Issue] = []
    above = []
    for column, (bound, counted) in _AZURE_ABOVE.items():
        top = raw[column].str.strip_chars() == f">{bound}"
        if top.any():
            above.append(f"VMs with more than {bound} {_CALLED[column]}, counted as {counted:g}: {int(top.sum())}")
        said = pl.when(top.fill_null(value=False)).then(pl.lit(str(counted))).otherwise(column)
        raw = raw.with_columns(said.alias(column))
    columns = {
        name: _numbers(raw, path, column, issues, least)
        for name, column, least in (("t", "vmcreated", 0.0), ("end", "vmdeleted", 0.0), ("cores", "cores", _SOME),
                                    ("memory", "memory", _SOME))
    }  # fmt: skip
    early = raw["line"].filter((columns["end"] < columns["t"]).fill_null(value=False)).to_list()
    issues += listed(path, early, "vmdeleted", lambda _: "is before vmcreated", _COLUMN_RIGHT)
    if issues:
        raise InputError(issues)
    table = pl.DataFrame(columns)
    last = table["end"].max()
    alive = table["end"] == last
    lifetime = (table["end"] - table["t"]).set(alive, math.inf).alias("lifetime")
    table = table.with_columns(lifetime).drop("end").sort("t", maintain_order=True)
    return Lives(table, (*above, _alive(alive)))


def huawei_east_1(path: Path) -> Lives:
    """``Huawei-East-1.csv``: creations and deletions."""
    import polars as pl

    raw = read_table(path, _HUAWEI, "Huawei-East-1.csv has the header vmid,cpu,memory,time,type")
    issues: list[Issue] = []
    columns = {
        name: _numbers(raw, path, column, issues, least)
        for name, column, least in (("cores", "cpu", _SOME), ("memory", "memory", _SOME), ("t", "time", 0.0),
                                    ("type", "type", 0.0))
    }  # fmt: skip
    odd = raw["line"].filter(~columns["type"].is_in([0.0, 1.0]).fill_null(value=True)).to_list()
    issues += listed(path, odd, "type", lambda _: "is neither 0 (create) nor 1 (delete)", _COLUMN_RIGHT)
    events = pl.DataFrame(columns).with_columns(raw["vmid"], raw["line"])
    made = events.filter(pl.col("type") == 0)
    again = made["line"].filter(made["vmid"].is_duplicated() & ~made["vmid"].is_first_distinct()).to_list()
    issues += listed(path, again, "vmid", lambda _: "is created a second time", _COLUMN_RIGHT)
    if issues:
        raise InputError(issues)
    ends = events.filter(pl.col("type") == 1).group_by("vmid").agg(pl.col("t").min().alias("end"))
    table = made.join(ends, on="vmid", how="left", maintain_order="left")
    orphans = ends.join(made, on="vmid", how="anti").height
    alive = table["end"].is_null() | (table["end"] < table["t"])
    lifetime = (table["end"] - table["t"]).set(alive, math.inf)
    notes = [_alive(alive)]
    if orphans:
        notes.append(f"deletions of VMs that the trace does not create, left out: {orphans}")
    table = table.with_columns(lifetime.alias("lifetime")).select("t", "lifetime", "cores", "memory")
    return Lives(table.sort("t", maintain_order=True), tuple(notes))


def _alive(alive: pl.Series) -> str:
    return f"VMs alive at the end of the trace, never deleted here: {int(alive.sum())}"


FORMATS: Mapping[str, Callable[[Path], Lives]] = {"azure": azure, "huawei-east-1": huawei_east_1}
"""Name of a format → its reader."""
_SOME = 1e-9
"""Least size of anything."""


def _numbers(raw: pl.DataFrame, path: Path, column: str, issues: list[Issue], least: float) -> pl.Series:
    """A column as numbers of at least ``least``."""
    import polars as pl

    given = raw[column]
    values = given.str.strip_chars().cast(pl.Float64, strict=False)
    bad = values.is_null() | (values < least) | values.is_nan() | values.is_infinite()
    texts = given.filter(bad).to_list()
    what = "below 0" if least == 0 else "not above 0"
    issues += listed(
        path, raw["line"].filter(bad).to_list(), column,
        lambda i: f"{texts[i]!r} is {what} or no number", _COLUMN_RIGHT,
    )  # fmt: skip
    return values


# --- the part that is wanted ------------------------------------------------------------------------------------------


def _cut(table: pl.DataFrame, window: Window) -> pl.DataFrame:
    """VMs that live in the window, their times counted from its start; those alive then are created at once."""
    import polars as pl

    end = pl.col("t") + pl.col("lifetime")
    kept = table.gather_every(window.every).filter(
        (end > window.start) & (pl.col("t") < window.start + window.duration)
    )
    begun = pl.max_horizontal(pl.col("t"), pl.lit(window.start))
    return kept.with_columns((begun - window.start).alias("t"), (end - begun).alias("lifetime"))


def _write(frame: pl.DataFrame, output: Path) -> None:
    """Whole or not at all."""
    partial = output.with_name(f".{output.name}.partial")
    try:
        if output.suffix.lower() in {".parquet", ".pq"}:
            frame.write_parquet(partial)
        else:
            frame.write_csv(partial)
        os.replace(partial, output)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise InputError([Issue(str(output), f"cannot be written: {error.strerror}", "name a file that can")]) from None


def _told(arrivals: pl.DataFrame, sizes: pl.DataFrame, output: Path) -> list[str]:
    """How many servers, and the flavors that a scenario needs for them; of several sizes of one name, the largest."""
    times = arrivals["t"].to_list()
    lines = [
        f"{units.counted(len(times), 'servers')}, the last after {units.format_seconds(times[-1] if times else 0.0)}"
    ]
    lines.append("without quotas (cloud.nova.options.quota: {instances: -1, cores: -1, ram: -1}) and with the flavors")
    lines.append(f"below a scenario can use it as workload: [{{name: users, trace: {output.name}}}]")
    made: dict[str, tuple[float, float, int]] = {}
    for cores, memory, servers, name in sizes.iter_rows():
        size = made.get(name, (0.0, 0.0, 0))
        made[name] = (max(cores, size[0]), max(memory, size[1]), servers + size[2])
    for name in sorted(made, key=natural):
        cores, memory, servers = made[name]
        flavor = f"name: {name}, vcpus: {math.ceil(cores)}, memory: {math.ceil(memory * 1024)} MiB, disk: 20 GiB"
        lines.append(f"  - {{{flavor}}}  # {units.counted(servers, 'servers')}")
    return lines
