"""The conductor: operations that choose hosts and tie computes together."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sim.model.conductor.building import Building
from sim.model.conductor.cold_migration import ColdMigration
from sim.model.conductor.evacuation import Evacuation
from sim.model.conductor.live_migration import LiveMigrationConductor

if TYPE_CHECKING:
    from sim.model.cloud import Cloud


class Conductor:
    """All that nova-conductor does."""

    def __init__(self, cloud: Cloud) -> None:
        self.live_migration = LiveMigrationConductor(cloud)
        self.evacuation = Evacuation(cloud)
        self.cold_migration = ColdMigration(cloud)
        self.building = Building(cloud)
