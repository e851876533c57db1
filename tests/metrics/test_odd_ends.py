"""What a run says of copies that broke, of guests that were lost, and of requests that were refused."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest
from synthetic import log

import sim
from sim.metrics.answer import Answer, answer
from sim.metrics.servers import needs
from sim.metrics.source import as_records
from sim.metrics.words import grouped
from sim.plots.report import report

MOVE = {"server": "vm", "body": {"os-migrateLive": {"host": "h2", "block_migration": "auto"}}, "microversion": "2.90"}
FORCE = {"server": "vm", "migration": "last", "body": {"force_complete": None}, "microversion": "2.90"}
REBOOT = {"server": "vm", "body": {"reboot": {"type": "HARD"}}, "microversion": "2.90"}


def played(*steps: dict[str, Any], nic: str = "5 Gbit/s", post_copy: bool = True) -> tuple[Answer, list[str]]:
    """The answer, and the kinds of needs at the end: a guest that dirties faster than the link leaves h1."""
    scenario = sim.Scenario.model_validate({
        "cloud": {
            "hosts": [{"name": "h{n:1-2}", "vcpus": 8, "memory": "64 GiB", "disk": "1 TiB", "nic": nic}],
            "flavors": [{"name": "m", "vcpus": 2, "memory": "16 GiB", "disk": "40 GiB"}],
            "servers": [{"name": "vm", "flavor": "m", "host": "h1", "activity": "hog"}],
            "network": {"kind": "star"},
            "storage": {"instances": "shared"},
            "nova": {"options": {"libvirt.live_migration_permit_post_copy": post_copy}},
        },
        "plan": [{"at": "1 s", "request": MOVE}, *steps],
    })  # fmt: skip
    records = as_records(sim.run(scenario, seed=1))
    return answer(records), needs(records)["kind"].to_list()


def dies(at: float) -> dict[str, Any]:
    return {"at": f"{at} s", "link": {"links": ["h1:up"], "capacity": "0 B/s"}}


def test_a_guest_that_was_lost_in_post_copy_needs_a_person_whatever_its_status() -> None:
    told, kinds = played({"at": "60 s", "request": FORCE}, dies(64.0))
    assert kinds == ["guest-lost"]
    assert "guest was lost" in told.failed_reasons[0].reason
    assert "hard reboot" in told.humans[0].advice


def test_a_hard_reboot_is_what_it_needed() -> None:
    told, kinds = played({"at": "60 s", "request": FORCE}, dies(64.0), {"at": "150 s", "request": REBOOT})
    assert kinds == []
    assert told.humans == []
    assert told.downtime.sum > 150 - 64 - 30  # missed since the connection counted as lost


@pytest.mark.parametrize("at", [1.2, 2.0, 5.0, 6.4, 20.0, 60.0])
def test_a_link_that_dies_before_post_copy_costs_the_move_and_no_guest(at: float) -> None:
    told, kinds = played(dies(at))
    assert (told.moved, told.failed, kinds) == (0, 1, [])
    assert told.failed_reasons[0].reason == "its copy lost the connection between the hosts"
    assert told.downtime.sum == 0.0


def test_a_request_that_was_refused_is_told() -> None:
    """A faster link: the migration has ended when somebody forces it to its end."""
    told, _ = played({"at": "300 s", "request": FORCE}, nic="100 Gbit/s")
    assert told.moved == 1
    assert [(one.count, one.servers) for one in told.refused_reasons] == [(1, ("vm",))]
    assert told.refused_reasons[0].reason.startswith("force_complete: ")


@pytest.mark.parametrize(("again", "moved"), [(2.0, 1), (300.0, 0)])
def test_who_is_asked_again_in_the_midst_of_a_move_has_moved(again: float, moved: int) -> None:
    """The API refuses the second request while the first one's move is under way; after it, that is the last word."""
    told, _ = played({"at": f"{again} s", "request": MOVE}, nic="100 Gbit/s")
    assert (told.moved, told.failed, told.asked) == (moved, 1 - moved, 1)


def test_servers_that_nobody_was_let_create_are_told() -> None:
    """A workload beyond Nova's own quota of ten instances: without a word the cloud would seem to have taken all."""
    scenario = sim.Scenario.model_validate({
        "cloud": {
            "hosts": [{"name": "h1", "vcpus": 64, "memory": "256 GiB", "disk": "4 TiB"}],
            "flavors": [{"name": "f", "vcpus": 1, "memory": "1 GiB", "disk": "1 GiB"}],
            "images": [{"name": "linux", "size": "1 GiB"}],
        },
        "workload": [{"name": "users", "every": "1 min", "lifetime": "1 day", "image": "linux"}],
        "run": {"duration": "20 min"},
    })  # fmt: skip
    run = sim.run(scenario, seed=1)
    made = run.table("requests").filter(pl.col("action") == "create")
    refused = made.filter(pl.col("code") == 403).height
    assert made.filter(pl.col("code") == 202).height == 10
    assert refused >= 8
    told = run.answer()
    assert [(one.count, one.servers) for one in told.refused_reasons] == [(refused, ())]
    assert told.refused_reasons[0].reason.startswith("create: Quota exceeded for instances")
    assert "What else the API refused" in report(run)
    assert "Quota exceeded" not in report(log())


@pytest.mark.parametrize(("resumes", "kinds"), [(False, ["not-started", "not-started"]), (True, [])])
def test_guests_that_nobody_started_after_their_host_came_back(resumes: bool, kinds: list[str]) -> None:
    scenario = sim.Scenario.model_validate({
        "cloud": {
            "hosts": [{"name": "h{n:1-2}", "vcpus": 8, "memory": "64 GiB", "disk": "1 TiB"}],
            "flavors": [{"name": "m", "vcpus": 2, "memory": "4 GiB", "disk": "40 GiB"}],
            "servers": [{"name": "vm-{n:1-2}", "flavor": "m", "host": "h1"},
                        {"name": "off", "flavor": "m", "host": "h1", "vm_state": "stopped"}],
            "nova": {"options": {"resume_guests_state_on_host_boot": resumes}},
        },
        "plan": [{"at": "1 min", "fail": {"hosts": ["h1"], "repair": {"constant": "5 min"}}}],
        "run": {"duration": "1 h"},
    })  # fmt: skip
    records = as_records(sim.run(scenario, seed=1))
    assert needs(records)["kind"].to_list() == kinds
    assert all("start it" in one.advice for one in answer(records).humans)


def test_of_reasons_that_are_one_only_what_differs_is_left_out() -> None:
    told = [(name, f"Cannot 'os-migrateLive' instance {name} while it is in vm_state error") for name in ("b1", "b2")]
    assert grouped(told, ["b1", "b2"]) == [
        ("Cannot 'os-migrateLive' instance … while it is in vm_state error", ["b1", "b2"])
    ]
    assert grouped(told[:1], ["b1"]) == [(told[0][1], ["b1"])]
    quoted = [("x", "No host 'a b' in 3 tries."), ("y", "No host 'c' in 3 tries.")]
    assert grouped(quoted) == [("No host '…' in … tries.", ["x", "y"])]
