"""Max-min sharing against exact progressive filling, after every kind of change, on thousands of drawn networks."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from filling import fill
from hypothesis import given, settings
from hypothesis import strategies as st

from sim.model.network.sharing import Sharing

TIGHT = 1e-9
"""Relative: floating point against fractions."""


@dataclass
class Pair:
    """The solver under test, and what it should know."""

    capacities: list[float]
    sharing: Sharing = field(init=False)
    routes: dict[int, tuple[int, ...]] = field(default_factory=dict)
    caps: dict[int, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.sharing = Sharing(self.capacities)
        self.told: dict[int, float] = {}
        """Rates as an owner knows them who only listens to what is said to have changed."""

    def _hear(self, changed: list[int]) -> None:
        for flow in changed:
            self.told[flow] = self.sharing.rate[flow]

    def add(self, route: tuple[int, ...], cap: float) -> None:
        flow, changed = self.sharing.add(route, cap)
        assert changed[-1] == flow
        assert len(set(changed)) == len(changed)
        self.routes[flow], self.caps[flow] = route, cap
        self._hear(changed)

    def remove(self, flow: int) -> None:
        changed = self.sharing.remove(flow)
        assert flow not in changed
        del self.routes[flow], self.caps[flow], self.told[flow]
        self._hear(changed)

    def set_cap(self, flow: int, cap: float) -> None:
        self.caps[flow] = cap
        self._hear(self.sharing.set_cap(flow, cap))

    def set_capacity(self, link: int, capacity: float) -> None:
        self.capacities[link] = capacity
        self._hear(self.sharing.set_capacity(link, capacity))

    def check(self) -> None:
        flows = list(self.routes)
        exact = fill([self.routes[f] for f in flows], self.capacities, [self.caps[f] for f in flows])
        assert set(self.sharing.rate) == set(flows)
        for flow, rate in zip(flows, exact, strict=True):
            expected = math.inf if rate is None else float(rate)
            assert self.sharing.rate[flow] == pytest.approx(expected, rel=TIGHT, abs=1e-6)
        assert self.told == self.sharing.rate
        for link, capacity in enumerate(self.capacities):
            load = sum(self.sharing.rate[f] for f in flows if link in self.routes[f])
            assert load <= capacity * (1 + TIGHT) + 1e-6


def test_known_answer_of_three_flows_on_two_links() -> None:
    """l1 = 1, l2 = 2; A on both, B on l1, C on l2. l1 is full first: A = B = 1/2; C has what A leaves of l2: 3/2."""
    sharing = Sharing([1.0, 2.0])
    a, _ = sharing.add((0, 1), math.inf)
    b, _ = sharing.add((0,), math.inf)
    c, _ = sharing.add((1,), math.inf)
    assert sharing.rate == {a: 0.5, b: 0.5, c: 1.5}


def test_a_flow_s_own_limit_counts_as_a_private_link() -> None:
    """Link of 10: a cap of 1 leaves 9 for two others."""
    sharing = Sharing([10.0])
    a, _ = sharing.add((0,), 1.0)
    b, _ = sharing.add((0,), math.inf)
    c, _ = sharing.add((0,), math.inf)
    assert sharing.rate == {a: 1.0, b: 4.5, c: 4.5}


def test_a_parking_lot_gives_the_long_flow_its_share_of_the_narrowest_link() -> None:
    """Three links of 6, 4 and 8, one flow over all, one on each: the narrowest gives 2 to each, the others the rest."""
    sharing = Sharing([6.0, 4.0, 8.0])
    long, _ = sharing.add((0, 1, 2), math.inf)
    short = [sharing.add((link,), math.inf)[0] for link in range(3)]
    assert [sharing.rate[flow] for flow in (long, *short)] == [2.0, 4.0, 2.0, 6.0]


# --- against exact filling --------------------------------------------------------------------------------------------

speeds = st.one_of(st.just(0.0), st.integers(1, 40).map(float), st.floats(0.001, 1e10))
caps = st.one_of(st.just(math.inf), speeds)


@st.composite
def stories(draw: st.DrawFn) -> tuple[list[float], list[tuple[Any, ...]]]:
    """Links, and a sequence of changes."""
    links = draw(st.integers(1, 6))
    capacities = draw(st.lists(speeds, min_size=links, max_size=links))
    routes = st.lists(st.integers(0, links - 1), unique=True, max_size=4).map(tuple)
    change = st.one_of(
        st.tuples(st.just("add"), routes, caps),
        st.tuples(st.just("add"), routes, caps),
        st.tuples(st.just("remove"), st.integers(0, 99)),
        st.tuples(st.just("cap"), st.integers(0, 99), caps),
        st.tuples(st.just("capacity"), st.integers(0, links - 1), speeds),
    )
    return capacities, draw(st.lists(change, min_size=1, max_size=14))


@settings(max_examples=1200)
@given(stories())
def test_every_change_leaves_the_rates_of_a_whole_new_solution(
    story: tuple[list[float], list[tuple[Any, ...]]],
) -> None:
    capacities, changes = story
    pair = Pair(capacities)
    for change in changes:
        flows = list(pair.routes)
        if change[0] == "add":
            pair.add(change[1], change[2])
        elif change[0] == "capacity":
            pair.set_capacity(change[1], change[2])
        elif flows:
            flow = flows[change[1] % len(flows)]
            if change[0] == "remove":
                pair.remove(flow)
            else:
                pair.set_cap(flow, change[2])
        pair.check()


def test_three_thousand_clouds_of_hosts_under_leaf_switches() -> None:
    """Two NIC links for each of 3 to 8 hosts, a few core links, up to 24 flows with the caps of real streams."""
    rng = np.random.default_rng(20160926)
    for _ in range(3000):
        hosts, core = int(rng.integers(3, 9)), int(rng.integers(0, 3))
        pair = Pair([*rng.choice([1.25e8, 1.25e9, 3.1e9], 2 * hosts), *rng.choice([1.25e8, 2.5e9], core)])
        for _ in range(int(rng.integers(1, 25))):
            a, b = rng.choice(hosts, 2, replace=False)
            middle = [2 * hosts + int(rng.integers(core))] if core and rng.random() < 0.6 else []
            pair.add((2 * int(a), *middle, 2 * int(b) + 1), float(rng.choice([math.inf, 4.58e8, 1.99e8, 0.0])))
        pair.check()
        for flow in [flow for flow in pair.routes if rng.random() < 0.3]:
            pair.remove(flow)
        pair.check()


# --- locality ---------------------------------------------------------------------------------------------------------


def test_who_shares_no_link_with_a_change_is_not_looked_at() -> None:
    """Two pairs of hosts: a third flow between the first pair says nothing about the second."""
    sharing = Sharing([10.0, 10.0, 10.0, 10.0])
    a, _ = sharing.add((0, 1), math.inf)
    sharing.add((2, 3), math.inf)
    c, changed = sharing.add((0, 1), math.inf)
    assert changed == [a, c]
    assert sharing.remove(c) == [a]


def test_a_link_that_cannot_be_filled_couples_nobody() -> None:
    """A core of 100 under flows with caps of 10: the third changes nobody else."""
    sharing = Sharing([100.0])
    for _ in range(3):
        flow, changed = sharing.add((0,), 10.0)
        assert changed == [flow]


def test_bounds_that_the_topology_knows_are_dropped_when_a_link_gets_more_than_it_had() -> None:
    """A core of 20 fed by NICs of 5 and 10: never full, until the second NIC is made 100."""
    sharing = Sharing([5.0, 10.0, 20.0], {2: 15.0})
    a, _ = sharing.add((0, 2), math.inf)
    b, _ = sharing.add((1, 2), math.inf)
    assert sharing.rate == {a: 5.0, b: 10.0}
    sharing.set_capacity(1, 100.0)
    assert sharing.rate == {a: 5.0, b: 15.0}


@pytest.mark.parametrize("wrong", [-1.0, math.nan])
def test_what_is_no_speed_is_refused(wrong: float) -> None:
    with pytest.raises(ValueError, match="negative"):
        Sharing([wrong])
    sharing = Sharing([1.0])
    flow, _ = sharing.add((0,), 1.0)
    for change in (lambda: sharing.add((0,), wrong), lambda: sharing.set_cap(flow, wrong),
                   lambda: sharing.set_capacity(0, wrong)):  # fmt: skip
        with pytest.raises(ValueError, match="negative"):
            change()
    assert sharing.rate == {flow: 1.0}
