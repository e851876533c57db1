"""Lives of the oracle's kinds, more than it has, as real Nova 34 lived them (`tests.differential.record_lives`)."""

from __future__ import annotations

from typing import Any

import pytest

from tests.conformance.lifecycle_player import play
from tests.conformance.recordings import copied

CASES = copied("lives")


@pytest.mark.parametrize("case", CASES, ids=[case["case"] for case in CASES])
def test_a_recorded_life_is_lived_again(case: dict[str, Any]) -> None:
    differences = play(case)
    assert not differences, "\n".join(differences)
