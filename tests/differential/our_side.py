"""Plays sequences in the simulator, and says what came of each step in the words that both sides use."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from sim.model.api.door import ApiAnswer
from sim.model.server import Server
from sim.runs.session import Session
from sim.scenario.distribution import Dist
from sim.scenario.spec import Scenario
from sim.scenario.timings import Timings
from tests.differential.asks import minor
from tests.differential.compare import told
from tests.differential.sequences import DEAD_S, HOLDS, Sequence
from tests.differential.stages import FLAVORS, IMAGE, Stage, Step

Row = dict[str, Any]
_NUMBER = re.compile(r"instance-[0-9a-f]{8}")
_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_REMOTE = re.compile(r"<class 'nova\.exception_Remote\.(\w+)_Remote'>")
"""An error that came over the wire has another class than one that was raised in the same process, as on that side."""
_NO_SERVER = "00000000-aaaa-bbbb-cccc-000000000000"
_PROJECT = "demo"
_ROLES = {
    "admin": ("reader", "member", "admin"), "member": ("reader", "member"), "reader": ("reader",),
    "stranger": ("reader", "member"),
}  # fmt: skip
_AT_ONCE_S, _STAGE_S, _SLOW_S = 0.001, 1.0, 1000.0
"""How long the services take, a stage on a host, and a stage that is held."""
_HELD_S = 5.5 * _SLOW_S
"""Long enough to come to where the other side is held, even if hosts that fail in the same stage were tried first."""
_IDLE_S = 2 * _SLOW_S
"""No stage lasts so long: if nothing happens for this time, what is under way waits for a host that is dead."""
_REPORTED_S = 15.0
_DURING_S = 400.0
"""How long what comes in the midst of a held stage may take."""
_AT_ONCE = (
    "api", "conductor", "scheduler", "prep_resize", "build_claim", "claim_failure", "device_state", "guest_boot",
)  # fmt: skip
_WITH = {"reboot_hard": ("reboot_soft",), "spawn": ("claim_failure",), "unshelve": ("claim_failure",)}
"""Other timings that last in its place: the one of a guest that obeys, or of a host that fails in that stage."""
_OPTIONS = {
    "DEFAULT.sync_power_state_interval": -1, "DEFAULT.update_resources_interval": -1,
    "oslo_policy.enforce_new_defaults": True,
}  # fmt: skip
"""Two periodic tasks, one that the other side's player does not run, one that it runs when it likes; the default of
that side's oslo.policy."""
_HOLDING = {"DEFAULT.shutdown_timeout": int(1.5 * _SLOW_S)}
"""Where something is held: shutdowns take as long as the other side holds them, and a paused guest's come to an end."""


def _timings(slow: set[str]) -> dict[str, Any]:
    """Every stage is as quick as every other, but for the ``slow`` ones."""
    stages = [name for name, field in Timings.model_fields.items() if field.annotation is Dist]
    lasting = dict.fromkeys(stages, _STAGE_S) | dict.fromkeys(_AT_ONCE, _AT_ONCE_S) | dict.fromkeys(slow, _SLOW_S)
    told = {name: {"constant": f"{seconds} s"} for name, seconds in lasting.items()}
    return {"source": "none", "fit_error": "only order matters", **told}


def _held(step: Step) -> set[str]:
    """Timings of the stage that the step is held in."""
    if "hold" not in step:
        return set()
    kind = step["op"] if step["op"] == "create" else told(step)
    stage = HOLDS[kind if kind != "DELETE" else "delete"][step["hold"]]
    return {stage, *_WITH.get(stage, ())}


def scenario_of(stage: Stage, *, holding: bool) -> dict[str, Any]:
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
            "timings": _timings(set()),
            "nova": {"options": _OPTIONS | (_HOLDING if holding else {}) | stage["options"]},
        },
    }  # fmt: skip


class OurSide:
    """Plays one sequence after another, each on a cloud of its own."""

    def play(self, sequence: Sequence, nova: list[Row]) -> list[Row]:
        """A row for the stage as it stands at the start, then one a step.

        ``nova``: real Nova's rows. Where it held an operation, this side stops once it shows the same, if it does.
        """
        player = _Player(sequence.stage, holding=any("hold" in step for step in sequence.steps))
        for step in sequence.stage["servers"]:
            player.do(step, None)
        rows = [player.row(None)]
        holding = False
        for step, theirs in zip(sequence.steps, nova[1:], strict=True):
            holding = theirs["held"] or (holding and step["op"] != "open")
            player.counts = theirs["counted"]
            rows.append({"held": theirs["held"], **player.do(step, theirs if holding else None)})
        return [{"held": False, **rows[0]}, *rows[1:]]


class _Player:
    def __init__(self, stage: Stage, *, holding: bool) -> None:
        self.session = Session(Scenario.model_validate(scenario_of(stage, holding=holding)), seed=1)
        self.servers: list[str] = []
        """Names of the servers whose creation was granted."""
        self.dead: list[str] = []
        self.counts: list[str] = []
        """Hosts that count their resources at the end of the step."""

    def do(self, step: Step, wanted: Row | None) -> Row:
        """A step, until all is settled, or until it shows the ``wanted`` row, or has had time enough to."""
        if "hold" in step:
            self._last(_held(step))
        answer: ApiAnswer | None = getattr(self, f"_{step['op']}")(step)
        clock = self.session._simulation.cloud.env
        if wanted is None:
            # An order to a dead host is under way until it returns, which may be never.
            self.session.run_until_seen(lambda: clock.peek() > self.session.now + _IDLE_S)
            self._notice(step)
            self._last(set())
            self._count()
            return self.row(answer)
        until = self.session.now + (_DURING_S if step.get("during") else _HELD_S)
        wanted = {key: wanted[key] for key in ("answer", "servers")}
        self.session.run_until_seen(lambda: clock.peek() > until or self.row(answer) == wanted)
        self._last(set())
        self._count()
        return self.row(answer)

    def _count(self) -> None:
        """The hosts count, as they do once a minute."""
        for server, host in self._counted():
            self.session._simulation.cloud.compute.audit.count(server, host)

    def _leftovers(self) -> set[int]:
        """Migrations that the count of this step is going to put in error."""
        audit = self.session._simulation.cloud.compute.audit
        found = (audit.leftover(server, host) for server, host in self._counted())
        return {one.id for one in found if one is not None}

    def _counted(self) -> Iterator[tuple[Server, int]]:
        cloud = self.session._simulation.cloud
        hosts = [cloud.hosts.names.index(name) for name in self.counts]
        for server in cloud.db.servers.values():
            yield from ((server, host) for host in hosts)

    def _last(self, stages: set[str]) -> None:
        """What begins from now on lasts long in these stages."""
        self.session._simulation.cloud.timings = Timings.model_validate(_timings(stages))

    def _notice(self, step: Step) -> None:
        """Time enough passes for deaths to be noticed, or returns."""
        if step["op"] == "back":
            self.session.run_for(_REPORTED_S)
        elif self.dead and step["op"] != "dead":
            self.session.run_for(DEAD_S)

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

    def _named(self, step: Step) -> str | None:
        """The step's ``host``, or the one that the server ``host_of`` is on."""
        if "host" in step:
            return str(step["host"])
        known = step["host_of"] in self.servers
        server = self.session.server(step["host_of"]) if known else None
        return None if server is None or server.vm_state == "deleted" else server.host

    def _service(self, step: Step) -> ApiAnswer | None:
        host = self._named(step)
        if host is None:
            return None
        answer = self.session.service(host, disabled=step.get("disabled"), forced_down=step.get("forced_down"))
        return None if answer.code == 200 else answer

    def _dead(self, step: Step) -> None:
        host = self._named(step)
        if host is not None and host not in self.dead:
            self.session.fail(host, "crash" if step.get("crash") else "hang")
            self.dead.append(host)

    def _back(self, _: Step) -> None:
        for host in sorted(self.dead):
            self.session.repair(host)
        self.dead.clear()

    def _open(self, _: Step) -> None:
        """What was held goes on."""

    def _wait(self, step: Step) -> None:
        self._count()
        self.session.run_for(step["seconds"])

    # --- what there is to see

    def row(self, answer: ApiAnswer | None) -> Row:
        """The answer, and all servers as they will be when the hosts have counted."""
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
        migrations, leftovers = session.migrations(name), self._leftovers()
        held = {str(one.id): _sorted(session.migration_allocations(one.id)) for one in migrations}
        return {
            "state": state,
            "migrations": [
                [one.type, "error" if one.id in leftovers else one.status, one.source_compute, one.dest_compute]
                for one in migrations
            ],
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
        value = _REMOTE.sub(r"<class 'nova.exception.\1'>", value)
        value = _NUMBER.sub("instance-NUMBER", value)
        return _UUID.sub(lambda found: names.get(found.group(), "UUID"), value)
    if isinstance(value, list | tuple):
        return [_masked(one, names) for one in value]
    if isinstance(value, dict):
        return {key: _masked(one, names) for key, one in value.items()}
    return value
