"""The answer on a terminal: one screen of 100 columns and 40 lines, and tables of it."""

from __future__ import annotations

import math
import os
import textwrap
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import polars as pl
from rich.columns import Columns
from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from sim import units
from sim.metrics.answer import Answer, HeadroomAnswer, OperationAnswer, Reason, Spread
from sim.metrics.compare import Comparison, Measured
from sim.metrics.words import grouped

WIDTH, HEIGHT = 100, 40
"""The screen that the answer fits."""
_CELL = 48
"""Characters of a cell on a terminal."""
_OPERATIONS, _REASONS, _LINKS, _GROUPS, _FLAVORS, _HUMANS = 3, 3, 5, 6, 3, 5
"""How many of each fit; the rest is counted."""
_NARROW = 16
"""The least width at which a column of words that does not fit is cut rather than left out."""
_FIRST = {
    "migrations": ("migration", "server", "type", "source", "dest", "outcome", "total_s", "downtime_s", "retries",
                   "reason"),
    "servers": ("server", "start_host", "end_host", "status", "downtime_s", "needs_human", "flavor", "migrations"),
    "hosts": ("host", "rack", "power", "disabled", "forced_down", "servers_start", "servers", "vcpus_free",
              "memory_mb_free", "disk_gb_free"),
    "requests": ("request", "action", "server", "asked_s", "code", "outcome", "reason"),
    "operations": ("operation", "kind", "target", "began_s", "took_s", "outcome", "servers", "detail"),
}  # fmt: skip
"""The columns of wide tables that a terminal shows before any other."""


def console() -> Console:
    """Where screens go: as wide as the terminal, or as the answer where there is none.

    Names and reasons are shown as they are: ``linear:100:250`` has no picture in it, ``[instance: a]`` is no style.
    """
    made = Console(markup=False, emoji=False)
    wide = made.is_terminal or "COLUMNS" in os.environ
    return made if wide else Console(width=WIDTH, markup=False, emoji=False)


def shorten(text: str, width: int) -> str:
    """Text cut to ``width`` characters, its end marked when it is."""
    text = " ".join(text.split())
    return text if len(text) <= width else text[: width - 1] + "…"


def in_words(text: str, width: int) -> str:
    """Text cut between words to ``width`` characters at most, its end marked when it is."""
    return textwrap.shorten(text, width, placeholder=" …")


def answer_screen(answer: Answer, manifest: Mapping[str, Any] | None = None) -> RenderableType:
    """The answer of a run on one screen; ``manifest`` adds what made it."""
    parts: list[RenderableType] = [_title(answer)]
    parts += _plan(answer.operations)
    parts.append(_moves(answer))
    parts += _reasons("failed", answer.failed_reasons) + _reasons("left", answer.left_reasons)
    parts += _reasons("refused", answer.refused_reasons)
    parts += [Text(), _spreads(answer), _counters(answer), Text()]
    parts.append(Columns([_links(answer), Padding(_headroom(answer), (0, 0, 0, 3))], padding=0))
    parts += [Text(), *_humans(answer)]
    if manifest:
        laws = "the cloud's laws hold" if manifest.get("checked") else "laws not checked"
        made = f"log {str(manifest.get('log_digest', ''))[:12]}, {manifest.get('records', 0)} records, {laws}"
        parts.append(Text(made, style="dim"))
    return Group(*parts)


def _title(answer: Answer) -> Text:
    title = Text(answer.scenario, style="bold")
    seed = "" if answer.seed is None else f"  seed {answer.seed}"
    title.append(f"{seed}  simulated {units.format_seconds(answer.simulated_s)}", style="not bold")
    if answer.makespan_s is not None:
        title.append("  makespan ", style="not bold").append(units.format_seconds(answer.makespan_s))
    if answer.partial:
        title.append("  PARTIAL: interrupted", style="bold red")
    return title


def _plan(operations: list[OperationAnswer]) -> list[RenderableType]:
    shown = operations if len(operations) <= _OPERATIONS + 1 else operations[:_OPERATIONS]
    grid = _words()
    for one in shown:
        end = "under way" if one.ended_s is None else units.format_seconds(one.ended_s - one.began_s)
        style = {"done": "green", "partial": "yellow", "failed": "red"}.get(one.outcome, "")
        line = Text(f"{one.kind} {shorten(one.target, 40)}  from {units.format_seconds(one.began_s)}, {end}: ")
        line.append(one.outcome, style=style)
        if one.detail:
            line.append(f" ({in_words(one.detail, 110)})")
        grid.add_row("", line)
    if len(shown) < len(operations):
        grid.add_row("", Text(f"… and {len(operations) - len(shown)} more operations", style="dim"))
    return [grid] if operations else []


def _words() -> Table:
    """A column of words that wrap, after a short one."""
    grid = Table.grid(padding=(0, 1, 0, 0))
    grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold")
    return grid


def _moves(answer: Answer) -> Text:
    line = Text("Servers asked to move ")
    line.append(str(answer.asked), style="bold").append(": moved ").append(str(answer.moved), style="bold green")
    line.append(", failed ").append(str(answer.failed), style="bold red" if answer.failed else "bold")
    line.append(", left ").append(str(answer.left), style="bold yellow" if answer.left else "bold")
    return line


def _reasons(what: str, reasons: list[Reason]) -> list[RenderableType]:
    grid = _words()
    shown = reasons if len(reasons) <= _REASONS + 1 else reasons[:_REASONS]
    for one in shown:
        more = "" if one.count == len(one.servers) else " …"
        whose = f" ({', '.join(shorten(server, 20) for server in one.servers[:3])}{more})" if one.servers else ""
        grid.add_row(f"  {what} {one.count:>5} ×", in_words(one.reason, 150 - len(whose)) + whose)
    if len(shown) < len(reasons):
        rest = sum(one.count for one in reasons[len(shown) :])
        grid.add_row(f"  {what} {rest:>5} ×", Text(f"for {len(reasons) - len(shown)} other reasons", style="dim"))
    return [grid] if reasons else []


def _grid(*headers: str) -> Table:
    made = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="bold")
    for place, header in enumerate(headers):
        made.add_column(header, justify="right" if place else "left", no_wrap=True)
    return made


def _spreads(answer: Answer) -> Table:
    grid = _grid("per server", "servers", "median", "p95", "max", "sum")
    rows: list[tuple[str, Spread]] = [
        ("downtime", answer.downtime),
        ("total migration time", answer.total_time),
        ("waited in queues", answer.queue_time),
    ]
    for name, spread in rows:
        times = (units.format_seconds(t) for t in (spread.median, spread.p95, spread.max, spread.sum))
        grid.add_row(name, str(spread.count), *times)
    return grid


def _counters(answer: Answer) -> Table:
    grid = _words()
    grid.add_row(
        "migrations",
        f"{answer.migrations} ({answer.migrations_failed} failed), retries {answer.retries}, "
        f"auto-confirmed {answer.auto_confirmed}, unconfirmed {answer.unconfirmed}",
    )
    grid.add_row("sent", f"{units.format_bytes(answer.bytes_sent_b)} over the network")
    return grid


def _links(answer: Answer) -> Table:
    grid = _grid("busiest links", "sent", "mean", "peak", "full for")
    for link in answer.links[:_LINKS]:
        shares = (f"{share:.0%}" for share in (link.mean_share, link.peak_share))
        full = units.format_seconds(link.full_s)
        grid.add_row(shorten(link.link, 18), units.format_bytes(link.bytes_b), *shares, full)
    if not answer.links:
        grid.add_row("nothing was sent", "", "", "", "")
    return grid


def _headroom(answer: Answer) -> Table:
    flavors = answer.flavors[:_FLAVORS]
    grid = _grid("headroom: more of", *(shorten(flavor, 9) for flavor in flavors))
    for group in answer.headroom[:_GROUPS]:
        grid.add_row(shorten(_group_name(group), 20), *(_change(group, flavor) for flavor in flavors))
    if len(answer.headroom) > _GROUPS:
        grid.add_row(f"… {len(answer.headroom) - _GROUPS} more", *("" for _ in flavors))
    return grid


def _group_name(group: HeadroomAnswer) -> str:
    return group.group if group.kind == "cloud" else f"{group.kind} {group.group}"


def _change(group: HeadroomAnswer, flavor: str) -> str:
    before, after = group.fits_start[flavor], group.fits[flavor]
    return str(after) if before == after else f"{before} → {after}"


def _humans(answer: Answer) -> list[RenderableType]:
    if not answer.humans:
        return [Text("No server needs a human.", style="green")]
    head = Text(f"Servers that need a human: {len(answer.humans)}", style="bold red")
    of = {one.server: one for one in answer.humans}
    groups = grouped([(one.server, one.reason) for one in answer.humans], of)
    shown = groups if len(groups) <= _HUMANS else groups[: _HUMANS - 1]
    grid = _words()
    for reason, servers in shown:
        names = ", ".join(shorten(server, 20) for server in servers[:3])
        more = "" if len(servers) <= 3 else f" and {len(servers) - 3} more"
        line = Text(names + more, style="bold").append(f"  {in_words(reason, 110)}", style="not bold")
        grid.add_row(" ", line.append(f" → {of[servers[0]].advice}", style="not bold"))
    if len(shown) < len(groups):
        rest = sum(len(servers) for _, servers in groups[len(shown) :])
        grid.add_row(" ", Text(f"… and {rest} more: novasim show RUN servers", style="dim"))
    return [head, grid]


class Shown(NamedTuple):
    """A measure as people read it."""

    words: str
    a: str
    b: str
    difference: str
    percent: str
    tone: str


def measured(measure: Measured) -> Shown:
    """A measure in words."""
    say: Callable[[float], str] = {"s": duration, "b": units.format_bytes}.get(measure.unit, _count)
    known = math.isfinite(measure.a) and math.isfinite(measure.b)
    size = say(abs(measure.difference)) if known else "-"
    sign = "" if not known or not measure.difference else "+" if measure.difference > 0 else "−"
    percent = _percent(measure.ratio - 1) if measure.ratio is not None and measure.difference else ""
    tone = {1: "better", -1: "worse"}.get(measure.better, "")
    return Shown(measure.words, say(measure.a), say(measure.b), f"{sign}{size}", percent, tone)


def _percent(share: float) -> str:
    """A change, with its sign unless it is less than what is shown."""
    return f"{share:+.1%}".replace("-", "−") if abs(share) >= 0.0005 else "0.0%"


def duration(seconds: float) -> str:
    """A time, short ones in milliseconds: differences are often that small."""
    if 0 < abs(seconds) < 0.1:
        return f"{seconds * 1000:.3g} ms"
    return units.format_seconds(seconds)


def _count(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:,.0f}"


def comparison_screen(made: Comparison, names: tuple[str, str]) -> RenderableType:
    """Two runs side by side on a terminal: measures that differ or matter, then paired differences."""
    grid = _grid("", f"A {shorten(names[0], 18)}", f"B {shorten(names[1], 18)}", "B less A", "of A")
    styles = {"better": "green", "worse": "red"}
    for one in made.measures:
        words = measured(one)
        marked = Text(words.difference, style=styles.get(words.tone, ""))
        grid.add_row(words.words, words.a, words.b, marked, words.percent)
    pairs = _grid("per server", "servers", "B better", "worse", "same", "mean difference", "median")
    for pair in made.pairs:
        differences = (
            "-" if value is None else duration(value) if value <= 0 else f"+{duration(value)}"
            for value in (pair.mean, pair.median)
        )
        pairs.add_row(pair.words, *(f"{n:,}" for n in (pair.count, pair.better, pair.worse, pair.same)), *differences)
    cautions = [Text(caution, style="yellow") for caution in made.cautions]
    return Group(*cautions, grid, Text(), pairs)


def data_table(frame: pl.DataFrame, title: str = "", rows: int = 40, width: int = WIDTH) -> RenderableType:
    """A table for a terminal: the first ``rows`` (0: all), and as many columns as ``width`` holds.

    Columns that are empty in all of these rows are left out; columns and rows that are not shown are named and counted.
    """
    shown = frame.head(rows) if rows else frame
    names = [name for name in shown.columns if shown[name].null_count() < shown.height or not shown.height]
    texts = {name: [shorten(cell(value), _CELL) for value in shown[name]] for name in names}
    kept = _fitting(texts, shown, title, width)
    names = [*kept, *(name for name in names if name not in kept)]
    grid = Table(
        box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="bold", title=title or None, title_justify="left"
    )
    for name in kept:
        grid.add_column(name, justify="right" if shown[name].dtype.is_numeric() else "left", no_wrap=True)
    for row in zip(*(texts[name] for name in kept), strict=True):
        grid.add_row(*row)
    more: list[RenderableType] = []
    if frame.height > shown.height:
        more.append(Text(f"… and {frame.height - shown.height:,} more rows (--rows 0 prints all)", style="dim"))
    if len(kept) < len(names):
        left = ", ".join(names[len(kept) :])
        more.append(Text(f"… and {len(names) - len(kept)} more columns (--columns picks some): {left}", style="dim"))
    return Group(grid, *more)


def _fitting(texts: dict[str, list[str]], frame: pl.DataFrame, title: str, width: int) -> list[str]:
    """The columns that ``width`` holds: all in their order, or those that matter most; words are cut to fit."""
    need = {name: max(map(len, [name, *values])) + 2 for name, values in texts.items()}
    if sum(need.values()) - 2 <= width:
        return list(texts)
    wanted = _FIRST.get(title, ())
    first = [name for name in wanted if name in texts] if len(texts) > len(wanted) else []
    kept: list[str] = []
    room = width + 2
    for name in [*first, *(name for name in texts if name not in first)]:
        if need[name] > room:
            if frame[name].dtype == pl.String and room >= max(_NARROW, len(name)) + 2:
                texts[name] = [shorten(value, room - 2) for value in texts[name]]
                kept.append(name)
                break
            if kept:
                break
        room -= need[name]
        kept.append(name)
    return kept


def cell(value: object) -> str:
    """A value of a table as text."""
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 1e6 or value.is_integer() else f"{value:.3f}".rstrip("0").rstrip(".")
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return str(value)
