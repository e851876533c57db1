"""Lives of servers, step by step as real Nova recorded them."""

from __future__ import annotations

from typing import Any

import pytest

from tests.conformance.lifecycle_player import play
from tests.conformance.recordings import LIVES, copied


def cases() -> list[Any]:
    """Every recorded case."""
    return [pytest.param(case, id=f"{name}: {case['case']}") for name in LIVES for case in copied(name)]


@pytest.mark.parametrize("case", cases())
def test_a_recorded_life_is_lived_again(case: dict[str, Any]) -> None:
    differences = play(case)
    assert not differences, "\n".join(differences)


def main() -> None:
    """Print how many recorded cases match, and what differs in the others."""
    total = matched = 0
    for parameter in cases():
        case: Any = parameter.values[0]
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
