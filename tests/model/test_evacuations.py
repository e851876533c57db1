"""Who evacuates, when: hosts that fail later than the step begins, are back too early, or fail again and again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from sim.eventlog import records as r
from sim.scenario.loader import examine
from tests.model.test_failures import DAY, powers, run

REBUILD_S = 15.3
TIMES = {"profile": "ideal", "source": "test", "fit_error": "none", "rebuild": f"{REBUILD_S} s"}


def evacuate(repair: str | None, at: str = "1000 s", **more: Any) -> Sequence[r.Record]:
    """Four servers on h1, which fails after 1000 s; the step that evacuates it begins at ``at``."""
    return run(
        servers=[{"name": "vm", "count": 4, "host": "h1"}], timings=TIMES,
        plan=[{"at": "1000 s", "fail": {"hosts": ["h1"], "repair": repair}},
              {"at": at, "evacuate": {"hosts": ["h1"], **more}}],
    )  # fmt: skip


def done(records: Sequence[r.Record]) -> list[float]:
    return [one.t for one in records if isinstance(one, r.MigrationState) and one.status == "done"]


def job(records: Sequence[r.Record]) -> r.Operation:
    """How the evacuation ended."""
    return next(one for one in records if isinstance(one, r.Operation) and one.kind == "evacuate" and one.outcome)


@pytest.mark.parametrize("by", ["operator", "masakari"])
@pytest.mark.parametrize("early", ["0 s", "777 s"])
def test_nobody_does_anything_before_the_host_fails(by: str, early: str) -> None:
    """Masakari switched hosts off that were well, and had waited its 180 s long before they failed."""
    assert done(evacuate(None, early, by=by)) == done(evacuate(None, by=by))
    assert powers(evacuate(None, early, by=by), "h1")[0] == (1000, "crashed")


def test_an_operator_who_forces_the_service_down_does_it_when_the_host_has_failed() -> None:
    records = evacuate(None, "0 s", force_down=True, concurrency=4)
    assert done(records) == pytest.approx([1000 + REBUILD_S] * 4)


def test_masakari_s_threads_look_each_second() -> None:
    """Three at a time; the fourth is asked for when the first look at the others finds them there, after 16 s."""
    back = done(evacuate(None, by="masakari"))
    assert np.array(back) - back[0] == pytest.approx([0, 0, 0, 16])


@pytest.mark.parametrize(("by", "repair", "more"), [
    ("operator", "20 s", {}),  # before Nova believes it to be down
    ("operator", "300 s", {"reaction": "10 min"}),
    ("masakari", "0.001 s", {}),  # between two looks
])  # fmt: skip
def test_a_host_that_is_back_in_time_is_left_alone_and_the_job_ends(by: str, repair: str, more: Any) -> None:
    records = evacuate(repair, by=by, **more)
    assert not [one for one in records if isinstance(one, r.Request) and one.action == "evacuate"]
    assert (job(records).outcome, job(records).detail) == (
        "done", "back before it was their turn: h1; 0 moved, 0 left"
    )  # fmt: skip


def test_masakari_asks_in_vain_for_the_servers_of_a_host_that_was_back_while_it_waited() -> None:
    records = evacuate("200 s", by="masakari")
    assert job(records).detail == "0 moved, 4 left"
    assert {one.reason for one in records if isinstance(one, r.NeedsHuman)} == {
        "Compute service of h1 is still in use."
    }
    left = [one for one in records if isinstance(one, r.HostState) and one.host == "h1"][-1]
    assert (left.power, left.disabled) == ("up", True)


@pytest.mark.parametrize(("by", "more", "low", "high"), [
    ("masakari", {}, 180, 240), ("operator", {"reaction": "2 min", "concurrency": 9}, 170, 180),
    ("operator", {"force_down": True, "concurrency": 9}, 0, 0),
])  # fmt: skip
def test_on_duty_every_failure_is_answered(by: str, more: Any, low: float, high: float) -> None:
    """Four hosts that fail each two days for an hour: two months, some 110 failures."""
    records = run(
        servers=[{"name": "vm", "count": 3, "host": "h1"}], timings=TIMES, run={"duration": f"{60 * DAY} s"},
        plan=[{"evacuate": {"hosts": ["*"], "by": by, "again": True, **more}}],
        faults=[{"every": {"exponential": {"mean": "2 days"}}, "repair": "1 h"}],
    )  # fmt: skip
    jobs = [one for one in records if isinstance(one, r.Operation)]
    failures = [one.t for one in jobs if one.kind == "fault" and one.phase == "begun"]
    assert [one.t for one in jobs if one.kind == "evacuate" and one.phase == "begun"] == failures
    assert {one.outcome for one in jobs if one.kind == "evacuate" and one.phase == "ended"} == {"done"}
    assert len(failures) == pytest.approx(4 * 60 / (2 + 1 / 24), abs=4 * 11)
    downtimes = [one.t - one.began for one in records if isinstance(one, r.Downtime)]
    asked = sum(one.action == "evacuate" for one in records if isinstance(one, r.Request))
    assert len(downtimes) == asked > 0
    assert all(low - 1e-6 <= took - REBUILD_S <= high + 1e-6 for took in downtimes)
    last = {one.host: one for one in records if isinstance(one, r.HostState)}
    assert not any(one.disabled or one.forced_down for one in last.values() if one.power == "up")


def test_a_host_that_is_back_gives_back_what_a_server_evacuated_from_it_has_claimed_there_since() -> None:
    """h1 lost its network, and vm with it; it does not know when it is back, and learns it when it starts anew.

    By then vm is on its way to it. Nova looks at the host alone: the claim is gone, the move goes on.
    """
    records = run(
        hosts=[{"name": "h{n:1-2}", "vcpus": 8, "memory": "64 GiB", "disk": "1 TB"}],
        servers=[{"name": "vm", "host": "h1"}], timings=TIMES,
        plan=[{"at": "100 s", "fail": {"hosts": ["h1"], "kind": "network", "repair": "300 s"}},
              {"at": "100 s", "evacuate": {"hosts": ["h1"]}},
              {"at": "1000 s", "fail": {"hosts": ["h1"], "repair": "30 s"}},
              {"at": "1001 s",
               "request": {"server": "vm", "body": {"migrate": {"host": "h1"}}, "microversion": "2.90"}}],
    )  # fmt: skip
    of = [
        one for one in records if isinstance(one, (r.Claimed, r.Released)) and one.consumer == "vm" and one.host == "h1"
    ]
    assert [(type(one), one.t) for one in of] == [(r.Claimed, 1001), (r.Released, 1030)]
    last = [one for one in records if isinstance(one, r.ServerState)][-1]
    assert (last.host, last.vm_state) == ("h1", "resized")


def test_a_guest_that_booted_on_a_host_that_had_gone_dark_is_missed_once_at_a_time() -> None:
    """vm boots on h2 when that loses its network; then it is evacuated from there, and left stopped."""
    times = TIMES | {"guest_boot": "40 s"}
    records = run(
        servers=[{"name": "vm", "host": "h1"}], timings=times, run={"duration": "1000 s"},
        plan=[{"at": "100 s", "fail": {"hosts": ["h1"]}},
              {"at": "100 s", "evacuate": {"hosts": ["h1"], "force_down": True, "destination": "h2"}},
              {"at": "120 s", "fail": {"hosts": ["h2"], "kind": "network"}},
              {"at": "120 s", "evacuate": {"hosts": ["h2"], "microversion": "2.95"}}],
    )  # fmt: skip
    spells = [(one.began, round(one.t, 6)) for one in records if isinstance(one, r.Downtime)]
    assert spells == [(100, 155.3), (pytest.approx(155.3), 1000)]


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ({}, True),
        ({"faults": [{"hosts": ["h-2"], "every": "1 day", "repair": "1 h"}]}, True),
        ({"faults": [{"hosts": ["h-1"], "kind": "slow", "every": "1 day", "repair": "1 h"}]}, True),
        ({"faults": [{"hosts": ["h-*"], "every": "1 day", "repair": "1 h"}]}, False),
    ],
)
def test_who_waits_for_a_failure_that_never_comes_is_told(more: dict[str, Any], told: bool) -> None:
    host = {"name": "h-{n:1-2}", "vcpus": 8, "memory": "32 GiB", "disk": "1 TB"}
    data = {"cloud": {"hosts": [host]}, "plan": [{"evacuate": {"hosts": ["h-1"]}}], "run": {"duration": "1 h"}, **more}
    warnings = [one.where for one in examine(data).warnings if "nothing ever makes" in one.what]
    assert warnings == (["scenario plan[0].evacuate.hosts"] if told else [])
