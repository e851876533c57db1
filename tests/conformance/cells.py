"""Replays recorded cells: one server in one state, one request, and what came of it. Says where the two differ."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

from sim.eventlog.records import HostState
from sim.model.api.door import ApiAnswer
from sim.runs.session import Session
from sim.scenario.spec import Scenario

Row = Mapping[str, Any]
NAME = "vm"
_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_ROLES = {"admin": ("reader", "member", "admin"), "member": ("reader", "member"), "reader": ("reader",),
          "member_with_policy_opened": ("reader", "member")}  # fmt: skip
_UNKNOWN = {"NONEXISTENT": "11111111-2222-3333-4444-555555555555", "BAD_ID": "not-a-uuid"}
"""States that are none, and how they are asked for."""
_FLAVORS = (
    {"name": "m1.tiny", "vcpus": 1, "memory": "512 MiB", "disk": "1 GiB"},
    {"name": "m1.small", "vcpus": 2, "memory": "1024 MiB", "disk": "2 GiB"},
    {"name": "1", "vcpus": 1, "memory": "1024 MiB", "disk": "1 GiB"},
    {"name": "2", "vcpus": 1, "memory": "2048 MiB", "disk": "20 GiB"},
    {"name": "zero", "vcpus": 1, "memory": "512 MiB", "disk": 0},
    {"name": "huge", "vcpus": 5000, "memory": "1000000 MiB", "disk": "1 GiB"},
    {"name": "most", "vcpus": 1, "memory": "7680 MiB", "disk": "1 GiB"},
)
NEW_DEFAULTS: Mapping[str, Any] = {"oslo_policy.enforce_new_defaults": True}
"""As recordings of one's own are made: only Nova's default roles are allowed, so that readers confirm no resizes."""
_OF_STATE = {
    "SHELVED": {"shelved_offload_time": -1}, "SHELVED_OFFLOADED": {"shelved_offload_time": -1},
    "SOFT_DELETED": {"reclaim_instance_interval": 3600},
}  # fmt: skip
"""Options without which a server would not stay in the state."""
_NO_LIMITS = {"quota.instances": -1, "quota.cores": -1, "quota.ram": -1}


def differences(row: Row, options: Mapping[str, Any] = MappingProxyType({})) -> list[str]:
    """Replay a cell; what differs from the recording, empty if nothing does. ``options``: Nova's, as recorded."""
    session, name = _matrix(row, options) if "state" in row else _request(row)
    known = row.get("state") not in _UNKNOWN
    before = (len(session.migrations(name)), session.server(name).host) if known else (0, None)
    answer = _ask(session, name, row)
    session.settle()
    found = list(_answer(row, answer))
    if known:
        found += [*_server(session, name, row, before[1]), *_action(session, name, row, answer)]
        found += _migrations(session, name, row, before[0])
    return found


# --- the state before -------------------------------------------------------------------------------------------------


def _matrix(row: Row, options: Mapping[str, Any]) -> tuple[Session, str]:
    """Four big hosts and a server in the state, on the host that it was on."""
    state, action = row["state"], row["action"]
    before = row.get("before") or {}
    host = before.get("host") or "compute1"
    down = {host} if action == "evacuate" else set()
    server: dict[str, Any] = {"name": NAME, "flavor": "m1.tiny", "host": host, "image": "image"}
    server |= {key: before[key] for key in ("vm_state", "task_state") if key in before}
    if "power_state" in before:
        server["power_state"] = {0: "nostate", 1: "running", 3: "paused", 4: "shutdown"}[before["power_state"]]
    if state.endswith("SOURCE_DOWN") or state.startswith("VERIFY") or "RESIZED" in state or "VERIFY" in state:
        other = (row.get("moved_to") if row["action"] == "revertResize" else None) or _other(host)
        if before.get("vm_state") == "resized":
            server["resized_from"] = other
            down |= {other} if state.endswith("SOURCE_DOWN") else set()
        elif state.endswith("SOURCE_DOWN"):
            down.add(host)
    if state == "DELETED":
        server["vm_state"] = "deleted"
    if state.startswith("LOCKED"):
        server["locked"] = "owner"
    servers = [] if state in {*_UNKNOWN, "ERROR_NO_HOST"} else [server]
    hosts = [
        {"name": f"compute{n}", "vcpus": 1000, "memory": "1000 GiB", "disk": "1000 GiB",
         "service": {"forced_down": f"compute{n}" in down}}
        for n in range(1, 5)
    ]  # fmt: skip
    options = {**_NO_LIMITS, **options, **_OF_STATE.get(state, {})}
    session = _session(hosts, servers, options, _policy(row["who"]))
    if state == "ERROR_NO_HOST":
        body = {"server": {"name": NAME, "flavorRef": "huge", "imageRef": "image", "networks": "none"}}
        session.request(None, body, microversion="2.90", project="demo")
        session.settle()
    return session, _UNKNOWN.get(state, NAME)


def _other(host: str) -> str:
    return "compute1" if host != "compute1" else "compute2"


def _request(row: Row) -> tuple[Session, str]:
    """Five small hosts: where the server is, a free one, a disabled one, one that is down, one without free memory."""
    source_down = row.get("source_host") == "forced down"
    services: dict[int, dict[str, Any]] = {
        1: {"forced_down": source_down}, 3: {"status": "disabled"}, 4: {"forced_down": True},
    }  # fmt: skip
    hosts = [
        {"name": f"compute{n}", "vcpus": 10, "memory": "8192 MiB", "disk": "1028 GiB", "service": services.get(n, {})}
        for n in range(1, 6)
    ]
    server: dict[str, Any] = {"name": NAME, "flavor": "m1.tiny", "host": "compute1", "image": "image"}
    if row["action"] in {"confirmResize", "revertResize"}:
        server |= {"vm_state": "resized", "host": "compute2", "resized_from": "compute1"}
    full = {"name": "full", "flavor": "most", "host": "compute5", "image": "image"}
    return _session(hosts, [server, full], {}, None), NAME


def _session(hosts: list[Any], servers: list[Any], options: dict[str, Any], policy: str | None) -> Session:
    cloud = {
        "hosts": hosts, "servers": servers, "flavors": _FLAVORS, "images": [{"name": "image", "size": "20 MB"}],
        "nova": {"options": options, "policy": policy},
    }  # fmt: skip
    return Session(Scenario.model_validate({"name": "cell", "cloud": cloud}), seed=1)


_OPENED = ("os-migrate-server:migrate", "os-migrate-server:migrate:host", "os-migrate-server:migrate_live",
           "os-migrate-server:migrate_live:host", "os-evacuate", "os-admin-actions:reset_state",
           "os-admin-actions:inject_network_info")  # fmt: skip


@lru_cache
def _policy(who: str) -> str | None:
    """The policy file that the caller was recorded under; None: Nova's defaults."""
    if who != "member_with_policy_opened":
        return None
    path = Path(tempfile.mkdtemp(prefix="novasim-conformance-")) / "policy.yaml"
    path.write_text("".join(f'"os_compute_api:{rule}": "@"\n' for rule in _OPENED), "utf-8")
    return str(path)


# --- the request ------------------------------------------------------------------------------------------------------

_RESIZES = {"ok": "m1.small", "same flavor": "m1.tiny", "zero disk flavor": "zero", "too big for any host": "huge"}


def _ask(session: Session, name: str, row: Row) -> ApiAnswer:
    body = row.get("body", row.get("request_body"))
    if isinstance(body, str) and body.startswith("RAW: "):
        body = body.removeprefix("RAW: ").encode()
    if row["action"] == "resize" and row.get("case") in _RESIZES:
        body = {**body, "resize": {**body["resize"], "flavorRef": _RESIZES[row["case"]]}}
    delete = row["action"] == "DELETE"
    return session.request(
        name, None if delete else body, method="DELETE" if delete else "POST", microversion=row["microversion"],
        roles=_ROLES[row.get("who", "admin")], project="demo",
    )  # fmt: skip


# --- what came of it --------------------------------------------------------------------------------------------------


def _answer(row: Row, answer: ApiAnswer) -> Iterator[str]:
    yield from _differ("code", row["code"], answer.code)
    yield from _differ("message", _words(row["message"]), _words(answer.message))
    yield from _differ("fault_name", row.get("fault_name"), answer.fault_name)
    yield from _differ("body", _password(row.get("response_body")), _password(answer.body))


def _action(session: Session, name: str, row: Row, answer: ApiAnswer) -> Iterator[str]:
    """The instance action of this request, and which of its events failed."""
    if "instance_action" not in row:
        return
    ours = next((a for a in reversed(session.actions(name)) if a.request_id == answer.request_id), None)
    yield from _differ("instance_action", row["instance_action"], None if ours is None else ours.action)
    failed = [] if ours is None else [(e.event, _words(e.details)) for e in ours.events if e.result == "Error"]
    theirs = [(event["event"], _words(event["details"])) for event in row.get("failed_events") or ()]
    yield from _differ("failed_events", sorted(theirs), sorted(failed))


def _server(session: Session, name: str, row: Row, host: str | None) -> Iterator[str]:
    server, after = session.server(name), row["after"]
    if after.get("get_code") == 404:
        yield from _differ("after", "deleted", server.vm_state)
        return
    for key in ("status", "vm_state", "task_state", "power_state"):
        yield from _differ(f"after {key}", after[key], getattr(server, key))
    if row.get("moved_to") is not None and "state" in row and row["action"] != "revertResize":
        # All other hosts of the matrix are equal, and chance has chosen: any that is up would do.
        yield from _differ("moved", True, server.host in {f"compute{n}" for n in range(1, 5)} - {host} - _down(session))
    else:
        yield from _differ("after host", after["host"], server.host)
    fault = after.get("fault")
    theirs = None if fault is None else (fault["code"], _words(fault["message"]))
    shown = server.fault if server.status in {"ERROR", "DELETED"} else None
    yield from _differ("after fault", theirs, None if shown is None else (shown.code, _words(shown.message)))


def _down(session: Session) -> set[str]:
    return {r.host for r in session.records() if isinstance(r, HostState) and r.forced_down}


def _migrations(session: Session, name: str, row: Row, before: int) -> Iterator[str]:
    """New records as the matrix lists them, or the last one; where it went need only be where the server now is."""
    every, now = session.migrations(name), session.server(name).host

    def record(entry: Any) -> tuple[object, ...]:
        dest = entry["dest_compute"]
        return (entry["status"], entry["migration_type"], entry["source_compute"],
                "there" if dest is not None and dest == row.get("moved_to") else dest)  # fmt: skip

    def ours(entry: Any) -> tuple[object, ...]:
        dest = entry.dest_compute
        return (entry.status, entry.type, entry.source_compute,
                "there" if dest is not None and dest == now and row.get("moved_to") else dest)  # fmt: skip

    if "new_migrations" in row:
        yield from _differ("new_migrations", [*map(record, row["new_migrations"])], [*map(ours, every[before:])])
    elif row.get("last_migration") and row["instance_action"] is not None:
        yield from _differ("last_migration", record(row["last_migration"]), ours(every[-1]) if every else None)


def _differ(what: str, theirs: object, ours: object) -> Iterator[str]:
    if theirs != ours:
        yield f"{what}: recorded {theirs!r}, simulated {ours!r}"


def _password(body: Any) -> Any:
    """Generated passwords and ids are as good as each other."""
    if not isinstance(body, dict):
        return body
    made = {"adminPass": "generated"} if body.get("adminPass") not in (None, "Secret12") else {}
    return {**{key: _words(value) if isinstance(value, str) else value for key, value in body.items()}, **made}


def _words(text: str | None) -> str | None:
    return None if text is None else _UUID.sub("UUID", text)
