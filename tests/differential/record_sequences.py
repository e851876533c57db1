"""Writes down what real Nova did in sequences worth keeping: `python -m tests.differential.record_sequences`.

Writes `tests/conformance/data/sequences.json.gz`, which `tests/conformance/test_sequences.py` plays in the simulator:
all sequences of :mod:`midst`, and those in which a difference was once found (`FOUND`, one JSON object a line, as
`python -m tests.differential` prints them).
"""

from __future__ import annotations

import gzip
import json
import pathlib
from collections.abc import Iterator
from typing import Any

from tests.differential import midst
from tests.differential.nova_side import NovaSide
from tests.differential.sequences import Sequence, as_json, of_json

FOUND = pathlib.Path(__file__).parent / "found.jsonl"
OUT = pathlib.Path(__file__).parents[1] / "conformance" / "data" / "sequences.json.gz"


def found() -> Iterator[tuple[str, Sequence]]:
    """Sequences that once showed a difference, with a name for each."""
    for line in FOUND.read_text("utf-8").splitlines():
        one: dict[str, Any] = json.loads(line)
        yield one["name"], of_json(one)


def main() -> None:
    """Ask real Nova, and write."""
    nova = NovaSide()
    rows = [
        {"name": name, **as_json(sequence), "nova": nova.play(sequence)}
        for name, sequence in (*midst.sequences(), *found())
    ]
    nova.close()
    text = json.dumps(rows, separators=(",", ":"))
    OUT.write_bytes(gzip.compress(text.encode(), 9, mtime=0))
    print(f"{len(rows)} sequences recorded")


if __name__ == "__main__":
    main()
