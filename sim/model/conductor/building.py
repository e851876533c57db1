"""New servers, and servers from the shelf, in the conductor: a host for each, and the next one if that fails."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from simpy.events import Event

from sim.model import states
from sim.model.compute.building import Attempts
from sim.model.context import Context
from sim.model.exceptions import MaxRetriesExceeded, NovaException, NoValidHost
from sim.model.identity import named_uuid
from sim.model.scheduler.request import SchedulerRequest, Selection
from sim.model.server import NO_EXTRAS, Server
from sim.model.stages import CONDUCTOR

if TYPE_CHECKING:
    from sim.model.cloud import Cloud

Steps = Generator[Event, Any, None]


class Building:
    """``conductor.building``."""

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud
        self._max_attempts = int(cloud.options["scheduler.max_attempts"])

    # --- rows ---------------------------------------------------------------------------------------------------------

    def admit(self, ctx: Context, spec: Mapping[str, Any]) -> list[Server]:
        """The servers of a create request that the door has checked, as rows that wait for a host.

        ``spec`` is the body's ``server`` with ``scheduler_hints`` and ``from_volume``; things go by name. Servers
        of a request for several are ``name-1``, ``name-2``, …; a name that was used before gets a number.
        """
        count = max(int(spec.get("min_count", 1)), int(spec.get("max_count", spec.get("min_count", 1))))
        names = [spec["name"]] if count == 1 else [f"{spec['name']}-{number}" for number in range(1, count + 1)]
        return [self._row(ctx, spec, self._unused(name)) for name in names]

    def _unused(self, name: str) -> str:
        servers, number, unused = self.cloud.db.servers, 1, name
        while unused in servers:
            number += 1
            unused = f"{name}~{number}"
        return unused

    def _row(self, ctx: Context, spec: Mapping[str, Any], name: str) -> Server:
        cloud = self.cloud
        flavor = cloud.flavors[spec["flavorRef"]]
        metadata = dict(spec.get("metadata") or {})
        hints = dict(spec.get("scheduler_hints") or {})
        from_volume = bool(spec.get("from_volume"))
        server = Server(
            name, named_uuid("server", name), flavor, cloud.guests.of(metadata.pop("novasim:activity", "idle"), flavor),
            project=ctx.project, user=ctx.who, image=cloud.glance.get(spec.get("imageRef") or ""), vm_state="building",
            task_state="scheduling", power_state=states.NOSTATE, boot_from_volume=from_volume,
        )  # fmt: skip
        server.launched = None
        server.az = spec.get("availability_zone")
        group = hints.get("group")
        if group in cloud.groups:
            server.group = group
            cloud.groups[group].members.append(name)
        server.extras = {"hints": hints, "metadata": metadata} if hints or metadata else NO_EXTRAS
        cloud.db.created(server, ctx.request)
        return server

    # --- a host -------------------------------------------------------------------------------------------------------

    def build(
        self, ctx: Context, servers: Sequence[Server], *, force_host: int | None = None,
        requested_host: int | None = None,
    ) -> Steps:  # fmt: skip
        """From the door's order to servers that run, or are in error.

        All servers of a request get hosts, or none. ``force_host`` is not filtered, nor is another one tried after it.
        """
        cloud, request = self.cloud, ctx.request
        alternates = 0 if force_host is not None else self._max_attempts - 1

        def wanted(server: Server) -> SchedulerRequest:
            return SchedulerRequest.for_build(
                server, request=request, force_host=force_host, requested_host=requested_host
            )

        try:
            chosen = yield from self._schedule(servers, alternates, wanted, request)
        except NovaException as error:
            yield from self._work(ctx, servers[0])
            for server in servers:
                self._bury(ctx, server, error)
            return
        yield from self._work(ctx, servers[0])
        reschedules = self._max_attempts > 1 and force_host is None
        built = []
        for server, selection in zip(servers, chosen, strict=True):
            if server.deleted:
                cloud.placement.release_all(server)
                continue
            cloud.db.start_action(server, "create", ctx)
            attempts = Attempts(list(selection.alternates), reschedules)
            built.append((server, cloud.compute.building.build(ctx, server, selection.chosen, attempts)))
        for server, steps in built[1:]:
            cloud.cast(steps, server)
        for _, steps in built[:1]:
            yield from steps

    def _work(self, ctx: Context, server: Server) -> Steps:
        """A conductor's worker writes what it has to write.

        For new servers that is after the decision, so that another decision may fall between this one and the moment
        at which the host knows of it.
        """
        workers = self.cloud.pools.conductor
        yield from self.cloud.stages.worker(workers, "conductor", self.cloud.timings.conductor, server, ctx.request)
        workers.release()

    def _schedule(
        self, servers: Sequence[Server], alternates: int, wanted: Any, request: str
    ) -> Generator[Event, Any, list[Selection]]:
        """One call of the scheduler for all servers. Raises NoValidHost with nothing claimed."""
        cloud, workers = self.cloud, self.cloud.pools.scheduler
        yield from cloud.stages.worker(workers, "scheduler", cloud.timings.scheduler, servers[0], request)
        try:
            return cloud.scheduler.select_all([wanted(server) for server in servers], alternates)
        finally:
            workers.release()

    def _bury(self, ctx: Context, server: Server, error: NovaException) -> None:
        """No host for it: it exists only to say so."""
        if server.deleted:
            return
        db, request = self.cloud.db, ctx.request
        db.start_action(server, "create", ctx)
        event = db.start_event(server, request, "conductor_schedule_and_build_instances", CONDUCTOR)
        db.finish_event(server, request, event, error.message)
        db.save(server, request, vm_state="error", task_state=None)
        db.fault(server, error.code, error.message)

    # --- another host -------------------------------------------------------------------------------------------------

    def reschedule(self, ctx: Context, server: Server, attempts: Attempts) -> Steps:
        """A build failed: the next alternate that has room, if there may be one."""
        cloud = self.cloud
        yield from self._work(ctx, server)
        if server.deleted:
            return
        attempts.number += 1
        try:
            host = self._next(server, attempts)
        except MaxRetriesExceeded as error:
            cloud.db.save(server, ctx.request, vm_state="error", task_state=None)
            cloud.db.fault(server, error.code, error.message)
            return
        yield from cloud.compute.building.build(ctx, server, host, attempts)

    def _next(self, server: Server, attempts: Attempts) -> int:
        if attempts.number > self._max_attempts:
            raise MaxRetriesExceeded(
                f"Exceeded max scheduling attempts {self._max_attempts} for instance {server.uuid}. "
                f"Last exception: {attempts.reason}"
            )
        while attempts.alternates:
            host = attempts.alternates.pop(0)
            if self.cloud.scheduler.claim(SchedulerRequest.for_build(server), host):
                return host
        raise MaxRetriesExceeded(
            f"Exhausted all hosts available for retrying build failures for instance {server.uuid}."
        )

    # --- from the shelf -----------------------------------------------------------------------------------------------

    def unshelve(self, ctx: Context, server: Server, az: str | None = None, host: int | None = None) -> Steps:
        """A shelved server starts where it is; an offloaded one goes through the scheduler."""
        cloud, db, request = self.cloud, self.cloud.db, ctx.request
        yield from self._work(ctx, server)
        if server.deleted:
            return
        if server.vm_state == "shelved":
            db.save(server, request, task_state="powering-on")
            yield from cloud.compute.power.start(ctx, server)
            return
        if not server.boot_from_volume:
            db.finish_event(server, request, db.start_event(server, request, "get_image_info", CONDUCTOR))
        event = db.start_event(server, request, "schedule_instances", CONDUCTOR)
        try:
            chosen = yield from self._schedule(
                [server], 0,
                lambda who: SchedulerRequest.for_move(who, request=request, az=az, requested_host=host), request,
            )  # fmt: skip
        except NoValidHost as error:
            db.finish_event(server, request, event, error.message)
            db.save(server, request, task_state=None)
            return
        db.finish_event(server, request, event)
        if server.deleted:
            cloud.placement.release_all(server)
            return
        yield from cloud.compute.shelving.unshelve(ctx, server, chosen[0].chosen)
