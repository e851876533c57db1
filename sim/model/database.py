"""Nova's tables: servers, migrations, actions, events, faults. Every change of them is made here, and recorded.

Nothing is decided here. The clock is read only to stamp records.
"""

from __future__ import annotations

import enum

import simpy

from sim.eventlog import records
from sim.eventlog.log import EventLog
from sim.model import states
from sim.model.action import ActionEvent, InstanceAction
from sim.model.context import Context
from sim.model.host import Hosts
from sim.model.migration_record import MigrationRecord
from sim.model.server import Fault, Server


class Keep(enum.Enum):
    """Marks an attribute that a save leaves as it is (None is a value)."""

    KEEP = enum.auto()


KEEP = Keep.KEEP


_IO_TASKS = frozenset({
    "resize_migrating", "rebuilding", "image_snapshot", "image_backup", "rescuing", "unshelving",
})  # fmt: skip
"""Tasks that Nova's compute counts as I/O operations of its host, besides builds.

It counts ``resize_prep`` too, but the API sets that, and a host learns of it only once a minute: the scheduler that
is asked where to resize to has never heard of this very resize.
"""


def _busy(server: Server) -> bool:
    """Whether the server counts among its host's I/O operations."""
    return server.vm_state == "building" or server.task_state in _IO_TASKS


def _action(server: Server, request: str) -> InstanceAction | None:
    """The server's action of that request, if it has a row: nearly always its latest."""
    actions = server.actions
    if actions and actions[-1].request == request:
        return actions[-1]
    for action in reversed(actions):
        if action.request == request:
            return action
    return None


class Database:
    """All rows, by name and by id, and the one way to change them."""

    def __init__(self, env: simpy.Environment, log: EventLog, hosts: Hosts) -> None:
        self.env, self.log, self.hosts = env, log, hosts
        self.servers: dict[str, Server] = {}
        """By name, in order of creation; deleted servers stay (``server.deleted``)."""
        self.migrations: list[MigrationRecord] = []
        """``migrations[id - 1]`` has that id."""
        self.on_host: dict[int, dict[str, Server]] = {}
        """Host index → its servers by name."""
        self._requests = 0

    # --- servers

    def add_server(self, server: Server) -> None:
        """Enter a server that exists at the start, or (with :meth:`created`) a new one. Writes no record."""
        self.servers[server.name] = server
        if server.host is not None:
            self._arrive(server, server.host)

    def created(self, server: Server, request: str | None) -> None:
        """Enter a new server, and record it."""
        self.add_server(server)
        self.log.append(
            records.ServerCreated(
                self.env.now, server.name, server.uuid, server.project, server.flavor.name, request,
                server.boot_from_volume, server.guest.cpu,
            )
        )  # fmt: skip
        self.record_server(server, request)

    def save(
        self,
        server: Server,
        request: str | None,
        *,
        vm_state: str | Keep = KEEP,
        task_state: str | Keep | None = KEEP,
        power_state: int | Keep = KEEP,
        host: int | Keep | None = KEEP,
    ) -> None:
        """Change a server's states and host in one step, and record it if anything changed."""
        changed = False
        was_busy = _busy(server)
        if vm_state is not KEEP and vm_state != server.vm_state:
            server.vm_state = vm_state
            changed = True
        if task_state is not KEEP and task_state != server.task_state:
            server.task_state = task_state
            changed = True
        if power_state is not KEEP and power_state != server.power_state:
            server.power_state = power_state
            changed = True
        if host is not KEEP and host != server.host:
            if server.host is not None:
                self._leave(server, server.host, was_busy)
            server.host = host
            if host is not None:
                self._arrive(server, host)
            changed = True
        elif changed and server.host is not None and was_busy != _busy(server):
            self.hosts.io_ops[server.host] += -1 if was_busy else 1
            self.hosts.journal.add(server.host)
        if changed:
            self.record_server(server, request)

    def record_server(self, server: Server, request: str | None) -> None:
        """Record a server as it now is."""
        host = server.host
        self.log.append(
            records.ServerState(
                self.env.now, server.name, server.vm_state, server.task_state, server.power_state,
                None if host is None else self.hosts.names[host], server.flavor.name,
                states.status(server.vm_state, server.task_state), server.locked_by is not None, request,
            )
        )  # fmt: skip

    def delete_server(self, server: Server, request: str | None) -> None:
        """The server is gone: vm_state deleted, no task, terminated."""
        server.terminated = self.env.now
        server.deleted = True
        if server.host is not None:
            self._leave(server, server.host, _busy(server))
        server.vm_state, server.task_state = "deleted", None
        self.log.append(records.ServerDeleted(self.env.now, server.name, request))

    def fault(self, server: Server, code: int, message: str, details: str = "") -> None:
        """Attach a fault to a server."""
        server.fault = Fault(code, message, details, self.env.now)
        self.log.append(records.ServerFault(self.env.now, server.name, code, message, details))

    def set_host(self, server: Server, host: int | None) -> None:
        """Where a server is when the simulation begins. Writes no record."""
        if server.host is not None:
            self._leave(server, server.host, _busy(server))
        server.host = host
        if host is not None:
            self._arrive(server, host)

    def _arrive(self, server: Server, host: int) -> None:
        self.on_host.setdefault(host, {})[server.name] = server
        self._count(host, 1, _busy(server))

    def _leave(self, server: Server, host: int, busy: bool) -> None:
        del self.on_host[host][server.name]
        self._count(host, -1, busy)

    def _count(self, host: int, change: int, busy: bool) -> None:
        hosts = self.hosts
        hosts.instances[host] += change
        if busy:
            hosts.io_ops[host] += change
        hosts.journal.add(host)

    # --- migrations

    def create_migration(
        self, server: Server, type: str, status: str, source: int | None, request: str | None, dest: int | None = None
    ) -> MigrationRecord:
        """A new migration record."""
        migration = self.add_migration(server, type, status, source, dest, request)
        self._record_migration(migration)
        return migration

    def add_migration(
        self, server: Server, type: str, status: str, source: int | None, dest: int | None, request: str | None = None
    ) -> MigrationRecord:
        """Enter a migration that exists at the start. Writes no record."""
        migration = MigrationRecord(len(self.migrations) + 1, server, type, status, source, self.env.now, request)
        migration.dest = dest
        self.migrations.append(migration)
        server.migrations = (*server.migrations, migration)
        return migration

    def save_migration(self, migration: MigrationRecord, status: str, dest: int | Keep | None = KEEP) -> None:
        """Set a migration's status (and destination), and record it; ``updated`` moves with every save."""
        migration.status = status
        if dest is not KEEP:
            migration.dest = dest
        migration.updated = self.env.now
        self._record_migration(migration)

    def _record_migration(self, migration: MigrationRecord) -> None:
        names, source, dest = self.hosts.names, migration.source, migration.dest
        self.log.append(
            records.MigrationState(
                self.env.now, migration.id, migration.server.name, migration.type, migration.status,
                "" if source is None else names[source], None if dest is None else names[dest], migration.request,
            )
        )  # fmt: skip

    # --- actions

    def start_action(self, server: Server, action: str, context: Context) -> InstanceAction:
        """An instance action begins."""
        started = InstanceAction(action, context.request, context.who, context.project, self.env.now)
        server.actions = (*server.actions, started)
        self.log.append(records.ActionStarted(self.env.now, server.name, action, context.request))
        return started

    def start_event(self, server: Server, request: str, event: str, host: str) -> ActionEvent:
        """An event of the server's action of that request begins. (A request without an action has no row for it.)"""
        now = self.env.now
        started = ActionEvent(event, host, now)
        action = _action(server, request)
        if action is not None:
            for row in action.events:
                if row.event == event:
                    started.first = row
                    break
            action.events.append(started)
        self.log.append(records.EventStarted(now, server.name, request, event, host))
        return started

    def finish_event(self, server: Server, request: str, event: ActionEvent, error: str | None = None) -> None:
        """An event ends, well or with ``error`` as its details; a failed event marks its action.

        As in Nova it is the first event of that name in the action whose row is written, each time one ends, and
        details stay there when a later one ends well.
        """
        row, now = event.first or event, self.env.now
        result = "Success"
        if error is not None:
            result = "Error"
            action = _action(server, request)
            if action is not None:
                action.message = "Error"
        row.finished, row.result = now, result
        if error:
            row.details = error
        self.log.append(records.EventFinished(now, server.name, request, event.event, event.host, result, error))

    def next_request_id(self) -> str:
        """A request id that is the same in every run of the same scenario and seed."""
        self._requests += 1
        return f"req-{self._requests:08d}"
