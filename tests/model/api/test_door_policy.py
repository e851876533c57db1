"""Who may do what: roles and projects, operators' files in every form, locks and who may take them off.

Expected values: Nova 34's ``policies/`` and ``compute/api.py``.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from door_cloud import ask, cloud, create

from sim.errors import InputError
from sim.model.api.door import Call
from sim.model.api.policy import Caller, Policy

ADMIN, MANAGER, MEMBER, READER = ("admin",), ("manager",), ("member",), ("reader",)
LIVE = {"host": None, "block_migration": "auto"}
LIVE_TO = {"host": "h2", "block_migration": "auto"}
PLACE = "os_compute_api:"


def may(roles: tuple[str, ...], rule: str, *, project: str = "demo", file: str | None = None) -> bool:
    return Policy(file).allows(PLACE + rule, Caller(roles, "demo", "u"), project, "u")


@pytest.mark.parametrize(
    ("rule", "allowed"),
    [
        ("os-migrate-server:migrate", (ADMIN, MANAGER)),
        ("os-migrate-server:migrate:host", (ADMIN,)),
        ("os-migrate-server:migrate_live", (ADMIN, MANAGER)),
        ("os-migrate-server:migrate_live:host", (ADMIN,)),
        ("os-evacuate", (ADMIN,)),
        ("os-admin-actions:reset_state", (ADMIN,)),
        ("os-admin-actions:inject_network_info", (ADMIN,)),
        ("servers:migrations:delete", (ADMIN, MANAGER)),
        ("servers:migrations:force_complete", (ADMIN, MANAGER)),
        ("servers:resize", (ADMIN, MEMBER)),
        ("servers:confirm_resize", (ADMIN, MEMBER)),
        ("servers:revert_resize", (ADMIN, MEMBER)),
        ("servers:delete", (ADMIN, MEMBER)),
        ("os-shelve:shelve", (ADMIN, MEMBER)),
        ("os-shelve:shelve_offload", (ADMIN,)),
        ("os-shelve:unshelve_to_host", (ADMIN,)),
        ("os-lock-server:unlock", (ADMIN, MEMBER)),
        ("os-lock-server:unlock:unlock_override", (ADMIN,)),
    ],
)
def test_nova_s_defaults(rule: str, allowed: tuple[tuple[str, ...], ...]) -> None:
    for roles in (ADMIN, MANAGER, MEMBER, READER, ()):
        assert may(roles, rule) == (roles in allowed), roles
        assert may(roles, rule, project="other") == (roles == ADMIN), f"{roles} in another project"


def test_a_token_for_the_system_is_for_no_server() -> None:
    """All these rules are for projects (``scope_types``), and scopes are enforced."""
    assert not Policy(None).allows(PLACE + "os-evacuate", Caller(ADMIN, "demo", "u", system=True), "demo", "u")
    session = cloud()
    cloud_ = session._cloud
    call = Call(server="vm1", body={"pause": None}, roles=ADMIN, system=True)
    process = cloud_.env.process(cloud_.door.request(call))
    session.run_for("10 s")
    assert process.value.message == "Policy doesn't allow os_compute_api:os-pause-server:pause to be performed."


def test_a_named_host_has_a_rule_of_its_own() -> None:
    session = cloud({}, {})
    assert ask(session, "os-migrateLive", LIVE_TO, roles=MANAGER).message == (
        "Policy doesn't allow os_compute_api:os-migrate-server:migrate_live:host to be performed."
    )
    assert ask(session, "os-migrateLive", LIVE, roles=MANAGER).code == 202
    assert ask(session, "migrate", {"host": "h2"}, server="vm2", roles=MANAGER).message == (
        "Policy doesn't allow os_compute_api:os-migrate-server:migrate:host to be performed."
    )
    assert ask(session, "migrate", {"host": None}, server="vm2", roles=MANAGER).code == 202


def test_another_project_s_server_is_not_seen() -> None:
    session = cloud()
    assert ask(session, "pause", roles=MEMBER, project="other").code == 404
    assert ask(session, "pause", roles=MEMBER, project="demo").code == 202


# --- operators' files -------------------------------------------------------------------------------------------------


def written(folder: Path, name: str, rules: dict[str, str]) -> str:
    text = json.dumps(rules) if name.endswith("json") else "".join(f'"{k}": "{v}"\n' for k, v in rules.items())
    path = folder / name
    path.write_text(text, "utf-8")
    return str(path)


@pytest.mark.parametrize("name", ["policy.yaml", "policy.json"])
def test_a_file_opens_and_closes_rules(tmp_path: Path, name: str) -> None:
    file = written(tmp_path, name, {PLACE + "os-evacuate": "role:rescuer", PLACE + "servers:delete": "!"})
    assert may(("rescuer",), "os-evacuate", file=file)
    assert not may(ADMIN, "os-evacuate", file=file)
    assert not may(ADMIN, "servers:delete", file=file)
    assert may(MEMBER, "os-pause-server:pause", file=file)


def test_a_file_may_say_who_is_an_administrator(tmp_path: Path) -> None:
    """``context_is_admin`` decides whose requests a lock does not stop."""
    file = written(tmp_path, "policy.yaml", {"context_is_admin": "role:admin or role:operator"})
    session = cloud({"locked": "owner"}, policy=file)
    assert ask(session, "pause", roles=("operator",)).code == 202
    assert Policy(file).is_admin(Caller(("operator",), "demo", "u"))
    assert not Policy(None).is_admin(Caller(("operator",), "demo", "u"))


def test_rules_may_be_about_users(tmp_path: Path) -> None:
    file = written(tmp_path, "policy.yaml", {PLACE + "servers:delete": "user_id:%(user_id)s"})
    policy = Policy(file)
    assert policy.allows(PLACE + "servers:delete", Caller(MEMBER, "demo", "ann"), "demo", "ann")
    assert not policy.allows(PLACE + "servers:delete", Caller(MEMBER, "demo", "ann"), "demo", "bob")


def test_names_of_earlier_releases_still_count(tmp_path: Path) -> None:
    """An operator's rule under the old name overrides what the rule has become (oslo.policy's deprecated rules)."""
    file = written(tmp_path, "policy.yaml", {PLACE + "os-deferred-delete": "role:janitor"})
    assert may(("janitor",), "os-deferred-delete:restore", file=file)
    assert may(("janitor",), "os-deferred-delete:force", file=file)
    assert not may(MEMBER, "os-deferred-delete:force", file=file)
    live = written(tmp_path, "live.yaml", {PLACE + "os-migrate-server:migrate_live": "role:mover"})
    assert may(("mover",), "os-migrate-server:migrate_live:host", file=live)


def test_a_file_may_name_rules_of_other_services(tmp_path: Path) -> None:
    file = written(tmp_path, "policy.yaml", {"os_compute_api:os-flavor-manage:create": "rule:not_here"})
    assert may(MEMBER, "servers:delete", file=file)


def test_a_file_that_is_no_policy_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "policy.yaml"
    path.write_text("{unclosed", "utf-8")
    with pytest.raises(InputError):
        Policy(str(path))


# --- locks ------------------------------------------------------------------------------------------------------------


def test_whose_lock_it_is() -> None:
    """``lock``, ``unlock`` and ``is_expected_locked_by`` of Nova's ``compute/api.py``."""
    session = cloud()
    server = session._cloud.db.servers["vm1"]

    def asked(key: str, roles: tuple[str, ...], project: str) -> int:
        return ask(session, key, roles=roles, project=project).code

    assert asked("lock", MEMBER, "demo") == 202
    assert server.locked_by == "owner"
    assert asked("lock", MEMBER, "demo") == 202
    assert [a.action for a in session.actions("vm1")] == ["lock"], "an owner does not lock twice"
    assert asked("lock", ADMIN, "operators") == 202
    assert server.locked_by == "admin"
    answer = ask(session, "unlock", roles=MEMBER, project="demo")
    assert (
        answer.message == "Policy doesn't allow os_compute_api:os-lock-server:unlock:unlock_override to be performed."
    )
    assert asked("unlock", ADMIN, "demo") == 202, "an administrator may, as an owner too"
    assert server.locked_by is None
    assert [(a.action, a.events[0].event) for a in session.actions("vm1")] == [
        ("lock", "api_lock"), ("lock", "api_lock"), ("unlock", "api_unlock"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("key", "argument", "code"),
    [
        ("os-stop", None, 409), ("reboot", {"type": "HARD"}, 409), ("pause", None, 409), ("suspend", None, 409),
        ("shelve", None, 409), ("rescue", None, 409), ("resize", {"flavorRef": "large"}, 409),
        ("forceDelete", None, 409), ("createImage", {"name": "i"}, 202), ("lock", None, 202), ("unlock", None, 202),
    ],
)  # fmt: skip
def test_what_a_lock_stops(key: str, argument: object, code: int) -> None:
    session = cloud({"locked": "owner"})
    answer = ask(session, key, argument, roles=MEMBER)
    assert answer.code == code
    if code == 409:
        assert answer.message == f"Instance {session.server('vm1').uuid} is locked"


def test_a_lock_that_nova_words_badly() -> None:
    """Nova's restore and abort take a lock for a wrong state."""
    session = cloud({"vm_state": "soft-delete", "locked": "owner"})
    uuid = session.server("vm1").uuid
    assert ask(session, "restore", roles=MEMBER).message == f"Instance {uuid} is in an invalid state for 'restore'"


def test_a_reason_for_a_lock_comes_with_2_73() -> None:
    session = cloud({}, {})
    reason = {"locked_reason": "maintenance"}
    assert ask(session, "lock", reason, version="2.73").code == 202
    assert ask(session, "lock", {"why": "x"}, server="vm2", version="2.72").code == 202, "anything goes before"
    assert ask(session, "lock", {"why": "x"}, server="vm2", version="2.73").message == (
        "Invalid input for field/attribute lock. Value: {'why': 'x'}. Additional properties are not allowed ('why' was "
        "unexpected)"
    )


def test_who_may_create() -> None:
    session = cloud()
    assert (
        create(session, roles=READER).message == "Policy doesn't allow os_compute_api:servers:create to be performed."
    )
    assert create(session, roles=MEMBER).code == 202
    assert create(session, availability_zone="east:h2").message == (
        "Policy doesn't allow os_compute_api:servers:create:forced_host to be performed."
    )
    assert create(session, host="h2").message == (
        "Policy doesn't allow compute:servers:create:requested_destination to be performed."
    )
    assert create(session, host="h2", roles=ADMIN).code == 202
    session.settle()
    assert session.servers()[-1].host == "h2"
