"""Instance actions and their events, as ``openstack server event list`` shows them.

Plain data that refers to nothing else: the garbage collector need not look at them.
"""

from __future__ import annotations

import msgspec


class ActionEvent(msgspec.Struct, gc=False):
    """One event of an action: ``conductor_migrate_server``, ``compute_prep_resize``, …"""

    event: str
    host: str
    started: float
    finished: float | None = None
    result: str | None = None
    """None while it lasts, then ``Success`` or ``Error``."""
    details: str | None = None
    first: ActionEvent | None = None
    """The action's first event of the same name, if this is another: when an event ends, that one's row is written."""


class InstanceAction(msgspec.Struct, gc=False):
    """One action on a server: who asked, when, and its events in order of start."""

    action: str
    request: str
    user: str
    project: str
    started: float
    message: str | None = None
    """``Error`` when an event of it failed."""
    events: list[ActionEvent] = []
