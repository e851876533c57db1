"""Sequences as real Nova 34 played them (`tests.differential.record_sequences`), played here.

Every operation held in every stage, and what may happen meanwhile: a host dies, the server is reset, deleted, stopped,
aborted. And every sequence in which the two once differed. After each step answers, states, migration records, action
events and allocations are the same.
"""

from __future__ import annotations

from typing import Any

import pytest

from tests.conformance.recordings import copied
from tests.differential.__main__ import tell
from tests.differential.compare import first_difference
from tests.differential.our_side import OurSide
from tests.differential.sequences import of_json

RECORDED = copied("sequences")
BY_OPERATION: dict[str, list[dict[str, Any]]] = {}
for _one in RECORDED:
    BY_OPERATION.setdefault(_one["name"].partition(":")[0], []).append(_one)


@pytest.mark.parametrize("operation", BY_OPERATION)
def test_what_real_nova_did(operation: str) -> None:
    differing = []
    for recorded in BY_OPERATION[operation]:
        sequence = of_json(recorded)
        difference = first_difference(sequence, recorded["nova"], OurSide().play(sequence, recorded["nova"]))
        if difference is not None:
            differing.append(f"{recorded['name']}\n{tell(0, sequence, difference)}")
    assert not differing, "\n".join(differing)
