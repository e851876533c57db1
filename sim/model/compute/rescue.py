"""Rescue on compute hosts: the guest is shut down, and another system boots with its disk."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from sim.model import states
from sim.model.compute.orders import Order, Steps
from sim.model.compute.periodic import Periodic
from sim.model.context import Context
from sim.model.exceptions import InstanceNotFound, InstanceNotRescuable
from sim.model.host import UP
from sim.model.server import Server

if TYPE_CHECKING:
    from sim.model.cloud import Cloud


class Rescue:
    """``compute.rescue``."""

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud
        self._timeout_s = float(cloud.options["DEFAULT.rescue_timeout"])
        self._since: dict[str, float] = {}
        """Servers that wait to be unrescued, and since when."""
        self._polls = Periodic(cloud, "rescued")

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
                self.waits(server)

    def unrescue(self, ctx: Context, server: Server) -> Steps:
        """``unrescue_instance``: the server's own system boots again, even if it was stopped before."""
        order = Order(self.cloud, ctx, server, "compute_unrescue_instance")
        if not (yield from order.arrive()):
            return
        if (yield from order.spend(self.cloud.timings.unrescue, "unrescue")):
            order.boots()
            order.finish(("unrescuing",), vm_state="active", task_state=None, power_state=states.RUNNING)

    def waits(self, server: Server) -> None:
        """The server is rescued: _poll_rescued_instances finds it once it has been so for ``rescue_timeout``."""
        if self._timeout_s > 0 and server.host is not None:
            since = self._since[server.name] = self.cloud.env.now
            due = self._polls.next_run(server.host, since + self._timeout_s)
            if due < math.inf:
                self.cloud.env.process(self._poll(server, server.host, since, due))

    def _poll(self, server: Server, host: int, since: float, due: float) -> Steps:
        """Look at each run of the task from the first that may unrescue it, as long as it is rescued."""
        cloud = self.cloud
        while due < math.inf:
            yield cloud.env.timeout(due - cloud.env.now)
            rescued = server.vm_state == "rescued" and server.host == host and not server.deleted
            if not rescued or self._since[server.name] != since:
                return
            if server.task_state is None and cloud.hosts.power[host] == UP:
                ctx = Context(cloud.db.next_request_id(), "nova-compute", server.project, ("admin",), (2, 1))
                cloud.db.save(server, ctx.request, task_state="unrescuing")
                cloud.db.start_action(server, "unrescue", ctx)
                cloud.cast(self.unrescue(ctx, server), server)
                return
            due = self._polls.next_run(host, cloud.env.now)
