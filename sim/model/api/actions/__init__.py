"""The actions of the one door, a module for each family. Each is a function of what was asked."""

from __future__ import annotations

from sim.model.api.actions import evacuate, live_migration
from sim.model.api.routing import Action

ACTIONS: dict[str, Action] = {**live_migration.ACTIONS, **evacuate.ACTIONS}
"""Key of the request's body → what it does."""
