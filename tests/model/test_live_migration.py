"""Live migrations from the door to the end: what is held, what is left, who waits, how long it takes."""

from __future__ import annotations

from typing import Any

import pytest

from sim.eventlog import records as r
from sim.runs.checkers import check
from sim.runs.session import Session
from sim.scenario.spec import Scenario

SMALL = {"VCPU": 4, "MEMORY_MB": 16384, "DISK_GB": 20}
HOT = {"dirty": "4 GB/s", "working_set": "8 GiB"}
"""Dirties faster than a link of 10 Gbit/s carries."""
QUIET = {"host": None, "block_migration": "auto"}


def cloud(hosts: int = 4, servers: int = 1, *, plan: list[dict[str, Any]] | None = None, **more: Any) -> Session:
    """Servers on ``h1``, and other hosts. More: ``options``, ``fails`` (host → faults), ``activity``, ``storage``."""
    fails = more.get("fails", {})
    names = [f"h{number}" for number in range(1, hosts + 1)]
    return Session(Scenario.model_validate({
        "cloud": {
            "hosts": [
                {"name": name, "vcpus": 64, "memory": "256 GiB", "disk": "2 TiB", "fails": fails.get(name, [])}
                for name in names
            ],
            "flavors": [{"name": "m", "vcpus": 4, "memory": "16 GiB", "disk": "20 GiB"}],
            "images": [{"name": "i", "size": "1 GiB"}],
            "servers": [
                {"name": f"vm{number}", "flavor": "m", "host": "h1", "image": "i",
                 "activity": more.get("activity", "idle")} for number in range(1, servers + 1)
            ],
            "storage": {"instances": more.get("storage", "shared")},
            "nova": {"options": more.get("options", {})},
        },
        "plan": plan or [],
    }), seed=3)  # fmt: skip


def migrate(session: Session, name: str = "vm1", version: str = "2.90", **body: Any) -> Any:
    return session.request(name, {"os-migrateLive": QUIET | body}, microversion=version)


def reach(session: Session, status: str, name: str = "vm1") -> int:
    """Let time pass until the server's migration has that status; its id."""
    for _ in range(10_000):
        found = session.migrations(name)
        if found and found[-1].status == status:
            return found[-1].id
        session.run_for(0.05)
    raise AssertionError(f"never {status}")


def copying(session: Session) -> None:
    while not any(isinstance(record, r.FlowStarted) for record in session.records()):
        session.run_for(0.05)


def unharmed(session: Session, name: str = "vm1") -> None:
    """The server is where it was, holds what it held, and nobody else holds anything for it."""
    server = session.server(name)
    assert (server.host, server.status, server.task_state) == ("h1", "ACTIVE", None)
    assert session.allocations(name) == {"h1": SMALL}
    assert session.migration_allocations(session.migrations(name)[-1].id) == {}
    check(session.records())


def abort(session: Session, name: str = "vm1") -> Any:
    number = session.migrations(name)[-1].id
    return session.request(name, None, method="DELETE", migration=number, microversion="2.90")


# --- success ----------------------------------------------------------------------------------------------------------


def test_a_migrated_server_holds_its_share_on_the_destination_alone() -> None:
    session = cloud()
    assert migrate(session).code == 202
    session.settle()
    server = session.server("vm1")
    assert server.host != "h1"
    assert session.allocations("vm1") == {server.host: SMALL}
    assert session.migration_allocations(1) == {}
    check(session.records())


def test_the_stages_fill_the_time_from_the_answer_to_the_end() -> None:
    session = cloud()
    migrate(session)
    answered = session.now
    session.settle()
    steps = [record for record in session.records() if isinstance(record, r.Step) and record.t > answered]
    spent = sum(step.t - step.began for step in steps)
    assert spent == pytest.approx(session.now - answered)


def test_an_idle_guest_is_copied_at_the_stream_s_or_the_link_s_speed() -> None:
    session = cloud()
    migrate(session)
    session.settle()
    copy = next(record for record in session.records() if isinstance(record, r.LiveCopy))
    link = 1.25e9 * 0.9416
    scan = (16 * 2**30 - 598e6) / 11e9
    assert copy.t - copy.began == pytest.approx(598e6 / link + scan, rel=0.05)


def test_local_disks_are_copied_and_shared_ones_are_not() -> None:
    sent = {}
    for storage in ("local", "shared"):
        session = cloud(storage=storage)
        migrate(session)
        session.settle()
        sent[storage] = next(record for record in session.records() if isinstance(record, r.LiveCopy)).bytes_disk
    assert sent == {"local": pytest.approx(10 * 2**30), "shared": 0}


# --- the queue --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("limit", [1, 2, 0])
def test_a_source_sends_as_many_at_once_as_it_may(limit: int) -> None:
    session = cloud(servers=5, options={"max_concurrent_live_migrations": limit})
    for number in range(1, 6):
        migrate(session, f"vm{number}")
    session.settle()
    busy, most = set(), 0
    for record in session.records():
        if isinstance(record, r.MigrationState):
            (busy.add if record.status in {"preparing", "running"} else busy.discard)(record.migration)
            most = max(most, len(busy))
    assert most == (limit or 5)
    assert all(server.host != "h1" for server in session.servers())
    check(session.records())


# --- retries ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("retries", [-1, 0, 1, 2, 5])
def test_n_retries_are_n_plus_one_destinations(retries: int) -> None:
    bad = {name: ["live_migration_check"] for name in ("h2", "h3", "h4")}
    session = cloud(fails=bad, options={"migrate_max_retries": retries})
    migrate(session)
    session.settle()
    tried = [record.host for record in session.records() if isinstance(record, r.Step) and record.step == "pre_check"]
    assert len(tried) == len(set(tried)) == min(3, retries + 1 if retries >= 0 else 3)
    unharmed(session)
    assert session.migrations("vm1")[-1].status == "error"


def test_before_2_34_the_caller_hears_why_it_failed() -> None:
    bad = {name: ["live_migration_check"] for name in ("h2", "h3", "h4")}
    session = cloud(fails=bad)
    answer = migrate(session, version="2.33")
    assert (answer.code, answer.message) == (400, "No valid host was found. There are not enough hosts available.")
    unharmed(session)
    assert session.actions("vm1")[-1].events[0].event == "conductor_migrate_server"


def test_a_forced_host_is_not_left_for_another() -> None:
    session = cloud(fails={"h2": ["live_migration_check"]})
    assert migrate(session, version="2.60", host="h2", force=True).code == 202
    session.settle()
    unharmed(session)
    assert session.migrations("vm1")[-1].dest_compute == "h2"


def test_a_failed_preparation_leaves_the_server_where_it_was() -> None:
    session = cloud(hosts=2, fails={"h2": ["pre_live_migration"]})
    migrate(session)
    session.settle()
    unharmed(session)
    statuses = [record.status for record in session.records() if isinstance(record, r.MigrationState)]
    assert statuses == ["accepted", "accepted", "queued", "preparing", "error", "failed"]


# --- orders -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", ["queued", "preparing", "running"])
def test_an_aborted_migration_leaves_no_trace_in_placement(status: str) -> None:
    session = cloud(servers=2)
    if status == "queued":
        migrate(session, "vm2")
        reach(session, "preparing", "vm2")
    migrate(session)
    reach(session, status)
    assert abort(session).code == 202
    session.settle()
    unharmed(session)
    assert session.migrations("vm1")[-1].status == "cancelled"
    if status == "queued":
        assert session.server("vm2").host != "h1"


def test_after_an_abort_the_next_in_the_queue_goes() -> None:
    session = cloud(servers=3)
    for name in ("vm1", "vm2", "vm3"):
        migrate(session, name)
    reach(session, "running")
    abort(session, "vm2")
    abort(session, "vm1")
    session.settle()
    assert [server.host == "h1" for server in session.servers()] == [True, True, False]


@pytest.mark.parametrize("post_copy", [False, True])
def test_a_copy_that_never_ends_is_forced_to(post_copy: bool) -> None:
    session = cloud(activity=HOT, options={"libvirt": {"live_migration_permit_post_copy": post_copy}})
    migrate(session)
    copying(session)
    session.run_for(60)
    number = session.migrations("vm1")[-1].id
    assert session.migrations("vm1")[-1].status == "running"
    answer = session.request("vm1", {"force_complete": None}, migration=number, microversion="2.90")
    assert answer.code == 202
    session.settle()
    copy = next(record for record in session.records() if isinstance(record, r.LiveCopy))
    assert (copy.outcome, copy.mode) == ("completed", "postcopy" if post_copy else "paused")
    assert (copy.downtime_s < 0.5) is post_copy
    assert session.server("vm1").host != "h1"
    check(session.records())


@pytest.mark.parametrize("action", ["abort", "force_complete"])
def test_the_completion_timeout_is_800_s_for_each_gib(action: str) -> None:
    session = cloud(activity=HOT, options={"libvirt": {
        "live_migration_timeout_action": action, "live_migration_completion_timeout": 10}})  # fmt: skip
    migrate(session)
    session.settle()
    copy = next(record for record in session.records() if isinstance(record, r.LiveCopy))
    if action == "abort":
        assert copy.t - copy.began == pytest.approx(160)
        assert session.migrations("vm1")[-1].status == "cancelled"
        unharmed(session)
    else:
        assert copy.began + 160 <= copy.t <= copy.began + 175
        assert copy.mode == "paused"
        assert session.server("vm1").host != "h1"


def test_reset_state_in_the_midst_puts_the_moved_server_in_error() -> None:
    session = cloud()
    migrate(session)
    reach(session, "running")
    session.request("vm1", {"os-resetState": {"state": "active"}})
    session.settle()
    server = session.server("vm1")
    assert (server.status, server.host != "h1") == ("ERROR", True)
    assert session.migrations("vm1")[-1].status == "error"


def test_a_delete_that_its_host_does_not_hear_of_leaves_the_copy_alone() -> None:
    """The API deletes the row by itself, the guest runs on and arrives where nobody knows it: so real Nova does it."""
    session = cloud()
    migrate(session)
    copying(session)
    session.service("h1", forced_down=True)
    assert session.request("vm1", None, method="DELETE", microversion="2.90").code == 204
    assert session.server("vm1").status == "DELETED"
    session.settle()
    copy = next(record for record in session.records() if isinstance(record, r.LiveCopy))
    assert copy.outcome == "completed"
    assert session.migrations("vm1")[-1].status == "error"
    assert session.actions("vm1")[0].events[-1].details == f"Instance {session.server('vm1').uuid} could not be found."
    check(session.records())


# --- hosts that die ---------------------------------------------------------------------------------------------------


def fail(host: str, at: float, kind: str = "crash", repair: str | None = None) -> list[dict[str, Any]]:
    step: dict[str, Any] = {"hosts": [host], "kind": kind}
    if repair is not None:
        step["repair"] = {"constant": repair}
    return [{"at": f"{at} s", "fail": step}]


def stage_begins(stage: str) -> float:
    """When a stage of vm1's migration begins, in a cloud of two hosts where nothing goes wrong."""
    session = cloud(hosts=2)
    migrate(session)
    session.settle()
    return next(record.began for record in session.records() if isinstance(record, r.Step) and record.step == stage)


@pytest.mark.parametrize(
    ("stage", "status", "leaves_after"),
    [("pre_check", "error", 60), ("pre_live_migration", "failed", 60), ("live_start", "failed", 0),
     ("copy", "failed", 30), ("live_finish", "error", 60)],
)  # fmt: skip
def test_the_destination_dies(stage: str, status: str, leaves_after: float) -> None:
    at = stage_begins(stage) + 0.01
    session = cloud(hosts=2, plan=fail("h2", at))
    migrate(session)
    session.settle()
    assert session.migrations("vm1")[-1].status == status
    assert session.now > at + leaves_after
    if stage == "live_finish":
        assert (session.server("vm1").host, session.server("vm1").status) == ("h2", "ERROR")
    else:
        unharmed(session)


@pytest.mark.parametrize(
    ("stage", "status"),
    [("pre_live_migration", "preparing"), ("live_start", "running"), ("copy", "running"), ("live_finish", "running")],
)
def test_the_source_dies(stage: str, status: str) -> None:
    """Nobody is left to write the end: record and task state stay as they were, both shares stay taken."""
    session = cloud(hosts=2, plan=fail("h1", stage_begins(stage) + 0.01))
    migrate(session)
    session.run_for("1 h")
    server = session.server("vm1")
    assert (server.host, server.task_state, server.status) == ("h1", "migrating", "MIGRATING")
    assert session.migrations("vm1")[-1].status == status
    assert session.allocations("vm1") == {"h2": SMALL}
    assert session.migration_allocations(1) == {"h1": SMALL}
    check(session.records())


def test_a_source_that_returns_frees_its_servers_but_not_their_shares() -> None:
    session = cloud(hosts=2, plan=fail("h1", stage_begins("copy") + 0.01, repair="10 min"))
    migrate(session)
    session.run_for("1 h")
    assert session.server("vm1").task_state is None
    assert session.migrations("vm1")[-1].status == "error"
    assert session.migration_allocations(1) == {"h1": SMALL}
