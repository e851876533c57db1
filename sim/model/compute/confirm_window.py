"""Servers that nobody confirms: ``resize_confirm_window`` confirms them when a periodic task of the destination looks.

Nothing is armed but the first look that may find something. Source: Nova's ``_poll_unconfirmed_resizes``.
"""

from __future__ import annotations

import math
from collections.abc import Generator
from typing import TYPE_CHECKING, Any

from simpy.events import Event

from sim.model.compute.orders import DELETING
from sim.model.compute.periodic import Periodic
from sim.model.context import Context
from sim.model.host import UP
from sim.model.migration_record import MigrationRecord

if TYPE_CHECKING:
    from sim.model.cloud import Cloud

_NOT_YET = DELETING | {"resize_finish"}
"""Tasks of servers that the next look is left to."""


class ConfirmWindow:
    """The periodic task of all hosts."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud
        self._window_s = float(cloud.options["DEFAULT.resize_confirm_window"])
        self._polls = Periodic(cloud, "unconfirmed_resizes")

    def waits(self, migration: MigrationRecord) -> None:
        """A migration is finished, and waits for confirm or revert."""
        if self._window_s > 0 and migration.dest is not None:
            due = self._polls.next_run(migration.dest, migration.updated + self._window_s)
            if due < math.inf:
                self._cloud.env.process(self._watch(migration, migration.dest, due))

    def _watch(self, migration: MigrationRecord, host: int, due: float) -> Generator[Event, Any, None]:
        """Each look at it, from the first after the window until it waits no longer."""
        cloud = self._cloud
        while due < math.inf:
            yield cloud.env.timeout(due - cloud.env.now)
            if migration.status != "finished":
                return
            if cloud.hosts.power[host] != UP:
                yield cloud.failures.when_back(host)
            elif self._settled(migration):
                return
            due = self._polls.next_run(host, cloud.env.now)

    def _settled(self, migration: MigrationRecord) -> bool:
        """One look. False if there must be another."""
        cloud, server = self._cloud, migration.server
        if server.deleted or server.vm_state == "error":
            cloud.db.save_migration(migration, "error")
            return True
        if server.task_state in _NOT_YET:
            return False
        if server.vm_state != "resized" or server.task_state is not None:
            cloud.db.save_migration(migration, "error")
            return True
        if migration.source is None or not cloud.service_group.is_up(migration.source):
            return False
        ctx = Context(cloud.db.next_request_id(), "nova-compute", server.project, ("admin",), (2, 1))
        cloud.db.save_migration(migration, "confirming")
        cloud.db.start_action(server, "confirmResize", ctx)
        cloud.cast(cloud.compute.resize.confirm(ctx, server, migration), server)
        return True
