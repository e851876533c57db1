"""Live migrations on compute hosts: each host's queue, and the orders that reach a migration under way."""

from __future__ import annotations

import math
from collections.abc import Generator
from typing import TYPE_CHECKING

from simpy.events import Event

from sim.kernel.pool import Pool
from sim.model.compute.live_limits import LiveLimits, local_disk_b
from sim.model.compute.live_work import MONITOR_S, LiveWork, Steps
from sim.model.compute.orders import periodic_context
from sim.model.context import Context
from sim.model.exceptions import InvalidMigrationState, NoActiveMigrationForInstance, NovaException
from sim.model.host import UP
from sim.model.migration_record import MigrationRecord
from sim.model.server import Server

if TYPE_CHECKING:
    from sim.model.action import ActionEvent
    from sim.model.cloud import Cloud

_NO_JOB = "libvirtError"
"""Of an error that is not its own Nova tells the class alone."""


class LiveMigrations:
    """``compute.live_migration``: the source's part of every live migration."""

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud
        self._limits = LiveLimits(cloud)
        self._at_once = int(cloud.options["DEFAULT.max_concurrent_live_migrations"])
        self._slots: dict[int, Pool] = {}
        """Source host → its semaphore; a new one after each crash."""
        self._without_guest: set[int] = set()
        """Migrations whose guest was gone before their source heard of them."""

    def migrate(self, ctx: Context, server: Server, migration: MigrationRecord, block_migration: object) -> Steps:
        """What the source does once the conductor has found a destination; never raises Nova's errors."""
        work = yield from self.accept(ctx, server, migration, block_migration)
        if work is not None:
            yield from work.run()

    def accept(
        self, ctx: Context, server: Server, migration: MigrationRecord, block_migration: object
    ) -> Generator[Event, object, LiveWork | None]:
        """The source hears of it. What is to be run then, if anything."""
        cloud = self.cloud
        source = migration.source
        assert source is not None
        if cloud.hosts.power[source] != UP:
            boot = cloud.hosts.crashes[source]
            yield from self._reach(migration)
            if cloud.hosts.crashes[source] != boot:
                self._nothing_to_move(ctx, server, migration)
                return None
        event = cloud.db.start_event(server, ctx.request, "compute_live_migration", cloud.hosts.names[source])
        cloud.db.save_migration(migration, "queued")
        cloud.db.finish_event(server, ctx.request, event)
        slots = self._slots.get(source)
        if slots is None:
            slots = self._slots[source] = Pool(cloud.env, self._at_once)
        disk_b = 0.0
        if not cloud.shared_storage and block_migration is not False:
            disk_b = local_disk_b(server)
        work = migration.work = LiveWork(cloud, ctx, migration, limits=self._limits, slots=slots, disk_b=disk_b)
        if migration.id in self._without_guest:
            self._without_guest.remove(migration.id)
            work.guest_gone()
        return work

    def _nothing_to_move(self, ctx: Context, server: Server, migration: MigrationRecord) -> None:
        """The source has started anew, the guest does not run: libvirt refuses, and Nova gives up on both."""
        db = self.cloud.db
        db.save_migration(migration, "error")
        if not server.deleted:
            db.save(server, ctx.request, vm_state="error", task_state=None)

    def host_died(self, host: int) -> None:
        """All that ran on the host is gone: its copies break off, its queue is empty."""
        self._slots.pop(host, None)
        for server in list(self.cloud.db.on_host.get(host, {}).values()):
            self.guest_gone(server)

    def guest_gone(self, server: Server) -> None:
        """The server's guest is no more: what is copied of it breaks off."""
        last = server.migrations[-1] if server.migrations else None
        if last is None:
            return
        if isinstance(last.work, LiveWork):
            last.work.guest_gone()
        elif last.type == "live-migration" and last.status == "accepted":
            self._without_guest.add(last.id)

    def host_returned(self, host: int, request: str | None = None) -> None:
        """nova-compute starts again: servers found in the midst of a live migration are freed; claims are not.

        Nothing to do for those whose migration goes on: the host was only silent, not restarted.
        """
        db, boot = self.cloud.db, self.cloud.hosts.crashes[host]
        for server in list(db.on_host.get(host, {}).values()):
            if server.task_state != "migrating":
                continue
            work = server.migrations[-1].work if server.migrations else None
            if isinstance(work, LiveWork) and work.boot == boot:
                continue
            for migration in reversed(server.migrations):
                if migration.status == "running" and migration.type == "live-migration":
                    self._abort_lost(server, migration)
                    break
            db.save(server, request, task_state=None)

    def _abort_lost(self, server: Server, migration: MigrationRecord) -> None:
        """nova-compute aborts what it finds running, and libvirt knows of no such job any more."""
        ctx = periodic_context(server)
        event = self._event(ctx, server, migration, "compute_live_migration_abort")
        self._fail(ctx, server, event, _NO_JOB, 500)
        self.cloud.db.save_migration(migration, "error")

    def abort(self, ctx: Context, server: Server, migration: MigrationRecord) -> Steps:
        """``live_migration_abort`` on the source."""
        yield from self._reach(migration)
        db, event = self.cloud.db, self._event(ctx, server, migration, "compute_live_migration_abort")
        work = migration.work
        if isinstance(work, LiveWork) and (migration.status == "running" or not work.aborted):
            queued = work.waiting is not None
            if not work.abort():
                self._fail(ctx, server, event, _NO_JOB, 500)
                return
            if queued:
                work.give_back()
                db.save(server, ctx.request, task_state=None)
                db.save_migration(migration, "cancelled")
        elif migration.status != "running":
            wrong = InvalidMigrationState(migration.id, server.uuid, migration.status, "abort live migration")
            self._fail(ctx, server, event, str(wrong), wrong.code)
            return
        else:
            self._fail(ctx, server, event, _NO_JOB, 500)
            return
        db.finish_event(server, ctx.request, event)

    def force_complete(self, ctx: Context, server: Server, migration: MigrationRecord) -> Steps:
        """``live_migration_force_complete`` on the source; it happens when the monitor looks next."""
        yield from self._reach(migration)
        event = self._event(ctx, server, migration, "compute_live_migration_force_complete")
        work = migration.work
        if not isinstance(work, LiveWork) or work.stage not in {"starting", "copying"}:
            error: NovaException = NoActiveMigrationForInstance(server.uuid)
            self._fail(ctx, server, event, str(error), error.code)
            return
        self.cloud.db.finish_event(server, ctx.request, event)
        while work.stage == "starting":
            yield self.cloud.env.timeout(MONITOR_S)
        since = self.cloud.env.now - work.began
        yield self.cloud.env.timeout(math.ceil(since / MONITOR_S) * MONITOR_S - since)
        if work.stage == "copying":
            yield from work.force_complete()

    def _event(self, ctx: Context, server: Server, migration: MigrationRecord, name: str) -> ActionEvent:
        host = migration.source
        assert host is not None
        return self.cloud.db.start_event(server, ctx.request, name, self.cloud.hosts.names[host])

    def _reach(self, migration: MigrationRecord) -> Steps:
        """A cast waits in the queue while the source is silent."""
        host = migration.source
        assert host is not None
        while self.cloud.hosts.power[host] != UP:
            yield self.cloud.failures.when_back(host)

    def _fail(self, ctx: Context, server: Server, event: ActionEvent, message: str, code: int) -> None:
        self.cloud.db.fault(server, code, message)
        self.cloud.db.finish_event(server, ctx.request, event, message)
