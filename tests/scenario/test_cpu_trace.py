"""CPU traces as they are published, and every way in which a file can be none."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from sim.errors import InputError
from sim.scenario.cpu_trace import Step, read_cpu_trace
from sim.scenario.loader import examine
from sim.scenario.power import power_model

DAY = datetime(2013, 8, 12)


def samples(**more: Any) -> pl.DataFrame:
    """Two samples of five minutes of a machine of 2000 MHz, as OpenDC stores Bitbrains."""
    columns = {
        "id": ["7", "7"], "timestamp": [DAY + timedelta(minutes=5), DAY + timedelta(minutes=10)],
        "duration": [300_000, 300_000], "cpu_count": [1, 1], "cpu_usage": [500.0, 1500.0],
        "cpu_capacity": [2000.0, 2000.0],
    }  # fmt: skip
    made = {**columns, **more}
    return pl.DataFrame({name: values for name, values in made.items() if values is not None})


EXPECTED = (Step(300.0, 0.25), Step(600.0, 0.75))


def test_planetlab_is_a_per_cent_each_five_minutes(tmp_path: Path) -> None:
    path = tmp_path / "75-130-96-12_static_oxfr_ma_charter_com_irisaple_wup"
    path.write_text("20\n20\n24\n0\n")
    assert read_cpu_trace(path, "vm") == (Step(600.0, 0.2), Step(900.0, 0.24), Step(1200.0, 0.0))


@pytest.mark.parametrize("frame", [
    samples(),
    samples(id=None),
    samples().with_columns(pl.col("timestamp").cast(pl.Datetime("ms")).cast(pl.Int64)),
    samples().rename({"cpu_usage": "cpuUsage", "cpu_capacity": "cpuCapacity", "timestamp": "time"}),
    samples()[::-1],
])  # fmt: skip
def test_parquet_in_its_spellings(tmp_path: Path, frame: pl.DataFrame) -> None:
    frame.write_parquet(tmp_path / "t.parquet")
    assert read_cpu_trace(tmp_path / "t.parquet", "vm") == EXPECTED


def test_of_several_machines_the_one_with_the_server_s_name(tmp_path: Path) -> None:
    other = samples(id=["8", "8"], cpu_usage=[0.0, 2000.0])
    pl.concat([samples(), other]).write_parquet(tmp_path / "t.parquet")
    assert read_cpu_trace(tmp_path / "t.parquet", "8") == (Step(300.0, 0.0), Step(600.0, 1.0))
    with pytest.raises(InputError, match="2 machines, none with the id 'vm'"):
        read_cpu_trace(tmp_path / "t.parquet", "vm")


def test_the_capacity_may_be_in_the_file_beside(tmp_path: Path) -> None:
    samples(cpu_capacity=None).write_parquet(tmp_path / "trace.parquet")
    with pytest.raises(InputError, match=r"no meta\.parquet"):
        read_cpu_trace(tmp_path / "trace.parquet", "7")
    pl.DataFrame({"id": ["7"], "cpu_capacity": [2000.0]}).write_parquet(tmp_path / "meta.parquet")
    assert read_cpu_trace(tmp_path / "trace.parquet", "7") == EXPECTED


@pytest.mark.parametrize("capacity", [None, "fast"])
def test_a_capacity_beside_that_is_none(tmp_path: Path, capacity: str | None) -> None:
    samples(cpu_capacity=None).write_parquet(tmp_path / "trace.parquet")
    pl.DataFrame({"id": ["7"], "cpu_capacity": [capacity]}).write_parquet(tmp_path / "meta.parquet")
    with pytest.raises(InputError, match="holds no cpu_capacity"):
        read_cpu_trace(tmp_path / "trace.parquet", "7")


def test_empty_lines_and_a_byte_order_mark_are_no_samples(tmp_path: Path) -> None:
    path = tmp_path / "t"
    path.write_bytes(b"\xef\xbb\xbf25\r\n\r\n75\r\n")
    assert read_cpu_trace(path, "vm") == EXPECTED
    path.write_text("25\n\n75 80\n")
    with pytest.raises(InputError, match=r"t:3: '75 80' is no per cent"):
        read_cpu_trace(path, "vm")


@pytest.mark.parametrize(("text", "words"), [
    ("", "is empty"), ("20\nlots\n101\n-3\n", "'lots' is no per cent"), (b"\xff\xfe", "cannot be read"),
])  # fmt: skip
def test_a_file_that_is_no_planetlab_trace(tmp_path: Path, text: str | bytes, words: str) -> None:
    path = tmp_path / "t"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(InputError, match=words) as caught:
        read_cpu_trace(path, "vm")
    assert len(caught.value.issues) == (3 if "lots" in words else 1)


@pytest.mark.parametrize(("frame", "words"), [
    (samples(cpu_usage=None), "no column cpu_usage"), (samples().clear(), "holds no samples"),
    (samples(cpu_usage=[-1.0, 0.0]), "no part of a CPU"), (samples(cpu_capacity=[0.0, 0.0]), "no part of a CPU"),
    (samples(timestamp=[DAY, DAY]), "two samples at one time"), (samples(duration=[0, 0]), "lasts no time"),
    (samples(timestamp=[None, DAY]), "without a timestamp"), (samples(duration=[None, 1]), "or a duration"),
    (samples(cpu_usage=["a", "b"]), "no number"), (samples(timestamp=["x", "y"]), "no number"),
    (samples(duration=[[1], [2]]), "no number"), (samples(cpu_usage=[None, 1.0]), "no part of a CPU"),
])  # fmt: skip
def test_a_parquet_that_is_no_trace(tmp_path: Path, frame: pl.DataFrame, words: str) -> None:
    frame.write_parquet(tmp_path / "t.parquet")
    with pytest.raises(InputError, match=words):
        read_cpu_trace(tmp_path / "t.parquet", "7")
    with pytest.raises(InputError, match="cannot be read"):
        read_cpu_trace(tmp_path / "nowhere.parquet", "7")


def test_a_scenario_says_what_is_wrong_with_traces_and_power(tmp_path: Path) -> None:
    (tmp_path / "bad").write_text("lots\n")
    (tmp_path / "good").write_text("10\n")
    with pytest.raises(InputError) as caught:
        examine({"cloud": {
            "hosts": [{"name": "h", "vcpus": 8, "memory": "8 GiB", "disk": "9 GiB", "power": "liner:100:200"}],
            "flavors": [{"name": "f", "vcpus": 1, "memory": "1 GiB", "disk": 0}],
            "servers": [{"name": "a", "flavor": "f", "host": "h", "cpu_trace": "bad"},
                        {"name": "b", "flavor": "f", "host": "h", "cpu_trace": "good"}],
        }}, base=tmp_path)  # fmt: skip
    text = str(caught.value)
    assert "cloud.hosts[0].power: unknown power model 'liner:100:200'" in text
    assert "cloud.servers[0].cpu_trace" in text
    assert "'lots' is no per cent" in text
    assert "servers[1]" not in text


# --- power ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "load", "watts"), [
    ("spec-hp-ml110-g4", 0.0, 86.0), ("spec-hp-ml110-g4", 1.0, 117.0), ("spec-hp-ml110-g5", 0.5, 116.0),
    ("spec-hp-ml110-g5", 0.25, (101 + 105) / 2), ("linear:100:200", 0.3, 130.0),
    ("cubic:100:200", 0.5, 100 + 100 * 0.125), ("fan:100:200", 0.5, 100 + 100 * (2 * 0.5 - 0.5**1.4)),
])  # fmt: skip
def test_power_models(name: str, load: float, watts: float) -> None:
    assert float(power_model(name)(np.array([load]))[0]) == pytest.approx(watts)


@pytest.mark.parametrize(
    "name", ["", "linear", "linear:1", "linear:1:2:3", "linear:200:100", "linear:a:b", "cubic:-1:5"]
)
def test_what_is_no_power_model(name: str) -> None:
    with pytest.raises(ValueError, match="spec-hp-ml110-g4, spec-hp-ml110-g5, or linear:IDLE:MAX"):
        power_model(name)
