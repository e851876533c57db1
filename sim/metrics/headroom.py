"""Table ``headroom``: how many more servers of each flavor fit, in the cloud, each zone and each aggregate."""

from __future__ import annotations

import polars as pl

from sim.eventlog import records as r
from sim.metrics.claims import RESOURCES, capacities, flavor_needs, used_at
from sim.metrics.columns import Table, count, text
from sim.metrics.hosts import states_at
from sim.metrics.source import Records


def groups(source: Records) -> pl.DataFrame:
    """Kind (``cloud``, ``zone``, ``aggregate``), group, host: which hosts belong to what, in a fixed order."""
    hosts = source.frame(r.HostsPresent)
    cloud = hosts.select(pl.lit("cloud").alias("kind"), pl.lit("all hosts").alias("group"), "host")
    zones = hosts.sort("zone", maintain_order=True)
    zones = zones.select(pl.lit("zone").alias("kind"), pl.col("zone").alias("group"), "host")
    aggregates = source.frame(r.AggregatesPresent).explode("hosts", empty_as_null=False)
    aggregates = aggregates.select(
        pl.lit("aggregate").alias("kind"), pl.col("aggregate").alias("group"), pl.col("hosts").alias("host")
    )
    return pl.concat([cloud, zones, aggregates])


def free(source: Records, t: float | None = None) -> pl.DataFrame:
    """What is left on each host at ``t`` (None: at the end): host, usable, vcpus, memory_mb, disk_gb, pcpus.

    A host that is down or disabled takes nobody: ``usable`` is False.
    """
    total = capacities(source)
    used = used_at(source, t).rename({name: f"{name}_used" for name in RESOURCES})
    state = states_at(source, t).select("host", "usable")
    joined = total.join(used, on="host", maintain_order="left").join(state, on="host", maintain_order="left")
    return joined.select("host", "usable", *(pl.col(name) - pl.col(f"{name}_used") for name in RESOURCES))


def fits(source: Records, t: float | None = None) -> pl.LazyFrame:
    """How many more of each flavor fit on each usable host: host, flavor, fits, by_vcpus and so on.

    ``by_…`` is what that resource alone would let in, null when the flavor needs none of it. Also the free amounts
    (``vcpus``, …) and the needs (``need_vcpus``, …).
    """
    flavors = flavor_needs(source).select("flavor", *(pl.col(name).alias(f"need_{name}") for name in RESOURCES))
    pairs = free(source, t).lazy().filter("usable").join(flavors.lazy(), how="cross")
    alone = [
        pl.when(pl.col(f"need_{name}") > 0)
        .then((pl.col(name) / pl.col(f"need_{name}") + 1e-9).floor().clip(lower_bound=0))
        .cast(pl.Int64)
        .alias(f"by_{name}")
        for name in RESOURCES
    ]
    least = pl.min_horizontal(f"by_{name}" for name in RESOURCES)
    return pairs.with_columns(alone).with_columns(least.fill_null(0).alias("fits"))


def _counted(source: Records, t: float | None) -> pl.DataFrame:
    """Fits by kind, group and flavor, with the resource that binds."""
    flavors = source.frame(r.FlavorsPresent).with_row_index("flavor_order").select("flavor", "flavor_order").lazy()
    every = groups(source).with_row_index("order").lazy()
    sums = every.join(fits(source, t), on="host", how="left").group_by("kind", "group", "flavor").agg(
        pl.col("fits").sum(), *(_sum(f"by_{name}") for name in RESOURCES)
    )  # fmt: skip
    names = every.group_by("kind", "group").agg(pl.col("order").min(), pl.len().alias("hosts"))
    made = names.join(flavors, how="cross").join(sums, on=["kind", "group", "flavor"], how="left")
    binding = pl.lit(None, dtype=pl.String)
    for name in reversed(RESOURCES):
        # A resource binds when no other alone would let in fewer.
        others = [pl.col(f"by_{other}") for other in RESOURCES if other != name]
        binding = pl.when(pl.col(f"by_{name}") <= pl.min_horizontal(*others)).then(pl.lit(name)).otherwise(binding)
    made = made.with_columns(pl.col("fits").fill_null(0), binding.alias("limited_by"))
    return made.sort("order", "flavor_order").collect()


def _sum(name: str) -> pl.Expr:
    """The sum of a column; null, not 0, where all of it is null."""
    return pl.when(pl.col(name).is_not_null().any()).then(pl.col(name).sum()).alias(name)


def build(source: Records, warm_up: float) -> pl.DataFrame:
    """One row for each group and flavor."""
    end = _counted(source, None)
    start = _counted(source, max(warm_up, 0.0)).select("kind", "group", "flavor", pl.col("fits").alias("fits_start"))
    joined = end.join(start, on=["kind", "group", "flavor"], how="left", maintain_order="left")
    usable = groups(source).join(free(source).filter("usable"), on="host").group_by("kind", "group").len("hosts_usable")
    joined = joined.join(usable, on=["kind", "group"], how="left", maintain_order="left")
    return joined.with_columns(pl.col("hosts_usable").fill_null(0))


TABLE = Table(
    "headroom",
    "Headroom",
    "How many more servers of each flavor placement would let in, host by host, if only that flavor came.",
    "looks at that moment instead of the start",
    (
        text("kind", "`cloud`, `zone` or `aggregate`"),
        text("group", "name of the zone or aggregate; `all hosts` for the cloud"),
        text("flavor", "the flavor"),
        count("hosts", "hosts", "hosts that belong to it"),
        count("hosts_usable", "hosts", "of them up and enabled at the end"),
        count("fits_start", "servers", "how many more fitted at the start"),
        count("fits", "servers", "how many more fit at the end; hosts that are down or disabled take none"),
        text("limited_by", "the resource that lets in the fewest: `vcpus`, `memory_mb`, `disk_gb` or `pcpus`"),
    ),
    build,
)
