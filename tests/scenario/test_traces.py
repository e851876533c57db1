"""Arrivals from files, and public traces as their publishers describe them."""

from __future__ import annotations

import gzip
import math
from pathlib import Path

import polars as pl
import pytest

from sim.cli.main import main
from sim.errors import InputError
from sim.scenario.importers.public_traces import Window, flavor_names, import_trace
from sim.scenario.importers.traces import Arrival, read_arrivals

MONTH_S = 2_591_700
"""When the last reading of Azure's trace of 30 days was taken: 30 * 86400 - 300."""
VMTABLE = f"""\
aa,s1,d1,0,{MONTH_S},91.7,0.7,20.8,Delay-insensitive,2,4
bb,s1,d1,300,900,9.1,5.0,5.9,Unknown,>24,>64
cc,s2,d2,600,9900,9.9,5.7,5.8,Interactive,1,1.75
"""
HUAWEI = """\
vmid,cpu,memory,time,type
0,1,2,0,0
1,4,8,3,0
2,1,1,10,0
1,4,8,20,1
0,1,2,86400,1
9,1,1,90000,1
"""


def written(tmp_path: Path, name: str, text: str) -> Path:
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return path


# --- arrivals ---------------------------------------------------------------------------------------------------------


def test_arrivals_come_in_order_of_time_whatever_the_file_s_order(tmp_path: Path) -> None:
    path = written(tmp_path, "a.csv", "flavor,t,lifetime\nm,10,60\nl,5,\nm,7 s,2 min\n")
    assert list(read_arrivals(path)) == [Arrival(5, math.inf, "l"), Arrival(7, 120, "m"), Arrival(10, 60, "m")]


def test_a_parquet_says_the_same_as_a_csv(tmp_path: Path) -> None:
    frame = pl.DataFrame({"t": [3.5, 1.0], "lifetime": [None, 20.0], "flavor": ["m", "l"]})
    frame.write_parquet(tmp_path / "a.parquet")
    frame.write_csv(tmp_path / "a.csv")
    assert list(read_arrivals(tmp_path / "a.parquet")) == list(read_arrivals(tmp_path / "a.csv"))


def test_every_mistake_is_told_with_its_line(tmp_path: Path) -> None:
    path = written(tmp_path, "a.csv", "t,lifetime,flavor\nsoon,60,m\n5,-3,\n,1,m\nnan,1,m\n7,8,m\n")
    with pytest.raises(InputError) as failed:
        read_arrivals(path)
    places = {issue.where.removeprefix(str(path)) for issue in failed.value.issues}
    assert places == {":2 t", ":3 lifetime", ":3 flavor", ":4 t", ":5 t"}


@pytest.mark.parametrize("text", ["", "t,lifetime\n1,2\n", "a b c\n"])
def test_a_file_of_another_form_is_no_trace(tmp_path: Path, text: str) -> None:
    with pytest.raises(InputError, match="write a header and rows"):
        read_arrivals(written(tmp_path, "a.csv", text))


# --- public traces ----------------------------------------------------------------------------------------------------


def test_azure_s_table_becomes_arrivals(tmp_path: Path) -> None:
    path = tmp_path / "vmtable.csv.gz"
    path.write_bytes(gzip.compress(VMTABLE.encode()))
    said = import_trace("azure", path, tmp_path / "o.csv", flavor_map="2x4=m.small")
    assert list(read_arrivals(tmp_path / "o.csv")) == [
        Arrival(0, math.inf, "m.small"), Arrival(300, 600, "30c-70g"), Arrival(600, 9300, "1c-1.75g"),
    ]  # fmt: skip
    assert any("name: m.small, vcpus: 2, memory: 4096 MiB" in line for line in said)
    assert any("more than 24 cores, counted as 30: 1" in line for line in said)


def test_huawei_s_events_become_arrivals(tmp_path: Path) -> None:
    path = written(tmp_path, "Huawei-East-1.csv", HUAWEI)
    said = import_trace("huawei-east-1", path, tmp_path / "o.parquet")
    assert list(read_arrivals(tmp_path / "o.parquet")) == [
        Arrival(0, 86400, "1c-2g"), Arrival(3, 17, "4c-8g"), Arrival(10, math.inf, "1c-1g"),
    ]  # fmt: skip
    assert any("does not create, left out: 1" in line for line in said)


def test_a_window_keeps_who_lives_in_it_and_counts_from_its_start(tmp_path: Path) -> None:
    path = written(tmp_path, "vmtable.csv", VMTABLE)
    import_trace("azure", path, tmp_path / "o.csv", window=Window(start=600.0, duration=100.0))
    assert list(read_arrivals(tmp_path / "o.csv")) == [
        Arrival(0, math.inf, "2c-4g"), Arrival(0, 300, "30c-70g"), Arrival(0, 9300, "1c-1.75g"),
    ]  # fmt: skip
    import_trace("azure", path, tmp_path / "o.csv", window=Window(start=900.0, duration=100.0, every=2))
    assert [arrival.flavor for arrival in read_arrivals(tmp_path / "o.csv")] == ["2c-4g", "1c-1.75g"]


@pytest.mark.parametrize(
    ("kind", "text", "line"),
    [
        ("azure", VMTABLE.replace("cc,s2,d2,600", "cc,s2,d2,x"), ":3 vmcreated"),
        ("azure", VMTABLE.replace("300,900", "900,300"), ":2 vmdeleted"),
        ("azure", VMTABLE.replace(">24", ">25"), ":2 cores"),
        ("azure", HUAWEI, ""),
        ("huawei-east-1", HUAWEI.replace("2,1,1,10,0", "2,0,1,10,0"), ":4 cpu"),
        ("huawei-east-1", HUAWEI.replace("2,1,1,10,0", "2,1,1,10,7"), ":4 type"),
        ("huawei-east-1", HUAWEI.replace("2,1,1,10,0", "1,1,1,10,0"), ":4 vmid"),
        ("huawei-east-1", VMTABLE, ""),
    ],
)
def test_a_mistake_in_a_trace_has_its_line_and_writes_nothing(
    tmp_path: Path, kind: str, text: str, line: str
) -> None:  # fmt: skip
    path = written(tmp_path, "trace.csv", text)
    with pytest.raises(InputError) as failed:
        import_trace(kind, path, tmp_path / "o.csv")
    assert f"{path}{line}" in str(failed.value)
    assert [one.name for one in tmp_path.iterdir()] == ["trace.csv"]


def test_flavor_names_are_sizes_and_names_or_a_mistake() -> None:
    assert flavor_names("2x4=m.small, 1x1.75=tiny") == {(2, 4): "m.small", (1, 1.75): "tiny"}
    with pytest.raises(InputError) as failed:
        flavor_names("2x4,axb=c,3x=d,=e")
    assert len(failed.value.issues) == 4


def test_the_command_line_says_what_is_wrong_and_ends_with_two(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    path = written(tmp_path, "vmtable.csv", VMTABLE)
    for arguments in (["azuer", str(path)], ["azure", str(path), "--start", "soon"], ["azure", str(tmp_path / "no")]):
        monkeypatch.setattr("sys.argv", ["novasim", "import", "trace", *arguments, "-o", str(tmp_path / "o.csv")])
        with pytest.raises(SystemExit) as ended:
            main()
        assert ended.value.code == 2
    assert "did you mean 'azure'?" in capsys.readouterr().err
    assert not (tmp_path / "o.csv").exists()


def test_files_and_maps_of_another_form_are_told_in_words(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"has 3 columns, not 11; vmtable.csv has 11"):
        import_trace("azure", written(tmp_path, "a.csv", "a,b,c\n"), tmp_path / "o.csv")
    with pytest.raises(InputError, match=r"--flavor-map 2x4=b: 2x4 has the flavor 'a' already"):
        flavor_names("2x4=a,2x4=b")
    noise = tmp_path / "noise.csv"
    noise.write_bytes(bytes(range(1, 9)) * 50 + b"\n1\n")
    with pytest.raises(InputError) as told:
        import_trace("huawei-east-1", noise, tmp_path / "o.csv")
    assert str(told.value).isprintable()
    assert len(str(told.value)) < 400
