"""The server that a drain had to wait for, and what its time went on."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from sim.eventlog import records as r
from sim.eventlog.records import Record

_MOST = 3


@dataclass(frozen=True, slots=True)
class Last:
    """A server: how long until it was asked for, and its longest stages."""

    server: str
    asked_after_s: float
    """Seconds from the beginning of the first operation to its first request to move."""
    stages: tuple[tuple[str, float], ...]
    """Stage and seconds, the longest first; waits in queues are called after the queue."""


def last_to_arrive(records: Iterable[Record]) -> Last | None:
    """The server whose last stage ended last; None where none moved."""
    began: float | None = None
    asked: dict[str, float] = {}
    ended: dict[str, float] = {}
    stages: dict[str, dict[str, float]] = {}
    for record in records:
        if isinstance(record, r.Operation) and began is None:
            began = record.t
        elif isinstance(record, r.Request) and record.server is not None:
            asked.setdefault(record.server, record.t)
        elif isinstance(record, r.Step | r.Waited) and record.server in asked:
            name = record.step if isinstance(record, r.Step) else f"waiting for {record.queue.partition(':')[0]}"
            spent = stages.setdefault(record.server, {})
            spent[name] = spent.get(name, 0.0) + record.t - record.began
            ended[record.server] = record.t
    if not ended:
        return None
    server = max(ended, key=lambda name: (ended[name], name))
    longest = sorted(stages[server].items(), key=lambda pair: -pair[1])[:_MOST]
    return Last(server, max(asked[server] - (began or 0.0), 0.0), tuple(longest))
