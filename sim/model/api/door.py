"""The one door: a request → Nova's code and message, and what Nova then does.

Order of checks, as in Nova: microversion, routing, body, the server's existence; then policy, lock, state and the
action's own, each action in its own order.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec
from simpy.events import Event

from sim.eventlog import records
from sim.model.api.actions import ON_MIGRATION, ON_SERVER
from sim.model.api.actions.create import create
from sim.model.api.actions.delete import DELETE
from sim.model.api.actions.live_migration import ABORT
from sim.model.api.asked import Asked, OnServer, Reply, Waiting
from sim.model.api.bodies import Bodies
from sim.model.api.faults import NOT_ROUTED, ApiFault, fault_name
from sim.model.api.lookup import Lookup
from sim.model.api.microversions import Microversions, Version
from sim.model.api.policy import Caller, Policy
from sim.model.api.quotas import Quotas
from sim.model.api.routing import Action, is_gone, key_of, read, route
from sim.model.context import Context

if TYPE_CHECKING:
    from sim.model.cloud import Cloud

Steps = Generator[Event, Any, None]
_DEFAULT_PROJECT = "demo"
_GONE = "This resource is no longer available. No forwarding address is given."


class Call(msgspec.Struct, frozen=True):
    """A request, as a client sends it.

    ``POST`` with a body is an action on ``server``, with ``migration`` on that migration of it, without ``server`` a
    create; ``DELETE`` deletes the server or aborts the migration.
    """

    server: str | None = None
    """The server's uuid, or its name for people's convenience."""
    body: Any = None
    """The body's JSON as a value; bytes are the body's text itself."""
    method: str = "POST"
    migration: int | None = None
    microversion: str | None = "2.1"
    roles: tuple[str, ...] = ("admin",)
    """The roles that the token lists, implied ones too."""
    project: str | None = None
    """The token's project; None: the server's own."""
    user: str | None = None
    """The token's user; None: the server's own."""
    who: str = "admin"
    """Who asks, for the records."""
    system: bool = False
    """Whether the token is for the system instead of a project."""


class ApiAnswer(NamedTuple):
    """What came back. ``message`` and ``fault_name`` are None for success."""

    code: int
    message: str | None
    body: Any
    request_id: str
    fault_name: str | None


_NOT_RESTARTED = (
    "Unable to force up host {} as `done` evacuation migration records remain associated with the host. Ensure the "
    "compute service has been restarted, allowing these records to move to `completed` before retrying this request."
)


class Door:
    """``cloud.door``."""

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud
        self.policy = Policy(cloud.nova.policy, bool(cloud.options["oslo_policy.enforce_new_defaults"]))
        self._quotas = Quotas(cloud)
        self._lookup = Lookup(cloud.db)
        self._bodies = Bodies()
        self._microversions = Microversions()
        self._json = msgspec.json.Encoder().encode

    def request(self, call: Call) -> Generator[Event, Any, ApiAnswer]:
        """Knock, and wait for the answer. What goes on afterwards does so by itself."""
        cloud = self.cloud
        known = None if call.server is None else self._lookup.find(call.server)
        name = call.server if known is None else known.name
        request = cloud.db.next_request_id()
        version = call.microversion or ""
        self._knock(request, _called(call), server=name, version=version, who=call.who, body=call.body)
        yield from self._work(name or "", request)
        try:
            reply = self._reply(call, request)
            if not isinstance(reply, Reply):
                reply = yield from reply
            answer = ApiAnswer(reply.code, None, reply.body, request, None)
        except ApiFault as fault:
            answer = ApiAnswer(fault.code, fault.message, None, request, fault_name(fault.code))
        finally:
            cloud.pools.api.release()
        cloud.log.append(records.Answer(cloud.env.now, request, answer.code, answer.message))
        return answer

    # --- stages -------------------------------------------------------------------------------------------------------

    def _knock(self, request: str, action: str, *, server: str | None, version: str, who: str, body: Any) -> None:
        text = body.decode(errors="replace") if isinstance(body, bytes) else self._json(body).decode()
        self.cloud.log.append(records.Request(self.cloud.env.now, request, action, server, version, who, text))

    def _work(self, entity: str, request: str) -> Steps:
        """One of the API's workers is taken, and has done what takes it time."""
        cloud = self.cloud
        env, log, pool = cloud.env, cloud.log, cloud.pools.api
        waiting = pool.acquire()
        if waiting is not None:
            began = env.now
            yield waiting
            log.append(records.Waited(env.now, "api", entity, request, began))
        began = env.now
        yield env.timeout(cloud.streams.draw(cloud.timings.api, "api", entity))
        log.append(records.Step(env.now, entity, request, "api", None, began, "done"))

    # --- where it goes ------------------------------------------------------------------------------------------------

    def _reply(self, call: Call, request: str) -> Reply | Waiting:
        """The answer, or a generator that ends in one. Raises ApiFault if the request is refused."""
        version = self._microversions.negotiate(call.microversion)
        if call.method == "DELETE" and call.server is not None:
            action = DELETE if call.migration is None else ABORT
            if version < action.since:
                raise ApiFault(404, NOT_ROUTED)
            return self._on_server(call, request, version, action)
        if call.method != "POST":
            raise ApiFault(405, "The method specified is not allowed for this resource.")
        body = read(call.body)
        if call.server is None:
            return self._create(call, request, version, body)
        key = key_of(body)
        if call.migration is not None:
            action = route(ON_MIGRATION, key, version)
        elif is_gone(key, version):
            raise ApiFault(410, _GONE)
        else:
            action = route(ON_SERVER, key, version)
        self._bodies.check(key, version, body)
        return self._on_server(call, request, version, action, key=key, argument=body[key])

    def _on_server(
        self, call: Call, request: str, version: Version, action: Action, *, key: str = "", argument: Any = None
    ) -> Reply | Waiting:
        server = self._lookup.get(call.server or "", action.unknown)
        caller = Caller(call.roles, call.project or server.project, call.user or server.user, call.system)
        if not (caller.system or caller.project == server.project or self.policy.is_admin(caller)):
            raise ApiFault(404, f"Instance {server.uuid} could not be found.")
        ctx = Context(request, call.user or call.who, caller.project, call.roles, version)
        return action.run(
            OnServer(
                self.cloud, self.policy, self._quotas, ctx=ctx, caller=caller, argument=argument, server=server,
                word=action.word or key, migration=call.migration,
            )
        )  # fmt: skip

    def _create(self, call: Call, request: str, version: Version, body: Any) -> Reply:
        self._bodies.check("create", version, body)
        project = call.project or _DEFAULT_PROJECT
        caller = Caller(call.roles, project, call.user or call.who, call.system)
        ctx = Context(request, caller.user, project, call.roles, version)
        return create(Asked(self.cloud, self.policy, self._quotas, ctx=ctx, caller=caller, argument=body))

    # --- services -----------------------------------------------------------------------------------------------------

    def service(
        self, host: int, *, disabled: bool | None = None, forced_down: bool | None = None, reason: str | None = None
    ) -> Generator[Event, Any, ApiAnswer]:
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
        self._knock(request, "os-services", server=None, version="2.53", who="admin", body=body)
        yield from self._work(name, request)
        cloud.pools.api.release()
        if forced_down is False and cloud.compute.rebuilding.is_awaited(host):
            refused = ApiAnswer(400, _NOT_RESTARTED.format(name), None, request, fault_name(400))
            cloud.log.append(records.Answer(cloud.env.now, request, refused.code, refused.message))
            return refused
        if disabled is not None:
            cloud.hosts.disabled[host] = disabled
            cloud.hosts.disabled_reason.pop(host, None)
        if disabled and reason:
            cloud.hosts.disabled_reason[host] = reason
        if forced_down is not None:
            cloud.service_group.force_down(host, forced_down)
        cloud.record_host(host, reason or "")
        cloud.log.append(records.Answer(cloud.env.now, request, 200, None))
        return ApiAnswer(200, None, None, request, None)


def _called(call: Call) -> str:
    """What the request is about, as the records call it."""
    if call.method != "POST":
        return "abort" if call.migration is not None else call.method.lower()
    if isinstance(call.body, dict) and call.body:
        return "create" if call.server is None else str(next(iter(call.body)))
    return ""
