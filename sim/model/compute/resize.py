"""Cold migrations and resizes on the computes: the move, what ends it, and what a host finds when it is back."""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING, Any

from simpy.events import Event

from sim.model import states
from sim.model.compute.confirm_window import ConfirmWindow
from sim.model.compute.disks import DiskCopies
from sim.model.compute.orders import DELETING, Order, Tasks, periodic_context
from sim.model.compute.resizing import Move, Mover, Steps
from sim.model.context import Context
from sim.model.exceptions import NovaException
from sim.model.migration_record import MigrationRecord
from sim.model.server import Server

if TYPE_CHECKING:
    from sim.model.cloud import Cloud

_CONFIRMABLE: Tasks = (None, *sorted(DELETING))
_REVERTING: Tasks = ("resize_reverting",)


class Resize:
    """``compute.resize``."""

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud
        self._copies = DiskCopies(cloud)
        self._mover = Mover(cloud, self._copies)
        self._window = ConfirmWindow(cloud)

    # --- the move -----------------------------------------------------------------------------------------------------

    def move(self, move: Move, dest: int) -> Steps:
        """From the conductor's choice to a server that waits for confirm or revert; never raises Nova's errors."""
        tried: int | None = dest
        while tried is not None:
            if (yield from self._mover.prepare(move, tried)):
                if (yield from self._mover.send(move)) and (yield from self._mover.finish(move)):
                    self.finished(move.migration)
                return
            tried = move.next

    def give_back(self, move: Move) -> None:
        """The move came to nothing before it began: the server holds what it held before."""
        self._mover.give_back(move)

    def finished(self, migration: MigrationRecord) -> None:
        """The server waits for confirm or revert; ``resize_confirm_window`` may confirm it."""
        self._window.waits(migration)

    # --- confirm ------------------------------------------------------------------------------------------------------

    def confirm(self, ctx: Context, server: Server, migration: MigrationRecord) -> Steps:
        """``confirm_resize``: the source cleans up and gives its share back."""
        order, asked = Order(self.cloud, ctx, server, "compute_confirm_resize", migration.source), migration.status
        yield from order.deliver()
        order.begin()
        try:
            if (yield from order.lock()):
                yield from self._confirm(order, migration, asked)
        finally:
            order.unlock()

    def _confirm(self, order: Order, migration: MigrationRecord, asked: str) -> Steps:
        """``asked``: the record's status when the order was given, which is all that nova-compute looks at."""
        cloud, server = self.cloud, order.server
        if server.deleted or asked not in {"finished", "confirming"}:
            order.done()
            return
        if migration.status != asked:
            # Another order has confirmed it meanwhile, and Nova stumbles over what that one took away.
            cloud.placement.release_all(migration)
            self._error_out(order, migration, NovaException("AttributeError"))
            return
        vm_state = "stopped" if server.power_state == states.SHUTDOWN else "active"
        if not (yield from order.spend(cloud.timings.confirm, "confirm")):
            return
        cloud.db.save_migration(migration, "confirmed")
        server.move_claim = None
        error = order.conflict(_CONFIRMABLE)
        cloud.placement.release_all(migration)
        if not server.deleted:
            cloud.db.save(server, order.ctx.request, vm_state=vm_state, task_state=None)
        self._forget(server, migration)
        if error is None:
            order.done()
        else:
            self._error_out(order, migration, error, clears_task=False)

    # --- revert -------------------------------------------------------------------------------------------------------

    def revert(self, ctx: Context, server: Server, migration: MigrationRecord) -> Steps:
        """``revert_resize`` on the destination, then ``finish_revert_resize`` on the source."""
        if (yield from self._leave(ctx, server, migration)):
            yield from self._return(ctx, server, migration)

    def _leave(self, ctx: Context, server: Server, migration: MigrationRecord) -> Generator[Event, Any, bool]:
        """The destination destroys its guest, whatever has become of the server's row meanwhile."""
        cloud = self.cloud
        order = Order(cloud, ctx, server, "compute_revert_resize", migration.dest)
        yield from order.deliver()
        order.begin()
        cloud.compute.uptime.stops(server, migration.type)
        if not (yield from order.spend(cloud.timings.revert_dest, "revert_dest")):
            return False
        cloud.db.save_migration(migration, "reverted")
        order.done()
        return True

    def _return(self, ctx: Context, server: Server, migration: MigrationRecord) -> Steps:
        """The source has the server back, as it was."""
        cloud, db = self.cloud, self.cloud.db
        order = Order(cloud, ctx, server, "compute_finish_revert_resize", migration.source)
        yield from order.deliver()
        order.begin()
        stopped = server.old_vm_state == "stopped"
        error = order.conflict(_REVERTING)
        if not server.deleted:
            self._mover.set_flavor(server, server.old_flavor or server.flavor)
            changes: dict[str, Any] = {"host": migration.source} | ({} if error is None else {"vm_state": "error"})
            db.save(server, ctx.request, **changes)
            cloud.compute.uptime.follows(server)
        if error is None:
            cloud.placement.hand_over(migration, server)
            if not (yield from order.spend(cloud.timings.revert_source, "revert_source")):
                return
            server.move_claim = server.unmade_on = None
            if not stopped:
                cloud.compute.uptime.boots(server, ctx.request)
            error = order.conflict(_REVERTING)
        self._forget(server, migration)
        if error is not None:
            self._error_out(order, migration, error)
        elif stopped:
            db.save(server, ctx.request, task_state="powering-off")
            yield from cloud.compute.power.stop(ctx, server)
            if order.well:
                order.done()
        else:
            server.launched = cloud.env.now
            db.save(server, ctx.request, vm_state="active", task_state=None)
            order.done()

    # --- what both share ----------------------------------------------------------------------------------------------

    def _error_out(
        self, order: Order, migration: MigrationRecord, error: NovaException, clears_task: bool = True
    ) -> None:
        """The server is in error, and so is the migration."""
        if not order.server.deleted:
            self.cloud.db.save(order.server, order.ctx.request, vm_state="error")
        order.fail(error, migration, clears_task=clears_task)

    @staticmethod
    def _forget(server: Server, migration: MigrationRecord) -> None:
        """Nothing is left to go back to."""
        server.left_on = tuple(host for host in server.left_on if host != migration.source)
        server.old_flavor = server.old_vm_state = None

    # --- hosts --------------------------------------------------------------------------------------------------------

    def host_died(self, host: int) -> None:
        """All that ran on the host is gone."""
        self._copies.host_died(host)

    def host_returned(self, host: int) -> None:
        """The host is up again: what it was the destination of has broken off, if it was started anew."""
        self._copies.host_returned(host)

    def roll_back(self, server: Server) -> Steps:
        """nova-compute starts again and finds a server that was leaving: it starts the guest, and leaves its migration
        and what that holds as they are.
        """
        order = Order(self.cloud, periodic_context(server), server, None)
        yield from order.deliver()
        if not (yield from order.spend(self.cloud.timings.revert_source, "revert_source")) or server.deleted:
            return
        if server.old_vm_state != "stopped":
            self.cloud.compute.uptime.boots(server, order.ctx.request)
        self.cloud.db.save(server, None, task_state=None)
