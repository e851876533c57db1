"""Tables ``hosts`` and ``hosts_over_time``: what each host gives, holds and is, at the end and all along."""

from __future__ import annotations

import polars as pl

from sim.eventlog import records as r
from sim.metrics.claims import RESOURCES, capacities, deltas, present, servers_at, used_at
from sim.metrics.columns import Column, Table, count, flag, number, seconds, text
from sim.metrics.source import Records

_TITLES = {
    "vcpus": ("vCPU", "vCPUs"), "memory_mb": ("MiB", "memory"), "disk_gb": ("GiB", "disk"),
    "pcpus": ("PCPU", "host CPUs for pinned guests"),
}  # fmt: skip


def states_at(source: Records, t: float | None = None) -> pl.DataFrame:
    """Host, rack, zone, power, disabled, forced_down, reason, usable at ``t`` (None: at the end).

    A host of which no record speaks is up and enabled.
    """
    states = source.frame(r.HostState).filter(pl.lit(True) if t is None else pl.col("t") <= t)
    last = states.group_by("host", maintain_order=True).last()
    hosts = source.frame(r.HostsPresent).select("host", "rack", "zone")
    made = hosts.join(last, on="host", how="left", maintain_order="left").select(
        "host",
        "rack",
        "zone",
        pl.col("power").fill_null("up"),
        pl.col("disabled").fill_null(False),
        pl.col("forced_down").fill_null(False),
        pl.col("reason").fill_null(""),
    )
    usable = (pl.col("power") == "up") & ~pl.col("disabled") & ~pl.col("forced_down")
    return made.with_columns(usable.alias("usable"))


def over_time(source: Records) -> pl.DataFrame:
    """What each host holds and how many servers it has, a row at the start and after each moment of change."""
    return source.keep("hosts.over_time", lambda: _over_time(source))


def _over_time(source: Records) -> pl.DataFrame:
    start = used_at(source, 0.0).join(servers_at(source, 0.0), on="host").select(
        pl.lit(0.0).alias("t"), "host", *RESOURCES, "servers"
    )  # fmt: skip
    changes = pl.concat([start, deltas(source).drop("seq"), present(source).drop("seq")], how="diagonal")
    names = (*RESOURCES, "servers")
    return (
        changes.group_by("t", "host")
        .agg(pl.col(name).sum() for name in names)
        .sort("host", "t")
        .with_columns(pl.col(name).cum_sum().over("host") for name in names)
        .sort("t", "host")
    )


def cut(rows: pl.DataFrame, keys: list[str], warm_up: float) -> pl.DataFrame:
    """A series without what lies before the cut; what held at the cut becomes its first row."""
    if warm_up <= 0:
        return rows
    before = rows.filter(pl.col("t") <= warm_up).group_by(keys, maintain_order=True).last()
    before = before.with_columns(pl.lit(warm_up).alias("t")).select(rows.columns)
    return pl.concat([before, rows.filter(pl.col("t") > warm_up)]).sort("t", *keys)


def _series(source: Records, warm_up: float) -> pl.DataFrame:
    rows = cut(over_time(source), ["host"], warm_up)
    total = capacities(source).select("host", pl.col("vcpus").alias("all_vcpus"), pl.col("memory_mb").alias("all_mb"))
    return rows.join(total, on="host", how="left", maintain_order="left").select(
        pl.col("t").alias("t_s"), "host", "servers",
        *(pl.col(name).alias(f"{name}_used") for name in RESOURCES),
        (pl.col("vcpus") / pl.col("all_vcpus")).alias("vcpus_share"),
        (pl.col("memory_mb") / pl.col("all_mb")).alias("memory_share"),
    )  # fmt: skip


def _outages(source: Records, warm_up: float) -> pl.DataFrame:
    """Host, outages, down_s: how often each fell silent, and for how long in all, after the cut."""
    down = pl.col("power") != "up"
    states = source.frame(r.HostState).sort("seq").select("t", "host", down.alias("down"))
    turns = states.filter(pl.col("down") != pl.col("down").shift(1).over("host").fill_null(False))
    spells = turns.with_columns(pl.col("t").shift(-1).over("host").fill_null(source.end_s).alias("until"))
    spells = spells.filter(pl.col("down") & (pl.col("until") >= warm_up))
    return spells.group_by("host", maintain_order=True).agg(
        (pl.col("t") >= warm_up).sum().cast(pl.Int64).alias("outages"),
        (pl.col("until") - pl.max_horizontal("t", pl.lit(warm_up))).sum().alias("down_s"),
    )


def _hosts(source: Records, warm_up: float) -> pl.DataFrame:
    names = [*RESOURCES, "servers"]
    series = cut(over_time(source), ["host"], warm_up)
    peak = series.group_by("host").agg(pl.col(name).max().alias(f"{name}_peak") for name in names)
    start = series.group_by("host", maintain_order=True).agg(pl.col("servers").first().alias("servers_start"))
    total = capacities(source).select("host", *(pl.col(name).alias(f"{name}_total") for name in RESOURCES))
    used = used_at(source).select("host", *(pl.col(name).alias(f"{name}_used") for name in RESOURCES))
    made = states_at(source)
    for other in (total, used, servers_at(source), start, peak, _outages(source, warm_up)):
        made = made.join(other, on="host", how="left", maintain_order="left")
    free = [(pl.col(f"{name}_total") - pl.col(f"{name}_used")).alias(f"{name}_free") for name in RESOURCES]
    return made.with_columns(*free, pl.col("outages").fill_null(0), pl.col("down_s").fill_null(0.0))


def _resource_columns() -> list[Column]:
    made: list[Column] = []
    for name, (unit, words) in _TITLES.items():
        made += [
            number(
                f"{name}_total", unit, f"{words} that placement may give away: (total - reserved) × allocation ratio"
            ),
            count(f"{name}_used", unit, f"{words} held at the end, by servers and by migrations"),
            number(f"{name}_free", unit, f"{words} left at the end; negative on an overfull host"),
            count(f"{name}_peak", unit, f"most {words} held at any time"),
        ]
    return made


HOSTS = Table(
    "hosts",
    "Hosts",
    "Every host at the end of the run.",
    "looks for peaks and outages after it only",
    (
        text("host", "its name"),
        text("rack", "its rack"),
        text("zone", "its availability zone"),
        text("power", "`up`, `crashed`, `hung`, `rebooting`, … at the end"),
        flag("disabled", "whether its compute service is disabled at the end"),
        flag("forced_down", "whether its compute service is forced down at the end"),
        text("reason", "why it is in that state, as recorded"),
        count("outages", "", "how often it fell silent (crashed, hung, rebooted, or lost its network)"),
        seconds("down_s", "how long it was not up, in all; over the run's duration: its unavailability"),
        count("servers_start", "servers", "servers on it at the start (or at the cut)"),
        count("servers", "servers", "servers on it at the end"),
        count("servers_peak", "servers", "most servers on it at any time"),
        *_resource_columns(),
    ),
    _hosts,
)
OVER_TIME = Table(
    "hosts_over_time",
    "Hosts over time",
    "What each host holds: a row at the start, and one after each moment at which that changed.",
    "begins with what held then",
    (
        seconds("t_s", "from when on"),
        text("host", "its name"),
        count("servers", "servers", "servers on it"),
        count("vcpus_used", "vCPU", "vCPUs held"),
        count("memory_mb_used", "MiB", "memory held"),
        count("disk_gb_used", "GiB", "disk held"),
        count("pcpus_used", "PCPU", "host CPUs held by pinned guests"),
        number("vcpus_share", "0..1", "vCPUs held, of those that placement may give away"),
        number("memory_share", "0..1", "memory held, of what placement may give away"),
    ),
    _series,
)
