"""Failures that overlap on a host: each lasts until its own repair, and what is seen is the worst of them."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import pytest

from sim.eventlog import records as r
from tests.model.test_failures import DAY, ROOM, powers, run


def fail(at: str, kind: str, repair: str | None = None, **more: Any) -> dict[str, Any]:
    return {"at": at, "fail": {"hosts": ["h1"], "kind": kind, "repair": repair, **more}}


def outages(records: Sequence[r.Record]) -> dict[str, list[tuple[float, float]]]:
    """Host or rack → from when to when it was broken, as the operations say."""
    begun: dict[int, r.Operation] = {}
    made: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for record in records:
        if isinstance(record, r.Operation) and record.phase == "begun":
            begun[record.operation] = record
        elif isinstance(record, r.Operation):
            made[record.target.split()[0]].append((begun.pop(record.operation).t, record.t))
    for one in begun.values():
        made[one.target.split()[0]].append((one.t, math.inf))
    return made


def test_a_host_is_up_while_neither_it_nor_its_rack_is_broken() -> None:
    """Hosts fail after 10 days for a day, their racks after 20 days for two: independent, so parts of time multiply."""
    end = 1500 * DAY
    hosts = [{"name": "r{r:1-10}-h{h:1-4}", "rack": "rack-{r}", **ROOM}]
    records = run(hosts=hosts, run={"duration": f"{end} s"}, faults=[
        {"every": {"exponential": {"mean": "10 days"}}, "repair": {"exponential": {"mean": "1 day"}}},
        {"scope": "rack", "every": {"exponential": {"mean": "20 days"}}, "repair": "2 days"},
    ])  # fmt: skip
    broken = outages(records)
    down = 0.0
    for rack in range(1, 11):
        for name in (f"r{rack}-h{h}" for h in range(1, 5)):
            both = sorted(broken[name] + broken[f"rack-{rack}"])
            expected: list[list[float]] = []
            for began, ended in both:
                if expected and began <= expected[-1][1]:
                    expected[-1][1] = max(expected[-1][1], ended)
                else:
                    expected.append([began, ended])
            moments = [t for one in expected for t in one if t <= end]
            assert [t for t, _ in powers(records, name)] == moments
            down += sum(min(ended, end) - began for began, ended in expected)
    # A rack's outages are shared by four hosts: their noise is that of 10 racks, 750 outages in all.
    assert down / (40 * end) == pytest.approx(1 - 10 / 11 * 20 / 22, rel=4 / math.sqrt(750))


@pytest.mark.parametrize(("plan", "seen"), [
    ((fail("10 s", "crash", "1000 s"), fail("60 s", "crash", "100 s")), [(10, "crashed"), (1010, "up")]),
    ((fail("10 s", "hang", "100 s"), fail("60 s", "crash", "1000 s")), [(10, "hung"), (60, "crashed"), (1060, "up")]),
    ((fail("10 s", "crash", "50 s"), fail("20 s", "network", "100 s")),
     [(10, "crashed"), (60, "cut_off"), (120, "up")]),
    ((fail("10 s", "hang", "100 s"), fail("20 s", "network", "30 s")),
     [(10, "hung"), (20, "cut_off"), (50, "hung"), (110, "up")]),
    ((fail("10 s", "crash", "500 s"), {"at": "60 s", "reboot": {"hosts": ["h1"], "takes": "100 s"}}),
     [(10, "crashed"), (510, "up")]),
    ((fail("10 s", "crash"), {"at": "60 s", "reboot": {"hosts": ["h1"], "takes": "100 s"}}),
     [(10, "crashed"), (160, "up")]),
    ((fail("10 s", "hang", "1000 s"), {"at": "60 s", "reboot": {"hosts": ["h1"], "takes": "100 s"}}),
     [(10, "hung"), (60, "rebooting"), (160, "up")]),
])  # fmt: skip
def test_each_failure_lasts_until_its_own_repair(plan: Sequence[Any], seen: Sequence[tuple[float, str]]) -> None:
    assert powers(run(plan=plan, run={"duration": "1 h"}), "h1") == seen


def test_a_repair_that_comes_after_a_reboot_mends_no_later_failure() -> None:
    """The reboot ended the hang; what was to mend it finds another failure, which is not its."""
    plan = [
        fail("10 s", "hang", "1000 s"), {"at": "20 s", "reboot": {"hosts": ["h1"], "takes": "10 s"}},
        fail("900 s", "crash", "1000 s"),
    ]  # fmt: skip
    assert powers(run(plan=plan, run={"duration": "1 h"}), "h1")[-2:] == [(900, "crashed"), (1900, "up")]


def test_a_hung_host_that_crashes_loses_its_guests_then() -> None:
    records = run(
        servers=[{"name": "vm", "host": "h1"}], plan=[fail("10 s", "hang", "100 s"), fail("60 s", "crash", "40 s")],
        options={"resume_guests_state_on_host_boot": True}, run={"duration": "1 h"},
    )  # fmt: skip
    assert [(one.began, one.cause) for one in records if isinstance(one, r.Downtime)] == [(60, "host-failure")]
    assert powers(records, "h1") == [(10, "hung"), (60, "crashed"), (100, "hung"), (110, "up")]


def test_a_host_is_as_slow_as_the_worst_says_and_its_disks_stand_while_any_does() -> None:
    slow = [fail("10 s", "slow", "100 s", factor=10), fail("50 s", "slow", "500 s", factor=5)]
    stall = [fail("20 s", "storage_stall", "50 s"), fail("40 s", "storage_stall", "10 s")]
    records = run(plan=slow + stall, run={"duration": "1 h"})
    assert [(one.t, one.reason) for one in records if isinstance(one, r.HostState)] == [
        (10, "slow: 10 times"), (20, "storage stalled"), (70, "storage answers again"), (110, "slow: 5 times"),
        (550, "not slow any more"),
    ]  # fmt: skip


def test_a_host_that_was_down_from_the_start_is_not_brought_back_by_another_repair() -> None:
    down = {"name": "h1", "service": {"state": "down"}, **ROOM}
    records = run(hosts=[down, {"name": "h2", **ROOM}], plan=[fail("10 s", "crash", "50 s")], run={"duration": "1 h"})
    assert powers(records, "h1") == [(0, "hung"), (10, "crashed"), (60, "hung")]
