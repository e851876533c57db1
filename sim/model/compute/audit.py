"""What a host's regular count of its resources does to migration records (``_update_usage_from_migrations``).

A server's row remembers the claim of one move (Nova's ``migration_context``) until the move is confirmed or undone. Of
a server that is moving or waits for a confirm, the host looks at the record that changed last: if that is not the move
the row remembers, it is taken for a leftover and put in error, even if its work goes on. So it is with a server that
was reset in the midst of a move and is then moved again.

Nothing is armed but for servers of which a count might find something, and only while they are moved.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING, Any

from simpy.events import Event

from sim.model.compute.periodic import Periodic, spacing
from sim.model.host import UP
from sim.model.migration_record import MigrationRecord
from sim.model.server import Server

if TYPE_CHECKING:
    from sim.model.cloud import Cloud

_OVER = frozenset({"confirmed", "reverted", "failed", "completed", "cancelled", "done"})
"""Statuses of records that no count looks at. Not ``error``: such a record may stand before an older one."""
_RESIZING = frozenset({
    "resize_prep", "resize_migrating", "resize_migrated", "resize_finish",
    "rebuilding", "rebuild_block_device_mapping", "rebuild_spawning",
})  # fmt: skip


class Audit:
    """``compute.audit``."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud
        interval = int(cloud.options["DEFAULT.update_resources_interval"])
        self._counts = Periodic(cloud, "resources", spacing(interval))
        self._watched: set[tuple[str, int]] = set()
        """Servers and hosts whose counts are waited for."""

    def claimed(self, server: Server, migration: MigrationRecord) -> None:
        """A host has claimed what the move needs: from now on the server's row remembers this one."""
        server.move_claim = migration
        if len(server.migrations) > 1:
            self.watch(server)

    def watch(self, server: Server) -> None:
        """Let its hosts look at the server as long as something is under way with it, and once more."""
        records = [one for one in server.migrations if one.status not in _OVER]
        if not any(one is not server.move_claim for one in records):
            return
        for host in {place: None for one in records for place in (one.source, one.dest) if place is not None}:
            key = (server.name, host)
            due = self._counts.next_run(host, self._cloud.env.now)
            if key not in self._watched and due < float("inf"):
                self._watched.add(key)
                self._cloud.env.process(self._look(server, host, due))

    def _look(self, server: Server, host: int, due: float) -> Generator[Event, Any, None]:
        cloud = self._cloud
        moves = True
        while moves:
            moves = server.name in cloud.processes
            yield cloud.env.timeout(due - cloud.env.now)
            if cloud.hosts.power[host] == UP:
                self.count(server, host)
            due = self._counts.next_run(host, cloud.env.now)
        self._watched.discard((server.name, host))

    def count(self, server: Server, host: int) -> None:
        """One count of the host comes upon the server."""
        found = self.leftover(server, host)
        if found is not None:
            self._cloud.db.save_migration(found, "error")

    def leftover(self, server: Server, host: int) -> MigrationRecord | None:
        """The record that a count of this host would put in error."""
        if server.move_claim is None or server.deleted or not _moves(server):
            return None
        last: MigrationRecord | None = None
        for one in server.migrations:
            if host in _nodes(one) and one.status not in _OVER and (last is None or one.updated > last.updated):
                last = one
        return None if last is None or last is server.move_claim or last.status == "error" else last


def _nodes(migration: MigrationRecord) -> tuple[int | None, ...]:
    """The hosts whose counts find the record: those of which it names the node, too."""
    if migration.status != "accepted":
        return migration.source, migration.dest
    return () if migration.type == "live-migration" else (migration.source,)


def _moves(server: Server) -> bool:
    """Whether Nova takes the server for one that is resized, rebuilt or live-migrated."""
    if server.vm_state == "resized":
        return True
    if server.task_state == "migrating":
        return server.vm_state in {"active", "paused"}
    return server.vm_state in {"active", "stopped"} and server.task_state in _RESIZING
