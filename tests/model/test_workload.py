"""Users: when they come, what they leave, and when a run with them is over."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from sim.eventlog import records as r
from sim.runs.checkers import check
from sim.runs.simulation import Simulation
from sim.scenario.spec import Scenario

UNLIMITED = {"quota": {"instances": -1, "cores": -1, "ram": -1}}


def run(workload: dict[str, Any], duration: str | None = None) -> Simulation:
    """The whole run of one workload on ten hosts, its laws checked."""
    scenario = Scenario.model_validate({
        "cloud": {
            "hosts": [{"name": "h{n:01-10}", "vcpus": 32, "memory": "128 GiB", "disk": "4 TiB"}],
            "flavors": [
                {"name": "s", "vcpus": 1, "memory": "1 GiB", "disk": "10 GiB"},
                {"name": "l", "vcpus": 4, "memory": "8 GiB", "disk": "40 GiB"},
            ],
            "images": [{"name": "i", "size": "100 MiB"}],
            "nova": {"options": UNLIMITED},
        },
        "workload": [{"name": "users", "image": "i"} | workload],
        "run": {"duration": duration},
    })  # fmt: skip
    simulation = Simulation(scenario, 5)
    simulation.advance(finished=duration is None, deadline=scenario.run.duration)
    check(simulation.log.records)
    return simulation


def of(simulation: Simulation, kind: type[r.Record]) -> list[Any]:
    return [record for record in simulation.log.records if isinstance(record, kind)]


def test_a_run_is_over_when_the_last_server_is_deleted() -> None:
    done = run({"every": {"constant": "10 s"}, "lifetime": {"constant": "5 min"}, "count": 20})
    created, deleted = of(done, r.ServerCreated), of(done, r.ServerDeleted)
    assert len(created) == len(deleted) == 20
    assert {one.t for one in of(done, r.Request) if one.action == "create"} == {10.0 * n for n in range(1, 21)}
    for server in created:
        (ended,) = [one.t for one in deleted if one.server == server.server]
        assert ended - server.t == pytest.approx(300, abs=10)
    assert done.cloud.placement.used.sum() == 0


def test_flavors_come_by_their_weights() -> None:
    done = run({
        "every": {"constant": "1 s"}, "lifetime": {"constant": "1 min"}, "count": 400, "flavors": {"s": 3, "l": 1},
    })  # fmt: skip
    small = sum(one.flavor == "s" for one in of(done, r.ServerCreated))
    assert small == pytest.approx(300, abs=4 * (400 * 0.75 * 0.25) ** 0.5)


def test_a_trace_says_when_each_comes_and_goes(tmp_path: Path) -> None:
    path = tmp_path / "trace.csv"
    path.write_text("t,lifetime,flavor\n100,600,s\n50,,l\n", encoding="utf-8")
    done = run({"trace": str(path), "first": "1 h"})
    assert [(one.t, one.action) for one in of(done, r.Request)] == [
        (3650, "create"), (3700, "create"), (pytest.approx(4300, abs=1), "delete"),
    ]  # fmt: skip
    assert [server.flavor.name for server in done.cloud.db.servers.values() if not server.deleted] == ["l"]


def test_servers_from_volumes_hold_no_disk_of_their_hosts() -> None:
    done = run(
        {"every": {"constant": "10 s"}, "lifetime": {"constant": "1 h"}, "count": 3, "boot_from": "volume"}, "5 min"
    )
    assert done.cloud.placement.used[2].sum() == 0
    assert {server.status for server in done.cloud.db.servers.values()} == {"ACTIVE"}


def test_a_duration_ends_it_with_servers_alive() -> None:
    done = run({"every": {"constant": "1 min"}, "lifetime": {"constant": "1 d"}}, "1 h")
    assert done.env.now == 3600
    assert len(of(done, r.ServerCreated)) == 59
    assert of(done, r.ServerDeleted) == []


def test_what_is_refused_is_not_deleted() -> None:
    """Ten servers are what Nova's quota allows a project, before the first is deleted."""
    scenario = Scenario.model_validate({
        "cloud": {
            "hosts": [{"name": "h", "vcpus": 64, "memory": "256 GiB", "disk": "4 TiB"}],
            "flavors": [{"name": "s", "vcpus": 1, "memory": "1 GiB", "disk": "10 GiB"}],
        },
        "workload": [{"name": "users", "every": {"constant": "1 s"}, "lifetime": {"constant": "1 h"}, "count": 15}],
    })  # fmt: skip
    simulation = Simulation(scenario, 5)
    simulation.advance(finished=True)
    answers = [one.code for one in of(simulation, r.Answer)]
    assert (answers.count(202), answers.count(403), answers.count(204)) == (10, 5, 10)
