"""Microversions and routes: which request reaches which action, and in which order its mistakes are found.

Expected values: Nova 34's ``api/openstack/wsgi.py`` and the decorators of its controllers.
"""

from __future__ import annotations

from typing import Any

import pytest
from door_cloud import ask, cloud

MALFORMED = "Malformed request body"
NOT_FOUND = "The resource could not be found."
NOBODY = "11111111-2222-3333-4444-555555555555"
LIVE = {"host": None, "block_migration": "auto"}


@pytest.mark.parametrize("header", [None, "", "2.1", "2.104", "latest", " 2.30 "])
def test_microversions_that_there_are(header: str | None) -> None:
    assert cloud().request("vm1", {"os-stop": None}, microversion=header).code == 202


@pytest.mark.parametrize("header", ["2.0", "2.105", "3.1", "1.1", "1.0"])
def test_microversions_out_of_range(header: str) -> None:
    answer = cloud().request("vm1", {"os-stop": None}, microversion=header)
    message = f"Version {header} is not supported by the API. Minimum is 2.1 and maximum is 2.104."
    assert (answer.code, answer.message, answer.fault_name) == (406, message, "computeFault")


@pytest.mark.parametrize("header", ["2", "2.1.1", "v2.1", "2.01", "two", "2.-1", "LATEST", "0.1"])
def test_microversions_that_are_no_version(header: str) -> None:
    answer = cloud().request("vm1", {"os-stop": None}, microversion=header)
    message = f"API Version String {header} is of invalid format. Must be of format MajorNum.MinorNum."
    assert (answer.code, answer.message, answer.fault_name) == (400, message, "badRequest")


@pytest.mark.parametrize(
    ("body", "code", "message"),
    [
        ({}, 400, MALFORMED),
        ({"pause": None, "unpause": None}, 400, MALFORMED),
        (b"{bad", 400, MALFORMED),
        (b"", 400, MALFORMED),
        ([], 400, MALFORMED),
        ([1, 2], 400, MALFORMED),
        (b"null", 404, NOT_FOUND),
        (None, 404, NOT_FOUND),
        (b"7", 404, NOT_FOUND),
        ([1], 404, NOT_FOUND),
        ("x", 404, NOT_FOUND),
        ("two", 400, MALFORMED),
        (b'{"pause": null}', 202, None),
        ({"Pause": None}, 400, "There is no such action: Pause"),
    ],
)
def test_bodies_as_the_dispatcher_sees_them(body: Any, code: int, message: str | None) -> None:
    answer = cloud().request("vm1", body)
    assert (answer.code, answer.message) == (code, message)


@pytest.mark.parametrize(
    ("action", "version", "code", "message"),
    [
        ("trigger_crash_dump", "2.16", 404, NOT_FOUND),
        ("trigger_crash_dump", "2.17", 501, "The action trigger_crash_dump is not simulated."),
        ("addFixedIp", "2.43", 501, "The action addFixedIp is not simulated."),
        ("addFixedIp", "2.44", 404, NOT_FOUND),
        ("os-getRDPConsole", "2.6", 404, NOT_FOUND),
        ("os-getRDPConsole", "2.5", 410, "This resource is no longer available. No forwarding address is given."),
    ],
)
def test_actions_that_come_and_go_with_the_microversion(action: str, version: str, code: int, message: str) -> None:
    answer = ask(cloud(), action, {}, version=version)
    assert (answer.code, answer.message) == (code, message)


def test_mistakes_are_found_in_nova_s_order() -> None:
    """Each request has all mistakes from its own on; what is said is the first."""
    session = cloud({"locked": "admin", "vm_state": "paused"})

    def answer(key: str, argument: Any, version: str, server: str, roles: tuple[str, ...]) -> tuple[int, str | None]:
        found = ask(session, key, argument, version=version, server=server, roles=roles)
        return found.code, found.message

    assert answer("nothing", 7, "9.9", NOBODY, ()) == (
        406, "Version 9.9 is not supported by the API. Minimum is 2.1 and maximum is 2.104.",
    )  # fmt: skip
    assert answer("nothing", 7, "2.90", NOBODY, ()) == (400, "There is no such action: nothing")
    code, message = answer("reboot", {"type": "odd"}, "2.90", NOBODY, ())
    assert (code, (message or "")[:40]) == (400, "Invalid input for field/attribute type. ")
    assert answer("reboot", {"type": "SOFT"}, "2.90", NOBODY, ()) == (404, f"Instance {NOBODY} could not be found.")
    assert answer("reboot", {"type": "SOFT"}, "2.90", "vm1", ()) == (
        403, "Policy doesn't allow os_compute_api:servers:reboot to be performed.",
    )  # fmt: skip
    uuid = session.server("vm1").uuid
    member = ("member",)
    assert answer("reboot", {"type": "SOFT"}, "2.90", "vm1", member) == (409, f"Instance {uuid} is locked")
    assert answer("reboot", {"type": "SOFT"}, "2.90", "vm1", ("admin",)) == (
        409, f"Cannot 'reboot' instance {uuid} while it is in vm_state paused",
    )  # fmt: skip


def test_a_host_is_looked_for_after_state_and_before_the_task_is_set() -> None:
    session = cloud({}, {"vm_state": "stopped"})
    wrong = {"host": "nowhere", "block_migration": "auto"}
    uuid = session.server("vm2").uuid
    assert ask(session, "os-migrateLive", wrong, server="vm2").message == (
        f"Cannot 'os-migrateLive' instance {uuid} while it is in vm_state stopped"
    )
    assert ask(session, "os-migrateLive", wrong).message == "Compute host nowhere could not be found."
    assert session.server("vm1").task_state is None
    assert session.actions("vm1") == []


@pytest.mark.parametrize("version", ["2.1", "2.22", "2.23"])
def test_abort_begins_with_2_24(version: str) -> None:
    answer = cloud().request("vm1", None, method="DELETE", migration=1, microversion=version)
    assert (answer.code, answer.message) == (404, NOT_FOUND)


def test_force_complete_begins_with_2_22() -> None:
    session = cloud()
    answers = [
        session.request("vm1", {"force_complete": None}, migration=1, microversion=v).code for v in ("2.21", "2.22")
    ]
    assert answers == [404, 409]
    assert session.request("vm1", {"pause": None}, migration=1).message == "There is no such action: pause"


def test_other_methods_are_not_allowed() -> None:
    answer = cloud().request("vm1", {"pause": None}, method="PUT")
    assert (answer.code, answer.fault_name) == (405, "badMethod")


def test_a_migration_under_way_can_be_aborted_or_forced_only_in_its_time() -> None:
    """Statuses by microversion: Nova's ``live_migrate_abort`` and ``live_migrate_force_complete``."""
    session = cloud({"activity": "hog", "flavor": "large"}, {}, options={"max_concurrent_live_migrations": 1})
    for name, reached in (("vm1", "running"), ("vm2", "queued")):
        assert ask(session, "os-migrateLive", LIVE, server=name).code == 202
        for _ in range(100):
            session.run_for(0.25)
            if [m.status for m in session.migrations(name)] == [reached]:
                break
        assert session.migrations(name)[0].status == reached
    running, queued = session.migrations("vm1")[0].id, session.migrations("vm2")[0].id
    uuid = session.server("vm2").uuid

    def abort(name: str, number: int, version: str) -> tuple[int, str | None]:
        answer = session.request(name, None, method="DELETE", migration=number, microversion=version)
        return answer.code, answer.message

    assert abort("vm1", queued, "2.90") == (
        404, f"Migration {queued} not found for instance {session.server('vm1').uuid}"
    )  # fmt: skip
    assert abort("vm2", queued, "2.64") == (
        400, f"Migration {queued} state of instance {uuid} is queued. Cannot abort live migration while the migration "
        "is in this state.",
    )  # fmt: skip
    forced = session.request("vm2", {"force_complete": None}, migration=queued, microversion="2.90")
    assert (forced.code, forced.message) == (
        400, f"Migration {queued} state of instance {uuid} is queued. Cannot force complete while the migration is in "
        "this state.",
    )  # fmt: skip
    assert abort("vm2", queued, "2.65") == (202, None)
    assert abort("vm1", running, "2.24") == (202, None)
    session.settle()
    assert [session.migrations(name)[0].status for name in ("vm1", "vm2")] == ["cancelled", "cancelled"]
    assert [a.action for a in session.actions("vm1")] == ["live-migration", "live_migration_cancel"]
    assert abort("vm1", running, "2.90") == (
        409, f"Instance {session.server('vm1').uuid} is in an invalid state for 'abort live migration'"
    )  # fmt: skip
