"""Nova's policy rules for servers' actions with their defaults: names that operators override, and who may by default.

Facts of Nova 34's ``policies/``.
"""

from __future__ import annotations

from oslo_policy import policy

_SINCE, _WHY = "21.0.0", "New default roles"
_LIVE_SINCE, _LIVE_WHY = "32.0.0", "A rule of its own for a request that names a host"

_ADMIN = "rule:context_is_admin"
_MANAGER = "rule:project_manager_or_admin"
_MEMBER = "rule:project_member_or_admin"
_ADMIN_OR_OWNER = "is_admin:True or project_id:%(project_id)s"


def _old(name: str, check: str) -> policy.DeprecatedRule:
    return policy.DeprecatedRule(name, check, deprecated_reason=_WHY, deprecated_since=_SINCE)


_OLD_ADMIN = _old("rule:admin_api", "is_admin:True")
_OLD_OWNER = _old("rule:admin_or_owner", _ADMIN_OR_OWNER)

_BASE: tuple[tuple[str, str, policy.DeprecatedRule | None], ...] = (
    ("context_is_admin", "role:admin", _OLD_ADMIN),
    ("admin_or_owner", _ADMIN_OR_OWNER, None),
    ("admin_api", "is_admin:True", None),
    ("project_manager_api", "role:manager and project_id:%(project_id)s", _OLD_ADMIN),
    ("project_member_api", "role:member and project_id:%(project_id)s", _OLD_OWNER),
    ("project_reader_api", "role:reader and project_id:%(project_id)s", _OLD_OWNER),
    ("service_api", "role:service", _OLD_ADMIN),
    ("project_manager_or_admin", "rule:project_manager_api or rule:context_is_admin", _OLD_ADMIN),
    ("project_member_or_admin", "rule:project_member_api or rule:context_is_admin", _OLD_OWNER),
    ("project_reader_or_admin", "rule:project_reader_api or rule:context_is_admin", _OLD_OWNER),
    ("service_or_admin", "rule:service_api or rule:context_is_admin", _OLD_ADMIN),
)
"""Rules that other rules are made of."""

_PLACE = "os_compute_api:"
_BY_CHECK: dict[str, str] = {
    _ADMIN: """
        os-admin-actions:reset_state os-admin-actions:inject_network_info os-evacuate
        os-lock-server:unlock:unlock_override
        os-migrate-server:migrate:host os-services:update os-shelve:shelve_offload os-shelve:unshelve_to_host
        servers:create:forced_host servers:create:zero_disk_flavor""",
    _MANAGER: """
        os-migrate-server:migrate os-migrate-server:migrate_live servers:migrations:force_complete
        servers:migrations:delete""",
    _MEMBER: """
        os-deferred-delete:restore os-deferred-delete:force os-lock-server:lock os-lock-server:unlock
        os-pause-server:pause os-pause-server:unpause os-rescue os-unrescue os-shelve:shelve os-shelve:unshelve
        os-suspend-server:suspend os-suspend-server:resume servers:confirm_resize servers:create
        servers:create:attach_network servers:create:attach_volume servers:create_image
        servers:create_image:allow_volume_backed servers:delete servers:reboot servers:resize
        servers:revert_resize servers:start servers:stop""",
}
_TO_HOST = "compute:servers:create:requested_destination"
_RENAMED = {
    "os-deferred-delete:restore": _old("os_compute_api:os-deferred-delete", "rule:admin_or_owner"),
    "os-deferred-delete:force": _old("os_compute_api:os-deferred-delete", "rule:admin_or_owner"),
    "os-services:update": _old("os_compute_api:os-services", "rule:admin_api"),
    "os-unrescue": _old("os_compute_api:os-rescue", "rule:admin_or_owner"),
}
"""Rules that had another name before: an operator's file may still use it."""
_LIVE_TO_HOST = "os_compute_api:os-migrate-server:migrate_live:host"


def defaults() -> list[policy.RuleDefault]:
    """Every rule, as oslo.policy registers it."""
    rules = [policy.RuleDefault(name, check, deprecated_rule=old) for name, check, old in _BASE]
    for check, names in _BY_CHECK.items():
        rules += [
            policy.RuleDefault(_PLACE + name, check, deprecated_rule=_RENAMED.get(name), scope_types=["project"])
            for name in names.split()
        ]
    rules.append(policy.RuleDefault(_TO_HOST, _ADMIN, scope_types=["project"]))
    without_host = policy.DeprecatedRule(
        "os_compute_api:os-migrate-server:migrate_live", _ADMIN, deprecated_reason=_LIVE_WHY,
        deprecated_since=_LIVE_SINCE,
    )  # fmt: skip
    rules.append(policy.RuleDefault(_LIVE_TO_HOST, _ADMIN, deprecated_rule=without_host, scope_types=["project"]))
    return rules
