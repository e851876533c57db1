"""How long a guest is missed that went with its host: from the first failure until it has booted."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from sim.eventlog import records as r
from tests.model.test_failures import ROOM, run

END_S = 5000.0
TIMES = {
    "profile": "ideal", "source": "test", "fit_error": "none", "rebuild": "15 s", "guest_boot": "20 s", "start": "4 s",
    "reboot_hard": "3 s", "stop": "2 s",
}  # fmt: skip
RESUMES = {"resume_guests_state_on_host_boot": True}
"""A host that is back reboots its guests hard: 3 s, and 20 s until one has booted."""


def fail(at: float, repair: float | None = None, *, host: str = "h1", kind: str = "crash") -> dict[str, Any]:
    return {"at": f"{at} s", "fail": {"hosts": [host], "kind": kind, "repair": repair and f"{repair} s"}}


def ask(at: float, body: dict[str, Any] | None, method: str = "POST") -> dict[str, Any]:
    return {"at": f"{at} s", "request": {"server": "vm", "body": body, "method": method, "microversion": "2.90"}}


def evacuate(at: float, **more: Any) -> dict[str, Any]:
    return {"at": f"{at} s", "evacuate": {"hosts": ["h1"], "force_down": True, **more}}


def missed(
    *plan: dict[str, Any], end_s: float = END_S, resumes: bool = True, boot_s: float = 20
) -> list[tuple[float, Any]]:
    """Spells in which the guest of the server on h1 was missed because its host failed."""
    records: Sequence[r.Record] = run(
        hosts=[{"name": "h{n:1-3}", **ROOM}], servers=[{"name": "vm", "host": "h1"}],
        timings=TIMES | {"guest_boot": f"{boot_s} s"}, options=RESUMES if resumes else {}, plan=plan,
        run={"duration": f"{end_s} s"},
    )  # fmt: skip
    spells = [one for one in records if isinstance(one, r.Downtime) and one.cause in {"host-failure", "evacuation"}]
    return [(one.began, pytest.approx(one.t)) for one in spells]


@pytest.mark.parametrize(("plan", "ends"), [
    ((fail(100, 100),), 200 + 3 + 20),
    ((fail(100, 100), fail(210, 40)), 250 + 3 + 20),  # again, in the midst of its boot
    ((fail(100, 100), ask(210, {"reboot": {"type": "HARD"}})), 210 + 3 + 20),
    ((fail(100, 100), ask(210, {"os-migrateLive": {"host": None, "block_migration": "auto"}})), 200 + 3 + 20),
    ((fail(100, 100), ask(210, None, "DELETE")), 210),
    ((fail(100), evacuate(100)), 100 + 15 + 20),
    ((fail(100), evacuate(100, destination="h2"), fail(125, 75, host="h2")), 200 + 3 + 20),
])  # fmt: skip
def test_a_guest_is_missed_from_the_first_failure_until_it_has_booted(plan: Sequence[Any], ends: float) -> None:
    assert missed(*plan) == [(100, ends)]


def test_a_guest_that_boots_when_the_run_ends_is_missed_until_then() -> None:
    assert missed(fail(100, 100), end_s=215) == [(100, 215)]


def test_a_second_failure_before_anybody_noticed_the_first_begins_nothing_anew() -> None:
    """The host was back for two seconds, its guest was not; then it is evacuated."""
    assert missed(fail(100, 10), fail(112), evacuate(112), resumes=False) == [(100, 112 + 15 + 20)]


@pytest.mark.parametrize("kind", ["crash", "network"])
def test_who_is_evacuated_and_left_stopped_is_missed_until_somebody_starts_it(kind: str) -> None:
    """As microversion 2.95 has it: 15 s for the rebuild, 2 s to stop it again; started at 1000 s, up after 4 + 20 s."""
    plan = [fail(100, kind=kind), evacuate(100, microversion="2.95")]
    assert missed(*plan) == [(100, END_S)]
    assert missed(*plan, ask(1000, {"os-start": None})) == [(100, 1000 + 4 + 20)]


def test_who_was_stopped_by_nova_after_one_failure_and_evacuated_after_another_is_missed_all_along() -> None:
    assert missed(fail(100, 90), fail(1000), evacuate(1000), resumes=False) == [(100, END_S)]


@pytest.mark.parametrize(("again", "spells"), [
    (130, [(100, 126), (130, 156)]),
    (110, [(100, 136)]),
    (123, [(100, 126), (126, 149)]),  # it has booted before it goes down
])  # fmt: skip
def test_a_guest_that_is_asked_to_reboot_while_it_boots_is_missed_once_at_a_time(
    again: float, spells: list[tuple[float, float]]
) -> None:
    soft = {"reboot": {"type": "SOFT"}}
    records: Sequence[r.Record] = run(
        hosts=[{"name": "h{n:1-3}", **ROOM}], servers=[{"name": "vm", "host": "h1"}],
        timings=TIMES | {"reboot_soft": "6 s"}, plan=[ask(100, soft), ask(again, soft)], run={"duration": "300 s"},
    )  # fmt: skip
    assert [(one.began, one.t) for one in records if isinstance(one, r.Downtime)] == spells


def test_who_booted_on_a_host_that_hung_and_was_evacuated_and_left_stopped_is_missed_once() -> None:
    """h1 is back at 200 s, hangs at 210 s while vm boots (for 100 s here), and is evacuated then."""
    plan = [fail(100, 100), fail(210, kind="hang"), evacuate(210, microversion="2.95")]
    assert missed(*plan, boot_s=100) == [(100, END_S)]
