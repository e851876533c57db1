"""Rescue on compute hosts: the guest is shut down, and another system boots with its disk."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sim.model import states
from sim.model.compute.orders import Order, Steps
from sim.model.compute.periodic import Limit, Periodic
from sim.model.context import Context
from sim.model.exceptions import InstanceNotFound, InstanceNotRescuable
from sim.model.server import Server

if TYPE_CHECKING:
    from sim.model.cloud import Cloud


class Rescue:
    """``compute.rescue``."""

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud
        limit_s = float(cloud.options["DEFAULT.rescue_timeout"])
        self.limit = Limit(cloud, Periodic(cloud, "rescued"), "rescued", limit_s, self._poll_rescued)

    def rescue(self, ctx: Context, server: Server) -> Steps:
        """``rescue_instance``."""
        order = Order(self.cloud, ctx, server, "compute_rescue_instance")
        if not (yield from order.arrive()):
            return
        if not order.has_guest:
            missing = InstanceNotFound(server.uuid)
            self.cloud.db.save(server, ctx.request, vm_state="error")
            order.fail(InstanceNotRescuable(server.uuid, f"Driver Error: {missing.message}"))
            return
        uptime, timings = self.cloud.compute.uptime, self.cloud.timings
        if not (yield from order.spend_s(uptime.shutdown_s(server, timings.shutdown, "shutdown"), "shutdown")):
            return
        order.guest_off()
        if (yield from order.spend(timings.rescue, "rescue")):
            order.finish(("rescuing",), vm_state="rescued", task_state=None, power_state=states.RUNNING)
            if server.vm_state == "rescued":
                self.limit.begins(server, self.cloud.env.now)

    def unrescue(self, ctx: Context, server: Server) -> Steps:
        """``unrescue_instance``: the server's own system boots again, even if it was stopped before."""
        order = Order(self.cloud, ctx, server, "compute_unrescue_instance")
        if not (yield from order.arrive()):
            return
        if (yield from order.spend(self.cloud.timings.unrescue, "unrescue")):
            order.boots()
            order.finish(("unrescuing",), vm_state="active", task_state=None, power_state=states.RUNNING)

    def _poll_rescued(self, server: Server) -> None:
        """``_poll_rescued_instances`` finds a server that has been rescued for ``rescue_timeout``."""
        cloud = self.cloud
        ctx = Context(cloud.db.next_request_id(), "nova-compute", server.project, ("admin",), (2, 1))
        cloud.db.save(server, ctx.request, task_state="unrescuing")
        cloud.db.start_action(server, "unrescue", ctx)
        cloud.cast(self.unrescue(ctx, server), server)
