"""``novasim show``: tables to a terminal, a pipe or a file, with the warm-up cut."""

from __future__ import annotations

import io
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest
from synthetic import log
from typer.testing import CliRunner

import sim
from sim.cli.main import app
from sim.eventlog.storage import write_records
from sim.metrics.tables import TABLES
from sim.plots.text import console, data_table


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("run")
    write_records(log(), made / "records")
    return made


def shown(folder: Path, *arguments: str) -> str:
    done = CliRunner().invoke(app, ["show", str(folder), *arguments], catch_exceptions=False)
    assert done.exit_code == 0
    return done.output


def test_a_table_on_a_terminal_names_what_is_not_shown(folder: Path) -> None:
    said = shown(folder, "migrations", "--rows", "1")
    assert "web-1" in said
    assert "and 6 more rows" in said
    assert "more columns (--columns picks some): " in said
    picked = shown(folder, "migrations", "--columns", "server,downtime_s")
    assert picked.splitlines()[1].split() == ["server", "downtime_s"]
    assert "more columns" not in picked


def test_names_are_shown_as_they_are(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """No power model turns into a picture, no part of a reason into a style."""
    said = ("linear:100:250", "Cannot stop [instance: a]", "web[bold]")
    monkeypatch.setenv("COLUMNS", "200")
    console().print(data_table(pl.DataFrame({f"column {n}": [text] for n, text in enumerate(said)})))
    shown = capsys.readouterr().out
    assert all(text in shown for text in said)


def test_what_tables_there_are(folder: Path) -> None:
    assert [line.split()[0] for line in shown(folder, "tables").splitlines()] == list(TABLES)


@pytest.mark.parametrize("form", ["parquet", "csv", "json"])
def test_to_a_file_and_to_a_pipe(folder: Path, tmp_path: Path, form: str) -> None:
    read = {"parquet": pl.read_parquet, "csv": pl.read_csv, "json": pl.read_json}[form]
    shown(folder, "downtime", "-o", str(tmp_path / f"d.{form}"))
    whole = read(tmp_path / f"d.{form}")
    assert sorted(whole["took_s"].to_list()) == [0.25, 0.5, 80.0]
    piped = subprocess.run(
        [Path(sys.executable).with_name("novasim"), "show", str(folder), "downtime", "--format", form],
        capture_output=True, check=True,
    )  # fmt: skip
    assert read(io.BytesIO(piped.stdout)).equals(whole)


def test_every_table_to_a_folder(folder: Path, tmp_path: Path) -> None:
    said = shown(folder, "all", "-o", str(tmp_path / "out"), "--format", "csv").splitlines()
    assert sorted(path.stem for path in (tmp_path / "out").iterdir()) == sorted(TABLES)
    assert len(said) == len(TABLES)


def test_a_warm_up_cuts(folder: Path) -> None:
    whole = pl.read_csv(io.StringIO(shown(folder, "migrations", "--format", "csv")))
    late = pl.read_csv(io.StringIO(shown(folder, "migrations", "--format", "csv", "--warm-up", "1 min")))
    assert whole["migration"].to_list() == [1, 2, 3, 4, 5, 6, 7]
    assert late["migration"].to_list() == [6, 7]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nonsense"], "is not a table"),
        (["server"], "needs a server's name"),
        (["server", "nobody"], "there is no 'nobody'"),
        (["all"], "name a folder"),
        (["all", "-o", "x", "--format", "pdf"], "use parquet, csv, json"),
        (["hosts", "--columns", "hosst"], "'hosst' is not a column"),
        (["hosts", "--format", "pdf"], "is not a format"),
        (["hosts", "-o", "hosts.pdf"], "is not a format"),
        (["hosts", "--warm-up", "soon"], "is not a quantity"),
    ],
)
def test_mistakes(
    folder: Path, arguments: list[str], words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(sim.InputError, match=words):
        CliRunner().invoke(app, ["show", str(folder), *arguments], catch_exceptions=False)
    assert list(tmp_path.iterdir()) == [], "nothing is half-written"
