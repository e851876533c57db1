"""A run as a trace in Chrome's JSON format, for Perfetto (https://ui.perfetto.dev) and chrome://tracing.

Hosts are processes, and so are the plan, the control plane and the network. An operation is a slice on the host that
its server was on, its stages are slices within it; what another host did for it stands there too, and an arrow goes
from the copy at the source to the receiving at the destination. Counters say what hosts hold and what links carry.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import polars as pl

from sim.eventlog import records as r
from sim.metrics import hosts, links
from sim.metrics.guests import downtimes
from sim.metrics.source import Records, Source, as_records
from sim.metrics.stages import stages
from sim.metrics.tables import table
from sim.metrics.timeline import spans

Event = dict[str, Any]
_PLAN, _CONTROL, _NETWORK, _FIRST_HOST = 1, 2, 3, 10
_ACTIONS = {"os-migrateLive": "live migration", "migrate": "cold migration", "evacuate": "evacuation"}


class _Slice(NamedTuple):
    """A slice to be placed: ``unit`` is the operation whose lane it wants, ``outer`` says that it opens that lane."""

    begin: int
    end: int
    outer: bool
    unit: int
    name: str
    kind: str
    args: Event
    flow: str
    """``s12`` where the arrow of flow 12 begins, ``f12`` where it ends, else empty."""


def write_trace(source: Source, path: str | Path) -> Path:
    """Write the run as a trace; returns the path."""
    records = as_records(source)
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    encode = msgspec.json.encode
    with target.open("wb") as file:
        file.write(b'{"displayTimeUnit":"ms","otherData":' + encode(_about(records)) + b',"traceEvents":[\n')
        for number, event in enumerate(events(records)):
            file.write((b",\n" if number else b"") + encode(event))
        file.write(b"\n]}\n")
    return target


def _about(records: Records) -> Event:
    manifest = records.manifest
    told: Event = {key: str(manifest[key]) for key in ("seed", "log_digest", "scenario_digest") if key in manifest}
    return {"scenario": records.name, "simulated_s": f"{records.end_s:.3f}", **told}


def events(source: Source) -> Iterator[Event]:
    """The trace's events: who is who first, then slices, arrows, moments and counters."""
    records = as_records(source)
    placed = _slices(records)
    busy = {process for process in placed if process >= _FIRST_HOST}
    names = records.frame(r.HostsPresent)["host"].to_list()
    changed = hosts.over_time(records).filter(pl.col("t") > 0)["host"].unique()
    number = {name: _FIRST_HOST + place for place, name in enumerate(names)}
    busy |= {number[name] for name in changed if name in number}
    yield from _who(records, number, busy)
    for process in sorted(placed):
        yield from _lanes(process, placed[process])
    yield from _moments(records, number, busy)
    yield from _held(records, number, busy)
    yield from _carried(records)


def _us(seconds: float) -> int:
    """Whole microseconds: what lies within another slice still does after rounding."""
    return round(seconds * 1e6)


def _who(records: Records, number: dict[str, int], busy: set[int]) -> Iterator[Event]:
    """Names of processes, and their order on the page. A host that did nothing is not in it."""
    named = [(_PLAN, "plan"), (_CONTROL, "control plane"), (_NETWORK, "network")]
    racks = dict(records.frame(r.HostsPresent).select("host", "rack").iter_rows())
    named += [(pid, f"{host} ({racks[host]})") for host, pid in number.items() if pid in busy]
    for pid, name in named:
        yield {"ph": "M", "pid": pid, "tid": 0, "name": "process_name", "args": {"name": name}}
        yield {"ph": "M", "pid": pid, "tid": 0, "name": "process_sort_index", "args": {"sort_index": pid}}


# --- slices ----------------------------------------------------------------------------------------------------------


def _slices(records: Records) -> dict[int, list[_Slice]]:
    """Everything that lasted, by process."""
    names = records.frame(r.HostsPresent)["host"].to_list()
    number = {name: _FIRST_HOST + place for place, name in enumerate(names)}
    placed: dict[int, list[_Slice]] = {}
    for kind, target, begin, end, outcome, detail, servers in (
        table(records, "operations").select("kind", "target", "began_s", pl.col("ended_s").fill_null(records.end_s),
                                            "outcome", "detail", "servers").iter_rows()
    ):  # fmt: skip
        args = {"outcome": outcome, "detail": detail, "servers": servers}
        whole = _Slice(_us(begin), _us(end), True, len(placed.get(_PLAN, ())), f"{kind} {target}", "plan", args, "")
        placed.setdefault(_PLAN, []).append(whole)
    homes = _operations(records, number, placed)
    _stages(records, number, homes, placed)
    _flows(records, number, homes, placed)
    for server, cause, begin, end in (
        downtimes(records).select("server", "cause", "began_s", "ended_s").collect().rows()
    ):
        process = homes.first.get(server, _CONTROL)
        still = _Slice(_us(begin), _us(end), False, -1, f"{server} stands still", "guest", {"cause": cause}, "")
        placed.setdefault(process, []).append(still)
    return placed


class _Homes(NamedTuple):
    """Where operations are at home, by (request, server) and by server: process, unit, begin, end."""

    operations: dict[tuple[str | None, str | None], tuple[int, int, int, int]]
    servers: dict[str | None, list[tuple[int, int, int, int]]]
    first: dict[str, int]
    """A server's process at the start."""

    def unit(self, server: str, process: int, begin: int, end: int) -> int:
        """The server's operation on that process of which this spell is a part; -1 if there is none."""
        own = (unit for at, unit, since, until in self.servers.get(server, ())
               if at == process and since <= begin and end <= until)  # fmt: skip
        return next(own, -1)


def _operations(records: Records, number: dict[str, int], placed: dict[int, list[_Slice]]) -> _Homes:
    first = stages(records).drop_nulls("host").group_by("request", "server", maintain_order=True)
    at = {(request, server): host for request, server, host in first.agg(pl.col("host").first()).collect().iter_rows()}
    start = dict(records.frame(r.ServersPresent).select("server", "host").drop_nulls().iter_rows())
    homes = _Homes({}, {}, {server: number[host] for server, host in start.items() if host in number})
    for unit, row in enumerate(spans(records).iter_rows(named=True)):
        server, request = row["server"], row["request"]
        host = row["source"] or at.get((request, server)) or start.get(server)
        process = number.get(host, _CONTROL) if host is not None else _CONTROL
        action = _ACTIONS.get(row["action"], row["action"])
        args = {name: row[name] for name in ("request", "outcome", "source", "dest", "retries", "reason") if row[name]}
        begin, end = _us(row["began_s"]), _us(row["ended_s"])
        name = f"{action} {server}" if server else str(action)
        placed.setdefault(process, []).append(_Slice(begin, end, True, unit, name, "operation", args, ""))
        homes.operations[request, server] = (process, unit, begin, end)
        homes.servers.setdefault(server, []).append((process, unit, begin, end))
    return homes


def _stages(records: Records, number: dict[str, int], homes: _Homes, placed: dict[int, list[_Slice]]) -> None:
    """Each stage within its operation, and once more on the host that did it where that is another."""
    columns = ("request", "server", "stage", "host", "queue", "began_s", "ended_s", "outcome")
    for request, server, stage, host, queue, begin, end, outcome in (
        stages(records).select(columns).collect().iter_rows()
    ):
        process, unit, _, _ = homes.operations.get((request, server), (_CONTROL, -1, 0, 0))
        args = {key: value for key, value in (("host", host), ("queue", queue), ("outcome", outcome)) if value}
        name = f"wait: {queue}" if queue else stage
        placed.setdefault(process, []).append(_Slice(_us(begin), _us(end), False, unit, name, "stage", args, ""))
        there = number.get(host) if host is not None else None
        if there is not None and there != process and queue is None:
            told = {**args, "request": request}
            work = _Slice(_us(begin), _us(end), False, -1, f"{stage} {server}", "stage", told, "")
            placed.setdefault(there, []).append(work)


def _flows(records: Records, number: dict[str, int], homes: _Homes, placed: dict[int, list[_Slice]]) -> None:
    """Sending at the source, receiving at the destination, an arrow between them."""
    ends = records.scan(r.FlowEnded).select("flow", pl.col("t").alias("end"), "bytes", "finished")
    begin_at = pl.col("t").alias("begin")
    begun = records.scan(r.FlowStarted).select("flow", "purpose", "server", "source", "dest", begin_at)
    rows = begun.join(ends, on="flow", how="left", maintain_order="left")
    rows = rows.with_columns(pl.col("end").fill_null(records.end_s))
    columns = ("flow", "purpose", "server", "source", "dest", "begin", "end", "bytes", "finished")
    for flow, purpose, server, source, dest, begin, end, size, finished in rows.select(columns).collect().iter_rows():
        args = {"bytes": size, "finished": finished, "source": source, "dest": dest}
        there = number.get(dest)
        both = source in number and there is not None and source != dest
        since, until = _us(begin), _us(end)
        if source in number:
            unit = homes.unit(server, number[source], since, until)
            arrow = f"s{flow}" if both else ""
            sends = _Slice(since, until, False, unit, f"send {purpose} {server}", "flow", args, arrow)
            placed.setdefault(number[source], []).append(sends)
        if there is not None and source != dest:
            arrow = f"f{flow}" if both else ""
            gets = _Slice(since, until, False, -1, f"receive {purpose} {server}", "flow", args, arrow)
            placed.setdefault(there, []).append(gets)


def _lanes(process: int, slices: list[_Slice]) -> Iterator[Event]:
    """Slices of a process on as many lanes as they need, so that on each lane they nest or follow one another."""
    open_until: list[list[int]] = []
    lane_of: dict[int, int] = {}
    for one in sorted(slices, key=lambda one: (one.begin, -one.end, not one.outer)):
        for stack in open_until:
            while stack and stack[-1] <= one.begin:
                stack.pop()
        lane = lane_of.get(one.unit) if not one.outer and one.unit >= 0 else None
        if lane is None or (open_until[lane] and open_until[lane][-1] < one.end) or not open_until[lane]:
            lane = next((lane for lane, stack in enumerate(open_until) if not stack), len(open_until))
        if lane == len(open_until):
            open_until.append([])
            name = f"lane {lane + 1}"
            yield {"ph": "M", "pid": process, "tid": lane + 1, "name": "thread_name", "args": {"name": name}}
        if one.outer:
            lane_of[one.unit] = lane
        open_until[lane].append(one.end)
        where = {"pid": process, "tid": lane + 1, "ts": one.begin}
        yield {"ph": "X", **where, "dur": one.end - one.begin, "name": one.name, "cat": one.kind, "args": one.args}
        if one.flow:
            arrow: Event = {"ph": one.flow[0], **where, "id": int(one.flow[1:]), "name": "copy", "cat": "flow"}
            yield {**arrow, "bp": "e"} if one.flow[0] == "f" else arrow


# --- moments and counters --------------------------------------------------------------------------------------------


def _moments(records: Records, number: dict[str, int], busy: set[int]) -> Iterator[Event]:
    """Hosts that change, and everything that went wrong, as marks."""
    for t, host, power, disabled, reason in records.frame(r.HostState).select(
        "t", "host", "power", "disabled", "reason"
    ).iter_rows():  # fmt: skip
        pid = number.get(host, _CONTROL)
        if pid in busy:
            name = f"{power}{', disabled' if disabled else ''}"
            yield {"ph": "i", "s": "p", "pid": pid, "tid": 0, "ts": _us(t), "name": name, "cat": "host",
                   "args": {"reason": reason}}  # fmt: skip
    for t, server, kind, what, reason in table(records, "failures").select(
        "t_s", "server", "kind", "what", "reason"
    ).iter_rows():  # fmt: skip
        if kind != "host":
            yield {"ph": "i", "s": "p", "pid": _PLAN, "tid": 0, "ts": _us(t), "name": f"{kind}: {server or what}",
                   "cat": "failure", "args": {"what": what, "reason": reason}}  # fmt: skip


def _held(records: Records, number: dict[str, int], busy: set[int]) -> Iterator[Event]:
    """What hosts hold of what they have."""
    rows = hosts.over_time(records).select("t", "host", "vcpus", "memory_mb", "servers")
    for t, host, vcpus, memory, servers in rows.iter_rows():
        pid = number[host]
        if pid in busy:
            for name, value in (("memory held (MiB)", memory), ("vCPUs held", vcpus), ("servers", servers)):
                yield {"ph": "C", "pid": pid, "tid": 0, "ts": _us(t), "name": name, "args": {"held": value}}


def _carried(records: Records) -> Iterator[Event]:
    """What links carry, and how much of their capacity is left; of links that carried anything or changed."""
    series = links.over_time(records)
    lively = series.filter((pl.col("rate") > 0) | (pl.col("t") > 0))["row"].unique()
    for t, link, rate, capacity in (
        series.filter(pl.col("row").is_in(lively.implode())).select("t", "link", "rate", "capacity").iter_rows()
    ):  # fmt: skip
        gbit = {"carried": rate * 8e-9, "free": max(capacity - rate, 0.0) * 8e-9}
        yield {"ph": "C", "pid": _NETWORK, "tid": 0, "ts": _us(t), "name": f"{link} (Gbit/s)", "args": gbit}
