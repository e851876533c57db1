"""Why the scheduler chose a host, did not choose another, or found none; and what would have let it."""

from __future__ import annotations

from typing import Any

import polars as pl

from sim.errors import InputError, Issue
from sim.eventlog import records as r
from sim.metrics.claims import RESOURCES
from sim.metrics.explain.sentences import when
from sim.metrics.headroom import free
from sim.metrics.source import Records

_UNITS = {"vcpus": "vCPUs", "memory_mb": "MiB of memory", "disk_gb": "GiB of disk"}
_TOP = 5


def _row(source: Records, decision: int) -> dict[str, Any]:
    rows = source.frame(r.Decision).filter(pl.col("decision") == decision)
    if rows.is_empty():
        raise InputError([Issue("decision", f"{decision} is not in this run", "novasim show RUN decisions lists them")])
    return rows.row(0, named=True)


def _needs(source: Records, row: dict[str, Any]) -> dict[str, int]:
    """What the server asked for: its claim soon after the decision, else its flavor then."""
    claims = source.frame(r.Claimed).filter((pl.col("consumer") == row["server"]) & (pl.col("t") >= row["t"]))
    if row["chosen"] is not None and claims.height:
        first = claims.row(0, named=True)
        return {name: first[name] for name in RESOURCES}
    states = source.frame(r.ServerState).filter((pl.col("server") == row["server"]) & (pl.col("t") <= row["t"]))
    start = source.frame(r.ServersPresent).filter(pl.col("server") == row["server"])
    created = source.frame(r.ServerCreated).filter(pl.col("server") == row["server"])
    flavor = next((rows["flavor"].to_list()[-1] for rows in (states, start, created) if rows.height), None)
    flavors = source.frame(r.FlavorsPresent).filter(pl.col("flavor") == flavor)
    if flavors.is_empty():
        return dict.fromkeys(RESOURCES, 0)
    needs = {name: int(flavors[name].item()) for name in RESOURCES}
    if start.height and start["disk_gb_held"].item() == 0:
        needs["disk_gb"] = 0
    return needs


def _before(source: Records, row: dict[str, Any]) -> pl.DataFrame:
    """What was free on each host when the decision was made (just before its own claim)."""
    return free(source, max(row["t"] - 1e-9, 0.0))


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
    needs = _needs(source, row)
    wants = ", ".join(f"{amount} {_UNITS[name]}" for name, amount in needs.items() if amount)
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
        lines += [f"No host: {row['reason']}", no_host_remedy(source, decision)]
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
    why = ""
    if totals and totals[0][0] == row["chosen"]:
        why = " because nobody weighed more"
    elif totals:
        why = f", though {totals[0][0]} weighed more: it was drawn among equals or the best, or its claim was quicker"
    return [*lines, f"Of {row['left']} hosts left, {row['chosen']} was chosen{why}{spare}."]


def why_not(source: Records, decision: int, host: str) -> str:
    """Why a host was not chosen, in one sentence."""
    row = _row(source, decision)
    before = _before(source, row).filter(pl.col("host") == host)
    if before.is_empty():
        raise InputError(
            [Issue("--host", f"there is no host {host!r} in this run", "novasim show RUN hosts lists them")]
        )
    if host == row["chosen"]:
        return f"{host} was chosen."
    for step in _steps(source, decision).iter_rows(named=True):
        if host in step["removed"]:
            return f"{host} was not chosen: {step['filter']} removed it."
    short = _short(before.row(0, named=True), _needs(source, row))
    if short:
        return f"{host} was not offered by placement: it lacked {short}."
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


def _short(host: dict[str, Any], needs: dict[str, int]) -> str:
    """What a host lacks of what is needed, in words; empty when it fits."""
    lacks = [(name, amount - host[name]) for name, amount in needs.items() if host[name] < amount]
    return " and ".join(f"{lack:,.0f} {_UNITS[name]}" for name, lack in lacks)


def no_host_remedy(source: Records, decision: int) -> str:
    """The single change that would have let a decision without a host find one, as far as the log can tell."""
    row = _row(source, decision)
    needs, before = _needs(source, row), _before(source, row)
    fits = pl.all_horizontal([pl.col(name) >= amount for name, amount in needs.items()])
    steps = _steps(source, decision)
    if row["hosts"] and steps.height:
        last = steps.filter(pl.col("removed").list.len() > 0).row(-1, named=True)
        which = ", ".join(last["removed"][:_TOP])
        return f"The last {last['before']} hosts fell to {last['filter']}: let one of them pass it ({which})."
    asleep = before.filter(fits & ~pl.col("usable"))
    if asleep.height:
        names = asleep["host"].to_list()
        more = f" (or one of {len(names) - 1} more)" if len(names) > 1 else ""
        return (
            f"{names[0]}{more} had room but was down or disabled: with it back in service there would have been a host."
        )
    usable = before.filter("usable")
    if usable.is_empty():
        return "Every host was down or disabled: bring one back that has room."
    if usable.filter(fits).height:
        return (
            "Hosts that were up had room: the request itself (its destination, zone, aggregate or group) ruled them "
            "out."
        )
    lacking = [(sum(host[name] < amount for name, amount in needs.items()), _gap(host, needs), host["host"], host)
               for host in usable.iter_rows(named=True)]  # fmt: skip
    _, _, name, best = min(lacking, key=lambda one: one[:3])
    return f"No host had room. {name} came closest: it lacked {_short(best, needs)}; freeing that would have done."


def _gap(host: dict[str, Any], needs: dict[str, int]) -> float:
    return sum((max(float(amount - host[name]), 0.0) / amount for name, amount in needs.items() if amount), 0.0)
