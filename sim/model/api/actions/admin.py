"""What administrators do to a server's row: reset its state, inject network information."""

from __future__ import annotations

from sim.model.api.asked import ACCEPTED, OnServer, Reply
from sim.model.api.routing import Action


def reset_state(asked: OnServer) -> Reply:
    """``os-resetState``: at once, whatever goes on, and nothing that goes on is stopped by it."""
    asked.can("os-admin-actions:reset_state")
    db, server = asked.cloud.db, asked.server
    db.start_action(server, "resetState", asked.ctx)
    db.save(server, asked.ctx.request, vm_state=asked.argument["state"], task_state=None)
    return ACCEPTED


def inject_network_info(asked: OnServer) -> Reply:
    """``injectNetworkInfo``: nothing of it can be seen."""
    asked.can("os-admin-actions:inject_network_info")
    asked.not_locked()
    asked.to_its_host()
    return ACCEPTED


ACTIONS = {"os-resetState": Action(reset_state), "injectNetworkInfo": Action(inject_network_info)}
