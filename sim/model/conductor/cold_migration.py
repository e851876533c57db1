"""Cold migration and resize in the conductor: one question to the scheduler, then its alternates one after another."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import TYPE_CHECKING, Any

from simpy.events import Event

from sim.model.compute.resizing import Move
from sim.model.context import Context
from sim.model.exceptions import InstanceNotFound, MaxRetriesExceeded, NovaException, NoValidHost
from sim.model.flavor import Flavor
from sim.model.migration_record import MigrationRecord
from sim.model.scheduler.request import SchedulerRequest
from sim.model.server import Server
from sim.model.stages import CONDUCTOR

if TYPE_CHECKING:
    from sim.model.cloud import Cloud

Steps = Generator[Event, Any, None]
Choice = Generator[Event, Any, int]
SAME_HOST_TRAIT = "COMPUTE_SAME_HOST_COLD_MIGRATE"
"""What a host has whose hypervisor can migrate a server onto itself; libvirt has not."""
_REPORTS_TRAIT_SINCE = 48
"""Version of the compute service from which a host without the trait cannot."""


class ColdMigration:
    """``conductor.cold_migration``."""

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud
        self._max_attempts = int(cloud.options["scheduler.max_attempts"])
        self._same_host = bool(cloud.options["DEFAULT.allow_resize_to_same_host"])

    def migrate(self, ctx: Context, server: Server, flavor: Flavor | None = None, host: int | None = None) -> Steps:
        """From the door's order to a server that waits for confirm or revert.

        ``flavor`` None is a migration, else a resize to it. A named ``host`` is the only one that is tried.
        """
        move = Move(ctx, server, flavor or server.flavor, host is None and self._max_attempts > 1)
        try:
            dest = yield from self._migrate_server(move, lambda: self._schedule(move, host))
        except NovaException:
            return  # its records tell; nobody waits for the answer
        yield from self.cloud.compute.resize.move(move, dest)

    def again(self, move: Move) -> Choice:
        """A destination could not take the server: the next alternate that has room.

        Raises NovaException towards the destination that asked, after the records.
        """
        return self._migrate_server(move, lambda: self._reschedule(move))

    def _migrate_server(self, move: Move, choose: Callable[[], Choice]) -> Choice:
        """``migrate_server``, with the two events that it always has."""
        cloud, server, request = self.cloud, move.server, move.ctx.request
        db, workers = cloud.db, cloud.pools.conductor
        yield from cloud.stages.worker(workers, "conductor", cloud.timings.conductor, server, request)
        workers.release()
        events = [
            db.start_event(server, request, name, CONDUCTOR) for name in ("conductor_migrate_server", "cold_migrate")
        ]
        error = None
        try:
            return (yield from self._cold_migrate(move, choose))
        except NovaException as refused:
            error = refused.message
            raise
        finally:
            for event in reversed(events):
                db.finish_event(server, request, event, error)

    def _cold_migrate(self, move: Move, choose: Callable[[], Choice]) -> Choice:
        """Choose with the source's share in the record's name; without a choice the server stays what it was."""
        cloud, server, request = self.cloud, move.server, move.ctx.request
        if server.deleted:
            raise InstanceNotFound(server.uuid)
        migration, holds = self._preallocate(move)
        try:
            dest = yield from choose()
            server.spec_flavor = move.flavor
            return dest
        except NovaException as error:
            cloud.db.save_migration(migration, "error")
            if holds:
                cloud.compute.resize.give_back(move)
            if server.deleted:
                raise InstanceNotFound(server.uuid) from error
            no_host = isinstance(error, NoValidHost)
            vm_state = move.vm_state if no_host else server.vm_state
            cloud.db.save(server, request, vm_state=vm_state, task_state=None)
            cloud.db.fault(server, error.code, error.message)
            if no_host:
                wanted = "resize" if move.resizes else "cold migrate"
                raise NoValidHost(f"No valid host found for {wanted}") from error
            raise

    def _preallocate(self, move: Move) -> tuple[MigrationRecord, bool]:
        """The record, and whether it now holds what the server held.

        One that an earlier attempt left behind before it got anywhere is used again.
        """
        server, db = move.server, self.cloud.db
        kind = "resize" if move.resizes else "migration"
        left = (m for m in server.migrations if m.status == "pre-migrating" and m.type == kind)
        migration = next(left, None)
        if migration is None:
            migration = db.create_migration(server, kind, "pre-migrating", server.host, move.ctx.request)
            if server.move_claim is not None:
                self.cloud.compute.audit.watch(server)
            migration.new_flavor = move.flavor
        move.migration = migration
        holds = server.host in server.held and self.cloud.placement.hand_over(server, migration)
        return migration, holds

    # --- which host ---------------------------------------------------------------------------------------------------

    def _schedule(self, move: Move, host: int | None) -> Choice:
        """The scheduler's choice, and the alternates that it names with it."""
        cloud, server, workers = self.cloud, move.server, self.cloud.pools.scheduler
        yield from cloud.stages.worker(workers, "scheduler", cloud.timings.scheduler, server, move.ctx.request)
        try:
            ignore = () if server.host is None or self._may_stay(move, server.host) else (server.host,)
            wanted = SchedulerRequest.for_move(
                server, request=move.ctx.request, flavor=move.flavor, ignore=ignore, requested_host=host
            )
            selection = cloud.scheduler.select(wanted, self._max_attempts - 1)
        finally:
            workers.release()
        move.alternates = list(selection.alternates)
        return selection.chosen

    def _may_stay(self, move: Move, host: int) -> bool:
        """Whether the server's own host may be chosen."""
        if move.resizes:
            return self._same_host
        hosts = self.cloud.hosts
        if SAME_HOST_TRAIT in hosts.traits[host]:
            return True
        return hosts.service_version[host] < _REPORTS_TRAIT_SINCE and self._same_host

    def _reschedule(self, move: Move) -> Choice:
        """The best alternate that still has room. The scheduler is not asked again, so it takes no time."""
        yield from ()
        server = move.server
        wanted = SchedulerRequest.for_move(server, flavor=move.flavor)
        while move.alternates:
            host = move.alternates.pop(0)
            if self.cloud.scheduler.claim(wanted, host):
                return host
        raise MaxRetriesExceeded(
            f"Exhausted all hosts available for retrying build failures for instance {server.uuid}."
        )
