"""What tests of cold migrations and resizes share: a cloud in which every stage takes a known time."""

from __future__ import annotations

from typing import Any

from sim.eventlog import records as r
from sim.runs.checkers import check
from sim.runs.session import Session
from sim.scenario.spec import Scenario
from tests.model.ordinary import LIMITLESS, of

STAGES = {
    "api": 0.1, "conductor": 0.2, "scheduler": 0.3, "prep_resize": 0.7, "shutdown": 5.0, "resize_disk": 1.5,
    "finish_resize": 4.0, "confirm": 2.0, "revert_dest": 1.1, "revert_source": 3.0, "claim_failure": 0.4,
    "guest_boot": 20.0, "delete": 1.0, "stop": 2.5,
}  # fmt: skip
"""Seconds; hosts are as fast as they should be, so nothing else adds to them."""
DISK_BPS = 200e6
LOCAL_BPS = 500e6
ROOT_B = 0.5 * 20 * 2**30
"""Half of the root disk is in use, as where a scenario says nothing."""
SMALL = {"VCPU": 1, "MEMORY_MB": 2048, "DISK_GB": 20}
LARGE = {"VCPU": 2, "MEMORY_MB": 4096, "DISK_GB": 40}


def cloud(hosts: int = 3, servers: int | list[dict[str, Any]] = 1, **more: Any) -> Session:
    """Servers ``vm1``, … on ``h1``, other hosts with ever less memory, so that the scheduler takes h2, then h3, ….

    More: ``options``, ``fails`` and ``vcpus`` by host, ``server`` (further fields), ``timings``, ``plan``, ``faults``,
    ``seed``, and anything of ``cloud``.
    """
    fails, plan, seed = more.pop("fails", {}), more.pop("plan", []), more.pop("seed", 3)
    vcpus, faults = more.pop("vcpus", {}), more.pop("faults", [])
    options = {"quota": LIMITLESS, "filter_scheduler": {"cpu_weight_multiplier": 0, "disk_weight_multiplier": 0}}
    options |= more.pop("options", {})
    given = {"flavor": "small", "host": "h1", "image": "i"} | more.pop("server", {})
    if isinstance(servers, int):
        servers = [{"name": f"vm{number}"} | given for number in range(1, servers + 1)]
    times = {name: f"{seconds} s" for name, seconds in STAGES.items()}
    timings = times | {"disk_stream": "200 MB/s", "local_copy": "500 MB/s"} | more.pop("timings", {})
    return Session(Scenario.model_validate({
        "cloud": {
            "hosts": [
                {"name": f"h{number}", "vcpus": vcpus.get(f"h{number}", 16), "memory": f"{1024 - 16 * number} GiB",
                 "disk": "2 TiB", "fails": fails.get(f"h{number}", []), "cpu_allocation_ratio": 1}
                for number in range(1, hosts + 1)
            ],
            "flavors": [
                {"name": "small", "vcpus": 1, "memory": "2 GiB", "disk": "20 GiB"},
                {"name": "large", "vcpus": 2, "memory": "4 GiB", "disk": "40 GiB"},
                {"name": "scratch", "vcpus": 1, "memory": "2 GiB", "disk": "20 GiB", "ephemeral": "8 GiB",
                 "swap": "2 GiB"},
            ],
            "images": [{"name": "i", "size": "1 GiB"},
                       {"name": "hasty", "size": "1 GiB", "properties": {"os_shutdown_timeout": "3"}}],
            "servers": servers,
            "nova": {"options": options},
            "timings": timings,
        } | more,
        "plan": plan,
        "faults": faults,
    }), seed=seed)  # fmt: skip


def ask(session: Session, body: dict[str, Any], name: str = "vm1", **more: Any) -> Any:
    """A request that must be accepted."""
    answer = session.request(name, body, microversion="2.90", **more)
    assert answer.code in {202, 204}, answer
    return answer


def migrate(session: Session, name: str = "vm1", host: str | None = None) -> float:
    """Ask for a migration; the moment it was accepted."""
    ask(session, {"migrate": None if host is None else {"host": host}}, name)
    return session.now


def resize(session: Session, flavor: str = "large", name: str = "vm1") -> float:
    """Ask for a resize; the moment it was accepted."""
    ask(session, {"resize": {"flavorRef": flavor}}, name)
    return session.now


def statuses(session: Session, number: int = 1) -> list[str]:
    """The statuses that a migration record had, in order."""
    return [one.status for one in session.records() if isinstance(one, r.MigrationState) and one.migration == number]


def when(session: Session, status: str, number: int = 1) -> float:
    """When a migration record got a status first."""
    return next(
        one.t for one in session.records()
        if isinstance(one, r.MigrationState) and one.migration == number and one.status == status
    )  # fmt: skip


def steps(session: Session, step: str, name: str = "vm1") -> list[Any]:
    """Records of a server's stages of that name."""
    return [one for one in of(session, r.Step, name) if one.step == step]


def held(session: Session, name: str = "vm1") -> tuple[dict[str, Any], dict[str, Any]]:
    """What a server holds, and what its last migration record does; the laws hold so far."""
    check(session.records())
    return session.allocations(name), session.migration_allocations(session.migrations(name)[-1].id)
