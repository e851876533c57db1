"""Shelving: what is snapshot, what is given back, when the periodic task comes, and the way back."""

from __future__ import annotations

from typing import Any

import pytest
from ordinary import DISK_GB, SMALL, ask, cloud, create, events, lawful, of, states, tasks

from sim.eventlog import records as r

GIB = 2**30
SHELVING: list[str | None] = ["shelving", "shelving_image_pending_upload", "shelving_image_uploading"]


def test_with_no_time_on_the_shelf_the_host_is_given_back_in_the_same_event() -> None:
    session = cloud(options={"shelved_offload_time": 0})
    assert ask(session, "vm1", {"shelve": None}).code == 202
    assert tasks(session, "vm1") == [*SHELVING, "shelving_offloading", None]
    assert ("shelved", "shelving_offloading") in states(session, "vm1")
    assert events(session, "vm1") == [("compute_shelve_instance", "Success", "h1")]
    server = session.server("vm1")
    assert (server.status, server.host, server.power_state) == ("SHELVED_OFFLOADED", None, 4)
    assert session.allocations("vm1") == {}
    lawful(session)


def test_a_server_that_stays_on_its_host_is_started_there() -> None:
    session = cloud(options={"shelved_offload_time": -1})
    ask(session, "vm1", {"shelve": None})
    assert (session.server("vm1").status, session.server("vm1").host) == ("SHELVED", "h1")
    assert session.allocations("vm1") == {"h1": SMALL}
    ask(session, "vm1", {"unshelve": None})
    assert tasks(session, "vm1") == [*SHELVING, None, "unshelving", "powering-on", None]
    assert events(session, "vm1") == [("compute_start_instance", "Success", "h1")]
    assert session.server("vm1").status == "ACTIVE"
    lawful(session)


def test_an_offloaded_server_comes_back_through_the_scheduler() -> None:
    session = cloud(options={"shelved_offload_time": 0})
    ask(session, "vm1", {"shelve": None})
    ask(session, "vm1", {"unshelve": None})
    server = session.server("vm1")
    assert (server.status, server.power_state) == ("ACTIVE", 1)
    assert events(session, "vm1") == [
        ("get_image_info", "Success", "conductor"), ("schedule_instances", "Success", "conductor"),
        ("compute_unshelve_instance", "Success", server.host),
    ]  # fmt: skip
    assert tasks(session, "vm1")[-3:] == ["unshelving", "spawning", None]
    assert session.allocations("vm1") == {server.host: SMALL}
    image = [one for one in of(session, r.Step, "vm1") if one.step == "image"]
    assert [one.t - one.began for one in image] == [pytest.approx(0.5 * DISK_GB * GIB / 1.17e8)]
    lawful(session)


def test_nothing_is_kept_of_a_shelf_s_image() -> None:
    session = cloud(hosts=1, options={"shelved_offload_time": 0})
    for _ in range(2):
        ask(session, "vm1", {"shelve": None})
        ask(session, "vm1", {"unshelve": None})
    assert sum(one.step == "image" for one in of(session, r.Step, "vm1")) == 2


def test_a_server_that_boots_from_a_volume_is_offloaded_at_once_without_a_snapshot() -> None:
    session = cloud(options={"shelved_offload_time": -1}, server={"boot_from": "volume"})
    ask(session, "vm1", {"shelve": None})
    assert tasks(session, "vm1") == ["shelving", None]
    assert events(session, "vm1") == [("compute_shelve_offload_instance", "Success", "h1")]
    assert session.server("vm1").status == "SHELVED_OFFLOADED"
    ask(session, "vm1", {"unshelve": None})
    assert [event for event, _, _ in events(session, "vm1")][:2] == ["schedule_instances", "compute_unshelve_instance"]
    lawful(session)


def test_the_periodic_task_offloads_what_has_been_shelved_long_enough() -> None:
    """It runs every shelved_poll_interval on each host: not before the time, at most one interval after it."""
    session = cloud(options={"shelved_offload_time": 1000, "shelved_poll_interval": 600})
    ask(session, "vm1", {"shelve": None})
    shelved = session.now
    session.run_for(999)
    assert session.server("vm1").status == "SHELVED"
    session.run_for(605)
    assert session.server("vm1").status == "SHELVED_OFFLOADED"
    (began,) = [one.t for one in of(session, r.ServerState, "vm1") if one.task_state == "shelving_offloading"]
    assert 1000 < began - shelved <= 1600
    assert ("compute_shelve_offload_instance", "Success", "h1") in events(session, "vm1")
    lawful(session)


def test_a_server_that_was_shelved_at_the_start_counts_from_then() -> None:
    options = {"shelved_offload_time": 1000, "shelved_poll_interval": 600}
    session = cloud(options=options, server={"vm_state": "shelved"})
    session.run_until(1000)
    assert session.server("vm1").status == "SHELVED"
    session.run_until(1610)
    assert session.server("vm1").status == "SHELVED_OFFLOADED"


@pytest.mark.parametrize("options", [{"shelved_poll_interval": -1}, {"periodic_enable": False}])
def test_without_its_periodic_task_nothing_leaves_the_shelf(options: dict[str, Any]) -> None:
    session = cloud(options={"shelved_offload_time": 10} | options)
    ask(session, "vm1", {"shelve": None})
    session.run_for("1 d")
    assert session.server("vm1").status == "SHELVED"


def test_a_server_that_was_taken_from_the_shelf_is_left_alone() -> None:
    session = cloud(options={"shelved_offload_time": 1000, "shelved_poll_interval": 600})
    ask(session, "vm1", {"shelve": None})
    ask(session, "vm1", {"unshelve": None})
    session.run_for("1 d")
    assert session.server("vm1").status == "ACTIVE"


def test_no_host_leaves_it_on_the_shelf() -> None:
    session = cloud(hosts=1, options={"shelved_offload_time": 0})
    ask(session, "vm1", {"shelve": None})
    create(session, "others", min_count=15, max_count=15)
    session.settle()
    answer = ask(session, "vm1", {"unshelve": None})
    assert answer.code == 202
    event, result, _ = events(session, "vm1")[-1]
    assert (event, result) == ("schedule_instances", "Error")
    server = session.server("vm1")
    assert (server.status, server.task_state, server.fault) == ("SHELVED_OFFLOADED", None, None)


def test_a_spawn_that_fails_leaves_it_on_the_shelf_with_a_fault() -> None:
    session = cloud(hosts=2, fails={"h2": ["build"]}, options={"shelved_offload_time": 0})
    ask(session, "vm1", {"shelve": None})
    assert ask(session, "vm1", {"unshelve": {"availability_zone": None, "host": "h2"}}, version="2.91").code == 202
    server = session.server("vm1")
    assert (server.status, server.task_state, server.host) == ("SHELVED_OFFLOADED", None, None)
    assert [one.message for one in of(session, r.ServerFault, "vm1")] == ["build fails on h2"]
    assert events(session, "vm1")[-1] == ("compute_unshelve_instance", "Error", "h2")
    assert session.allocations("vm1") == {}
    lawful(session)
