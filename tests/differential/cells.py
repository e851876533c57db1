"""The cells of the oracle as something to play: which cloud, how a server gets into a state, which request.

Names of states, cases and hosts are those of the oracle's README; a row has its shape.
"""

from __future__ import annotations

from typing import Any

Step = dict[str, Any]

MICROVERSIONS = (
    "2.1",
    "2.13",
    "2.14",
    "2.24",
    "2.25",
    "2.29",
    "2.30",
    "2.33",
    "2.34",
    "2.55",
    "2.56",
    "2.67",
    "2.68",
    "2.94",
    "2.95",
    "latest",
)
LARGE = {"vcpus": 1000, "memory_mb": 800_000, "disk_gb": 600_000}
MEDIUM = {"vcpus": 10, "memory_mb": 8192, "disk_gb": 1028}

MATRIX_CLOUD: dict[str, Any] = {"hosts": {f"compute{n}": LARGE for n in range(1, 5)}, "no_quota": True}
REQUEST_CLOUD: dict[str, Any] = {"hosts": {f"compute{n}": MEDIUM for n in range(1, 6)}}
LIFE_CLOUD: dict[str, Any] = {"hosts": {f"compute{n}": MEDIUM for n in range(1, 5)}}

POLICY_OPENED = {
    "os_compute_api:os-migrate-server:migrate": "@",
    "os_compute_api:os-migrate-server:migrate:host": "@",
    "os_compute_api:os-migrate-server:migrate_live": "@",
    "os_compute_api:os-migrate-server:migrate_live:host": "@",
    "os_compute_api:os-evacuate": "@",
    "os_compute_api:os-admin-actions:reset_state": "@",
    "os_compute_api:os-admin-actions:inject_network_info": "@",
}


def ask(body: Any, **more: Any) -> Step:
    """A request to the server under test."""
    return {"op": "request", "server": "a", "body": body, **more}


def write(**values: Any) -> Step:
    return {"op": "write", "server": "a", "values": values}


CREATE: Step = {"op": "create", "name": "a", "host": "compute1"}
DOWN: Step = {"op": "service", "host_of": "a", "forced_down": True}
MIGRATE = ask({"migrate": None})
STOP = ask({"os-stop": None})
LOCK = ask({"lock": None})
NO_OFFLOAD: Step = {"op": "option", "name": "shelved_offload_time", "value": -1}
SOFT_DELETE: Step = {"op": "option", "name": "reclaim_instance_interval", "value": 3600}
DELETE: Step = {"op": "request", "server": "a", "method": "DELETE", "path": "/servers/{server}"}
GIANT: Step = {"op": "flavor", "name": "giant", "vcpus": 1, "memory_mb": 900_000, "disk_gb": 1}


def _task(task_state: str) -> list[Step]:
    return [CREATE, write(task_state=task_state)]


STATES: dict[str, list[Step]] = {
    "ACTIVE": [CREATE],
    "ACTIVE_POWER_SHUTDOWN": [CREATE, write(power_state=4)],
    "ACTIVE_SOURCE_DOWN": [CREATE, DOWN],
    **{
        f"ACTIVE_TASK_{task.replace('-', '_')}": _task(task)
        for task in ("deleting", "migrating", "powering-off", "rebuilding", "resize_migrating", "resize_prep")
    },
    "BAD_ID": [],
    "BUILD_spawning": [CREATE, write(vm_state="building", task_state="spawning", power_state=0)],
    "DELETED": [CREATE, DELETE],
    "ERROR": [CREATE, ask({"os-resetState": {"state": "error"}})],
    "ERROR_NO_HOST": [GIANT, {"op": "create", "name": "a", "flavor": "giant"}],
    "LOCKED_ACTIVE": [CREATE, LOCK],
    "LOCKED_VERIFY_RESIZE": [CREATE, MIGRATE, LOCK],
    "NONEXISTENT": [],
    "PAUSED": [CREATE, ask({"pause": None})],
    "RESCUED": [CREATE, ask({"rescue": None})],
    "RESIZED_TASK_resize_reverting": [CREATE, MIGRATE, write(task_state="resize_reverting")],
    "SHELVED": [CREATE, NO_OFFLOAD, ask({"shelve": None})],
    "SHELVED_OFFLOADED": [CREATE, NO_OFFLOAD, ask({"shelve": None}), ask({"shelveOffload": None})],
    "SHUTOFF": [CREATE, STOP],
    "SHUTOFF_SOURCE_DOWN": [CREATE, STOP, DOWN],
    "SOFT_DELETED": [CREATE, SOFT_DELETE, DELETE],
    "SUSPENDED": [CREATE, ask({"suspend": None})],
    "VERIFY_RESIZE": [CREATE, MIGRATE],
    "VERIFY_RESIZE_SHUTOFF": [CREATE, STOP, MIGRATE],
    "VERIFY_RESIZE_SOURCE_DOWN": [CREATE, MIGRATE, {"op": "service", "host": "compute1", "forced_down": True}],
}
SERVER_IDS = {"BAD_ID": "not-a-uuid", "NONEXISTENT": "00000000-aaaa-bbbb-cccc-000000000000"}


def number(microversion: str) -> tuple[int, int]:
    """2.9 < 2.10; `latest` is above all."""
    if microversion == "latest":
        return (2, 10_000)
    major, minor = microversion.split(".")
    return (int(major), int(minor))


def matrix_body(action: str, microversion: str) -> dict[str, Any]:
    """The body that the oracle's matrix sends at this microversion."""
    name, _, argument = action.partition(":")
    if name == "os-migrateLive":
        if number(microversion) < (2, 25):
            return {name: {"host": None, "block_migration": False, "disk_over_commit": False}}
        return {name: {"host": None, "block_migration": "auto"}}
    if name.startswith("evacuate"):
        return {"evacuate": {"onSharedStorage": False} if number(microversion) < (2, 14) else {}}
    if name == "os-resetState":
        return {name: {"state": argument}}
    return {name: None}


def matrix_play(state: str, action: str, microversion: str, who: str) -> tuple[list[list[Step]], list[Step]]:
    """Prefix and steps of one cell; the first step's row shows `before`, the last one's is the answer."""
    prefix = [STATES[state]] if STATES[state] else []
    first: Step = {"op": "settle"}
    if action == "evacuate":
        first = {**DOWN} if STATES[state] else {"op": "settle"}
    steps = [first]
    role = who
    if who == "member_with_policy_opened":
        steps.insert(0, {"op": "policy", "rules": POLICY_OPENED, "watch": False})
        role = "member"
    more = {"server": state, "server_id": SERVER_IDS[state]} if state in SERVER_IDS else {}
    steps.append(ask(matrix_body(action, microversion), microversion=microversion, who=role, **more))
    return prefix, steps


def _plain(server: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in server.items() if key != "locked"}


def before_of(row: dict[str, Any]) -> dict[str, Any]:
    """The server under test before the request, as the oracle says it."""
    state = row["servers"].get("a")
    return _plain(state["server"]) if state else {"get_code": 404}


def outcome(before: dict[str, Any], row: dict[str, Any], *, requests: bool) -> dict[str, Any]:
    """What one request changed, as the oracle says it. `requests`: the shape of requests_*.json, else matrix_*.json."""
    result: dict[str, Any] = {"code": row["code"], "message": row["message"]}
    if row["fault_name"]:
        result["fault_name"] = row["fault_name"]
    if row.get("body"):
        generated = row["body"].get("adminPass") not in (None, "Secret12")
        result["response_body"] = {"adminPass": "<generated>"} if generated else row["body"]
    state = row["servers"].get("a")
    if state is None or "get_code" in before["servers"]["a"]["server"]:
        return result | {"after": {"get_code": 404}}
    old = before["servers"]["a"]
    result["after"] = _plain(state["server"])
    new = state["migrations"][len(old["migrations"]) :]
    moved = state["server"].get("host") != old["server"].get("host")
    if moved or not requests:
        result["moved_to"] = state["server"].get("host") if moved else None
    fresh = state["actions"][len(old["actions"]) :]
    if requests:
        result["rpc_to_compute"] = [call for call in row["rpc"] if not call.endswith("@scheduler")]
        if state["migrations"]:
            result["last_migration"] = state["migrations"][-1]
    else:
        result["new_migrations"] = new
    result["instance_action"] = fresh[-1]["action"] if fresh else None
    # the API lists the latest event first
    failed = [
        {"event": event["event"], "details": event["details"]}
        for one in fresh
        for event in reversed(one["events"])
        if event["result"] == "Error"
    ]
    if failed:
        result["failed_events"] = failed
    return result
