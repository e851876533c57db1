"""Runs all laws over a log: at the end of every run, in every test, and on demand over any stored run."""

from __future__ import annotations

from collections.abc import Iterable

from sim.errors import LawViolation
from sim.eventlog import records as r
from sim.runs import laws


class Checkers:
    """All laws, fed record by record; :meth:`end` asks for what must hold at the end of a log."""

    def __init__(self) -> None:
        self._time = laws.TimeLaw()
        self._ending: list[laws.EndingLaw] = [laws.CapacityLaw(), laws.FlowLaw()]
        self._handlers: dict[type[r.Record], list[laws.Handler]] = {}
        observers: list[laws.Law] = [*self._ending, laws.ServerLaw(), laws.MigrationLaw(), laws.RequestLaw()]
        for law in observers:
            for kind, handler in law.handlers().items():
                self._handlers.setdefault(kind, []).append(handler)
        self.position = -1

    def see(self, record: r.Record) -> None:
        """One more record. Raises LawViolation with the record and its position in the log."""
        self.position += 1
        try:
            self._time.see(record)
            for handler in self._handlers.get(type(record), ()):
                handler(record)
        except LawViolation as violation:
            raise LawViolation(violation.law, violation.detail, record, self.position) from None

    def end(self) -> None:
        """The log is over."""
        for law in self._ending:
            law.end()


def check(records: Iterable[r.Record]) -> int:
    """Run all laws over the records; returns how many records were seen. Raises LawViolation at the first break."""
    checkers = Checkers()
    for record in records:
        checkers.see(record)
    checkers.end()
    return checkers.position + 1
