"""What nova-compute does with each server of its host when it starts again."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sim.model.cloud import Cloud

_BUILDING = frozenset({"scheduling", "block_device_mapping", "networking", "spawning"})


class Restart:
    """``compute.restart``."""

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud

    def host_returned(self, host: int) -> None:
        """nova-compute starts again on the host."""
        db = self.cloud.db
        for server in list(db.on_host.get(host, {}).values()):
            if server.vm_state == "building" or server.task_state in _BUILDING:
                db.save(server, None, vm_state="error", task_state=None)
