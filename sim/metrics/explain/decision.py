"""Why the scheduler chose a host, did not choose another, or found none; and what would have let it."""

from __future__ import annotations

import math
from typing import Any

import polars as pl

from sim import units
from sim.errors import InputError, Issue
from sim.eventlog import records as r
from sim.metrics.explain import room
from sim.metrics.explain.remedy import of_decision
from sim.metrics.explain.sentences import when
from sim.metrics.source import Records

_TOP = 5


def _row(source: Records, decision: int) -> dict[str, Any]:
    rows = source.frame(r.Decision).filter(pl.col("decision") == decision)
    if rows.is_empty():
        raise InputError([Issue("decision", f"{decision} is not in this run", "novasim show RUN decisions lists them")])
    return rows.row(0, named=True)


def _steps(source: Records, decision: int) -> pl.DataFrame:
    return source.frame(r.FilterStep).filter(pl.col("decision") == decision).sort("seq")


def _totals(source: Records, decision: int) -> list[tuple[str, float, list[str]]]:
    """Hosts by total weight, highest first: host, total, each weigher's part in words."""
    parts: dict[str, list[str]] = {}
    totals: dict[str, float] = {}
    rows = source.frame(r.WeighStep).filter(pl.col("decision") == decision).sort("seq")
    for row in rows.iter_rows(named=True):
        for host, weight in zip(row["hosts"], row["weights"], strict=True):
            totals[host] = totals.get(host, 0.0) + weight
            if weight:
                parts.setdefault(host, []).append(f"{row['weigher']} {weight:+.3f}")
    ranked = sorted(totals, key=lambda host: (-totals[host], host))
    return [(host, totals[host], parts.get(host, [])) for host in ranked]


def decision_text(source: Records, decision: int, host: str | None = None) -> list[str]:
    """A decision in sentences; with ``host``, why that host was not chosen. InputError for one there is not."""
    row = _row(source, decision)
    wants = ", ".join(f"{amount:,} {room.UNITS[name]}" for name, amount in room.needs(source, row).items() if amount)
    hosts = source.frame(r.HostsPresent).height
    lines = [
        f"Decision {decision} at {when(row['t'])}: a host for {row['server']} ({wants}), attempt {row['attempt']}, "
        f"request {row['request'] or '-'}.",
        f"Placement offered {row['hosts']} of {hosts} hosts: those with room whose service is not disabled, within "
        "what was asked.",
    ]
    steps = _steps(source, decision)
    for step in steps.iter_rows(named=True):
        names = ", ".join(step["removed"][:_TOP])
        more = f" and {len(step['removed']) - _TOP} more" if len(step["removed"]) > _TOP else ""
        gone = f"removed {step['before'] - step['after']}: {names}{more}" if step["removed"] else "let all pass"
        lines.append(f"  {step['filter']} ({step['before']} → {step['after']}) {gone}")
    lines += _weights(source, row)
    if steps.is_empty():
        lines.append("Filters and weights were not recorded; run with --explain to have them.")
    if row["chosen"] is None:
        lines += [f"No host: {row['reason'].strip()}", *of_decision(source, decision).told(source)]
    if host is not None:
        lines.append(why_not(source, decision, host))
    return lines


def _weights(source: Records, row: dict[str, Any]) -> list[str]:
    totals = _totals(source, row["decision"])
    lines = []
    for place, (host, total, parts) in enumerate(totals[:_TOP], start=1):
        of = f" ({', '.join(parts)})" if parts else ""
        lines.append(f"  {place}. {host} weighs {total:.3f}{of}")
    if row["chosen"] is None:
        return lines
    spare = f"; alternates {', '.join(row['alternates'])}" if row["alternates"] else ""
    lines += _place_of_chosen(totals, row["chosen"])
    return [*lines, f"Of {row['left']} hosts left, {row['chosen']} was chosen{_why(source, totals, row)}{spare}."]


def _place_of_chosen(totals: list[tuple[str, float, list[str]]], chosen: str) -> list[str]:
    """The chosen host's line where it is not among those that are shown anyway."""
    places = {host: place for place, (host, _, _) in enumerate(totals, start=1)}
    place = places.get(chosen, 0)
    if place <= _TOP:
        return []
    between = [f"  … {place - _TOP - 1} more"] if place > _TOP + 1 else []
    return [*between, f"  {place}. {chosen} weighs {totals[place - 1][1]:.3f}"]


def _why(source: Records, totals: list[tuple[str, float, list[str]]], row: dict[str, Any]) -> str:
    """Why this one of the hosts left: its weight, luck among equals or among the best, or a claim that went through."""
    weights = {host: total for host, total, _ in totals}
    if row["chosen"] not in weights:
        return ""
    if len(weights) == 1:
        return ", the only one"
    mine, best = weights[row["chosen"]], totals[0][1]
    equals = sum(math.isclose(total, mine, rel_tol=0, abs_tol=1e-12) for total in weights.values()) - 1
    subset = int(source.options.get("filter_scheduler.host_subset_size", 1))
    if math.isclose(mine, best, rel_tol=0, abs_tol=1e-12):
        if not equals:
            return " because it weighed most"
        shuffled = subset > 1 or source.options.get("filter_scheduler.shuffle_best_same_weighed_hosts")
        how = "luck decided" if shuffled else "the first in the scenario's order was taken"
        return f" because nobody weighed more; {units.counted(equals, 'others')} weighed the same, and {how}"
    drawn = f"it was drawn from the best {subset} (host_subset_size), or " if subset > 1 else ""
    return f", though {totals[0][0]} weighed more: {drawn}the claim of those that weighed more was not granted"


def why_not(source: Records, decision: int, host: str) -> str:
    """Why a host was not chosen, in one sentence."""
    row = _row(source, decision)
    before = room.before(source, row).filter(pl.col("host") == host)
    if before.is_empty():
        raise InputError(
            [Issue("--host", f"there is no host {host!r} in this run", "novasim show RUN hosts lists them")]
        )
    if host == row["chosen"]:
        return f"{host} was chosen."
    for step in _steps(source, decision).iter_rows(named=True):
        if host in step["removed"]:
            return f"{host} was not chosen: {step['filter']} removed it."
    lacking = room.short(before.row(0, named=True), room.needs(source, row))
    if lacking:
        return f"{host} was not offered by placement: it lacked {lacking}."
    if not before["usable"].item():
        return f"{host} was not offered or was filtered out: it was down or disabled."
    totals = {name: total for name, total, _ in _totals(source, decision)}
    if host in totals and row["chosen"] in totals:
        return (
            f"{host} passed every filter and weighed {totals[host]:.3f}; {row['chosen']} weighed "
            f"{totals[row['chosen']]:.3f}."
        )
    return (
        f"{host} had room and was up; the log does not say where it fell (run with --explain, or the request ruled it "
        "out)."
    )
