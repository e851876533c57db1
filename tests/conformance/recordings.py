"""What real Nova answered: the recordings, where they are beside the project, and the project's compact copy of them.

``python -m tests.conformance.recordings`` makes the copy anew.
"""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

ORACLE = Path(__file__).parents[3] / "shared" / "oracle"
COPY = Path(__file__).parent / "data"
MATRIX = tuple(f"matrix_{letter}" for letter in "abcde")
REQUESTS = (
    "requests_migrate", "requests_live_shape", "requests_live_hosts", "requests_evacuate", "requests_evacuate_hosts",
    "requests_rest",
)  # fmt: skip
LIVES = ("lifecycles_lm", "lifecycles_retries", "lifecycles")
_NOT_COMPARED = ("rpc_to_compute",)
_TRIED = frozenset({"check_can_live_migrate_destination", "prep_resize", "rebuild_instance"})
"""Calls that tell which host was tried."""
_OF_EVENTS = {
    "instance": ("changed", "status"), "migration": ("op", "id", "status", "migration_type", "dest_compute"),
    "action_start": ("action",), "event_start": ("event", "host"), "event_finish": ("event", "result", "details"),
    "instance_fault": ("code", "message"), "rpc": ("method", "host"),
}  # fmt: skip
"""What is compared of each kind of event in a life."""
_NODES = ("source_node", "dest_node")

Row = dict[str, Any]


def rows(name: str, folder: Path = ORACLE) -> list[Row]:
    """The cells of one file of a folder, in its order."""
    return [*map(compact, json.loads((folder / f"{name}.json").read_text("utf-8")))]


def is_here(name: str) -> bool:
    """Whether the recording itself is there."""
    return (ORACLE / f"{name}.json").exists()


def copied(name: str) -> list[Row]:
    """The project's copy."""
    found: list[Row] = json.loads(gzip.decompress((COPY / f"{name}.json.gz").read_bytes()))
    return found


def compact(row: Row) -> Row:
    """Without what no cell is compared by."""
    kept = {key: value for key, value in row.items() if key not in _NOT_COMPARED}
    for key in ("last_migration", "new_migrations"):
        if kept.get(key):
            records = kept[key] if isinstance(kept[key], list) else [kept[key]]
            for record in records:
                for node in _NODES:
                    record.pop(node, None)
    for step in kept.get("steps", ()):
        step["events"] = [
            {"kind": event["kind"]} | {key: event[key] for key in _OF_EVENTS[event["kind"]]}
            for event in step["events"]
            if event["kind"] in _OF_EVENTS and (event["kind"] != "rpc" or event["method"] in _TRIED)
        ]
    return kept


def _copy(name: str) -> None:
    text = json.dumps(rows(name), separators=(",", ":"))
    (COPY / f"{name}.json.gz").write_bytes(gzip.compress(text.encode(), 9, mtime=0))


if __name__ == "__main__":
    for each in (*MATRIX, *REQUESTS, *LIVES):
        _copy(each)
