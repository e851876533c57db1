"""Builds on compute hosts: claim, networks, image, spawn; who fails is sent back to the conductor."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from simpy.events import Event

from sim.eventlog import records
from sim.kernel.pool import Pool
from sim.model import states
from sim.model.compute.orders import DELETING, Order, Steps, Tasks
from sim.model.context import Context
from sim.model.exceptions import GroupAffinityViolation, NovaException
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
        self._at_once = int(cloud.options["DEFAULT.max_concurrent_builds"])
        self._counts_failures = bool(cloud.options["compute.consecutive_build_service_disable_threshold"])
        self._slots: dict[int, tuple[int, Pool]] = {}
        """Host → (its boot, its semaphore)."""

    def build(self, ctx: Context, server: Server, host: int, attempts: Attempts) -> Steps:
        """``build_and_run_instance`` on the host that was claimed."""
        order = Order(self.cloud, ctx, server, "compute__do_build_and_run_instance", host)
        again = False
        if not (yield from order.deliver()):
            return
        try:
            if not (yield from order.lock()):
                return
            slots = self._slots_of(host)
            waiting = slots.acquire()
            if waiting is not None:
                began = self.cloud.env.now
                yield waiting
                queue = f"builds:{self.cloud.hosts.names[host]}"
                self.cloud.log.append(records.Waited(self.cloud.env.now, queue, server.name, ctx.request, began))
            try:
                if (yield from order.alive()):
                    again = yield from _Build(self.cloud, order, attempts, self._counts_failures).run()
            finally:
                slots.release()
        finally:
            order.unlock()
        if again:
            yield from self.cloud.conductor.building.reschedule(ctx, server, attempts)

    def _slots_of(self, host: int) -> Pool:
        """The host's semaphore; a new one after each crash."""
        boot = self.cloud.hosts.crashes[host]
        found = self._slots.get(host)
        if found is None or found[0] != boot:
            found = self._slots[host] = (boot, Pool(self.cloud.env, self._at_once))
        return found[1]


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
            self._save(("scheduling", None), vm_state="building", task_state=None)
            try:
                yield from self._make()
            except NovaException as error:
                self._let_go()
                return self._failed(error)
            except _GoneError:
                self._let_go()
                raise
            self._came_up()
        except _GoneError:
            self._cloud.placement.release_all(self._server)
            self._count_failure()
            order.done()
        except _DeadError:
            pass
        return False

    # --- stages -------------------------------------------------------------------------------------------------------

    def _make(self) -> Steps:
        """Claim, networks, image, guest. Raises NovaException if it cannot be done here, _GoneError, _DeadError."""
        cloud, server, order = self._cloud, self._server, self._order
        host, request, timings = order.host, order.ctx.request, cloud.timings
        cloud.db.save(server, request, host=host)
        cloud.group_check.check(server, host)
        self._save((None,), vm_state="building", task_state="networking")
        yield from self._spend(timings.build_claim, "build_claim")
        self._save((server.task_state,), vm_state="building", task_state="block_device_mapping")
        self._save(("block_device_mapping",), vm_state="building", task_state="spawning")
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
        """The guest runs. Nova writes so if the server is still what it was building."""
        cloud, server, order = self._cloud, self._server, self._order
        error = order.conflict(("spawning",))
        if error is None:
            cloud.compute.uptime.boots(server, order.ctx.request)
            server.launched = cloud.env.now
            order.finish(("spawning",), vm_state="active", task_state=None, power_state=states.RUNNING)
            cloud.hosts.build_succeeded(order.host)
        elif server.deleted or server.task_state in DELETING:
            raise _GoneError
        else:
            self._give_up(error, error.message)

    def _spend(self, dist: Dist, step: str) -> Steps:
        if not (yield from self._order.spend(dist, step)):
            raise _DeadError

    def _save(self, expected: Tasks, **changes: Any) -> None:
        error = self._order.conflict(expected)
        if error is None:
            self._cloud.db.save(self._server, self._order.ctx.request, **changes)
        elif self._server.deleted or self._server.task_state in DELETING:
            raise _GoneError
        else:
            raise error

    # --- what goes wrong ----------------------------------------------------------------------------------------------

    def _let_go(self) -> None:
        """The host's claim is undone: the server has no host."""
        if not self._server.deleted:
            self._cloud.db.save(self._server, self._order.ctx.request, host=None)

    def _failed(self, error: NovaException) -> bool:
        """True if another host may be tried: then nothing is held any more, and no fault is written yet."""
        cloud, server, order, attempts = self._cloud, self._server, self._order, self._attempts
        by_policy = isinstance(error, GroupAffinityViolation)
        if not by_policy:
            self._count_failure()
        attempts.reason = error.message
        if attempts.reschedules:
            cloud.db.save(server, order.ctx.request, task_state="scheduling")
            cloud.placement.release_all(server)
            order.done()
            return True
        if not by_policy:
            cloud.placement.release_all(server)
        self._in_error(error.code, error.message)
        return False

    def _give_up(self, error: NovaException, reason: str) -> None:
        self._count_failure()
        self._cloud.placement.release_all(self._server)
        self._in_error(error.code, reason)

    def _in_error(self, code: int, message: str) -> None:
        """The server is in error and has no host; Nova's event ends well all the same."""
        db, server, request = self._cloud.db, self._server, self._order.ctx.request
        db.fault(server, code, message)
        db.save(server, request, vm_state="error", task_state=None, host=None)
        self._order.done()

    def _count_failure(self) -> None:
        if self._counts_failures:
            self._cloud.hosts.build_failed(self._order.host)
