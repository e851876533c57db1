"""Tables ``energy`` and ``power_over_time``: what hosts take, by the CPU utilisation of the guests that run on them.

A host's utilisation is what its running guests use of its CPUs, at most all of them. Its power model turns that into
watts. A crashed host is off; one that reboots, hangs or is cut off takes power. The bytes of live migrations cost both
hosts 0.512 J a megabyte and 20.2 J each copy (Liu et al., HPDC 2011), half on each; that is told apart.
"""

from __future__ import annotations

import numpy as np
import polars as pl

from sim.eventlog import records as r
from sim.metrics.columns import Table, number, seconds, text
from sim.metrics.hosts import cut
from sim.metrics.source import Records
from sim.scenario.power import power_model

_RUNNING = 1
"""Nova's power state of a guest that runs."""
_NOWHERE = ""
_J_PER_B, _J_PER_COPY = 0.512e-6, 20.165
_J_PER_KWH = 3.6e6


def _guests(source: Records) -> pl.LazyFrame:
    """Servers over time: seq, t, server, host, flavor, power_state, cpu; only what a record says, else null.

    ``host`` is :data:`_NOWHERE` where the record says that there is none.
    """
    start = source.scan(r.ServersPresent).join(
        source.scan(r.GuestsPresent), on="server", how="left", maintain_order="left"
    )
    host = pl.col("host").fill_null(_NOWHERE)
    return pl.concat(
        [
            start.select(
                pl.lit(-1, dtype=pl.Int64).alias("seq"), pl.lit(0.0).alias("t"), "server", host, "flavor",
                "power_state", pl.col("cpu").fill_null(0.0),
            ),
            source.scan(r.ServerCreated).select("seq", "t", "server", "flavor", "cpu"),
            source.scan(r.ServerState).select("seq", "t", "server", host, "flavor", "power_state"),
            source.scan(r.ServerDeleted).select("seq", "t", "server", pl.lit(_NOWHERE).alias("host")),
            source.scan(r.GuestLoad).select("seq", "t", "server", "cpu"),
        ],
        how="diagonal",
    )  # fmt: skip


def _used(source: Records) -> pl.LazyFrame:
    """CPUs in use on each host: host, t, cpus, from each moment of change on."""
    known = ("host", "flavor", "power_state", "cpu")
    filled = _guests(source).sort("seq", maintain_order=True).with_columns(
        pl.col(name).forward_fill().over("server") for name in known
    )  # fmt: skip
    flavors = source.scan(r.FlavorsPresent).select("flavor", "vcpus")
    runs = (pl.col("power_state") == _RUNNING) & (pl.col("host") != _NOWHERE)
    cpus = pl.when(runs).then(pl.col("vcpus") * pl.col("cpu")).otherwise(0.0).fill_null(0.0)
    # Sums of floats are the same only in one order.
    now = filled.join(flavors, on="flavor", how="left", maintain_order="left")
    now = now.select("seq", "t", "server", "host", cpus.alias("cpus")).sort("seq", maintain_order=True).with_columns(
        pl.col("host").shift(1).over("server").alias("before"), pl.col("cpus").shift(1).over("server").alias("less")
    )  # fmt: skip
    changes = pl.concat([
        now.select("t", "host", "cpus"),
        now.select("t", pl.col("before").alias("host"), -pl.col("less").alias("cpus")),
    ]).filter(pl.col("host").is_not_null() & (pl.col("host") != _NOWHERE))  # fmt: skip
    running = changes.sort("host", "t", maintain_order=True).with_columns(pl.col("cpus").cum_sum().over("host"))
    return running.group_by("host", "t", maintain_order=True).last()


def power_over_time(source: Records) -> pl.DataFrame:
    """Host, t, utilisation, watts: a row at the start and after each change."""
    return source.keep("energy.power", lambda: _power(source))


def _power(source: Records) -> pl.DataFrame:
    hosts = source.scan(r.HostsPresent).select("host", "vcpus", "power_model")
    begin = hosts.select("host", pl.lit(0.0).alias("t"), pl.lit(0.0).alias("cpus"), pl.lit("up").alias("power"))
    states = source.scan(r.HostState).select("host", "t", "power")
    rows = pl.concat([begin, _used(source), states], how="diagonal").sort("host", "t", maintain_order=True)
    rows = rows.with_columns(pl.col(name).forward_fill().over("host") for name in ("cpus", "power"))
    rows = rows.group_by("host", "t", maintain_order=True).last()
    runs = pl.when(pl.col("power").is_in(["crashed", "rebooting"])).then(0.0).otherwise(pl.col("cpus"))
    share = (runs / pl.col("vcpus")).clip(0.0, 1.0)
    made = (
        rows.join(hosts, on="host", how="left", maintain_order="left")
        .with_columns(share.alias("utilisation"))
        .collect()
    )
    watts = np.zeros(made.height)
    for (name,), part in made.with_row_index("row").group_by("power_model", maintain_order=True):
        watts[part["row"].to_numpy()] = power_model(str(name))(part["utilisation"].to_numpy())
    made = made.with_columns(pl.Series("power_w", watts))
    off = pl.when(pl.col("power") == "crashed").then(0.0).otherwise(pl.col("power_w"))
    return made.select("host", "t", "utilisation", off.alias("power_w"), "power_model").sort("t", "host")


def _series(source: Records, warm_up: float) -> pl.DataFrame:
    rows = cut(power_over_time(source), ["host"], warm_up)
    return rows.select(pl.col("t").alias("t_s"), "host", "utilisation", "power_w")


def _energy(source: Records, warm_up: float) -> pl.DataFrame:
    rows = cut(power_over_time(source), ["host"], warm_up).sort("host", "t")
    until = pl.col("t").shift(-1).over("host").fill_null(max(source.end_s, warm_up))
    rows = rows.with_columns((until - pl.col("t")).clip(lower_bound=0.0).alias("spell"))
    spell = pl.col("spell")
    sums = rows.group_by("host", maintain_order=True).agg(
        pl.first("power_model"),
        (pl.col("power_w") * spell).sum().alias("energy_j"),
        (pl.col("utilisation") * spell).sum().alias("busy"),
        spell.sum().alias("time"),
        pl.col("power_w").max().alias("peak_w"),
        pl.col("utilisation").max().alias("peak_utilisation"),
    )
    share = pl.col("busy") / pl.col("time")
    mean = pl.col("energy_j") / pl.col("time")
    hosts = source.frame(r.HostsPresent).select("host")
    copies = _copies(source, warm_up)
    made = hosts.join(sums, on="host", how="left", maintain_order="left")
    made = made.join(copies, on="host", how="left", maintain_order="left")
    return made.with_columns(
        (pl.col("energy_j") / _J_PER_KWH).alias("energy_kwh"),
        pl.when(pl.col("time") > 0).then(mean).otherwise(pl.col("peak_w")).alias("mean_w"),
        pl.when(pl.col("time") > 0).then(share).otherwise(pl.col("peak_utilisation")).alias("mean_utilisation"),
        pl.col("migrations_j").fill_null(0.0),
    )


def _copies(source: Records, warm_up: float) -> pl.DataFrame:
    """Joules of live migrations' copies, half on each of their hosts."""
    copies = source.scan(r.LiveCopy).filter(pl.col("t") >= warm_up)
    half = (_J_PER_B * (pl.col("bytes_memory") + pl.col("bytes_disk")) + _J_PER_COPY) / 2
    both = pl.concat(
        [copies.select(pl.col(end).alias("host"), half.alias("migrations_j")) for end in ("source", "dest")]
    )
    return both.group_by("host", maintain_order=True).agg(pl.col("migrations_j").sum()).collect()


ENERGY = Table(
    "energy",
    "Energy",
    "What each host took over the run, by its power model and the CPU utilisation of its running guests.",
    "counts what was taken after it only",
    (
        text("host", "its name"),
        text("power_model", "how its utilisation becomes power"),
        number("energy_kwh", "kWh", "energy taken"),
        number("mean_w", "W", "power, mean over the time"),
        number("peak_w", "W", "highest power"),
        number("mean_utilisation", "0..1", "CPUs in use by guests, of its CPUs, mean over the time"),
        number("peak_utilisation", "0..1", "the highest of that"),
        number("migrations_j", "J", "beside that: its part of the copies of live migrations, 0.512 J/MB + 20.2 J each"),
    ),
    _energy,
)
OVER_TIME = Table(
    "power_over_time",
    "Power over time",
    "What each host takes: a row at the start, and one after each moment at which that may have changed.",
    "begins with what held then",
    (
        seconds("t_s", "from when on"),
        text("host", "its name"),
        number("utilisation", "0..1", "CPUs in use by guests, of its CPUs"),
        number("power_w", "W", "power"),
    ),
    _series,
)
