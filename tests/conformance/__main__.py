"""Prints how many recorded cells the simulator answers as Nova did, file by file, and what differs in the others."""

from __future__ import annotations

import sys
from collections import Counter

from tests.conformance.cells import differences
from tests.conformance.recordings import MATRIX, REQUESTS, rows


def main(names: list[str]) -> int:
    """Replay the files of these names, or all. Returns how many cells differ."""
    differ = 0
    for name in names or (*MATRIX, *REQUESTS):
        cells = rows(name)
        found = [(row, _replay(row)) for row in cells]
        wrong = [(row, text) for row, text in found if text]
        differ += len(wrong)
        print(f"{name}: {len(cells) - len(wrong)} of {len(cells)} cells match")
        groups = Counter((row["action"], row.get("state") or row.get("case"), row.get("who", ""), text[0][:300])
                         for row, text in wrong)  # fmt: skip
        for (action, state, who, text), count in groups.items():
            print(f"    {count} × {action} {state} {who}: {text}")
    return differ


def _replay(row: dict[str, object]) -> list[str]:
    try:
        return differences(row)
    except Exception as error:
        return [f"broke: {type(error).__name__}: {error}"]


if __name__ == "__main__":
    sys.exit(min(main(sys.argv[1:]), 1))
