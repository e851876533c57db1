"""Locks: by the owner or by an administrator, and who may take them off."""

from __future__ import annotations

from sim.model.api.asked import ACCEPTED, OnServer, Reply
from sim.model.api.routing import Action

_API = "api"
"""What instance action events of the API have as their host."""


def lock(asked: OnServer) -> Reply:
    """``lock``. An owner does not lock what is locked already; an administrator takes the lock over."""
    asked.can("os-lock-server:lock")
    by_owner = _by_owner(asked)
    if asked.server.locked_by is not None and by_owner:
        return ACCEPTED
    return _set(asked, "lock", "owner" if by_owner else "admin")


def unlock(asked: OnServer) -> Reply:
    """``unlock``. Another one's lock needs a rule of its own."""
    asked.can("os-lock-server:unlock")
    locked_by = asked.server.locked_by
    if locked_by is not None and locked_by != ("owner" if _by_owner(asked) else "admin"):
        asked.can("os-lock-server:unlock:unlock_override")
    return _set(asked, "unlock", None)


def _by_owner(asked: OnServer) -> bool:
    return asked.server.project == asked.caller.project


def _set(asked: OnServer, action: str, locked_by: str | None) -> Reply:
    db, server, request = asked.cloud.db, asked.server, asked.ctx.request
    db.start_action(server, action, asked.ctx)
    event = db.start_event(server, request, f"api_{action}", _API)
    server.locked_by = locked_by
    db.record_server(server, request)
    db.finish_event(server, request, event)
    return ACCEPTED


ACTIONS = {"lock": Action(lock), "unlock": Action(unlock)}
