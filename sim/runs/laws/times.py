"""How long things took."""

from __future__ import annotations

from sim.errors import LawViolation
from sim.eventlog import records as r
from sim.runs.laws.law import Handler

_ROUNDING_S = 1e-6
_OUTCOMES = frozenset({"done", "failed", "aborted"})


class SpanLaw:
    """Nothing ends before it began, and a guest that does not run cannot stop.

    One that boots is missed and runs: a live migration may stop it.
    """

    def __init__(self) -> None:
        self._ran_again: dict[tuple[str, bool], float] = {}
        """Server, and whether a live migration stopped it → the end of its last such downtime."""

    def handlers(self) -> dict[type[r.Record], Handler]:
        """Record type → method."""
        return {r.Step: self.step, r.Waited: self.waited, r.Downtime: self.downtime}

    def step(self, record: r.Step) -> None:
        """A stage."""
        if record.began > record.t or record.outcome not in _OUTCOMES:
            raise LawViolation("nothing ends before it began", f"{record.step} {record.outcome}")

    def waited(self, record: r.Waited) -> None:
        """A wait."""
        if record.began > record.t:
            raise LawViolation("nothing ends before it began", record.queue)

    def downtime(self, record: r.Downtime) -> None:
        """A guest that does not run."""
        guest = (record.server, record.cause == "live-migration")
        ran = self._ran_again.get(guest, record.began)
        if not ran - _ROUNDING_S <= record.began <= record.t:
            raise LawViolation("a guest stops while it runs", f"{record.server} ran again at {ran}")
        self._ran_again[guest] = record.t
