"""A migration record (Nova: Migration), passive. While it lives it may hold resources in the server's place."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sim.model.flavor import Flavor, Resources
from sim.model.identity import named_uuid

if TYPE_CHECKING:
    from sim.model.server import Server


class MigrationRecord:
    """One migration of a server. ``source`` and ``dest`` are host indices."""

    __slots__ = (
        "consumer", "created", "dest", "held", "id", "new_flavor", "old_flavor", "request", "server", "source",
        "status", "type", "updated", "work",
    )  # fmt: skip

    def __init__(
        self, id: int, server: Server, type: str, status: str, source: int | None, now: float, request: str | None
    ) -> None:  # fmt: skip
        self.id = id
        self.consumer = f"migration:{id}"
        self.server = server
        self.type = type
        """``migration``, ``resize``, ``live-migration`` or ``evacuation``."""
        self.status = status
        self.source: int | None = source
        self.dest: int | None = None
        self.old_flavor: Flavor = server.flavor
        self.new_flavor: Flavor = server.flavor
        self.created = self.updated = now
        self.request = request
        self.held: dict[int, Resources] = {}
        """Host → what it holds there; written by placement alone."""
        self.work: Any = None
        """The operation under way that abort and force-complete speak to; None when there is none."""

    @property
    def uuid(self) -> str:
        """Made when asked for: most migrations are never asked."""
        return named_uuid("migration", str(self.id))

    def __repr__(self) -> str:
        return f"<Migration {self.id} {self.type} {self.status} of {self.server.name}>"
