"""A server's records as chapters: one for each request, with all that belongs to it, and what happened in between."""

from __future__ import annotations

from sim.eventlog import records as r
from sim.eventlog.records import Record
from sim.metrics.explain.sentences import said


class Chapter:
    """Records of one request (None: of none), in the order of the log."""

    def __init__(self, request: str | None) -> None:
        self.request = request
        self.records: list[Record] = []

    @property
    def begin(self) -> float:
        """When its first record was written."""
        return self.records[0].t


def chapters(found: list[Record]) -> list[Chapter]:
    """Records of a server by request, in the order in which these began; between them what belongs to none.

    Records without a request of their own (faults, copies, steps of a decision) go to the request that they belong to
    by their decision or migration, else to the one that was under way.
    """
    owners = _owners(found)
    made: dict[str, Chapter] = {}
    loose: list[tuple[int, Record]] = []
    place: dict[int, int] = {}
    for number, record in enumerate(found):
        place[id(record)] = number
        request = _request(record, owners)
        if request is None:
            loose.append((number, record))
        else:
            made.setdefault(request, Chapter(request)).records.append(record)
    order = list(made.values())
    spans = [(chapter.begin, chapter.records[-1].t, chapter) for chapter in order]
    between: list[Chapter] = []
    for number, record in loose:
        home = _under_way(record, spans)
        if home is not None:
            home.records.append(record)
        elif said(record) is not None:
            last = between[-1].records[-1] if between else None
            apart = last is None or any(place[id(last)] < place[id(one.records[0])] < number for one in order)
            if apart:
                between.append(Chapter(None))
            between[-1].records.append(record)
    for chapter in order:
        chapter.records.sort(key=lambda record: place[id(record)])
    return sorted([*order, *between], key=lambda chapter: place[id(chapter.records[0])])


def _owners(found: list[Record]) -> dict[tuple[str, int], str]:
    """Decisions and migrations → the request that each belongs to."""
    owners: dict[tuple[str, int], str] = {}
    for record in found:
        if isinstance(record, r.Decision) and record.request is not None:
            owners["decision", record.decision] = record.request
        elif isinstance(record, r.MigrationState) and record.request is not None:
            owners.setdefault(("migration", record.migration), record.request)
    return owners


def _request(record: Record, owners: dict[tuple[str, int], str]) -> str | None:
    if isinstance(record, r.FilterStep | r.WeighStep):
        return owners.get(("decision", record.decision))
    if isinstance(record, r.LiveCopy):
        return owners.get(("migration", record.migration))
    own = getattr(record, "request", None)
    return own if isinstance(own, str) else None


def _under_way(record: Record, spans: list[tuple[float, float, Chapter]]) -> Chapter | None:
    """The request that was under way when something happened to its server; hosts have their own lives."""
    if isinstance(record, r.HostState | r.GuestLoad):
        return None
    during = [chapter for begin, end, chapter in spans if begin <= record.t <= end]
    return during[-1] if during else None
