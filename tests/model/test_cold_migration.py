"""Cold migrations and resizes: what is held, how long it takes, who is asked next, what confirm and revert leave."""

from __future__ import annotations

from typing import Any

import pytest

from sim.eventlog import records as r
from sim.runs.session import Session
from tests.model.moves import (
    DISK_BPS,
    LARGE,
    LOCAL_BPS,
    ROOT_B,
    SMALL,
    STAGES,
    ask,
    cloud,
    held,
    migrate,
    resize,
    statuses,
    steps,
    when,
)
from tests.model.ordinary import events, of, tasks

CHOSEN = ("conductor", "scheduler", "prep_resize")
MOVED = (*CHOSEN, "shutdown", "resize_disk", "finish_resize")


def spent(*stages: str) -> float:
    return sum(STAGES[stage] for stage in stages)


# --- capacity ---------------------------------------------------------------------------------------------------------


def test_capacity_is_taken_twice_until_confirm() -> None:
    session = cloud()
    migrate(session)
    session.settle()
    assert session.server("vm1").status == "VERIFY_RESIZE"
    assert held(session) == ({"h2": SMALL}, {"h1": SMALL})
    ask(session, {"confirmResize": None})
    session.settle()
    assert session.server("vm1").status == "ACTIVE"
    assert held(session) == ({"h2": SMALL}, {})


def test_a_resize_holds_the_old_size_at_the_source_and_the_new_one_at_the_destination() -> None:
    session = cloud()
    resize(session)
    session.settle()
    assert held(session) == ({"h2": LARGE}, {"h1": SMALL})
    assert session.server("vm1").flavor == "large"
    ask(session, {"revertResize": None})
    session.settle()
    server = session.server("vm1")
    assert (server.status, server.host, server.flavor) == ("ACTIVE", "h1", "small")
    assert held(session) == ({"h1": SMALL}, {})


@pytest.mark.parametrize(("vcpus", "status"), [(3, "VERIFY_RESIZE"), (2, "ACTIVE")])
def test_a_resize_on_its_own_host_needs_room_for_both_sizes(vcpus: int, status: str) -> None:
    session = cloud(hosts=1, vcpus={"h1": vcpus}, options={"allow_resize_to_same_host": True})
    resize(session)
    session.settle()
    assert session.server("vm1").status == status
    if status == "ACTIVE":
        assert held(session) == ({"h1": SMALL}, {})
        assert session.actions("vm1")[-1].events[0].details == (
            "No valid host was found. No valid host found for resize"
        )
        return
    assert held(session) == ({"h1": LARGE}, {"h1": SMALL})
    ask(session, {"confirmResize": None})
    session.settle()
    assert held(session) == ({"h1": LARGE}, {})


def test_a_migration_never_stays_on_its_host() -> None:
    session = cloud(hosts=1, options={"allow_resize_to_same_host": True})
    migrate(session)
    session.settle()
    assert (session.server("vm1").status, statuses(session)) == ("ACTIVE", ["pre-migrating", "error"])
    assert held(session) == ({"h1": SMALL}, {})


# --- time -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("more", "copy_s"),
    [
        ({}, ROOT_B / DISK_BPS),
        ({"storage": {"instances": "shared"}}, ROOT_B / LOCAL_BPS),
        ({"server": {"boot_from": "volume"}}, 0.0),
        ({"server": {"disk_used": 0.1}}, 0.1 * 20 * 2**30 / DISK_BPS),
        ({"server": {"flavor": "scratch"}}, ROOT_B / DISK_BPS + 0.5 * 8 * 2**30 / DISK_BPS),
        ({"network": {"kind": "star"}, "timings": {"disk_stream": "9 GB/s"}}, ROOT_B / (10e9 / 8 * 0.9416)),
    ],
    ids=["local", "shared", "volume", "nearly empty", "ephemeral too, swap not", "the link is slower"],
)
def test_a_migration_takes_its_stages_and_its_bytes(more: dict[str, Any], copy_s: float) -> None:
    session = cloud(**more)
    answered = migrate(session)
    session.settle()
    assert when(session, "finished") - answered == pytest.approx(spent(*MOVED) + copy_s)


def test_disks_go_one_after_another() -> None:
    session = cloud(server={"flavor": "scratch"})
    migrate(session)
    session.settle()
    root, ephemeral = steps(session, "copy_disk")
    assert root.t - root.began == pytest.approx(ROOT_B / DISK_BPS)
    assert ephemeral.began == pytest.approx(root.t)


def test_two_copies_share_the_source_s_cable() -> None:
    alone, both = (
        cloud(servers=2, timings={"disk_stream": "9 GB/s"}),
        cloud(servers=2, timings={"disk_stream": "9 GB/s"}),
    )
    migrate(alone)
    alone.settle()
    for name in ("vm1", "vm2"):
        both.request(name, {"migrate": None}, microversion="2.90")
    both.settle()
    (one,), (first,), (second,) = steps(alone, "copy_disk"), steps(both, "copy_disk"), steps(both, "copy_disk", "vm2")
    lag = second.began - first.began
    # Alone for the lag, then at half the speed; the second alone again at the end.
    assert first.t - first.began == pytest.approx(2 * (one.t - one.began) - lag)
    assert second.t - first.t == pytest.approx(lag)


@pytest.mark.parametrize(
    ("more", "seconds"),
    [
        ({}, 5.0),
        ({"timings": {"shutdown": "100 s"}}, 60.0),
        ({"timings": {"shutdown": "100 s"}, "options": {"shutdown_timeout": 33}}, 33.0),
        ({"server": {"image": "hasty"}}, 3.0),
        ({"server": {"vm_state": "stopped"}}, 0.0),
    ],
    ids=["it obeys", "it does not", "the operator's patience", "the image's", "it is off"],
)
def test_a_guest_is_given_time_to_shut_down(more: dict[str, Any], seconds: float) -> None:
    session = cloud(**more)
    migrate(session)
    session.settle()
    (shutdown,) = steps(session, "shutdown")
    assert shutdown.t - shutdown.began == pytest.approx(seconds)


@pytest.mark.parametrize("cause", ["migration", "resize"])
def test_the_guest_is_missed_from_its_stop_until_it_serves_again(cause: str) -> None:
    session = cloud()
    (migrate if cause == "migration" else resize)(session)
    session.settle()
    (shutdown,), (down,) = steps(session, "shutdown"), of(session, r.Downtime, "vm1")
    assert (down.cause, down.began) == (cause, shutdown.t)
    away = spent("resize_disk", "finish_resize", "guest_boot") + ROOT_B / DISK_BPS
    assert down.t - down.began == pytest.approx(away)
    ask(session, {"revertResize": None})
    session.settle()
    back = of(session, r.Downtime, "vm1")[1]
    assert back.t - back.began == pytest.approx(spent("revert_dest", "revert_source", "guest_boot"))


@pytest.mark.parametrize("end", ["confirmResize", "revertResize"])
def test_a_stopped_server_stays_stopped_and_nobody_misses_it(end: str) -> None:
    session = cloud(server={"vm_state": "stopped"})
    migrate(session)
    session.settle()
    ask(session, {end: None})
    session.settle()
    server = session.server("vm1")
    assert (server.status, server.power_state) == ("SHUTOFF", 4)
    assert of(session, r.Downtime, "vm1") == []
    assert ("compute_stop_instance", "Success", "h1") in events(session, "vm1") or end == "confirmResize"


def test_confirm_and_revert_take_their_stages() -> None:
    session = cloud(servers=2)
    for name in ("vm1", "vm2"):
        migrate(session, name)
    session.settle()
    ask(session, {"confirmResize": None}, "vm1")
    answered = session.now
    session.settle()
    assert when(session, "confirmed", 1) - answered == pytest.approx(STAGES["confirm"])
    ask(session, {"revertResize": None}, "vm2")
    answered = session.now
    session.settle()
    assert when(session, "reverted", 2) - answered == pytest.approx(STAGES["revert_dest"])
    back = max(one.t for one in of(session, r.ServerState, "vm2"))
    assert back - answered == pytest.approx(spent("revert_dest", "revert_source"))


def test_the_tasks_of_a_move_in_order() -> None:
    session = cloud()
    migrate(session)
    session.settle()
    assert tasks(session, "vm1") == ["resize_prep", "resize_migrating", "resize_migrated", "resize_finish", None]
    assert statuses(session) == ["pre-migrating", "pre-migrating", "migrating", "post-migrating", "finished"]
    ask(session, {"revertResize": None})
    session.settle()
    assert tasks(session, "vm1")[5:] == ["resize_reverting", None]
    assert statuses(session)[5:] == ["reverting", "reverted"]


# --- who is asked next ------------------------------------------------------------------------------------------------


def full(*hosts: str) -> dict[str, list[str]]:
    return {host: ["resize_claim"] for host in hosts}


def tried(session: Session) -> list[str]:
    return [one.host for one in of(session, r.EventStarted, "vm1") if one.event == "compute_prep_resize"]


@pytest.mark.parametrize("attempts", [1, 2, 3, 5])
def test_so_many_attempts_are_so_many_hosts_and_one_question(attempts: int) -> None:
    session = cloud(hosts=9, fails=full(*[f"h{n}" for n in range(2, 10)]), options={"scheduler.max_attempts": attempts})
    migrate(session)
    session.settle()
    assert tried(session) == [f"h{number}" for number in range(2, 2 + attempts)]
    assert len(of(session, r.Decision, "vm1")) == 1
    server = session.server("vm1")
    assert (server.status, server.host, server.fault.code if server.fault else None) == ("ERROR", "h1", 400)
    assert server.fault is not None
    assert server.fault.message == f"Insufficient compute resources: resize claim fails on h{1 + attempts}."
    assert held(session) == ({"h1": SMALL}, {})


def test_the_next_alternate_takes_the_server() -> None:
    session = cloud(hosts=5, fails=full("h2", "h3"))
    answered = migrate(session)
    session.settle()
    assert tried(session) == ["h2", "h3", "h4"]
    assert held(session) == ({"h4": SMALL}, {"h1": SMALL})
    again = 2 * spent("claim_failure", "conductor")
    assert when(session, "migrating") - answered == pytest.approx(spent(*CHOSEN) + again)


def test_a_named_host_is_not_left_for_another() -> None:
    session = cloud(hosts=5, fails=full("h3"))
    migrate(session, host="h3")
    session.settle()
    assert (tried(session), session.server("vm1").status) == (["h3"], "ERROR")
    assert held(session) == ({"h1": SMALL}, {})


def test_an_alternate_that_has_filled_up_meanwhile_is_passed_over() -> None:
    session = cloud(hosts=4, fails=full("h2"), vcpus={"h3": 1}, servers=2)
    migrate(session)
    migrate(session, "vm2", host="h3")
    session.settle()
    assert tried(session) == ["h2", "h4"]
    assert session.server("vm2").host == "h3"
    assert held(session) == ({"h4": SMALL}, {"h1": SMALL})


def test_two_of_a_group_that_must_not_meet_meet_at_the_claim() -> None:
    """The scheduler sees neither on its way; the second claim does, and its server goes on to the next host."""
    session = cloud(
        hosts=5, server_groups=[{"name": "g", "policy": "anti-affinity"}],
        servers=[{"name": f"vm{number}", "flavor": "small", "image": "i", "host": f"h{number}", "group": "g"}
                 for number in (1, 2)],
    )  # fmt: skip
    for name in ("vm1", "vm2"):
        session.request(name, {"migrate": None}, microversion="2.90")
    session.settle()
    assert {session.server(name).host for name in ("vm1", "vm2")} == {"h3", "h4"}
    faults = [one.message for one in session.records() if isinstance(one, r.ServerFault)]
    assert faults == ["Anti-affinity instance group policy was violated"]
    held(session)


# --- what is asked for in the midst -----------------------------------------------------------------------------------


def reach(session: Session, task: str | None) -> None:
    for _ in range(100_000):
        if session.server("vm1").task_state == task:
            return
        session.run_for(0.01)
    raise AssertionError(f"never {task}")


@pytest.mark.parametrize(
    ("task", "left"),
    [("resize_prep", ("h1", "resize_migrating")), ("resize_migrating", ("h2", "resize_migrated")),
     ("resize_finish", ("h2", None))],
)  # fmt: skip
def test_a_reset_in_the_midst_ends_in_error_as_the_next_save_left_it(task: str, left: tuple[str, str | None]) -> None:
    session = cloud()
    migrate(session)
    reach(session, task)
    ask(session, {"os-resetState": {"state": "active"}})
    session.settle()
    server = session.server("vm1")
    assert (server.status, server.host, server.task_state) == ("ERROR", *left)
    assert server.fault is not None
    assert server.fault.message.startswith("Conflict updating instance")
    assert statuses(session)[-1] == "error"
    held(session)


@pytest.mark.parametrize("task", ["resize_prep", "resize_migrating", "resize_finish"])
def test_a_server_that_is_deleted_on_its_way_holds_nothing(task: str) -> None:
    session = cloud()
    migrate(session)
    reach(session, task)
    assert session.request("vm1", None, method="DELETE").code == 204
    session.settle()
    assert session.server("vm1").status == "DELETED"
    assert held(session) == ({}, {})
    assert statuses(session)[-1] == "error"


def test_a_disk_does_not_shrink() -> None:
    session = cloud()
    resize(session, "large")
    session.settle()
    ask(session, {"confirmResize": None})
    session.settle()
    resize(session, "small")
    session.settle()
    server = session.server("vm1")
    assert (server.status, server.host, server.flavor) == ("ACTIVE", "h2", "large")
    assert session.actions("vm1")[-1].events[-1].details == "Resize error: Unable to resize disk down."
    assert len(steps(session, "shutdown")) == 1
    assert held(session) == ({"h2": LARGE}, {})


def test_a_disk_on_a_volume_is_not_asked() -> None:
    session = cloud(server={"boot_from": "volume", "flavor": "large"})
    resize(session, "small")
    session.settle()
    assert session.server("vm1").status == "VERIFY_RESIZE"
