"""Plays sequences on real Nova, and says what came of each step in the words that both sides use."""

from __future__ import annotations

import re
from typing import Any

from tests.differential.nova_process import RealNova
from tests.differential.sequences import DEAD_S, Sequence, in_the_midst
from tests.differential.stages import FLAVORS, Stage, Step

Row = dict[str, Any]
_NUMBER = re.compile(r"instance-[0-9a-f]{8}")
_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")

_DURING_S = 5.0
"""What is asked for while something else is held may have to wait for it: it is not waited for, so that no call of one
service to another takes so long that it fails."""
_NOT_THE_FIXTURES = {"filter_scheduler.build_failure_weight_multiplier": 1_000_000.0}
"""Options that Nova's own tests set, back at Nova's defaults."""


def setting(stage: Stage) -> tuple[dict[str, Any], list[Step]]:
    """Real Nova's cloud for a stage, and the steps that make its flavors, groups and first servers."""
    options = _NOT_THE_FIXTURES | stage["options"]
    cloud = {"hosts": stage["hosts"], "options": options, "fails": stage["fails"], "as_libvirt": True}
    flavors = [
        {"op": "flavor", "name": name, "vcpus": vcpus, "memory_mb": memory, "disk_gb": disk}
        for name, (vcpus, memory, disk) in FLAVORS.items()
    ]
    groups = [{"op": "group", "name": name, "policy": policy} for name, policy in stage["groups"].items()]
    return cloud, [*flavors, *groups, *map(told, stage["servers"])]


def told(step: Step) -> Step:
    """A step in the words of real Nova's player."""
    step = {**step, "sync": True}
    if in_the_midst(step):
        step["midst_s"] = _DURING_S
    if step["op"] != "dead":
        step["noticed_s"] = DEAD_S
    if step["op"] != "request":
        return step
    paths = {
        ("POST", None): "/servers/{server}/action",
        ("DELETE", None): "/servers/{server}",
        ("POST", "migration"): "/servers/{server}/migrations/{migration}/action",
        ("DELETE", "migration"): "/servers/{server}/migrations/{migration}",
    }
    return {**step, "path": paths[step.get("method", "POST"), step.get("of")]}


class NovaSide:
    """One process of real Nova. What a stage needs is kept for the next sequence on it."""

    def __init__(self) -> None:
        self._nova = RealNova()

    def play(self, sequence: Sequence) -> list[Row]:
        """A row for the stage as it stands at the start, then one a step."""
        cloud, prefix = setting(sequence.stage)
        rows = self._nova.play(cloud, [{"op": "settle"}, *map(told, sequence.steps)], [prefix])
        return [_row(row) for row in rows]

    def close(self) -> None:
        """End the process."""
        self._nova.close()


def _row(row: Row) -> Row:
    names = row["names"]
    answer = {key: row[key] for key in ("code", "message", "fault_name", "body") if key in row}
    if isinstance(answer.get("body"), dict):
        answer["body"] = sorted(answer["body"])
    found = {
        "held": row["held"],
        "counted": row["counted"],
        "answer": answer or None,
        "servers": {name: _server(one) for name, one in row["servers"].items()},
    }
    return _masked(found, names)


def _server(row: Row) -> Row:
    state = row["server"]
    return {
        "state": "gone" if "get_code" in state else state,
        "migrations": [
            [one["migration_type"], one["status"], one["source_compute"], one["dest_compute"]]
            for one in row["migrations"]
        ],
        "actions": [
            [one["action"], one["message"], [[e["event"], e["result"], e["details"], _place(e)] for e in one["events"]]]
            for one in row["actions"]
        ],
        "allocations": row["allocations"],
        "held": row["held"],
    }


def _place(event: Row) -> str:
    """API and conductor run in one process there, which has one name."""
    if event["host"] != "fake-mini":
        return str(event["host"])
    return "api" if event["event"].startswith("api_") else "conductor"


def _masked(value: Any, names: dict[str, str]) -> Any:
    """Servers by their names in all texts, other uuids hidden."""
    if isinstance(value, str):
        value = _NUMBER.sub("instance-NUMBER", value)
        return _UUID.sub(lambda found: names.get(found.group(), "UUID"), value)
    if isinstance(value, list):
        return [_masked(one, names) for one in value]
    if isinstance(value, dict):
        return {key: _masked(one, names) for key, one in value.items()}
    return value
