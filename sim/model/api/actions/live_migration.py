"""Live migration, its abort and its forced completion."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

from simpy.events import Event

from sim.model.api.actions.values import true
from sim.model.api.asked import OnServer, Reply, Waiting
from sim.model.api.faults import ApiFault, unexpected_from_conductor, wrong_state
from sim.model.api.routing import Action
from sim.model.exceptions import (
    ComputeServiceUnavailable,
    DestinationHypervisorTooOld,
    InstanceInvalidState,
    InvalidHypervisorType,
    InvalidMigrationState,
    MigrationPreCheckError,
    NovaException,
    NoValidHost,
    UnableToMigrateToSelf,
)
from sim.model.migration_record import MigrationRecord

_STATES = frozenset(("active", "paused"))
_ACTIVE = frozenset(("active",))
_MIGRATING: frozenset[str | None] = frozenset(("migrating",))
_EXPECTED = (
    NoValidHost, ComputeServiceUnavailable, InvalidHypervisorType, UnableToMigrateToSelf, DestinationHypervisorTooOld,
    MigrationPreCheckError,
)  # fmt: skip
"""What is answered with 400 while the API waits for the conductor."""


def migrate_live(asked: OnServer) -> Reply | Waiting:
    """``os-migrateLive``."""
    argument, version = asked.argument, asked.version
    host: str | None = argument["host"]
    asked.can("os-migrate-server:migrate_live:host" if host else "os-migrate-server:migrate_live")
    force = None
    if version >= (2, 30):
        force = true(argument.get("force", False))
        if force and not host:
            raise ApiFault(400, "Can't force to a non-provided destination")
    block_migration: object = argument["block_migration"]
    block_migration = None if block_migration == "auto" else true(block_migration)
    asked.not_locked()
    asked.in_state(_STATES)
    dest = None
    if host:
        dest = asked.cloud.hosts.index.get(host)
        if dest is None:
            raise ApiFault(400, f"Compute host {host} could not be found.")
    asked.begin("migrating", "live-migration")
    asynchronous = version >= (2, 34)
    steps = asked.cloud.conductor.live_migration.live_migrate(
        asked.ctx, asked.server, dest, block_migration, force is not False, asynchronous
    )
    if asynchronous:
        return asked.cast(steps)
    return _wait(asked, steps)


def _wait(asked: OnServer, steps: Generator[Event, Any, None]) -> Waiting:
    """Before 2.34 the API waits for the conductor, and its errors are the answer."""
    try:
        yield from steps
    except _EXPECTED as error:
        raise ApiFault(400, error.message) from None
    except InstanceInvalidState as error:
        _, attribute, state, _ = error.args
        raise wrong_state(asked.server, asked.word, attribute, state) from None
    except NovaException as error:
        raise unexpected_from_conductor(error) from None
    return Reply(202)


def force_complete(asked: OnServer) -> Reply:
    """``force_complete`` on a migration."""
    asked.can("servers:migrations:force_complete")
    asked.not_locked()
    asked.in_state(_ACTIVE, _MIGRATING)
    migration = _migration(asked, 400)
    _in_status(migration, ("running",), "force complete")
    asked.cloud.db.start_action(asked.server, "live_migration_force_complete", asked.ctx)
    return asked.cast(asked.cloud.compute.live_migration.force_complete(asked.ctx, asked.server, migration))


def abort(asked: OnServer) -> Reply:
    """DELETE on a migration."""
    asked.can("servers:migrations:delete")
    if asked.is_locked():
        raise wrong_state(asked.server, asked.word, "", None)
    asked.in_state(None, _MIGRATING)
    migration = _migration(asked, 404)
    queued = ("queued", "preparing") if asked.version >= (2, 65) else ()
    _in_status(migration, ("running", *queued), "abort live migration")
    asked.cloud.db.start_action(asked.server, "live_migration_cancel", asked.ctx)
    asked.to_its_host()
    return asked.cast(asked.cloud.compute.live_migration.abort(asked.ctx, asked.server, migration))


def _migration(asked: OnServer, code: int) -> MigrationRecord:
    """The server's migration of the id in the URL, of whatever type."""
    for migration in asked.server.migrations:
        if migration.id == asked.migration:
            return migration
    raise ApiFault(code, f"Migration {asked.migration} not found for instance {asked.server.uuid}")


def _in_status(migration: MigrationRecord, statuses: tuple[str, ...], what: str) -> None:
    if migration.status not in statuses:
        wrong = InvalidMigrationState(migration.id, migration.server.uuid, migration.status, what)
        raise ApiFault(400, wrong.message)


ACTIONS = {"os-migrateLive": Action(migrate_live)}
ON_MIGRATION = {"force_complete": Action(force_complete, since=(2, 22))}
ABORT = Action(abort, "abort live migration", since=(2, 24))
