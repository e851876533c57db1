"""Cold migrations that nobody confirms, and hosts that die in every stage of one."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from sim.eventlog import records as r
from sim.model.compute.disks import NO_ROUTE_S, PATIENCE_S
from sim.runs.checkers import check
from sim.runs.session import Session
from tests.model.moves import (
    DISK_BPS,
    ROOT_B,
    SMALL,
    STAGES,
    ask,
    cloud,
    held,
    migrate,
    statuses,
    steps,
    when,
)
from tests.model.ordinary import events, of

WINDOW_S = 600.0
AUTO: dict[str, Any] = {"options": {"resize_confirm_window": int(WINDOW_S)}}


# --- resize_confirm_window --------------------------------------------------------------------------------------------


def test_a_server_waits_the_window_and_then_for_its_host_to_look() -> None:
    """Every host looks once in 60 s, at a moment of its own: U(0, 60 s) over many hosts."""
    count = 60
    session = cloud(hosts=count + 1, servers=count, **AUTO)
    for number in range(1, count + 1):
        migrate(session, f"vm{number}", host=f"h{number + 1}")
    session.run_for(WINDOW_S + count * ROOT_B / (10e9 / 8 * 0.94) + 100)  # all of them share h1's cable
    waits = sorted(
        when(session, "confirming", number) - when(session, "finished", number) - WINDOW_S
        for number in range(1, count + 1)
    )
    assert waits[0] >= 0
    assert waits[-1] <= 60
    # Kolmogorov and Smirnov: 1.95 / sqrt(n) is passed once in a thousand times.
    furthest = max(max((i + 1) / count - wait / 60, wait / 60 - i / count) for i, wait in enumerate(waits))
    assert furthest < 1.95 / count**0.5
    assert {server.status for server in session.servers()} == {"ACTIVE"}
    held(session)


def test_servers_of_one_host_are_found_by_the_same_look() -> None:
    session = cloud(servers=2, **AUTO)
    for name in ("vm1", "vm2"):
        migrate(session, name, host="h2")
        session.settle()
    session.run_for(WINDOW_S + 300)
    first, second = (when(session, "confirming", number) for number in (1, 2))
    assert (second - first) % 60 == pytest.approx(0, abs=1e-6) or (second - first) % 60 == pytest.approx(60)


@pytest.mark.parametrize("options", [{"resize_confirm_window": 0}, AUTO["options"] | {"periodic_enable": False}])
def test_without_a_window_or_without_periodic_tasks_it_waits_for_ever(options: dict[str, Any]) -> None:
    session = cloud(options=options)
    migrate(session)
    session.run_for("1 d")
    assert session.server("vm1").status == "VERIFY_RESIZE"
    assert session.under_way == 0


def test_the_window_s_confirm_is_an_action_of_its_own() -> None:
    session = cloud(**AUTO)
    migrate(session)
    session.run_for(WINDOW_S + 200)
    assert [action.action for action in session.actions("vm1")] == ["migrate", "confirmResize"]
    assert events(session, "vm1") == [("compute_confirm_resize", "Success", "h1")]
    assert held(session) == ({"h2": SMALL}, {})


def _deleted(session: Session) -> None:
    assert session.request("vm1", None, method="DELETE").code == 204


def _reset(session: Session) -> None:
    ask(session, {"os-resetState": {"state": "active"}})


def _broken(session: Session) -> None:
    ask(session, {"os-resetState": {"state": "error"}})


def _reverting(session: Session) -> None:
    session.run_for(WINDOW_S - 20)
    ask(session, {"revertResize": None})


@pytest.mark.parametrize(
    ("before", "status", "vm_state"),
    [(_reset, "error", "active"), (_broken, "error", "error"), (_deleted, "confirmed", "deleted"),
     (_reverting, "reverted", "active")],
)  # fmt: skip
def test_a_server_that_is_not_what_it_should_be_is_left_alone(before: Any, status: str, vm_state: str) -> None:
    session = cloud(**AUTO)
    migrate(session)
    session.settle()
    before(session)
    session.run_for(WINDOW_S + 200)
    assert (statuses(session)[-1], session.server("vm1").vm_state) == (status, vm_state)
    assert "confirming" not in statuses(session)


def test_a_source_that_is_down_is_waited_for() -> None:
    plan = [{"at": "100 s", "fail": {"hosts": ["h1"], "repair": {"constant": "1 h"}}}]
    session = cloud(plan=plan, **AUTO)
    migrate(session)
    session.run_for("50 min")
    assert session.server("vm1").status == "VERIFY_RESIZE"
    session.run_for("20 min")
    assert session.server("vm1").status == "ACTIVE"
    assert 3700 < when(session, "confirming") < 3700 + 60 + 15


def test_a_destination_that_is_down_looks_at_nothing() -> None:
    plan = [{"at": "120 s", "fail": {"hosts": ["h2"], "repair": {"constant": "1 h"}}}]
    session = cloud(plan=plan, **AUTO)
    migrate(session)
    session.run_for("2 h")
    assert 3720 <= when(session, "confirming") <= 3720 + 60


def test_a_move_that_was_finished_before_the_start_is_confirmed_as_well() -> None:
    server = {"name": "old", "flavor": "small", "image": "i", "host": "h2", "vm_state": "resized", "resized_from": "h1"}
    session = cloud(servers=[server], **AUTO)
    assert held(session, "old") == ({"h2": SMALL}, {"h1": SMALL})
    session.run_for(WINDOW_S + 70)
    assert WINDOW_S <= when(session, "confirming") <= WINDOW_S + 60
    assert held(session, "old") == ({"h2": SMALL}, {})


# --- hosts that die ---------------------------------------------------------------------------------------------------

BOTH = ({"h2": SMALL}, {"h1": SMALL})
"""Server and record each hold their share: nobody was left to give one back."""


def fail(host: str, at: float, kind: str = "crash", repair: str | None = None) -> list[dict[str, Any]]:
    step: dict[str, Any] = {"hosts": [host], "kind": kind}
    if repair is not None:
        step["repair"] = {"constant": repair}
    return [{"at": f"{at} s", "fail": step}]


def life(end: str | None, plan: list[dict[str, Any]] | None = None, **more: Any) -> Session:
    """A migration, and what ends it a minute after it is finished."""
    session = cloud(hosts=2, plan=plan or [], **more)
    migrate(session)
    session.run_until("100 s")
    if end is not None:
        session.request("vm1", {end: None}, microversion="2.90")
    return session


def stage_begins(step: str, end: str | None, **more: Any) -> float:
    """When a stage begins in a life where nothing goes wrong."""
    session = life(end, **more)
    session.settle()
    return float(steps(session, step)[-1].began)


@pytest.mark.parametrize(
    ("step", "end", "host", "status", "left"),
    [
        ("prep_resize", None, "h2", "pre-migrating", ("h1", "active", "resize_prep")),
        ("shutdown", None, "h1", "migrating", ("h1", "active", "resize_migrating")),
        ("resize_disk", None, "h1", "migrating", ("h1", "active", "resize_migrating")),
        ("copy_disk", None, "h1", "migrating", ("h1", "active", "resize_migrating")),
        ("finish_resize", None, "h2", "post-migrating", ("h2", "active", "resize_finish")),
        ("confirm", "confirmResize", "h1", "confirming", ("h2", "resized", None)),
        ("revert_dest", "revertResize", "h2", "reverting", ("h2", "resized", "resize_reverting")),
        ("revert_source", "revertResize", "h1", "reverted", ("h1", "resized", "resize_reverting")),
    ],
)
def test_who_dies_writes_nothing_more(
    step: str, end: str | None, host: str, status: str, left: tuple[str, str, str | None]
) -> None:
    session = life(end, fail(host, stage_begins(step, end) + 0.01))
    session.run_for("3 h")
    server = session.server("vm1")
    assert (server.host, server.vm_state, server.task_state) == left
    assert statuses(session)[-1] == status
    assert held(session) == (({"h1": SMALL}, {}) if step == "revert_source" else BOTH)


@pytest.mark.parametrize(("step", "host"), [("finish_resize", "h1"), ("confirm", "h2"), ("revert_source", "h2")])
def test_whose_part_is_done_is_not_missed(step: str, host: str) -> None:
    end = {"finish_resize": None, "confirm": "confirmResize", "revert_source": "revertResize"}[step]
    session = life(end, fail(host, stage_begins(step, end) + 0.01))
    session.run_for("1 h")
    done = {"finish_resize": "finished", "confirm": "confirmed", "revert_source": "reverted"}[step]
    assert statuses(session)[-1] == done
    assert session.server("vm1").task_state is None
    held(session)


@pytest.mark.parametrize(
    ("repair", "later"), [(None, PATIENCE_S), ("100 s", 100.0)], ids=["it stays away", "it comes back"]
)
def test_a_copy_to_a_dead_host_breaks_off(repair: str | None, later: float) -> None:
    """After TCP's patience, or as soon as the host is back and knows nothing of the connection."""
    died = stage_begins("copy_disk", None) + 1.0
    session = life(None, fail("h2", died, repair=repair))
    session.run_for("1 h")
    (copy,) = steps(session, "copy_disk")
    assert (copy.outcome, copy.t) == ("failed", pytest.approx(died + later))
    server = session.server("vm1")
    assert (server.host, server.status, server.task_state) == ("h1", "ERROR", None)
    assert statuses(session)[-1] == "error"
    assert held(session) == ({"h1": SMALL}, {})


def test_a_copy_to_a_host_that_is_dead_already_does_not_begin() -> None:
    died = stage_begins("shutdown", None) + 0.01
    session = life(None, fail("h2", died))
    session.run_for("1 h")
    (copy,) = steps(session, "copy_disk")
    assert copy.t - copy.began == pytest.approx(NO_ROUTE_S)
    assert session.server("vm1").status == "ERROR"
    assert held(session) == ({"h1": SMALL}, {})


def test_a_source_that_finds_its_destination_dead_leaves_the_guest_alone() -> None:
    """The source is cut off while the destination dies, and sees it when it is heard again."""
    prepared = stage_begins("shutdown", None)
    plan = fail("h1", prepared - 0.3, "network", "40 s") + fail("h2", prepared + 1)
    session = life(None, plan)
    session.run_for("1 h")
    server = session.server("vm1")
    assert (server.host, server.status) == ("h1", "ACTIVE")
    assert server.fault is None or server.status == "ACTIVE"
    assert session.actions("vm1")[-1].events[-1].details == (
        "Resize error: not able to execute ssh command: No route to host"
    )
    assert steps(session, "shutdown") == []
    assert held(session) == ({"h1": SMALL}, {})


@pytest.mark.parametrize("step", ["shutdown", "copy_disk"])
def test_a_source_that_returns_starts_the_guest_again_and_frees_the_server(step: str) -> None:
    died = stage_begins(step, None) + 0.01
    session = life(None, fail("h1", died, repair="10 min"))
    session.run_for("1 h")
    server = session.server("vm1")
    assert (server.host, server.status, server.task_state) == ("h1", "ACTIVE", None)
    assert (statuses(session)[-1], held(session)) == ("migrating", BOTH)
    (down,) = of(session, r.Downtime, "vm1")
    stopped = died if step == "shutdown" else stage_begins("resize_disk", None)
    assert down.began == pytest.approx(stopped)
    assert down.t == pytest.approx(died + 600 + STAGES["revert_source"] + STAGES["guest_boot"])


def test_what_a_broken_move_left_does_not_stand_in_the_way_of_the_next() -> None:
    session = life(None, fail("h1", stage_begins("copy_disk", None) + 0.01, repair="10 min"))
    session.run_for("1 h")
    migrate(session)
    session.settle()
    assert session.server("vm1").status == "VERIFY_RESIZE"
    ask(session, {"confirmResize": None})
    session.settle()
    assert session.allocations("vm1") == {"h2": SMALL}
    assert session.migration_allocations(2) == {}
    held(session)


def test_a_record_that_was_left_before_its_move_began_is_used_again() -> None:
    session = life(None, fail("h2", stage_begins("prep_resize", None) + 0.01, repair="5 min"))
    ask(session, {"os-resetState": {"state": "active"}})
    session.run_for("10 min")
    migrate(session)
    session.settle()
    assert session.server("vm1").status == "VERIFY_RESIZE"
    assert [one.status for one in session.migrations("vm1")] == ["finished"]
    assert held(session) == BOTH


@pytest.mark.parametrize(
    ("kind", "host", "step"),
    [("hang", "h1", "shutdown"), ("hang", "h2", "finish_resize"), ("network", "h2", "copy_disk")],
)
def test_a_host_that_was_only_silent_goes_on(kind: str, host: str, step: str) -> None:
    session = life(None, fail(host, stage_begins(step, None) + 0.01, kind, "200 s"))
    session.run_for("1 h")
    assert session.server("vm1").status == "VERIFY_RESIZE"
    assert held(session) == BOTH
    usual = life(None)
    usual.settle()
    assert when(session, "finished") > when(usual, "finished") + 150


@pytest.mark.parametrize("storage", ["local", "shared"])
def test_a_stalled_storage_holds_the_copy_up(storage: str) -> None:
    more: dict[str, Any] = {"storage": {"instances": storage}}
    session = life(None, fail("h1", stage_begins("copy_disk", None, **more) + 1, "storage_stall", "100 s"), **more)
    session.run_for("1 h")
    usual = life(None, **more)
    usual.settle()
    assert when(session, "finished") - when(usual, "finished") == pytest.approx(100)


def test_a_slow_host_copies_slowly() -> None:
    session = cloud(timings={"disk_stream": "200 MB/s"})
    migrate(session)
    session.settle()
    (copy,) = steps(session, "copy_disk")
    assert copy.t - copy.began == pytest.approx(ROOT_B / DISK_BPS)
    slow = cloud(plan=[{"at": 0, "fail": {"hosts": ["h2"], "kind": "slow", "factor": 4}}])
    slow.run_for(1)
    migrate(slow)
    slow.settle()
    (copy,) = steps(slow, "copy_disk")
    assert copy.t - copy.began == pytest.approx(4 * ROOT_B / DISK_BPS)


# --- everything at once -----------------------------------------------------------------------------------------------


BODIES: list[dict[str, Any] | None] = [
    {"migrate": None}, {"migrate": None}, {"resize": {"flavorRef": "large"}}, {"resize": {"flavorRef": "small"}},
    {"confirmResize": None}, {"confirmResize": None}, {"revertResize": None}, {"os-resetState": {"state": "active"}},
    {"os-resetState": {"state": "active"}}, {"os-resetState": {"state": "error"}}, {"os-stop": None},
    {"os-start": None}, {"reboot": {"type": "HARD"}}, {"os-migrateLive": {"host": None, "block_migration": "auto"}},
    {"evacuate": {}}, None,
]  # fmt: skip
"""What is asked at random; None deletes."""


@pytest.mark.parametrize("seed", range(6))
def test_whatever_happens_the_laws_hold(seed: int) -> None:
    """Moves, ends, resets and deletions at any moment, while hosts crash, hang and return."""
    faults = [
        {"hosts": ["*"], "kind": kind, "every": {"exponential": {"mean": "5 min"}},
         "repair": {"exponential": {"mean": "1 min"}}}
        for kind in ("crash", "hang")
    ]  # fmt: skip
    session = cloud(
        hosts=5, servers=12, seed=seed, fails={"h4": ["resize_claim"]}, faults=faults,
        options={"resize_confirm_window": 60, "allow_resize_to_same_host": True},
    )  # fmt: skip
    luck = np.random.default_rng(seed)
    for _ in range(400):
        name, body = f"vm{luck.integers(1, 13)}", BODIES[luck.integers(len(BODIES))]
        session.request(name, body, microversion="2.90", method="POST" if body else "DELETE")
        session.run_for(luck.uniform(0, 8))
    check(session.records())
    seen = {one.status for one in session.records() if isinstance(one, r.MigrationState)}
    assert {"migrating", "finished", "confirmed", "error"} <= seen
