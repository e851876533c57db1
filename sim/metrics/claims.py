"""What hosts hold over time, rebuilt from the claims in the log."""

from __future__ import annotations

import polars as pl

from sim.eventlog import records as r
from sim.metrics.source import Records

RESOURCES = ("vcpus", "memory_mb", "disk_gb", "pcpus")


def flavor_needs(source: Records) -> pl.DataFrame:
    """What a server of each flavor takes of a host: flavor and the four amounts."""
    other = source.frame(r.FlavorNeedsPresent).select("flavor", *RESOURCES)
    usual = source.frame(r.FlavorsPresent).with_columns(pl.lit(0, dtype=pl.Int64).alias("pcpus"))
    return usual.join(other, on="flavor", how="left", suffix="_other", maintain_order="left").select(
        "flavor", *(pl.coalesce(f"{name}_other", name).alias(name) for name in RESOURCES)
    )


def _start(source: Records) -> pl.DataFrame:
    """Who holds what at the start: server, host and the four amounts."""
    flavors = source.frame(r.FlavorsPresent).select("flavor", "vcpus", "memory_mb")
    servers = source.frame(r.ServersPresent).filter(pl.col("holds") & pl.col("host").is_not_null())
    servers = servers.select(pl.col("server").alias("consumer"), "host", "flavor", "disk_gb_held")
    moves = source.frame(r.MigrationsPresent).select(
        pl.format("migration:{}", "migration").alias("consumer"), pl.col("source").alias("host"), "flavor",
        "disk_gb_held",
    )  # fmt: skip
    usual = (
        pl.concat([servers, moves])
        .join(flavors, on="flavor", how="left", maintain_order="left")
        .select(
            "consumer",
            "host",
            "vcpus",
            "memory_mb",
            pl.col("disk_gb_held").alias("disk_gb"),
            pl.lit(0, dtype=pl.Int64).alias("pcpus"),
        )
    )
    other = source.frame(r.HoldingsPresent).select("consumer", "host", *RESOURCES)
    return usual.join(other, on=["consumer", "host"], how="left", suffix="_other", maintain_order="left").select(
        "consumer", "host", *(pl.coalesce(f"{name}_other", name).alias(name) for name in RESOURCES)
    )


def _changes(source: Records) -> pl.DataFrame:
    """Claims, releases and changes of owner in the order of the log."""
    claimed = source.scan(r.Claimed).select("seq", "t", "consumer", "host", *RESOURCES, pl.lit("").alias("to"))
    released = source.scan(r.Released).select("seq", "t", "consumer", "host")
    moved = source.scan(r.ClaimMoved).select("seq", "t", "consumer", "host", pl.col("new_consumer").alias("to"))
    return pl.concat([claimed, released, moved], how="diagonal").sort("seq").collect()


def deltas(source: Records) -> pl.DataFrame:
    """Changes of what hosts hold: seq, t, host and the four amounts (signed). The start is not among them.

    A release does not say how much it gives back, so who holds what is followed one by one.
    """
    return source.keep("claims.deltas", lambda: _deltas(source))


def _deltas(source: Records) -> pl.DataFrame:
    held: dict[tuple[str, str], tuple[int, ...]] = {}
    changes = _changes(source)
    # Most consumers of a large cloud never change: they are not looked at.
    start = _start(source).join(changes.select("consumer").unique(), on="consumer", how="semi")
    for consumer, host, *amounts in start.iter_rows():
        held[consumer, host] = tuple(amounts)
    rows: list[tuple[int | float | str, ...]] = []
    nothing = (0,) * len(RESOURCES)
    for seq, t, consumer, host, *claimed, to in changes.iter_rows():
        if to == "":
            held[consumer, host] = tuple(claimed)
            rows.append((seq, t, host, *claimed))
            continue
        gone = held.pop((consumer, host), nothing)
        if to is None:
            rows.append((seq, t, host, *(-amount for amount in gone)))
        else:
            held[to, host] = gone
    schema = {"seq": pl.Int64, "t": pl.Float64, "host": pl.String, **dict.fromkeys(RESOURCES, pl.Int64)}
    return pl.DataFrame(rows, schema=schema, orient="row")


def used_at(source: Records, t: float | None = None) -> pl.DataFrame:
    """What each host holds at ``t`` (None: at the end, 0 or less: at the start): host and the four amounts."""
    start = _start(source).select("host", *RESOURCES)
    changes = deltas(source).filter(pl.lit(True) if t is None else (pl.col("t") <= t) & pl.lit(t > 0))
    both = pl.concat([start, changes.select("host", *RESOURCES)])
    sums = both.group_by("host").agg(pl.col(name).sum() for name in RESOURCES)
    hosts = source.frame(r.HostsPresent).select("host")
    return hosts.join(sums, on="host", how="left", maintain_order="left").with_columns(
        pl.col(name).fill_null(0) for name in RESOURCES
    )


def capacities(source: Records) -> pl.DataFrame:
    """What placement may give away on each host: host, rack, zone, and (total - reserved) × ratio of each resource."""
    hosts = source.frame(r.HostsPresent).join(
        source.frame(r.DedicatedPresent).select("host", "pcpus"), on="host", how="left", maintain_order="left"
    )
    return hosts.select(
        "host",
        "rack",
        "zone",
        ((pl.col("vcpus") - pl.col("reserved_vcpus")) * pl.col("cpu_ratio")).alias("vcpus"),
        ((pl.col("memory_mb") - pl.col("reserved_memory_mb")) * pl.col("ram_ratio")).alias("memory_mb"),
        ((pl.col("disk_gb") - pl.col("reserved_disk_gb")) * pl.col("disk_ratio")).alias("disk_gb"),
        pl.col("pcpus").fill_null(0).cast(pl.Float64).alias("pcpus"),
    )


def present(source: Records) -> pl.DataFrame:
    """Where servers are over time: seq, t, host, servers (+1 arrives, -1 leaves). The start is not among them."""
    return source.keep("claims.present", lambda: _present(source))


def _present(source: Records) -> pl.DataFrame:
    start = source.scan(r.ServersPresent).select(
        pl.lit(-1, dtype=pl.Int64).alias("seq"), pl.lit(0.0).alias("t"), "server", "host"
    )
    states = source.scan(r.ServerState).select("seq", "t", "server", "host")
    gone = source.scan(r.ServerDeleted).select("seq", "t", "server", pl.lit(None, dtype=pl.String).alias("host"))
    lives = pl.concat([start, states, gone]).sort("seq", maintain_order=True)
    lives = lives.with_columns(pl.col("host").shift(1).over("server").alias("before"))
    changed = lives.filter((pl.col("seq") >= 0) & pl.col("host").ne_missing(pl.col("before")))
    arrives = changed.select("seq", "t", "host", pl.lit(1, dtype=pl.Int64).alias("servers"))
    leaves = changed.select("seq", "t", pl.col("before").alias("host"), pl.lit(-1, dtype=pl.Int64).alias("servers"))
    return pl.concat([arrives, leaves]).drop_nulls("host").sort("seq", maintain_order=True).collect()


def servers_at(source: Records, t: float | None = None) -> pl.DataFrame:
    """How many servers each host has at ``t`` (None: at the end, 0 or less: at the start): host, servers."""
    start = source.frame(r.ServersPresent).drop_nulls("host").select("host", pl.lit(1, dtype=pl.Int64).alias("servers"))
    changes = present(source).filter(pl.lit(True) if t is None else (pl.col("t") <= t) & pl.lit(t > 0))
    sums = pl.concat([start, changes.select("host", "servers")]).group_by("host").agg(pl.col("servers").sum())
    hosts = source.frame(r.HostsPresent).select("host")
    return hosts.join(sums, on="host", how="left", maintain_order="left").with_columns(pl.col("servers").fill_null(0))
