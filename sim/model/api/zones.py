"""Availability zones, as the API sees them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sim.model.cloud import Cloud


def zone_of(cloud: Cloud, host: int) -> str:
    """The zone that a host is in."""
    return cloud.hosts.zones[host]


def available_zones(cloud: Cloud) -> frozenset[str]:
    """Zones with at least one host whose service is not disabled."""
    disabled = cloud.hosts.disabled
    return frozenset(zone for zone, off in zip(cloud.hosts.zones, disabled.tolist(), strict=True) if not off)
