"""Why a migration took as long as it did: its queue, its share of the links, its guest's pages, its retries."""

from __future__ import annotations

import math
from typing import Any

import polars as pl

from sim import units
from sim.eventlog import records as r
from sim.metrics import links
from sim.metrics.explain.room import memory_b
from sim.metrics.source import Records
from sim.metrics.stages import stages
from sim.metrics.tables import table
from sim.metrics.timeline import turned_away

_FULL = 0.99
_SMALL = 0.05
_OTHER = ""
_DOING = {
    "wait": "waiting in queues", "copy": "copying", "copy_disk": "copying its disk",
    "pre_check": "checking destinations", "pre_live_migration": "preparing the destination",
    "live_start": "starting the copy", "live_finish": "handing it over", "live_rollback": "cleaning up",
    "prep_resize": "claiming room", "claim_failure": "being refused", "shutdown": "shutting its guest down",
    "resize_disk": "making its disk ready", "finish_resize": "starting it there", "rebuild": "rebuilding it",
    "conductor": "in the control plane", "scheduler": "in the control plane", "api": "in the control plane",
}  # fmt: skip
"""Stages in words, as what time was spent on."""


def durations(source: Records, migration: int) -> list[str]:
    """Where the time of a migration went, in sentences; empty when it took none."""
    row = _row(source, migration)
    if row["total_s"] is None:
        return []
    total = row["total_s"]
    parts = [_part(seconds, total, words) for words, seconds in _shares(source, row)]
    where = f": {', '.join(parts)}" if parts else ""
    told = [f"Migration {migration} took {units.format_seconds(total)}{where}."]
    told += _bandwidth(source, row)
    if row["copy_s"]:
        told += _dirty(source, row)
    if row["retries"]:
        away = turned_away(source)
        mine = (pl.col("request") == row["request"]) & (pl.col("server") == row["server"])
        hosts = away.filter(mine & pl.col("again"))["host"]
        told.append(f"Turned away by {', '.join(hosts)}, it tried elsewhere.")
    return told


def _shares(source: Records, row: dict[str, Any]) -> list[tuple[str, float]]:
    """What took how long, longest first; what is less than a twentieth goes into the rest."""
    begin, end = row["created_s"], row["created_s"] + row["total_s"]
    mine = (pl.col("request") == row["request"]) & (pl.col("server") == row["server"])
    rows = stages(source).filter(mine & (pl.col("ended_s") > begin) & (pl.col("began_s") < end)).collect()
    spent: dict[str, float] = {}
    for stage, queue, since, until in rows.select("stage", "queue", "began_s", "ended_s").iter_rows():
        words = _waiting(source, row) if (queue or "").startswith("live_migrations:") else _DOING.get(stage, _OTHER)
        spent[words] = spent.get(words, 0.0) + min(until, end) - max(since, begin)
    total = row["total_s"]
    large = {words: seconds for words, seconds in spent.items() if words != _OTHER and seconds >= _SMALL * total}
    rest = total - sum(large.values())
    ranked = sorted(large.items(), key=lambda pair: -pair[1])
    return [*ranked, ("everything else", rest)] if rest > 0.005 and ranked else ranked


def _waiting(source: Records, row: dict[str, Any]) -> str:
    limit = source.options.get("DEFAULT.max_concurrent_live_migrations")
    of = f" (max_concurrent_live_migrations = {limit})" if limit is not None else ""
    return f"waiting for its turn on {row['source']}{of}{_ahead(source, row)}"


def _ahead(source: Records, row: dict[str, Any]) -> str:
    """Whose live migrations held the turns of its host while it waited, those longest under way first."""
    since, until = row["at_queued_s"], row["at_queued_s"] + row["queue_s"]
    others = table(source, "migrations").filter(
        (pl.col("source") == row["source"]) & (pl.col("migration") != row["migration"])
        & (pl.col("at_preparing_s") < until) & (pl.col("ended_s").fill_null(source.end_s) > since)
    )  # fmt: skip
    took = (pl.min_horizontal(pl.col("ended_s").fill_null(source.end_s), pl.lit(until))
            - pl.max_horizontal("at_preparing_s", pl.lit(since))).alias("took")  # fmt: skip
    longest = others.with_columns(took).sort("took", descending=True, maintain_order=True)
    names = [f"{server} ({units.format_seconds(seconds)})" for server, seconds in
             longest.select("server", "took").head(3).iter_rows()]  # fmt: skip
    more = f" and {longest.height - 3} more" if longest.height > 3 else ""
    return f", behind {', '.join(names)}{more}" if names else ""


def _row(source: Records, migration: int) -> dict[str, Any]:
    return table(source, "migrations").filter(pl.col("migration") == migration).row(0, named=True)


def _part(seconds: float, total: float, words: str) -> str:
    share = f" ({seconds / total:.0%})" if total > 0 else ""
    return f"{units.format_seconds(seconds)}{share} {words}"


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


_OWN = "its own limit held it (the migration stream, a bandwidth option, a disk)"
_MOSTLY = 0.9
"""Of the time of a flow: if a link was full for less of it, what held the flow in the rest is said too."""


def _narrowest(source: Records, route: list[int], begin: float, end: float) -> str:
    if not route:
        return ": it did not leave its host"
    series = links.over_time(source).filter(pl.col("row").is_in(route) & (pl.col("t") <= end)).sort("row", "t")
    until = pl.col("t").shift(-1).over("row").fill_null(end)
    spell = (pl.min_horizontal(until, pl.lit(end)) - pl.max_horizontal("t", pl.lit(begin))).clip(lower_bound=0)
    begun = pl.max_horizontal("t", pl.lit(begin)).alias("begun")
    spells = series.with_columns(spell.alias("spell"), begun).filter(pl.col("spell") > 0)
    if spells.is_empty():
        return ""
    is_full = pl.col("rate") >= _FULL * pl.col("capacity")
    full = pl.col("spell").filter(is_full)
    each = spells.group_by("link", maintain_order=True).agg(
        pl.col("capacity").min(),
        full.sum().alias("full"),
        ((pl.col("flows") * pl.col("spell")).sum() / pl.col("spell").sum()).alias("flows"),
    )
    worst = each.sort("full", "capacity", "link", descending=[True, False, False]).row(0, named=True)
    if worst["full"] > 0.01 * (end - begin):
        others = worst["flows"] - 1
        shared = f", shared with {_flows(others)} on average" if others >= 0.05 else ""
        over = (pl.col("begun") + pl.col("spell")).alias("over")
        some = _together(spells.filter(is_full).select("begun", over).sort("begun").rows())
        rest = f"; while no link was, {_OWN}" if some < _MOSTLY * (end - begin) else ""
        return (
            f": link {worst['link']} ({units.format_rate(worst['capacity'])}) was full for "
            f"{worst['full'] / (end - begin):.0%} of that time{shared}{rest}"
        )
    return f": no link on its way was full, so {_OWN}"


def _together(spells: list[tuple[float, float]]) -> float:
    """How long any of these spells lasted; they are sorted by their beginnings and may overlap."""
    total, reached = 0.0, -math.inf
    for begin, end in spells:
        total += max(end - max(begin, reached), 0.0)
        reached = max(reached, end)
    return total


def _flows(others: float) -> str:
    return "1 other flow" if 0.95 <= others < 1.05 else f"{others:.1f} other flows"


def _dirty(source: Records, row: dict[str, Any]) -> list[str]:
    memory = memory_b(source, row["server"])
    told = []
    if memory and row["memory_b"] > 1.05 * memory:
        told.append(
            f"It sent {row['memory_b'] / memory:.1f} times its {units.format_bytes(memory)} of memory, because the "
            f"guest wrote pages again while they were being sent ({row['rounds']} rounds)."
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
