"""Records on disk are the same records: same digest, whatever the parts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, get_args

import msgspec
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sim.errors import InputError, StateError
from sim.eventlog import records as r
from sim.eventlog.columns import is_bulk, schema
from sim.eventlog.log import digest
from sim.eventlog.storage import INDEX, read_records, scan, write_records

_FLOATS = st.floats(allow_nan=False)
_INTS = st.integers(-(2**63), 2**63 - 1)
_OPTIONS = st.dictionaries(st.text(), _INTS | st.text() | st.booleans() | st.none() | _FLOATS | st.lists(st.text()))


def _values(hint: Any) -> st.SearchStrategy[Any]:
    plain = {float: _FLOATS, int: _INTS, str: st.text(), bool: st.booleans(), type(None): st.none()}
    if hint in plain:
        return plain[hint]
    if hint == dict[str, Any]:
        return _OPTIONS
    arms = get_args(hint)
    if getattr(hint, "__origin__", None) is list:
        return st.lists(_values(arms[0]), max_size=4)
    return st.one_of(*map(_values, arms))


def _record(kind: type[r.Record]) -> st.SearchStrategy[r.Record]:
    hints = [field.type for field in msgspec.structs.fields(kind)]
    if is_bulk(kind):
        rows = st.lists(st.tuples(*(_values(get_args(hint)[0]) for hint in hints[1:])), max_size=3)
        columns = rows.map(lambda rows: [[row[i] for row in rows] for i in range(len(hints) - 1)])
        return st.tuples(_FLOATS, columns).map(lambda made: kind(made[0], *made[1]))
    return st.tuples(*map(_values, hints)).map(lambda values: kind(*values))


@settings(max_examples=60)
@given(log=st.lists(st.sampled_from(r.RECORD_TYPES).flatmap(_record), max_size=40), part=st.sampled_from([1, 3, 1000]))
def test_any_log_comes_back_record_for_record(
    log: list[r.Record], part: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("log")
    assert write_records(log, folder, part) == len(log)
    back = list(read_records(folder))
    assert back == log
    assert digest(back) == digest(log)


def test_a_bulk_record_is_a_row_for_each_element(tmp_path: Path) -> None:
    write_records([r.LinksPresent(0.0, ["a", "b"], [1.0, 2.0]), r.LinksPresent(1.0, [], [])], tmp_path)
    assert scan(tmp_path, r.LinksPresent).collect().rows() == [(0, 0.0, 0, "a", 1.0), (0, 0.0, 1, "b", 2.0)]
    assert list(read_records(tmp_path))[1] == r.LinksPresent(1.0, [], [])


def test_a_type_that_never_happened_is_an_empty_table(tmp_path: Path) -> None:
    write_records([], tmp_path)
    for kind in r.RECORD_TYPES:
        table = scan(tmp_path, kind).collect()
        assert table.height == 0
        assert dict(table.schema) == schema(kind)


def test_a_large_table_opens_without_being_read(tmp_path: Path) -> None:
    """Opening asks for no row: the plan reads the parts only when it is collected, and then only what is asked for."""
    count = 300_000
    write_records((r.FlowRate(float(i), i % 100, i * 0.5) for i in range(count)), tmp_path, part=100_000)
    assert len(list(tmp_path.glob("FlowRate-*.parquet"))) == 3
    table = scan(tmp_path, r.FlowRate)
    assert isinstance(table, pl.LazyFrame)
    assert table.select(pl.len()).collect().item() == count
    assert table.filter(pl.col("t") > count - 2).collect().height == 1


def test_an_int_in_a_float_field_is_refused(tmp_path: Path) -> None:
    """It would come back as a float, and the digest would not be the same."""
    with pytest.raises(StateError, match=r"FlowRate\.rate_bps must be a float"):
        write_records([r.FlowRate(0.0, 1, 5)], tmp_path)


def test_a_field_that_an_older_log_lacks_has_its_default(tmp_path: Path) -> None:
    record = r.Operation(1.0, 1, "drain", "rack-1", "begun", "", "", 12)
    write_records([record], tmp_path)
    path = tmp_path / "Operation-00000.parquet"
    pl.read_parquet(path).drop("servers").write_parquet(path)
    assert list(read_records(tmp_path)) == [msgspec.structs.replace(record, servers=0)]
    pl.read_parquet(path).drop("kind").write_parquet(path)
    with pytest.raises(InputError, match="no column 'kind'"):
        scan(tmp_path, r.Operation)


@pytest.mark.parametrize("text", [None, "", "[]", "{}", "not json"])
def test_a_folder_without_a_whole_index_is_no_log(tmp_path: Path, text: str | None) -> None:
    if text is not None:
        (tmp_path / INDEX).write_text(text)
    with pytest.raises(InputError, match="no run here" if text is None else "no whole set of records"):
        list(read_records(tmp_path))


def test_the_index_counts_records(tmp_path: Path) -> None:
    write_records([r.LinkState(0.0, "a", 1.0), r.LinkState(3.0, "a", 0.0)], tmp_path)
    index = json.loads((tmp_path / INDEX).read_text())
    assert index["records"] == 2
    assert index["end_s"] == 3.0
    assert index["types"] == {"LinkState": {"records": 2, "parts": 1}}
