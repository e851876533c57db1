"""``results/example`` is what ``make example`` leaves: its commands are run again, and must leave the same."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from typer.testing import CliRunner

from sim.cli.main import app
from sim.eventlog.storage import read_records

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "results" / "example"


@pytest.fixture(scope="module")
def again(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The example, made by the commands of the make target."""
    if not EXAMPLE.is_dir():
        pytest.skip("there is no results/example: `make example` makes it")
    folder = tmp_path_factory.mktemp("again") / "example"
    # `-o` keeps make from looking after the environment; `-n` prints the commands.
    told = subprocess.run(
        ["make", "-s", "-n", "-o", ".venv/.ready", "example", f"EXAMPLE={folder}"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    commands = [shlex.split(line) for line in told.stdout.splitlines()]
    assert len(commands) >= 5
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(ROOT)
        for program, *arguments in commands:
            assert Path(program).name == "novasim"
            assert CliRunner().invoke(app, arguments, catch_exceptions=False).exit_code == 0
    return folder


def files(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def manifest(folder: Path) -> dict[str, Any]:
    """Without versions of what it was made with: these differ from machine to machine."""
    found: dict[str, Any] = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    return {key: value for key, value in found.items() if key != "versions"}


def words(page: Path) -> str:
    """A report without its pictures, the names of its folder and the versions."""
    text = re.sub(r"base64,[\w+/=]+", "", page.read_text(encoding="utf-8"))
    return re.sub(r"<dt>version of .*?</dd>", "", text)


def test_the_same_files(again: Path) -> None:
    assert files(again) == files(EXAMPLE)


def test_the_same_run(again: Path) -> None:
    assert manifest(again) == manifest(EXAMPLE)
    assert list(read_records(again / "records")) == list(read_records(EXAMPLE / "records"))


def test_the_same_tables(again: Path) -> None:
    for path in sorted((EXAMPLE / "tables").iterdir()):
        made = pl.read_csv(again / "tables" / path.name, infer_schema=False)
        assert made.equals(pl.read_csv(path, infer_schema=False)), path.name


def test_the_same_words_in_the_report_and_the_same_trace(again: Path) -> None:
    assert words(again / "report.html") == words(EXAMPLE / "report.html")
    assert (again / "trace.json").read_text() == (EXAMPLE / "trace.json").read_text()
    assert (again / "assumptions.json").read_text() == (EXAMPLE / "assumptions.json").read_text()


def test_it_is_small() -> None:
    if EXAMPLE.is_dir():
        assert sum(path.stat().st_size for path in EXAMPLE.rglob("*") if path.is_file()) < 3_000_000
