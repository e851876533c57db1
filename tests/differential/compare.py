"""Where the two sides differ: the first step after which they do, and what differs there.

Once they differ, what comes later follows from it; so only the first step counts. Its signature, which leaves out what
changes from one sequence to the next, is what differences are grouped by.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from tests.differential.sequences import Sequence
from tests.differential.stages import Step

Row = dict[str, Any]
_HOST = re.compile(r"\bcompute\d+\b")
_SERVER = re.compile(r"\bs\d+\b")
_NUMBER = re.compile(r"\b\d+(\.\d+)?\b")
_LENGTH = 300


class Part(NamedTuple):
    """One thing that differs: which server's (or None: the answer's), what of it, and how either side has it."""

    server: str | None
    what: str
    nova: Any
    ours: Any


class Difference(NamedTuple):
    """The first difference of a sequence. ``step`` is -1 for the stage itself."""

    step: int
    did: str
    parts: tuple[Part, ...]

    @property
    def kind(self) -> tuple[str, ...]:
        """What was done and what differs, not how: a shorter sequence with the same counts as the same difference."""
        return (self.did, *sorted({part.what for part in self.parts}))

    @property
    def signature(self) -> str:
        """What was done and what differs, without names and numbers."""
        return f"{self.did}: " + "; ".join(sorted({_signature(part) for part in self.parts}))


def first_difference(sequence: Sequence, nova: list[Row], ours: list[Row]) -> Difference | None:
    """The first step whose rows differ; None if no step's do."""
    for number, (theirs, mine) in enumerate(zip(nova, ours, strict=True)):
        parts = tuple(_parts(theirs, mine))
        if parts:
            step = number - 1
            return Difference(step, "stage" if step < 0 else told(sequence.steps[step]), parts)
    return None


def told(step: Step) -> str:
    """What a step does, in a word or two."""
    if step["op"] != "request":
        rest = [f"{key}={step[key]}" for key in ("disabled", "forced_down") if key in step]
        return " ".join([step["op"], *rest])
    of = "migration " if step.get("of") == "migration" else ""
    return of + (step["method"] if "method" in step else next(iter(step["body"])))


def _parts(nova: Row, ours: Row) -> Iterator[Part]:
    for what in ("code", "message", "fault_name", "body"):
        left, right = ((row["answer"] or {}).get(what) for row in (nova, ours))
        if left != right:
            yield Part(None, what, left, right)
    for name in sorted({*nova["servers"], *ours["servers"]}):
        yield from _of_server(name, nova["servers"].get(name), ours["servers"].get(name))


def _of_server(name: str, nova: Row | None, ours: Row | None) -> Iterator[Part]:
    if nova is None or ours is None:
        yield Part(name, "exists", nova is not None, ours is not None)
        return
    for what, theirs in nova.items():
        mine = ours[what]
        if what == "state" and isinstance(theirs, dict) and isinstance(mine, dict):
            for key in sorted({*theirs, *mine}):
                if theirs.get(key) != mine.get(key):
                    yield Part(name, key, theirs.get(key), mine.get(key))
        elif what in ("migrations", "actions"):
            same = sum(1 for _ in _common(theirs, mine))
            if theirs[same:] or mine[same:]:
                yield Part(name, what, theirs[same:], mine[same:])
        elif theirs != mine:
            yield Part(name, what, theirs, mine)


def _common(theirs: list[Any], mine: list[Any]) -> Iterator[Any]:
    for left, right in zip(theirs, mine, strict=False):
        if left != right:
            return
        yield left


def _signature(part: Part) -> str:
    values = [_plain(value)[:_LENGTH] for value in (part.nova, part.ours)]
    return f"{part.what} nova {values[0]} ours {values[1]}"


def _plain(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value)
    return _NUMBER.sub("N", _SERVER.sub("S", _HOST.sub("H", text)))
