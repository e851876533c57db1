"""Rescue and the way back."""

from __future__ import annotations

from sim.model.api.actions.values import password
from sim.model.api.asked import OnServer, Reply
from sim.model.api.faults import ApiFault
from sim.model.api.routing import Action

_STATES = frozenset(("active", "stopped", "error"))
_RESCUED = frozenset(("rescued",))


def rescue(asked: OnServer) -> Reply:
    """``rescue``. Volume-backed servers can be rescued from 2.87, with an image made for it."""
    asked.can("os-rescue")
    wanted = asked.argument or {}
    asked.not_locked()
    asked.in_state(_STATES)
    cloud, server = asked.cloud, asked.server
    image, named = server.image, wanted.get("rescue_image_ref")
    if named:
        image = cloud.glance.get(named)
        if image is None:
            raise ApiFault(400, f"Requested rescue image '{named}' is not supported")
    properties = {} if image is None else image.properties
    stable = "hw_rescue_bus" in properties and "hw_rescue_device" in properties
    if server.boot_from_volume and not (asked.version >= (2, 87) and stable):
        raise ApiFault(400, f"Instance {server.uuid} cannot be rescued: Cannot rescue a volume-backed instance")
    asked.begin("rescuing", "rescue")
    asked.to_its_host()
    asked.cast(cloud.compute.rescue.rescue(asked.ctx, server))
    if not cloud.options["api.enable_instance_password"]:
        return Reply(200, {})
    return Reply(200, {"adminPass": password(cloud, server.name, wanted)})


def unrescue(asked: OnServer) -> Reply:
    """``unrescue``."""
    asked.can("os-unrescue")
    asked.not_locked()
    asked.in_state(_RESCUED)
    asked.begin("unrescuing", "unrescue")
    asked.to_its_host()
    return asked.cast(asked.cloud.compute.rescue.unrescue(asked.ctx, asked.server))


ACTIONS = {"rescue": Action(rescue), "unrescue": Action(unrescue)}
