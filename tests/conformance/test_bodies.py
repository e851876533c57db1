"""Good and bad bodies, headers and callers, as real Nova answered them (tests/differential/record_bodies.py)."""

from __future__ import annotations

import gzip
import json
import re
from pathlib import Path
from typing import Any

import pytest

from sim.runs.session import Session
from sim.scenario.spec import Scenario

RECORDED = Path(__file__).parent / "data" / "bodies.json.gz"
IMAGE = "155d900f-4e14-4e4c-a73d-069cbf4541e6"
_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_ROLES = {"admin": ("reader", "member", "admin"), "member": ("reader", "member"), "reader": ("reader",)}
_FLAVORS = [
    {"name": "1", "vcpus": 1, "memory": "512 MiB", "disk": "1 GiB"},
    {"name": "2", "vcpus": 1, "memory": "2048 MiB", "disk": "20 GiB"},
    {"name": "5", "vcpus": 8, "memory": "16384 MiB", "disk": "160 GiB"},
    {"name": "zero", "vcpus": 1, "memory": "512 MiB", "disk": 0},
]
_STATES: dict[str | None, dict[str, Any]] = {
    "ACTIVE": {}, "PAUSED": {"vm_state": "paused"}, "SHELVED": {"vm_state": "shelved"},
    "SHELVED_OFFLOADED": {"vm_state": "shelved_offloaded", "host": None}, "LOCKED_ACTIVE": {"locked": "owner"},
    "SOFT_DELETED": {"vm_state": "soft-delete"}, "ACTIVE_TASK_migrating": {"task_state": "migrating"},
    "VERIFY_RESIZE": {"vm_state": "resized", "host": "compute2", "resized_from": "compute1"},
}  # fmt: skip


def _session(state: str | None) -> Session:
    hosts = [{"name": f"compute{n}", "vcpus": 10, "memory": "8192 MiB", "disk": "1028 GiB"} for n in range(1, 6)]
    server = {"name": "a", "flavor": "1", "host": "compute1", "image": IMAGE}
    cloud = {
        "hosts": hosts, "flavors": _FLAVORS, "images": [{"name": IMAGE, "size": "25165824 B"}],
        "servers": [] if state is None else [{**server, **_STATES[state]}],
        "nova": {"options": {"oslo_policy.enforce_new_defaults": True,
                             **({"shelved_offload_time": -1} if state == "SHELVED" else {})}},
    }  # fmt: skip
    return Session(Scenario.model_validate({"name": "body", "cloud": cloud}), seed=1)


def _answer(row: dict[str, Any]) -> tuple[int, str | None, str | None]:
    session = _session(row["state"])
    migration = None
    if row.get("migration"):
        migrations = session.migrations("a")
        migration = migrations[-1].id if migrations else 999
    answer = session.request(
        None if row["state"] is None else "a", row["body"], microversion=row["microversion"], migration=migration,
        roles=_ROLES[row["who"]], project="demo", method=row.get("method", "POST"),
    )  # fmt: skip
    return answer.code, _words(answer.message), answer.fault_name


def _words(text: str | None) -> str | None:
    return None if text is None else _UUID.sub("UUID", text)


def test_every_body_is_answered_as_nova_answered_it(capsys: pytest.CaptureFixture[str]) -> None:
    rows = json.loads(gzip.decompress(RECORDED.read_bytes()))
    wrong = []
    for row in rows:
        theirs, ours = (row["code"], _words(row["message"]), row["fault_name"]), _answer(row)
        if theirs != ours:
            wrong.append(f"{row['state']} {row['microversion']} {row['who']} {row['body']}: {theirs}, simulated {ours}")
    with capsys.disabled():
        print(f"bodies: {len(rows) - len(wrong)} of {len(rows)} answers match")
    assert not wrong, "\n".join(wrong[:20])
