"""CPU utilisation over time, from public traces: PlanetLab's text files, and Parquet as Bitbrains and OpenDC have it.

PlanetLab: a line for each five minutes with the utilisation in per cent. Parquet: columns ``id``, ``timestamp``,
``duration`` (ms), ``cpu_usage`` (MHz) and ``cpu_capacity`` (MHz, in the file or in ``meta.parquet`` beside it);
OpenDC's other spellings of these are known. A trace is repeated after its end.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from sim.errors import InputError, Issue

if TYPE_CHECKING:
    import polars as pl

PLANETLAB_S = 300.0
"""Time between two lines of a PlanetLab file."""
_SPELLINGS = {
    "id": ("id", "task_id", "vm_id"), "timestamp": ("timestamp", "time"), "duration": ("duration",),
    "cpu_usage": ("cpu_usage", "cpuUsage"), "cpu_capacity": ("cpu_capacity", "cpuCapacity", "maxCpuCapacity"),
}  # fmt: skip
_RIGHT = "a PlanetLab text file (a per cent a line), or a Parquet with id, timestamp, duration, cpu_usage, cpu_capacity"


class Step(NamedTuple):
    """Until ``until`` (s since the trace's begin) the CPU is used to the part ``cpu``, 0..1."""

    until: float
    cpu: float


Trace = tuple[Step, ...]


def read_cpu_trace(path: str | Path, server: str) -> Trace:
    """The utilisation of a server. A Parquet with several machines holds one whose id is the server's name.

    Equal steps that follow each other are made one. Raises InputError with everything that is wrong with the file.
    """
    path = Path(path)
    steps = _parquet(path, server) if path.suffix.lower() in {".parquet", ".pq"} else _planetlab(path)
    merged: list[Step] = []
    for step in steps:
        if merged and merged[-1].cpu == step.cpu:
            merged[-1] = step
        else:
            merged.append(step)
    return tuple(merged)


def _planetlab(path: Path) -> list[Step]:
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError([Issue(str(path), f"cannot be read: {error}", _RIGHT)]) from None
    steps: list[Step] = []
    issues = []
    for number, text in ((number, line.strip()) for number, line in enumerate(lines, 1) if line.strip()):
        try:
            percent = float(text)
        except ValueError:
            percent = -1.0
        if not 0 <= percent <= 100:
            issues.append(Issue(f"{path}:{number}", f"{text!r} is no per cent", "write a number from 0 to 100"))
        steps.append(Step((len(steps) + 1) * PLANETLAB_S, percent / 100))
    if not steps:
        issues.append(Issue(str(path), "is empty", _RIGHT))
    if issues:
        raise InputError(issues)
    return steps


def _parquet(path: Path, server: str) -> list[Step]:
    import polars as pl

    frame = _named(_read(path), path, ("timestamp", "duration", "cpu_usage"))
    if "id" in frame.columns:
        frame = _of_server(frame, path, server)
    if "cpu_capacity" not in frame.columns:
        frame = frame.with_columns(pl.lit(_capacity(path, server)).alias("cpu_capacity"))
    moments = frame["timestamp"]
    if moments.dtype.is_temporal():
        moments = moments.cast(pl.Datetime("ms")).cast(pl.Int64)
    try:
        rows = frame.select(
            (moments.cast(pl.Float64) / 1000).alias("until"), (pl.col("duration").cast(pl.Float64) / 1000),
            (pl.col("cpu_usage").cast(pl.Float64) / pl.col("cpu_capacity").cast(pl.Float64)).alias("cpu"),
        ).sort("until")  # fmt: skip
    except pl.exceptions.PolarsError as error:
        raise InputError([Issue(str(path), f"holds what is no number: {str(error).splitlines()[0]}", _RIGHT)]) from None
    issues = []
    times = (rows["until"], rows["duration"])
    if rows.is_empty():
        issues.append(Issue(str(path), "holds no samples", _RIGHT))
    elif any(time.is_null().any() or not time.is_finite().all() for time in times):
        issues.append(Issue(str(path), "has samples without a timestamp or a duration", _RIGHT))
    elif rows["cpu"].is_null().any() or not rows["cpu"].is_finite().all() or (rows["cpu"] < 0).any():
        issues.append(Issue(str(path), "has samples whose cpu_usage / cpu_capacity is no part of a CPU", _RIGHT))
    elif not (rows["until"].diff().drop_nulls() > 0).all():
        issues.append(Issue(str(path), "has two samples at one time", "leave one machine's samples, or name its id"))
    if issues:
        raise InputError(issues)
    begin = float(rows["until"][0]) - float(rows["duration"][0])
    if not float(rows["until"][0]) > begin:
        raise InputError([Issue(f"{path} duration", "the first sample lasts no time", "write milliseconds")])
    return [Step(until - begin, min(1.0, cpu)) for until, _, cpu in rows.iter_rows()]


def _read(path: Path) -> pl.DataFrame:
    import polars as pl

    try:
        return pl.read_parquet(path)
    except (OSError, pl.exceptions.PolarsError) as error:
        what = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise InputError([Issue(str(path), f"cannot be read: {what}", _RIGHT)]) from None


def _named(frame: pl.DataFrame, path: Path, needed: tuple[str, ...]) -> pl.DataFrame:
    """The columns under the names of this module; InputError for those that are not there."""
    found = {name: next((one for one in spelled if one in frame.columns), None) for name, spelled in _SPELLINGS.items()}
    missing = [name for name in needed if found[name] is None]
    if missing:
        raise InputError([Issue(str(path), f"no column {' and '.join(missing)}", _RIGHT)])
    return frame.rename({spelled: name for name, spelled in found.items() if spelled is not None})


def _of_server(frame: pl.DataFrame, path: Path, server: str) -> pl.DataFrame:
    """The machine's samples: the one whose id is the server's name, or the only one."""
    import polars as pl

    ids = frame["id"].cast(pl.String).unique(maintain_order=True)
    if len(ids) <= 1:
        return frame
    chosen = frame.filter(pl.col("id").cast(pl.String) == server)
    if chosen.is_empty():
        some = ", ".join(ids.head(5).to_list())
        what = f"holds {len(ids)} machines, none with the id {server!r}"
        raise InputError([Issue(str(path), what, f"name the server like one of them: {some}, …")])
    return chosen


def _capacity(path: Path, server: str) -> float:
    """The machine's capacity in MHz, from the file beside."""
    meta = path.with_name("meta.parquet")
    if not meta.is_file():
        raise InputError([Issue(str(path), "no column cpu_capacity, and no meta.parquet beside it", _RIGHT)])
    frame = _of_server(_named(_read(meta), meta, ("id", "cpu_capacity")), meta, server)
    try:
        return float(frame["cpu_capacity"][0])
    except (IndexError, TypeError, ValueError):
        raise InputError([Issue(str(meta), "holds no cpu_capacity of this machine", "write its MHz")]) from None
