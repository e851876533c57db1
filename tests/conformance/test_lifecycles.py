"""Lives of servers, step by step as real Nova recorded them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.conformance.lifecycle_player import play

ORACLE = Path(__file__).parents[3] / "shared" / "oracle"
FILES = ("lifecycles_lm", "lifecycles_retries", "lifecycles")


def cases() -> list[Any]:
    """Every recorded case; none where there are no recordings."""
    found = []
    for name in FILES:
        path = ORACLE / f"{name}.json"
        if path.exists():
            found += [pytest.param(case, id=f"{name}: {case['case']}") for case in json.loads(path.read_text("utf-8"))]
    return found or [pytest.param(None, marks=pytest.mark.skip("no recordings here"))]


@pytest.mark.parametrize("case", cases())
def test_a_recorded_life_is_lived_again(case: dict[str, Any]) -> None:
    differences = play(case)
    assert not differences, "\n".join(differences)


def main() -> None:
    """Print how many recorded cases match, and what differs in the others."""
    total = matched = 0
    for parameter in cases():
        case = parameter.values[0]
        total += 1
        try:
            differences = play(case)
        except Exception as error:
            differences = [f"broke: {type(error).__name__}: {error}"]
        matched += not differences
        for difference in differences:
            print(f"{case['case']}\n    {difference[:600]}")
    print(f"{matched} of {total} recorded lives match")


if __name__ == "__main__":
    main()
