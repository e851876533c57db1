"""Evacuation: a server's move away from a host that is down."""

from __future__ import annotations

from sim.model.api.actions.values import password, true
from sim.model.api.asked import OnServer, Reply
from sim.model.api.faults import ApiFault, unexpected
from sim.model.api.routing import Action

_STATES = frozenset(("active", "stopped", "error"))
_STOPPED_SINCE = 62
"""Version of the compute service from which an evacuated server can be left stopped (2.95)."""


def evacuate(asked: OnServer) -> Reply:
    """``evacuate``. Neither lock nor task_state stand in its way."""
    cloud, server, argument, version = asked.cloud, asked.server, asked.argument, asked.version
    asked.can("os-evacuate")
    host: str | None = argument.get("host")
    target_stopped = version >= (2, 95)
    if target_stopped:
        _services_can_leave_it_stopped(asked)
    force = None
    if version >= (2, 29):
        force = true(argument.get("force", False))
        if force and not host:
            raise ApiFault(400, "Can't force to a non-provided destination")
    on_shared = true(argument["onSharedStorage"]) if version < (2, 14) else None
    if on_shared and "adminPass" in argument:
        raise ApiFault(400, "admin password can't be changed on existing disk")
    dest = None
    if host is not None:
        dest = cloud.hosts.index.get(host)
        if dest is None:
            raise ApiFault(404, f"Compute host {host} not found.")
    if server.host == dest:
        raise ApiFault(400, "The target host can't be the same one.")
    asked.in_state(_STATES, None)
    source = server.host
    if source is None:
        raise unexpected("nova.exception.ComputeHostNotFound")
    if cloud.service_group.is_up(source):
        raise ApiFault(400, f"Compute service of {cloud.hosts.names[source]} is still in use.")
    asked.begin("rebuilding", "evacuate")
    migration = cloud.db.create_migration(server, "evacuation", "accepted", source, asked.ctx.request, dest)
    if server.move_claim is not None:
        cloud.compute.audit.watch(server)
    asked.cast(
        cloud.conductor.evacuation.rebuild(
            asked.ctx, server, migration, dest, dest is not None and force is not False, target_stopped, on_shared
        )
    )
    return _answer(asked)


def _services_can_leave_it_stopped(asked: OnServer) -> None:
    oldest = min(asked.cloud.hosts.service_version)
    if oldest < _STOPPED_SINCE:
        raise ApiFault(
            400, "Starting with microversion 2.95, evacuate API will stop instance on destination. To evacuate before "
            "upgrades are complete please use an older microversion. Required version for compute "
            f"{_STOPPED_SINCE}, current version {oldest}",
        )  # fmt: skip


def _answer(asked: OnServer) -> Reply:
    """Before 2.14 the answer tells the password, where the deployment has passwords at all."""
    options, argument = asked.cloud.options, asked.argument
    if asked.version >= (2, 14) or not options["api.enable_instance_password"]:
        return Reply(200)
    if "adminPass" not in argument and true(argument["onSharedStorage"]):
        return Reply(200, {"adminPass": None})
    return Reply(200, {"adminPass": password(asked.cloud, asked.server.name, argument)})


ACTIONS = {"evacuate": Action(evacuate)}
