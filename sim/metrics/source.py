"""Where tables come from: the records of a run, in memory or in a run folder on disk."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, TypeVar, runtime_checkable

import polars as pl

from sim.errors import InputError, Issue
from sim.eventlog.columns import frame
from sim.eventlog.records import Record, RunStarted
from sim.eventlog.storage import INDEX, read_index, read_records, scan

T = TypeVar("T")


@runtime_checkable
class RunLike(Protocol):
    """Anything that has a run's records and its manifest."""

    manifest: dict[str, Any]

    def records(self) -> Sequence[Record]:
        """All records, in order."""


class Records:
    """The records of one run as lazily read tables, and what has been computed from them so far."""

    def __init__(
        self,
        scan: Callable[[type[Record]], pl.LazyFrame],
        records: Callable[[], Iterable[Record]],
        manifest: Mapping[str, Any],
        log_end_s: float,
        folder: Path | None = None,
    ) -> None:
        self._scan, self._records = scan, records
        self.manifest: dict[str, Any] = dict(manifest)
        self.folder = folder
        simulated = self.manifest.get("simulated_s")
        self.end_s = max(log_end_s, float(simulated)) if simulated is not None else log_end_s
        """Simulated seconds when the run ended."""
        self._kept: dict[object, Any] = {}

    @classmethod
    def of(cls, records: Iterable[Record], manifest: Mapping[str, Any] | None = None) -> Records:
        """From records in memory, in the order of the log."""
        kept = records if isinstance(records, Sequence) else tuple(records)
        grouped: dict[type[Record], tuple[list[int], list[Record]]] = {}
        for seq, record in enumerate(kept):
            kind = type(record)
            group = grouped.get(kind)
            if group is None:
                group = grouped[kind] = ([], [])
            group[0].append(seq)
            group[1].append(record)

        def scan_group(kind: type[Record]) -> pl.LazyFrame:
            return frame(kind, *grouped.get(kind, ([], []))).lazy()

        return cls(scan_group, lambda: kept, manifest or {}, kept[-1].t if kept else 0.0)

    @classmethod
    def open(cls, folder: str | Path) -> Records:
        """From a run folder, or from a folder of records alone. InputError when it is neither."""
        folder = Path(folder)
        records, manifest = folder / "records", folder / "manifest.json"
        if not (records / INDEX).is_file() and (folder / INDEX).is_file():
            records, manifest = folder, folder.parent / "manifest.json"
        index = read_index(records)
        try:
            known = json.loads(manifest.read_text(encoding="utf-8")) if manifest.is_file() else {}
        except (OSError, ValueError) as error:
            issue = Issue(str(manifest), f"cannot be read: {error}", "run the scenario again")
            raise InputError([issue]) from None
        return cls(
            lambda kind: scan(records, kind, index), lambda: read_records(records), known, float(index["end_s"]), folder
        )

    def scan(self, kind: type[Record]) -> pl.LazyFrame:
        """The table of one record type, not yet read; columns of :func:`sim.eventlog.columns.schema`."""
        return self._scan(kind)

    def frame(self, kind: type[Record]) -> pl.DataFrame:
        """The table of one record type, read once and kept."""
        return self.keep(kind, lambda: self._scan(kind).collect())

    def keep(self, key: object, make: Callable[[], T]) -> T:
        """What ``make`` gives, made once for this source."""
        if key not in self._kept:
            self._kept[key] = make()
        kept: T = self._kept[key]
        return kept

    def records(self) -> Iterator[Record]:
        """All records in order, from the start."""
        return iter(self._records())

    @property
    def name(self) -> str:
        """The scenario's name."""
        started = self.frame(RunStarted)
        return str(started["scenario"][0]) if started.height else str(self.manifest.get("scenario", "run"))

    @property
    def options(self) -> dict[str, Any]:
        """Nova's options as they were in force."""
        started = self.frame(RunStarted)
        found: dict[str, Any] = json.loads(started["options"][0]) if started.height else {}
        return found


Source = Records | RunLike | str | Path | Iterable[Record]
"""What functions that look at a run accept."""


def as_records(source: Source) -> Records:
    """A :class:`Records` of whatever stands for a run: a run, a run folder, or its records."""
    if isinstance(source, Records):
        return source
    if isinstance(source, (str, Path)):
        return Records.open(source)
    if isinstance(source, RunLike):
        return Records.of(source.records(), source.manifest)
    return Records.of(source)
