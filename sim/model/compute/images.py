"""Images on compute hosts: fetched once over the network, then kept; who needs one that is on its way waits for it."""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING, Any

from simpy.events import Event

from sim.eventlog import records
from sim.model.compute.host_slots import HostSlots
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
        self.disk_ops = HostSlots(cloud, int(cloud.options["compute.max_concurrent_disk_ops"]), "disk_ops")
        """What Nova counts as work for a host's disk: downloads, snapshots being made, uploads."""
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
        key, boot = (host, image.name), cloud.hosts.crashes[host]
        while cloud.storage.image_cache and (coming := self._coming.get(key)) is not None:
            asked = cloud.env.now
            yield coming
            cloud.log.append(records.Waited(cloud.env.now, "image", server.name, request, asked))
            if cloud.hosts.crashes[host] != boot:
                return False
            if key in self._has:
                return True  # else it is the first of those who waited that tries next
        over = self._coming[key] = cloud.env.event()
        there = yield from self._download(host, image, server, request)
        if self._coming.get(key) is over:
            del self._coming[key]
        if keep and cloud.storage.image_cache and there:
            self._has.add(key)
        over.succeed()
        return there

    def _download(self, host: int, image: Image, server: Server, request: str) -> Generator[Event, Any, bool]:
        """Whether the image came; not if the host died before it was its turn."""
        cloud, boot = self.cloud, self.cloud.hosts.crashes[host]
        slots = yield from self.disk_ops.enter(host, server, request)
        try:
            if cloud.hosts.crashes[host] != boot:
                return False
            began = cloud.env.now
            copy = ByteCopy(image.size_b, cloud.storage.image_rate, PATIENCE_S)
            flow = cloud.flows.start(
                copy, host, host, label=("image", server.name), route=cloud.flows.topology.ingress(host)
            )
            yield flow.done
        finally:
            slots.release()
        name, outcome = cloud.hosts.names[host], "failed" if copy.failed else "done"
        cloud.log.append(records.Step(cloud.env.now, server.name, request, "image", name, began, outcome))
        return not copy.failed

    def host_died(self, host: int) -> None:
        """What came to the host, or went from it to the image service, breaks off; what has come is on its disk."""
        for flow in self.cloud.flows.at_host(host):
            if flow.label[0] == "image" and isinstance(flow.transfer, ByteCopy):
                self.cloud.flows.command(flow, flow.transfer.break_off)

    def _cached(self, host: int, image: Image, server: Server) -> bool:
        """An image that a guest on the host was made from is there, too."""
        if not self.cloud.storage.image_cache:
            return False
        key = (host, image.name)
        if key not in self._has and any(
            other.image is image
            and other is not server
            and not other.boot_from_volume
            and other.vm_state != "building"
            and not other.unmade
            for other in self.cloud.db.on_host.get(host, {}).values()
        ):
            self._has.add(key)
        return key in self._has
