"""A claim on a host that the caller forced: nobody chooses, so what is held already is claimed once more."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from sim.model.exceptions import NoValidHost
from sim.model.flavor import Resources

if TYPE_CHECKING:
    from sim.model.cloud import Cloud
    from sim.model.server import Server


def claim_forced(cloud: Cloud, server: Server, host: int, held: Mapping[int, Resources], wanted: Resources) -> None:
    """Claim ``wanted`` on the host. Raises NoValidHost if it has no room, or several hosts hold the server (``held``).

    Several hold a server that was evacuated and whose old host has not let go of it yet. Source: Nova's
    ``claim_resources_on_destination``.
    """
    unable = f"Unable to move instance {server.uuid} to host {cloud.hosts.names[host]}."
    if len(held) > 1:
        raise NoValidHost(f"{unable} The instance has complex allocations on the source host so move cannot be forced.")
    if not cloud.placement.claim(server, host, wanted):
        raise NoValidHost(f"{unable} There is not enough capacity on the host for the instance.")
