"""What nova-compute does at its return with what a crash has left: Nova's _init_instance and _sync_power_states."""

from __future__ import annotations

from typing import Any

import pytest
from ordinary import ask, cloud, events, lawful, of, until

from sim.eventlog import records as r

BACK_S = 300.0


def crash(session: Any, kind: str = "crash") -> None:
    """The first host dies, and comes back."""
    session._simulation.cloud.host_failed(0, kind, "test")
    session.run_for(BACK_S)
    session._simulation.cloud.host_returned(0)


CUT_SHORT: list[tuple[dict[str, Any], str, tuple[str, str | None, int]]] = [
    ({"os-stop": None}, "powering-off", ("stopped", None, 4)),
    ({"reboot": {"type": "SOFT"}}, "reboot_started", ("active", None, 1)),
    ({"reboot": {"type": "HARD"}}, "reboot_started_hard", ("active", None, 1)),
    ({"createImage": {"name": "x"}}, "image_uploading", ("active", None, 1)),
    ({"pause": None}, "pausing", ("active", "pausing", 1)),
    ({"suspend": None}, "suspending", ("active", "suspending", 1)),
    ({"rescue": {}}, "rescuing", ("active", "rescuing", 1)),
    ({"shelve": None}, "shelving_image_uploading", ("active", "shelving_image_uploading", 1)),
]
"""Request, its task at the crash, and the state after _init_instance: retried, given up, or stuck."""


@pytest.mark.parametrize(("body", "task", "after"), CUT_SHORT)
def test_an_operation_that_a_crash_cut_short(
    body: dict[str, Any], task: str, after: tuple[str, str | None, int]
) -> None:  # fmt: skip
    session = cloud(options={"sync_power_state_interval": -1})
    session.request("vm1", body, microversion="2.90")
    until(session, "vm1", task)
    crash(session)
    session.settle()
    server = session.server("vm1")
    assert (server.vm_state, server.task_state, server.power_state) == after
    lawful(session)


def test_work_that_is_taken_up_again_is_an_event_of_the_same_action() -> None:
    session = cloud()
    session.request("vm1", {"os-stop": None}, microversion="2.90")
    until(session, "vm1", "powering-off")
    session.run_for(1)
    crash(session)
    session.settle()
    assert [action.action for action in session.actions("vm1")] == ["stop"]
    assert [event for event, _, _ in events(session, "vm1")] == ["compute_stop_instance"] * 2
    assert [one.result for one in of(session, r.EventFinished, "vm1")] == ["Success"]


def test_a_stopped_server_whose_start_was_cut_short_starts() -> None:
    session = cloud()
    ask(session, "vm1", {"os-stop": None})
    session.request("vm1", {"os-start": None}, microversion="2.90")
    until(session, "vm1", "powering-on")
    crash(session)
    session.settle()
    assert session.server("vm1").status == "ACTIVE"
    lawful(session)


def test_guests_that_were_lost_are_found_off_and_stopped_as_by_a_user() -> None:
    """_sync_power_states runs once at the start, within periodic_fuzzy_delay."""
    session = cloud(servers=3)
    ask(session, "vm2", {"os-stop": None})
    ask(session, "vm3", {"pause": None})
    crash(session)
    back = session.now
    session.run_for(70)
    assert [session.server(f"vm{n}").status for n in (1, 2, 3)] == ["SHUTOFF"] * 3
    assert [action.action for action in session.actions("vm1")] == ["stop"]
    assert [action.action for action in session.actions("vm2")] == ["stop"]
    assert of(session, r.ServerState, "vm1")[0].t - back <= 60
    lawful(session)


def test_the_downtime_of_a_lost_guest_lasts_until_it_serves_again() -> None:
    timings = {"profile": "default", "start": "3 s", "guest_boot": "20 s"}
    session = cloud(timings=timings)
    died = session.now
    crash(session)
    session.run_for(1000)
    ask(session, "vm1", {"os-start": None})
    (down,) = of(session, r.Downtime, "vm1")
    (started,) = [one.t for one in of(session, r.Step, "vm1") if one.step == "start"]
    assert down.cause == "host-failure"
    assert (down.began, down.t) == (died, pytest.approx(started + 20))


def test_resume_guests_state_on_host_boot_starts_what_ran() -> None:
    timings = {"profile": "default", "reboot_hard": "4 s", "guest_boot": "20 s"}
    session = cloud(servers=2, options={"resume_guests_state_on_host_boot": True}, timings=timings)
    ask(session, "vm2", {"os-stop": None})
    died = session.now
    crash(session, "reboot")
    session.run_for("1 h")
    assert [session.server(name).status for name in ("vm1", "vm2")] == ["ACTIVE", "SHUTOFF"]
    assert session.actions("vm1") == []
    (down,) = of(session, r.Downtime, "vm1")
    assert (down.cause, down.t - died) == ("host-reboot", pytest.approx(BACK_S + 4 + 20))
    lawful(session)


def test_a_server_with_a_task_is_looked_at_again_at_the_next_run() -> None:
    session = cloud(options={"sync_power_state_interval": 100})
    session.request("vm1", {"pause": None}, microversion="2.90")
    until(session, "vm1", "pausing")
    crash(session)
    session.run_for(90)
    assert session.server("vm1").task_state == "pausing"
    ask(session, "vm1", {"os-resetState": {"state": "active"}})
    session.run_for(110)
    assert session.server("vm1").status == "SHUTOFF"
    lawful(session)


def test_a_service_that_was_only_silent_goes_on_with_its_work() -> None:
    session = cloud(timings={"profile": "default", "stop": "30 s"})
    session.request("vm1", {"os-stop": None}, microversion="2.90")
    session.run_for(1)
    crash(session, "hang")
    session.settle()
    assert session.server("vm1").status == "SHUTOFF"
    assert events(session, "vm1") == [("compute_stop_instance", "Success", "h1")]
    session.run_for("1 h")
    assert of(session, r.Downtime, "vm1") == []


def test_a_server_that_was_evacuated_meanwhile_is_left_where_it_is() -> None:
    session = cloud(hosts=2)
    session._simulation.cloud.host_failed(0, "crash", "test")
    session.run_for(100)
    assert session.request("vm1", {"evacuate": {}}, microversion="2.90").code == 200
    session.settle()
    session._simulation.cloud.host_returned(0)
    session.run_for(700)
    server = session.server("vm1")
    assert (server.status, server.host) == ("ACTIVE", "h2")
    assert list(session.allocations("vm1")) == ["h2"]
    lawful(session)


def test_an_evacuated_server_that_comes_home_is_well_there() -> None:
    """What was lost with the host was the old guest; the new one lives on through both moves."""
    session = cloud(hosts=2, timings={"profile": "default", "guest_boot": "20 s"})
    session._simulation.cloud.host_failed(0, "crash", "test")
    session.run_for(100)
    session.request("vm1", {"evacuate": {}}, microversion="2.90")
    session.settle()
    (down,) = of(session, r.Downtime, "vm1")
    assert (down.began, down.cause) == (0, "evacuation")
    session._simulation.cloud.host_returned(0)
    session.run_for(700)
    ask(session, "vm1", {"os-migrateLive": {"host": None, "block_migration": "auto"}})
    assert session.server("vm1").host == "h1"
    ask(session, "vm1", {"os-stop": None})
    (stop,) = [one for one in of(session, r.Step, "vm1") if one.step == "stop"]
    assert stop.t - stop.began > 1
    lawful(session)
