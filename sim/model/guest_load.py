"""Guests whose CPU utilisation is known from a trace: it is recorded as it changes, and their memory follows it."""

from __future__ import annotations

import bisect
from collections.abc import Generator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from simpy.events import Event

from sim.eventlog import records
from sim.model.guest import Guest
from sim.model.migration.memory import ACTIVITIES
from sim.scenario.cpu_trace import Trace, read_cpu_trace

if TYPE_CHECKING:
    from sim.model.cloud import Cloud
    from sim.model.server import Server


def follow_traces(cloud: Cloud, servers: Sequence[Server]) -> None:
    """Let each server that has a trace follow it from now on. A trace is read once."""
    read: dict[tuple[str, str], Trace] = {}
    for server in servers:
        path = str(server.extras["cpu_trace"])
        key = (path, server.name if path.endswith(("parquet", "pq")) else "")
        trace = read.get(key)
        if trace is None:
            trace = read[key] = read_cpu_trace(path, server.name)
        server.guest = traced(server.guest, trace)
        cloud.env.process(_load(cloud, server, trace))


def traced(guest: Guest, trace: Trace) -> Guest:
    """The guest with a dirty rate that goes with its CPU: the class's own rate at the CPU that goes with the class."""
    usual = ACTIVITIES[guest.activity].cpu if guest.activity in ACTIVITIES else guest.cpu
    factors = tuple((step.until, step.cpu / usual if usual else 0.0) for step in trace)
    return replace(guest, profile=factors, clocked=True)


def _load(cloud: Cloud, server: Server, trace: Trace) -> Generator[Event, object, None]:
    """Say each change of the utilisation, as long as the server is there."""
    env, last = cloud.env, -1.0
    period = trace[-1].until
    ends = [step.until for step in trace]
    while not server.deleted:
        turns, within = divmod(env.now, period)
        at = min(bisect.bisect_right(ends, within), len(trace) - 1)
        step = trace[at]
        if step.cpu != last:
            last = step.cpu
            cloud.log.append(records.GuestLoad(env.now, server.name, step.cpu))
        if len(trace) == 1:
            return
        yield env.timeout(max(turns * period + step.until - env.now, 1e-9 * period))
