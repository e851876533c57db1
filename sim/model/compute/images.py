"""Images on compute hosts: fetched once over the network, then kept; who needs one that is on its way waits for it."""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING, Any

from simpy.events import Event

from sim.eventlog import records
from sim.model.network.transfer import ByteCopy

if TYPE_CHECKING:
    from sim.model.cloud import Cloud
    from sim.model.flavor import Image
    from sim.model.server import Server

PATIENCE_S = 60.0
"""Without a byte for this long a download is given up (requests' and glanceclient's usual time-outs; assumed)."""


class Images:
    """Each host's image cache."""

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud
        self._has: set[tuple[int, str]] = set()
        self._coming: dict[tuple[int, str], Event] = {}

    def fetch(
        self, host: int, image: Image | None, server: Server, request: str, *, keep: bool = True
    ) -> Generator[Event, Any, bool]:  # fmt: skip
        """Bring the image to the host. False if nothing more came for a minute: it is not there then.

        ``keep``: in the host's cache, where it has one.
        """
        cloud = self.cloud
        if image is None or self._cached(host, image, server):
            return True
        key, began = (host, image.name), cloud.env.now
        coming = self._coming.get(key)
        if coming is not None and cloud.storage.image_cache:
            yield coming
            cloud.log.append(records.Waited(cloud.env.now, "image", server.name, request, began))
            return key in self._has
        copy = ByteCopy(image.size_b, cloud.storage.image_rate, PATIENCE_S)
        flow = cloud.flows.start(
            copy, host, host, label=("image", server.name), route=cloud.flows.topology.ingress(host)
        )
        self._coming[key] = flow.done
        yield flow.done
        if self._coming.get(key) is flow.done:
            del self._coming[key]
        if keep and cloud.storage.image_cache and not copy.failed:
            self._has.add(key)
        outcome = "failed" if copy.failed else "done"
        cloud.log.append(
            records.Step(cloud.env.now, server.name, request, "image", cloud.hosts.names[host], began, outcome)
        )
        return not copy.failed

    def _cached(self, host: int, image: Image, server: Server) -> bool:
        """An image that another server on the host was made from is there, too."""
        if not self.cloud.storage.image_cache:
            return False
        key = (host, image.name)
        if key not in self._has and any(
            other.image is image and other is not server and not other.boot_from_volume and other.vm_state != "building"
            for other in self.cloud.db.on_host.get(host, {}).values()
        ):
            self._has.add(key)
        return key in self._has
