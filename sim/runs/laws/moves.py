"""What a migration record may become, and what must be true when it says so."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

from sim.errors import LawViolation
from sim.eventlog import records as r
from sim.runs.arrows import CHOICES, LEGAL_MIGRATIONS, OVER, SHARED
from sim.runs.laws.claims import MIGRATION
from sim.runs.laws.law import Handler
from sim.runs.laws.servers import ServerLaw

_BUSY = frozenset({"preparing", "running", "running (post-copy)"})
_CHOOSING = frozenset({"accepted", "pre-migrating"})
_HOLDS_NOTHING = frozenset({"completed", "cancelled", "failed", "confirmed"})
_ARRIVED = frozenset({"completed", "finished", "done"})
_ROUNDING_S = 1e-6


class MigrationLaw:
    """Migration records move along their arrows; live migrations keep to ``max_concurrent_live_migrations``.

    A move is one server's, of one type, from where the server is, and to one host once that is chosen; when it is over
    the server is there, with room.
    """

    def __init__(self, servers: ServerLaw) -> None:
        self._servers = servers
        self._last: dict[int, r.MigrationState] = {}
        self._open: dict[str, dict[int, str]] = defaultdict(dict)
        """Server → its records that are pre-migrating, and their types."""
        self._shared: set[int] = set()
        self._taken: dict[int, str] = {}
        """Records in error beside another unfinished one, whose work may go on: what they were."""
        self._reverted: dict[str, int] = {}
        """Server → its migration that the destination has reverted last."""
        self._back: set[int] = set()
        """Migrations that are reverted in earnest: the source has the server."""
        self._copies: dict[int, str] = {}
        """Live migration → how its copy ended."""
        self._stops: dict[str, r.LiveCopy] = {}
        """Server → its last copy, until the guest has stopped for it."""
        self.limit = 0
        self.busy: dict[str, set[int]] = defaultdict(set)

    def handlers(self) -> dict[type[r.Record], Handler]:
        """Record type → method."""
        return {
            r.RunStarted: self.started, r.MigrationsPresent: self.present, r.MigrationState: self.state,
            r.HostState: self.host, r.ActionStarted: self.action, r.LiveCopy: self.copied, r.Downtime: self.stopped,
        }  # fmt: skip

    def present(self, record: r.MigrationsPresent) -> None:
        """As they stood."""
        columns = zip(
            record.migration, record.server, record.type, record.status, record.source, record.dest, strict=True
        )
        for migration, server, kind, status, source, dest in columns:
            self._last[migration] = r.MigrationState(0.0, migration, server, kind, status, source, dest, None)

    def host(self, record: r.HostState) -> None:
        """What ran on a host that went down runs no more, whatever its record still says."""
        if record.power in {"crashed", "rebooting"}:
            self.busy[record.host].clear()

    def started(self, record: r.RunStarted) -> None:
        """The limit that is in force."""
        self.limit = int(record.options.get("DEFAULT.max_concurrent_live_migrations", 1))

    def action(self, record: r.ActionStarted) -> None:
        """Another move takes up the record that one before it left."""
        if record.action in CHOICES:
            kind = CHOICES[record.action]
            self._shared.update(number for number, other in self._open[record.server].items() if other == kind)

    def state(self, record: r.MigrationState) -> None:
        """Along the arrows of its type."""
        number, after, kind = record.migration, record.status, record.type
        arrows = LEGAL_MIGRATIONS.get(kind)
        if arrows is None:
            raise LawViolation("migration types are Nova's", kind)
        last = self._last.get(number)
        if last is None:
            before = None
            self._begins(record)
        else:
            before = last.status
            if (
                record.server != last.server or kind != last.type or record.source != last.source
                or record.request != last.request or (record.dest != last.dest and after not in _CHOOSING)
            ):  # fmt: skip
                raise LawViolation("a move stays what it is", f"it was {last}")
        self._last[number] = record
        if after != before:
            if after not in arrows.get(before, ()) and not self._goes_on(number, arrows, after):
                raise LawViolation("legal transitions", f"{kind} {number}: {before} → {after}")
            self._changes(record, before)

    def _changes(self, record: r.MigrationState, before: str | None) -> None:
        number, after, server = record.migration, record.status, record.server
        if after == "pre-migrating":
            self._open[server][number] = record.type
        elif before == "pre-migrating":
            self._open[server].pop(number, None)
        if after in OVER:
            self._servers.under_way[server].discard(number)
        elif before in OVER:
            self._servers.under_way[server].add(number)
        if (
            record.type == "evacuation"
            and after == "completed"
            and (before != "done" or self._servers.under_way[server])
        ):
            self._servers.tangled.add(server)
        if after == "error" or self._taken:
            self._note_taken(record, before)
        if after in _ARRIVED:
            self._check_arrival(record)
        elif after == "reverted":
            self._reverted[server] = number
        if record.type == "live-migration" and self.limit and (after in _BUSY) != (before in _BUSY):
            self._count(record)

    def _begins(self, record: r.MigrationState) -> None:
        """A new record: of a server that is, where it is."""
        if record.migration != len(self._last) + 1:
            raise LawViolation("records are numbered in order", f"migration {record.migration}")
        vm_state, host, *_ = self._servers.now[record.server]
        if record.source != (host or "") and vm_state != "deleted" and not self._servers.under_way.get(record.server):
            raise LawViolation("a move begins where the server is", f"{record.server} is on {host}")
        self._servers.begins(record.migration, record.server, record.type)
        self._servers.claims.held[f"{MIGRATION}{record.migration}"] = {}

    def _goes_on(self, number: int, arrows: Mapping[str | None, set[str]], after: str) -> bool:
        """Two actions share it, or it is in error while its work goes on."""
        if number in self._shared and after in SHARED:
            return True
        return after in arrows.get(self._taken.get(number, "error"), ())

    def _check_arrival(self, record: r.MigrationState) -> None:
        """An evacuation is ``completed`` later, when its old host has cleaned up."""
        server, host, kind = record.server, record.dest, record.type
        if kind == "evacuation" and record.status != "done":
            return
        vm_state, is_on, *_ = self._servers.now[server]
        if vm_state == "deleted" or server in self._servers.tangled:
            return
        if is_on != host or host not in self._servers.claims.held[server]:
            raise LawViolation("who has moved is there", f"{server} is on {is_on}, not with room on {host}")
        if kind == "live-migration" and self._copies.get(record.migration) != "completed":
            raise LawViolation("who has moved is there", f"{server} was not copied")

    def _count(self, record: r.MigrationState) -> None:
        busy = self.busy[record.source]
        if record.status not in _BUSY:
            busy.discard(record.migration)
            return
        busy.add(record.migration)
        if len(busy) > self.limit:
            raise LawViolation(
                "max_concurrent_live_migrations", f"{record.source} has {len(busy)} > {self.limit} at once"
            )

    def _note_taken(self, record: r.MigrationState, before: str | None) -> None:
        if record.status != "error":
            self._taken.pop(record.migration, None)
        elif before not in {None, "error"} and (
            len(self._servers.under_way[record.server]) > 1 or record.server in self._servers.tangled
        ):
            self._taken[record.migration] = before

    def copied(self, record: r.LiveCopy) -> None:
        """A copy is of the move that it names, and there is one of it."""
        number, move = record.migration, self._last[record.migration]
        if (move.server, move.source, move.dest) != (record.server, record.source, record.dest):
            raise LawViolation("a move stays what it is", f"its record: {move}")
        if number in self._copies:
            raise LawViolation("a server is copied once", f"by migration {number}")
        self._copies[number] = record.outcome
        if record.outcome == "completed" and record.mode != "postcopy":
            self._stops[record.server] = record

    def stopped(self, record: r.Downtime) -> None:
        """A guest stops before the end of its copy, and for at least as long as that says: its host may be cut off."""
        copy = self._stops.pop(record.server, None) if record.cause == "live-migration" else None
        if copy is None or self._last[copy.migration].request != record.request:
            return
        if record.began > copy.t or record.t - record.began < copy.downtime_s - _ROUNDING_S:
            raise LawViolation("a guest stops as long as its copy says", f"{copy.downtime_s} s")

    def returned(self, server: str) -> None:
        """The source of a move that was reverted has the server back."""
        self._back.add(self._reverted[server])

    def end(self) -> None:
        """What is over holds nothing."""
        held = self._servers.claims.held
        for number, last in self._last.items():
            if last.status in _HOLDS_NOTHING or number in self._back:
                holds = held[f"{MIGRATION}{number}"]
                if holds:
                    raise LawViolation("a finished move holds nothing", f"{number} is {last.status}, holds {holds}")
