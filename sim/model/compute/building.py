"""Builds on compute hosts: claim, networks, image, spawn; who fails is sent back to the conductor."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from simpy.events import Event

from sim.model import states
from sim.model.compute.host_slots import HostSlots
from sim.model.compute.orders import DELETING, Order, Steps
from sim.model.context import Context
from sim.model.exceptions import ComputeResourcesUnavailable, GroupAffinityViolation, NovaException
from sim.model.numa import NO_ROOM
from sim.model.server import Server
from sim.scenario.distribution import Dist

if TYPE_CHECKING:
    from sim.model.cloud import Cloud


@dataclass(slots=True)
class Attempts:
    """How a server is being built: which host has been tried how often, and which may be next."""

    alternates: list[int]
    """Hosts that may be tried next, best first."""
    reschedules: bool
    """Whether another host may be tried at all."""
    number: int = 1
    reason: str = ""
    """Why the last one failed."""


class Builder:
    """``compute.building``."""

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud
        self._slots = HostSlots(cloud, int(cloud.options["DEFAULT.max_concurrent_builds"]), "builds")
        self._counts_failures = bool(cloud.options["compute.consecutive_build_service_disable_threshold"])

    def build(self, ctx: Context, server: Server, host: int, attempts: Attempts) -> Steps:
        """``build_and_run_instance`` on the host that was claimed."""
        order = Order(self.cloud, ctx, server, "compute__do_build_and_run_instance", host)
        again = False
        if not (yield from order.deliver()):
            return
        try:
            if not (yield from order.lock()):
                return
            slots = yield from self._slots.enter(host, server, ctx.request)
            try:
                if (yield from order.alive()):
                    again = yield from _Build(self.cloud, order, attempts, self._counts_failures).run()
            finally:
                slots.release()
        finally:
            order.unlock()
        if again:
            yield from self.cloud.conductor.building.reschedule(ctx, server, attempts)


class _GoneError(Exception):
    """The server is deleted, or about to be: nobody wants it any more."""


class _DeadError(Exception):
    """The host died, and the build with it."""


class _Build:
    """One server being built on one host, its lock and the host's slot held."""

    __slots__ = ("_attempts", "_cloud", "_counts_failures", "_order", "_server")

    def __init__(self, cloud: Cloud, order: Order, attempts: Attempts, counts_failures: bool) -> None:
        self._cloud, self._order, self._attempts = cloud, order, attempts
        self._server = order.server
        self._counts_failures = counts_failures

    def run(self) -> Generator[Event, Any, bool]:
        """Build it. True if it did not work here and the conductor shall try elsewhere."""
        order = self._order
        order.begin()
        try:
            if order.conflict(("scheduling", None)) is not None:
                raise _GoneError
            self._write(vm_state="building", task_state=None)
            try:
                yield from self._make()
            except NovaException as error:
                self._write(host=None)
                return self._failed(error)
            self._came_up()
        except _GoneError:
            order.done()
            self._give_back()
        except _DeadError:
            pass
        return False

    # --- stages -------------------------------------------------------------------------------------------------------

    def _make(self) -> Steps:
        """Claim, networks, image, guest. Raises NovaException if it cannot be done here, _GoneError, _DeadError."""
        cloud, server, order = self._cloud, self._server, self._order
        host, request, timings = order.host, order.ctx.request, cloud.timings
        cloud.db.save(server, request, host=host)
        server.unmade_on = host
        if not cloud.placement.granted(server, host):
            raise ComputeResourcesUnavailable(NO_ROOM)
        cloud.group_check.check(server, host)
        self._write(vm_state="building", task_state="networking")
        yield from self._spend(timings.build_claim, "build_claim")
        if server.deleted:
            raise _GoneError
        self._write(vm_state="building", task_state="block_device_mapping")
        self._write(vm_state="building", task_state="spawning")
        image = None if server.boot_from_volume or cloud.shared_storage else server.image
        there = yield from cloud.images.fetch(host, image, server, request)
        if not (yield from order.alive()):
            raise _DeadError
        if not there:
            raise NovaException("GlanceConnectionFailed")
        if "build" in cloud.hosts.fails[host]:
            yield from self._spend(timings.claim_failure, "spawn")
            raise NovaException(f"build fails on {cloud.hosts.names[host]}")
        yield from self._spend(timings.spawn, "spawn")

    def _came_up(self) -> None:
        """The guest runs, and Nova writes so; but if somebody else wanted something of the server, it is given up."""
        cloud, server, order = self._cloud, self._server, self._order
        error = order.conflict(("spawning",))
        server.unmade_on = None
        unwanted = server.deleted or server.task_state in DELETING
        self._write(vm_state="active", task_state=None, power_state=states.RUNNING)
        if unwanted:
            raise _GoneError
        server.launched = cloud.env.now
        if error is not None:
            self._in_error(error)
            self._give_back()
            return
        cloud.compute.uptime.boots(server, order.ctx.request)
        order.done()
        cloud.hosts.build_succeeded(order.host)

    def _spend(self, dist: Dist, step: str) -> Steps:
        if not (yield from self._order.spend(dist, step)):
            raise _DeadError

    def _write(self, **changes: Any) -> None:
        """Save, whatever the server's task is; nothing if it is gone."""
        if not self._server.deleted:
            self._cloud.db.save(self._server, self._order.ctx.request, **changes)

    # --- what goes wrong ----------------------------------------------------------------------------------------------

    def _failed(self, error: NovaException) -> bool:
        """True if another host may be tried: then nothing is held any more, and no fault is written yet."""
        by_policy = isinstance(error, GroupAffinityViolation)
        self._attempts.reason = error.message
        if self._attempts.reschedules:
            self._write(task_state="scheduling")
            self._cloud.placement.release_all(self._server)
            self._order.done()
            if not by_policy:
                self._count_failure()
            return True
        self._in_error(error)
        if not by_policy:
            self._give_back()
        return False

    def _in_error(self, error: NovaException) -> None:
        """The server is in error and has no host; Nova's event ends well all the same."""
        self._cloud.db.fault(self._server, error.code, error.message)
        self._write(vm_state="error", task_state=None, host=None)
        self._order.done()

    def _give_back(self) -> None:
        """What was claimed for the server is free again, and the host has one more failed build."""
        self._cloud.placement.release_all(self._server)
        self._count_failure()

    def _count_failure(self) -> None:
        if self._counts_failures:
            self._cloud.hosts.build_failed(self._order.host)
