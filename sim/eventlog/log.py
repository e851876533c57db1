"""The event log: append, watch, digest."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator

import msgspec

from sim.eventlog.records import Record

_CHUNK = 4096


def digest(records: Iterable[Record]) -> str:
    """SHA-256 of the records in order, as msgpack: equal logs and only they have equal digests."""
    hasher = hashlib.sha256()
    encode = msgspec.msgpack.Encoder().encode
    chunk: list[Record] = []
    for record in records:
        chunk.append(record)
        if len(chunk) == _CHUNK:
            hasher.update(b"".join(map(encode, chunk)))
            chunk.clear()
    hasher.update(b"".join(map(encode, chunk)))
    return hasher.hexdigest()


class EventLog:
    """Records in the order in which they happened.

    ``append`` is the list's own method, so that writing a record costs no more than making it. Watchers see each record
    after it is kept; a log with watchers is slower, never different.
    """

    def __init__(self) -> None:
        self.records: list[Record] = []
        self.append: Callable[[Record], None] = self.records.append
        self._watchers: list[Callable[[Record], None]] = []

    def watch(self, watcher: Callable[[Record], None]) -> None:
        """Call ``watcher`` with each record from now on."""
        self._watchers.append(watcher)
        keep, watchers = self.records.append, tuple(self._watchers)

        def append(record: Record) -> None:
            keep(record)
            for watch in watchers:
                watch(record)

        self.append = append

    def digest(self) -> str:
        """The digest of all records so far."""
        return digest(self.records)

    def __iter__(self) -> Iterator[Record]:
        return iter(self.records)

    def __len__(self) -> int:
        return len(self.records)
