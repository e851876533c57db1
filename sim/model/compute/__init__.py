"""Compute hosts: what each operation does on them, stage by stage."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sim.model.compute.audit import Audit
from sim.model.compute.building import Builder
from sim.model.compute.deleting import Deleting
from sim.model.compute.live_migration import LiveMigrations
from sim.model.compute.orders import Locks
from sim.model.compute.power import Power
from sim.model.compute.rebuilding import Rebuilding
from sim.model.compute.rescue import Rescue
from sim.model.compute.resize import Resize
from sim.model.compute.restart import Restart
from sim.model.compute.shelving import Shelving
from sim.model.compute.snapshots import Snapshots
from sim.model.compute.uptime import Uptime

if TYPE_CHECKING:
    from sim.model.cloud import Cloud


class Compute:
    """All that nova-compute does, on whichever host."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud
        self.locks = Locks(cloud.env)
        self.uptime = Uptime(cloud)
        self.live_migration = LiveMigrations(cloud)
        self.rebuilding = Rebuilding(cloud)
        self.resize = Resize(cloud)
        self.building = Builder(cloud)
        self.power = Power(cloud)
        self.shelving = Shelving(cloud)
        self.rescue = Rescue(cloud)
        self.deleting = Deleting(cloud)
        self.snapshots = Snapshots(cloud)
        self.restart = Restart(cloud)
        self.audit = Audit(cloud)

    def host_died(self, host: int) -> None:
        """All that ran on the host is gone."""
        self.uptime.host_died(host)
        self.live_migration.host_died(host)
        self.resize.host_died(host)
        self._cloud.images.host_died(host)

    def host_returned(self, host: int) -> None:
        """nova-compute starts on the host, and looks at what it finds there: first at what was evacuated from it."""
        evacuated = self.rebuilding.host_returned(host)
        self.live_migration.host_returned(host)
        self.resize.host_returned(host)
        self.restart.host_returned(host, evacuated)
