"""Shortest sequences: leave out steps, servers and options as long as the same difference shows (delta debugging)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from tests.differential.sequences import Sequence
from tests.differential.stages import Stage

T = TypeVar("T")
Shows = Callable[[Sequence], bool]
"""Whether a sequence still shows the difference."""


def shrink(sequence: Sequence, shows: Shows, *, last: int) -> Sequence:
    """The smallest sequence found that still ``shows`` the difference, which came with step number ``last``.

    The order of attempts depends on the sequence alone: the same difference always shrinks to the same sequence.
    """
    sequence = sequence._replace(steps=sequence.steps[: last + 1])
    steps = fewest(sequence.steps, lambda kept: shows(sequence._replace(steps=kept)))
    sequence = sequence._replace(steps=steps)
    for smaller in (_without_options, _without_fails, _without_servers, _without_groups):
        sequence = smaller(sequence, shows)
    return sequence


def fewest(items: list[T], shows: Callable[[list[T]], bool]) -> list[T]:
    """A part of ``items``, in their order, of which no single item can be left out (ddmin, Zeller 2002)."""
    size = max(1, len(items) // 2)
    while items:
        start = 0
        while start < len(items):
            kept = items[:start] + items[start + size :]
            if shows(kept):
                items = kept
            else:
                start += size
        if size == 1:
            return items
        size = max(1, size // 2)
    return items


def _change(sequence: Sequence, shows: Shows, **parts: object) -> Sequence | None:
    """The sequence with other parts of its stage, if it still shows the difference."""
    stage: Stage = {**sequence.stage, **parts}
    changed = sequence._replace(stage=stage)
    return changed if shows(changed) else None


def _without_options(sequence: Sequence, shows: Shows) -> Sequence:
    for name in list(sequence.stage["options"]):
        left = {key: value for key, value in sequence.stage["options"].items() if key != name}
        sequence = _change(sequence, shows, options=left) or sequence
    return sequence


def _without_fails(sequence: Sequence, shows: Shows) -> Sequence:
    for host in list(sequence.stage["fails"]):
        left = {key: value for key, value in sequence.stage["fails"].items() if key != host}
        sequence = _change(sequence, shows, fails=left) or sequence
    return sequence


def _without_servers(sequence: Sequence, shows: Shows) -> Sequence:
    for step in list(sequence.stage["servers"]):
        left = [one for one in sequence.stage["servers"] if one is not step]
        sequence = _change(sequence, shows, servers=left) or sequence
    return sequence


def _without_groups(sequence: Sequence, shows: Shows) -> Sequence:
    if not sequence.stage["groups"]:
        return sequence
    bare = [{key: value for key, value in step.items() if key != "group"} for step in sequence.stage["servers"]]
    steps = [{key: value for key, value in step.items() if key != "group"} for step in sequence.steps]
    changed = sequence._replace(steps=steps, stage={**sequence.stage, "groups": {}, "servers": bare})
    return changed if shows(changed) else sequence
