"""Plays sequences in the simulator, and says what came of each step in the words that both sides use."""

from __future__ import annotations

import re
from typing import Any

from sim.model.api.door import ApiAnswer
from sim.runs.session import Session
from sim.scenario.spec import Scenario
from tests.differential.asks import minor
from tests.differential.sequences import Sequence
from tests.differential.stages import FLAVORS, IMAGE, Stage, Step

Row = dict[str, Any]
_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_NO_SERVER = "00000000-aaaa-bbbb-cccc-000000000000"
_PROJECT = "demo"
_ROLES = {
    "admin": ("reader", "member", "admin"), "member": ("reader", "member"), "reader": ("reader",),
    "stranger": ("reader", "member"),
}  # fmt: skip
_NOT_RUN = {"DEFAULT.sync_power_state_interval": -1}
"""Periodic tasks that the other side's player does not run."""


def scenario_of(stage: Stage) -> dict[str, Any]:
    """The stage as a scenario, without its first servers: those are asked for."""
    return {
        "name": "differential",
        "cloud": {
            "hosts": [
                {
                    "name": name, "vcpus": size["vcpus"], "memory": f"{size['memory_mb']} MiB",
                    "disk": f"{size['disk_gb']} GiB", "fails": stage["fails"].get(name, ()),
                }
                for name, size in stage["hosts"].items()
            ],
            "flavors": [
                {"name": name, "vcpus": vcpus, "memory": f"{memory} MiB", "disk": f"{disk} GiB"}
                for name, (vcpus, memory, disk) in FLAVORS.items()
            ],
            "images": [{"name": IMAGE, "size": "20 MB"}],
            "server_groups": [{"name": name, "policy": policy} for name, policy in stage["groups"].items()],
            "nova": {"options": _NOT_RUN | stage["options"]},
        },
    }  # fmt: skip


class OurSide:
    """Plays one sequence after another, each on a cloud of its own."""

    def play(self, sequence: Sequence) -> list[Row]:
        """A row for the stage as it stands at the start, then one a step."""
        player = _Player(sequence.stage)
        for step in sequence.stage["servers"]:
            player.do(step)
        return [player.row(None), *(player.row(player.do(step)) for step in sequence.steps)]


class _Player:
    def __init__(self, stage: Stage) -> None:
        self.session = Session(Scenario.model_validate(scenario_of(stage)), seed=1)
        self.servers: list[str] = []
        """Names of the servers whose creation was granted."""

    def do(self, step: Step) -> ApiAnswer | None:
        answer: ApiAnswer | None = getattr(self, f"_{step['op']}")(step)
        self.session.settle()
        return answer

    def _create(self, step: Step) -> ApiAnswer:
        version = step["microversion"]
        body: dict[str, Any] = {"name": step["name"], "imageRef": IMAGE, "flavorRef": step["flavor"]}
        if minor(version) >= 37:
            body["networks"] = "none"
        if "host" in step:
            body["host"] = step["host"]
        whole: dict[str, Any] = {"server": body}
        if "group" in step:
            whole["os:scheduler_hints"] = {"group": step["group"]}
        roles = _ROLES[step.get("who", "admin")]
        answer = self.session.request(None, whole, microversion=version, roles=roles, project=_PROJECT, user="demo")
        if answer.code == 202:
            self.servers.append(step["name"])
        return answer

    def _request(self, step: Step) -> ApiAnswer:
        who, server = step["who"], step["server"]
        known = server in self.servers
        migration = None
        if step.get("of") == "migration":
            records = self.session.migrations(server) if known else []
            migration = records[-1].id if records else 999
        return self.session.request(
            server if known else _NO_SERVER, step.get("body"), method=step.get("method", "POST"), migration=migration,
            microversion=step["microversion"], roles=_ROLES[who], project="other" if who == "stranger" else _PROJECT,
        )  # fmt: skip

    def _service(self, step: Step) -> None:
        self.session.service(step["host"], disabled=step.get("disabled"), forced_down=step.get("forced_down"))

    def _host(self, step: Step) -> None:
        if step["state"] == "dead":
            self.session.fail(step["host"], "hang")
        else:
            self.session.repair(step["host"])

    def _wait(self, step: Step) -> None:
        self.session.run_for(step["seconds"])

    # --- what there is to see

    def row(self, answer: ApiAnswer | None) -> Row:
        names = {self.session.server(name).uuid: name for name in self.servers}
        told = None
        if answer is not None:
            told = {"code": answer.code, "message": answer.message, "fault_name": answer.fault_name}
            if answer.code < 400 and answer.body:
                told["body"] = sorted(answer.body)
        return _masked({"answer": told, "servers": {name: self._server(name) for name in self.servers}}, names)

    def _server(self, name: str) -> Row:
        session, server = self.session, self.session.server(name)
        state: Any = "gone"
        if server.vm_state != "deleted":
            state = {
                key: getattr(server, key)
                for key in ("status", "vm_state", "task_state", "power_state", "host", "locked")
            }
            if server.fault is not None and server.status in ("ERROR", "DELETED"):
                state["fault"] = {"code": server.fault.code, "message": server.fault.message}
        migrations = session.migrations(name)
        held = {str(one.id): _sorted(session.migration_allocations(one.id)) for one in migrations}
        return {
            "state": state,
            "migrations": [[one.type, one.status, one.source_compute, one.dest_compute] for one in migrations],
            "actions": [
                [one.action, one.message, [[e.event, e.result, e.details, e.host] for e in one.events]]
                for one in session.actions(name)
            ],
            "allocations": _sorted(session.allocations(name)),
            "held": {key: value for key, value in held.items() if value},
        }


def _sorted(held: dict[str, dict[str, int]]) -> dict[str, dict[str, int]]:
    """In order of host and class, without classes of which nothing is held."""
    return {host: {k: v for k, v in sorted(amounts.items()) if v} for host, amounts in sorted(held.items())}


def _masked(value: Any, names: dict[str, str]) -> Any:
    if isinstance(value, str):
        return _UUID.sub(lambda found: names.get(found.group(), "UUID"), value)
    if isinstance(value, list | tuple):
        return [_masked(one, names) for one in value]
    if isinstance(value, dict):
        return {key: _masked(one, names) for key, one in value.items()}
    return value
