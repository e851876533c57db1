"""Why a migration took as long as it did, and which single change would have let a failed one succeed."""

from __future__ import annotations

from typing import Any

import polars as pl

from sim import units
from sim.eventlog import records as r
from sim.metrics import links
from sim.metrics.explain.decision import no_host_remedy
from sim.metrics.source import Records
from sim.metrics.tables import table
from sim.metrics.words import advice

_FULL = 0.99


def durations(source: Records, migration: int) -> list[str]:
    """Where the time of a migration went, in sentences; empty when it took none."""
    row = _row(source, migration)
    if row["total_s"] is None:
        return []
    total, parts = row["total_s"], []
    queue = row["queue_s"] or 0.0
    if queue > 0:
        limit = source.options.get("DEFAULT.max_concurrent_live_migrations")
        of = f" (max_concurrent_live_migrations = {limit})" if limit is not None else ""
        parts.append(f"{_part(queue, total)} waiting for its turn on {row['source']}{of}")
    if row["copy_s"]:
        parts.append(f"{_part(row['copy_s'], total)} copying")
    rest = total - queue - (row["copy_s"] or 0.0)
    if rest > 0.005:
        parts.append(f"{_part(rest, total)} scheduling, checking, preparing and finishing")
    told = [f"It took {units.format_seconds(total)}: {', '.join(parts)}."] if parts else []
    told += _bandwidth(source, row)
    if row["copy_s"]:
        told += _dirty(source, row)
    if row["retries"]:
        tried = "1 more destination" if row["retries"] == 1 else f"{row['retries']} more destinations"
        told.append(f"It tried {tried} after the first refused it.")
    return told


def _row(source: Records, migration: int) -> dict[str, Any]:
    return table(source, "migrations").filter(pl.col("migration") == migration).row(0, named=True)


def _part(seconds: float, total: float) -> str:
    share = f" ({seconds / total:.0%})" if total > 0 else ""
    return f"{units.format_seconds(seconds)}{share}"


def _bandwidth(source: Records, row: dict[str, Any]) -> list[str]:
    """How fast its bytes flowed, and what on their way held them back."""
    told = []
    until = row["created_s"] + row["total_s"]
    flows = source.frame(r.FlowStarted).filter(
        (pl.col("server") == row["server"]) & pl.col("t").is_between(row["created_s"], until)
    )
    ended = source.frame(r.FlowEnded).select("flow", pl.col("t").alias("end"), "bytes")
    for flow in flows.join(ended, on="flow").iter_rows(named=True):
        took = flow["end"] - flow["t"]
        if took <= 0 or not flow["bytes"]:
            continue
        rate = flow["bytes"] / took
        held = _narrowest(source, flow["links"], flow["t"], flow["end"])
        told.append(
            f"Its {flow['purpose']} flow of {units.format_bytes(flow['bytes'])} ran at {units.format_rate(rate)}{held}."
        )
    return told


def _narrowest(source: Records, route: list[int], begin: float, end: float) -> str:
    series = links.over_time(source).filter(pl.col("row").is_in(route) & (pl.col("t") <= end)).sort("row", "t")
    until = pl.col("t").shift(-1).over("row").fill_null(end)
    spell = (pl.min_horizontal(until, pl.lit(end)) - pl.max_horizontal("t", pl.lit(begin))).clip(lower_bound=0)
    spells = series.with_columns(spell.alias("spell")).filter(pl.col("spell") > 0)
    if spells.is_empty():
        return ""
    full = pl.col("spell").filter(pl.col("rate") >= _FULL * pl.col("capacity"))
    each = spells.group_by("link").agg(
        pl.col("capacity").min(),
        full.sum().alias("full"),
        ((pl.col("flows") * pl.col("spell")).sum() / pl.col("spell").sum()).alias("flows"),
    )
    worst = each.sort("full", "capacity", "link", descending=[True, False, False]).row(0, named=True)
    if worst["full"] > 0.01 * (end - begin):
        others = worst["flows"] - 1
        shared = f", shared with {others:.1f} other flows on average" if others >= 0.05 else ""
        return (
            f": link {worst['link']} ({units.format_rate(worst['capacity'])}) was full for "
            f"{worst['full'] / (end - begin):.0%} of that time{shared}"
        )
    return ": no link on its way was full, so its own limit held it (the migration stream, a bandwidth option, a disk)"


def _dirty(source: Records, row: dict[str, Any]) -> list[str]:
    flavors = dict(source.frame(r.FlavorsPresent).select("flavor", "memory_mb").iter_rows())
    lives = table(source, "servers").filter(pl.col("server") == row["server"])
    memory = flavors.get(lives["flavor"].item(), 0) * units.MIB if lives.height else 0
    told = []
    if memory and row["memory_b"] > 1.05 * memory:
        told.append(
            f"It sent {row['memory_b'] / memory:.1f} times its {units.format_bytes(memory)} of memory, because the "
            f"guest wrote pages faster than they could be forgotten ({row['rounds']} rounds)."
        )
    elif memory and row["memory_b"] < 0.95 * memory and row["copy_outcome"] == "completed":
        told.append(
            f"It sent {units.format_bytes(row['memory_b'])} for {units.format_bytes(memory)} of memory: pages never "
            "touched cost next to nothing."
        )
    if row["throttle"]:
        told.append(
            f"Auto-converge took up to {row['throttle']:.0%} of the guest's CPU time so that the copy could end."
        )
    return told


def remedy(source: Records, migration: int) -> str | None:
    """The single change that would have let a failed migration succeed, as far as the log can tell."""
    row = _row(source, migration)
    if row["outcome"] not in {"failed", "cancelled"}:
        return None
    if row["copy_outcome"] == "timed_out":
        return _timed_out(source, row)
    decisions = source.frame(r.Decision).filter(
        (pl.col("server") == row["server"]) & (pl.col("request") == row["request"]) & pl.col("chosen").is_null()
    )
    if decisions.height:
        return no_host_remedy(source, decisions["decision"].to_list()[-1])
    if row["copy_outcome"] == "aborted" or row["outcome"] == "cancelled":
        return "Somebody aborted it: leave it alone, and it goes on."
    reason = row["reason"] or row["status"]
    text = advice(reason)
    return text[:1].upper() + text[1:] + "."


def _timed_out(source: Records, row: dict[str, Any]) -> str:
    options = source.options
    if options.get("libvirt.live_migration_permit_post_copy") is False:
        return (
            "With libvirt.live_migration_permit_post_copy = True and live_migration_timeout_action = force_complete it "
            "would have switched to post-copy instead of giving up."
        )
    if options.get("libvirt.live_migration_timeout_action") == "abort":
        return (
            "With libvirt.live_migration_timeout_action = force_complete the guest would have been paused (or switched "
            "to post-copy) until the copy was done."
        )
    return (
        f"The guest wrote memory about as fast as {units.format_rate(row['mean_rate_bps'] or 0.0)} could carry it: a "
        "calmer hour, a faster way, post-copy, or a cold migration would have let it end."
    )
