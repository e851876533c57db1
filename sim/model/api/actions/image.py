"""Images made of servers."""

from __future__ import annotations

from sim.model.api.asked import OnServer, Reply
from sim.model.api.routing import Action
from sim.model.identity import named_uuid

_STATES = frozenset(("active", "stopped", "paused", "suspended"))
_API = "api"


def create_image(asked: OnServer) -> Reply:
    """``createImage``: a lock does not stand in its way. Volumes are cloned in the storage, while the API waits."""
    asked.can("servers:create_image")
    cloud, server, ctx = asked.cloud, asked.server, asked.ctx
    image = named_uuid("image", ctx.request)
    reply = Reply(202, {"image_id": image} if asked.version >= (2, 45) else None)
    if server.boot_from_volume:
        asked.can("servers:create_image:allow_volume_backed")
        asked.in_state(_STATES)
        cloud.db.start_action(server, "createImage", ctx)
        event = cloud.db.start_event(server, ctx.request, "api_snapshot_instance", _API)
        cloud.db.finish_event(server, ctx.request, event)
        return reply
    asked.in_state(_STATES)
    asked.begin("image_snapshot_pending", "createImage")
    asked.to_its_host()
    return asked.cast(cloud.compute.snapshots.snapshot(ctx, server), reply)


ACTIONS = {"createImage": Action(create_image)}
