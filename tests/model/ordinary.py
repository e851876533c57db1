"""What tests of ordinary operations share: a small cloud, and how to look at what happened in it."""

from __future__ import annotations

from typing import Any

from sim.eventlog import records as r
from sim.runs.checkers import check
from sim.runs.session import Session
from sim.scenario.spec import Scenario

DISK_GB = 20
SMALL = {"VCPU": 1, "MEMORY_MB": 2048, "DISK_GB": DISK_GB}
LIMITLESS = {"driver": "nova.quota.NoopQuotaDriver"}


def cloud(hosts: int = 3, servers: int = 1, **more: Any) -> Session:
    """Servers ``vm1``, … on ``h1``, other hosts. More: ``options``, ``fails`` and ``memory`` by host, and anything of
    ``cloud``.

    ``server`` are further fields of the servers, ``plan`` is a plan, ``seed`` the seed.
    """
    fails, plan, seed = more.pop("fails", {}), more.pop("plan", []), more.pop("seed", 3)
    memory = more.pop("memory", {})
    options = {"quota": LIMITLESS} | more.pop("options", {})
    given = {"flavor": "m", "host": "h1", "image": "i"} | more.pop("server", {})
    names = [f"h{number}" for number in range(1, hosts + 1)]
    return Session(Scenario.model_validate({
        "cloud": {
            "hosts": [
                {"name": name, "vcpus": 8, "memory": memory.get(name, "32 GiB"), "disk": "1 TiB",
                 "fails": fails.get(name, [])}
                for name in names
            ],
            "flavors": [{"name": "m", "vcpus": 1, "memory": "2 GiB", "disk": f"{DISK_GB} GiB"}],
            "images": [{"name": "i", "size": "1 GiB"}],
            "servers": [{"name": f"vm{number}"} | given for number in range(1, servers + 1)],
            "nova": {"options": options},
        } | more,
        "plan": plan,
    }), seed=seed)  # fmt: skip


def create(session: Session, name: str = "new", version: str = "2.90", **more: Any) -> Any:
    """Ask for a new server; ``hints`` are scheduler hints."""
    hints = more.pop("hints", None)
    body: dict[str, Any] = {"server": {"name": name, "flavorRef": "m", "imageRef": "i", "networks": "none"} | more}
    if hints:
        body["os:scheduler_hints"] = hints
    return session.request(None, body, microversion=version)


def states(session: Session, name: str) -> list[tuple[str, str | None]]:
    """(vm_state, task_state) of a server in the order in which it had them, each once in a row."""
    found: list[tuple[str, str | None]] = []
    for record in session.records():
        if isinstance(record, r.ServerState) and record.server == name:
            now = (record.vm_state, record.task_state)
            if not found or found[-1] != now:
                found.append(now)
    return found


def tasks(session: Session, name: str) -> list[str | None]:
    """Its task_states alone, each once in a row."""
    found: list[str | None] = []
    for _, task in states(session, name):
        if not found or found[-1] != task:
            found.append(task)
    return found


def events(session: Session, name: str, action: int = -1) -> list[tuple[str, str | None, str]]:
    """(event, result, host) of one of its actions, the last by default."""
    return [(event.event, event.result, event.host) for event in session.actions(name)[action].events]


def of(session: Session, kind: type[r.Record], name: str) -> list[Any]:
    """Records of a kind about a server."""
    return [one for one in session.records() if isinstance(one, kind) and getattr(one, "server", None) == name]


def ask(session: Session, name: str, body: dict[str, Any] | None, version: str = "2.90", **more: Any) -> Any:
    """Ask for an action and let everything settle; the answer."""
    answer = session.request(name, body, microversion=version, **more)
    session.settle()
    return answer


def until(session: Session, name: str, task: str | None, step: float = 0.05) -> None:
    """Let time pass until the server has this task."""
    for _ in range(20_000):
        if session.server(name).task_state == task:
            return
        session.run_for(step)
    raise AssertionError(f"{name} never has task {task}")


def lawful(session: Session) -> None:
    """The records keep the laws of the cloud."""
    check(session.records())
