"""The one door: a request → Nova's code and message, and what Nova then does.

Order of checks, as in Nova: microversion, routing, body, the server's existence; then policy, lock, state and the
action's own, each action in its own order.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec
from simpy.events import Event

from sim.eventlog import records
from sim.model.api.actions import ACTIONS
from sim.model.api.asked import Asked, Reply
from sim.model.api.bodies import Bodies
from sim.model.api.faults import ApiFault, fault_name
from sim.model.api.lookup import Lookup
from sim.model.api.microversions import Microversions
from sim.model.api.policy import Caller, Policy
from sim.model.context import Context

if TYPE_CHECKING:
    from sim.model.cloud import Cloud

Steps = Generator[Event, Any, None]
_ADMINS_PROJECT = "admin"


@dataclass(frozen=True, slots=True)
class Call:
    """A request, as a client sends it. ``server`` is a uuid, or a name for people's convenience.

    The caller's token has ``roles`` and a project; without ``project`` and ``user`` they are the server's own.
    """

    server: str | None = None
    body: Mapping[str, Any] | None = None
    method: str = "POST"
    migration: int | None = None
    """For abort and force-complete: the migration's id."""
    microversion: str | None = "2.1"
    roles: tuple[str, ...] = ("admin",)
    project: str | None = None
    user: str | None = None
    who: str = "admin"


class ApiAnswer(NamedTuple):
    """What came back. ``message`` and ``fault_name`` are None for success."""

    code: int
    message: str | None
    body: Any
    request_id: str
    fault_name: str | None


class Door:
    """``cloud.door``."""

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud
        self.policy = Policy(cloud.nova.policy)
        self._lookup = Lookup(cloud.db)
        self._bodies = Bodies()
        self._microversions = Microversions()
        self._as_json = msgspec.json.Encoder().encode

    def request(self, call: Call) -> Generator[Event, Any, ApiAnswer]:
        """Knock, and wait for the answer. What goes on afterwards does so by itself."""
        cloud = self.cloud
        env, log, pool, request = cloud.env, cloud.log, cloud.pools.api, cloud.db.next_request_id()
        known = None if call.server is None else self._lookup.find(call.server)
        name = call.server if known is None else known.name
        body = call.body
        action = _action_of(call)
        text = "" if body is None else self._as_json(body).decode()
        log.append(records.Request(env.now, request, action, name, call.microversion or "", call.who, text))
        waiting = pool.acquire()
        if waiting is not None:
            began = env.now
            yield waiting
            log.append(records.Waited(env.now, "api", name or "", request, began))
        began = env.now
        try:
            yield env.timeout(cloud.streams.draw(cloud.timings.api, "api", name or ""))
            log.append(records.Step(env.now, name or "", request, "api", None, began, "done"))
            reply = self._answer(call, action, request)
            if not isinstance(reply, Reply):
                reply = yield from reply
            answer = ApiAnswer(reply.code, None, reply.body, request, None)
        except ApiFault as fault:
            answer = ApiAnswer(fault.code, fault.message, None, request, fault_name(fault.code))
        finally:
            pool.release()
        log.append(records.Answer(env.now, request, answer.code, answer.message))
        return answer

    def _answer(self, call: Call, action: str, request: str) -> Any:
        """Reply, or a generator that ends in one. ApiFault if the request is refused."""
        version = self._microversions.negotiate(call.microversion)
        found = ACTIONS.get(action)
        if found is None or not found.since <= version <= found.until:
            raise ApiFault(400, f"There is no such action: {action}")
        body = call.body
        assert body is not None
        assert call.server is not None
        self._bodies.check(action, version, body)
        server = self._lookup.get(call.server)
        caller = Caller(call.roles, call.project or server.project, call.user or server.user)
        ctx = Context(request, call.who, caller.project, call.roles, version)
        return found.run(
            Asked(
                self.cloud, self.policy, ctx=ctx, caller=caller, action=action, argument=body[action], server=server,
                migration=call.migration,
            )
        )  # fmt: skip

    def service(
        self, host: int, *, disabled: bool | None = None, forced_down: bool | None = None, reason: str | None = None
    ) -> Steps:
        """An administrator changes the compute service of a host (PUT ``os-services``)."""
        cloud = self.cloud
        name, request = cloud.hosts.names[host], cloud.db.next_request_id()
        body: dict[str, Any] = {"host": name}
        if disabled is not None:
            body["status"] = "disabled" if disabled else "enabled"
            if disabled and reason:
                body["disabled_reason"] = reason
        if forced_down is not None:
            body["forced_down"] = forced_down
        log, env, pool = cloud.log, cloud.env, cloud.pools.api
        text = self._as_json(body).decode()
        log.append(records.Request(env.now, request, "os-services", None, "2.53", "admin", text))
        waiting = pool.acquire()
        if waiting is not None:
            yield waiting
        yield env.timeout(cloud.streams.draw(cloud.timings.api, "api", name))
        pool.release()
        if disabled is not None:
            cloud.hosts.disabled[host] = disabled
            if disabled and reason:
                cloud.hosts.disabled_reason[host] = reason
            else:
                cloud.hosts.disabled_reason.pop(host, None)
        if forced_down is not None:
            cloud.service_group.force_down(host, forced_down)
        cloud.record_host(host, reason or "")
        log.append(records.Answer(env.now, request, 200, None))


def _action_of(call: Call) -> str:
    """What the request is about, as the records call it."""
    if call.method == "DELETE":
        return "delete" if call.migration is None else "abort"
    if call.body:
        return next(iter(call.body))
    return ""
