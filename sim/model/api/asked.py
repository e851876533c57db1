"""One request past the door's front: what an action's own checks have before them, and the checks that many share.

Which checks an action makes, and in which order, is the action's own business; see :mod:`sim.model.api.actions`.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING, Any, NamedTuple

from simpy.events import Event

from sim.model.api.faults import ApiFault, unexpected, wrong_state
from sim.model.context import Context

if TYPE_CHECKING:
    from sim.model.api.microversions import Version
    from sim.model.api.policy import Caller, Policy
    from sim.model.api.quotas import Quotas
    from sim.model.cloud import Cloud
    from sim.model.server import Server

_PLACE = "os_compute_api:"
NO_TASK: frozenset[str | None] = frozenset((None,))


class Reply(NamedTuple):
    """A good answer."""

    code: int
    body: Any = None


Waiting = Generator[Event, Any, Reply]
"""An answer that the API worker has to wait for."""
ACCEPTED = Reply(202)
NO_CONTENT = Reply(204)


class Asked:
    """A request of ``caller``, not about a server that exists."""

    __slots__ = ("argument", "caller", "cloud", "ctx", "policy", "quotas", "version")

    def __init__(
        self, cloud: Cloud, policy: Policy, quotas: Quotas, *, ctx: Context, caller: Caller, argument: Any
    ) -> None:
        self.cloud, self.policy, self.quotas = cloud, policy, quotas
        self.ctx, self.caller = ctx, caller
        self.argument = argument
        """The value of the body's key; the whole body of a create."""
        self.version: Version = ctx.microversion

    def can(self, rule: str) -> None:
        """ApiFault 403 unless policy allows it; ``rule`` without Nova's usual prefix."""
        self.can_on(_PLACE + rule, self.caller.project, self.caller.user)

    def can_on(self, rule: str, project: str, user: str) -> None:
        """ApiFault 403 unless policy allows it on a thing of that project and user; ``rule`` is the full name."""
        if not self.policy.allows(rule, self.caller, project, user):
            raise ApiFault(403, f"Policy doesn't allow {rule} to be performed.")


class OnServer(Asked):
    """A request about a server that exists."""

    __slots__ = ("migration", "server", "word")

    def __init__(
        self,
        cloud: Cloud,
        policy: Policy,
        quotas: Quotas,
        *,
        ctx: Context,
        caller: Caller,
        argument: Any,
        server: Server,
        word: str,
        migration: int | None,
    ) -> None:
        super().__init__(cloud, policy, quotas, ctx=ctx, caller=caller, argument=argument)
        self.server = server
        self.word = word
        """What Nova calls the action in its refusals."""
        self.migration = migration
        """The migration's id in the URL."""

    # --- checks, in the order in which most actions make them

    def can(self, rule: str) -> None:
        """ApiFault 403 unless policy allows it on the server; ``rule`` without Nova's usual prefix."""
        self.can_on(_PLACE + rule, self.server.project, self.server.user)

    def not_locked(self) -> None:
        """ApiFault 409 if the server is locked and the caller is no administrator."""
        if self.is_locked():
            raise ApiFault(409, f"Instance {self.server.uuid} is locked")

    def is_locked(self) -> bool:
        """Whether the server is locked for this caller."""
        return self.server.locked_by is not None and not self.policy.is_admin(self.caller)

    def in_state(
        self,
        vm_states: frozenset[str] | None,
        task_states: frozenset[str | None] | None = NO_TASK,
        *,
        launched: bool = True,
    ) -> None:
        """ApiFault 409 unless the server is in one of the states (None: any); ``launched``: and has ever run."""
        server = self.server
        if vm_states is not None and server.vm_state not in vm_states:
            raise wrong_state(server, self.word, "vm_state", server.vm_state)
        if task_states is not None and server.task_state not in task_states:
            raise wrong_state(server, self.word, "task_state", server.task_state)
        if launched and server.launched is None:
            raise wrong_state(server, self.word, "launched_at", None)

    def has_host(self) -> int:
        """ApiFault 409 if the server has no host; else the host."""
        host = self.server.host
        if host is None:
            raise ApiFault(409, f"Instance {self.server.uuid} is not ready")
        return host

    # --- what follows them

    def begin(self, task_state: str, action: str) -> None:
        """The task is set and the instance action begins, in this order, as Nova does it."""
        db, server = self.cloud.db, self.server
        db.save(server, self.ctx.request, task_state=task_state)
        db.start_action(server, action, self.ctx)

    def to_its_host(self) -> None:
        """What Nova runs into when it calls the host of a server that has none: too late for a better answer."""
        if self.server.host is None:
            raise unexpected("nova.exception.NovaException")

    def cast(self, steps: Generator[Event, Any, Any], reply: Reply = ACCEPTED) -> Reply:
        """The operation begins; nobody waits for it."""
        self.cloud.cast(steps, self.server)
        return reply
