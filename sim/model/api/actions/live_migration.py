"""Live migration, its abort and its forced completion."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

from simpy.events import Event

from sim.model.api.actions.values import true
from sim.model.api.asked import Asked, Reply, Waiting, refused
from sim.model.api.faults import ApiFault, unexpected_from_conductor
from sim.model.api.routing import Action
from sim.model.exceptions import (
    ComputeServiceUnavailable,
    DestinationHypervisorTooOld,
    InvalidHypervisorType,
    MigrationPreCheckError,
    NovaException,
    NoValidHost,
    UnableToMigrateToSelf,
)

_STATES = frozenset(("active", "paused"))
_ACTIVE = frozenset(("active",))
_MIGRATING: frozenset[str | None] = frozenset(("migrating",))
_EXPECTED = (
    NoValidHost, ComputeServiceUnavailable, InvalidHypervisorType, UnableToMigrateToSelf, DestinationHypervisorTooOld,
    MigrationPreCheckError,
)  # fmt: skip
"""What the API answers with 400 while it waits for the conductor; the rest is an unexpected error."""


def migrate_live(asked: Asked) -> Reply | Waiting:
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
    return _wait(steps)


def _wait(steps: Generator[Event, Any, None]) -> Waiting:
    """Before 2.34 the worker waits for the conductor, and its errors are the answer."""
    try:
        yield from steps
    except _EXPECTED as error:
        raise refused(error, 400) from None
    except NovaException as error:
        raise unexpected_from_conductor(error) from None
    return Reply(202)


ACTIONS = {"os-migrateLive": Action(migrate_live)}
