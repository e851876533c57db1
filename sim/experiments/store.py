"""An experiment's folder: never loses a finished run.

    experiment.json     what was asked for
    runs/KEY.json       one for each finished run, whole or absent
    runs/KEY/           its run folder, where asked to keep them
    runs.parquet        all runs in order, one a row

A run's file is written under another name, forced to disk, and renamed. Its key says the scenario, the seed and the
code, so that whatever fits what is asked for now is used, and nothing else ever is.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import polars as pl

from sim.errors import InputError, Issue
from sim.experiments.outcome import Outcome, from_json, row, to_json

DESCRIPTION, RUNS, TABLE = "experiment.json", "runs", "runs.parquet"
_BATCH = 2000
"""Rows of the table in memory at once."""
_TEXTS = ("variant", "status", "stage", "error", "command", "scenario_digest", "log_digest")


class Store:
    """A folder of runs, held by one driver at a time."""

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        if self.folder.exists() and any(self.folder.iterdir()) and not (self.folder / RUNS).is_dir():
            raise InputError([Issue(str(folder), "exists and is not a folder of many runs", "choose another --out")])
        (self.folder / RUNS).mkdir(parents=True, exist_ok=True)
        self._lock = os.open(self.folder / ".lock", os.O_RDWR | os.O_CREAT)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(self._lock)
            raise InputError(
                [Issue(str(folder), "is in use by another novasim", "wait for it, or choose another --out")]
            ) from None
        for left in (self.folder / RUNS).glob(".*.part"):  # what a killed driver was writing
            left.unlink()

    def close(self) -> None:
        """Let go of the folder."""
        os.close(self._lock)

    def __enter__(self) -> Store:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def describe(self, what: dict[str, Any]) -> None:
        """Say what was asked for."""
        _write(self.folder / DESCRIPTION, json.dumps(what, indent=1, ensure_ascii=False).encode() + b"\n")

    def put(self, outcome: Outcome) -> None:
        """Keep a finished run: on disk when this returns."""
        _write(self.folder / RUNS / f"{outcome.key}.json", to_json(outcome))

    def get(self, key: str) -> Outcome | None:
        """What came of a run; None if it is not there, or not whole."""
        path = self.folder / RUNS / f"{key}.json"
        try:
            return from_json(path.read_bytes())
        except (FileNotFoundError, ValueError):
            return None

    def run_folder(self, key: str) -> Path:
        """Where a run is kept as a whole."""
        return self.folder / RUNS / key

    def tabulate(self, outcomes: Iterable[Outcome], columns: Iterable[str]) -> Path:
        """Write the table of runs: ``columns`` are the measured ones. As many runs as there are, a few in memory."""
        schema: dict[str, Any] = {
            "variant": pl.String, "replication": pl.Int64, "seed": pl.Int64, **dict.fromkeys(_TEXTS[1:], pl.String),
            **dict.fromkeys(columns, pl.Float64),
        }  # fmt: skip
        parts: list[Path] = []
        for number, rows in enumerate(_batches(map(row, outcomes))):
            parts.append(self.folder / RUNS / f".{number}.part")
            pl.DataFrame(rows, schema=schema, orient="row").write_parquet(parts[-1])
        target = self.folder / TABLE
        temporary = self.folder / f".{TABLE}"
        if parts:
            pl.scan_parquet(parts, glob=False).sink_parquet(temporary)
        else:
            pl.DataFrame(schema=schema).write_parquet(temporary)
        temporary.replace(target)
        for part in parts:
            part.unlink()
        return target


def _batches(rows: Iterator[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    while batch := list(islice(rows, _BATCH)):
        yield batch


def _write(path: Path, data: bytes) -> None:
    """Write a file as a whole or not at all, and force it to disk."""
    temporary = path.with_name(f".{path.name}.part")
    with temporary.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def description(folder: str | Path) -> dict[str, Any]:
    """What was asked for in an experiment's folder. InputError when it is none."""
    path = Path(folder) / DESCRIPTION
    try:
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        right = "name a folder that `novasim sweep` wrote, such as results/sweep-rack_drain"
        raise InputError([Issue(str(folder), "is not a sweep's folder (no experiment.json)", right)]) from None
    return found


def table(folder: str | Path) -> pl.LazyFrame:
    """The table of runs of an experiment's folder. InputError when there is none."""
    path = Path(folder) / TABLE
    if not path.is_file():
        description(folder)
        raise InputError([Issue(str(folder), "has no runs.parquet: the sweep has not ended", "give its command again")])
    return pl.scan_parquet(path)
