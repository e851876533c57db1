"""More lives of moved servers than the oracle has, as real Nova 34 lived them (`tests.differential.record_moves`)."""

from __future__ import annotations

from typing import Any

import pytest

from sim.eventlog import records as r
from sim.runs.checkers import check
from sim.runs.session import Session
from sim.scenario.spec import Scenario
from tests.conformance import lifecycle_player as player
from tests.conformance.recordings import copied

CASES = copied("moves")
NAME = player.NAME


@pytest.mark.parametrize("case", CASES, ids=[case["case"] for case in CASES])
def test_what_real_nova_did(case: dict[str, Any]) -> None:
    session = Session(Scenario.model_validate(_scenario(case)), seed=1)
    found: list[str] = []
    for step in case["steps"]:
        before = len(session.records())
        answer = _do(session, step["do"])
        for what, theirs, ours in player.compare(session, case, step, before, answer):
            if theirs != ours:
                found.append(f"{step['step']}: {what}: recorded {theirs}, simulated {ours}")
        held = {str(one.id): session.migration_allocations(one.id) for one in session.migrations(NAME)}
        if {number: amounts for number, amounts in held.items() if amounts} != step["held"]:
            found.append(f"{step['step']}: records hold {step['held']}, simulated {held}")
    assert not found, "\n".join(found)
    check(session.records())


def _scenario(case: dict[str, Any]) -> dict[str, Any]:
    """The hosts that Nova tried first have the most memory free."""
    tried = list(dict.fromkeys(
        event["host"] for step in case["steps"] for event in step["events"]
        if event["kind"] == "rpc" and event["host"].startswith("compute")
    ))  # fmt: skip
    weights = {"filter_scheduler.cpu_weight_multiplier": 0, "filter_scheduler.disk_weight_multiplier": 0}
    quiet = {"sync_power_state_interval": -1}
    return {
        "cloud": {
            "hosts": [
                {
                    "name": name, "vcpus": 10, "disk": "1028 GiB",
                    "memory": f"{8192 + 4096 * (len(tried) - tried.index(name) if name in tried else 0)} MiB",
                    "fails": ["resize_claim"] * (name in case["fails"]),
                    "service": {"status": "disabled" if name in case["disabled"] else "enabled"},
                }
                for name in ("compute1", "compute2", "compute3", "compute4")
            ],
            "flavors": [
                {"name": "1", "vcpus": 1, "memory": "512 MiB", "disk": "1 GiB"},
                {"name": "2", "vcpus": 1, "memory": "2048 MiB", "disk": "20 GiB"},
            ],
            "images": [{"name": "image", "size": "20 MB"}],
            "servers": [{"name": NAME, "flavor": "1", "host": "compute1", "image": "image"}],
            "nova": {"options": weights | quiet | case["options"]},
            "timings": {"guest_boot": "0 s"},
        },
    }  # fmt: skip


# --- the recorded steps here ------------------------------------------------------------------------------------------


def _do(session: Session, step: dict[str, Any]) -> Any:
    answer = None
    if "ask" in step:
        answer = session.request(NAME, step["ask"], microversion=step.get("microversion", "2.90"))
    elif "delete" in step:
        answer = session.request(NAME, None, method="DELETE", microversion="2.90")
        while session.server(NAME).status != "DELETED":
            session.run_for(0.1)
        return answer
    elif "back" in step:
        session.repair(step["back"])
        session.run_for(60)
    elif "down" in step:
        session.service(step["down"], forced_down=True)
    elif "wait" in step:
        session.run_for(step["wait"])
    held = step.get("hold") or step.get("die")
    if held:
        _reach(session, held[1])
        if "die" in step:
            session.fail(held[0], "crash")
            session.run_for(0.1)
    elif not _held_before(step):
        session.settle()
    return answer


def _held_before(step: dict[str, Any]) -> bool:
    """A reset comes in the midst of what is held, and nothing follows from it at once."""
    return "os-resetState" in step.get("ask", ())


def _reach(session: Session, call: str) -> None:
    """Go on until the host is at the work that real Nova's was held at."""
    for _ in range(100_000):
        if _BEGUN[call](session):
            return
        session.run_for(0.02)
    raise AssertionError(f"never at {call}")


def _task(task: str) -> Any:
    return lambda session: session.server(NAME).task_state == task


def _begun(event: str) -> Any:
    return lambda session: any(isinstance(one, r.EventStarted) and one.event == event for one in session.records())


def _returned(session: Session) -> bool:
    return session.migrations(NAME)[-1].status == "reverted" and session.server(NAME).host == "compute1"


_BEGUN: dict[str, Any] = {
    "migrate_disk_and_power_off": _task("resize_migrating"), "finish_migration": _task("resize_finish"),
    "confirm_migration": _begun("compute_confirm_resize"), "destroy": _begun("compute_revert_resize"),
    "finish_revert_migration": _returned,
}  # fmt: skip
