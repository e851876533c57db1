"""Deleting servers: on their host, or by the API alone if that is down; soft delete, restore, reclaim."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sim.model import states
from sim.model.compute.orders import Order, Steps, periodic_context
from sim.model.compute.periodic import Limit, Periodic
from sim.model.context import Context
from sim.model.exceptions import InstanceNotFound
from sim.model.server import Server

if TYPE_CHECKING:
    from sim.model.cloud import Cloud


class Deleting:
    """``compute.deleting``."""

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud
        limit_s = float(cloud.options["DEFAULT.reclaim_instance_interval"])
        self.limit = Limit(cloud, Periodic(cloud, "reclaim"), "soft-delete", limit_s, self._reclaim_queued)

    # --- for good -----------------------------------------------------------------------------------------------------

    def delete(self, ctx: Context, server: Server) -> Steps:
        """``terminate_instance``, after a delete or forceDelete.

        A server without a host, or whose host is down, is deleted at once by the API alone.
        """
        if self._local(server):
            self._destroy(server, ctx.request)
            return
        order = Order(self.cloud, ctx, server, "compute_terminate_instance")
        yield from order.deliver()
        order.begin()
        try:
            if (yield from order.lock()):
                yield from self._terminate(order)
        finally:
            order.unlock()

    def _local(self, server: Server) -> bool:
        return server.host is None or not self.cloud.service_group.is_up(server.host)

    def _terminate(self, order: Order) -> Steps:
        server = order.server
        if not server.deleted and not (yield from order.spend(self.cloud.timings.delete, "delete")):
            return
        if not server.deleted:
            self._destroy(server, order.ctx.request)
            self.cloud.compute.live_migration.guest_gone(server)
        order.done()  # even if somebody else has deleted the server meanwhile: Nova is content that it has disappeared

    def _destroy(self, server: Server, request: str) -> None:
        """The row is gone, and with it what the server held and its place in its group."""
        cloud = self.cloud
        if server.deleted:
            return
        cloud.placement.release_all(server)
        cloud.compute.uptime.gone(server)
        if server.group is not None and server.name in cloud.groups[server.group].members:
            cloud.groups[server.group].members.remove(server.name)
        cloud.db.delete_server(server, request)

    # --- for now ------------------------------------------------------------------------------------------------------

    def soft_delete(self, ctx: Context, server: Server) -> Steps:
        """``soft_delete_instance``: powered off, and reclaimed after ``reclaim_instance_interval``."""
        if self._local(server):
            self._destroy(server, ctx.request)
            return
        asked = self.cloud.env.now
        order = Order(self.cloud, ctx, server, "compute_soft_delete_instance")
        if not (yield from order.arrive()):
            return
        if not order.has_guest:
            order.fail(InstanceNotFound(server.uuid))
            return
        if not (yield from order.spend(self.cloud.timings.delete, "soft_delete")):
            return
        self.cloud.compute.uptime.gone(server)
        self.cloud.compute.live_migration.guest_gone(server)
        if order.finish(("soft-deleting",), vm_state="soft-delete", task_state=None, power_state=states.SHUTDOWN):
            self.limit.begins(server, asked)

    def restore(self, ctx: Context, server: Server) -> Steps:
        """``restore_instance``: powered on again."""
        order = Order(self.cloud, ctx, server, "compute_restore_instance")
        if not (yield from order.arrive()):
            return
        if not (yield from order.spend(self.cloud.timings.restore, "restore")):
            return
        order.boots()
        order.finish(("restoring",), vm_state="active", task_state=None, power_state=states.RUNNING)

    # --- the periodic task --------------------------------------------------------------------------------------------

    def _reclaim_queued(self, server: Server) -> None:
        """``_reclaim_queued_deletes`` finds a server that was deleted ``reclaim_instance_interval`` ago."""
        self.cloud.cast(self.again(server), server)

    def again(self, server: Server) -> Steps:
        """``_delete_instance`` by itself, for the periodic task and a restarted service: no event tells of it."""
        order = Order(self.cloud, periodic_context(server), server, None)
        if (yield from order.arrive()):
            yield from self._terminate(order)
