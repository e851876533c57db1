"""A cloud stepped by hand, for notebooks and tests."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from sim.errors import InputError, Issue
from sim.eventlog.records import Record
from sim.model.api.door import ApiAnswer, Call
from sim.model.flavor import Resources
from sim.model.server import Server
from sim.runs import given
from sim.runs.engine import finish
from sim.runs.result import Result
from sim.runs.simulation import Simulation
from sim.scenario.spec import Scenario


@dataclass(frozen=True, slots=True)
class FaultView:
    """A fault as the API shows it."""

    code: int
    message: str
    details: str


@dataclass(frozen=True, slots=True)
class ServerView:
    """A server as it stands now; a value, it does not change as time passes."""

    name: str
    uuid: str
    status: str
    vm_state: str
    task_state: str | None
    power_state: int
    host: str | None
    flavor: str
    locked: bool
    fault: FaultView | None
    project: str


@dataclass(frozen=True, slots=True)
class MigrationView:
    """A migration record as it stands now."""

    id: int
    uuid: str
    type: str
    status: str
    source_compute: str | None
    dest_compute: str | None
    old_flavor: str
    new_flavor: str
    created_s: float
    updated_s: float


@dataclass(frozen=True, slots=True)
class EventView:
    """One event of an instance action."""

    event: str
    result: str | None
    details: str | None
    host: str
    started_s: float
    finished_s: float | None


@dataclass(frozen=True, slots=True)
class ActionView:
    """One instance action with its events."""

    action: str
    request_id: str
    message: str | None
    user: str
    project: str
    started_s: float
    events: tuple[EventView, ...]


class Session:
    """The scenario's cloud, and the hands on its clock.

    Time passes only through :meth:`request` (until the API answers), :meth:`run_for`, :meth:`run_until`, :meth:`settle`
    and :meth:`finish`. The scenario's plan happens as its times come, unless ``plan=False``.
    """

    def __init__(
        self, scenario: Scenario, seed: int | None = None, *, explain: bool = False, plan: bool = True
    ) -> None:
        given.start(scenario, seed)
        self._simulation = Simulation(scenario, seed, explain=explain, plan=plan)
        self._cloud = self._simulation.cloud

    @property
    def now(self) -> float:
        """Simulated seconds since the start."""
        return float(self._simulation.env.now)

    @property
    def under_way(self) -> int:
        """Operations not finished."""
        return self._cloud.under_way

    # --- acting

    def request(
        self,
        server: str | None,
        body: Any,
        *,
        microversion: str | None = "2.1",
        roles: Sequence[str] = ("admin",),
        project: str | None = None,
        user: str | None = None,
        method: str = "POST",
        migration: int | None = None,
    ) -> ApiAnswer:
        """Knock on the door and wait for the answer, as a client would.

        ``body`` is the action's JSON (``{"migrate": None}``); ``method="DELETE"`` with no body deletes the server or,
        with ``migration``, aborts that live migration; ``{"force_complete": None}`` with ``migration`` completes it.
        ``server=None`` with ``{"server": {…}}`` creates one. A body that is no object is sent as it is, bytes as the
        body's very text.
        """
        if isinstance(body, Mapping):
            body = dict(body)
        given.request(
            server=server, body=body, microversion=microversion, roles=roles, project=project, user=user, method=method,
            migration=migration,
        )  # fmt: skip
        call = Call(
            server=server, body=body, method=method, migration=migration,
            microversion=microversion, roles=tuple(roles), project=project, user=user, who="session",
        )  # fmt: skip
        process = self._simulation.env.process(self._cloud.door.request(call))
        self._simulation.advance(until=process)
        answer = process.value
        assert isinstance(answer, ApiAnswer)
        return answer

    def service(self, host: str, *, disabled: bool | None = None, forced_down: bool | None = None) -> ApiAnswer:
        """Enable or disable a host's compute service, force it down or lift that, as an administrator does."""
        given.refuse([given.switch("disabled", disabled), given.switch("forced_down", forced_down)])
        steps = self._cloud.door.service(self._host(host), disabled=disabled, forced_down=forced_down)
        process = self._simulation.env.process(steps)
        self._simulation.advance(until=process)
        answer = process.value
        assert isinstance(answer, ApiAnswer)
        return answer

    def fail(self, host: str, kind: Literal["crash", "hang", "network"] = "crash") -> None:
        """A host crashes, hangs (guests run, the service is silent) or loses its network, now."""
        known = f"kinds are {', '.join(given.KINDS)}"
        given.refuse([None if kind in given.KINDS else Issue("kind", f"{kind!r} is no kind of failure", known)])
        self._cloud.host_failed(self._host(host), kind, "session")

    def repair(self, host: str) -> None:
        """A host that failed is back, now."""
        self._cloud.host_returned(self._host(host))

    def run_until_seen(self, seen: Callable[[], bool]) -> bool:
        """Let time pass, event by event, until ``seen()``; False if it never is and nothing more is under way."""
        while not seen():
            if self.under_way == 0 or not self._simulation.step():
                return False
        return True

    def run_for(self, duration: str | float) -> None:
        """Let this much time pass: ``"90 s"``, ``"2 h"``, or seconds."""
        self._simulation.advance(deadline=self.now + given.seconds(duration))

    def run_until(self, moment: str | float) -> None:
        """Let time pass until this moment since the start: ``"1 h"``, or seconds. The past is an error."""
        deadline = given.seconds(moment)
        if deadline < self.now:
            raise InputError([Issue("run_until", f"{moment!r} is past", f"it is {self.now:.3f} s now")])
        self._simulation.advance(deadline=deadline)

    def settle(self) -> None:
        """Let time pass until no operation is under way."""
        self._simulation.advance(idle=True)

    def finish(self) -> Result:
        """Let the whole plan happen, as a run does, check the laws, and return the result."""
        run = self._simulation.scenario.run
        self._simulation.advance(finished=run.duration is None, deadline=run.duration)
        return self.result()

    # --- looking

    def server(self, name: str) -> ServerView:
        """A server by name or uuid."""
        server = self._find(name)
        fault = server.fault if server.status in _SHOWS_FAULT else None
        return ServerView(
            name=server.name, uuid=server.uuid, status=server.status, vm_state=server.vm_state,
            task_state=server.task_state, power_state=server.power_state,
            host=None if server.host is None else self._cloud.hosts.names[server.host], flavor=server.flavor.name,
            locked=server.locked_by is not None,
            fault=None if fault is None else FaultView(fault.code, fault.message, fault.details),
            project=server.project,
        )  # fmt: skip

    def servers(self) -> list[ServerView]:
        """All servers that are not deleted, in order of creation."""
        return [self.server(name) for name, server in self._cloud.db.servers.items() if not server.deleted]

    def migrations(self, name: str | None = None) -> list[MigrationView]:
        """Migration records of a server (or all), oldest first."""
        names = self._cloud.hosts.names
        found = self._cloud.db.migrations if name is None else self._find(name).migrations
        return [
            MigrationView(
                id=m.id, uuid=m.uuid, type=m.type, status=m.status,
                source_compute=None if m.source is None else names[m.source],
                dest_compute=None if m.dest is None else names[m.dest],
                old_flavor=m.old_flavor.name, new_flavor=m.new_flavor.name, created_s=m.created, updated_s=m.updated,
            )
            for m in found
        ]  # fmt: skip

    def actions(self, name: str) -> list[ActionView]:
        """Instance actions of a server, oldest first, with their events."""
        return [
            ActionView(
                action=a.action, request_id=a.request, message=a.message, user=a.user, project=a.project,
                started_s=a.started,
                events=tuple(EventView(e.event, e.result, e.details, e.host, e.started, e.finished) for e in a.events),
            )
            for a in self._find(name).actions
        ]  # fmt: skip

    def allocations(self, name: str) -> dict[str, dict[str, int]]:
        """What a server itself holds in placement: host → resource class → amount (a migration's claim is apart)."""
        return self._named(self._find(name).held)

    def migration_allocations(self, migration: int) -> dict[str, dict[str, int]]:
        """What a migration record holds in placement, by its id."""
        known = self._cloud.db.migrations
        if not given.is_number(migration) or not 1 <= migration <= len(known):
            right = f"migrations are 1 to {len(known)}" if known else "there is none yet"
            raise InputError([Issue("migration", f"{migration!r} does not exist", right)])
        return self._named(known[migration - 1].held)

    def records(self) -> Sequence[Record]:
        """All records so far."""
        return tuple(self._simulation.log.records)

    def digest(self) -> str:
        """The log's digest so far; that of :meth:`result`, like a run's, has the guests in it that are missed now."""
        return self._simulation.log.digest()

    def result(self) -> Result:
        """What has happened so far as a result, its laws checked."""
        return finish(self._simulation, partial=False, checkers=True)

    def _named(self, held: Mapping[int, Resources]) -> dict[str, dict[str, int]]:
        named: dict[str, dict[str, int]] = {}
        for host, (vcpus, memory_mb, disk_gb, pcpus, _) in held.items():
            amounts = named[self._cloud.hosts.names[host]] = {"VCPU": vcpus, "MEMORY_MB": memory_mb, "DISK_GB": disk_gb}
            if pcpus:
                amounts["PCPU"] = pcpus
        return named

    def _host(self, name: str) -> int:
        found = self._cloud.hosts.index.get(name) if isinstance(name, str) else None
        if found is None:
            raise InputError([Issue("host", f"{name!r} does not exist", f"hosts are {_some(self._cloud.hosts.names)}")])
        return found

    def _find(self, name: str) -> Server:
        found = self._cloud.db.servers.get(name) if isinstance(name, str) else None
        if found is None:
            found = next((s for s in self._cloud.db.servers.values() if s.uuid == name), None)
        if found is None:
            known = _some(list(self._cloud.db.servers))
            raise InputError([Issue("server", f"{name!r} does not exist", f"servers are {known}")])
        return found


def _some(names: Sequence[str]) -> str:
    """The first names of a list, for a message."""
    return ", ".join(names[:5]) + (" …" if len(names) > 5 else "")


_SHOWS_FAULT = frozenset(("ERROR", "DELETED"))
"""The statuses with which Nova's API shows a server's fault."""
