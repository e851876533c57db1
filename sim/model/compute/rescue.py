"""Rescue on compute hosts: the guest is shut down, and another system boots with its disk."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sim.model import states
from sim.model.compute.orders import Order, Steps
from sim.model.context import Context
from sim.model.exceptions import InstanceNotFound, InstanceNotRescuable
from sim.model.server import Server

if TYPE_CHECKING:
    from sim.model.cloud import Cloud


class Rescue:
    """``compute.rescue``."""

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud

    def rescue(self, ctx: Context, server: Server) -> Steps:
        """``rescue_instance``."""
        order = Order(self.cloud, ctx, server, "compute_rescue_instance")
        if not (yield from order.arrive()):
            return
        if server.unmade:
            missing = InstanceNotFound(server.uuid)
            self.cloud.db.save(server, ctx.request, vm_state="error")
            order.fail(InstanceNotRescuable(server.uuid, f"Driver Error: {missing.message}"))
            return
        uptime, timings = self.cloud.compute.uptime, self.cloud.timings
        if not (yield from order.spend_s(uptime.shutdown_s(server, timings.shutdown, "shutdown"), "shutdown")):
            return
        uptime.gone(server)
        if (yield from order.spend(timings.rescue, "rescue")):
            order.finish(("rescuing",), vm_state="rescued", task_state=None, power_state=states.RUNNING)

    def unrescue(self, ctx: Context, server: Server) -> Steps:
        """``unrescue_instance``: the server's own system boots again, even if it was stopped before."""
        order = Order(self.cloud, ctx, server, "compute_unrescue_instance")
        if not (yield from order.arrive()):
            return
        if (yield from order.spend(self.cloud.timings.unrescue, "unrescue")):
            self.cloud.compute.uptime.boots(server, ctx.request)
            order.finish(("unrescuing",), vm_state="active", task_state=None, power_state=states.RUNNING)
