"""One record of a whole day's log is changed, dropped or written twice: the laws must see it wherever it happens."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import msgspec
import pytest

import sim
from sim.errors import LawViolation
from sim.eventlog import records as r

DAY = Path(__file__).parents[2] / "scenarios" / "teaching_lab_day.yaml"
Change = Callable[[Any], Sequence[r.Record]]


@lru_cache(maxsize=1)
def log() -> tuple[r.Record, ...]:
    return tuple(sim.run(DAY).records())


def dropped(_: r.Record) -> Sequence[r.Record]:
    return ()


def twice(record: r.Record) -> Sequence[r.Record]:
    return record, record


def with_(**fields: Any) -> Change:
    return lambda record: (msgspec.structs.replace(record, **fields),)


def plus(field: str, amount: float) -> Change:
    return lambda record: (msgspec.structs.replace(record, **{field: getattr(record, field) + amount}),)


CHANGES: list[tuple[type[r.Record], str, Change]] = [
    *((kind, "dropped", dropped) for kind in (r.Claimed, r.EventStarted, r.FlowStarted, r.Request, r.ServerCreated)),
    *((kind, "twice", twice) for kind in (
        r.Answer, r.Claimed, r.ClaimMoved, r.Decision, r.Downtime, r.EventFinished, r.FlowEnded, r.FlowStarted,
        r.LiveCopy, r.Operation, r.Released, r.Request, r.ServerCreated, r.ServerDeleted,
    )),
    *((kind, "of another server", with_(server="nobody")) for kind in (
        r.ActionStarted, r.EventFinished, r.EventStarted, r.LiveCopy, r.MigrationState, r.ServerDeleted,
        r.ServerState,
    )),
    *((kind, "on another host", with_(host="lab-12")) for kind in (
        r.Claimed, r.ClaimMoved, r.EventFinished, r.EventStarted,
    )),
    (r.Claimed, "more vcpus", plus("vcpus", 1)),
    (r.Claimed, "less memory", plus("memory_mb", -1)),
    (r.FlowEnded, "more bytes", plus("bytes", 1e6)),
    (r.FlowRate, "more", plus("rate_bps", 1e6)),
    (r.LiveCopy, "more bytes", plus("bytes_memory", 1e6)),
    (r.LiveCopy, "began later", plus("began", 0.1)),
    (r.MigrationState, "elsewhere", with_(source="lab-12")),
    (r.MigrationState, "another type", with_(type="swap")),
    (r.MigrationState, "another number", plus("migration", 1)),
    (r.ServerState, "another flavor", with_(flavor="m.none")),
    (r.Step, "began after its end", lambda record: with_(began=record.t + 1.0)(record)),
]  # fmt: skip


def mutants(kind: type[r.Record], change: Change) -> Iterator[list[r.Record]]:
    whole = log()
    for at, record in enumerate(whole):
        if type(record) is kind:
            changed = change(record)
            if list(changed) != [record]:
                yield [*whole[:at], *changed, *whole[at + 1 :]]


@pytest.mark.parametrize(("kind", "how", "change"), CHANGES, ids=[f"{c[0].__name__} {c[1]}" for c in CHANGES])
def test_it_is_seen(kind: type[r.Record], how: str, change: Change) -> None:
    made = 0
    for mutant in mutants(kind, change):
        made += 1
        with pytest.raises(LawViolation):
            sim.check(mutant)
    assert made, f"no {kind.__name__} to be {how}"
