"""Shelving, offloading and the way back."""

from __future__ import annotations

from typing import Any

from sim.model.api.asked import OnServer, Reply
from sim.model.api.faults import ApiFault
from sim.model.api.routing import Action
from sim.model.api.zones import available_zones, zone_of

_SHELVABLE = frozenset(("active", "stopped", "paused", "suspended"))
_SHELVED = frozenset(("shelved",))
_ON_SHELF = frozenset(("shelved", "shelved_offloaded"))


def shelve(asked: OnServer) -> Reply:
    """``shelve``; a server that boots from a volume is offloaded at once."""
    asked.can("os-shelve:shelve")
    asked.not_locked()
    asked.in_state(_SHELVABLE)
    asked.begin("shelving", "shelve")
    asked.to_its_host()
    return asked.cast(asked.cloud.compute.shelving.shelve(asked.ctx, asked.server))


def shelve_offload(asked: OnServer) -> Reply:
    """``shelveOffload``."""
    asked.can("os-shelve:shelve_offload")
    asked.not_locked()
    asked.in_state(_SHELVED)
    asked.begin("shelving_offloading", "shelveOffload")
    asked.to_its_host()
    return asked.cast(asked.cloud.compute.shelving.offload(asked.ctx, asked.server))


def unshelve(asked: OnServer) -> Reply:
    """``unshelve``; from 2.77 into another zone, from 2.91 to a host, or (zone null) no longer pinned to a zone."""
    asked.can("os-shelve:unshelve")
    wanted: dict[str, Any] = asked.argument if isinstance(asked.argument, dict) else {}
    names_zone = asked.version >= (2, 77) and "availability_zone" in wanted
    zone: str | None = wanted.get("availability_zone") if names_zone else asked.server.az
    name: str | None = wanted.get("host") if asked.version >= (2, 91) else None
    asked.not_locked()
    asked.in_state(_ON_SHELF)
    if names_zone or name:
        _check_offloaded(asked)
    if names_zone and zone and zone not in available_zones(asked.cloud):
        raise ApiFault(400, "The requested availability zone is not available")
    host = _host(asked, name, zone) if name else None
    asked.server.az = zone
    asked.begin("unshelving", "unshelve")
    return asked.cast(asked.cloud.conductor.building.unshelve(asked.ctx, asked.server, zone, host))


def _check_offloaded(asked: OnServer) -> None:
    server = asked.server
    if server.vm_state != "shelved_offloaded":
        raise ApiFault(
            409, f'Specifying an availability zone or a host when unshelving server "{server.uuid}" with status '
            f'"{server.vm_state}" is not supported. The server status must be SHELVED_OFFLOADED.',
        )  # fmt: skip


def _host(asked: OnServer, name: str, zone: str | None) -> int:
    """The host asked for: only for administrators, known, and in the zone."""
    asked.can("os-shelve:unshelve_to_host")
    host = asked.cloud.hosts.index.get(name)
    if host is None:
        raise ApiFault(400, f"Compute host {name} could not be found.")
    if zone is not None and zone_of(asked.cloud, host) != zone:
        raise ApiFault(409, f'Host "{name}" is not in the availability zone "{zone}".')
    return host


ACTIONS = {
    "shelve": Action(shelve), "shelveOffload": Action(shelve_offload), "unshelve": Action(unshelve),
}  # fmt: skip
