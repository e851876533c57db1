"""Identifiers are real UUIDs, the same in every process."""

from __future__ import annotations

import uuid

from sim.model.identity import named_uuid

NAMESPACE = uuid.UUID("6d1f9a3c-55a4-4be0-9a4f-3c8f0b1f5e0a")


def test_equals_the_standard_library() -> None:
    for number in range(500):
        assert named_uuid("server", f"s{number}") == str(uuid.uuid5(NAMESPACE, f"server/s{number}"))
