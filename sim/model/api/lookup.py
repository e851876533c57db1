"""Servers by the id in a request's URL."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

from sim.model.api.faults import ApiFault
from sim.model.server import Server

if TYPE_CHECKING:
    from sim.model.database import Database


class Lookup:
    """Finds servers by uuid, as Nova does, or by name, for people. Deleted servers are not found."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._by_uuid: dict[str, Server] = {}
        self._read = 0
        """How many of the database's servers, in order of creation, are in the index."""

    def find(self, ident: str) -> Server | None:
        """The server of that name or uuid, deleted or not."""
        servers = self._db.servers
        found = servers.get(ident)
        if found is not None:
            return found
        new = len(servers) - self._read
        if new:  # they stand last: to look for them from the front would cost more with every create
            for server in islice(reversed(servers.values()), new):
                self._by_uuid[server.uuid] = server
            self._read = len(servers)
        return self._by_uuid.get(ident)

    def get(self, ident: str, unknown: str) -> Server:
        """The server, or ApiFault 404; ``unknown`` is the text for one that never was."""
        server = self.find(ident)
        if server is None:
            raise ApiFault(404, unknown.format(ident))
        if server.deleted:
            raise ApiFault(404, f"Instance {server.uuid} could not be found.")
        return server
