"""Evacuated servers on their new hosts, and what the old host does with its leftovers when it is back."""

from __future__ import annotations

from collections.abc import Collection, Generator
from typing import TYPE_CHECKING, Any

from simpy.events import Event

from sim.eventlog import records
from sim.model import states
from sim.model.compute.orders import DELETING
from sim.model.context import Context
from sim.model.exceptions import (
    BuildAbortException,
    ComputeResourcesUnavailable,
    InstanceFaultRollback,
    InstanceNotFound,
    InvalidSharedStorage,
    MigrationError,
    NovaException,
    UnexpectedTaskState,
)
from sim.model.host import UP
from sim.model.migration_record import MigrationRecord
from sim.model.numa import NO_ROOM
from sim.model.server import Server

if TYPE_CHECKING:
    from sim.model.action import ActionEvent
    from sim.model.cloud import Cloud

Steps = Generator[Event, Any, None]
_UNDER_WAY = ("accepted", "pre-migrating", "done")
_MAPPING = 0.2
"""Part of the rebuild before the guest is made: claim, networks, volumes (assumed; the sum is what was measured)."""


class Rebuilding:
    """``compute.rebuilding``."""

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud
        self._from: dict[int, list[MigrationRecord]] = {}
        """Host → evacuations away from it that it does not know of yet."""

    def expect(self, migration: MigrationRecord) -> None:
        """An evacuation begins: its source will have to clean up after it."""
        assert migration.source is not None
        self._from.setdefault(migration.source, []).append(migration)

    def is_awaited(self, host: int) -> bool:
        """Whether servers were evacuated from the host that its nova-compute has not started anew since."""
        return any(one.status == "done" and not one.server.deleted for one in self._from.get(host, ()))

    def rebuild(
        self, ctx: Context, server: Server, migration: MigrationRecord, dest: int, target_stopped: bool,
        on_shared: bool | None = None,
    ) -> Steps:  # fmt: skip
        """The destination's part; never raises Nova's errors. ``on_shared``: what the request says of the disks."""
        hosts = self.cloud.hosts
        while hosts.power[dest] != UP:
            yield self.cloud.failures.when_back(dest)
        target = "stopped" if target_stopped and server.vm_state != "error" else server.vm_state
        yield from _Rebuild(self.cloud, ctx, migration, dest, target, on_shared).run()

    def host_returned(self, host: int) -> Collection[Server]:
        """nova-compute starts again: it destroys what was evacuated, and gives back what those servers held here.

        Returns those servers.
        """
        cloud = self.cloud
        last = {migration.server: migration for migration in self._from.pop(host, ())
                if migration.status in _UNDER_WAY}  # fmt: skip
        for server, migration in last.items():
            if not server.deleted and host in server.held:
                cloud.placement.release(server, host)
            server.left_on = tuple(other for other in server.left_on if other != host)
            cloud.db.save_migration(migration, "completed")
        return last


class _OverError(Exception):
    """There is nobody to go on: the host has died, or the server was deleted."""


class _Rebuild:
    """One evacuated server on its way to ``dest``; what it is to be in the end is ``target``, a vm_state."""

    __slots__ = ("boot", "cloud", "ctx", "dest", "event", "has_image", "migration", "on_shared", "ran", "server",
                 "target", "unsaved")  # fmt: skip

    def __init__(
        self, cloud: Cloud, ctx: Context, migration: MigrationRecord, dest: int, target: str, on_shared: bool | None
    ) -> None:  # fmt: skip
        self.cloud, self.ctx, self.migration, self.dest, self.target = cloud, ctx, migration, dest, target
        self.on_shared = on_shared
        self.server = migration.server
        self.ran = self.server.power_state == states.RUNNING
        self.has_image = True
        self.boot = cloud.hosts.crashes[dest]
        self.unsaved: dict[str, Any] = {}
        """What could not be saved; as in Nova, it is saved with the error."""
        self.event = cloud.db.start_event(self.server, ctx.request, "compute_rebuild_instance", cloud.hosts.names[dest])

    def run(self) -> Steps:
        """Every stage; ends early, without a word, when the destination dies."""
        try:
            yield from self._rebuild()
            if self.target == "stopped":
                yield from self._stop()
        except _OverError:
            return
        except InstanceFaultRollback as error:
            self._fail(error.inner)
        except NovaException as error:
            self._fail(error, **self.unsaved | {"vm_state": "error"})
        else:
            self._moved()

    def _rebuild(self) -> Steps:
        cloud, server, dest = self.cloud, self.server, self.dest
        self._claim()
        cloud.db.save_migration(self.migration, "pre-migrating", dest)
        yield from self._alive()
        cloud.group_check.check(server, dest)
        self._check_absent()
        self._check_storage()
        power = cloud.compute.uptime.power(server)
        self._save("rebuilding", power_state=states.NOSTATE, task_state="rebuilding")
        cloud.compute.uptime.is_now(server, power)
        began = cloud.env.now
        duration = cloud.streams.draw(cloud.timings.rebuild, "rebuild", server.name) * cloud.hosts.slow[dest]
        self._save("rebuilding", task_state="rebuild_block_device_mapping")
        yield cloud.env.timeout(_MAPPING * duration)
        yield from self._alive()
        self._save("rebuild_block_device_mapping", task_state="rebuild_spawning")
        if not (cloud.shared_storage or server.boot_from_volume):
            self.has_image = yield from cloud.images.fetch(dest, server.image, server, self.ctx.request)
        yield cloud.env.timeout((1 - _MAPPING) * duration)
        name = cloud.hosts.names[dest]
        cloud.log.append(records.Step(cloud.env.now, server.name, self.ctx.request, "rebuild", name, began, "done"))
        yield from self._well()
        self._spawn()
        self._check_wanted()
        self._save("rebuild_spawning", vm_state="active", task_state=None, power_state=states.RUNNING)

    def _claim(self) -> None:
        """The host's own claim, after placement's."""
        if not self.cloud.placement.granted(self.server, self.dest):
            aborted = BuildAbortException(self.server.uuid, ComputeResourcesUnavailable(NO_ROOM).message)
            raise InstanceFaultRollback(aborted)
        self.cloud.compute.audit.claimed(self.server, self.migration)

    def _spawn(self) -> None:
        if not self.has_image:
            raise NovaException("GlanceConnectionFailed")
        if "rebuild" in self.cloud.hosts.fails[self.dest]:
            raise MigrationError(f"rebuild fails on {self.cloud.hosts.names[self.dest]}")
        self.server.left_on += (self.dest,)  # for good, if the rebuild goes wrong after this

    def _stop(self) -> Steps:
        """Started, then stopped again: as Nova does it."""
        cloud, db, server, request = self.cloud, self.cloud.db, self.server, self.ctx.request
        db.save(server, request, task_state="powering-off")
        event = db.start_event(server, request, "compute_stop_instance", cloud.hosts.names[self.dest])
        yield from cloud.stages.host(cloud.timings.stop, "stop", self.dest, server, request)
        yield from self._alive(event)
        try:
            self._save("powering-off", vm_state="stopped", task_state=None, power_state=states.SHUTDOWN)
        except NovaException as error:
            db.fault(server, error.code, error.message)
            db.finish_event(server, request, event, error.message)
            raise
        db.finish_event(server, request, event)

    def _check_absent(self) -> None:
        """The host must not know a guest of that name, as one does that the server has left but not for good."""
        if self.dest in self.server.left_on:
            number = 1 + list(self.cloud.db.servers).index(self.server.name)
            raise NovaException(f"Instance instance-{number:08x} already exists.")

    def _check_storage(self) -> None:
        """Where the disks are must be where the request says that they are, if it says so (before 2.14)."""
        if self.on_shared is not None and self.on_shared != self.cloud.shared_storage:
            raise InvalidSharedStorage()

    def _moved(self) -> None:
        cloud, server, request = self.cloud, self.server, self.ctx.request
        source, uptime = self.migration.source, self.cloud.compute.uptime
        assert source is not None
        since = uptime.missed_since(server)
        if since is None and self.ran:
            since = cloud.failures.dark_since(source)
        left = [host for host in server.left_on if host != self.dest]
        server.left_on = (*left, *(() if server.unmade else (source,)))
        server.unmade_on = server.move_claim = None
        cloud.db.save(server, request, host=self.dest)
        cloud.db.save_migration(self.migration, "done")
        cloud.db.finish_event(server, request, self.event)
        if server.vm_state == "active":
            uptime.boots(server, request, since, "evacuation")
        elif since is not None:
            uptime.stays_off(server, since)
        else:
            uptime.gone(server)

    # --- what goes wrong ----------------------------------------------------------------------------------------------

    def _alive(self, event: ActionEvent | None = None) -> Steps:
        """Wait while the host only hangs. Raises _OverError where there is nobody or nothing to go on with.

        ``event``: of the part that fails when the server was deleted.
        """
        yield from self._well()
        self._check_wanted(event)

    def _well(self) -> Steps:
        """Wait while the host only hangs. Raises _OverError if it has died."""
        hosts, dest = self.cloud.hosts, self.dest
        while hosts.crashes[dest] == self.boot and hosts.power[dest] != UP:
            yield self.cloud.failures.when_back(dest)
        if hosts.crashes[dest] != self.boot:
            raise _OverError

    def _check_wanted(self, event: ActionEvent | None = None) -> None:
        """Raises _OverError if the server was deleted meanwhile."""
        if self.server.deleted or self.server.task_state in DELETING:
            if event is not None:
                self.cloud.db.finish_event(
                    self.server, self.ctx.request, event, InstanceNotFound(self.server.uuid).message
                )
            self.cloud.db.save_migration(self.migration, "failed")
            self.cloud.db.finish_event(self.server, self.ctx.request, self.event)
            raise _OverError

    def _save(self, expected: str, **changes: Any) -> None:
        """Change the row. Raises UnexpectedTaskState if somebody else has given it another task."""
        server = self.server
        if server.task_state != expected:
            self.unsaved = changes
            raise UnexpectedTaskState(server.uuid, {"task_state": [expected]}, {"task_state": server.task_state})
        self.cloud.db.save(server, self.ctx.request, **changes)

    def _fail(self, error: NovaException, **changes: Any) -> None:
        """The server is still on its old host, and holds nothing here."""
        cloud, db, server, request = self.cloud, self.cloud.db, self.server, self.ctx.request
        if server.move_claim is self.migration:
            server.move_claim = None
        db.save_migration(self.migration, "failed")
        if self.dest in server.held:  # even if another rebuild has brought the server here meanwhile
            cloud.placement.release(server, self.dest)
        if not server.deleted:
            db.save(server, request, **changes)
        db.fault(server, error.code, error.message)
        db.finish_event(server, request, self.event, error.message)
        if not server.deleted and not isinstance(error, UnexpectedTaskState):
            db.save(server, request, task_state=None)
