"""What is asked, answered, begun and ended."""

from __future__ import annotations

from sim.errors import LawViolation
from sim.eventlog import records as r
from sim.runs.laws.hosts import HostLaw
from sim.runs.laws.law import Handler
from sim.runs.laws.moves import MigrationLaw

_BACK = "compute_finish_revert_resize"
_REFUSED = 400
"""Codes from here on come with a message."""


class RequestLaw:
    """Each request is answered at most once, never before it is asked, and with a message if it is refused."""

    def __init__(self) -> None:
        self._open: set[str] = set()
        self._seen: set[str] = set()

    def handlers(self) -> dict[type[r.Record], Handler]:
        """Record type → method."""
        return {r.Request: self.request, r.Answer: self.answer}

    def request(self, record: r.Request) -> None:
        """Asked once."""
        if record.request in self._seen:
            raise LawViolation("a request is asked once", record.request)
        self._seen.add(record.request)
        self._open.add(record.request)

    def answer(self, record: r.Answer) -> None:
        """Answered once."""
        if record.request not in self._open:
            raise LawViolation("a request is answered once, after it is asked", record.request)
        self._open.discard(record.request)
        if (record.code >= _REFUSED) != (record.message is not None):
            raise LawViolation("who is refused is told why", f"{record.code} with {record.message!r}")


class EventLaw:
    """Events of instance actions end once, after they began, and none ends well on a host that is dead."""

    def __init__(self, hosts: HostLaw, moves: MigrationLaw) -> None:
        self._hosts, self._moves = hosts, moves
        self._open: dict[tuple[str, str, str, str], int] = {}
        """Events that have begun and not ended, by how often."""

    def handlers(self) -> dict[type[r.Record], Handler]:
        """Record type → method."""
        return {r.EventStarted: self.started, r.EventFinished: self.finished}

    def started(self, record: r.EventStarted) -> None:
        """One more."""
        event = (record.server, record.request, record.event, record.host)
        self._open[event] = self._open.get(event, 0) + 1

    def finished(self, record: r.EventFinished) -> None:
        """One less."""
        event = (record.server, record.request, record.event, record.host)
        count = self._open.pop(event, 0)
        if count != 1:
            if not count:
                raise LawViolation("an event ends once, after it began", f"{record.event} on {record.host}")
            self._open[event] = count - 1
        well = record.result == "Success"
        if well != (record.details is None):
            raise LawViolation("who is refused is told why", f"{record.result} with {record.details!r}")
        if well and record.host in self._hosts.dead:
            raise LawViolation("nothing goes well on a dead host", f"{record.event} ends on {record.host}")
        if well and record.event == _BACK:
            self._moves.returned(record.server)
