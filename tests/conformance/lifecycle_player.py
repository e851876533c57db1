"""Plays a recorded life of a server in the simulator and says where the two differ.

A recording is a case of real Nova's: steps (requests, hosts going down, time passing), each with the answer, the
ordered events, and the state after it. Which of several equal hosts Nova took was chance; the player makes the same
ones the best.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from sim.eventlog import records as r
from sim.runs.session import Session
from sim.scenario.spec import Scenario

NAME = "vm"
_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_TRIED = {"check_can_live_migrate_destination", "prep_resize", "rebuild_instance"}
_WORDS = (
    (re.compile(r"oracle: bad host (\S+)"), r"live migration check fails on \1"),
    (re.compile(r"oracle: no room on ([\w-]+)"), r"resize claim fails on \1"),
)
"""How the recording's own faults are worded there and here."""
_AT_FIRST = {"vm_state": "active", "task_state": None, "power_state": 1, "host": "compute1", "locked": False}
_COLUMNS = ("vm_state", "task_state", "power_state", "host", "locked")
Case = Mapping[str, Any]
Fact = tuple[object, ...]


def play(case: Case) -> list[str]:
    """Play a case. Returns what differs, empty if nothing does."""
    session = Session(Scenario.model_validate(scenario_of(case)), seed=1)
    found: list[str] = []
    for number, step in enumerate(case["steps"]):
        before = len(session.records())
        answer = _STEPS[_verb(step["step"])](session, case, step)
        if step["step"] == "during":
            _let_settle(session)
        elif step.get("settled"):
            session.settle()
        where = f"step {number + 1} ({step['step']})"
        for what, theirs, ours in compare(session, case, step, before, answer):
            if theirs != ours:
                found.append(f"{where}: {what}: recorded {_shown(theirs)}, simulated {_shown(ours)}")
    return found


def _let_settle(session: Session) -> None:
    """Until no task is set; what else is under way goes on."""
    for _ in range(100):
        if session.server(NAME).task_state in {None, "migrating"}:
            return
        session.run_for(0.5)


def _shown(value: object) -> str:
    return json.dumps(value, default=str)


# --- the cloud that was recorded --------------------------------------------------------------------------------------


def scenario_of(case: Case) -> dict[str, Any]:
    """Four equal hosts, one small server on the first; the hosts that Nova tried first have the most memory free."""
    tried = list(dict.fromkeys(
        event["host"] for step in case["steps"] for event in step["events"]
        if event["kind"] == "rpc" and event["method"] in _TRIED and event["host"].startswith("compute")
    ))  # fmt: skip
    title = case["case"]
    bad = case.get("bad_hosts") or []
    no_room = re.findall(r"compute\d", title) if "claim" in title and "fail" in title else []
    if "claims fail everywhere" in title:
        no_room = ["compute2", "compute3", "compute4"]
    hosts = []
    for name in ("compute1", "compute2", "compute3", "compute4"):
        rank = len(tried) - tried.index(name) if name in tried else 0
        fails = ["live_migration_check"] * (name in bad) + ["resize_claim"] * (name in no_room)
        host: dict[str, Any] = {
            "name": name, "vcpus": 10, "memory": f"{8192 + 1024 * rank} MiB", "disk": "1028 GiB", "fails": fails,
        }  # fmt: skip
        if "all others disabled" in title and name != "compute1":
            host["service"] = {"status": "disabled"}
        if name == "compute1" and any(step["step"] == "source down" for step in case["steps"]):
            host["service"] = {"forced_down": True}
        hosts.append(host)
    options: dict[str, Any] = {"filter_scheduler": {"cpu_weight_multiplier": 0, "disk_weight_multiplier": 0}}
    if case.get("migrate_max_retries") is not None:
        options["migrate_max_retries"] = case["migrate_max_retries"]
    if "auto confirm" in title:
        options["resize_confirm_window"] = 1
    return {
        "name": "lifecycle",
        "cloud": {
            "hosts": hosts,
            "flavors": [
                {"name": "m1.tiny", "vcpus": 1, "memory": "512 MiB", "disk": "1 GiB"},
                {"name": "m1.small", "vcpus": 2, "memory": "1024 MiB", "disk": "2 GiB"},
            ],
            "images": [{"name": "image", "size": "20 MB"}],
            "servers": [{"name": NAME, "flavor": "m1.tiny", "host": "compute1", "image": "image"}],
            "nova": {"options": options},
            "timings": {"guest_boot": "0 s"},
        },
    }


# --- steps ------------------------------------------------------------------------------------------------------------


def _verb(step: str) -> str:
    """The step's kind; most are actions."""
    if step in _STEPS:
        return step
    word = step.split(maxsplit=1)[0]
    return word if word in _STEPS else "action"


def _microversion(case: Case) -> str:
    found = case.get("microversion", "2.90")
    return "2.104" if found == "latest" else str(found)


def body_of(case: Case, action: str) -> Any:
    """The body that the case's title tells, or the usual one."""
    told = re.search(r"\{.*\}", case["case"])
    if told and "during" not in case["case"]:
        return json.loads(told.group())
    if action == "os-migrateLive":
        minor = int(_microversion(case).split(".")[1])
        if minor < 25:
            return {"host": None, "block_migration": False, "disk_over_commit": False}
        return {"host": None, "block_migration": "auto"}
    host = re.search(r"to host (compute\d)", case["case"])
    if action == "migrate" and host:
        return {"host": host.group(1)}
    return {"resize": {"flavorRef": "m1.small"}, "evacuate": {}}.get(action)


def _ask(session: Session, case: Case, step: Case) -> Any:
    action = step["step"]
    version = _microversion(case)
    if action == "evacuate" and "microversion" not in case:
        version = "2.90"
    return session.request(NAME, {action: body_of(case, action)}, microversion=version)


def _reset_state(session: Session, _: Case, step: Case) -> Any:
    return session.request(NAME, reset_of(step["step"]), microversion="2.90")


def reset_of(step: str) -> Any:
    """The body of a step such as ``resetState error``."""
    return {"os-resetState": {"state": step.split()[1]}}


def _source_down(_: Session, __: Case, ___: Case) -> Any:
    """The scenario's source is forced down from the start: until it matters, nobody asks."""


def _sleep(session: Session, _: Case, step: Case) -> Any:
    session.run_for(float(step["step"].split()[1]))


def _poll(session: Session, _: Case, __: Case) -> Any:
    session.run_for(200.0)


def _live_until_running(session: Session, case: Case, _: Case) -> Any:
    answer = session.request(NAME, {"os-migrateLive": {"host": None, "block_migration": "auto"}}, microversion="2.90")
    while session.migrations(NAME)[-1:] == [] or session.migrations(NAME)[-1].status != "running":
        session.run_for(0.1)
    while not any(isinstance(record, r.FlowStarted) for record in session.records()):
        session.run_for(0.1)
    return answer


def _abort(session: Session, case: Case, step: Case) -> Any:
    _live_until_running(session, case, step)
    number = session.migrations(NAME)[-1].id
    return session.request(NAME, None, method="DELETE", migration=number, microversion="2.90")


def _during(session: Session, case: Case, step: Case) -> Any:
    _live_until_running(session, case, step)
    body = json.loads(case["case"].split(": ", 1)[1])
    return session.request(NAME, body, microversion="2.90")


_STEPS: dict[str, Callable[[Session, Case, Case], Any]] = {
    "action": _ask, "source down": _source_down, "resetState": _reset_state, "sleep": _sleep, "poll": _poll,
    "during": _during, "live migrate, then DELETE migration": _abort,
    "live migrate": _live_until_running,
}  # fmt: skip


# --- comparing --------------------------------------------------------------------------------------------------------


def compare(session: Session, case: Case, step: Case, before: int, answer: Any) -> Iterator[tuple[str, object, object]]:
    if step["response"] is not None:
        theirs = (step["response"]["code"], _words(step["response"]["message"]))
        yield "answer", theirs, (answer.code, _words(answer.message))
    settled = step["settled"] or step["step"] == "during"
    ours, recorded = list(_happened(session, before)), _in_turn(list(_recorded(step, _before(case, step))))
    if settled or step["step"] == "live migrate":
        for kind in ("instance", "migration", "event", "action", "fault"):
            yield kind, [f for f in recorded if f[0] == kind], [f for f in ours if f[0] == kind]
        yield "order", recorded, ours
    server = session.server(NAME)
    after = {name: getattr(server, name) for name in ("status", "vm_state", "task_state", "power_state", "host")}
    if "get_code" in step["after"]:
        yield "after", "DELETED", server.status
    else:
        yield "after", {name: step["after"][name] for name in after}, after
    yield (
        "migrations",
        [(m["status"], m["migration_type"], m["source_compute"], m["dest_compute"]) for m in step["migrations"] or ()],
        [(m.status, m.type, m.source_compute, m.dest_compute) for m in session.migrations(NAME)],
    )
    yield (
        "actions",
        [
            (a["action"], a["message"], [(e["event"], e["result"], _words(e["details"]), _host(e["host"]))
                                         for e in a["events"]])
            for a in step["instance_actions"] if a["action"] != "create"
        ],
        [
            (a.action, a.message, [(e.event, e.result, _words(e.details), _host(e.host)) for e in a.events])
            for a in session.actions(NAME)
        ],
    )  # fmt: skip
    yield "allocations", step["allocations"], session.allocations(NAME)


def _words(text: str | None) -> str | None:
    """A message without what differs from cloud to cloud."""
    if text is None:
        return None
    for pattern, words in _WORDS:
        text = pattern.sub(words, text)
    return _UUID.sub("UUID", text)


def _host(name: str) -> str:
    """API and conductor have one name in the recordings."""
    return "conductor" if name in {"fake-mini", "api"} else name


def _before(case: Case, step: Case) -> dict[str, object]:
    """The server's columns before a step."""
    at = case["steps"].index(step)
    after = case["steps"][at - 1]["after"] if at else _AT_FIRST
    return {name: after.get(name) for name in _COLUMNS if name in after}


def _recorded(step: Case, last: dict[str, object]) -> Iterator[Fact]:
    """The recorded events that the simulator has records of, without what is left of an earlier case.

    A recording also names what was written without being changed (``last`` is what was there before the step).
    """
    ids = {event["id"] for event in step["events"] if event["kind"] == "migration" and event["op"] == "create"}
    ids |= {migration["id"] for migration in step["migrations"] or ()}
    stray = _stray(step)
    for event in step["events"]:
        kind = event["kind"]
        if kind == "instance":
            changed = {name: value for name, value in event["changed"].items() if name != "node"}
            changed = {name: value for name, value in changed.items() if last.get(name, changed) != value}
            if event["changed"].get("vm_state") == "deleted":
                continue
            last |= changed
            if changed:
                yield "instance", changed, event["status"]
        elif kind == "migration" and event["id"] in ids:
            yield "migration", event["status"], event["migration_type"], event["dest_compute"]
        elif kind == "action_start":
            yield "action", event["action"]
        elif kind == "event_start" and event["event"] not in stray:
            yield "event", event["event"], "begins", _host(event["host"])
        elif kind == "event_finish" and event["event"] not in stray:
            yield "event", event["event"], event["result"], _words(event["details"])
        elif kind == "instance_fault":
            yield "fault", event["code"], _words(event["message"])


def _in_turn(facts: list[Fact]) -> list[Fact]:
    """Facts as they come when who casts a message ends its own part before the message is taken up.

    In the recordings these two are threads of one process, and now and then the second is the first.
    """
    for end in range(1, len(facts)):
        at = end
        while at and _ends(facts[at]) and _begins(facts[at - 1]) and _of_another(facts, at):
            facts[at - 1], facts[at] = facts[at], facts[at - 1]
            at -= 1
    return facts


def _of_another(facts: list[Fact], at: int) -> bool:
    """Whether what ends is not what has begun just before: another event, or an earlier one of that name."""
    name = facts[at][1]
    if name != facts[at - 1][1]:
        return True
    named = [fact for fact in facts[:at] if fact[0] == "event" and fact[1] == name]
    return sum(1 if _begins(fact) else -1 for fact in named) > 1


def _begins(fact: Fact) -> bool:
    return fact[0] == "event" and fact[2] == "begins"


def _ends(fact: Fact) -> bool:
    """An event's end, or the fault that comes with it."""
    return fact[0] == "fault" or (fact[0] == "event" and fact[2] != "begins")


def _stray(step: Case) -> set[str]:
    """Events of an earlier case's server that came late: failed for want of that server."""
    if "get_code" in step["after"]:
        return set()
    return {
        event["event"] for event in step["events"]
        if event["kind"] == "event_finish" and event["details"] and "could not be found" in event["details"]
    }  # fmt: skip


def _happened(session: Session, before: int) -> Iterator[Fact]:
    """The same facts of the simulation, from its records."""
    every = session.records()
    last: dict[str, object] = {}
    for number, record in enumerate(every):
        if isinstance(record, r.ServersPresent):
            last = {name: getattr(record, name)[0] for name in _COLUMNS}
        elif isinstance(record, r.ServerState):
            now = {name: getattr(record, name) for name in last}
            changed = {name: value for name, value in now.items() if last[name] != value}
            last = now
            if changed and number >= before:
                yield "instance", changed, record.status
        elif number < before:
            continue
        elif isinstance(record, r.MigrationState):
            yield "migration", record.status, record.type, record.dest
        elif isinstance(record, r.ActionStarted):
            yield "action", record.action
        elif isinstance(record, r.EventStarted):
            yield "event", record.event, "begins", _host(record.host)
        elif isinstance(record, r.EventFinished):
            yield "event", record.event, record.result, _words(record.details)
        elif isinstance(record, r.ServerFault):
            yield "fault", record.code, _words(record.message)
