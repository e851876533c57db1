"""The report of a run: one file of HTML with the answer on top, figures, tables, assumptions, and how to repeat it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from itertools import zip_longest
from pathlib import Path
from typing import Any, NamedTuple

import polars as pl

from sim import units
from sim.errors import InputError, Issue
from sim.eventlog import records as r
from sim.metrics.answer import Answer, Spread, answer
from sim.metrics.explain.story import server_life
from sim.metrics.source import Records, Source, as_records
from sim.metrics.tables import TABLES, table
from sim.metrics.words import grouped
from sim.plots.html import Cell, Head, HtmlTable, Picture, html_table, picture, render
from sim.scenario.files import own_names

_MOST = 1000
"""Rows of a table that stand in the page; the ones that matter most, in their order."""
_STORIES = 12
"""Servers that need a person whose story is told in full."""
_SERVERS = 48
"""Servers in charts of servers."""
_SCENARIO_LINES = 400
_FEW_HOSTS = 40


class Tile(NamedTuple):
    """A number on top of the page."""

    name: str
    value: str
    more: str
    tone: str = ""


def write_report(
    source: Source, path: str | Path, *, assumptions: Mapping[str, Any] | None = None, scenario: str | None = None
) -> Path:
    """Write the report of a run (or run folder) to ``path``; returns it. The same run makes the same bytes.

    ``assumptions`` and the ``scenario``'s text are the run folder's where there is one and none are given.
    """
    records = as_records(source)
    target = Path(path)
    if target.is_dir():
        raise InputError([Issue(str(target), "is a folder", "name a file, like report.html")])
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(report(records, assumptions=assumptions, scenario=scenario), encoding="utf-8")
    return target


def report(
    source: Source, *, assumptions: Mapping[str, Any] | None = None, scenario: str | None = None
) -> str:  # fmt: skip
    """The report as HTML."""
    records = as_records(source)
    told = answer(records)
    scenario = _text(records, "scenario.yaml") if scenario is None else scenario
    known = _text(records, "assumptions.json")
    assumed = assumptions if assumptions is not None else json.loads(known) if known else None
    manifest = records.manifest
    folder = records.folder
    return render(
        "report.html.j2", title=f"{told.scenario}: novasim report", answer=told, story=_story(scenario),
        tiles=list(_tiles(told)), spreads=_spreads(told), humans=_humans(told), stories=_stories(records, told),
        run_name=folder.name if folder else "RUN", figures=list(_figures(records, told)), tables=list(_tables(records)),
        assumed=assumed, manifest=_manifest(manifest), commands=_commands(told) if scenario else "",
        digest=manifest.get("log_digest", ""), scenario_text=_head(scenario), own=own_names(scenario),
        records=manifest.get("records", 0), version=manifest.get("versions", {}).get("novasim", ""),
    )  # fmt: skip


def _text(records: Records, name: str) -> str:
    path = records.folder / name if records.folder else None
    return path.read_text(encoding="utf-8") if path is not None and path.is_file() else ""


def _story(scenario: str) -> str:
    """The scenario's own words about itself."""
    from sim.scenario.yaml_text import parse_yaml

    if not scenario:
        return ""
    tree = parse_yaml(scenario, "scenario.yaml", [])
    found = tree.child("story") if tree is not None else None
    return str(found.value) if found is not None and found.value else ""


def _head(scenario: str) -> str:
    lines = scenario.splitlines()
    if len(lines) <= _SCENARIO_LINES:
        return scenario
    more = len(lines) - _SCENARIO_LINES
    return "\n".join([*lines[:_SCENARIO_LINES], f"# … and {more:,} more lines: see scenario.yaml in the run folder"])


def _commands(told: Answer) -> str:
    lines = [f"novasim run scenario.yaml --seed {told.seed} --out again", "novasim report again"]
    if told.partial:
        lines[0] += "    # this run was interrupted: let it go on longer"
    return "\n".join(lines)


def _manifest(manifest: Mapping[str, Any]) -> list[tuple[str, str]]:
    rows: list[tuple[str, str]] = []
    for key, value in manifest.items():
        if isinstance(value, Mapping):
            rows += [(f"{key.rstrip('s')} of {name}", str(one)) for name, one in value.items()]
        else:
            rows.append((key.replace("_", " "), {True: "yes", False: "no"}.get(value, str(value))
                         if isinstance(value, bool) else str(value)))  # fmt: skip
    return rows


# --- the answer ------------------------------------------------------------------------------------------------------


def _tiles(told: Answer) -> Iterator[Tile]:
    say = units.format_seconds
    if told.makespan_s is not None:
        yield Tile("It took", say(told.makespan_s), "from the first operation's beginning to the last one's end")
    yield Tile(
        "Servers moved", f"{told.moved:,}", f"of {told.asked:,} that were asked to move", "good" if told.moved else ""
    )
    yield Tile("Failed", f"{told.failed:,}", "their last attempt failed or was refused", "bad" if told.failed else "")
    yield Tile("Left", f"{told.left:,}", "not tried, cancelled or still under way", "bad" if told.left else "")
    yield Tile("Need a person", f"{len(told.humans):,}", "at the end of the run", "bad" if told.humans else "good")
    if told.downtime.count:
        most = f"95 %: {say(told.downtime.p95)}, most: {say(told.downtime.max)}"
        yield Tile("Median downtime", say(told.downtime.median), f"per server touched; {most}")
    if told.total_time.count:
        more = f"95 %: {say(told.total_time.p95)}, most: {say(told.total_time.max)}"
        yield Tile("Median migration time", say(told.total_time.median), f"per server, failed tries too; {more}")
    yield Tile("Migrations", f"{told.migrations:,}", f"{told.migrations_failed:,} failed, {told.retries:,} retries")
    if told.auto_confirmed or told.unconfirmed:
        yield Tile("Unconfirmed", f"{told.unconfirmed:,}", f"{told.auto_confirmed:,} were confirmed by the window")
    yield Tile("Sent", units.format_bytes(told.bytes_sent_b), "over the network")


def _spreads(told: Answer) -> HtmlTable:
    parts: list[tuple[str, Spread]] = [
        ("downtime", told.downtime), ("total migration time", told.total_time), ("waited in queues", told.queue_time),
    ]  # fmt: skip
    heads = [Head("what", "", "what is measured", False), Head("servers", "", "how many it is about", True),
             *(Head(name, "", name, True) for name in ("median", "95 %", "most", "sum"))]  # fmt: skip
    rows = [
        [Cell(what), Cell(f"{one.count:,}", str(one.count), "n"),
         *(Cell(units.format_seconds(t), None if t is None else f"{t:.9g}", "n")
           for t in (one.median, one.p95, one.max, one.sum))]
        for what, one in parts
    ]  # fmt: skip
    meaning = "Per server: over those with a migration, tries that failed among them, or whose guest stood still."
    return HtmlTable("spreads", "What servers felt", meaning, "", heads, rows, len(rows))


def _humans(told: Answer) -> HtmlTable:
    heads = [Head("server", "", "its name", False), Head("since", "s", "since when", True),
             Head("why", "", "all reasons", False), Head("what to do", "", "advice", False)]  # fmt: skip
    rows = [
        [Cell(one.server), Cell(f"{one.since_s:,.2f}", f"{one.since_s:.9g}", "n"), Cell(one.reason, style="w"),
         Cell(one.advice, style="w")]
        for one in told.humans[:_MOST]
    ]  # fmt: skip
    more = len(told.humans) - len(rows)
    note = f"Not here: {more:,} more; novasim show RUN servers lists them." if more else ""
    return HtmlTable("humans", "Servers that need a human", "Whom to look at, and what to do.", note, heads, rows,
                     len(told.humans))  # fmt: skip


def _stories(records: Records, told: Answer) -> list[dict[str, str]]:
    """Of each reason one server's story, then of each another one's, as long as there is room."""
    reasons = grouped([(one.server, one.reason) for one in told.humans], [one.server for one in told.humans])
    turns = [server for turn in zip_longest(*(servers for _, servers in reasons)) for server in turn if server]
    of = {one.server: one.reason for one in told.humans}
    return [{"server": server, "reason": of[server], "text": server_life(records, server)}
            for server in turns[:_STORIES]]  # fmt: skip


# --- figures ---------------------------------------------------------------------------------------------------------


def _figures(records: Records, told: Answer) -> Iterator[Picture]:
    from sim import plots

    chosen = notable(records)
    some = (
        f" Here are {_SERVERS}: of those that failed or need a person, and those that took longest."
        if chosen is not None
        else ""
    )
    drawn: list[tuple[str, Callable[[], Any], str]] = [
        ("progress", lambda: plots.progress(records), "How many moves were under way and over, moment by moment."),
        ("gantt-servers", lambda: plots.gantt_servers(records, servers=chosen),
         f"What servers went through, stage by stage.{some}"),
        ("gantt-hosts", lambda: plots.gantt_hosts(records), "What hosts worked on."),
        ("spread", lambda: plots.spread(records), "What it cost the servers."),
        ("states", lambda: plots.ribbons(records, servers=chosen), f"What servers were, and where.{some}"),
        ("hosts", lambda: plots.heat_hosts(records), "How full hosts were."),
        ("links", lambda: plots.heat_links(records), "How busy links were."),
        ("network", lambda: plots.network(records), "The network when it carried most."),
        ("headroom", lambda: plots.headroom(records), "How many more servers would fit."),
    ]  # fmt: skip
    light = {"progress", "spread", "headroom"}
    if records.frame(r.HostsPresent).height <= _FEW_HOSTS:
        light |= {"network", "hosts", "links"}
    for name, draw, caption in drawn:
        if told.migrations == 0 and name in {"spread", "network", "links"} and told.bytes_sent_b == 0:
            continue  # an empty chart tells nothing
        yield picture(name, draw(), caption, vector=name in light)


def notable(records: Records) -> list[str] | None:
    """Of many servers that were asked for, those a reader looks for; None when all fit.

    Those that failed or need a person have at most half of the room where others moved: how that went is seen too.
    """
    from sim.metrics.timeline import spans

    asked = spans(records).drop_nulls("server")
    order = asked["server"].unique(maintain_order=True).to_list()
    if len(order) <= _SERVERS:
        return None
    rows = table(records, "servers").filter(pl.col("server").is_in(order))
    took = asked.group_by("server").agg((pl.col("ended_s") - pl.col("began_s")).max().alias("took"))
    ranked = rows.join(took, on="server", maintain_order="left").with_columns(
        (pl.col("needs_human").is_not_null() | (pl.col("failures") > 0)).alias("bad")
    ).sort("bad", "failures", "took", descending=True, maintain_order=True)  # fmt: skip
    bad, good = (ranked.filter(one)["server"].to_list() for one in (pl.col("bad"), ~pl.col("bad")))
    room = max(_SERVERS // 2, _SERVERS - len(good))
    kept = {*bad[:room], *good[: _SERVERS - min(room, len(bad))]}
    return [name for name in order if name in kept]


# --- tables ----------------------------------------------------------------------------------------------------------


class _Shown(NamedTuple):
    """Columns of a table that the page has (None: all), which rows it has at all, and which matter most."""

    columns: tuple[str, ...] | None = None
    only: pl.Expr | None = None
    first: tuple[pl.Expr | str, ...] = ()


_SHOWN: dict[str, _Shown] = {
    "servers": _Shown(
        ("server", "flavor", "start_host", "end_host", "start_status", "status", "moves", "migrations", "failures",
         "retries", "downtime_s", "longest_downtime_s", "slowdown_s", "needs_human"), None,
        (pl.col("needs_human").is_not_null(), pl.col("failures"), pl.col("migrations"), pl.col("downtime_s")),
    ),
    "migrations": _Shown(
        ("migration", "server", "type", "source", "dest", "outcome", "reason", "attempts", "created_s", "total_s",
         "queue_s", "copy_s", "downtime_s", "memory_b", "disk_b", "mean_rate_bps", "rounds", "throttle",
         "confirmed_by"),
        None, (pl.col("outcome") != "done", pl.col("retries"), pl.col("total_s").fill_null(0.0)),
    ),
    "hosts": _Shown(
        ("host", "rack", "zone", "power", "disabled", "servers_start", "servers", "servers_peak", "vcpus_total",
         "vcpus_used", "memory_mb_total", "memory_mb_used", "memory_mb_peak", "memory_mb_free", "disk_gb_free"), None,
        (pl.col("power") != "up", "disabled", (pl.col("servers") - pl.col("servers_start")).abs(), "servers_peak"),
    ),
    "failures": _Shown(),
    "requests": _Shown(
        ("request", "action", "server", "who", "microversion", "asked_s", "answer_took_s", "code", "outcome", "reason"),
        None, (pl.col("outcome") != "done",),
    ),
    "queues": _Shown(None, None, ("waited_s",)),
    "links": _Shown(None, pl.col("bytes_b") > 0, ("mean_share", "bytes_b")),
    "headroom": _Shown(),
    "stranded": _Shown(None, pl.col("fits").is_not_null()),
    "energy": _Shown(),
}  # fmt: skip


def _tables(records: Records) -> Iterator[HtmlTable]:
    for name, shown in _SHOWN.items():
        if name not in TABLES:
            continue
        frame = table(records, name)
        left_out = ""
        if shown.only is not None:
            whole, frame = frame.height, frame.filter(shown.only)
            left_out = (
                f"{whole - frame.height:,} rows with nothing in them are left out." if whole > frame.height else ""
            )
        total = frame.height
        if total > _MOST:
            numbered = frame.with_row_index("place")
            best = numbered.sort(*shown.first, descending=True, maintain_order=True) if shown.first else numbered
            frame = best.head(_MOST).sort("place").drop("place")
            left_out += f" The {_MOST:,} of {total:,} rows that matter most; all: novasim show RUN {name}."
        yield html_table(TABLES[name], frame, shown.columns, note=left_out.strip())
