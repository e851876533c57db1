"""Writes down what real Nova did in sequences worth keeping: `python -m tests.differential.record_sequences`.

Writes `tests/conformance/data/sequences.json.gz`, which `tests/conformance/test_sequences.py` plays in the simulator:
all sequences of :mod:`midst` and :mod:`aftermath`, and those in which a difference was once found (`FOUND`, one JSON
object a line, as `python -m tests.differential` prints them). What is recorded already is kept; `--all` asks everything
anew.
"""

from __future__ import annotations

import argparse
import gzip
import json
import pathlib
from collections.abc import Iterator
from typing import Any

from tests.conformance.recordings import COPY, copied
from tests.differential import aftermath, midst
from tests.differential.nova_side import NovaSide
from tests.differential.sequences import Sequence, as_json, of_json

FOUND = pathlib.Path(__file__).parent / "found.jsonl"
OUT = COPY / "sequences.json.gz"


def found() -> Iterator[tuple[str, Sequence]]:
    """Sequences that once showed a difference, with a name for each."""
    for line in FOUND.read_text("utf-8").splitlines():
        one: dict[str, Any] = json.loads(line)
        yield one["name"], of_json(one)


def main() -> None:
    """Ask real Nova, and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--all", action="store_true", help="ask again what is recorded already")
    kept = {} if parser.parse_args().all else {_key(row): row for row in copied("sequences")}
    nova = NovaSide()
    rows = []
    for name, sequence in (*midst.sequences(), *aftermath.sequences(), *found()):
        asked = {"name": name, **as_json(sequence)}
        rows.append(kept.get(_key(asked)) or asked | {"nova": nova.play(sequence)})
    nova.close()
    text = json.dumps(rows, separators=(",", ":"))
    OUT.write_bytes(gzip.compress(text.encode(), 9, mtime=0))
    print(f"{len(rows)} sequences recorded")


def _key(row: dict[str, Any]) -> str:
    return json.dumps([row["name"], row["stage"], row["steps"]])


if __name__ == "__main__":
    main()
