"""Power, pause, suspend: Nova's states and events, guests that obey and guests that do not."""

from __future__ import annotations

from typing import Any

import pytest
from ordinary import ask, cloud, events, lawful, of, states, tasks, until

from sim.eventlog import records as r

RUNNING, PAUSED, SHUTDOWN = 1, 3, 4

CASES: list[tuple[list[dict[str, Any]], str, list[str | None], str, int]] = [
    ([{"os-stop": None}], "compute_stop_instance", ["powering-off", None], "SHUTOFF", SHUTDOWN),
    ([{"os-stop": None}, {"os-start": None}], "compute_start_instance", ["powering-on", None], "ACTIVE", RUNNING),
    ([{"pause": None}], "compute_pause_instance", ["pausing", None], "PAUSED", PAUSED),
    ([{"pause": None}, {"unpause": None}], "compute_unpause_instance", ["unpausing", None], "ACTIVE", RUNNING),
    ([{"suspend": None}], "compute_suspend_instance", ["suspending", None], "SUSPENDED", SHUTDOWN),
    ([{"suspend": None}, {"resume": None}], "compute_resume_instance", ["resuming", None], "ACTIVE", RUNNING),
    (
        [{"reboot": {"type": "SOFT"}}], "compute_reboot_instance",
        ["rebooting", "reboot_pending", "reboot_started", None], "ACTIVE", RUNNING,
    ),
    (
        [{"reboot": {"type": "HARD"}}], "compute_reboot_instance",
        ["rebooting_hard", "reboot_pending_hard", "reboot_started_hard", None], "ACTIVE", RUNNING,
    ),
]  # fmt: skip
"""Requests, event of the last, its tasks, status and power state after it; from Nova's compute/manager.py."""


@pytest.mark.parametrize(("bodies", "event", "done", "status", "power"), CASES)
def test_the_last_of_these_goes_through_nova_s_tasks(
    bodies: list[dict[str, Any]], event: str, done: list[str | None], status: str, power: int
) -> None:  # fmt: skip
    session = cloud()
    for body in bodies:
        assert ask(session, "vm1", body).code == 202
    server = session.server("vm1")
    assert tasks(session, "vm1")[-len(done) :] == done
    assert events(session, "vm1") == [(event, "Success", "h1")]
    assert (server.status, server.power_state, server.host) == (status, power, "h1")
    lawful(session)


def test_a_guest_that_does_not_obey_is_powered_off_after_shutdown_timeout() -> None:
    session = cloud(options={"shutdown_timeout": 25}, timings={"profile": "default", "stop": "90 s"})
    ask(session, "vm1", {"os-stop": None})
    (step,) = [one for one in of(session, r.Step, "vm1") if one.step == "stop"]
    assert step.t - step.began == pytest.approx(25)
    assert session.server("vm1").status == "SHUTOFF"


def test_the_image_may_give_its_guests_another_time() -> None:
    images = [{"name": "i", "size": "1 GiB", "properties": {"os_shutdown_timeout": "7"}}]
    session = cloud(images=images, timings={"profile": "default", "stop": "90 s"})
    ask(session, "vm1", {"os-stop": None})
    (step,) = [one for one in of(session, r.Step, "vm1") if one.step == "stop"]
    assert step.t - step.began == pytest.approx(7)


def test_a_guest_that_boots_hears_only_a_signal_that_is_sent_again() -> None:
    """Signals after 0, 10 and 21 s (libvirt waits 10 s, then 11 s each); the guest hears after 15 s."""
    timings = {"profile": "default", "stop": "2 s", "guest_boot": "15 s", "api": "0 s"}
    session = cloud(timings=timings)
    ask(session, "vm1", {"os-stop": None})
    ask(session, "vm1", {"os-start": None})
    ask(session, "vm1", {"os-stop": None})
    first, second = [one for one in of(session, r.Step, "vm1") if one.step == "stop"]
    assert first.t - first.began == pytest.approx(2)
    assert second.t - second.began == pytest.approx(21 + 2)


def test_a_guest_that_ignores_a_soft_reboot_gets_a_hard_one() -> None:
    timings = {"profile": "default", "reboot_soft": "300 s", "reboot_hard": "4 s", "guest_boot": "10 s"}
    session = cloud(options={"libvirt": {"wait_soft_reboot_seconds": 30}}, timings=timings)
    ask(session, "vm1", {"reboot": {"type": "SOFT"}})
    (step,) = [one for one in of(session, r.Step, "vm1") if one.step.startswith("reboot")]
    assert step.t - step.began == pytest.approx(30 + 4)
    (down,) = of(session, r.Downtime, "vm1")
    assert (down.cause, down.t - down.began) == ("reboot", pytest.approx(30 + 4 + 10))


def test_a_hard_reboot_starts_a_stopped_server() -> None:
    session = cloud()
    ask(session, "vm1", {"os-stop": None})
    ask(session, "vm1", {"reboot": {"type": "HARD"}})
    assert states(session, "vm1")[-1] == ("active", None)
    assert of(session, r.Downtime, "vm1") == []


def test_a_server_that_is_reset_meanwhile_is_not_written_over() -> None:
    """Nova's save expects the task that it set; os-resetState has taken it away."""
    session = cloud()
    session.request("vm1", {"os-stop": None}, microversion="2.90")
    session.request("vm1", {"os-resetState": {"state": "error"}}, microversion="2.90")
    session.settle()
    server = session.server("vm1")
    assert (server.vm_state, server.task_state) == ("error", None)
    assert server.fault is not None
    assert server.fault.message == (
        f"Conflict updating instance {server.uuid}. Expected: {{'task_state': ['powering-off']}}. "
        "Actual: {'task_state': None}"
    )
    stop = next(action for action in session.actions("vm1") if action.action == "stop")
    assert [event.result for event in stop.events] == ["Error"]
    lawful(session)


def test_an_order_waits_while_its_host_is_silent() -> None:
    """The service still counts as up, so the API takes it; the message lies in the queue until somebody reads it."""
    session = cloud(plan=[{"at": "1 s", "fail": {"hosts": ["h1"], "kind": "hang", "repair": {"constant": "40 s"}}}])
    session.run_until("2 s")
    assert session.request("vm1", {"os-stop": None}, microversion="2.90").code == 202
    session.run_until("40 s")
    assert session.server("vm1").task_state == "powering-off"
    assert session.actions("vm1")[-1].events == ()
    until(session, "vm1", None)
    assert session.now > 41
    assert session.server("vm1").status == "SHUTOFF"
