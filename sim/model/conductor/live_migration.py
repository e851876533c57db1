"""Live migration in the conductor: checks in Nova's order, then destination after destination until one is fit."""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING, Any

from simpy.events import Event

from sim.model import states
from sim.model.conductor.forced import claim_forced
from sim.model.context import Context
from sim.model.database import KEEP
from sim.model.exceptions import (
    ComputeResourcesUnavailable,
    ComputeServiceUnavailable,
    DestinationHypervisorTooOld,
    GroupAffinityViolation,
    InstanceInvalidState,
    InvalidHypervisorType,
    MaxRetriesExceeded,
    MigrationError,
    MigrationPreCheckError,
    NovaException,
    SourceDoesNotAnswer,
    UnableToMigrateToSelf,
)
from sim.model.host import UP
from sim.model.migration_record import MigrationRecord
from sim.model.numa import NO_ROOM
from sim.model.scheduler.request import SchedulerRequest
from sim.model.server import Server
from sim.model.stages import CONDUCTOR

if TYPE_CHECKING:
    from sim.model.cloud import Cloud

Steps = Generator[Event, Any, None]
_POWER_NAMES = {number: name for name, number in states.POWER_STATES.items()} | {states.NOSTATE: "pending"}
_RETRIED = (MigrationPreCheckError, InvalidHypervisorType, DestinationHypervisorTooOld)
"""What makes the conductor try the next destination."""


_UNFORESEEN = (GroupAffinityViolation,)
"""What Nova's conductor does not expect: the server goes into error, and the error is told as another one."""


def _told(error: NovaException) -> NovaException:
    """What is told of an error."""
    return MigrationError(str(error)) if isinstance(error, _UNFORESEEN) else error


class LiveMigrationConductor:
    """``conductor.live_migration``."""

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud
        self._max_retries = int(cloud.options["DEFAULT.migrate_max_retries"])
        self._any_version = bool(cloud.options["workarounds.skip_hypervisor_version_check_on_lm"])

    def live_migrate(
        self, ctx: Context, server: Server, host: int | None, block_migration: object, force: bool, asynchronous: bool
    ) -> Steps:  # fmt: skip
        """From the door's order to the source's work.

        ``host`` with ``force`` bypasses the scheduler, without it is the only one the scheduler may choose.
        Asynchronous: this process carries on with the source's part, and errors end in records. Otherwise raises
        NovaException towards the door after the records, and the source's part is cast.
        """
        cloud = self.cloud
        db, request, workers = cloud.db, ctx.request, cloud.pools.conductor
        yield from cloud.stages.worker(workers, "conductor", cloud.timings.conductor, server, request)
        workers.release()
        name = "conductor_live_migrate_instance" if asynchronous else "conductor_migrate_server"
        event = db.start_event(server, request, name, CONDUCTOR)
        forced = host if force else None
        migration = db.create_migration(server, "live-migration", "accepted", server.host, request, forced)
        if server.move_claim is not None:
            cloud.compute.audit.watch(server)
        try:
            if forced is None:
                dest = yield from self._find(ctx, server, migration, host)
            else:
                yield from self._take(ctx, server, migration, forced)
                dest = forced
        except NovaException as error:
            self._give_back(server, migration)
            if not server.deleted:
                unforeseen = isinstance(error, _UNFORESEEN)
                db.save(server, request, vm_state="error" if unforeseen else KEEP, task_state=None)
            db.fault(server, error.code, str(error))
            db.save_migration(migration, "error")
            db.finish_event(server, request, event, str(_told(error)))
            if asynchronous:
                return
            raise _told(error) from None
        db.save_migration(migration, "accepted", dest)
        db.finish_event(server, request, event)
        if not asynchronous:
            cloud.cast(cloud.compute.live_migration.migrate(ctx, server, migration, block_migration), server)
            return
        # as migrate() does: what goes through fewer generators goes on sooner
        work = yield from cloud.compute.live_migration.accept(ctx, server, migration, block_migration)
        if work is not None:
            yield from work.run()

    # --- checks -------------------------------------------------------------------------------------------------------

    def _begin(self, server: Server, migration: MigrationRecord) -> int:
        """What must be so before any destination is looked at; then the record holds the source's share."""
        if server.power_state not in (states.RUNNING, states.PAUSED):
            raise InstanceInvalidState(server.uuid, "power_state", _POWER_NAMES[server.power_state], "live migrate")
        source = migration.source
        assert source is not None
        self._check_up(source)
        if source in server.held:
            self.cloud.placement.hand_over(server, migration)
        return source

    def _check_up(self, host: int) -> None:
        if not self.cloud.service_group.is_up(host):
            raise ComputeServiceUnavailable(self.cloud.hosts.names[host])

    def _check_compatible(self, source: int, dest: int) -> None:
        hosts = self.cloud.hosts
        if hosts.hypervisor_type[source] != hosts.hypervisor_type[dest]:
            raise InvalidHypervisorType()
        if not self._any_version and hosts.hypervisor_version[source] > hosts.hypervisor_version[dest]:
            raise DestinationHypervisorTooOld()

    def _give_back(self, server: Server, migration: MigrationRecord) -> None:
        placement = self.cloud.placement
        if server.deleted:
            placement.release_all(migration)
            placement.release_all(server)
        else:
            placement.hand_over(migration, server)

    # --- the scheduler's choice ---------------------------------------------------------------------------------------

    def _find(
        self, ctx: Context, server: Server, migration: MigrationRecord, host: int | None
    ) -> Generator[Event, Any, int]:
        """A destination that the scheduler chose and that passed its pre-check; its share is claimed."""
        cloud, timings, workers = self.cloud, self.cloud.timings, self.cloud.pools.scheduler
        source = self._begin(server, migration)
        attempted = [source]
        while True:
            self._check_retries(server, migration, len(attempted) - 1)
            yield from cloud.stages.worker(workers, "scheduler", timings.scheduler, server, ctx.request)
            try:
                wanted = SchedulerRequest.for_move(
                    server, request=ctx.request, ignore=tuple(attempted), requested_host=host, attempt=len(attempted)
                )
                dest = cloud.scheduler.select(wanted, 0).chosen
            finally:
                workers.release()
            try:
                self._check_compatible(source, dest)
                yield from self._check_on_host(ctx, server, dest, source)
            except _RETRIED:
                attempted.append(dest)
                cloud.placement.release(server, dest)
            else:
                return dest

    def _check_retries(self, server: Server, migration: MigrationRecord, retries: int) -> None:
        if self._max_retries not in {-1} and retries > self._max_retries:
            self.cloud.db.save_migration(migration, "failed")
            raise MaxRetriesExceeded(
                f"Exceeded max scheduling retries {retries} for instance {server.uuid} during live migration"
            )

    # --- the named host -----------------------------------------------------------------------------------------------

    def _take(self, ctx: Context, server: Server, migration: MigrationRecord, dest: int) -> Steps:
        """The destination was forced: few checks, no second try."""
        cloud = self.cloud
        source = self._begin(server, migration)
        name = cloud.hosts.names[dest]
        if dest == source:
            raise UnableToMigrateToSelf(server.uuid, name)
        self._check_up(dest)
        total, ratio, used = cloud.placement.memory(dest)
        free = total * ratio - used
        needed = server.flavor.memory_mb
        if free <= needed:
            raise MigrationPreCheckError(
                f"Unable to migrate {server.uuid} to {name}: Lack of memory(host:{free} <= instance:{needed})"
            )
        self._check_compatible(source, dest)
        held = migration.held or server.held
        claim_forced(cloud, server, dest, held, migration.held.get(source, server.resources))
        try:
            yield from self._check_on_host(ctx, server, dest, source)
        except NovaException:
            cloud.placement.release(server, dest)
            raise

    # --- on the destination -------------------------------------------------------------------------------------------

    def _check_on_host(self, ctx: Context, server: Server, dest: int, source: int) -> Steps:
        """check_can_live_migrate_destination, which asks the source in its turn. Raises MigrationPreCheckError."""
        cloud, request = self.cloud, ctx.request
        db, hosts, began = cloud.db, cloud.hosts, cloud.env.now
        name = hosts.names[dest]
        if "live_migration_check" in hosts.fails[dest]:
            yield from cloud.stages.host(cloud.timings.pre_check, "pre_check", dest, server, request)
            raise MigrationPreCheckError(f"live migration check fails on {name}")
        if hosts.power[dest] != UP:
            yield from cloud.stages.no_answer(began)
            raise MigrationPreCheckError(f"Timeout while checking if we can live migrate to host: {name}")
        there = db.start_event(server, request, "compute_check_can_live_migrate_destination", name)
        try:
            cloud.group_check.check(server, dest)
        except GroupAffinityViolation as error:
            db.fault(server, error.code, error.message)
            db.finish_event(server, request, there, error.message)
            raise
        here = None
        if hosts.power[source] == UP:
            here = db.start_event(server, request, "compute_check_can_live_migrate_source", hosts.names[source])
        yield cloud.stages.takes(cloud.timings.pre_check, "pre_check", dest, server)
        answered = cloud.stages.over("pre_check", dest, server, request, began)
        if not answered or here is None or hosts.power[source] != UP:
            yield from cloud.stages.no_answer(began)
            if not answered:
                raise MigrationPreCheckError(f"Timeout while checking if we can live migrate to host: {name}")
            silent = SourceDoesNotAnswer(hosts.names[source], name)
            db.fault(server, silent.code, silent.message)
            db.finish_event(server, request, there, silent.message)
            raise silent
        db.finish_event(server, request, here)
        if not cloud.placement.granted(server, dest):
            db.finish_event(server, request, there, "MigrationPreCheckError")
            raise MigrationPreCheckError(ComputeResourcesUnavailable(NO_ROOM).message)
        if server.resources.nodes:
            cloud.compute.audit.claimed(server, server.migrations[-1])
        db.finish_event(server, request, there)
