"""One request past the door's front: what an action's own checks have before them, and the checks that many share.

Which checks an action makes, and in which order, is the action's own business; see :mod:`sim.model.api.actions`.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING, Any, NamedTuple

from simpy.events import Event

from sim.model.api.faults import ApiFault, wrong_state
from sim.model.context import Context
from sim.model.exceptions import NovaException

if TYPE_CHECKING:
    from sim.model.api.microversions import Version
    from sim.model.api.policy import Caller, Policy
    from sim.model.cloud import Cloud
    from sim.model.server import Server

_PLACE = "os_compute_api:"


class Reply(NamedTuple):
    """A good answer."""

    code: int
    body: Any = None


Waiting = Generator[Event, Any, Reply]
"""An answer that the API worker has to wait for."""
ACCEPTED = Reply(202)
NO_CONTENT = Reply(204)


class Asked:
    """A request with its server found, on behalf of ``caller``."""

    __slots__ = ("action", "argument", "caller", "cloud", "ctx", "migration", "policy", "server", "version")

    def __init__(
        self,
        cloud: Cloud,
        policy: Policy,
        *,
        ctx: Context,
        caller: Caller,
        action: str,
        argument: Any,
        server: Server,
        migration: int | None,
    ) -> None:
        self.cloud, self.policy, self.ctx, self.caller = cloud, policy, ctx, caller
        self.action = action
        """The key of the body, in whose name refusals are worded."""
        self.argument = argument
        """The value of the body's key."""
        self.server = server
        self.migration = migration
        """The migration's id in the URL."""
        self.version: Version = ctx.microversion

    # --- checks, in the order in which most actions make them

    def can(self, rule: str) -> None:
        """ApiFault 403 unless policy allows it; ``rule`` without Nova's prefix."""
        server = self.server
        if not self.policy.allows(_PLACE + rule, self.caller, server.project, server.user):
            raise ApiFault(403, f"Policy doesn't allow {_PLACE + rule} to be performed.")

    def not_locked(self) -> None:
        """ApiFault 409 if the server is locked and the caller is no administrator."""
        if self.server.locked_by is not None and not self.policy.is_admin(self.caller):
            raise ApiFault(409, f"Instance {self.server.uuid} is locked")

    def in_state(
        self,
        vm_states: frozenset[str] | None,
        task_states: frozenset[str | None] | None = frozenset((None,)),
        *,
        launched: bool = True,
    ) -> None:
        """ApiFault 409 unless the server is in one of the states (None: any); ``launched``: and has ever run."""
        server = self.server
        if vm_states is not None and server.vm_state not in vm_states:
            raise wrong_state(server, self.action, "vm_state", server.vm_state)
        if task_states is not None and server.task_state not in task_states:
            raise wrong_state(server, self.action, "task_state", server.task_state)
        if launched and server.launched is None:
            raise wrong_state(server, self.action, "launched_at", None)

    def has_host(self) -> int:
        """ApiFault 409 if the server has no host; else the host."""
        host = self.server.host
        if host is None:
            raise ApiFault(409, f"Instance {self.server.uuid} is not ready")
        return host

    def host_is_up(self) -> int:
        """ApiFault 409 if the server has no host, or Nova believes it dead; else the host."""
        host = self.has_host()
        if not self.cloud.service_group.is_up(host):
            raise ApiFault(409, "Service is unavailable at this time.")
        return host

    # --- what follows them

    def begin(self, task_state: str, action: str) -> None:
        """The task is set and the instance action begins, in this order, as Nova does it."""
        db, server = self.cloud.db, self.server
        db.save(server, self.ctx.request, task_state=task_state)
        db.start_action(server, action, self.ctx)

    def cast(self, steps: Generator[Event, Any, None]) -> Reply:
        """The operation begins; nobody waits for it. The usual answer is 202."""
        self.cloud.cast(steps, self.server)
        return ACCEPTED


def refused(error: NovaException, code: int) -> ApiFault:
    """One of Nova's own errors as the API's answer."""
    return ApiFault(code, error.message)
