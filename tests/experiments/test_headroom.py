"""Headroom against exhaustive search: on small clouds every packing is tried, and every set of hosts."""

from __future__ import annotations

from itertools import combinations, product
from pathlib import Path

import numpy as np
import pytest

import sim
from sim.experiments.plans.headroom import HeadroomSearch, guaranteed, kind_sets, kinds, sets_of
from sim.experiments.plans.packing import Packer
from sim.experiments.plans.replay import failure_scenario
from sim.experiments.plans.room import Class, Room, room_of
from sim.metrics.summary import summary
from sim.runs.engine import execute
from sim.scenario.loader import parse

pytest.importorskip("ortools", reason="OR-Tools are not there: pip install 'novasim[plan]' where it has wheels")

ROOT = Path(__file__).parents[2]


def small_room(seed: int, hosts: int = 5, *, groups: bool = True, masks: bool = True, alike: bool = False) -> Room:
    """A cloud of a few hosts by luck: two resources that matter, three classes, sometimes a group, sometimes masks."""
    rng = np.random.default_rng(seed)
    needs = np.zeros((3, 4), dtype=np.int64)
    needs[:, :2] = [2, 3] if alike else rng.integers(1, 4, (3, 2))
    count = rng.integers(0, 2, (3, hosts)).astype(np.int64)
    total = np.zeros((4, hosts), dtype=np.int64)
    total[:2] = rng.integers(6, 14, (2, hosts)) if not alike else 11
    free = (total - np.einsum("ch,cr->rh", count, needs)).clip(min=0)
    allowed = np.ones((3, hosts), dtype=bool)
    if masks:
        allowed[1] = rng.random(hosts) < 0.7
        allowed[1] |= count[1] > 0
    named = "g" if groups and rng.random() < 0.5 else None
    classes = tuple(Class(f"f{i}", tuple(needs[i].tolist()), named if i == 0 else None) for i in range(3))
    members = {"g": count[0].copy()} if named else {}
    return Room(
        tuple(f"h{i}" for i in range(hosts)), tuple(f"r{i % 2}" for i in range(hosts)), np.ones(hosts, dtype=bool),
        free, total, classes, needs, allowed, count, members, {"g": 1} if named else {}, (), 0,
    )  # fmt: skip


def fits_by_trying(room: Room, failed: tuple[int, ...]) -> bool:
    """Every server tried on every host, in depth."""
    up = [host for host in range(len(room.hosts)) if host not in failed]
    servers = [row for row in range(len(room.classes)) for host in failed for _ in range(int(room.count[row, host]))]
    free = room.free.copy()
    taken = {name: members.copy() for name, members in room.members.items()}

    def place(at: int) -> bool:
        if at == len(servers):
            return True
        row = servers[at]
        group = room.classes[row].group
        for host in up:
            if not room.allowed[row, host] or (room.needs[row] > free[:, host]).any():
                continue
            if (room.needs[row] > room.total[:, host]).any():
                continue
            if group is not None and taken[group][host] >= room.limits[group]:
                continue
            free[:, host] -= room.needs[row]
            if group is not None:
                taken[group][host] += 1
            if place(at + 1):
                return True
            free[:, host] += room.needs[row]
            if group is not None:
                taken[group][host] -= 1
        return False

    return place(0)


def worst_by_trying(room: Room) -> int:
    """The most hosts of which every set can be evacuated."""
    hosts = range(len(room.hosts))
    for size in range(1, len(room.hosts)):
        if not all(fits_by_trying(room, failed) for failed in combinations(hosts, size)):
            return size - 1
    return len(room.hosts) - 1


@pytest.mark.parametrize("seed", range(40))
def test_a_set_of_hosts_fits_exactly_when_some_packing_does(seed: int) -> None:
    room = small_room(seed)
    packer = Packer(room)
    for size in (1, 2, 3):
        for failed in combinations(range(len(room.hosts)), size):
            assert packer.ask(failed).fits is fits_by_trying(room, failed), failed


def test_every_way_of_answering_is_needed_and_right() -> None:
    """Over many clouds: bounds, packings found, flows and the solver each answer some questions."""
    asked: dict[str, int] = {}
    for seed in range(30):
        packer = Packer(room := small_room(seed, alike=seed % 2 == 0, groups=seed % 3 == 0))
        for failed in combinations(range(5), 2 + seed % 2):
            assert packer.ask(failed).fits is fits_by_trying(room, failed)
        for way, count in packer.asked.items():
            asked[way] = asked.get(way, 0) + count
    assert set(asked) == {"bound", "packing", "flow", "solver"}


@pytest.mark.parametrize("seed", range(40))
def test_the_worst_case_is_that_of_trying_every_set(seed: int) -> None:
    room = small_room(seed)
    worst = HeadroomSearch(room).run().worst
    assert worst.exact
    assert worst.proven == worst_by_trying(room)
    if worst.breaking:
        broken = tuple(room.hosts.index(name) for name in worst.breaking)
        assert len(broken) == worst.proven + 1
        assert not fits_by_trying(room, broken)
    hardest = tuple(room.hosts.index(name) for name in worst.hardest)
    assert fits_by_trying(room, hardest)


@pytest.mark.parametrize("seed", range(60))
def test_where_sets_are_too_many_the_truth_lies_within_the_gap(seed: int) -> None:
    room = small_room(seed, masks=seed % 2 == 0)
    worst = HeadroomSearch(room, sets_max=0).run().worst
    truth = worst_by_trying(room)
    assert worst.proven <= truth <= worst.at_most
    assert worst.proven == guaranteed(room)


def test_the_bound_over_all_sets_is_worth_something() -> None:
    """A hundred like hosts, a quarter full of small servers: most of the truth is proven without looking at a set."""
    hosts = 100
    needs = np.array([[1, 4, 0, 0], [2, 8, 0, 0]], dtype=np.int64)
    count = np.tile(np.array([[4], [2]], dtype=np.int64), (1, hosts))
    total = np.tile(np.array([[64], [128], [0], [0]], dtype=np.int64), (1, hosts))
    free = total - np.einsum("ch,cr->rh", count, needs)
    room = Room(
        tuple(f"h{i}" for i in range(hosts)), ("r",) * hosts, np.ones(hosts, dtype=bool), free, total,
        tuple(Class(f"f{i}", tuple(need.tolist()), None) for i, need in enumerate(needs)), needs,
        np.ones((2, hosts), dtype=bool), count, {}, {}, (), 0,
    )  # fmt: skip
    # k hosts hold 32 k of memory; the others have 96 free, of which any 89 can surely be used.
    assert guaranteed(room) == max(k for k in range(100) if 32 * k < 89 * (hosts - k))
    worst = HeadroomSearch(room).run().worst
    assert worst.exact
    assert worst.proven == 75  # 75 * 32 = 25 * 96: every place is taken
    assert len(worst.breaking) == 76


def test_hosts_that_are_alike_are_looked_at_once() -> None:
    room = small_room(3, hosts=6)
    same = [0, 0, 1, 1, 1, 2]

    def pick(column: np.ndarray) -> np.ndarray:
        return np.asarray(column[..., same])

    twin = Room(room.hosts, ("r",) * 6, pick(room.usable), pick(room.free), pick(room.total), room.classes, room.needs,
                pick(room.allowed), pick(room.count), {}, {}, (), 0)  # fmt: skip
    alike = kinds(twin)
    assert sorted(map(len, alike)) == [1, 2, 3]
    sets = list(kind_sets(alike, 3))
    assert len(sets) == sets_of(alike, 3) == len({tuple(sorted(same[h] for h in one)) for one in sets})
    assert {tuple(sorted(same[h] for h in one)) for one in sets} == {
        tuple(sorted(one)) for one in product(range(3), repeat=3)
        if all(one.count(kind) <= same.count(kind) for kind in range(3))
    }  # fmt: skip


# --- a cloud's own rules ----------------------------------------------------------------------------------------------

CLOUD = {
    "hosts": [{"name": "a{n:1-3}", "rack": "ra", "vcpus": 16, "memory": "64 GiB", "disk": "1 TiB", "zone": "za"},
              {"name": "b{n:1-3}", "rack": "rb", "vcpus": 16, "memory": "64 GiB", "disk": "1 TiB", "zone": "zb"}],
    "flavors": [{"name": "m", "vcpus": 1, "memory": "16 GiB", "disk": "10 GiB"}],
    "images": [{"name": "i"}],
    "storage": {"instances": "shared"},
}  # fmt: skip


def _scenario(servers: list[dict[str, object]], groups: list[dict[str, object]] | None = None) -> sim.Scenario:
    return parse({"cloud": {**CLOUD, "servers": servers, "server_groups": groups or []}})


def test_zones_groups_and_states_count() -> None:
    scenario = _scenario(
        [
            {"name": "z{n:1-6}", "flavor": "m", "image": "i", "hosts": ["a1", "a2", "a3"], "availability_zone": "za"},
            {"name": "e{n:1-3}", "flavor": "m", "image": "i", "hosts": ["b1", "b2", "b3"], "group": "etcd"},
            {"name": "t{n:1-2}", "flavor": "m", "image": "i", "host": "b1", "group": "pair"},
            {"name": "p", "flavor": "m", "image": "i", "host": "b2", "vm_state": "paused"},
        ],
        [{"name": "etcd", "policy": "anti-affinity"}, {"name": "pair", "policy": "affinity"}],
    )
    room = room_of(scenario, 1)
    assert dict(room.stuck) == {
        "t1": "group pair (affinity) lets it go nowhere else",
        "t2": "group pair (affinity) lets it go nowhere else",
        "p": "Nova evacuates no server that is paused",
    }
    by_name = {(one.flavor, one.group): row for row, one in enumerate(room.classes)}
    zoned, etcd = by_name["m", None], by_name["m", "etcd"]
    assert room.allowed[zoned].tolist() == [True] * 3 + [False] * 3
    assert room.allowed[etcd].all()
    assert room.slots(etcd).tolist()[3:] == [0, 0, 0]  # one member is on each already
    found = HeadroomSearch(room).run()
    assert (found.worst.proven, found.worst.at_most) == (1, 1)  # two of zone za leave room for three more on the third
    assert {rack.rack: rack.fits for rack in found.racks} == {"ra": False, "rb": True}


def test_a_host_that_is_disabled_takes_none_but_may_fail() -> None:
    disabled = {"name": "c1", "vcpus": 16, "memory": "640 GiB", "disk": "1 TiB", "service": {"status": "disabled"}}
    spec = {**CLOUD, "hosts": [*CLOUD["hosts"], disabled]}
    scenario = parse({"cloud": {**spec, "servers": [{"name": "s{n:1-4}", "flavor": "m", "image": "i", "host": "c1"}]}})
    room = room_of(scenario, 1)
    assert room.usable.tolist() == [True] * 6 + [False]
    assert room.slots(0)[-1] == 0
    assert Packer(room).ask([6]).fits is True
    assert Packer(room).ask(range(6)).fits is True  # nobody was there


def test_what_is_said_to_fit_is_evacuated_when_it_is_simulated() -> None:
    """Like servers, no group: whatever order Nova takes, it finds every place that there is."""
    scenario = _scenario([{"name": "s{n:1-12}", "flavor": "m", "image": "i", "hosts": ["a{n:1-3}", "b{n:1-3}"]}])
    found = HeadroomSearch(room_of(scenario, 1)).run()
    assert found.worst.exact
    for hosts, left in ((found.worst.hardest, 0), (found.worst.breaking, 1)):
        numbers = summary(execute(failure_scenario(scenario, hosts), 1))
        assert numbers["asked"] == 2 * len(hosts)
        assert (numbers["moved"] < numbers["asked"]) == bool(left)


def test_what_lacks_is_said_in_words_for_people() -> None:
    """Two classes whose places suffice one by one, and not together: 60 GiB are asked for, and 48 GiB are free."""
    needs = np.array([[1, 20 * 1024, 0, 0], [1, 10 * 1024, 0, 0]], dtype=np.int64)
    count = np.array([[2, 0, 0], [2, 0, 0]], dtype=np.int64)
    free = np.array([[0, 9, 9], [0, 24 * 1024, 24 * 1024], [9, 9, 9], [0, 0, 0]], dtype=np.int64)
    classes = tuple(Class(name, tuple(row.tolist()), None) for name, row in zip("lm", needs, strict=True))
    room = Room(("a", "b", "c"), ("r", "r", "r"), np.ones(3, dtype=bool), free, free + 32 * 1024, classes, needs,
                np.ones((2, 3), dtype=bool), count, {}, {}, (), 0)  # fmt: skip
    answer = Packer(room).ask((0,))
    assert not answer.fits
    assert answer.why == "60 GiB of memory are needed, and 48 GiB are free"
