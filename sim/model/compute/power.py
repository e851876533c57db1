"""Power on compute hosts: stop, start, reboot, pause, unpause, suspend, resume."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sim.model import states
from sim.model.compute.orders import Order, Steps, Tasks
from sim.model.context import Context
from sim.model.exceptions import InstanceNotFound
from sim.model.server import Server
from sim.scenario.distribution import Dist

if TYPE_CHECKING:
    from sim.model.cloud import Cloud

SOFT, HARD = "SOFT", "HARD"
_ERR_OUT = frozenset({"suspend", "resume"})
"""What puts a server in error when the hypervisor refuses it."""
SOFT_TASKS: Tasks = ("rebooting", "reboot_pending", "reboot_started")
HARD_TASKS: Tasks = ("rebooting_hard", "reboot_pending_hard", "reboot_started_hard")


class Power:
    """``compute.power``. Each method is what nova-compute does once the door has ordered it."""

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud
        self._soft_wait_s = float(cloud.options["libvirt.wait_soft_reboot_seconds"])

    # --- on and off ---------------------------------------------------------------------------------------------------

    def stop(self, ctx: Context, server: Server) -> Steps:
        """``stop_instance``: a clean shutdown, for as long as ``shutdown_timeout`` allows."""
        order = Order(self.cloud, ctx, server, "compute_stop_instance")
        if not (yield from order.arrive()):
            return
        try:
            if not (yield from order.lock()):
                return
            if not order.has_guest:
                order.fail(InstanceNotFound(server.uuid))
                return
            uptime, timings = self.cloud.compute.uptime, self.cloud.timings
            expected: Tasks = ("powering-off", None) if uptime.off(server) else ("powering-off",)
            if not (yield from order.spend_s(uptime.shutdown_s(server, timings.stop, "stop"), "stop")):
                return
            if not uptime.lost(server):
                order.guest_off()
            order.finish(expected, vm_state="stopped", task_state=None, power_state=states.SHUTDOWN)
        finally:
            order.unlock()

    def start(self, ctx: Context, server: Server) -> Steps:
        """``start_instance``."""
        order = Order(self.cloud, ctx, server, "compute_start_instance")
        if not (yield from order.arrive()):
            return
        if not (yield from order.spend(self.cloud.timings.start, "start")):
            return
        order.boots()
        order.finish(("powering-on",), vm_state="active", task_state=None, power_state=states.RUNNING)

    def reboot(self, ctx: Context, server: Server, kind: str) -> Steps:
        """``reboot_instance``: SOFT asks the guest, and does it the HARD way if the guest does not obey in time."""
        order = Order(self.cloud, ctx, server, "compute_reboot_instance")
        if not (yield from order.arrive()):
            return
        try:
            if (yield from order.lock()):
                yield from self._reboot(order, kind)
        finally:
            order.unlock()

    def _reboot(self, order: Order, kind: str) -> Steps:
        server, uptime = order.server, self.cloud.compute.uptime
        tasks, pending, started = (
            (SOFT_TASKS, "reboot_pending", "reboot_started") if kind == SOFT
            else (HARD_TASKS, "reboot_pending_hard", "reboot_started_hard")
        )  # fmt: skip
        power = uptime.power(server)
        if not order.save(tasks, task_state=pending, power_state=power):
            return
        if not order.save((pending,), task_state=started):
            return
        if kind == SOFT and not order.has_guest:  # a hard reboot makes the guest anew, a soft one asks it
            self.cloud.db.save(server, order.ctx.request, vm_state="error")
            order.fail(InstanceNotFound(server.uuid))
            return
        since = None if uptime.off(server) else self.cloud.env.now
        if not (yield from order.spend_s(self._reboot_s(order, kind, power), f"reboot_{kind.lower()}")):
            return
        if server.deleted:
            order.done()
            return
        order.boots(since, "reboot")
        vm_state = "rescued" if server.vm_state == "rescued" else "active"
        self.cloud.db.save(server, order.ctx.request, vm_state=vm_state, task_state=None, power_state=states.RUNNING)
        order.done()

    def _reboot_s(self, order: Order, kind: str, power: int) -> float:
        """How long the hypervisor takes. A guest that is not running obeys nobody."""
        timings, draw, name = self.cloud.timings, self.cloud.streams.draw, order.server.name
        slow = self.cloud.hosts.slow[order.host]
        waited = 0.0
        if kind == SOFT:
            asked = draw(timings.reboot_soft, "reboot_soft", name) * slow
            if power == states.RUNNING and asked <= self._soft_wait_s:
                return asked
            waited = max(self._soft_wait_s, 0.0)
        return waited + draw(timings.reboot_hard, "reboot_hard", name) * slow

    # --- without shutting down ----------------------------------------------------------------------------------------

    def pause(self, ctx: Context, server: Server) -> Steps:
        """``pause_instance``."""
        return self._simple(
            ctx, server, "pause", self.cloud.timings.pause, "pausing", vm_state="paused", power_state=states.PAUSED
        )

    def unpause(self, ctx: Context, server: Server) -> Steps:
        """``unpause_instance``."""
        return self._simple(
            ctx, server, "unpause", self.cloud.timings.unpause, "unpausing", vm_state="active",
            power_state=states.RUNNING,
        )  # fmt: skip

    def suspend(self, ctx: Context, server: Server) -> Steps:
        """``suspend_instance``."""
        return self._simple(
            ctx, server, "suspend", self.cloud.timings.suspend, "suspending", vm_state="suspended",
            power_state=states.SHUTDOWN,
        )  # fmt: skip

    def resume(self, ctx: Context, server: Server) -> Steps:
        """``resume_instance``: only an active server can have been suspended."""
        return self._simple(
            ctx, server, "resume", self.cloud.timings.resume, "resuming", vm_state="active",
            power_state=states.RUNNING,
        )  # fmt: skip

    def _simple(
        self, ctx: Context, server: Server, name: str, dist: Dist, task: str, **after: Any
    ) -> Steps:  # fmt: skip
        """One call of the hypervisor, without the server's lock."""
        order = Order(self.cloud, ctx, server, f"compute_{name}_instance")
        if not (yield from order.arrive()):
            return
        there = order.has_guest
        if there and not (yield from order.spend(dist, name)):
            return
        if there and (server.deleted or order.has_guest):
            order.finish((task,), task_state=None, **after)
            return
        # The hypervisor has no such guest: it was not made, or has moved on meanwhile.
        if name in _ERR_OUT:
            self.cloud.db.save(server, ctx.request, vm_state="error")
        order.fail(InstanceNotFound(server.uuid))
