"""Shelving on compute hosts: a server is snapshot and stopped, then gives its host back, then comes back elsewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sim.model import states
from sim.model.compute.live_limits import local_disk_b
from sim.model.compute.orders import Order, Steps, Tasks, periodic_context
from sim.model.compute.periodic import Limit, Periodic, spacing
from sim.model.context import Context
from sim.model.exceptions import InstanceNotFound, NovaException
from sim.model.flavor import Image
from sim.model.server import Server

if TYPE_CHECKING:
    from sim.model.cloud import Cloud

_UPLOADED: Tasks = ("shelving", "shelving_image_uploading")
_OFFLOADING: Tasks = ("shelving", "shelving_offloading")


class Shelving:
    """``compute.shelving``."""

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud
        self._offload_time = int(cloud.options["DEFAULT.shelved_offload_time"])
        polls = Periodic(cloud, "shelved", spacing(int(cloud.options["DEFAULT.shelved_poll_interval"])))
        self.limit = Limit(cloud, polls, "shelved", self._offload_time, self._poll_shelved)

    # --- to the shelf -------------------------------------------------------------------------------------------------

    def shelve(self, ctx: Context, server: Server) -> Steps:
        """``shelve_instance``; a server whose disk is a volume needs no snapshot and is offloaded at once."""
        if server.boot_from_volume:
            yield from self.offload(ctx, server)
            return
        order = Order(self.cloud, ctx, server, "compute_shelve_instance")
        if not (yield from order.arrive()):
            return
        try:
            if (yield from order.lock()):
                yield from self._shelve(order)
        except NovaException as error:
            order.fail(error)
        finally:
            order.unlock()

    def _shelve(self, order: Order) -> Steps:
        """Off, a snapshot, shelved; with ``shelved_offload_time`` 0 the host is given back in the same event."""
        cloud, server = self.cloud, order.server
        uptime, timings = cloud.compute.uptime, cloud.timings
        if not order.has_guest:
            raise InstanceNotFound(server.uuid)
        paused = server.power_state == states.PAUSED
        off_s = 0.0 if paused else uptime.shutdown_s(server, timings.shutdown, "shutdown")
        if not (yield from order.spend_s(off_s, "shutdown")):
            return
        order.guest_off()
        if not order.save(("shelving",), task_state="shelving_image_pending_upload"):
            return
        if not (yield from cloud.compute.snapshots.extract(order, timings.shelve, "shelve")):
            return
        if not order.save(("shelving_image_pending_upload",), task_state="shelving_image_uploading"):
            return
        if not (yield from cloud.compute.snapshots.upload(order)):
            return
        at_once = self._offload_time == 0
        task = "shelving_offloading" if at_once else None
        if not order.save(_UPLOADED, vm_state="shelved", task_state=task, power_state=states.SHUTDOWN):
            return
        if at_once:
            yield from self._offload(order)
        else:
            order.done()
            self.limit.begins(server, cloud.env.now)

    # --- off the host -------------------------------------------------------------------------------------------------

    def offload(self, ctx: Context, server: Server) -> Steps:
        """``shelve_offload_instance``."""
        order = Order(self.cloud, ctx, server, "compute_shelve_offload_instance")
        if not (yield from order.arrive()):
            return
        try:
            if (yield from order.lock()):
                yield from self._offload(order)
        except NovaException as error:
            order.fail(error)
        finally:
            order.unlock()

    def _offload(self, order: Order) -> Steps:
        cloud, server, request = self.cloud, order.server, order.ctx.request
        if not order.has_guest:
            raise InstanceNotFound(server.uuid)
        uptime, timings = cloud.compute.uptime, cloud.timings
        off_s = uptime.shutdown_s(server, timings.shutdown, "shutdown")
        if off_s and not (yield from order.spend_s(off_s, "shutdown")):
            return
        order.guest_off()
        if not (yield from order.spend(timings.shelve_offload, "shelve_offload")):
            return
        cloud.placement.release_all(server)
        if order.save(_OFFLOADING, vm_state="shelved_offloaded", task_state=None, power_state=states.SHUTDOWN):
            cloud.db.save(server, request, host=None)
            order.done()

    # --- back ---------------------------------------------------------------------------------------------------------

    def unshelve(self, ctx: Context, server: Server, host: int) -> Steps:
        """``unshelve_instance`` on the host that the scheduler chose and claimed."""
        order = Order(self.cloud, ctx, server, "compute_unshelve_instance", host)
        if not (yield from order.arrive()):
            return
        try:
            if (yield from order.lock()):
                yield from self._unshelve(order)
        finally:
            order.unlock()

    def _unshelve(self, order: Order) -> Steps:
        """A new guest from the snapshot; if that fails the server stays on the shelf, without a host."""
        cloud, server, request, host = self.cloud, order.server, order.ctx.request, order.host
        if not order.save((server.task_state,), task_state="spawning"):
            return
        cloud.db.save(server, request, host=host)
        server.unmade_on = host
        error: NovaException | None = None
        image = None if server.boot_from_volume or cloud.shared_storage else snapshot_of(server)
        if not (yield from cloud.images.fetch(host, image, server, request, keep=False)):
            error = NovaException("GlanceConnectionFailed")
        elif "build" in cloud.hosts.fails[host]:
            error = NovaException(f"build fails on {cloud.hosts.names[host]}")
        dist = cloud.timings.unshelve if error is None else cloud.timings.claim_failure
        if not (yield from order.spend(dist, "unshelve")):
            return
        if error is not None and not server.deleted:
            cloud.db.save(server, request, host=None)
            cloud.placement.release_all(server)
            order.fail(error)
            return
        order.boots()
        order.finish(("spawning",), vm_state="active", task_state=None, power_state=states.RUNNING)

    # --- the periodic task --------------------------------------------------------------------------------------------

    def _poll_shelved(self, server: Server) -> None:
        """``_poll_shelved_instances`` finds a server that has been shelved for ``shelved_offload_time``."""
        ctx = periodic_context(server)
        self.cloud.db.save(server, ctx.request, task_state="shelving_offloading")
        self.cloud.cast(self.offload(ctx, server), server)


def snapshot_of(server: Server) -> Image:
    """The image that shelving made of the server's disk."""
    return Image(f"{server.name}-shelved", int(local_disk_b(server)))
