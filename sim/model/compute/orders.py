"""An order to nova-compute about one server: how it arrives, how it spends time on its host, and how it ends.

An order is a cast: it waits in the queue while its host does not listen. What a host's death cuts short writes nothing
more: the server stays as it is until nova-compute starts again and looks at it (:mod:`sim.model.compute.restart`).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Generator
from typing import TYPE_CHECKING, Any

from simpy import Environment
from simpy.events import Event

from sim.model import states
from sim.model.context import Context
from sim.model.exceptions import InstanceNotFound, NovaException, UnexpectedTaskState
from sim.model.host import UP
from sim.model.server import Server
from sim.scenario.distribution import Dist

if TYPE_CHECKING:
    from sim.model.action import ActionEvent
    from sim.model.cloud import Cloud
    from sim.model.migration_record import MigrationRecord

Steps = Generator[Event, Any, None]
Tasks = tuple[str | None, ...]
"""What a server's task_state may be."""
DELETING = frozenset({"deleting", "soft-deleting"})


def periodic_context(server: Server, request: str | None = None) -> Context:
    """What nova-compute does by itself. Without a request of its own its events go to the server's last action."""
    if request is None:
        request = server.actions[-1].request if server.actions else ""
    return Context(request, "nova-compute", server.project, ("admin",), (2, 1))


class Locks:
    """A lock for each server on each host, as nova-compute takes it for most of its work; others wait in turn."""

    def __init__(self, env: Environment) -> None:
        self._env = env
        self._waiting: dict[tuple[str, int], deque[Event]] = {}
        """Server and host → who waits for the lock; without an entry it is free."""

    def take(self, server: Server, host: int) -> Event | None:
        """None if the lock was free, else the event that happens when it is this caller's."""
        key = (server.name, host)
        waiting = self._waiting.get(key)
        if waiting is None:
            self._waiting[key] = deque()
            return None
        event = self._env.event()
        waiting.append(event)
        return event

    def give(self, server: Server, host: int) -> None:
        """Give the lock to the next, or leave it free."""
        key = (server.name, host)
        waiting = self._waiting[key]
        if waiting:
            waiting.popleft().succeed()
        else:
            del self._waiting[key]


class Order:
    """One order. ``event`` is its instance action event; None for work that Nova writes no event for."""

    __slots__ = ("_event", "_locked", "boot", "cloud", "ctx", "event", "host", "server")

    def __init__(
        self, cloud: Cloud, ctx: Context, server: Server, event: str | None, host: int | None = None
    ) -> None:  # fmt: skip
        """``host`` is whom the order goes to, where that is not the server's own host."""
        self.cloud, self.ctx, self.server, self.event = cloud, ctx, server, event
        to = server.host if host is None else host
        assert to is not None
        self.host: int = to
        self.boot = 0
        self._event: ActionEvent | None = None
        self._locked = False

    # --- arriving -----------------------------------------------------------------------------------------------------

    def arrive(self) -> Generator[Event, Any, bool]:
        """Wait until the host takes the order; its event begins, and fails if the server was deleted meanwhile.

        False if it did.
        """
        there = yield from self.deliver()
        self.begin()
        if not there:
            self.fail(InstanceNotFound(self.server.uuid))
        return there

    def deliver(self) -> Generator[Event, Any, bool]:
        """Wait until the host takes the order. False if the server was deleted meanwhile.

        The server may be on another host by then; that is for the host to find out.
        """
        cloud, hosts, server = self.cloud, self.cloud.hosts, self.server
        if hosts.power[self.host] != UP:
            unheard = cloud.compute.restart.unheard
            unheard.add(server.name)
            while hosts.power[self.host] != UP:
                yield cloud.failures.when_back(self.host)
            unheard.discard(server.name)
        self.boot = hosts.crashes[self.host]
        return not server.deleted

    def begin(self) -> None:
        """Its event begins."""
        if self.event is not None:
            name = self.cloud.hosts.names[self.host]
            self._event = self.cloud.db.start_event(self.server, self.ctx.request, self.event, name)

    def lock(self) -> Generator[Event, Any, bool]:
        """Wait for the server's lock; :meth:`unlock` must follow. False if the host died meanwhile."""
        waiting = self.cloud.compute.locks.take(self.server, self.host)
        if waiting is not None:
            yield waiting
        self._locked = True
        return (yield from self.alive())

    def unlock(self) -> None:
        """Give the lock back, if it was got."""
        if self._locked:
            self._locked = False
            self.cloud.compute.locks.give(self.server, self.host)

    # --- on the host --------------------------------------------------------------------------------------------------

    def spend(self, dist: Dist, step: str) -> Generator[Event, Any, bool]:
        """The host works for ``dist``. False if it died meanwhile."""
        yield from self.cloud.stages.host(dist, step, self.host, self.server, self.ctx.request)
        return self._well() or (yield from self.alive())

    def spend_s(self, seconds: float, step: str) -> Generator[Event, Any, bool]:
        """The same for so many seconds."""
        yield from self.cloud.stages.host_for(seconds, step, self.host, self.server, self.ctx.request)
        return self._well() or (yield from self.alive())

    def alive(self) -> Generator[Event, Any, bool]:
        """Wait while nova-compute only hangs. False if all that ran on the host is gone."""
        hosts = self.cloud.hosts
        while hosts.crashes[self.host] == self.boot and hosts.power[self.host] != UP:
            yield self.cloud.failures.when_back(self.host)
        return hosts.crashes[self.host] == self.boot

    @property
    def well(self) -> bool:
        """Whether what runs on the host is still what took the order."""
        return self.cloud.hosts.crashes[self.host] == self.boot

    @property
    def has_guest(self) -> bool:
        """Whether the host's hypervisor knows a guest of the server."""
        server = self.server
        return not server.unmade if server.host == self.host else self.host in server.left_on

    def boots(self, since: float | None = None, cause: str = "") -> None:
        """The guest was started, unless the server has another one elsewhere by now (see Uptime.boots)."""
        if self.server.host == self.host:
            self.cloud.compute.uptime.boots(self.server, self.ctx.request, since, cause)

    def guest_off(self) -> None:
        """The guest is off, on purpose, unless the server has another one elsewhere by now."""
        if self.server.host == self.host:
            self.cloud.compute.uptime.gone(self.server)
            self.cloud.compute.uptime.is_now(self.server, states.SHUTDOWN)

    def _well(self) -> bool:
        """Whether the host is up and has been all the time: nearly always, so it is worth a quick look."""
        hosts = self.cloud.hosts
        return hosts.power[self.host] == UP and hosts.crashes[self.host] == self.boot

    # --- the server's row ---------------------------------------------------------------------------------------------

    def conflict(self, expected: Tasks) -> NovaException | None:
        """Why the server's row cannot be written: it is gone, or somebody has given it another task."""
        server = self.server
        if server.deleted:
            return InstanceNotFound(server.uuid)
        if server.task_state not in expected:
            return UnexpectedTaskState(server.uuid, {"task_state": list(expected)}, {"task_state": server.task_state})
        return None

    def save(self, expected: Tasks, **changes: Any) -> bool:
        """Change the row if its task is one of the expected; else the order fails. False if it did."""
        error = self.conflict(expected)
        if error is not None:
            self.fail(error)
            return False
        self.cloud.db.save(self.server, self.ctx.request, **changes)
        return True

    # --- ends ---------------------------------------------------------------------------------------------------------

    def finish(self, expected: Tasks, **changes: Any) -> bool:
        """The order is carried out: save, and the event ends well. False if the row could not be written, though the
        guest is what it was to be.
        """
        saved = self.save(expected, **changes)
        if "power_state" in changes and self.server.host == self.host:
            self.cloud.compute.uptime.is_now(self.server, changes["power_state"])
        if not saved:
            return False
        self.done()
        return True

    def done(self) -> None:
        """The event ends well."""
        self._close(None)

    def fail(
        self, error: NovaException, migration: MigrationRecord | None = None, *, clears_task: bool = True
    ) -> None:  # fmt: skip
        """The order failed: a fault, the event with the reason, and no task unless somebody else has set one.

        ``migration`` goes into error with it.
        """
        db, server = self.cloud.db, self.server
        if not isinstance(error, InstanceNotFound):
            db.fault(server, error.code, error.message)
        if migration is not None:
            db.save_migration(migration, "error")
        self._close(error.message)
        if clears_task and not server.deleted and not isinstance(error, UnexpectedTaskState):
            db.save(server, self.ctx.request, task_state=None)

    def _close(self, error: str | None) -> None:
        if self._event is not None:
            self.cloud.db.finish_event(self.server, self.ctx.request, self._event, error)
            self._event = None
