"""A server's life, a request's course, a decision: what happened and why, in plain sentences."""

from __future__ import annotations

import difflib
from itertools import takewhile

import polars as pl

from sim import units
from sim.errors import InputError, Issue
from sim.eventlog import records as r
from sim.eventlog.records import Record
from sim.metrics.explain.chapters import Chapter, chapters
from sim.metrics.explain.decision import decision_text
from sim.metrics.explain.gather import of_server
from sim.metrics.explain.migration import durations
from sim.metrics.explain.remedy import Remedy, of_decision, of_migration, of_refusal
from sim.metrics.explain.sentences import answered, asked, began, said, when
from sim.metrics.source import Records, Source, as_records
from sim.metrics.tables import table
from sim.metrics.timeline import turned_away
from sim.metrics.words import advice

_RUNNING = 1
_NOT_MEANT_TO_RUN = frozenset({"PAUSED", "SUSPENDED", "SHELVED", "SHELVED_OFFLOADED", "SOFT_DELETED"})
"""Statuses that say by themselves that nothing runs."""


def explain(source: Source, what: str, host: str | None = None) -> str:
    """Explain a server (by name), a request (``req-…``) or a decision (its number) of a run.

    With ``host``, also why a decision did not choose that host. InputError for what the run does not know.
    """
    records = as_records(source)
    number = what.removeprefix("decision:").removeprefix("decision ")
    known = table(records, "servers")["server"].to_list()
    if what in known:
        if host is not None:
            right = "give a decision's number; novasim show RUN decisions lists them"
            raise InputError([Issue("--host", "asks about a decision, not a server", right)])
        return server_life(records, what)
    if number.isdigit():
        return "\n".join(decision_text(records, int(number), host))
    if what in records.frame(r.Request)["request"]:
        return request_text(records, what)
    near = difflib.get_close_matches(what, known, n=3)
    right = f"did you mean {', '.join(near)}?" if near else "give a server's name, a request id or a decision's number"
    raise InputError([Issue("explain", f"this run knows no server, request or decision {what!r}", right)])


def server_life(source: Source, name: str) -> str:
    """A server's whole life: how it began, each request with its steps and outcome, how it ended."""
    records = as_records(source)
    life = _life(records, name)
    lines = [_began(life)]
    found = of_server(records, name)
    for chapter in chapters(found):
        lines += ["", *_told(records, chapter, _host_before(found, chapter, life))]
    return "\n".join([*lines, "", *_ended(life)])


def remedies(source: Source, name: str) -> list[Remedy]:
    """For each request of a server that failed or was refused, the single change that would have let it succeed."""
    records = as_records(source)
    _life(records, name)
    found = (_remedies(records, chapter) for chapter in chapters(of_server(records, name)))
    return [remedy for some in found for remedy in some]


def _life(records: Records, name: str) -> dict[str, object]:
    lives = table(records, "servers").filter(pl.col("server") == name)
    if lives.is_empty():
        raise InputError([Issue("server", f"there is no {name!r} in this run", "novasim show RUN servers lists them")])
    return lives.row(0, named=True)


def request_text(source: Source, request: str) -> str:
    """One request's course: each step with its time, how it ended, why."""
    records = as_records(source)
    row = table(records, "requests").filter(pl.col("request") == request).row(0, named=True)
    server = row["server"]
    if server is None:
        made = records.frame(r.ServerCreated).filter(pl.col("request") == request)
        server = made["server"].to_list()[0] if made.height else None
    if server is None:
        first = f"{when(row['asked_s'])}: {row['who']} asked for {row['action']} ({request}): {row['outcome']}"
        return first + (f": {row['reason']}" if row["reason"] else "")
    found, life = of_server(records, server), _life(records, server)
    wanted = [chapter for chapter in chapters(found) if chapter.request == request]
    told = (_told(records, chapter, _host_before(found, chapter, life)) for chapter in wanted)
    return "\n".join(line for lines in told for line in lines)


def _host_before(found: list[Record], chapter: Chapter, life: dict[str, object]) -> object:
    """Where the server was when the chapter began."""
    first = chapter.records[0]
    before = [record.host for record in takewhile(lambda one: one is not first, found)
              if isinstance(record, r.ServerState)]  # fmt: skip
    return before[-1] if before else life["start_host"]


def _began(life: dict[str, object]) -> str:
    kind = f"{life['server']} ({life['flavor']}, project {life['project']}, {life['uuid']})"
    if life["created_s"] is not None:
        return f"{kind} was created at {when(float(str(life['created_s'])))}."
    where = f"on {life['start_host']}" if life["start_host"] else "on no host"
    return f"{kind} began {where}, {life['start_status']}."


def _ended(life: dict[str, object]) -> list[str]:
    if life["deleted_s"] is not None:
        return [f"In the end it is deleted (at {when(float(str(life['deleted_s'])))})."]
    where = f"on {life['end_host']}" if life["end_host"] else "on no host"
    busy = f", still {life['task_state']}" if life["task_state"] else ""
    down, slow = float(str(life["downtime_s"])), float(str(life["slowdown_s"]))
    runs = life["power_state"] == _RUNNING
    felt = f"its guest stood still for {units.format_seconds(down)} in all" if down else "its guest never stood still"
    felt = felt if runs or down else "its guest does not run"
    felt += ", and it does not run now" if down and not runs and life["status"] not in _NOT_MEANT_TO_RUN else ""
    lost = f" and lost {units.format_seconds(slow)} to slowdowns" if slow else ""
    lines = [f"In the end it is {life['status']} {where}{busy}; {felt}{lost}."]
    if life["needs_human"]:
        reasons = [one.strip(" .") for one in str(life["needs_human"]).split("; ")]
        reasons = list(dict.fromkeys(reasons))
        reasons = [one for one in reasons if not any(one in other for other in reasons if other != one)]
        told = "; ".join(f"it {one}" if one.startswith("is ") else one for one in reasons)
        lines.append(f"It needs a person: {told}. To do: {advice('; '.join(reasons))}.")
    return lines


def _told(source: Records, chapter: Chapter, host: object) -> list[str]:
    """A chapter: who asked what, every step with its time, where the time went, what would have helped."""
    lines = _refusals(source, chapter)  # first of what is said at one moment: others follow from them
    status = ""
    asked_at, before = chapter.begin, ""
    for record in chapter.records:
        text: str | None
        if isinstance(record, r.Request):
            asked_at = record.t
            continue
        if isinstance(record, r.Answer):
            text = answered(record, record.t - asked_at)
        elif isinstance(record, r.ServerState):
            text = _state(record, status, host)
            status, host = record.status, record.host
        elif isinstance(record, r.NeedsHuman):
            text = f"{_operation(source, record.operation)} gives up on it and leaves it to a person: {record.reason}"
        else:
            text = said(record)
        if text is not None and text != before:
            lines.append((began(record), text))
            before = text
    body = [f"{when(t):>14}  {text}" for t, text in sorted(lines, key=lambda line: line[0])]
    numbers = _migrations(source, chapter)
    took = [f"  {line}" for number in numbers for line in durations(source, number)]
    helped = [f"  {line}" for remedy in _remedies(source, chapter) for line in remedy.told(source)]
    return [_head(chapter), *body, *took, *helped]


def _refusals(source: Records, chapter: Chapter) -> list[tuple[float, str]]:
    """When which host turned the chapter's server away."""
    if chapter.request is None:
        return []
    servers = {one.server for one in chapter.records if isinstance(one, r.ActionStarted)}
    rows = turned_away(source).filter((pl.col("request") == chapter.request) & pl.col("server").is_in(servers))
    return [(t, f"{host} turned it away") for host, t in rows.select("host", "t_s").iter_rows()]


def _operation(source: Records, number: int) -> str:
    """``the drain of rack:r02``."""
    rows = source.frame(r.Operation).filter(pl.col("operation") == number).head(1)
    return next((f"the {kind.replace('_', ' ')} of {target}" for kind, target in
                 rows.select("kind", "target").iter_rows()), f"operation {number}")  # fmt: skip


def _head(chapter: Chapter) -> str:
    first = chapter.records[0]
    if isinstance(first, r.Request):
        return f"At {when(first.t)} {asked(first)} ({first.request}, microversion {first.microversion})."
    if isinstance(first, r.ActionStarted):
        return f"At {when(first.t)} Nova began {first.action} of its own accord ({first.request})."
    if chapter.request is not None:
        return f"Request {chapter.request}, from {when(first.t)}:"
    return "Meanwhile:"


def _state(record: r.ServerState, status: str, host: object) -> str | None:
    moved = f"it is on {record.host} now" if record.host != host and record.host else ""
    changed = f"its status is {record.status}" if record.status != status else ""
    return ", ".join(part for part in (changed, moved) if part) or None


def _migrations(source: Records, chapter: Chapter) -> list[int]:
    """Migrations that the chapter's request began: a confirm is about one that another request began."""
    numbers = dict.fromkeys(one.migration for one in chapter.records if isinstance(one, r.MigrationState))
    if chapter.request is None:
        return []
    begun = set(table(source, "migrations").filter(pl.col("request") == chapter.request)["migration"])
    return [number for number in numbers if number in begun]


def _remedies(source: Records, chapter: Chapter) -> list[Remedy]:
    """What would have helped the chapter's request, if it did not succeed."""
    numbers = _migrations(source, chapter)
    found = [remedy for number in numbers if (remedy := of_migration(source, number)) is not None]
    if numbers or chapter.request is None:
        return found
    refused = [one for one in chapter.records if isinstance(one, r.Answer) and one.code >= 400]
    if refused:
        return [of_refusal(source, chapter.request)]
    return [of_decision(source, one.decision) for one in chapter.records
            if isinstance(one, r.Decision) and one.chosen is None][-1:]  # fmt: skip
