"""What a server may become, and where it may be."""

from __future__ import annotations

from sim.errors import LawViolation
from sim.eventlog import records as r
from sim.runs.arrows import ANYTIME, LEGAL_VM_STATES
from sim.runs.laws.claims import CapacityLaw, State
from sim.runs.laws.law import Handler

_EVACUATING = "rebuilding"
_LOCKS = frozenset({"lock", "unlock"})


class _Now(dict[str, State]):
    """Server → how it stands."""

    def __init__(self, claims: CapacityLaw) -> None:
        super().__init__()
        self._claims = claims

    def __missing__(self, server: str) -> State:
        return self._claims.stood(server)


class ServerLaw:
    """A server's states move along Nova's arrows; one that is deleted stays so; it is on one known host, with room.

    The API shows one status for each pair of states; locks are opened and shut by those who ask for it.
    """

    def __init__(self, claims: CapacityLaw) -> None:
        self.claims = claims
        self.now = _Now(claims)
        self.moves: dict[str, dict[int, str]] = {}
        """Server → its migration records, and their types."""
        self.under_way: dict[str, set[int]] = {}
        """Server → those of them that are neither done nor undone."""
        self.tangled: set[str] = set()
        """Servers with two moves under way, as after a reset: one may take the other's room, or bring it elsewhere.

        So may a host that a server was evacuated from: when it is back it gives back what the server holds there, also
        what was claimed for a move to it.
        """
        self._last_asked: dict[str, str] = {}
        """Server → its latest action."""
        self._shown: dict[tuple[str, str | None], str] = {}

    def handlers(self) -> dict[type[r.Record], Handler]:
        """Record type → method."""
        return {
            r.MigrationsPresent: self.migrations, r.ServerCreated: self.created, r.ServerState: self.state,
            r.ServerDeleted: self.deleted, r.ActionStarted: self.action,
        }  # fmt: skip

    def migrations(self, record: r.MigrationsPresent) -> None:
        """They hold room where their servers may go back to."""
        for migration, server, kind in zip(record.migration, record.server, record.type, strict=True):
            self.begins(migration, server, kind)

    def begins(self, migration: int, server: str, kind: str) -> None:
        """A move."""
        self.moves.setdefault(server, {})[migration] = kind
        under_way = self.under_way.setdefault(server, set())
        if under_way:
            self.tangled.add(server)
        under_way.add(migration)

    def created(self, record: r.ServerCreated) -> None:
        """Names are unique for ever."""
        if record.server in self.now or record.server in self.claims.start:
            raise LawViolation("a server is created once", record.server)
        if record.flavor not in self.claims.flavors:
            raise LawViolation("records name what exists", f"flavor {record.flavor}")
        self.now[record.server] = ("building", None, False, record.flavor, None)

    def action(self, record: r.ActionStarted) -> None:
        """What was asked of it."""
        self.check(record.server)
        self._last_asked[record.server] = record.action
        if record.action == "resetState":
            self.tangled.add(record.server)

    def check(self, server: str) -> None:
        """It exists, or did once."""
        self.now[server]

    def state(self, record: r.ServerState) -> None:
        """Only along the arrows, only on hosts that exist, with room for it."""
        server, after, host, locked = record.server, record.vm_state, record.host, record.locked
        before, was_on, was_locked, was_flavor, task = self.now[server]
        if after != before and after not in ANYTIME and after not in LEGAL_VM_STATES.get(before, ANYTIME):
            raise LawViolation("legal transitions", f"{server}: vm_state {before} → {after}")
        if before == "deleted":
            raise LawViolation("legal transitions", f"{server} changes after its deletion")
        if host != was_on and host is not None:
            self._check_room(server, host)
        if locked != was_locked and self._last_asked.get(server) not in _LOCKS:
            raise LawViolation("who locks asks for it", f"{server} locked: {locked}")
        if self._shown.setdefault((after, record.task_state), record.status) != record.status:
            raise LawViolation("states are shown in one way", f"{after}, {record.task_state} as {record.status}")
        if record.task_state == _EVACUATING and task is not None:
            self.tangled.add(server)  # evacuations do not wait for the task that a server has
        if record.flavor != was_flavor:
            self._check_resize(server, record.flavor)
        self.now[server] = (after, host, locked, record.flavor, record.task_state)

    def _check_resize(self, server: str, flavor: str) -> None:
        if flavor not in self.claims.flavors:
            raise LawViolation("records name what exists", f"flavor {flavor}")
        if "resize" not in self.moves.get(server, {}).values():
            raise LawViolation("only a resize changes the flavor", f"{server} is a {flavor} now")

    def _check_room(self, server: str, host: str) -> None:
        if host not in self.claims.capacity:
            raise LawViolation("a server is on a host that exists", f"{server} on {host}")
        if server not in self.tangled and not self.claims.has_room(server, self.moves.get(server, ()), host):
            raise LawViolation("a server goes where it has room", f"{server} holds nothing on {host}")

    def deleted(self, record: r.ServerDeleted) -> None:
        """Gone."""
        if self.now[record.server][0] == "deleted":
            raise LawViolation("legal transitions", f"{record.server} is deleted twice")
        self.now[record.server] = ("deleted", None, False, "", None)
