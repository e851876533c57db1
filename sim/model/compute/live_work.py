"""One live migration on its source, from the queue to the end: what abort, force-complete and failures speak to."""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING

from simpy.events import Event

from sim.eventlog import records
from sim.model import states
from sim.model.context import Context
from sim.model.exceptions import MigrationError, NovaException
from sim.model.host import UP
from sim.model.migration.precopy import PreCopy

if TYPE_CHECKING:
    from sim.kernel.pool import Pool
    from sim.model.cloud import Cloud
    from sim.model.compute.live_limits import LiveLimits
    from sim.model.migration_record import MigrationRecord
    from sim.model.network.flows import Flow

Steps = Generator[Event, object, None]
_ENDS = {"completed": "completed", "aborted": "cancelled", "timed_out": "cancelled", "failed": "failed"}
"""Outcome of the copy → status of the migration record."""


class SourceDiedError(Exception):
    """The host that does the work is gone, and the work with it: nothing more happens, nothing is written."""


class LiveWork:
    """A live migration under way. ``stage`` is queued, preparing, starting, copying, finishing or rolling_back."""

    __slots__ = (
        "aborted", "began", "boot", "cloud", "copy", "ctx", "dest", "disk_b", "flow", "guest_lost", "limits",
        "migration", "server", "slots", "source", "stage", "tail_s", "waiting",
    )  # fmt: skip

    def __init__(
        self, cloud: Cloud, ctx: Context, migration: MigrationRecord, *, limits: LiveLimits, slots: Pool, disk_b: float
    ) -> None:  # fmt: skip
        self.cloud, self.limits, self.slots, self.ctx = cloud, limits, slots, ctx
        self.migration, self.server = migration, migration.server
        assert migration.source is not None
        assert migration.dest is not None
        self.source: int = migration.source
        self.dest: int = migration.dest
        self.boot = cloud.hosts.crashes[self.source]
        self.disk_b = disk_b
        self.stage = "queued"
        self.aborted = self.guest_lost = False
        self.waiting: Event | None = None
        self.copy: PreCopy | None = None
        self.flow: Flow | None = None
        self.began = 0.0
        """When the copy began."""
        self.tail_s = 0.0
        """Part of the downtime that is not memory."""

    # --- stages -------------------------------------------------------------------------------------------------------

    def run(self) -> Steps:
        """Wait for the host's turn, then migrate."""
        waiting = self.slots.acquire()
        if waiting is not None:
            yield from self._queue(waiting)
            if self.aborted:
                return
        try:
            if hosts_differ(self.cloud, self.source, self.boot):
                yield from self._check_source()
            if not (yield from self._prepare()):
                return
            if self.aborted:
                yield from self._roll_back("cancelled", watched=False)
                return
            outcome = (yield from self._start()) or (yield from self._copy())
            if outcome == "completed":
                yield from self._finish()
            else:
                yield from self._roll_back(_ENDS[outcome])
        except SourceDiedError:
            pass
        finally:
            self.slots.release()
            self.migration.work = None

    def _queue(self, waiting: Event) -> Steps:
        """Until it is the host's turn, or aborted."""
        cloud, began = self.cloud, self.cloud.env.now
        self.waiting = waiting
        yield waiting
        self.waiting = None
        queue = f"live_migrations:{cloud.hosts.names[self.source]}"
        cloud.log.append(records.Waited(cloud.env.now, queue, self.server.name, self.ctx.request, began))
        if self.aborted:
            self.migration.work = None

    def _prepare(self) -> Generator[Event, object, bool]:
        """pre_live_migration on the destination. False if it failed; all is then cleaned up."""
        cloud, server, dest, request = self.cloud, self.server, self.dest, self.ctx.request
        db, hosts, began = cloud.db, cloud.hosts, cloud.env.now
        self.stage = "preparing"
        db.save_migration(self.migration, "preparing")
        name = hosts.names[dest]
        event = None
        if hosts.power[dest] == UP:
            event = db.start_event(server, request, "compute_pre_live_migration", name)
        yield cloud.stages.takes(cloud.timings.pre_live_migration, "pre_live_migration", dest, server)
        answered = cloud.stages.over("pre_live_migration", dest, server, request, began)
        error = None
        if event is None or not answered:
            yield from cloud.stages.no_answer(began)
            error = "MessagingTimeout"
        else:
            error = self._unfit(name)
        if event is not None and answered:
            db.finish_event(server, request, event, error)
        if hosts_differ(cloud, self.source, self.boot):
            yield from self._check_source()
        if error is None:
            return True
        db.save_migration(self.migration, "error")
        yield from self._roll_back("failed", watched=False)
        return False

    def _start(self) -> Generator[Event, object, str | None]:
        """What goes before the first byte. Returns the outcome if there will be none."""
        cloud = self.cloud
        cloud.db.save_migration(self.migration, "running")
        self.stage = "starting"
        began = cloud.env.now
        yield cloud.stages.takes(cloud.timings.live_start, "live_start", self.source, self.server)
        cloud.stages.over("live_start", self.source, self.server, self.ctx.request, began)
        if hosts_differ(cloud, self.source, self.boot):
            yield from self._check_source()
        if self.aborted:
            return "aborted"
        return "failed" if self._guestless() or cloud.hosts.power[self.dest] in _UNREACHABLE else None

    def _unfit(self, name: str) -> str | None:
        """Why the destination refuses to prepare; a fault of the server, too."""
        cloud, server = self.cloud, self.server
        try:
            cloud.group_check.check(server, self.dest)
            if "pre_live_migration" in cloud.hosts.fails[self.dest]:
                raise MigrationError(f"pre_live_migration fails on {name}")
        except NovaException as error:
            cloud.db.fault(server, error.code, error.message)
            return error.message
        return None

    def _guestless(self) -> bool:
        """Whether the source has no guest that runs."""
        return self.guest_lost or self.cloud.compute.uptime.off(self.server)

    def _copy(self) -> Generator[Event, object, str]:
        """The copy, and the guest's move at its end. Returns the copy's outcome."""
        cloud, server = self.cloud, self.server
        env, topology = cloud.env, cloud.flows.topology
        self.tail_s = cloud.streams.draw(cloud.timings.device_state, "device_state", server.name)
        copy = PreCopy(self.limits.memory(server), self.limits.limits(server, self.source, self.disk_b), self.disk_b)
        self.copy, self.began, self.stage = copy, env.now, "copying"
        flow = self.flow = cloud.flows.start(
            copy, self.source, self.dest, label=("live-migration", server.name),
            route=topology.migration_route(self.source, self.dest),
        )  # fmt: skip
        after = self.limits.switches_after(server, self.disk_b)
        if after < _NEVER:
            cloud.cast(self._switch_after(after, flow))
        yield flow.done
        self.stage = "finishing"
        outcome = copy.outcome or "failed"
        self._record_copy(copy, outcome)
        if hosts_differ(cloud, self.source, self.boot):
            yield from self._check_source()
        if copy.mode != "postcopy":
            if outcome == "completed":
                yield from self._hand_over()
            if copy.stopped_at_s is not None:
                began = self.began + copy.stopped_at_s
                cloud.log.append(records.Downtime(env.now, server.name, began, "live-migration", self.ctx.request))
        return outcome

    def _hand_over(self) -> Steps:
        """Device state is sent and the guest resumed on the other side."""
        cloud, began = self.cloud, self.cloud.env.now
        yield cloud.env.timeout(self.tail_s)
        dest = cloud.hosts.names[self.dest]
        cloud.log.append(
            records.Step(cloud.env.now, self.server.name, self.ctx.request, "hand_over", dest, began, "done")
        )

    def _record_copy(self, copy: PreCopy, outcome: str) -> None:
        cloud, names, name = self.cloud, self.cloud.hosts.names, self.server.name
        now, source, mode = cloud.env.now, names[self.source], copy.mode
        downtime_s = copy.downtime_s
        if outcome == "completed" or mode == "postcopy":
            downtime_s += self.tail_s
        cloud.log.append(
            records.LiveCopy(
                now, self.migration.id, name, source, names[self.dest], self.began, mode, outcome,
                copy.rounds, copy.bytes_memory, copy.bytes_disk, downtime_s, copy.throttle,
            )
        )  # fmt: skip
        if copy.guest_lost:
            cloud.compute.uptime.stops(self.server, "live-migration")
        done = "done" if outcome == "completed" else "failed" if outcome == "failed" else "aborted"
        cloud.log.append(records.Step(now, name, self.ctx.request, "copy", source, self.began, done))

    def _finish(self) -> Steps:
        """The destination takes the server over; the source lets go."""
        cloud, server, request = self.cloud, self.server, self.ctx.request
        began = cloud.env.now
        yield cloud.stages.takes(cloud.timings.live_finish, "live_finish", self.source, server)
        cloud.stages.over("live_finish", self.source, server, request, began)
        if hosts_differ(cloud, self.source, self.boot):
            yield from self._check_source()
        db, hosts, dest = cloud.db, cloud.hosts, self.dest
        server.move_claim = None
        if hosts.power[dest] != UP:
            yield from cloud.stages.no_answer(cloud.env.now)
            self._post_failed("MessagingTimeout", 500)
            return
        event = db.start_event(server, request, "compute_post_live_migration_at_destination", hosts.names[dest])
        refused = self._refusal()
        if refused is not None:
            db.finish_event(server, request, event, refused)
            self._post_failed(refused, 404 if server.deleted else 500)
            return
        # Nova asks the hypervisor, and the recorded one says that whatever arrives runs, a paused server too.
        db.save(server, request, host=dest, task_state=None, power_state=states.RUNNING)
        db.finish_event(server, request, event)
        db.save_migration(self.migration, "completed")
        cloud.placement.release_all(self.migration)

    def _refusal(self) -> str | None:
        """Why the server's row will not take what is to be written, if somebody else has changed it meanwhile."""
        server = self.server
        if server.deleted:
            return f"Instance {server.uuid} could not be found."
        if server.task_state != "migrating":
            actual = "None" if server.task_state is None else f"'{server.task_state}'"
            return (
                f"Conflict updating instance {server.uuid}. Expected: {{'task_state': ['migrating']}}. "
                f"Actual: {{'task_state': {actual}}}"
            )
        return None

    def _post_failed(self, message: str, code: int) -> None:
        """The guest has moved, the bookkeeping broke off: the server is in error there; the source's share stays."""
        db, server, request = self.cloud.db, self.server, self.ctx.request
        if not server.deleted:
            db.save(server, request, host=self.dest, task_state=None)
            db.fault(server, code, message)
        db.save_migration(self.migration, "error")
        if not server.deleted:
            db.save(server, request, vm_state="error", task_state=None)

    def _roll_back(self, status: str, *, watched: bool = True) -> Steps:
        """The server stays at the source; the destination is cleaned up. ``watched``: if somebody else has changed the
        server meanwhile, there is one who puts it and the migration in error."""  # fmt: skip
        cloud, server, request = self.cloud, self.server, self.ctx.request
        self.stage = "rolling_back"
        yield from cloud.stages.host(cloud.timings.live_rollback, "live_rollback", self.source, server, request)
        yield from self._check_source()
        self.give_back()
        server.move_claim = None
        refused = self._refusal()
        if refused is not None:
            if watched:
                cloud.db.save_migration(self.migration, "error")
            if not server.deleted:
                cloud.db.fault(server, 500, refused)
                if watched:
                    cloud.db.save(server, request, vm_state="error", task_state=None)
            return
        cloud.db.save(server, request, task_state=None)
        cloud.db.save_migration(self.migration, status)

    def give_back(self) -> None:
        """The server holds what it held before, and the destination's share is free again.

        A migration that holds nothing, since another one under way holds it all, gives nothing back either.
        """
        placement, server = self.cloud.placement, self.server
        if server.deleted:
            placement.release_all(self.migration)
            placement.release_all(server)
        else:
            placement.hand_over(self.migration, server)

    def _check_source(self) -> Steps:
        """Wait while the source cannot speak to anybody; raises SourceDiedError when what ran on it is gone."""
        cloud = self.cloud
        while cloud.hosts.crashes[self.source] == self.boot and cloud.hosts.power[self.source] != UP:
            yield cloud.failures.when_back(self.source)
        if cloud.hosts.crashes[self.source] != self.boot:
            raise SourceDiedError

    # --- from outside -------------------------------------------------------------------------------------------------

    def abort(self) -> bool:
        """Stop as soon as can be. False if it is too late. A queued one is out of the queue at once."""
        if self.stage in {"finishing", "rolling_back"}:
            return False
        if self.waiting is not None:
            self.slots.cancel(self.waiting)
            self.aborted = True
            self.waiting.succeed()
        elif self.copy is not None and self.flow is not None:
            aborted: list[bool] = []
            copy = self.copy
            self.cloud.flows.command(self.flow, lambda: aborted.append(copy.abort()))
            return aborted[0]
        else:
            self.aborted = True
        return True

    def guest_gone(self) -> None:
        """The guest died with its host or was deleted, so there is nothing more to copy."""
        self.guest_lost = True
        if self.stage == "copying" and self.copy is not None and self.flow is not None:
            self.cloud.flows.command(self.flow, self.copy.link_lost)

    def force_complete(self) -> Steps:
        """What libvirt's monitor does at its next look: post-copy where permitted, else pause the guest."""
        cloud, copy, flow = self.cloud, self.copy, self.flow
        if copy is None or flow is None:
            return
        forced: list[bool] = []
        cloud.flows.command(flow, lambda: forced.append(copy.force_complete()))
        if forced[0] and copy.mode == "postcopy":
            cloud.db.save_migration(self.migration, "running (post-copy)")
            began = cloud.env.now
            yield from self._hand_over()
            cloud.log.append(
                records.Downtime(cloud.env.now, self.server.name, began, "live-migration", self.ctx.request)
            )

    def _switch_after(self, seconds: float, flow: Flow) -> Steps:
        """Nova's completion timeout where it means post-copy: tried at every look until memory is under way."""
        env = self.cloud.env
        yield env.any_of([env.timeout(seconds), flow.done])
        while self.stage == "copying" and self.copy is not None and self.copy.stage == "disk":
            yield env.any_of([env.timeout(MONITOR_S), flow.done])
        if self.stage == "copying":
            yield from self.force_complete()


_NEVER = float("inf")
MONITOR_S = 0.5
"""How often Nova's monitor looks at a running migration."""
_UNREACHABLE = frozenset({"crashed", "rebooting", "cut_off"})
"""Power states in which a host's hypervisor cannot be reached; a hung host's can."""


def hosts_differ(cloud: Cloud, host: int, boot: int) -> bool:
    """Whether a host is not up, or was down since its ``boot``-th crash."""
    return cloud.hosts.power[host] != UP or cloud.hosts.crashes[host] != boot
