"""Evacuated servers on their new hosts, and what the old host does with its leftovers when it is back."""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING, Any

from simpy.events import Event

from sim.eventlog import records
from sim.model import states
from sim.model.compute.live_work import SourceDiedError
from sim.model.context import Context
from sim.model.exceptions import BuildAbortException, MigrationError
from sim.model.host import UP
from sim.model.migration_record import MigrationRecord
from sim.model.server import Server

if TYPE_CHECKING:
    from sim.model.action import ActionEvent
    from sim.model.cloud import Cloud

Steps = Generator[Event, Any, None]
_UNDER_WAY = ("accepted", "pre-migrating", "done")


class Rebuilding:
    """``compute.rebuilding``."""

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud
        self._from: dict[int, list[MigrationRecord]] = {}
        """Host → evacuations away from it that it does not know of yet."""

    def expect(self, migration: MigrationRecord) -> None:
        """An evacuation begins: its source will have to clean up after it."""
        assert migration.source is not None
        self._from.setdefault(migration.source, []).append(migration)

    def rebuild(
        self, ctx: Context, server: Server, migration: MigrationRecord, dest: int, target_stopped: bool
    ) -> Steps:  # fmt: skip
        """The destination's part; never raises Nova's errors."""
        hosts = self.cloud.hosts
        while hosts.power[dest] != UP:
            yield self.cloud.failures.when_back(dest)
        boot = hosts.crashes[dest]
        event = self.cloud.db.start_event(server, ctx.request, "compute_rebuild_instance", hosts.names[dest])
        try:
            yield from self._rebuild(ctx, server, migration, dest, boot, event, target_stopped)
        except SourceDiedError:
            return

    def _rebuild(
        self, ctx: Context, server: Server, migration: MigrationRecord, dest: int, boot: int, event: ActionEvent,
        target_stopped: bool,
    ) -> Steps:  # fmt: skip
        cloud, db, request = self.cloud, self.cloud.db, ctx.request
        before = server.vm_state
        target = "stopped" if target_stopped and before != "error" else before
        db.save_migration(migration, "pre-migrating", dest)
        if self.group_is_full(server, dest):
            self._refused(ctx, server, migration, dest, event)
            return
        db.save(server, request, power_state=states.NOSTATE)
        began = cloud.env.now
        duration = cloud.streams.draw(cloud.timings.rebuild, "rebuild", server.name) * cloud.hosts.slow[dest]
        db.save(server, request, task_state="rebuild_block_device_mapping")
        yield cloud.env.timeout(_MAPPING * duration)
        yield from self._check(dest, boot)
        if self._gone(ctx, server, migration, event):
            return
        db.save(server, request, task_state="rebuild_spawning")
        if not (cloud.shared_storage or server.boot_from_volume):
            yield from cloud.images.fetch(dest, server.image, server, request)
        yield cloud.env.timeout((1 - _MAPPING) * duration)
        yield from self._check(dest, boot)
        fails = "rebuild" in cloud.hosts.fails[dest]
        name = cloud.hosts.names[dest]
        cloud.log.append(
            records.Step(cloud.env.now, server.name, request, "rebuild", name, began, "failed" if fails else "done")
        )
        if self._gone(ctx, server, migration, event):
            return
        if fails:
            self._failed(ctx, server, migration, dest, event, str(MigrationError(f"rebuild fails on {name}")))
            return
        db.save(server, request, vm_state="active", task_state=None, power_state=states.RUNNING)
        if target == "stopped":
            yield from self._stop(ctx, server, dest, boot)
        self._moved(ctx, server, migration, dest, event)

    def _stop(self, ctx: Context, server: Server, dest: int, boot: int) -> Steps:
        """Started, then stopped again: as Nova does it."""
        cloud, db, request = self.cloud, self.cloud.db, ctx.request
        db.save(server, request, task_state="powering-off")
        event = db.start_event(server, request, "compute_stop_instance", cloud.hosts.names[dest])
        yield from cloud.stages.host(cloud.timings.stop, "stop", dest, server, request)
        yield from self._check(dest, boot)
        db.save(server, request, vm_state="stopped", task_state=None, power_state=states.SHUTDOWN)
        db.finish_event(server, request, event)

    def _moved(
        self, ctx: Context, server: Server, migration: MigrationRecord, dest: int, event: ActionEvent
    ) -> None:  # fmt: skip
        cloud, db = self.cloud, self.cloud.db
        source = migration.source
        assert source is not None
        db.save(server, ctx.request, host=dest)
        db.save_migration(migration, "done")
        db.finish_event(server, ctx.request, event)
        if migration in self._from.get(source, ()):
            server.evacuated_from += (source,)
        cloud.failures.evacuated(server, source)

    def _check(self, dest: int, boot: int) -> Steps:
        """Wait while the host cannot speak to anybody; raises SourceDiedError when its work is gone."""
        hosts = self.cloud.hosts
        while hosts.crashes[dest] == boot and hosts.power[dest] != UP:
            yield self.cloud.failures.when_back(dest)
        if hosts.crashes[dest] != boot:
            raise SourceDiedError

    # --- what goes wrong ----------------------------------------------------------------------------------------------

    def _gone(self, ctx: Context, server: Server, migration: MigrationRecord, event: ActionEvent) -> bool:
        """Whether the server was deleted meanwhile: then the rebuild ends here."""
        if not server.deleted:
            return False
        self.cloud.db.save_migration(migration, "failed")
        self.cloud.db.finish_event(server, ctx.request, event)
        return True

    def _refused(
        self, ctx: Context, server: Server, migration: MigrationRecord, dest: int, event: ActionEvent
    ) -> None:  # fmt: skip
        """The late check of the server group: the server is as before."""
        db = self.cloud.db
        db.save_migration(migration, "failed")
        self._drop(server, dest)
        db.save(server, ctx.request, task_state=None)
        reason = "Anti-affinity" if "anti" in self.cloud.groups[server.group or ""].policy else "Affinity"
        again = f"Build of instance {server.uuid} was re-scheduled: {reason} instance group policy was violated."
        message = str(BuildAbortException(server.uuid, again))
        db.fault(server, 500, message)
        db.finish_event(server, ctx.request, event, message)

    def _failed(
        self, ctx: Context, server: Server, migration: MigrationRecord, dest: int, event: ActionEvent, message: str
    ) -> None:  # fmt: skip
        db = self.cloud.db
        db.save_migration(migration, "failed")
        self._drop(server, dest)
        db.save(server, ctx.request, vm_state="error")
        db.fault(server, 500, message)
        db.finish_event(server, ctx.request, event, message)
        db.save(server, ctx.request, task_state=None)

    def _drop(self, server: Server, dest: int) -> None:
        if dest in server.held and server.host != dest:
            self.cloud.placement.release(server, dest)

    def group_is_full(self, server: Server, host: int) -> bool:
        """Whether the server's group forbids the host, by what is there now (hosts check again what was scheduled)."""
        if server.group is None:
            return False
        group = self.cloud.groups[server.group]
        servers = self.cloud.db.servers
        members = [servers[name] for name in group.members if name in servers and name != server.name]
        there = sum(member.host == host and not member.deleted for member in members)
        if group.policy == "anti-affinity":
            return there >= int(group.rules.get("max_server_per_host", 1))
        if group.policy == "affinity":
            return not there and any(member.host is not None and not member.deleted for member in members)
        return False

    # --- the old host is back -----------------------------------------------------------------------------------------

    def host_returned(self, host: int) -> None:
        """nova-compute starts again: it destroys what was evacuated, and gives back what those servers held here."""
        cloud = self.cloud
        last = {migration.server: migration for migration in self._from.pop(host, ())
                if migration.status in _UNDER_WAY}  # fmt: skip
        for server, migration in last.items():
            if not server.deleted and host in server.held and server.host != host:
                cloud.placement.release(server, host)
            server.evacuated_from = tuple(other for other in server.evacuated_from if other != host)
            cloud.db.save_migration(migration, "completed")


_MAPPING = 0.2
"""Part of the rebuild before the guest is made: claim, networks, volumes (assumed; the sum is what was measured)."""
