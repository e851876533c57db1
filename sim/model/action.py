"""Instance actions and their events, as ``openstack server event list`` shows them."""

from __future__ import annotations


class ActionEvent:
    """One event of an action: ``conductor_migrate_server``, ``compute_prep_resize``, …"""

    __slots__ = ("details", "event", "finished", "host", "result", "started")

    def __init__(self, event: str, host: str, started: float) -> None:
        self.event, self.host, self.started = event, host, started
        self.finished: float | None = None
        self.result: str | None = None
        """None while it lasts, then ``Success`` or ``Error``."""
        self.details: str | None = None


class InstanceAction:
    """One action on a server: who asked, when, and its events in order of start."""

    __slots__ = ("action", "events", "message", "project", "request", "started", "updated", "user")

    def __init__(self, action: str, request: str, user: str, project: str, started: float) -> None:
        self.action, self.request, self.user, self.project = action, request, user, project
        self.started = self.updated = started
        self.message: str | None = None
        """``Error`` when an event of it failed."""
        self.events: list[ActionEvent] = []
