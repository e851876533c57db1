"""Hosts that count their resources, and come upon records of servers that were reset in the midst of a move."""

from __future__ import annotations

from typing import Any

import pytest

from sim.runs.checkers import check
from sim.runs.session import Session
from tests.model.moves import ask, cloud, migrate, statuses, when

INTERVAL_S = 40
LONG: dict[str, Any] = {"prep_resize": "10 min"}
"""A claim that takes many counts of the hosts."""


def _again(session: Session, reset: bool = True) -> None:
    """A migration that is reset before it is confirmed, then another."""
    migrate(session)
    session.settle()
    if reset:
        ask(session, {"os-resetState": {"state": "active"}})
    else:
        ask(session, {"confirmResize": None})
        session.settle()
    migrate(session)
    session.run_for("1 h")


@pytest.mark.parametrize("options", [{"update_resources_interval": INTERVAL_S}, {}])
def test_the_next_count_takes_a_second_move_for_a_leftover(options: dict[str, Any]) -> None:
    session = cloud(options=options, timings=LONG)
    _again(session)
    assert statuses(session, 2)[:3] == ["pre-migrating", "error", "pre-migrating"]  # the claim writes over the error
    spacing = options.get("update_resources_interval", 60)
    assert 0 < when(session, "error", 2) - when(session, "pre-migrating", 2) <= spacing
    assert statuses(session, 2)[-1] == "finished"
    check(session.records())


@pytest.mark.parametrize(
    ("options", "reset"),
    [({"update_resources_interval": -1}, True), ({"periodic_enable": False}, True), ({}, False)],
)
def test_hosts_that_do_not_count_or_find_all_in_order(options: dict[str, Any], reset: bool) -> None:
    session = cloud(options=options, timings=LONG)
    _again(session, reset)
    assert "error" not in statuses(session, 2)
    assert statuses(session, 2)[-1] == "finished"


def test_a_host_that_is_down_counts_nothing() -> None:
    plan = [{"at": "15 min", "fail": {"hosts": ["h2"], "repair": {"constant": "2 h"}}}]
    session = cloud(options={"update_resources_interval": 600}, timings=LONG, plan=plan)
    migrate(session)
    session.run_for("14.9 min")
    ask(session, {"os-resetState": {"state": "active"}})
    migrate(session)
    session.run_for("9 min")
    assert session.server("vm1").host == "h2"
    assert statuses(session, 2) == ["pre-migrating"]
