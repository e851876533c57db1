"""Prints how many recorded cells the simulator answers as Nova did, file by file, and what differs in the others.

``--folder`` names a folder of recordings in the same shape, made with Nova's defaults (tests/differential/grid.py).
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.conformance.cells import NEW_DEFAULTS, differences
from tests.conformance.recordings import MATRIX, REQUESTS, copied, rows


def main() -> int:
    """Replay the files named, or all. Returns how many cells differ."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*")
    parser.add_argument("--folder", type=Path)
    asked = parser.parse_args()
    options = {} if asked.folder is None else NEW_DEFAULTS
    names = asked.names or (
        (*MATRIX, *REQUESTS) if asked.folder is None else sorted(p.stem for p in asked.folder.iterdir())
    )
    differ = 0
    for name in names:
        cells = copied(name) if asked.folder is None else rows(name, asked.folder)
        wrong = [(row, text) for row in cells if (text := _replay(row, options))]
        differ += len(wrong)
        print(f"{name}: {len(cells) - len(wrong)} of {len(cells)} cells match")
        groups = Counter(
            (row["action"], row.get("state") or row.get("case"), row.get("who", ""), text[0][:300])
            for row, text in wrong
        )
        for (action, state, who, text), count in groups.items():
            print(f"    {count} × {action} {state} {who}: {text}")
    return differ


def _replay(row: dict[str, object], options: Mapping[str, Any]) -> list[str]:
    try:
        return differences(row, options)
    except Exception as error:
        return [f"broke: {type(error).__name__}: {error}"]


if __name__ == "__main__":
    sys.exit(min(main(), 1))
