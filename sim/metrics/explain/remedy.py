"""The single change that would have let something succeed, read off the records; where it can be, as settings.

A remedy with settings is a counterfactual: run the same scenario and seed with them, and see whether it is true. A test
does that.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import polars as pl

from sim import units
from sim.eventlog import records as r
from sim.metrics.explain import room
from sim.metrics.source import Records
from sim.metrics.states import spells
from sim.metrics.tables import table
from sim.metrics.words import advice

_OPTION = 'cloud.nova.options["{}"]={}'
_SOFT = {"ServerGroupAntiAffinityFilter": "soft-anti-affinity", "ServerGroupAffinityFilter": "soft-affinity"}
_FILTERS = {
    "ComputeFilter": "bring the compute service of one of them back up",
    "AvailabilityZoneFilter": "ask for no zone, or for theirs",
    "AggregateInstanceExtraSpecsFilter": "let the flavor's extra specs match the aggregate of one of them",
    "ImagePropertiesFilter": "let the image's properties match one of them",
    "ComputeCapabilitiesFilter": "let the flavor's extra specs match the capabilities of one of them",
    "NUMATopologyFilter": "free enough cores and memory within one NUMA node of one of them",
    "DifferentHostFilter": "ask without the different_host hint",
    "SameHostFilter": "ask without the same_host hint",
    "SimpleCIDRAffinityFilter": "ask without the hint",
    "JsonFilter": "ask without the query hint",
    "IsolatedHostsFilter": "take the host off isolated_hosts, or the image off isolated_images",
    "NumInstancesFilter": "raise filter_scheduler.max_instances_per_host",
    "IoOpsFilter": "raise filter_scheduler.max_io_ops_per_host",
    "placement: traits and aggregates": "let one of them have the traits, or be in the aggregate, that was asked for",
    "placement: the named host": "name another host, or none",
    "placement: max_placement_results": "raise scheduler.max_placement_results",
    "placement: enabled": "enable the compute service of one of them",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Remedy:
    """A change in words, and as ``--set`` settings of the same scenario where it can be said that way."""

    text: str
    sets: tuple[str, ...] = ()

    def told(self, source: Records) -> list[str]:
        """Sentences for a reader; with settings, the command that plays it through."""
        lines = [f"What would have helped: {self.text[:1].lower() + self.text[1:]}"]
        if self.sets:
            where = f"{source.folder}/scenario.yaml" if source.folder else "SCENARIO"
            seed = source.manifest.get("seed", source.frame(r.RunStarted)["seed"].to_list()[0] if
                                       source.frame(r.RunStarted).height else 0)  # fmt: skip
            settings = " ".join(f"--set '{setting}'" for setting in self.sets)
            lines.append(f"To see it: novasim run {where} --seed {seed} {settings} --out what-if")
        return lines


def _set(option: str, value: object) -> tuple[str]:
    return (_OPTION.format(option.removeprefix("DEFAULT."), value),)


# --- migrations ------------------------------------------------------------------------------------------------------


def of_migration(source: Records, migration: int) -> Remedy | None:
    """For a migration that failed or was cancelled; None for any other."""
    row = table(source, "migrations").filter(pl.col("migration") == migration).row(0, named=True)
    if row["outcome"] not in {"failed", "cancelled"}:
        return None
    looked_at = (_timed_out, _exhausted, _undecided, _reset, _crashed, _aborted)
    found = (remedy for look in looked_at if (remedy := look(source, row)) is not None)
    return next(found, None) or Remedy(_sentence(advice(row["reason"] or row["status"])))


def _undecided(source: Records, row: dict[str, Any]) -> Remedy | None:
    """The scheduler found no host."""
    mine = (pl.col("server") == row["server"]) & (pl.col("request") == row["request"])
    without = source.frame(r.Decision).filter(mine & pl.col("chosen").is_null())
    return of_decision(source, without["decision"].to_list()[-1]) if without.height else None


def _reset(source: Records, row: dict[str, Any]) -> Remedy | None:
    """It had arrived and waited to be confirmed, and somebody reset the server's state before it was."""
    since, until = row["at_finished_s"], row["ended_s"]
    if since is None or until is None:
        return None
    resets = table(source, "requests").filter(
        (pl.col("server") == row["server"]) & (pl.col("action") == "os-resetState") & (pl.col("code") < 400)
        & pl.col("asked_s").is_between(since, until)
    )  # fmt: skip
    if resets.is_empty():
        return None
    return Remedy(
        f"No os-resetState: it had arrived at {since:,.2f} s; the reset at {resets['asked_s'][0]:,.2f} s took the "
        "server out of VERIFY_RESIZE, so it could be neither confirmed nor reverted, and its record ended in error."
    )


def _aborted(_: Records, row: dict[str, Any]) -> Remedy | None:
    """Somebody stopped it."""
    if row["copy_outcome"] == "aborted" or row["outcome"] == "cancelled":
        return Remedy("Somebody aborted it: left alone, it goes on.")
    return None


def _timed_out(source: Records, row: dict[str, Any]) -> Remedy | None:
    """Pre-copy did not end within Nova's time. Forced to its end, at most the whole memory is left to send."""
    if row["copy_outcome"] != "timed_out":
        return None
    action = "libvirt.live_migration_timeout_action"
    rate = row["mean_rate_bps"] or 0.0
    memory = room.memory_b(source, row["server"])
    if source.options.get(action) != "force_complete" and rate > 0 and memory:
        if source.options.get("libvirt.live_migration_permit_post_copy"):
            how = "it would have switched to post-copy, and been there"
        else:
            most = units.format_seconds(memory / rate)
            how = (
                f"the guest would have been paused until the rest was sent: at most {most}, all its memory at this rate"
            )
        return Remedy(f"{action} = force_complete: {how}.", _set(action, "force_complete"))
    post = "libvirt.live_migration_permit_post_copy"
    if source.options.get(post) is False:
        return Remedy(f"{post} = True: it would have switched to post-copy when its time was over.", _set(post, "true"))
    return Remedy(
        f"The guest wrote memory about as fast as {units.format_rate(rate)} could carry it: a calmer hour, a faster "
        "way, or a cold migration."
    )


def _exhausted(source: Records, row: dict[str, Any]) -> Remedy | None:
    """So many destinations refused it that Nova gave up, though others were left that had passed every filter."""
    mine = (pl.col("server") == row["server"]) & (pl.col("request") == row["request"])
    decisions = source.frame(r.Decision).filter(mine & pl.col("chosen").is_not_null()).sort("seq")
    live = row["type"] == "live-migration"
    gave_up = "retries" if live else "for cold migrate|for resize|retries"
    failed = source.frame(r.EventFinished).filter(mine & pl.col("details").str.contains(gave_up))
    if decisions.is_empty() or failed.is_empty():
        return None
    last, tried = decisions.row(-1, named=True), row["attempts"]
    left = last["left"] - 1 if live else last["left"] - tried
    option = "DEFAULT.migrate_max_retries" if live else "scheduler.max_attempts"
    if left < 1:
        return Remedy(f"All {tried} hosts that passed the filters were asked and refused it: see why, host by host.")
    needed = tried + left - 1 if live else tried + left
    other = units.counted(left, "hosts")
    names = _never_asked(source, last, decisions["chosen"].to_list() + last["alternates"])
    return Remedy(
        f"{option.removeprefix('DEFAULT.')} = {needed} (it was {source.options.get(option)}): {other} that had passed "
        f"every filter {'was' if left == 1 else 'were'} never asked{names}; the {tried} that were asked refused it.",
        _set(option, needed),
    )  # fmt: skip


def _never_asked(source: Records, last: dict[str, Any], asked: list[str]) -> str:
    """Names of the hosts left, where the run recorded its weights."""
    weighed = source.frame(r.WeighStep).filter(pl.col("decision") == last["decision"])
    if weighed.is_empty():
        return ""
    names = [host for host in weighed["hosts"].to_list()[0] if host not in asked]
    return f" ({', '.join(names[:5])}{', …' if len(names) > 5 else ''})" if names else ""


def _crashed(source: Records, row: dict[str, Any]) -> Remedy | None:
    """A host of the migration went down while it was under way."""
    until = row["ended_s"] if row["ended_s"] is not None else source.end_s
    hosts = [host for host in (row["source"], row["dest"]) if host is not None]
    begun = row["created_s"] or 0.0
    downs = source.frame(r.HostState).filter(
        pl.col("host").is_in(hosts) & (pl.col("power") != "up") & pl.col("t").is_between(begun, until)
    )
    if downs.is_empty():
        return None
    first = downs.row(0, named=True)
    return Remedy(
        f"{first['host']} staying up: it was {first['power']} from {first['t']:,.2f} s on, in the midst of it."
    )


# --- decisions -------------------------------------------------------------------------------------------------------


def of_decision(source: Records, decision: int) -> Remedy:
    """For a decision without a host."""
    row = source.frame(r.Decision).filter(pl.col("decision") == decision).row(0, named=True)
    steps = source.frame(r.FilterStep).filter((pl.col("decision") == decision) & (pl.col("removed").list.len() > 0))
    last = steps.sort("seq").row(-1, named=True) if steps.height else None
    if last is not None and last["filter"] not in {"placement: room", "ignore_hosts"} and last["after"] == 0:
        return _filtered(source, row, last)
    return _no_room(source, row)


def _filtered(source: Records, row: dict[str, Any], step: dict[str, Any]) -> Remedy:
    """The last hosts fell to one filter: let one of them pass it."""
    names = ", ".join(step["removed"][:5]) + (", …" if len(step["removed"]) > 5 else "")
    fell = f"the last {units.counted(step['before'], 'hosts')} ({names}) fell to {step['filter']}"
    soft = _SOFT.get(step["filter"])
    group = _group(source, row["server"]) if soft else None
    if soft and group:
        text = f"policy {soft} for server group {group}: {fell}, and a soft policy only ranks hosts."
        return Remedy(text, (f"cloud.server_groups[{group}].policy={soft}",))
    how = _FILTERS.get(step["filter"], "let one of them pass it")
    return Remedy(f"{_sentence(how).removesuffix('.')}: {fell}.")


def _group(source: Records, server: str) -> str | None:
    groups = source.frame(r.GroupsPresent).filter(pl.col("members").list.contains(server))
    return str(groups["group"][0]) if groups.height else None


def _no_room(source: Records, row: dict[str, Any]) -> Remedy:
    """No host had room, or those that had were out of service."""
    found = room.closest(source, row)
    if found.idle:
        more = f" (or one of {len(found.idle) - 1} more)" if len(found.idle) > 1 else ""
        return Remedy(f"{found.idle[0]}{more} in service: it had room, and was down or disabled.")
    if found.fitting:
        return Remedy("Another request: hosts that were up had room, and its destination, zone, aggregate, hints or "
                      "group ruled them out (a run with --explain says which).")  # fmt: skip
    if found.host is None:
        return Remedy("Another host: every other one was down or disabled.")
    text = f"Room for it: {found.host} came closest and lacked {found.lacks}"
    if found.ratio is None:
        return Remedy(f"{text}; as much must be freed there.")
    option, value = found.ratio
    sized = f"with {option} = {value:g} it would have fitted, as it would with so much freed"
    return Remedy(f"{text}; {sized}.", _set(f"DEFAULT.{option}", f"{value:g}"))


# --- refusals --------------------------------------------------------------------------------------------------------


_BY_CODE = {
    410: "Nothing: Nova no longer has this action.", 403: "Asking as somebody whom the policy allows it.",
}  # fmt: skip


def of_refusal(source: Records, request: str) -> Remedy:
    """For a request that the API refused."""
    row = table(source, "requests").filter(pl.col("request") == request).row(0, named=True)
    reason = row["reason"] or ""
    answered = row["asked_s"] + (row["answer_took_s"] or 0.0)
    in_use = re.search(r"Compute service of (\S+) is still in use", reason)
    if in_use:
        return _still_in_use(source, in_use[1], answered)
    busy = re.search(r"in (task_state|vm_state) ([\w-]+)", reason)
    if busy and row["server"] is not None:
        later = _left(source, row["server"], busy[1], busy[2], answered)
        if later is not None:
            waited = units.format_seconds(later - answered)
            return Remedy(f"Patience: {waited} later, at {later:,.2f} s, its {busy[1]} was {busy[2]} no more.")
        if busy.groups() == ("vm_state", "error"):
            return Remedy("Resetting its state to active first, if its guest is well: Nova looks at the recorded state "
                          f"only (openstack server set --state active {row['server']}).")  # fmt: skip
    if "is locked" in reason:
        return Remedy("Unlocking it first (its owner or an admin can), or asking as an admin.")
    return Remedy(_BY_CODE.get(row["code"]) or _sentence(advice(reason)))


def _still_in_use(source: Records, host: str, asked: float) -> Remedy:
    """Nova believed the host to be up until it had been silent for so long."""
    downs = source.frame(r.HostState).filter(
        (pl.col("host") == host) & (pl.col("power") != "up") & (pl.col("t") <= asked)
    )
    if downs.is_empty():
        return Remedy(f"{host} is up: evacuation is for hosts that are down; migrate instead.")
    since = float(downs["t"].to_list()[-1])
    limit = float(source.options.get("DEFAULT.service_down_time", 60))
    return Remedy(
        f"Patience: {host} fell silent at {since:,.2f} s, and Nova believes it after {limit:g} s without a report, at "
        f"{since + limit:,.2f} s at the latest; or forcing its service down first."
    )  # fmt: skip


def _left(source: Records, server: str, kind: str, value: str, after: float) -> float | None:
    """When the server was no longer in that state, for the first time after ``after``; None if it stayed."""
    rows = spells(source, [server]).collect().filter(pl.col("ended_s") > after)
    held = True
    for row in rows.iter_rows(named=True):
        held = held and row[kind] == value
        if not held:
            return float(row["began_s"])
    return None


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:].rstrip(". ") + "."
