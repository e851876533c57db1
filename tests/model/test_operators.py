"""What operators make of what Nova answers, in clouds small enough to know what must happen."""

from __future__ import annotations

from typing import Any

import pytest

from sim.eventlog import records as r
from sim.runs.session import Session
from tests.model.moves import cloud

ANYWHERE = {"flavor": "small", "image": "i"}


def on(host: str, *names: str, **more: Any) -> list[dict[str, Any]]:
    return [{"name": name, "host": host, **ANYWHERE, **more} for name in names]


def play(*plan: dict[str, Any], until: str = "1 h", **more: Any) -> Session:
    session = cloud(plan=list(plan), **more)
    session.run_until(until)
    session.result()
    return session


def ends(session: Session) -> list[tuple[str, str, str]]:
    """Kind, outcome and detail of every operation that ended."""
    return [
        (one.kind, one.outcome, one.detail)
        for one in session.records()
        if isinstance(one, r.Operation) and one.phase == "ended"
    ]


def left(session: Session) -> list[str]:
    return [one.server for one in session.records() if isinstance(one, r.NeedsHuman)]


def disabled(session: Session) -> dict[str, bool]:
    """Hosts by what was last said of their service."""
    return {one.host: one.disabled for one in session.records() if isinstance(one, r.HostState)}


def delete(at: float, server: str) -> dict[str, Any]:
    return {"at": f"{at} s", "request": {"server": server, "method": "DELETE"}}


def test_a_host_without_servers_is_disabled_and_that_is_all() -> None:
    session = play({"drain": {"hosts": ["h3"]}})
    assert ends(session) == [("drain", "done", "0 moved, 0 left")]
    assert disabled(session) == {"h3": True}


def test_a_host_named_twice_is_drained_once() -> None:
    session = play({"drain": {"hosts": ["h1", "h{n:1-1}"]}}, servers=on("h1", "a", "b"))
    assert ends(session) == [("drain", "done", "2 moved, 0 left")]


def test_who_is_deleted_on_its_way_needs_nobody() -> None:
    drain = {"drain": {"hosts": ["h1"], "concurrency": 1}}
    session = play(drain, delete(0.5, "a"), delete(1.0, "b"), servers=on("h1", "a", "b", "c"))
    assert ends(session) == [("drain", "done", "1 moved, 0 left")]
    assert left(session) == []


def test_of_two_drains_of_a_host_one_moves_its_servers_and_the_other_says_why_not() -> None:
    session = play({"drain": {"hosts": ["h1"]}}, {"at": "2 s", "drain": {"hosts": ["h1"]}}, servers=on("h1", "a", "b"))
    assert ends(session) == [("drain", "partial", "0 moved, 2 left"), ("drain", "done", "2 moved, 0 left")]


def test_with_patience_the_second_drain_finds_nothing_left_to_do() -> None:
    patient = {"at": "2 s", "drain": {"hosts": ["h1"], "attempts": 2, "retry_after": "10 min"}}
    session = play({"drain": {"hosts": ["h1"]}}, patient, servers=on("h1", "a", "b"))
    assert [outcome for _, outcome, _ in ends(session)] == ["done", "done"]
    assert left(session) == []


@pytest.mark.parametrize(("state", "moves"), [
    ("active", True), ("stopped", True), ("paused", True), ("suspended", False), ("shelved", False), ("error", False),
    ("rescued", False),
])  # fmt: skip
def test_who_is_in_no_state_to_move_is_left_with_nova_s_words(state: str, moves: bool) -> None:
    session = play({"drain": {"hosts": ["h1"]}}, servers=on("h1", "a", vm_state=state))
    assert (session.server("a").host == "h1") is not moves
    reasons = [one.reason for one in session.records() if isinstance(one, r.NeedsHuman)]
    assert [f"vm_state {state}" in reason for reason in reasons] == [True] * (not moves)


def test_a_rolling_reboot_enables_whom_it_disabled_and_nobody_else() -> None:
    bad = {"service": {"hosts": ["h2"], "set": "disabled", "reason": "bad fan"}}
    rolling = {"at": "5 s", "rolling_reboot": {"hosts": ["h2", "h3"], "takes": {"constant": "60 s"}}}
    session = play(bad, rolling)
    assert disabled(session) == {"h2": True, "h3": False}
    assert ends(session)[-1] == ("rolling_reboot", "done", "")


@pytest.mark.parametrize(("hosts", "outcome"), [(["h1"], "failed"), (["h1", "h3"], "partial"), (["h3"], "done")])
def test_a_service_that_nova_does_not_let_up_is_told(hosts: list[str], outcome: str) -> None:
    session = play(
        {"fail": {"hosts": ["h1"]}}, {"evacuate": {"hosts": ["h1"], "force_down": True}},
        {"at": "10 min", "service": {"hosts": hosts, "set": "up"}}, servers=on("h1", "a"),
    )  # fmt: skip
    kind, ended, detail = ends(session)[-1]
    assert (kind, ended) == ("service", outcome)
    assert ("h1" in detail) == (outcome != "done")
