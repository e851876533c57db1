"""Records as columns: one data frame for each record type, and records again from its rows.

A frame has ``seq`` (the record's position in the log), ``t`` (seconds), then the record's fields in their order. Bulk
records (``…Present``) hold columns themselves; they become one row for each of their elements, numbered by ``row``.
Options (a mapping) are kept as JSON text.
"""

from __future__ import annotations

import types
from collections.abc import Iterator, Sequence
from functools import cache
from operator import attrgetter
from typing import Any, Union, get_args, get_origin

import msgspec
import polars as pl

from sim.errors import StateError
from sim.eventlog.records import Record

_PLAIN: dict[Any, pl.DataType] = {float: pl.Float64(), int: pl.Int64(), str: pl.String(), bool: pl.Boolean()}


def is_bulk(kind: type[Record]) -> bool:
    """Whether a record of this type is many facts at once, as columns."""
    return kind.__name__.endswith("Present")


def _dtype(hint: Any) -> pl.DataType:
    """The polars type of a field's annotation; a mapping is text (JSON)."""
    if hint in _PLAIN:
        return _PLAIN[hint]
    origin = get_origin(hint)
    if origin in (Union, types.UnionType):
        return _dtype(next(arm for arm in get_args(hint) if arm is not type(None)))
    if origin is list:
        return pl.List(_dtype(get_args(hint)[0]))
    if origin is dict:
        return pl.String()
    raise StateError(f"no column holds a {hint!r}")


@cache
def fields(kind: type[Record]) -> dict[str, pl.DataType]:
    """The record's fields (without ``t``) and the polars types of their columns."""
    hints = [(field.name, field.type) for field in msgspec.structs.fields(kind) if field.name != "t"]
    if is_bulk(kind):
        return {name: _dtype(get_args(hint)[0]) for name, hint in hints}
    return {name: _dtype(hint) for name, hint in hints}


@cache
def mappings(kind: type[Record]) -> frozenset[str]:
    """Names of the fields that are mappings, kept as JSON text."""
    return frozenset(field.name for field in msgspec.structs.fields(kind) if get_origin(field.type) is dict)


@cache
def defaults(kind: type[Record]) -> dict[str, Any]:
    """Field → default, for those that have one: what an older log, written without the field, means."""
    return {
        field.name: field.default for field in msgspec.structs.fields(kind) if field.default is not msgspec.NODEFAULT
    }


def schema(kind: type[Record]) -> dict[str, pl.DataType]:
    """Columns of the record type's frame, in order."""
    lead: dict[str, pl.DataType] = {"seq": pl.Int64(), "t": pl.Float64()}
    if is_bulk(kind):
        lead["row"] = pl.Int64()
    return {**lead, **fields(kind)}


def _series(kind: type[Record], name: str, dtype: pl.DataType, values: list[Any]) -> pl.Series:
    """A column. A float column takes floats alone: an int would come back as another record than was written."""
    if dtype == pl.Float64 and not set(map(type, values)) <= {float}:
        wrong = next(value for value in values if type(value) is not float)
        raise StateError(f"{kind.__name__}.{name} must be a float, and is {wrong!r} ({type(wrong).__name__})")
    return pl.Series(name, values, dtype=dtype, strict=True)


def frame(kind: type[Record], seqs: Sequence[int], records: Sequence[Any]) -> pl.DataFrame:
    """Records of one type, at these positions of the log, as a frame. Raises StateError for a field of a wrong type."""
    if is_bulk(kind):
        return _bulk_frame(kind, seqs, records)
    columns = [
        pl.Series("seq", seqs, dtype=pl.Int64),
        _series(kind, "t", pl.Float64(), list(map(attrgetter("t"), records))),
    ]
    for name, dtype in fields(kind).items():
        values = list(map(attrgetter(name), records))
        if name in mappings(kind):
            values = [msgspec.json.encode(value).decode() for value in values]
        columns.append(_series(kind, name, dtype, values))
    return pl.DataFrame(columns)


def _bulk_frame(kind: type[Record], seqs: Sequence[int], records: Sequence[Any]) -> pl.DataFrame:
    frames = [pl.DataFrame(schema=schema(kind))]
    for seq, record in zip(seqs, records, strict=True):
        columns = [_series(kind, name, dtype, getattr(record, name)) for name, dtype in fields(kind).items()]
        made = pl.DataFrame(columns)
        lead = [
            pl.lit(seq, dtype=pl.Int64).alias("seq"),
            pl.lit(record.t, dtype=pl.Float64).alias("t"),
            pl.int_range(pl.len(), dtype=pl.Int64).alias("row"),
        ]
        frames.append(made.select(*lead, pl.all()))
    return pl.concat(frames)


def rebuild(kind: type[Record], table: pl.DataFrame) -> Iterator[tuple[int, Record]]:
    """(position, record) for each record in a frame of :func:`frame`, in its order."""
    names = list(fields(kind))
    if is_bulk(kind):
        for (seq, t), part in table.group_by("seq", "t", maintain_order=True):
            yield int(str(seq)), kind(float(str(t)), *(part[name].to_list() for name in names))
        return
    decode = mappings(kind)
    for row in table.select("seq", "t", *names).iter_rows():
        if decode:
            values = [
                msgspec.json.decode(value) if name in decode else value
                for name, value in zip(names, row[2:], strict=True)
            ]
            yield row[0], kind(row[1], *values)
        else:
            yield row[0], kind(*row[1:])
