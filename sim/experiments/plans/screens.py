"""Plans on a terminal of 100 columns."""

from __future__ import annotations

import math
from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.text import Text

from sim.experiments.measures import Measure
from sim.experiments.plans.capacity import Full
from sim.experiments.plans.found import NOTHING, Bind, DrainPlan, Plan
from sim.experiments.plans.headroom import Headroom, Worst
from sim.experiments.plans.last import Last
from sim.experiments.plans.replay import Replay
from sim.experiments.screens import grid, interval
from sim.plots.text import shorten
from sim.units import counted

SECONDS = Measure("time", "time_s", "mean")
_BINDS = 10
_RACKS = 12
_REASONS = 3
_NO = "does not bind"


def drain_screen(found: DrainPlan, goals: Sequence[object]) -> RenderableType:
    """The best plan, the frontier, what binds."""
    parts: list[RenderableType] = [*_best(found, goals), Text()]
    if found.asked.point != found.best.point:
        parts += [_against(found), Text()]
    parts += [_frontier(found), Text(), Text("what binds: one thing changed in the best plan", style="bold")]
    parts += [_binds(found), *_longest(found.last)]
    searched = f"{found.plans} plans looked at in {found.runs:,} runs"
    if found.exhausted:
        searched += "; the budget ended the search: there may be better plans (--budget)"
    return Group(*parts, Text(searched, style="yellow" if found.exhausted else "dim"))


def _best(found: DrainPlan, goals: Sequence[object]) -> list[RenderableType]:
    best, verdict = found.best, found.best.verdict
    what = "best plan found: " if verdict.met else "no plan found keeps the goals; the nearest: "
    title = Text(what, style="bold").append(best.name, style="bold green" if verdict.met else "bold red")
    lines: list[RenderableType] = [title]
    if goals:
        kept = (
            f"  {verdict.good_runs} of {verdict.runs} runs keep the goals (at least {verdict.share.low:.0%} of all do)"
        )
        lines.append(Text(kept, style="" if verdict.met else "red"))
        if verdict.broken:
            lines.append(Text(f"  NOT kept: {', '.join(verdict.broken)}", style="bold red"))
    if best.unmoved:
        verb = "does not move: no plan found moves it" if best.unmoved == 1 else "do not move: no plan found moves them"
        count = "1 server" if best.unmoved == 1 else f"{best.unmoved:.3g} servers"
        lines.append(Text(f"  {count} {verb}", style="yellow"))
        for reason, servers in found.stayed[:_REASONS]:
            lines.append(Text(f"    {shorten(', '.join(servers), 40)}: {reason}", style="yellow"))
    return lines


def _against(found: DrainPlan) -> RenderableType:
    made = grid("", "", "mean", "95% interval", left=2)
    best, asked = found.best, found.asked
    named = "best plan" if best.verdict.met else "nearest plan"
    for what, name, one in (
        ("makespan", named, best.makespan), ("", shorten(asked.name, 30), asked.makespan),
        ("guest time lost", named, best.disruption), ("", shorten(asked.name, 30), asked.disruption),
    ):  # fmt: skip
        made.add_row(what, name, SECONDS.text(one.value), interval(SECONDS, one))
    return made


def _frontier(found: DrainPlan) -> RenderableType:
    made = grid("makespan", "guest time lost", "goals", "runs", "frontier: nothing found is both shorter and gentler")
    made.columns[0].justify, made.columns[4].justify = "right", "left"
    beaten = all(plan.point != found.best.point for plan in found.frontier)
    shown = sorted([*found.frontier, found.best], key=lambda one: one.makespan.value) if beaten else found.frontier
    for plan in shown:
        kept = "kept" if plan.verdict.met else "broken"
        style = "bold" if plan.point == found.best.point else ""
        made.add_row(SECONDS.text(plan.makespan.value), SECONDS.text(plan.disruption.value), kept,
                     str(plan.verdict.runs), plan.name, style=style)  # fmt: skip
    made.columns[4].no_wrap = False
    if beaten:
        words = (
            "bold: the best plan, beside the frontier; what beats it breaks goals, or changes more for next to nothing"
        )
        return Group(made, Text(words, style="dim"))
    return made


def _binds(found: DrainPlan) -> RenderableType:
    made = grid("thing", "change", "makespan", "", "so", left=2)
    made.columns[3].justify = made.columns[4].justify = "left"
    for one in [one for one in found.binds if _so(one, found.best) != _NO][:_BINDS]:
        difference = SECONDS.text(one.makespan.value, signed=True)
        half = one.makespan.half_width
        width = "" if not half > 0 else f"± {SECONDS.text(half)}"
        made.add_row(one.what, shorten(one.change, 26), difference, width, shorten(_so(one, found.best), 34))
    free: dict[str, list[str]] = {}
    for one in found.binds:
        if _so(one, found.best) == _NO:
            free.setdefault(one.what, []).append(one.change)
    idle = ", ".join(f"{what} {' or '.join(changes)}" for what, changes in free.items())
    return Group(made, Text(f"{_NO}: {idle}", style="dim")) if idle else made


def _so(one: Bind, best: Plan) -> str:
    """What a change says: it binds, it does not, or it would break something."""
    shorter = math.isfinite(one.makespan.high) and one.makespan.high < 0
    if one.broken:
        return f"breaks {', '.join(one.broken)}"
    if abs(one.makespan.value) <= NOTHING * best.makespan.value:
        return _NO
    if shorter:
        return "binds" if one.what == "network" else "shorter, and no better otherwise"
    return "longer" if one.makespan.low > 0 else "cannot be told"


def _longest(last: Last | None) -> list[RenderableType]:
    """The server that arrived last, and what its time went on."""
    if last is None:
        return []
    stages = ", ".join(f"{name} {SECONDS.text(took)}" for name, took in last.stages)
    asked = f"asked for after {SECONDS.text(last.asked_after_s)}" if last.asked_after_s >= 1 else "asked for at once"
    return [Text(f"the last to arrive was {last.server}: {asked}, then {stages}")]


def headroom_screen(found: Headroom, replays: Sequence[Replay]) -> RenderableType:
    """The worst case, the racks, luck, and what Nova's own scheduler makes of it."""
    parts: list[RenderableType] = [_worst(found.worst), Text()]
    racks = grid("a whole rack", "hosts", "servers", "can be evacuated")
    for one in sorted(found.racks, key=lambda rack: rack.fits is True)[:_RACKS]:
        said = {True: "yes", False: "NO", None: "not known"}[one.fits]
        racks.add_row(one.rack, str(one.hosts), str(one.servers), said + (f": {one.why}" if one.why else ""))
    racks.columns[3].justify, racks.columns[3].no_wrap = "left", False
    parts.append(racks)
    if len(found.racks) > _RACKS:
        good = sum(one.fits is True for one in found.racks)
        parts.append(Text(f"… {len(found.racks) - _RACKS} more; {good} of {len(found.racks)} can be", style="dim"))
    if found.by_luck:
        luck = grid("hosts chosen by luck", "sets that can be evacuated", "95% interval")
        sure = sum(draw.share.value == 1.0 for draw in found.by_luck)  # more hosts are never evacuated more often
        for draw in found.by_luck[max(sure - 1, 0) :][:_RACKS]:
            share = draw.share
            unknown = f" ({draw.undecided} not known)" if draw.undecided else ""
            luck.add_row(str(draw.hosts), f"{share.value:.0%}{unknown}", f"{share.low:.0%} … {share.high:.0%}")
        parts += [Text(), luck]
    parts += [Text(), *(_replay(one) for one in replays), *_left_out(found)]
    how = ", ".join(f"{count:,} by {name}" for name, count in found.asked.items())
    return Group(
        *parts, Text(f"{found.hosts:,} hosts, {found.servers:,} servers; sets of hosts judged: {how}", style="dim")
    )


def any_hosts(count: int) -> str:
    """``any 3 hosts may fail at once``, ``any host may fail``, ``not every host may fail``."""
    return {0: "not every host may fail", 1: "any host may fail"}.get(count, f"any {count:,} hosts may fail at once")


def _worst(worst: Worst) -> RenderableType:
    if worst.exact:
        text = Text(any_hosts(worst.proven), style="bold green" if worst.proven else "bold red")
        text.append(f" and {'all' if worst.proven > 1 else 'all its'} servers be evacuated: proven ({worst.how})",
                    style="not bold")  # fmt: skip
    else:
        text = Text(f"{any_hosts(worst.proven)}: proven ({worst.how});", style="bold yellow")
        text.append(f" at most {worst.at_most}; gap {worst.at_most - worst.proven}", style="not bold")
    lines = [text]
    if worst.breaking:
        names = shorten(", ".join(worst.breaking), 70)
        lines.append(Text(f"  {len(worst.breaking)} that may not: {names}" + (f" ({worst.why})" if worst.why else "")))
    return Group(*lines)


def _replay(one: Replay) -> Text:
    text = Text(f"simulated: {one.what} fail, {one.moved} of {one.asked} servers evacuated by Nova's own scheduler")
    if one.moved < one.asked:
        text.append(f", {one.asked - one.moved} not", style="bold red")
        for reason, servers in one.stayed[:_REASONS]:
            text.append(f"\n  {shorten(', '.join(servers), 40)}: {reason}")
    return text


def _left_out(found: Headroom) -> list[RenderableType]:
    """Servers that are in none of the numbers above, by reason."""
    reasons: dict[str, list[str]] = {}
    for server, why in found.stuck:
        reasons.setdefault(why, []).append(server)
    lines: list[RenderableType] = [
        Text(f"left out: {counted(len(names), 'servers')} ({shorten(', '.join(names), 40)}): {why}", style="yellow")
        for why, names in reasons.items()
    ]
    if found.numa:
        lines.append(Text(f"not looked at: whether {counted(found.numa, 'servers')} with NUMA nodes fit those of hosts",
                          style="yellow"))  # fmt: skip
    return lines


def capacity_screen(found: Sequence[Full], horizon_s: float, confidence: float) -> RenderableType:
    """When each flavor is full: those that grow first, then the others, which fill up with them."""

    def said(seconds: float) -> str:
        return f"{seconds / 86400:,.0f} d" if horizon_s > 60 * 86400 else SECONDS.text(seconds)

    made = grid("flavor", "room", "a day", "full after", f"{confidence:.0%} interval", "9 of 10 runs", "refused")
    for one in sorted(found, key=lambda full: (full.per_day == 0, full.when.value)):
        when, late = one.when, one.never == one.runs

        def after(seconds: float, ends: Full = one) -> str:
            beyond = ends.never and seconds >= horizon_s
            return f"> {said(horizon_s)}" if beyond else said(seconds)

        span = "" if late else f"{after(when.low)} … {after(when.high)}"
        nine = "" if late else f"{after(one.early)} … {after(one.late)}"
        refused = "-" if math.isinf(one.refused) else said(one.refused)
        rate = f"{one.per_day:.3g}" if one.per_day else ""
        made.add_row(shorten(one.flavor, 14), str(one.fits), rate, after(when.value), span, nine, refused)
    methods = "; ".join(dict.fromkeys(one.when.method for one in found))
    runs = f"medians of {counted(found[0].runs, 'runs')} of {said(horizon_s)}; interval: {methods}; "
    runs += "refused: the first that found no host; without quotas"
    return Group(made, Text(runs, style="dim"))
