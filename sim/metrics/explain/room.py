"""What was free where when the scheduler decided, and what a server needed of it."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import polars as pl

from sim import units
from sim.eventlog import records as r
from sim.metrics.claims import RESOURCES, capacities, flavor_needs
from sim.metrics.headroom import free
from sim.metrics.source import Records

UNITS = {"vcpus": "vCPUs", "memory_mb": "MiB of memory", "disk_gb": "GiB of disk",
         "pcpus": "host CPUs for pinned guests"}  # fmt: skip
_RATIOS = {"vcpus": "cpu_allocation_ratio", "memory_mb": "ram_allocation_ratio", "disk_gb": "disk_allocation_ratio"}
_IN_FORCE = {"vcpus": "cpu_ratio", "memory_mb": "ram_ratio", "disk_gb": "disk_ratio"}
_MOMENT = 1e-9


class Closest(NamedTuple):
    """Where a server could have been: hosts with room but out of service, hosts with room, or the nearest miss."""

    idle: list[str]
    fitting: list[str]
    host: str | None
    lacks: str
    ratio: tuple[str, float] | None
    """The allocation ratio (option, value) with which it would have fitted, if one resource alone was short."""


def needs(source: Records, row: dict[str, Any]) -> dict[str, int]:
    """What a decision's server asked for: its claim soon after the decision, else its flavor then."""
    claims = source.frame(r.Claimed).filter((pl.col("consumer") == row["server"]) & (pl.col("t") >= row["t"]))
    if row["chosen"] is not None and claims.height:
        first = claims.row(0, named=True)
        return {name: first[name] for name in RESOURCES}
    flavor = flavor_of(source, row["server"], row["t"])
    flavors = flavor_needs(source).filter(pl.col("flavor") == flavor)
    if flavors.is_empty():
        return dict.fromkeys(RESOURCES, 0)
    wanted = {name: int(flavors[name].item()) for name in RESOURCES}
    start = source.frame(r.ServersPresent).filter(pl.col("server") == row["server"])
    if start.height and start["disk_gb_held"].item() == 0:
        wanted["disk_gb"] = 0
    return wanted


def flavor_of(source: Records, server: str, t: float) -> str | None:
    """The server's flavor at a moment."""
    states = source.frame(r.ServerState).filter((pl.col("server") == server) & (pl.col("t") <= t))
    start = source.frame(r.ServersPresent).filter(pl.col("server") == server)
    created = source.frame(r.ServerCreated).filter(pl.col("server") == server)
    return next((rows["flavor"].to_list()[-1] for rows in (states, start, created) if rows.height), None)


def memory_b(source: Records, server: str) -> float:
    """The memory of the server's flavor, bytes; 0 if it is not known."""
    flavors = source.frame(r.FlavorsPresent).filter(pl.col("flavor") == flavor_of(source, server, source.end_s))
    return float(flavors["memory_mb"].item() * units.MIB) if flavors.height else 0.0


def before(source: Records, row: dict[str, Any]) -> pl.DataFrame:
    """What was free on each host when a decision was made (just before its own claim)."""
    return free(source, max(row["t"] - _MOMENT, 0.0))


def short(host: dict[str, Any], wanted: dict[str, int]) -> str:
    """What a host lacks of what is needed, in words; empty when it fits."""
    lacks = [(name, amount - host[name]) for name, amount in wanted.items() if host[name] < amount]
    return " and ".join(f"{lack:,.0f} {UNITS[name]}" for name, lack in lacks)


def closest(source: Records, row: dict[str, Any]) -> Closest:
    """Of a decision without a host: where there was room, or was nearly room. The server's own host is none."""
    wanted = needs(source, row)
    states = source.frame(r.ServerState).filter((pl.col("server") == row["server"]) & (pl.col("t") <= row["t"]))
    start = source.frame(r.ServersPresent).filter(pl.col("server") == row["server"])
    own = next((rows["host"].to_list()[-1] for rows in (states, start) if rows.height), None)
    hosts = before(source, row).filter(pl.col("host").ne_missing(pl.lit(own)))
    fits = pl.all_horizontal([pl.col(name) >= amount for name, amount in wanted.items()])
    idle = hosts.filter(fits & ~pl.col("usable"))["host"].to_list()
    usable = hosts.filter("usable")
    fitting = usable.filter(fits)["host"].to_list()
    if fitting or usable.is_empty():
        return Closest(idle, fitting, None, "", None)
    ranked = [(sum(host[name] < amount for name, amount in wanted.items()), _gap(host, wanted), host["host"], host)
              for host in usable.iter_rows(named=True)]  # fmt: skip
    _, _, name, best = min(ranked, key=lambda one: one[:3])
    return Closest(idle, [], name, short(best, wanted), _ratio(source, best, wanted))


def _gap(host: dict[str, Any], wanted: dict[str, int]) -> float:
    return sum((max(float(amount - host[name]), 0.0) / amount for name, amount in wanted.items() if amount), 0.0)


def _ratio(source: Records, host: dict[str, Any], wanted: dict[str, int]) -> tuple[str, float] | None:
    """The allocation ratio, to two digits, with which the host would have had room; None if two resources are short."""
    lacking = [name for name, amount in wanted.items() if host[name] < amount]
    if len(lacking) != 1 or lacking[0] not in _RATIOS:
        return None
    name = lacking[0]
    total = float(capacities(source).filter(pl.col("host") == host["host"])[name].item())
    ratio = float(source.frame(r.HostsPresent).filter(pl.col("host") == host["host"])[_IN_FORCE[name]].item())
    if total <= 0 or ratio <= 0:
        return None
    needed = (total - host[name] + wanted[name]) / (total / ratio)
    return _RATIOS[name], math.ceil(needed * 100) / 100
