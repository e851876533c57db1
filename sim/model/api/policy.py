"""Who may do what: Nova's rules, an operator's file over them, enforced by the library that Nova enforces them with."""

from __future__ import annotations

import os
from functools import lru_cache
from typing import Any, NamedTuple

from oslo_config import cfg
from oslo_policy import policy

from sim.errors import InputError, Issue
from sim.model.api.policy_rules import defaults

_ENOUGH = 65536
"""Decisions remembered; when there are more, memory is worth more than the time."""


@policy.register("is_admin")
class _IsAdmin(policy.Check):
    """``is_admin:True`` in a rule: what the request's context says."""

    def __call__(self, *args: Any) -> bool:
        creds = args[1]
        return bool(creds["is_admin"]) == (self.match.lower() == "true")


class Caller(NamedTuple):
    """Who asks, as their token says it."""

    roles: tuple[str, ...]
    project: str
    user: str
    system: bool = False
    """Whether the token is for the system instead of a project."""


def _enforcer(path: str, new_defaults: bool) -> policy.Enforcer:
    """Nova's rules with those of the file over them. Raises InputError if the file cannot be used."""
    conf = cfg.ConfigOpts()
    conf([], project="novasim", default_config_files=[], default_config_dirs=[])
    enforcer = policy.Enforcer(conf, policy_file=path)
    conf.set_override("policy_dirs", [], group="oslo_policy")
    conf.set_override("enforce_new_defaults", new_defaults, group="oslo_policy")
    enforcer.suppress_default_change_warnings = True
    enforcer.suppress_deprecation_warnings = True
    enforcer.skip_undefined_check = True
    enforcer.register_defaults(defaults())
    try:
        enforcer.load_rules()
    except ValueError as error:
        raise InputError([Issue(path, str(error), 'write lines like "rule": "role:admin"')]) from None
    return enforcer


@lru_cache
def _novas_own(new_defaults: bool) -> policy.Enforcer:
    """Nova's rules alone: the same in every run of this process."""
    return _enforcer(os.devnull, new_defaults)


class Policy:
    """Decisions by rule, each made once for the same caller and target."""

    def __init__(self, file: str | None, new_defaults: bool = True) -> None:
        """``file``: an operator's policy.yaml or policy.json. Raises InputError if it cannot be used.

        Without ``new_defaults``, who was allowed before the default roles of release 21 still is.
        """
        self._enforcer = _novas_own(new_defaults) if file is None else _enforcer(os.path.abspath(file), new_defaults)
        self._known: dict[tuple[str, Caller, str, str], bool] = {}
        self._admins: dict[Caller, bool] = {}

    def allows(self, rule: str, caller: Caller, project: str, user: str) -> bool:
        """Whether ``rule`` lets ``caller`` act on something of that project and user."""
        key = (rule, caller, project, user)
        known = self._known.get(key)
        if known is None:
            if len(self._known) >= _ENOUGH:
                self._known.clear()
            known = self._known[key] = self._decide(rule, caller, project, user, self.is_admin(caller))
        return known

    def is_admin(self, caller: Caller) -> bool:
        """Whether Nova takes the caller for an administrator: the rule ``context_is_admin``."""
        known = self._admins.get(caller)
        if known is None:
            if len(self._admins) >= _ENOUGH:
                self._admins.clear()
            known = self._decide("context_is_admin", caller, caller.project, caller.user, False)
            self._admins[caller] = known
        return known

    def _decide(self, rule: str, caller: Caller, project: str, user: str, is_admin: bool) -> bool:
        creds: dict[str, Any] = {
            "roles": list(caller.roles), "user_id": caller.user, "is_admin": is_admin, "is_admin_project": True,
            "project_id": None if caller.system else caller.project,
            "system_scope": "all" if caller.system else None,
        }  # fmt: skip
        return bool(self._enforcer.authorize(rule, {"project_id": project, "user_id": user}, creds))
