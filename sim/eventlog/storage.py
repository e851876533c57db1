"""Records on disk: Parquet, one table for each record type, in parts; read lazily, or as the same records again.

A folder holds ``TYPE-00000.parquet``, ``TYPE-00001.parquet``, … and ``index.json``, which is written last: it names the
parts and counts the records, so that a folder without it is unfinished. ``index.json`` also keeps the bulk records that
have no elements, which no row could stand for.
"""

from __future__ import annotations

import heapq
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import polars as pl

from sim.errors import InputError, Issue
from sim.eventlog.columns import defaults, fields, frame, is_bulk, rebuild, schema
from sim.eventlog.records import RECORD_TYPES, Record

INDEX = "index.json"
_PART = 1 << 18
"""Records of one type that are held before they are written: bounds memory, and keeps row groups large."""
_BY_NAME = {kind.__name__: kind for kind in RECORD_TYPES}


class RecordWriter:
    """Writes records as they come into a folder; :meth:`close` makes the folder whole."""

    def __init__(self, folder: str | Path, part: int = _PART) -> None:
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self._part = part
        self._held: dict[type[Record], tuple[list[int], list[Record]]] = {}
        self._parts: dict[str, int] = {}
        self._rows: dict[str, int] = {}
        self._empty: list[tuple[str, int, float]] = []
        self._count = 0
        self._end = 0.0

    def append(self, record: Record) -> None:
        """One more record."""
        kind = type(record)
        held = self._held.get(kind)
        if held is None:
            held = self._held[kind] = ([], [])
        held[0].append(self._count)
        held[1].append(record)
        self._count += 1
        self._end = record.t
        if len(held[0]) >= self._part:
            self._flush(kind)

    def _flush(self, kind: type[Record]) -> None:
        seqs, records = self._held.pop(kind)
        name = kind.__name__
        table = frame(kind, seqs, records)
        if is_bulk(kind):
            first = next(iter(fields(kind)))
            empty = zip(seqs, records, strict=True)
            self._empty.extend((name, seq, record.t) for seq, record in empty if not getattr(record, first))
        self._rows[name] = self._rows.get(name, 0) + len(records)
        number = self._parts.get(name, 0)
        self._parts[name] = number + 1
        table.write_parquet(self.folder / f"{name}-{number:05d}.parquet", compression="zstd", compression_level=3)

    def close(self) -> None:
        """Write what is held, then the index."""
        for kind in list(self._held):
            self._flush(kind)
        index = {
            "records": self._count,
            "end_s": self._end,
            "types": {name: {"records": self._rows[name], "parts": self._parts[name]} for name in sorted(self._parts)},
            "empty": self._empty,
        }
        (self.folder / INDEX).write_text(json.dumps(index, indent=1) + "\n", encoding="utf-8")


def write_records(records: Iterable[Record], folder: str | Path, part: int = _PART) -> int:
    """Write all records into ``folder``; returns how many. ``part`` is how many of a type make one file."""
    writer = RecordWriter(folder, part)
    count = 0
    for record in records:
        writer.append(record)
        count += 1
    writer.close()
    return count


def read_index(folder: str | Path) -> dict[str, Any]:
    """The folder's index: ``records``, ``end_s``, ``types``, ``empty``. InputError when it is missing or not whole."""
    path = Path(folder) / INDEX
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(found, dict) or not {"records", "end_s", "types", "empty"} <= set(found):
            raise ValueError("it is not an index of records")
    except FileNotFoundError:
        issue = Issue(str(folder), "there is no run here", "name a folder that `novasim run` wrote")
        raise InputError([issue]) from None
    except (OSError, ValueError) as error:
        issue = Issue(str(folder), f"holds no whole set of records ({error})", "name a folder that a run wrote")
        raise InputError([issue]) from None
    return found


def _paths(folder: Path, kind: type[Record], index: dict[str, Any]) -> list[Path]:
    parts = index["types"].get(kind.__name__, {"parts": 0})["parts"]
    return [folder / f"{kind.__name__}-{number:05d}.parquet" for number in range(parts)]


def scan(folder: str | Path, kind: type[Record], index: dict[str, Any] | None = None) -> pl.LazyFrame:
    """The table of one record type, not yet read, with the columns of :func:`sim.eventlog.columns.schema`.

    Empty if there are no such records. Fields that an older log lacks have their defaults.
    """
    folder = Path(folder)
    paths = _paths(folder, kind, read_index(folder) if index is None else index)
    if not paths:
        return pl.LazyFrame(schema=schema(kind))
    return _open(paths, kind)


def _open(paths: list[Path], kind: type[Record]) -> pl.LazyFrame:
    """Parts of one type's table, completed by the defaults of fields that they lack."""
    try:
        table = pl.scan_parquet(paths, glob=False)
        held = table.collect_schema().names()
    except (OSError, pl.exceptions.PolarsError) as error:
        raise InputError([Issue(str(paths[0]), f"cannot be read: {error}", "run the scenario again")]) from None
    known = schema(kind)
    missing = [name for name in known if name not in held]
    unknown = [name for name in missing if name not in defaults(kind)]
    if unknown:
        issue = Issue(str(paths[0]), f"has no column {unknown[0]!r}", "it was written by another version; run it again")
        raise InputError([issue])
    filled = [pl.lit(defaults(kind)[name], dtype=known[name]).alias(name) for name in missing]
    return table.with_columns(filled).select(list(known)) if missing else table.select(list(known))


def _read_type(folder: Path, kind: type[Record], index: dict[str, Any]) -> Iterator[tuple[int, Record]]:
    for path in _paths(folder, kind, index):
        yield from rebuild(kind, _open([path], kind).collect())


def read_records(folder: str | Path, kinds: Iterable[type[Record]] | None = None) -> Iterator[Record]:
    """The records of a folder in the order of the log (of these types only, if any are named), one part in memory each.

    Raises InputError when the folder is not whole.
    """
    folder = Path(folder)
    index = read_index(folder)
    wanted = RECORD_TYPES if kinds is None else tuple(kinds)
    streams = [_read_type(folder, kind, index) for kind in wanted if kind.__name__ in index["types"]]
    empty = [
        (seq, _BY_NAME[name](t, *([] for _ in fields(_BY_NAME[name]))))
        for name, seq, t in index["empty"]
        if _BY_NAME[name] in wanted
    ]
    for _, record in heapq.merge(iter(sorted(empty, key=lambda pair: pair[0])), *streams, key=lambda pair: pair[0]):
        yield record
