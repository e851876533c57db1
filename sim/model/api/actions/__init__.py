"""The actions of the one door, a module for each family. Each is a function of what was asked."""

from __future__ import annotations

from sim.model.api.actions import (
    admin,
    cold_migration,
    delete,
    evacuate,
    image,
    live_migration,
    lock,
    power,
    rescue,
    shelve,
)
from sim.model.api.routing import Action

ON_SERVER: dict[str, Action] = {
    **live_migration.ACTIONS, **cold_migration.ACTIONS, **evacuate.ACTIONS, **admin.ACTIONS, **power.ACTIONS,
    **shelve.ACTIONS, **rescue.ACTIONS, **lock.ACTIONS, **delete.ACTIONS, **image.ACTIONS,
}  # fmt: skip
"""POST on a server: key of the request's body → what it does."""
ON_MIGRATION: dict[str, Action] = live_migration.ON_MIGRATION
"""POST on a server's migration."""
