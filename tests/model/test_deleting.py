"""Deletes, in whatever state a server is; soft deletes, and what becomes of them."""

from __future__ import annotations

from typing import Any

import pytest
from ordinary import ask, cloud, create, events, lawful, of, states, until

from sim.eventlog import records as r


def delete(session: Any, name: str = "vm1") -> Any:
    answer = session.request(name, None, method="DELETE", microversion="2.90")
    session.settle()
    return answer


def gone(session: Any, name: str = "vm1") -> bool:
    return bool(of(session, r.ServerDeleted, name)) and session.allocations(name) == {}


def test_a_delete_takes_the_server_and_what_it_held() -> None:
    session = cloud()
    assert delete(session).code == 204
    assert gone(session)
    assert states(session, "vm1") == [("active", "deleting")]
    assert events(session, "vm1") == [("compute_terminate_instance", "Success", "h1")]
    lawful(session)


@pytest.mark.parametrize(
    ("body", "task"),
    [
        ({"os-stop": None}, "powering-off"), ({"reboot": {"type": "HARD"}}, "reboot_started_hard"),
        ({"suspend": None}, "suspending"), ({"rescue": {}}, "rescuing"), ({"shelve": None}, "shelving"),
        ({"migrate": None}, "resize_migrating"),
        ({"os-migrateLive": {"host": None, "block_migration": "auto"}}, "migrating"),
    ],
)  # fmt: skip
def test_a_server_can_be_deleted_in_the_midst_of_anything(body: dict[str, Any], task: str) -> None:
    session = cloud()
    session.request("vm1", body, microversion="2.90")
    until(session, "vm1", task)
    assert delete(session).code == 204
    assert gone(session)
    held = [dict(session.migration_allocations(move.id)) for move in session.migrations("vm1")]
    assert [one for one in held if one] == []
    lawful(session)


def test_a_server_that_waits_for_confirm_is_confirmed_first() -> None:
    session = cloud()
    ask(session, "vm1", {"migrate": None})
    assert session.server("vm1").status == "VERIFY_RESIZE"
    delete(session)
    assert gone(session)
    assert [move.status for move in session.migrations("vm1")] == ["confirmed"]
    assert [action.action for action in session.actions("vm1")] == ["migrate", "confirmResize", "delete"]
    lawful(session)


def test_a_server_whose_host_is_down_is_deleted_by_the_api_alone() -> None:
    session = cloud(plan=[{"at": "1 s", "fail": {"hosts": ["h1"], "kind": "crash"}}])
    session.run_until("100 s")
    assert delete(session).code == 204
    assert gone(session)
    assert [action.action for action in session.actions("vm1")] == ["delete"]
    assert session.actions("vm1")[0].events == ()
    lawful(session)


def test_a_server_without_a_host_is_deleted_at_once() -> None:
    session = cloud(hosts=1, servers=15)
    create(session)
    session.settle()
    assert session.server("new").status == "ERROR"
    began = session.now
    assert session.request("new", None, method="DELETE", microversion="2.90").code == 204
    (deleted,) = of(session, r.ServerDeleted, "new")
    assert deleted.t - began < 1
    lawful(session)


def test_a_deletion_that_a_crash_cut_short_is_finished_at_the_return() -> None:
    session = cloud()
    session.request("vm1", None, method="DELETE", microversion="2.90")
    session._simulation.cloud.host_failed(0, "crash", "test")
    session.run_for(30)
    assert session.server("vm1").task_state == "deleting"
    session._simulation.cloud.host_returned(0)
    session.settle()
    assert gone(session)
    lawful(session)


def test_a_deleted_member_makes_room_in_its_group() -> None:
    session = cloud(hosts=1, server={"group": "apart"}, server_groups=[{"name": "apart", "policy": "anti-affinity"}])
    create(session, "early", hints={"group": "apart"})
    session.settle()
    assert session.server("early").status == "ERROR"
    delete(session)
    create(session, "late", hints={"group": "apart"})
    session.settle()
    assert session.server("late").status == "ACTIVE"


# --- for now ----------------------------------------------------------------------------------------------------------


def test_a_soft_deleted_server_keeps_its_place_until_it_is_reclaimed() -> None:
    """_reclaim_queued_deletes runs every minute: not before the interval, at most a minute after it."""
    session = cloud(options={"reclaim_instance_interval": 3600})
    asked = session.now
    assert delete(session).code == 204
    server = session.server("vm1")
    assert (server.status, server.power_state, server.host) == ("SOFT_DELETED", 4, "h1")
    assert events(session, "vm1") == [("compute_soft_delete_instance", "Success", "h1")]
    assert session.allocations("vm1") != {}
    session.run_until(asked + 3600)
    assert not gone(session)
    session.run_until(asked + 3600 + 70)
    assert gone(session)
    assert len(session.actions("vm1")) == 1
    lawful(session)


def test_a_soft_deleted_server_can_be_restored_and_is_then_not_reclaimed() -> None:
    session = cloud(options={"reclaim_instance_interval": 600})
    delete(session)
    assert ask(session, "vm1", {"restore": None}).code == 202
    server = session.server("vm1")
    assert (server.status, server.power_state) == ("ACTIVE", 1)
    assert events(session, "vm1") == [("compute_restore_instance", "Success", "h1")]
    session.run_for("1 d")
    assert session.server("vm1").status == "ACTIVE"
    lawful(session)


def test_a_second_soft_delete_counts_from_itself() -> None:
    session = cloud(options={"reclaim_instance_interval": 600})
    delete(session)
    session.run_for(500)
    ask(session, "vm1", {"restore": None})
    delete(session)
    again = session.now
    session.run_until(again + 550)
    assert session.server("vm1").status == "SOFT_DELETED"
    session.run_until(again + 700)
    assert gone(session)


def test_a_server_that_was_soft_deleted_at_the_start_counts_from_then() -> None:
    session = cloud(options={"reclaim_instance_interval": 600}, server={"vm_state": "soft-delete"})
    session.run_until(600)
    assert not gone(session)
    session.run_until(670)
    assert gone(session)


def test_force_delete_does_not_wait() -> None:
    session = cloud(options={"reclaim_instance_interval": 3600})
    delete(session)
    assert ask(session, "vm1", {"forceDelete": None}).code == 202
    assert gone(session)
    lawful(session)


# --- what is left of moves --------------------------------------------------------------------------------------------


def test_a_migration_in_error_of_a_deleted_server_stays_so() -> None:
    """_cleanup_incomplete_migrations looks for it in vain: Nova deletes a server's migrations with its row."""
    session = cloud()
    session.request("vm1", {"os-migrateLive": {"host": None, "block_migration": "auto"}}, microversion="2.90")
    until(session, "vm1", "migrating")
    delete(session)
    assert [move.status for move in session.migrations("vm1")] == ["error"]
    session.run_for(1000)
    assert [move.status for move in session.migrations("vm1")] == ["error"]
    lawful(session)


def test_a_server_that_is_deleted_while_a_host_is_sought_for_it_stays_deleted() -> None:
    session = cloud(plan=[{"at": "1 s", "fail": {"hosts": ["h{n:1-3}"], "kind": "crash"}}])
    session.run_until("100 s")
    assert session.request("vm1", {"evacuate": {}}, microversion="2.90").code == 200
    session.request("vm1", None, method="DELETE", microversion="2.90")
    session.settle()
    assert gone(session)
    assert session.server("vm1").vm_state == "deleted"
    asked, deleted = session.actions("vm1")
    assert [(one.event, one.result) for one in asked.events] == [("rebuild_server", "Error")]
    assert asked.events[0].details == f"Instance {session.server('vm1').uuid} could not be found."
    assert deleted.action == "delete"
    assert [move.status for move in session.migrations("vm1")] == ["error"]
    assert of(session, r.ServerFault, "vm1") == []
    lawful(session)
