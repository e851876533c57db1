"""A server's life, a request's course, a decision: what happened and why, in plain sentences."""

from __future__ import annotations

import difflib

import polars as pl

from sim import units
from sim.errors import InputError, Issue
from sim.eventlog import records as r
from sim.eventlog.records import Record
from sim.metrics.explain.decision import decision_text
from sim.metrics.explain.gather import of_server
from sim.metrics.explain.migration import durations, remedy
from sim.metrics.explain.sentences import answered, asked, began, said, when
from sim.metrics.source import Records, Source, as_records
from sim.metrics.tables import table
from sim.metrics.words import advice


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
    lives = table(records, "servers").filter(pl.col("server") == name)
    if lives.is_empty():
        raise InputError([Issue("server", f"there is no {name!r} in this run", "novasim show RUN servers lists them")])
    life = lives.row(0, named=True)
    found = of_server(records, name)
    lines = [_began(life)]
    for chapter in _chapters(found):
        lines += ["", *_chapter(records, chapter, life)]
    return "\n".join([*lines, "", *_ended(life)])


def request_text(source: Source, request: str) -> str:
    """One request's course: each step with its time, how it ended, why."""
    records = as_records(source)
    row = table(records, "requests").filter(pl.col("request") == request).row(0, named=True)
    server = row["server"]
    if server is None:
        made = records.frame(r.ServerCreated).filter(pl.col("request") == request)
        server = made["server"].item() if made.height else None
    if server is None:
        first = f"{when(row['asked_s'])}: {row['who']} asked for {row['action']} ({request}): {row['outcome']}"
        return first + (f": {row['reason']}" if row["reason"] else "")
    life = table(records, "servers").filter(pl.col("server") == server).row(0, named=True)
    chapters = [one for one in _chapters(of_server(records, server)) if _of(one[0]) == request]
    return "\n".join(line for chapter in chapters for line in _chapter(records, chapter, life))


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
    felt = f"its guest stood still for {units.format_seconds(down)} in all" if down else "its guest never stood still"
    lost = f" and lost {units.format_seconds(slow)} to slowdowns" if slow else ""
    lines = [f"In the end it is {life['status']} {where}{busy}; {felt}{lost}."]
    if life["needs_human"]:
        reason = str(life["needs_human"])
        lines.append(f"It needs a person: {reason}. To do: {advice(reason)}.")
    return lines


def _of(record: Record) -> str | None:
    return getattr(record, "request", None)


def _chapters(found: list[Record]) -> list[list[Record]]:
    """Records by request, in the order in which these began; what belongs to none is grouped by its place between."""
    chapters: dict[str, list[Record]] = {}
    decisions: dict[int, str | None] = {}
    order: list[list[Record]] = []
    loose: list[Record] | None = None
    for record in found:
        request = _of(record)
        if isinstance(record, r.Decision):
            decisions[record.decision] = request
        elif isinstance(record, r.FilterStep | r.WeighStep):
            request = decisions.get(record.decision)
        if request is not None:
            if request not in chapters:
                chapters[request] = []
                order.append(chapters[request])
                loose = None
            chapters[request].append(record)
        elif said(record) is not None:
            if loose is None:
                loose = []
                order.append(loose)
            loose.append(record)
    return order


def _chapter(source: Records, chapter: list[Record], life: dict[str, object]) -> list[str]:
    first = chapter[0]
    lines: list[tuple[float, str]] = []
    status, host = "", life["start_host"]
    asked_at = first.t
    for record in chapter:
        text: str | None
        if isinstance(record, r.Request):
            asked_at = record.t
            continue
        if isinstance(record, r.Answer):
            text = answered(record, record.t - asked_at)
        elif isinstance(record, r.ServerState):
            text = _state(record, status, host)
            status, host = record.status, record.host
        else:
            text = said(record)
        if text is not None:
            lines.append((began(record), text))
    # Filters are told right under their decision: equal times keep the order of the log.
    body = [f"{when(t):>14}  {text}" for t, text in sorted(lines, key=lambda line: line[0])]
    if isinstance(first, r.Request):
        head = f"At {when(first.t)} {asked(first)} ({first.request}, microversion {first.microversion})."
    elif _of(first) is not None:
        head = f"Request {_of(first)}, from {when(first.t)}:"
    else:
        head = "Meanwhile:"
    return [head, *body, *_why(source, chapter)]


def _state(record: r.ServerState, status: str, host: object) -> str | None:
    moved = f"it is on {record.host} now" if record.host != host and record.host else ""
    changed = f"its status is {record.status}" if record.status != status else ""
    return ", ".join(part for part in (changed, moved) if part) or None


def _why(source: Records, chapter: list[Record]) -> list[str]:
    """Where the time went, and what would have helped, for each migration of a request."""
    numbers = dict.fromkeys(record.migration for record in chapter if isinstance(record, r.MigrationState))
    if isinstance(chapter[0], r.Request):
        asked_for = {record.request for record in chapter if isinstance(record, r.Request)}
        of = source.frame(r.MigrationState).sort("seq").group_by("migration", maintain_order=True).first()
        numbers = {number: None for number in numbers
                   if of.filter(pl.col("migration") == number)["request"].item() in asked_for}  # fmt: skip
    lines = []
    for number in numbers:
        lines += [f"  {line}" for line in durations(source, number)]
        change = remedy(source, number)
        if change:
            lines.append(f"  What would have helped: {change}")
    if not numbers:
        lines += [
            f"  What would have helped: {advice(record.message or '')}."
            for record in chapter
            if isinstance(record, r.Answer) and record.code >= 400
        ]
    return lines
