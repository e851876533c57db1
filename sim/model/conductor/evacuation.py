"""Evacuation in the conductor: a destination for a server whose host is down."""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING, Any

from simpy.events import Event

from sim.model.conductor.forced import claim_forced
from sim.model.context import Context
from sim.model.exceptions import InstanceNotFound, NovaException
from sim.model.identity import named_uuid
from sim.model.migration_record import MigrationRecord
from sim.model.scheduler.request import SchedulerRequest
from sim.model.server import Server
from sim.model.stages import CONDUCTOR

if TYPE_CHECKING:
    from sim.model.cloud import Cloud

Steps = Generator[Event, Any, None]


class _UnhandledError(Exception):
    """What Nova's conductor has not foreseen: the event tells of it, and everything else stays as it is."""


class Evacuation:
    """``conductor.evacuation``."""

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud

    def rebuild(
        self, ctx: Context, server: Server, migration: MigrationRecord, host: int | None, force: bool,
        target_stopped: bool, on_shared: bool | None = None,
    ) -> Steps:  # fmt: skip
        """From the door's order to the rebuilt server.

        ``host`` with ``force`` bypasses the scheduler; without it is the only one the scheduler may choose.
        ``on_shared`` is what the request says of the disks (before 2.14).
        """
        cloud = self.cloud
        db, request, workers = cloud.db, ctx.request, cloud.pools.conductor
        cloud.compute.rebuilding.expect(migration)
        yield from cloud.stages.worker(workers, "conductor", cloud.timings.conductor, server, request)
        workers.release()
        event = db.start_event(server, request, "rebuild_server", CONDUCTOR)
        try:
            if force and host is not None:
                dest = self._take(server, host)
            else:
                dest = yield from self._schedule(ctx, server, host)
        except _UnhandledError as error:
            db.finish_event(server, request, event, str(error))
            return
        except NovaException as error:
            message = str(error)
            if force:
                db.save(server, request, task_state=None)
                db.fault(server, error.code, message)
                db.save_migration(migration, "error")
            else:
                db.save_migration(migration, "error")
                if server.deleted:
                    message = InstanceNotFound(server.uuid).message
                else:
                    db.save(server, request, vm_state="error", task_state=None)
                    db.fault(server, error.code, message)
            db.finish_event(server, request, event, message)
            return
        db.finish_event(server, request, event)
        yield from cloud.compute.rebuilding.rebuild(ctx, server, migration, dest, target_stopped, on_shared)

    def _take(self, server: Server, host: int) -> int:
        """The same is claimed on the named host as is held on the server's own."""
        held, source = server.held, server.host
        assert source is not None
        if not held:
            provider = named_uuid("host", self.cloud.hosts.names[source])
            raise _UnhandledError(
                f"Failed to retrieve allocations for consumer {server.uuid}: Expected to find allocations for source "
                f"node resource provider {provider}. Retry the operation without forcing a destination host."
            )
        if len(held) == 1 and source not in held:
            raise _UnhandledError("KeyError")
        claim_forced(self.cloud, server, host, held, held.get(source, server.resources))
        return host

    def _schedule(self, ctx: Context, server: Server, host: int | None) -> Generator[Event, Any, int]:
        cloud, workers = self.cloud, self.cloud.pools.scheduler
        yield from cloud.stages.worker(workers, "scheduler", cloud.timings.scheduler, server, ctx.request)
        try:
            ignore = () if server.host is None else (server.host,)
            wanted = SchedulerRequest.for_move(server, request=ctx.request, ignore=ignore, requested_host=host)
            return int(cloud.scheduler.select(wanted, 0).chosen)
        finally:
            workers.release()
