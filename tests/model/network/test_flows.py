"""Flows in time: bytes are conserved, dates hold, links are never overfull, dead links end what waits too long."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import simpy
from filling import fill

from sim.model.network.flows import Flow, Flows
from sim.model.network.topology import leaf_spine, star
from sim.model.network.transfer import ByteCopy

GB = 1e9


class Watched:
    """Flows on a star of four hosts with NICs of 1 GB/s, and everything that was told about them, in order."""

    def __init__(self, hosts: int = 4, nic: float = GB) -> None:
        self.env = simpy.Environment()
        self.topology = star([f"h{n}" for n in range(hosts)], nic)
        self.capacity = [capacity for _, capacity in self.topology.links]
        self.rates: dict[int, float] = {}
        self.known: dict[int, Flow] = {}
        self.told: list[tuple[float, str, int, float]] = []
        self.flows = Flows(
            self.env, self.topology, on_start=lambda f: self._tell("start", f), on_rate=lambda f: self._tell("rate", f),
            on_end=lambda f: self._tell("end", f),
        )  # fmt: skip
        self.areas: dict[int, float] = {}
        self._last: dict[int, float] = {}

    def _tell(self, what: str, flow: Flow) -> None:
        """Integrates every flow's told rates by itself, and holds the links to their capacity at each single word."""
        now = self.env.now
        if flow.id in self.rates:
            self.areas[flow.id] += self.rates[flow.id] * (now - self._last[flow.id])
        else:
            self.areas[flow.id] = 0.0
        self._last[flow.id] = now
        self.known[flow.id] = flow
        self.told.append((now, what, flow.id, flow.rate_bps))
        if what == "end":
            del self.rates[flow.id]
        else:
            self.rates[flow.id] = flow.rate_bps
        for link, capacity in enumerate(self.capacity):
            load = sum(rate for number, rate in self.rates.items() if link in self.known[number].route)
            assert load <= capacity * (1 + 1e-9)

    def start(self, size: float, source: int, dest: int, cap: float = math.inf, **more: Any) -> Flow:
        return self.flows.start(ByteCopy(size, cap, **more), source, dest)

    def at(self, moment: float, act: Any) -> None:
        timeout = self.env.timeout(moment - self.env.now)
        assert timeout.callbacks is not None
        timeout.callbacks.append(lambda _: act())

    def set_capacity(self, link: int, capacity: float) -> None:
        if capacity >= self.capacity[link]:
            self.capacity[link] = capacity
            self.flows.set_link_capacity(link, capacity)
        else:
            self.flows.set_link_capacity(link, capacity)
            self.capacity[link] = capacity


def ended(flow: Flow, env: simpy.Environment) -> list[float]:
    """Will hold the moment of its end."""
    moments: list[float] = []
    assert flow.done.callbacks is not None
    flow.done.callbacks.append(lambda _: moments.append(env.now))
    return moments


def test_two_flows_share_a_nic_and_the_second_has_it_alone_after_the_first() -> None:
    """10 GB and 20 GB out of one host of 1 GB/s: 20 s at half speed for both, then 10 s for the rest of the second."""
    w = Watched()
    first, second = ended(w.start(10 * GB, 0, 1), w.env), ended(w.start(20 * GB, 0, 2), w.env)
    w.env.run()
    assert first == [pytest.approx(10 / 0.5)]
    assert second == [pytest.approx(10 / 0.5 + (20 - 10))]


def test_full_duplex_the_way_back_is_another_link() -> None:
    w = Watched()
    there, back = ended(w.start(5 * GB, 0, 1), w.env), ended(w.start(5 * GB, 1, 0), w.env)
    w.env.run()
    assert (there, back) == ([5.0], [5.0])


def test_a_link_that_degrades_and_recovers() -> None:
    """4 s at 1 GB/s, 4 s at 0.25 GB/s, the rest at full speed: 10 GB need 4 + 4 + 5 s."""
    w = Watched()
    moments = ended(w.start(10 * GB, 0, 1), w.env)
    w.at(4.0, lambda: w.set_capacity(0, 0.25 * GB))
    w.at(8.0, lambda: w.set_capacity(0, GB))
    w.env.run()
    assert moments == [pytest.approx(4 + 4 + (10 - 4 - 1))]


def test_a_dead_link_stops_a_copy_which_gives_up_when_its_patience_ends() -> None:
    w = Watched()
    flow = w.start(10 * GB, 0, 1, patience_s=30.0)
    moments = ended(flow, w.env)
    w.at(4.0, lambda: w.set_capacity(1 + 2, 0.0))
    w.env.run()
    assert moments == [34.0]
    assert flow.transfer.failed
    assert flow.bytes == pytest.approx(4 * GB)


def test_a_link_that_comes_back_in_time_costs_only_the_time() -> None:
    w = Watched()
    flow = w.start(10 * GB, 0, 1, patience_s=30.0)
    moments = ended(flow, w.env)
    w.at(4.0, lambda: w.set_capacity(0, 0.0))
    w.at(33.0, lambda: w.set_capacity(0, GB))
    w.env.run()
    assert moments == [pytest.approx(10 + 29)]
    assert not flow.transfer.failed


def test_without_patience_a_dead_link_holds_for_ever_and_arms_nothing() -> None:
    w = Watched()
    flow = w.start(10 * GB, 0, 1)
    w.at(1.0, lambda: w.set_capacity(0, 0.0))
    w.env.run()
    assert flow.active
    assert w.env.peek() == math.inf


def test_nothing_to_copy_is_done_at_once() -> None:
    w = Watched()
    moments = ended(w.start(0.0, 0, 1), w.env)
    w.env.run()
    assert moments == [0.0]
    assert [what for _, what, _, _ in w.told] == ["start", "end"]


def test_a_copy_on_one_host_goes_over_no_link_and_as_fast_as_its_cap() -> None:
    w = Watched()
    moments = ended(w.start(6 * GB, 2, 2, cap=2 * GB), w.env)
    w.start(1000 * GB, 2, 3)
    w.env.run(until=10)
    assert moments == [3.0]


def test_a_cancelled_flow_never_says_done_and_leaves_its_share_to_others() -> None:
    w = Watched()
    gone, stays = w.start(10 * GB, 0, 1), w.start(10 * GB, 0, 2)
    never, moments = ended(gone, w.env), ended(stays, w.env)
    w.at(4.0, lambda: w.flows.cancel(gone))
    w.env.run()
    assert never == []
    assert gone.bytes == pytest.approx(2 * GB)
    assert moments == [pytest.approx(4 + 8)]


def test_who_is_not_touched_keeps_its_date_and_hears_nothing() -> None:
    w = Watched()
    alone = w.start(50 * GB, 2, 3)
    date = alone.date
    for moment in range(1, 20):
        w.at(float(moment), lambda: w.start(3 * GB, 0, 1))
    w.env.run(until=30)
    assert alone.date == date
    assert [told for told in w.told if told[2] == alone.id] == [(0.0, "start", alone.id, GB)]


def test_one_timeout_is_armed_for_all_flows() -> None:
    """A thousand flows, the soonest first: the engine never holds more than the next one."""
    env = simpy.Environment()
    flows = Flows(env, star([f"h{n}" for n in range(2000)], GB))
    for n in range(1000):
        flows.start(ByteCopy((n + 1) * GB), 2 * n, 2 * n + 1)
    held = 0
    while env.peek() < math.inf:
        env.step()
        held += 1
    assert len(flows) == 0
    assert held <= 2 * 1000  # a timeout and the end of each


@pytest.mark.parametrize("seed", range(12))
def test_bytes_are_conserved_through_every_change(seed: int) -> None:
    """Forty flows, links that die and return, caps that change: each flow carries what it was for, and its told rates
    integrate to just that; at every moment rates are those of a whole new solution."""  # fmt: skip
    rng = np.random.default_rng(seed)
    w = Watched(hosts=6)
    sizes: dict[int, float] = {}

    def begin() -> None:
        a, b = (int(host) for host in rng.choice(6, 2, replace=False))
        size = float(rng.uniform(0.1, 30)) * GB
        flow = w.start(size, a, b, cap=float(rng.choice([math.inf, 0.458 * GB, 0.199 * GB])))
        sizes[flow.id] = size

    def shake() -> None:
        w.set_capacity(int(rng.integers(12)), float(rng.choice([0.0, 0.3, 1.0, 2.5])) * GB)

    def slow_down() -> None:
        active = [flow for flow in w.known.values() if flow.active]
        if active:
            w.flows.set_cap(active[int(rng.integers(len(active)))], float(rng.choice([0.1 * GB, math.inf])))

    def compare() -> None:
        active = [flow for flow in w.known.values() if flow.active]
        exact = fill([flow.route for flow in active], w.capacity, [min(f.cap_bps, f.transfer.cap_bps) for f in active])
        for flow, rate in zip(active, exact, strict=True):
            assert rate is not None
            assert flow.rate_bps == pytest.approx(float(rate), rel=1e-9, abs=1e-3)

    for moment in rng.uniform(0, 100, 40):
        w.at(float(moment), begin)
    for moment in rng.uniform(0, 100, 25):
        w.at(float(moment), shake)
    for moment in rng.uniform(0, 100, 15):
        w.at(float(moment), slow_down)
    for moment in rng.uniform(0, 130, 30):
        w.at(float(moment), compare)

    def heal() -> None:
        for link in range(12):
            w.set_capacity(link, GB)

    w.at(130.0, heal)
    w.env.run()
    assert len(w.flows) == 0
    for number, size in sizes.items():
        assert w.known[number].bytes == pytest.approx(size, rel=1e-9)
        assert w.areas[number] == pytest.approx(size, rel=1e-6)


def test_the_order_of_starts_at_one_moment_does_not_matter_for_dates() -> None:
    ends = []
    for order in ((0, 1, 2), (2, 1, 0)):
        env = simpy.Environment()
        flows = Flows(env, leaf_spine(["a", "b", "c", "d"], ["r", "r", "s", "s"], GB, oversubscription=2.0))
        jobs = [(8 * GB, 0, 2), (4 * GB, 0, 3), (6 * GB, 1, 2)]
        started = {n: flows.start(ByteCopy(jobs[n][0]), *jobs[n][1:]) for n in order}
        moments = {n: ended(flow, env) for n, flow in started.items()}
        env.run()
        ends.append([moments[n][0] for n in range(3)])
    assert ends[0] == pytest.approx(ends[1], rel=1e-12)
