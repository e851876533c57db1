"""Looking ahead must not touch what is looked ahead from, so a clone is whole, and its own."""

from __future__ import annotations

from typing import Any

import pytest

from sim.model.migration.limits import XEN, LiveMigrationLimits
from sim.model.migration.memory import memory_of
from sim.model.migration.own import MigrationModel
from sim.model.migration.rounds import Rounds
from sim.model.migration.xen import XenRounds

GUEST, LIMITS = memory_of("web", 4e9), LiveMigrationLimits()


class Counting(MigrationModel):
    """Keeps something of its own."""

    looks = 0


def slots(kind: type) -> list[str]:
    return [name for parent in kind.__mro__ for name in getattr(parent, "__slots__", ())]


@pytest.mark.parametrize(
    "copy", [Rounds(GUEST, LIMITS, 1e9), XenRounds(GUEST, LIMITS, 0.0, XEN), Counting(GUEST, LIMITS, 0.0)],
    ids=lambda copy: type(copy).__name__,
)  # fmt: skip
def test_a_clone_has_every_attribute(copy: Any) -> None:
    marks = {name: object() for name in slots(type(copy))}
    assert len(marks) > 30
    for name, mark in marks.items():
        setattr(copy, name, mark)
    if isinstance(copy, Counting):
        copy.looks = 7
    twin = copy.clone()
    assert type(twin) is type(copy)
    assert {name: getattr(twin, name) for name in marks} == marks
    assert getattr(twin, "looks", 7) == 7
    twin.left_b = 1.0
    assert copy.left_b is marks["left_b"]
