"""Deleting servers, for good or for now, and bringing them back."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

from simpy.events import Event

from sim.model.api.asked import ACCEPTED, NO_CONTENT, OnServer, Reply, Waiting
from sim.model.api.faults import unexpected, wrong_state
from sim.model.api.routing import Action
from sim.model.stages import RPC_TIMEOUT_S

_SOFT_DELETED = frozenset(("soft-delete",))
_DELETING = frozenset(("deleting", "soft-deleting"))
_KEEPS_PORTS = frozenset(("shelved_offloaded", "error"))
"""States in which a server without a host has been on one."""


def delete(asked: OnServer) -> Reply | Waiting:
    """DELETE: for now if ``reclaim_instance_interval`` says so, and the server has ever run."""
    asked.can("servers:delete")
    asked.not_locked()
    deleting = asked.cloud.compute.deleting
    if asked.cloud.options["DEFAULT.reclaim_instance_interval"] and asked.server.launched is not None:
        return _delete(asked, "soft-deleting", deleting.soft_delete(asked.ctx, asked.server), NO_CONTENT)
    return _delete(asked, "deleting", deleting.delete(asked.ctx, asked.server), NO_CONTENT)


def force_delete(asked: OnServer) -> Reply | Waiting:
    """``forceDelete``: for good, in any state."""
    asked.can("os-deferred-delete:force")
    asked.not_locked()
    return _delete(asked, "deleting", asked.cloud.compute.deleting.delete(asked.ctx, asked.server), ACCEPTED)


def _delete(asked: OnServer, task: str, steps: Generator[Event, Any, None], reply: Reply) -> Reply | Waiting:
    """A server that never reached a host is gone at once; one whose host is down, as far as the API can see to it."""
    cloud, server, before = asked.cloud, asked.server, asked.server.task_state
    if server.host is None and server.vm_state not in _KEEPS_PORTS:
        return _at_once(steps, reply)
    cloud.db.save(server, asked.ctx.request, task_state=task)
    if server.vm_state == "resized":
        return _confirmed_first(asked, task, steps, reply)
    return _order(asked, before, steps, reply)


def _order(asked: OnServer, before: str | None, steps: Generator[Event, Any, None], reply: Reply) -> Reply | Waiting:
    cloud, server = asked.cloud, asked.server
    if server.host is None or not cloud.service_group.is_up(server.host):
        return _at_once(_then_act(asked, steps), reply)
    if before in _DELETING:
        return reply
    cloud.db.start_action(server, "delete", asked.ctx)
    return asked.cast(steps, reply)


def _at_once(steps: Generator[Event, Any, None], reply: Reply) -> Waiting:
    yield from steps
    return reply


def _then_act(asked: OnServer, steps: Generator[Event, Any, None]) -> Generator[Event, Any, None]:
    yield from steps
    asked.cloud.db.start_action(asked.server, "delete", asked.ctx)


def _confirmed_first(asked: OnServer, task: str, steps: Generator[Event, Any, None], reply: Reply) -> Waiting:
    """A resize that waits is confirmed first, and the API waits for that; the deleting goes on after it."""
    cloud, server, ctx = asked.cloud, asked.server, asked.ctx
    for migration in [m for s in ("finished", "confirming") for m in server.migrations if m.status == s][:1]:
        cloud.db.start_action(server, "confirmResize", ctx)
        yield from _wait_for_host(asked, cloud.compute.resize.confirm(ctx, server, migration))
        if task == "soft-deleting":
            cloud.db.save(server, ctx.request, task_state=task)
    answer = _order(asked, None, steps, reply)
    if isinstance(answer, Reply):
        return answer
    return (yield from answer)


def _wait_for_host(asked: OnServer, steps: Generator[Event, Any, None]) -> Generator[Event, Any, None]:
    """A call to a host that does not answer is given up; what was asked of it happens when it can."""
    env = asked.cloud.env
    done = asked.cloud.cast(steps, asked.server)
    given_up = env.timeout(RPC_TIMEOUT_S)
    yield done | given_up
    if not done.triggered:
        raise unexpected("oslo_messaging.exceptions.MessagingTimeout")


def restore(asked: OnServer) -> Reply:
    """``restore``."""
    asked.can("os-deferred-delete:restore")
    if asked.is_locked():
        raise wrong_state(asked.server, asked.word, "", None)
    asked.in_state(_SOFT_DELETED)
    cloud, server = asked.cloud, asked.server
    asked.quotas.check_create(server.project, server.flavor, 1, 1)
    cloud.db.start_action(server, "restore", asked.ctx)
    if server.host is None:
        cloud.db.save(server, asked.ctx.request, vm_state="active", task_state=None)
        return ACCEPTED
    cloud.db.save(server, asked.ctx.request, task_state="restoring")
    return asked.cast(cloud.compute.deleting.restore(asked.ctx, server))


ACTIONS = {"restore": Action(restore), "forceDelete": Action(force_delete)}
DELETE = Action(delete, "delete")
