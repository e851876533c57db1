"""Table ``stranded``: free capacity that a flavor cannot use, because something else runs out first."""

from __future__ import annotations

import polars as pl

from sim.metrics.claims import RESOURCES
from sim.metrics.columns import Column, Table, count, number, text
from sim.metrics.headroom import fits, groups
from sim.metrics.source import Records


def build(source: Records, warm_up: float) -> pl.DataFrame:
    """One row for each group and flavor: what stays free after as many of the flavor as fit have come."""
    del warm_up  # it is a state of the end, which no cut before it changes
    every = groups(source).with_row_index("order").lazy()
    rows = every.join(fits(source), on="host")
    free = [pl.col(name).clip(lower_bound=0).sum().alias(f"{name}_free") for name in RESOURCES]
    left = [
        (pl.col(name).clip(lower_bound=0) - pl.col("fits") * pl.col(f"need_{name}")).sum().alias(f"{name}_stranded")
        for name in RESOURCES
    ]
    made = rows.group_by("kind", "group", "flavor").agg(
        pl.col("order").min(), pl.len().alias("hosts"), pl.col("fits").sum(), *free, *left
    )
    share = [
        pl.when(pl.col(f"{name}_free") > 0)
        .then(pl.col(f"{name}_stranded") / pl.col(f"{name}_free"))
        .otherwise(0.0)
        .alias(f"{name}_share")
        for name in RESOURCES
    ]
    return made.with_columns(share).sort("order", "kind", "group", "flavor").collect()


def _columns() -> tuple[Column, ...]:
    units = {"vcpus": ("vCPU", "vCPUs"), "memory_mb": ("MiB", "memory"), "disk_gb": ("GiB", "disk"),
             "pcpus": ("PCPU", "host CPUs for pinned guests")}  # fmt: skip
    made: list[Column] = []
    for name, (unit, words) in units.items():
        made += [
            number(f"{name}_free", unit, f"{words} free at the end on hosts that are up and enabled"),
            number(f"{name}_stranded", unit, f"of them, {words} that stay free when as many of the flavor as fit came"),
            number(f"{name}_share", "0..1", f"stranded {words}, of free {words}"),
        ]
    return tuple(made)


TABLE = Table(
    "stranded",
    "Stranded capacity",
    "Free capacity that a flavor cannot use, because on its host another resource runs out first.",
    "changes nothing: this is a state of the end",
    (
        text("kind", "`cloud`, `zone` or `aggregate`"),
        text("group", "name of the zone or aggregate; `all hosts` for the cloud"),
        text("flavor", "the flavor"),
        count("hosts", "hosts", "hosts of it that are up and enabled"),
        count("fits", "servers", "how many more of the flavor fit"),
        *_columns(),
    ),
    build,
)
