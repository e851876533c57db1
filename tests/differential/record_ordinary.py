"""Records what real Nova does to a server in ordinary operations: `python -m tests.differential.record_ordinary`.

Writes `tests/conformance/ordinary.json`, which `tests/conformance/test_ordinary.py` plays in the simulator. A case is a
cloud of so many hosts, the first of which is always the best, and steps: a request, a driver's call that is held
(`hold`) until it is let go (`release`), or that its service does not survive (`die`) until the host is back (`back`).
"""

from __future__ import annotations

import json
import pathlib
import re
from collections.abc import Iterator
from typing import Any

from tests.differential.nova_process import RealNova

OUT = pathlib.Path(__file__).parents[1] / "conformance" / "ordinary.json"
_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_SHOWN = ("status", "vm_state", "task_state", "power_state", "host")
Step = dict[str, Any]
CREATE: Step = {"create": {}}
DELETE: Step = {"delete": {}}
STOP, START, SHELVE, UNSHELVE = ({"ask": {word: None}} for word in ("os-stop", "os-start", "shelve", "unshelve"))
IMAGE: Step = {"ask": {"createImage": {"name": "x"}}}
ON_SHELF = {"DEFAULT.shelved_offload_time": -1}
SOFT = {"DEFAULT.reclaim_instance_interval": 3600}
RELEASE: Step = {"release": {}}
BACK: Step = {"back": {}}


def ask(word: str, value: Any = None) -> Step:
    return {"ask": {word: value}}


def reset(state: str) -> Step:
    return ask("os-resetState", {"state": state})


def hold(call: str) -> Step:
    return {"hold": call}


def die(call: str) -> Step:
    return {"die": call}


def case(name: str, *steps: Step, hosts: int = 2, options: Any = None, fails: Any = ()) -> dict[str, Any]:
    return {"case": name, "hosts": hosts, "options": options or {}, "fails": list(fails), "steps": list(steps)}


CASES = [
    case("power", CREATE, STOP, START, ask("reboot", {"type": "SOFT"}), ask("reboot", {"type": "HARD"})),
    case("pause and suspend", CREATE, ask("pause"), ask("unpause"), ask("suspend"), ask("resume")),
    case("shelve and offload at once", CREATE, SHELVE, UNSHELVE),
    case(
        "shelve, stay, come back; shelve, offload, come back",
        CREATE,
        SHELVE,
        UNSHELVE,
        SHELVE,
        ask("shelveOffload"),
        UNSHELVE,
        options=ON_SHELF,
    ),
    case("rescue", CREATE, ask("rescue", {}), ask("unrescue")),
    case("image", CREATE, IMAGE),
    case("delete", CREATE, DELETE),
    case(
        "soft delete, restore, force delete", CREATE, DELETE, ask("restore"), DELETE, ask("forceDelete"), options=SOFT
    ),
    case("delete while it waits for confirm", CREATE, ask("migrate"), DELETE),
    case("builds fail on the best host", CREATE, hosts=3, fails=["h1"]),
    case("builds fail on all of five hosts", CREATE, hosts=5, fails=["h1", "h2", "h3", "h4", "h5"]),
    case("builds fail on both hosts", CREATE, fails=["h1", "h2"]),
    case("builds fail, one attempt", CREATE, fails=["h1", "h2"], options={"scheduler.max_attempts": 1}),
    case("builds fail on the forced host", {"create": {"availability_zone": "nova:h2"}}, fails=["h1", "h2"]),
    case("no host, then delete", {"create": {"flavorRef": "5"}}, DELETE),
    case("unshelve fails", CREATE, SHELVE, UNSHELVE, hosts=1, fails=["h1 once"]),
    case("delete during spawn", hold("spawn"), CREATE, DELETE, RELEASE),
    case("delete during stop", CREATE, hold("power_off"), STOP, DELETE, RELEASE),
    case("delete during reboot", CREATE, hold("reboot"), ask("reboot", {"type": "HARD"}), DELETE, RELEASE),
    case("delete during shelve", CREATE, hold("snapshot"), SHELVE, DELETE, RELEASE),
    case("delete during unshelve", CREATE, SHELVE, hold("spawn"), UNSHELVE, DELETE, RELEASE),
    case("delete twice", CREATE, hold("destroy"), DELETE, DELETE, RELEASE),
    case("reset to error during spawn", hold("spawn"), CREATE, reset("error"), RELEASE),
    case("reset to active during spawn", hold("spawn"), CREATE, reset("active"), RELEASE),
    case("reset during stop", CREATE, hold("power_off"), STOP, reset("error"), RELEASE),
    case("reset during start", CREATE, STOP, hold("power_on"), START, reset("active"), RELEASE),
    case("reset during reboot", CREATE, hold("reboot"), ask("reboot", {"type": "HARD"}), reset("error"), RELEASE),
    case("reset during pause", CREATE, hold("pause"), ask("pause"), reset("active"), RELEASE),
    case("reset during shelve", CREATE, hold("snapshot"), SHELVE, reset("active"), RELEASE, options=ON_SHELF),
    case(
        "reset during offload",
        CREATE,
        SHELVE,
        hold("destroy"),
        ask("shelveOffload"),
        reset("active"),
        RELEASE,
        options=ON_SHELF,
    ),
    case("reset during unshelve", CREATE, SHELVE, hold("spawn"), UNSHELVE, reset("active"), RELEASE),
    case("reset during rescue", CREATE, hold("rescue"), ask("rescue", {}), reset("active"), RELEASE),
    case("reset during delete", CREATE, hold("destroy"), DELETE, reset("active"), RELEASE),
    case("die during spawn", die("spawn"), CREATE, BACK, hosts=1),
    case("die during delete", CREATE, die("destroy"), DELETE, BACK, hosts=1),
    case("die during shelve", CREATE, die("snapshot"), SHELVE, BACK, hosts=1),
]


def main() -> None:
    with RealNova() as nova:
        recorded = [_recorded(nova, one) for one in CASES]
    OUT.write_text("[\n" + ",\n".join(json.dumps(one) for one in recorded) + "\n]\n", encoding="utf-8")
    print(f"wrote {OUT}: {len(recorded)} cases")


def _recorded(nova: RealNova, one: dict[str, Any]) -> dict[str, Any]:
    hosts = [f"h{number}" for number in range(1, one["hosts"] + 1)]
    cloud = {
        "hosts": {
            name: {"vcpus": 10, "memory_mb": 8192 + 1024 * (len(hosts) - i), "disk_gb": 1028}
            for i, name in enumerate(hosts)
        },
        "options": {"filter_scheduler.cpu_weight_multiplier": 0, "filter_scheduler.disk_weight_multiplier": 0}
        | one["options"],
        "fails": {name: ["build"] for name in hosts if name in one["fails"]},
    }
    steps, told = list(_told(one)), []
    for step, row in zip(steps, nova.play(cloud, steps), strict=True):
        if not step.pop("silent", False):
            told.append(_kept(row))
    said = [step for step in one["steps"] if not ({"hold", "die"} & set(step))]
    assert len(told) == len(said), one["case"]
    return one | {"answers": told}


def _told(one: dict[str, Any]) -> Iterator[Step]:
    """The case's steps in the words of real Nova's player."""
    for step in one["steps"]:
        ((verb, value),) = step.items()
        if verb in {"hold", "die"}:
            yield {"op": "gate", "host": "h1", "call": value, "kind": verb, "silent": True}
        elif verb == "create":
            zone = {"availability_zone": value["availability_zone"]} if "availability_zone" in value else {}
            yield {"op": "create", "name": "vm", "flavor": value.get("flavorRef", "1"), "extra": zone, "record": True}
        elif verb == "release":
            yield {"op": "open", "record": True}
        elif verb == "back":
            yield {"op": "back", "record": True}
        else:
            if "h1 once" in one["fails"] and value == {"unshelve": None}:
                yield {
                    "op": "gate",
                    "host": "h1",
                    "call": "spawn",
                    "kind": "fail",
                    "message": "build fails on h1",
                    "silent": True,
                }
            delete = verb == "delete"
            yield {
                "op": "request",
                "server": "vm",
                "microversion": "2.90",
                "record": True,
                "path": "/servers/{server}" if delete else "/servers/{server}/action",
                **({"method": "DELETE"} if delete else {"body": value}),
            }


def _kept(row: dict[str, Any]) -> dict[str, Any]:
    server = row["servers"].get("vm", {})
    state = server.get("server") or {}
    return {
        "code": row.get("code"),
        "message": _UUID.sub("UUID", row.get("message") or ""),
        "facts": [_UUID.sub("UUID", json.dumps(fact)) for fact in _facts(row["events"])],
        "after": {key: state.get(key) for key in _SHOWN} if state.get("vm_state") else None,
        "allocations": server.get("allocations"),
    }


def _facts(events: list[dict[str, Any]]) -> Iterator[list[Any]]:
    """The events that the simulator has records of."""
    for event in events:
        kind = event["kind"]
        if kind == "instance":
            yield [kind, {key: value for key, value in event["changed"].items() if key in _SHOWN}]
        elif kind == "migration":
            yield [kind, event["status"], event["dest_compute"]]
        elif kind == "action_start":
            yield ["action", event["action"]]
        elif kind == "event_start":
            yield ["event", event["event"], "begins", _place(event)]
        elif kind == "event_finish":
            yield ["event", event["event"], event["result"], event["details"]]
        elif kind == "instance_fault":
            yield ["fault", event["code"], event["message"]]


def _place(event: dict[str, Any]) -> str:
    return "conductor" if event["host"] == "fake-mini" else str(event["host"])


if __name__ == "__main__":
    main()
