"""Snapshots of servers: taken on the host, then sent to the image service."""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING, Any

from simpy.events import Event

from sim.eventlog import records
from sim.model.compute.host_slots import HostSlots
from sim.model.compute.images import PATIENCE_S
from sim.model.compute.live_limits import local_disk_b
from sim.model.compute.orders import DELETING, Order, Steps
from sim.model.context import Context
from sim.model.exceptions import NovaException
from sim.model.network.transfer import ByteCopy
from sim.model.server import Server
from sim.scenario.distribution import Dist

if TYPE_CHECKING:
    from sim.model.cloud import Cloud


class Snapshots:
    """``compute.snapshots``."""

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud
        self._slots = HostSlots(cloud, int(cloud.options["DEFAULT.max_concurrent_snapshots"]), "snapshots")

    def snapshot(self, ctx: Context, server: Server) -> Steps:
        """``snapshot_instance``: its event is over as soon as the work has begun; the guest runs on."""
        order = Order(self.cloud, ctx, server, "compute_snapshot_instance")
        there = yield from order.deliver()
        order.begin()
        if not there:
            order.done()  # of a server that is gone there is nothing to take, and Nova is content
            return
        if not order.finish(("image_snapshot_pending",), task_state="image_snapshot"):
            return
        slots = yield from self._slots.enter(order.host, server, ctx.request)
        try:
            if (yield from order.alive()):
                yield from self._take(order)
        finally:
            slots.release()

    def _take(self, order: Order) -> Steps:
        """A server that is deleted meanwhile has no snapshot; one that was given another task has a fault, too. One
        without a guest is taken for deleted, and keeps its task.
        """
        cloud, db, server, request = self.cloud, self.cloud.db, order.server, order.ctx.request
        db.save(server, request, power_state=cloud.compute.uptime.power(server))
        if not order.has_guest or not self._goes_on(order, "image_snapshot", "image_pending_upload"):
            return
        if not (yield from self.extract(order, cloud.timings.snapshot, "snapshot")):
            return
        if not self._goes_on(order, "image_pending_upload", "image_uploading"):
            return
        try:
            if (yield from self.upload(order)):
                self._goes_on(order, "image_uploading", None)
        except NovaException as error:
            order.fail(error)

    def _goes_on(self, order: Order, expected: str, task: str | None) -> bool:
        """The next task, if nobody else has given the server one."""
        error = order.conflict((expected,))
        if error is None:
            self.cloud.db.save(order.server, order.ctx.request, task_state=task)
        elif not (order.server.deleted or order.server.task_state in DELETING):
            order.fail(error)
        return error is None

    def extract(self, order: Order, dist: Dist, step: str) -> Generator[Event, Any, bool]:
        """The host makes an image of the server's disk, when it is its turn. False if it died meanwhile."""
        slots = yield from self.cloud.images.disk_ops.enter(order.host, order.server, order.ctx.request)
        try:
            return (yield from order.alive()) and (yield from order.spend(dist, step))
        finally:
            slots.release()

    def upload(self, order: Order) -> Generator[Event, Any, bool]:
        """The server's local disk goes to the image service; a disk on shared storage is cloned there.

        False if the host died meanwhile. Raises NovaException if the image service cannot be reached.
        """
        cloud, server = self.cloud, order.server
        size_b = 0.0 if cloud.shared_storage else local_disk_b(server)
        if size_b:
            slots = yield from cloud.images.disk_ops.enter(order.host, server, order.ctx.request)
            try:
                if not (yield from order.alive()):
                    return False
                there = yield from self._send(order, size_b)
            finally:
                slots.release()
            if not there and (yield from order.alive()):
                raise NovaException("GlanceConnectionFailed")
        return (yield from order.alive())

    def _send(self, order: Order, size_b: float) -> Generator[Event, Any, bool]:
        """So many bytes to the image service. False if it took no more of them for a minute."""
        cloud, server, host = self.cloud, order.server, order.host
        began = cloud.env.now
        copy = ByteCopy(size_b, cloud.storage.image_rate, PATIENCE_S)
        route = cloud.topology.egress(host)
        flow = cloud.flows.start(copy, host, host, label=("image", server.name), route=route)
        yield flow.done
        name, outcome = cloud.hosts.names[host], "failed" if copy.failed else "done"
        cloud.log.append(records.Step(cloud.env.now, server.name, order.ctx.request, "upload", name, began, outcome))
        return not copy.failed
