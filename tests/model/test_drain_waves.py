"""A drain in waves: the next servers are asked for only when all of the last wave are through."""

from __future__ import annotations

from itertools import pairwise

import pytest

import sim
from sim.eventlog import records as r
from sim.runs.engine import execute


def moves(waves: bool, concurrency: int, per_host: int | None = None) -> list[tuple[float, float]]:
    """When each server was asked to move and when it had, in the order of asking: two hosts with five servers each."""
    scenario = sim.Scenario.model_validate({
        "cloud": {
            "hosts": [{"name": "h{n:1-8}", "vcpus": 32, "memory": "128 GiB", "disk": "1 TiB"}],
            "flavors": [{"name": "small", "vcpus": 1, "memory": "2 GiB", "disk": "10 GiB"},
                        {"name": "large", "vcpus": 1, "memory": "16 GiB", "disk": "10 GiB"}],
            "servers": [{"name": "a-{n:1-5}", "flavor": "small", "host": "h1", "activity": "web"},
                        {"name": "b-{n:1-5}", "flavor": "large", "host": "h2", "activity": "web"}],
            "storage": {"instances": "shared"},
        },
        "plan": [{"drain": {"hosts": ["h1", "h2"], "waves": waves, "concurrency": concurrency, "per_host": per_host}}],
    })  # fmt: skip
    asked: dict[str, float] = {}
    done: dict[str, float] = {}
    for record in execute(scenario, 1).records():
        if isinstance(record, r.Request) and record.action == "os-migrateLive":
            assert record.server is not None
            asked[record.server] = record.t
        elif isinstance(record, r.MigrationState) and record.status == "completed":
            done[record.server] = record.t
    assert len(done) == 10
    return [(asked[name], done[name]) for name in asked]


@pytest.mark.parametrize(("concurrency", "per_host", "sizes"), [
    (4, None, [4, 4, 2]), (3, None, [3, 3, 3, 1]), (1, None, [1] * 10), (20, None, [10]), (20, 1, [2] * 5),
    (3, 2, [3, 3, 3, 1]),
])  # fmt: skip
def test_waves_do_not_overlap(concurrency: int, per_host: int | None, sizes: list[int]) -> None:
    found = moves(True, concurrency, per_host)
    waves: list[list[tuple[float, float]]] = []
    for size in sizes:
        waves.append(found[sum(len(wave) for wave in waves) :][:size])
    for before, after in pairwise(waves):
        assert max(done for _, done in before) <= min(asked for asked, _ in after)


def test_without_waves_a_place_is_taken_as_soon_as_it_is_free() -> None:
    sliding, waiting = moves(False, 4, 2), moves(True, 4, 2)
    assert sliding[4][0] < max(done for _, done in sliding[:4])
    assert max(done for _, done in sliding) < max(done for _, done in waiting)
