"""Ordinary operations as real Nova 34 carried them out (`ordinary.json`, see `record_ordinary.py`), played here.

States, actions, events with their results and places, faults and claims come in the same order. Two things differ by
the recording's fake driver, and are left out: libvirt's snapshot tells of one task more (``…_pending_upload``), and a
guest that is rescued or soft deleted has another power state under libvirt (running, and off). Of a migration only the
end is compared here: the order between conductor and computes is chance, and other lives tell of it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from sim.eventlog import records as r
from sim.runs.checkers import check
from sim.runs.session import Session
from sim.scenario.spec import Scenario

CASES: list[dict[str, Any]] = json.loads((Path(__file__).parent / "ordinary.json").read_text(encoding="utf-8"))
_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_COLUMNS = ("vm_state", "task_state", "power_state", "host")
_PENDING = {"shelving_image_pending_upload", "image_pending_upload"}
_BY_DRIVER = {"rescued", "soft-delete"}
"""States that virt drivers give different power states."""
_BEGUN = {
    "spawn": ("spawning",), "power_off": ("powering-off",), "power_on": ("powering-on",),
    "reboot": ("reboot_started_hard",), "pause": ("pausing",), "rescue": ("rescuing",),
    "snapshot": ("shelving",), "destroy": ("deleting", "shelving_offloading"),
}  # fmt: skip
"""A driver's call that is held → tasks in which the simulator's host is at that work."""
_DEAD_S = 400.0
Facts = list[tuple[Any, ...]]


@pytest.mark.parametrize("case", CASES, ids=[case["case"] for case in CASES])
def test_what_real_nova_did(case: dict[str, Any]) -> None:
    player = _Player(case)
    recorded, ours = _Columns(), _Columns()
    answers = iter(case["answers"])
    gate = None
    for number, step in enumerate(case["steps"]):
        ((verb, value),) = step.items()
        if verb in {"hold", "die"}:
            gate = (verb, value)
            continue
        answer, happened = player.play(verb, value, gate)
        theirs, gate = next(answers), None
        where = f"step {number + 1} {step}"
        if theirs["code"] is not None:
            assert (answer.code, _masked(answer.message or "")) == (theirs["code"], theirs["message"]), where
        seen = ours.of(_happened(happened)), recorded.of(map(json.loads, theirs["facts"]))
        assert value == {"migrate": None} or seen[0] == seen[1], where
        _same_state(player, theirs, where)
    check(player.session.records())


def _same_state(player: _Player, theirs: dict[str, Any], where: str) -> None:
    state = theirs["after"]
    if state is None:
        return
    server = player.session.server("vm")
    names = [name for name in state if name != "power_state" or state["vm_state"] not in _BY_DRIVER]
    assert {name: getattr(server, name) for name in names} == {name: state[name] for name in names}, where
    assert player.session.allocations("vm") == theirs["allocations"], where


class _Player:
    """One case on a cloud like the recorded one."""

    def __init__(self, case: dict[str, Any]) -> None:
        self.case = case
        hosts = [f"h{number}" for number in range(1, case["hosts"] + 1)]
        weights = {"filter_scheduler.cpu_weight_multiplier": 0, "filter_scheduler.disk_weight_multiplier": 0}
        self.session = Session(Scenario.model_validate({
            "cloud": {
                "hosts": [
                    {"name": name, "vcpus": 10, "memory": f"{8192 + 1024 * (len(hosts) - i)} MiB", "disk": "1028 GiB",
                     "fails": ["build"] * (name in case["fails"])}
                    for i, name in enumerate(hosts)
                ],
                "flavors": [
                    {"name": "1", "vcpus": 1, "memory": "512 MiB", "disk": "1 GiB"},
                    {"name": "5", "vcpus": 8, "memory": "16384 MiB", "disk": "160 GiB"},
                ],
                "images": [{"name": "image", "size": "20 MB"}],
                "nova": {"options": weights | {"sync_power_state_interval": -1} | case["options"]},
            },
        }), seed=1)  # fmt: skip
        self._holding = False

    def play(self, verb: str, value: Any, gate: tuple[str, str] | None) -> tuple[Any, Sequence[r.Record]]:
        """The answer, and what was recorded until all is done or held."""
        before = len(self.session.records())
        answer = getattr(self, f"_{verb}")(value)
        if gate is not None:
            self._reach(gate)
        elif not self._holding:
            self.session.settle()
        return answer, self.session.records()[before:]

    def _reach(self, gate: tuple[str, str]) -> None:
        """Go on until the host is at the work that real Nova's was held at."""
        kind, call = gate
        for _ in range(2000):
            if self.session.server("vm").task_state in _BEGUN[call]:
                break
            self.session.run_for(0.05)
        self._holding = kind == "hold"
        if kind == "die":
            self.session.fail("h1", "crash")
            self.session.run_for(_DEAD_S)

    def _create(self, more: dict[str, Any]) -> Any:
        body = {"name": "vm", "imageRef": "image", "flavorRef": "1", "networks": "none"} | more
        return self.session.request(None, {"server": body}, microversion="2.74")

    def _ask(self, body: dict[str, Any]) -> Any:
        if "h1 once" in self.case["fails"] and body == {"unshelve": None}:
            self.session._simulation.cloud.hosts.fails[0] = frozenset({"build"})
        return self.session.request("vm", body, microversion="2.90")

    def _delete(self, _: Any) -> Any:
        return self.session.request("vm", None, method="DELETE", microversion="2.90")

    def _release(self, _: Any) -> None:
        self._holding = False

    def _back(self, _: Any) -> None:
        self.session.repair("h1")


# --- the same facts of both -------------------------------------------------------------------------------------------


class _Columns:
    """What a server's row says, so that only real changes are compared."""

    def __init__(self) -> None:
        self._now: dict[str, Any] = {"vm_state": "building", "task_state": "scheduling", "power_state": 0, "host": None}

    def of(self, facts: Any) -> Facts:
        """The facts with changes alone, and without what the recording's driver does not tell."""
        found: Facts = []
        for kind, *rest in facts:
            if kind != "instance":
                found.append((kind, *rest))
                continue
            before = self._now["vm_state"]
            changed = {name: value for name, value in rest[0].items() if name in _COLUMNS and self._now[name] != value}
            self._now |= changed
            if {before, self._now["vm_state"]} & _BY_DRIVER:
                changed.pop("power_state", None)
            if changed and changed.get("task_state") not in _PENDING:
                found.append((kind, sorted(changed.items(), key=str)))
        return found


def _happened(written: Sequence[r.Record]) -> Iterator[list[Any]]:
    for record in written:
        if isinstance(record, r.ServerState):
            yield ["instance", {name: getattr(record, name) for name in _COLUMNS}]
        elif isinstance(record, r.ServerDeleted):
            yield ["instance", {"vm_state": "deleted", "task_state": None, "power_state": 0}]
        elif isinstance(record, r.MigrationState):
            yield ["migration", record.status, record.dest]
        elif isinstance(record, r.ActionStarted):
            yield ["action", record.action]
        elif isinstance(record, r.EventStarted):
            yield ["event", record.event, "begins", record.host]
        elif isinstance(record, r.EventFinished):
            yield ["event", record.event, record.result, _masked(record.details)]
        elif isinstance(record, r.ServerFault):
            yield ["fault", record.code, _masked(record.message)]


def _masked(text: str | None) -> str | None:
    return None if text is None else _UUID.sub("UUID", text)
