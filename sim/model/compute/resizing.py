"""One cold migration or resize under way, and its three parts on the computes: prepare, move, finish.

The destination claims (``prep_resize``), the source stops the guest and copies its disks (``resize_instance``), the
destination starts it (``finish_resize``). Each part is a cast: it waits while its host is silent, and what a host's
death cuts short writes nothing more.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from simpy.events import Event

from sim.model.compute.disks import DARK, NO_ROUTE_S, DiskCopies, disks_b
from sim.model.compute.orders import Order
from sim.model.context import Context
from sim.model.exceptions import (
    ComputeResourcesUnavailable,
    InstanceFaultRollback,
    InstanceNotFound,
    NovaException,
    ResizeError,
    UnableToMigrateToSelf,
)
from sim.model.flavor import Flavor
from sim.model.migration_record import MigrationRecord
from sim.model.numa import NO_ROOM
from sim.model.server import Server

if TYPE_CHECKING:
    from sim.model.cloud import Cloud

Steps = Generator[Event, Any, None]
Part = Generator[Event, Any, bool]
_SHRINKS = "fake"
"""The one type of hypervisor that makes disks smaller: the one that Nova is tested with, which has none."""


@dataclass(slots=True)
class Move:
    """A server on its way. ``flavor`` is what it will have, the same as now if it is only migrated."""

    ctx: Context
    server: Server
    flavor: Flavor
    reschedules: bool
    """Whether an alternate is tried when a destination cannot take the server."""
    alternates: list[int] = field(default_factory=list)
    """Hosts that may be tried next, best first."""
    next: int | None = None
    """The alternate that was claimed for another try."""
    vm_state: str = field(init=False)
    """What it was when the move was asked for."""
    source: int = field(init=False)
    resizes: bool = field(init=False)
    migration: MigrationRecord = field(init=False)

    def __post_init__(self) -> None:
        assert self.server.host is not None
        self.vm_state, self.source = self.server.vm_state, self.server.host
        self.resizes = self.flavor is not self.server.flavor

    @property
    def cause(self) -> str:
        """What its downtime is put down to."""
        return self.migration.type


class Mover:
    """Carries moves out."""

    def __init__(self, cloud: Cloud, copies: DiskCopies) -> None:
        self.cloud = cloud
        self._copies = copies

    # --- the destination claims ---------------------------------------------------------------------------------------

    def prepare(self, move: Move, dest: int) -> Part:
        """``prep_resize``. False if this destination will not have it; ``move.next`` is then the one to try next."""
        cloud, server = self.cloud, move.server
        move.next = None
        order = Order(cloud, move.ctx, server, "compute_prep_resize", dest)
        yield from order.deliver()
        order.begin()
        full = "resize_claim" in cloud.hosts.fails[dest]
        stage = "claim_failure" if full else "prep_resize"
        if not (yield from order.spend(getattr(cloud.timings, stage), stage)):
            return False
        try:
            if server.deleted:
                raise InstanceNotFound(server.uuid)
            cloud.group_check.check(server, dest)
            self._claim(move, dest)
        except NovaException as error:
            yield from self._not_here(order, move, error)
            return False
        order.done()
        return True

    def _claim(self, move: Move, dest: int) -> None:
        """The host's own claim, after placement's."""
        hosts, server = self.cloud.hosts, move.server
        if dest == move.source and not move.resizes and "COMPUTE_SAME_HOST_COLD_MIGRATE" not in hosts.traits[dest]:
            raise InstanceFaultRollback(UnableToMigrateToSelf(server.uuid, hosts.names[dest]))
        server.old_vm_state = move.vm_state
        if "resize_claim" in hosts.fails[dest]:
            raise ComputeResourcesUnavailable(f"resize claim fails on {hosts.names[dest]}")
        if not self.cloud.placement.granted(server, dest):
            raise ComputeResourcesUnavailable(NO_ROOM)
        self.cloud.db.save_migration(move.migration, "pre-migrating", dest)
        self.cloud.compute.audit.claimed(server, move.migration)

    def _not_here(self, order: Order, move: Move, error: NovaException) -> Steps:
        """Another host, if there may be one; else the move is over."""
        cloud, db, server, request = self.cloud, self.cloud.db, move.server, move.ctx.request
        self.give_back(move)
        if move.reschedules:
            try:
                if server.deleted:
                    raise InstanceNotFound(server.uuid)
                db.save(server, request, task_state="resize_prep")
                move.next = yield from cloud.conductor.cold_migration.again(move)
            except NovaException as refused:
                if not server.deleted:
                    db.fault(server, refused.code, refused.message)
            else:
                if order.well:
                    db.fault(server, error.code, error.message)
                    order.done()
                return
        if order.well:
            db.save_migration(move.migration, "error")
            order.fail(self._error_out(move, move.vm_state, error))

    # --- the source lets go -------------------------------------------------------------------------------------------

    def send(self, move: Move) -> Part:
        """``resize_instance``. False if it came to nothing."""
        cloud, server, migration = self.cloud, move.server, move.migration
        order = Order(cloud, move.ctx, server, "compute_resize_instance", move.source)
        yield from order.deliver()
        order.begin()
        was = server.vm_state
        cloud.db.save_migration(migration, "migrating")
        dirty: dict[str, Any] = {"task_state": "resize_migrating"}
        try:
            self._expect(order, "resize_prep")
            cloud.db.save(server, move.ctx.request, **dirty)
            dirty = {}
            if not (yield from self._stop_and_copy(order, move)):
                return False
            cloud.db.save_migration(migration, "post-migrating")
            server.old_flavor = server.flavor
            if migration.dest != order.host:
                server.left_on += (order.host,)
                if server.host != migration.dest:  # another move may have brought it there meanwhile
                    server.unmade_on = migration.dest
            dirty = {"host": migration.dest, "task_state": "resize_migrated"}
            self._expect(order, "resize_migrating")
        except NovaException as error:
            cloud.db.save_migration(migration, "error")
            error = self._error_out(move, was, error, **dirty)
            self.give_back(move)
            order.fail(error)
            return False
        cloud.db.save(server, move.ctx.request, **dirty)
        cloud.compute.uptime.follows(server)
        order.done()
        return True

    def _stop_and_copy(self, order: Order, move: Move) -> Part:
        """``migrate_disk_and_power_off``. False if the host died; NovaException if it cannot be done."""
        cloud, server, dest = self.cloud, move.server, move.migration.dest
        uptime, timings = cloud.compute.uptime, cloud.timings
        assert dest is not None
        if _shrinks(server, move.flavor) and cloud.hosts.hypervisor_type[order.host] != _SHRINKS:
            raise InstanceFaultRollback(ResizeError("Unable to resize disk down."))
        if dest != order.host and cloud.hosts.power[dest] in DARK:
            if not (yield from order.spend_s(NO_ROUTE_S, "resize_disk")):
                return False
            raise InstanceFaultRollback(ResizeError("not able to execute ssh command: No route to host"))
        if not order.has_guest:
            raise InstanceNotFound(server.uuid)
        off_s = uptime.shutdown_s(server, timings.shutdown, "shutdown")
        if not (yield from order.spend_s(off_s, "shutdown")):
            return False
        uptime.stops(server, move.cause)
        if not (yield from order.spend(timings.resize_disk, "resize_disk")):
            return False
        for bytes_ in disks_b(server):
            copied = yield from self._copies.copy(order, dest, bytes_)
            if not (yield from order.alive()):
                return False
            if not copied:
                raise NovaException("ProcessExecutionError")
        return True

    # --- the destination takes over -----------------------------------------------------------------------------------

    def finish(self, move: Move) -> Part:
        """``finish_resize``. False if it came to nothing."""
        cloud, db, server, migration = self.cloud, self.cloud.db, move.server, move.migration
        order = Order(cloud, move.ctx, server, "compute_finish_resize", migration.dest)
        yield from order.deliver()
        order.begin()
        dirty: dict[str, Any] = {"task_state": "resize_finish"}
        flavor: Flavor | None = move.flavor
        try:
            self._expect(order, "resize_migrated")
            self.set_flavor(server, move.flavor)
            db.save(server, move.ctx.request, **dirty)
            flavor, dirty = None, {"task_state": None}
            if not (yield from order.spend(cloud.timings.finish_resize, "finish_resize")):
                return False
            server.unmade_on = None
            if server.old_vm_state != "stopped":
                cloud.compute.uptime.boots(server, move.ctx.request)
            db.save_migration(migration, "finished")
            self._expect(order, "resize_finish")
        except NovaException as error:
            if flavor is not None:
                self.set_flavor(server, flavor)
            error = self._error_out(move, "error", error, **dirty)
            cloud.placement.release_all(migration)
            order.fail(error, migration)
            return False
        server.launched = cloud.env.now
        db.save(server, move.ctx.request, vm_state="resized", task_state=None)
        order.done()
        return True

    # --- what the parts share -----------------------------------------------------------------------------------------

    def give_back(self, move: Move) -> None:
        """The server holds what it held before the move, and nothing else; a deleted one nothing at all."""
        placement, server, migration = self.cloud.placement, move.server, move.migration
        if server.deleted:
            placement.release_all(migration)
            placement.release_all(server)
        else:
            placement.hand_over(migration, server)

    def set_flavor(self, server: Server, flavor: Flavor) -> None:
        """The server gets a flavor, and its guest memory of that size; its next save records it."""
        if flavor is not server.flavor:
            server.flavor = flavor
            server.guest = self.cloud.guests.resized(server.guest, flavor)

    def _expect(self, order: Order, task_state: str) -> None:
        """NovaException if somebody else has changed or deleted the server meanwhile."""
        error = order.conflict((task_state,))
        if error is not None:
            raise error

    def _error_out(self, move: Move, was: str, error: NovaException, **dirty: Any) -> NovaException:
        """The server is in error, or what it ``was`` where nothing was touched yet. Returns what to blame.

        As in Nova, what could not be saved with the task expected (``dirty``) is saved now.
        """
        db, server, request = self.cloud.db, move.server, move.ctx.request
        if isinstance(error, InstanceFaultRollback):
            if not server.deleted:
                db.save(server, request, vm_state=was, task_state=None)
            return error.inner
        if not server.deleted:
            db.save(server, request, vm_state="error", **dirty)
            self.cloud.compute.uptime.follows(server)
        return error


def _shrinks(server: Server, flavor: Flavor) -> bool:
    """Whether a disk would have to become smaller."""
    root = flavor.root_gb < server.flavor.root_gb and not server.boot_from_volume
    return root or flavor.ephemeral_gb < server.flavor.ephemeral_gb
