"""The answer as flat numbers, for sweeps of many runs: one pass over the records, no data frames.

Says the same as :func:`sim.metrics.answer.answer` (a test holds them together) at a fraction of its cost, because a
sweep looks at a thousand runs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from sim.eventlog import records as r
from sim.eventlog.records import Record
from sim.metrics.source import Records, Source, as_records

_NOTHING = float("nan")
_DONE = frozenset({"completed", "done", "confirmed", "finished"})
_ENDED = frozenset({"completed", "confirmed", "done", "reverted", "cancelled", "failed", "error"})
_FAILED = frozenset({"failed", "error"})
_MOVES = frozenset({"migrate", "os-migrateLive", "evacuate"})
FAULTS = frozenset({"fail", "fault", "link"})
"""Operations that are bad luck, not work: nobody waits for their end."""


class _Life:
    """One migration record's life so far."""

    __slots__ = (
        "arrived", "confirmed", "created", "dest", "queue", "queued", "request", "server", "status", "stood", "type",
    )  # fmt: skip

    def __init__(self, server: str, kind: str, request: str | None, created: float, *, stood: bool = False) -> None:
        self.server, self.type, self.request, self.created = server, kind, request, created
        self.stood = stood
        self.status = ""
        self.dest: str | None = None
        self.queue = 0.0
        self.queued: float | None = None
        self.arrived: float | None = None
        self.confirmed = False


class _Fold:
    """What a run comes to, record by record; what happened before the cut is left out as the tables leave it out."""

    def __init__(self, cut: float) -> None:
        self.cut = cut
        self.lives: dict[int, _Life] = {}
        self.downtime: dict[str, float] = {}
        self.begun: dict[int, float] = {}
        self.ended: dict[int, float] = {}
        self.tries: dict[tuple[str | None, str], list[int]] = {}
        self.asked: dict[str, tuple[str, float]] = {}
        self.requests: set[str] = set()
        self.refused: set[str] = set()
        self.failed_requests: dict[str, bool] = {}
        self.confirms: dict[str, tuple[str, float]] = {}
        self.wanted: set[str] = set()
        self.sent = 0.0
        self.inside: set[int] = set()
        self.slow: dict[str, tuple[float, float]] = {}
        self.lost = 0.0
        self.take: dict[type[Record], Callable[[Any], None]] = {
            r.MigrationsPresent: self._stood, r.MigrationState: self._migration, r.Downtime: self._down,
            r.Operation: self._operation,
            r.Decision: self._decision, r.EventStarted: self._event, r.EventFinished: self._event_over,
            r.Request: self._request, r.Answer: self._answer, r.NeedsHuman: self._human,
            r.FlowStarted: self._flow_begun, r.FlowEnded: self._flow,
            r.Slowdown: self._slowdown,
        }  # fmt: skip

    def _stood(self, record: r.MigrationsPresent) -> None:
        columns = zip(record.migration, record.server, record.type, record.status, record.dest, strict=True)
        for number, server, kind, status, dest in columns:
            life = self.lives[number] = _Life(server, kind, None, record.t, stood=True)
            life.status, life.dest = status, dest

    def _migration(self, record: r.MigrationState) -> None:
        life = self.lives.get(record.migration)
        if life is None:
            life = self.lives[record.migration] = _Life(record.server, record.type, record.request, record.t)
        status = life.status = record.status
        life.dest = record.dest or life.dest
        if life.queued is not None:
            life.queue += record.t - life.queued
            life.queued = None
        if status == "queued":
            life.queued = record.t
        first = status in _ENDED and life.arrived is None
        again = status == "finished" if life.type in {"migration", "resize"} else status in _ENDED
        if first or (again and life.type != "evacuation"):
            life.arrived = record.t
        life.confirmed = life.confirmed or status == "confirmed"

    def _down(self, record: r.Downtime) -> None:
        if record.t >= self.cut:
            took = record.t - max(record.began, self.cut)
            self.downtime[record.server] = self.downtime.get(record.server, 0.0) + took

    def _operation(self, record: r.Operation) -> None:
        if record.phase == "begun" and record.t >= self.cut and record.kind not in FAULTS:
            self.begun[record.operation] = record.t
        elif record.phase == "ended":
            self.ended[record.operation] = record.t

    def _decision(self, record: r.Decision) -> None:
        if record.chosen is not None:
            self.tries.setdefault((record.request, record.server), [0, 0])[0] += 1

    def _event(self, record: r.EventStarted) -> None:
        if record.event == "compute_prep_resize":
            self.tries.setdefault((record.request, record.server), [0, 0])[1] += 1

    def _event_over(self, record: r.EventFinished) -> None:
        self.failed_requests[record.request] = record.result == "Error"

    def _request(self, record: r.Request) -> None:
        if record.t < self.cut:
            return
        self.requests.add(record.request)
        if record.server is None:
            return
        if record.action in _MOVES:
            self.asked[record.server] = (record.request, record.t)
        elif record.action == "confirmResize":
            self.confirms[record.request] = (record.server, record.t)

    def _answer(self, record: r.Answer) -> None:
        if record.code >= 400:
            self.refused.add(record.request)

    def _human(self, record: r.NeedsHuman) -> None:
        if record.t >= self.cut:
            self.wanted.add(record.server)

    def _flow_begun(self, record: r.FlowStarted) -> None:
        if not record.links:
            self.inside.add(record.flow)

    def _flow(self, record: r.FlowEnded) -> None:
        if record.t >= self.cut and record.flow not in self.inside:
            self.sent += record.bytes

    def _slowdown(self, record: r.Slowdown) -> None:
        self._lose(record.server, record.t)
        self.slow[record.server] = (record.t, record.fraction)

    def _lose(self, server: str, t: float) -> None:
        since, fraction = self.slow.get(server, (t, 0.0))
        self.lost += max(t - max(since, self.cut), 0.0) * fraction

    def close(self, end: float) -> None:
        """The run is over."""
        self.lives = {number: life for number, life in self.lives.items() if life.created >= self.cut}
        for server in self.slow:
            self._lose(server, end)
        for life in self.lives.values():
            if life.queued is not None:
                life.queue += end - life.queued


def summary(source: Source, warm_up: float = 0.0) -> dict[str, float]:
    """The answer as flat numbers: the same keys for every run; NaN where there is nothing to measure.

    Times in seconds (``_s``), sizes in bytes (``_b``), the rest are counts. ``warm_up`` (s) leaves out operations,
    requests and migrations that began before it, and the part before it of what guests felt.
    """
    records = as_records(source)
    return records.keep(("summary", warm_up), lambda: _summary(records.records(), records, warm_up))


def _summary(log: Iterable[Record], source: Records, warm_up: float) -> dict[str, float]:
    fold = _Fold(warm_up)
    take = fold.take
    for record in log:
        handle = take.get(type(record))
        if handle is not None:
            handle(record)
    end = source.end_s
    fold.close(end)
    moved, failed, left = _fates(fold)
    times: dict[str, tuple[float, float]] = {}
    for life in fold.lives.values():
        total, queue = times.get(life.server, (0.0, 0.0))
        took = 0.0 if life.arrived is None or life.stood else life.arrived - life.created
        times[life.server] = (total + took, queue + life.queue)
    served = [pair for pair in times.values() if pair[0] > 0]
    touched = set(times) | {server for server, seconds in fold.downtime.items() if seconds > 0}
    made: dict[str, float] = {
        "makespan_s": _makespan(fold, end),
        "simulated_s": end,
        "requests": float(len(fold.requests)), "refused": float(len(fold.requests & fold.refused)),
        "asked": float(moved + failed + left), "moved": float(moved), "failed": float(failed), "left": float(left),
        "unmoved": float(failed + left), "migrations": float(len(fold.lives)),
        "migrations_failed": float(sum(life.status in _FAILED for life in fold.lives.values())),
        "retries": float(sum(_retries(fold, life) for life in fold.lives.values())),
        "auto_confirmed": float(_auto_confirmed(fold)),
        "unconfirmed": float(sum(life.status == "finished" for life in fold.lives.values())),
    }  # fmt: skip
    made |= _spread("downtime", [fold.downtime.get(server, 0.0) for server in touched])
    made |= _spread("total_time", [total for total, _ in served])
    made |= _spread("queue_time", [queue for _, queue in served])
    made["bytes_sent_b"] = fold.sent
    made["slowdown_sum_s"] = fold.lost
    return made


def _makespan(fold: _Fold, end: float) -> float:
    if fold.begun:
        return max(fold.ended.get(number, end) for number in fold.begun) - min(fold.begun.values())
    over = [life for life in fold.lives.values() if life.arrived is not None and not life.stood]
    if not over:
        return _NOTHING
    arrived = (life.arrived for life in over if life.arrived is not None)
    return max(arrived) - min(life.created for life in over)


def _retries(fold: _Fold, life: _Life) -> int:
    tries = max(fold.tries.get((life.request, life.server), (0, 0)))
    return max((tries or int(life.dest is not None)) - 1, 0)


def _auto_confirmed(fold: _Fold) -> int:
    """Confirmed migrations of which no accepted request to confirm speaks."""
    of: dict[str, list[tuple[int, _Life]]] = {}
    for number, life in fold.lives.items():
        of.setdefault(life.server, []).append((number, life))
    asked: set[int] = set()
    for request, (server, t) in fold.confirms.items():
        if request not in fold.refused:
            asked.update([number for number, life in of.get(server, []) if life.created <= t][-1:])
    return sum(life.confirmed and number not in asked for number, life in fold.lives.items())


def _fates(fold: _Fold) -> tuple[int, int, int]:
    """How many servers moved, failed, were left: the rules of the answer."""
    last = {life.server: life for life in fold.lives.values() if life.type != "resize" and not life.stood}
    moved = failed = left = 0
    for server in {*fold.asked, *fold.wanted}:
        life = last.get(server)
        request, asked_at = fold.asked.get(server, ("", -1.0))
        refused = request in fold.refused and (life is None or (life.arrived is not None and asked_at >= life.arrived))
        if not refused and life is not None and life.status in _DONE:
            moved += 1
        elif refused or (life is not None and life.status in _FAILED) or fold.failed_requests.get(request, False):
            failed += 1
        else:
            left += 1
    return moved, failed, left


def _spread(name: str, values: Sequence[float]) -> dict[str, float]:
    ordered = sorted(values)

    def at(q: float) -> float:
        place = q * (len(ordered) - 1)
        low = int(place)
        high = min(low + 1, len(ordered) - 1)
        return ordered[low] + (ordered[high] - ordered[low]) * (place - low)

    if not ordered:
        return {f"{name}_{part}_s": _NOTHING for part in ("median", "p95", "p99", "max")} | {f"{name}_sum_s": 0.0}
    return {
        f"{name}_median_s": at(0.5), f"{name}_p95_s": at(0.95), f"{name}_p99_s": at(0.99),
        f"{name}_max_s": ordered[-1], f"{name}_sum_s": sum(ordered),
    }  # fmt: skip
