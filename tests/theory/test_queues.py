"""Queues at Nova's services and capacity against queueing theory.

Each expected value is derived here; each tolerance is four standard errors of the mean, from batches long enough to be
independent, so a right model fails once in some ten thousand runs (and the seed is fixed).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Sequence
from typing import Any

import numpy as np
import pytest

from sim.eventlog import records as r
from sim.model.api.door import Call
from sim.runs.engine import execute
from sim.runs.simulation import Simulation
from sim.scenario.loader import parse

BATCHES = 20


def erlang_b(servers: int, load: float) -> float:
    """Part of the arrivals that find all servers taken: B(0) = 1, B(n) = a B(n-1) / (n + a B(n-1))."""
    blocked = 1.0
    for n in range(1, servers + 1):
        blocked = load * blocked / (n + load * blocked)
    return blocked


def erlang_c(servers: int, load: float) -> float:
    """Part of the arrivals that wait in M/M/c: C = B / (1 - (a / c) (1 - B))."""
    blocked = erlang_b(servers, load)
    return blocked / (1 - load / servers * (1 - blocked))


def test_the_formulas_themselves() -> None:
    """M/M/1: an arrival waits with probability ρ. Tables of Erlang B have 0.2146 for 10 erlang on 10 lines."""
    assert erlang_c(1, 0.7) == pytest.approx(0.7)
    assert erlang_b(10, 10.0) == pytest.approx(0.2146, abs=5e-5)


def agrees(values: Sequence[float], expected: float) -> None:
    """The mean after a tenth of warm-up is within four standard errors (by batches) of what is expected."""
    kept = np.array(values[len(values) // 10 :])
    means = np.array([batch.mean() for batch in np.array_split(kept, BATCHES)])
    error = means.std(ddof=1) / math.sqrt(BATCHES)
    assert abs(kept.mean() - expected) <= 4 * error, f"{kept.mean():.4f} ± {error:.4f}, expected {expected:.4f}"
    assert error < 0.12 * max(expected, 1e-9), "too few arrivals to tell anything"


def cloud(timings: dict[str, Any], workers: dict[str, int], seed: int) -> Simulation:
    """A host and a server, times only where the test says."""
    return Simulation(parse({
        "cloud": {
            "hosts": [{"name": "h", "vcpus": 8, "memory": "64 GiB", "disk": "1 TiB"}],
            "flavors": [{"name": "f", "vcpus": 1, "memory": "1 GiB", "disk": 0}], "images": [{"name": "i"}],
            "servers": [{"name": "vm", "flavor": "f", "host": "h", "image": "i"}], "workers": workers,
            "timings": {"profile": "ideal", "source": "test", "fit_error": "none", **timings},
        },
    }), seed)  # fmt: skip


def arrive(simulation: Simulation, rate: float, count: int, job: Callable[[int], Generator[Any, Any, Any]]) -> None:
    """A Poisson stream of jobs."""
    env, uniform = simulation.env, simulation.cloud.streams.uniform

    def stream() -> Generator[Any, Any, None]:
        for number in range(count):
            yield env.timeout(-math.log(uniform("test.arrivals")) / rate)
            env.process(job(number))

    env.process(stream())
    env.run()


def waits(simulation: Simulation, queue: str, count: int) -> list[float]:
    """Each job's wait in order of arrival; a job that did not wait has no record of waiting."""
    began = {}
    for record in simulation.log.records:
        if isinstance(record, r.Waited) and record.queue == queue:
            began[record.request] = record.t - record.began
    requests = [one.request for one in simulation.log.records if isinstance(one, r.Step) and one.step == queue]
    assert len(requests) == count
    return [began.get(request, 0.0) for request in sorted(requests, key=lambda name: int(str(name).rsplit("-", 1)[-1]))]


@pytest.mark.parametrize(("servers", "rate"), [(1, 0.6), (3, 2.1), (8, 5.6)])
def test_requests_wait_at_the_api_as_in_m_m_c(servers: int, rate: float) -> None:
    """Service of 1 s in the mean. P(wait) = C(c, a), E[wait] = C / (c - a)."""
    count = 40_000
    simulation = cloud({"api": {"exponential": {"mean": "1 s"}}}, {"api": servers}, seed=5)
    door = simulation.cloud.door
    call = Call(server="vm", body={"lock": None}, microversion="2.1", project="demo")
    arrive(simulation, rate, count, lambda _: door.request(call))
    found = waits(simulation, "api", count)
    waiting = erlang_c(servers, rate)
    agrees([float(wait > 0) for wait in found], waiting)
    agrees(found, waiting / (servers - rate))


@pytest.mark.parametrize(("service", "mean", "second"), [
    ({"lognormal": {"median": "800 ms", "sigma": 0.6}}, 0.8 * math.exp(0.18), 0.64 * math.exp(2 * 0.36)),
    ({"constant": "1 s"}, 1.0, 1.0),
    ({"uniform": {"low": "0 s", "high": "2 s"}}, 1.0, 4 / 3),
])  # fmt: skip
def test_operations_wait_at_the_conductor_as_in_m_g_1(service: Any, mean: float, second: float) -> None:
    """Pollaczek and Khinchine: E[wait] = λ E[S²] / (2 (1 - λ E[S])), at 70 % load."""
    count, rate = 24_000, 0.7 / mean
    simulation = cloud({"conductor": service}, {"conductor": 1}, seed=11)
    cloud_, server = simulation.cloud, simulation.cloud.db.servers["vm"]

    def job(number: int) -> Generator[Any, Any, None]:
        pool = cloud_.pools.conductor
        yield from cloud_.stages.worker(pool, "conductor", cloud_.timings.conductor, server, f"req-{number}")
        pool.release()

    arrive(simulation, rate, count, job)
    agrees(waits(simulation, "conductor", count), rate * second / (2 * (1 - 0.7)))


@pytest.mark.parametrize(("slots", "load"), [(4, 3.0), (10, 8.0)])
def test_a_full_cloud_turns_users_away_as_erlang_said(slots: int, load: float) -> None:
    """Users come by Poisson, keep a server for 100 s in the mean, however distributed: a part B(c, a) finds no host."""
    count = 6000
    gap = 100.0 / load
    records = execute(parse({
        "cloud": {
            "hosts": [{"name": "h", "vcpus": slots, "memory": "1 TiB", "disk": "1 TiB", "cpu_allocation_ratio": 1.0}],
            "flavors": [{"name": "f", "vcpus": 1, "memory": "64 MiB", "disk": "4 GiB"}], "images": [{"name": "i"}],
            "timings": "ideal", "nova": {"options": {"quota": {"instances": -1, "cores": -1, "ram": -1}}},
        },
        "workload": [{"name": "users", "count": count, "every": {"exponential": {"mean": f"{gap!r} s"}},
                      "lifetime": {"uniform": {"low": "0 s", "high": "200 s"}}}],
    }), 3).records()  # fmt: skip
    decisions = [one for one in records if isinstance(one, r.Decision)]
    assert len(decisions) == count
    agrees([float(one.chosen is None) for one in decisions], erlang_b(slots, load))
    held = {one.server for one in decisions if one.chosen is not None}
    active = {one.server for one in records if isinstance(one, r.ServerState) and one.status == "ACTIVE"}
    assert active == held


def test_what_waits_is_arrivals_times_waiting() -> None:
    """Little: the time-mean of the queue's length is the rate of arrivals times the mean wait, in any one run."""
    simulation = cloud({"api": {"exponential": {"mean": "1 s"}}}, {"api": 2}, seed=8)
    call = Call(server="vm", body={"lock": None}, microversion="2.1", project="demo")
    pool, lengths = simulation.cloud.pools.api, []
    door, env = simulation.cloud.door, simulation.env

    def look(_: int) -> Generator[Any, Any, None]:
        lengths.append((env.now, pool.queued))
        yield from door.request(call)
        lengths.append((env.now, pool.queued))

    arrive(simulation, 1.6, 8000, look)
    area, last, queued = 0.0, 0.0, 0
    for record in simulation.log.records:
        if isinstance(record, r.Waited):
            area += record.t - record.began
    for at, length in lengths:
        assert at >= last
        last, queued = at, length
    assert queued == 0
    mean_wait = sum(waits(simulation, "api", 8000)) / 8000
    assert area / env.now == pytest.approx(8000 / env.now * mean_wait, rel=1e-9)
