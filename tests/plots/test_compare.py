"""Two runs side by side: differences that the story says, none where there is none, a page that works in a browser."""

from __future__ import annotations

import json
import re
from pathlib import Path

import msgspec
import polars as pl
import pytest
from browser import played
from synthetic import log
from typer.testing import CliRunner

import sim
from sim.cli.main import app
from sim.eventlog import records as r
from sim.eventlog.storage import write_records
from sim.metrics.columns import Column, Table
from sim.metrics.compare import Measured, compare, paired
from sim.metrics.source import Records
from sim.metrics.summary import summary
from sim.plots.compare import comparison
from sim.plots.html import html_table
from sim.plots.text import measured

ROOT = Path(__file__).parents[2]


def longer(record: r.Record) -> r.Record:
    """web-1's guest stands still a second longer, and its copy waits for that."""
    if isinstance(record, r.Downtime) and record.server == "web-1":
        return msgspec.structs.replace(record, began=record.began - 1.0)
    return record


def test_a_second_more_of_downtime_is_seen_where_it_is() -> None:
    made = compare(log(), [longer(record) for record in log()])
    measures = {one.name: one for one in made.measures}
    assert measures["downtime_sum_s"].difference == pytest.approx(1.0)
    assert measures["downtime_sum_s"].better == -1
    assert measures["makespan_s"].difference == 0.0
    assert measures["makespan_s"].better == 0
    downtime = next(one for one in made.pairs if one.name == "downtime_s")
    assert (downtime.count, downtime.better, downtime.worse, downtime.same) == (6, 0, 1, 5)
    assert downtime.mean == pytest.approx(1.0 / 6)
    assert downtime.median == 0.0
    rows = paired(log(), [longer(record) for record in log()])
    assert dict(rows.select("server", "downtime_s_diff").iter_rows())["web-1"] == pytest.approx(1.0)


def test_a_run_does_not_differ_from_itself() -> None:
    made = compare(log(), log())
    assert all(one.better == 0 for one in made.measures)
    assert all(pair.better == pair.worse == 0 for pair in made.pairs)


def test_numbers_are_those_of_each_run() -> None:
    early = [record for record in log() if record.t <= 130.0]
    made = compare(log(), early)
    for one in made.measures:
        if one.name != "humans":
            a, b = summary(log())[one.name], summary(early)[one.name]
            assert (one.a, one.b) == pytest.approx((a, b), nan_ok=True)
    assert (made.only_a, made.only_b) == (1, 0), "lost-1 is touched only after 130 s"


def test_other_seeds_and_interrupted_runs_are_cautioned_against() -> None:
    one = Records.of(log(), {"seed": 1})
    other = Records.of(log(), {"seed": 2, "partial": True})
    said = " ".join(compare(one, other).cautions)
    assert "seeds differ (1 and 2)" in said
    assert "B was interrupted" in said


@pytest.mark.parametrize(("cut", "who"), [(60.0, "lost-1"), (0.5, "4 servers")])
def test_downtime_that_nobody_had_because_nobody_moved_is_cautioned_against(cut: float, who: str) -> None:
    early = [record for record in log() if record.t <= cut]
    for made, name, other in ((compare(log(), early), "A", "B"), (compare(early, log()), "B", "A")):
        said = f"{who} moved in {name} only: a move's downtime that {other} did not have is no gain of {other}'s."
        assert said in made.cautions
    assert not any("moved in" in one for one in compare(log(), log()).cautions)


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    home = tmp_path_factory.mktemp("two")
    runs = []
    for name, workers in (("four", 4), ("twelve", 12)):
        scenario = sim.load(ROOT / "scenarios" / "rack_drain.yaml", [f"plan[maintenance].drain.concurrency={workers}"])
        runs.append(sim.run(scenario, seed=7).save(home / name))
    return runs[0], runs[1]


def test_the_page(two: tuple[Path, Path], tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    done = CliRunner().invoke(app, ["compare", str(two[0]), str(two[1]), "-o", str(page)], catch_exceptions=False)
    assert done.exit_code == 0
    assert "makespan" in done.output
    text = page.read_text(encoding="utf-8")
    assert re.search(r"-\s+concurrency: 4\n\+\s+concurrency: 12", text), "what was changed is shown"
    assert re.search(r"(?:src|href)=\"(?!data:|#)", text) is None
    play = """(() => {
      const table = document.getElementById("pairs");
      const heads = [...table.tHead.rows[0].cells];
      const at = heads.findIndex((head) => head.textContent.includes("total_s_") && head.textContent.includes("diff"));
      heads[at].querySelector("button").click();
      return [...table.tBodies[0].rows].map((row) => row.cells[at].dataset.v ?? row.cells[at].textContent);
    })()"""
    values, said = played(page, play, tmp_path)
    assert said == []
    numbers = [float(value) for value in values if value != "-"]
    assert numbers == sorted(numbers)
    assert len(numbers) > 20


def test_as_json(two: tuple[Path, Path]) -> None:
    done = CliRunner().invoke(app, ["compare", *map(str, two), "--json"], catch_exceptions=False)
    made = json.loads(done.output, parse_constant=pytest.fail)
    assert {one["name"] for one in made["measures"]} >= {"makespan_s", "failed", "downtime_p95_s"}
    assert not list(two[1].parent.glob("*.html"))


def test_a_folder_that_is_no_run(two: tuple[Path, Path], tmp_path: Path) -> None:
    with pytest.raises(sim.InputError, match="there is no run here"):
        CliRunner().invoke(app, ["compare", str(two[0]), str(tmp_path)], catch_exceptions=False)
    (tmp_path / "records").mkdir()
    (tmp_path / "records" / "index.json").write_text("{")
    with pytest.raises(sim.InputError, match="holds no whole set of records"):
        CliRunner().invoke(app, ["compare", str(two[0]), str(tmp_path)], catch_exceptions=False)


def test_stories_without_a_server_in_common(tmp_path: Path) -> None:
    write_records(log(), tmp_path / "records")
    others = list(log()[:5])
    assert any("No server is in both" in one for one in compare(tmp_path, others).cautions)


@pytest.mark.parametrize(
    ("a", "b", "difference", "percent"),
    [
        (49.4, 49.4 + 1.42e-14, "0.00 s", ""),
        (100.0, 99.99, "−10 ms", "0.0%"),
        (268.0, 253.3, "−14.7 s", "−5.5%"),
        (0.0, 0.05, "+50 ms", ""),
    ],
)
def test_what_rounding_leaves_is_no_difference(a: float, b: float, difference: str, percent: str) -> None:
    shown = measured(Measured("x", "x", "s", a, b, 0))
    assert (shown.difference, shown.percent) == (difference, percent)


@pytest.mark.parametrize(
    ("values", "texts"),
    [
        ([0.0674, 0.16, 12.3456, None], ["0.067", "0.160", "12.346", "-"]),  # one small time: all show milliseconds
        ([0.16, -0.0001, 0.0, 1234567.891], ["0.16", "0.00", "0.00", "1,234,567.89"]),
        ([96.0, 1200.0], ["96", "1,200"]),
    ],
)
def test_a_column_has_one_number_of_decimals_that_keeps_what_tells(
    values: list[float | None], texts: list[str]
) -> None:
    of = Table("x", "X", "", "", (Column("x", pl.Float64(), "s", ""),), lambda *_: pl.DataFrame())
    made = html_table(of, pl.DataFrame({"x": values}))
    assert [row[0].text for row in made.rows] == texts


def test_what_was_changed_in_a_nova_conf_is_shown(tmp_path: Path) -> None:
    """The scenarios are alike word for word: they name the same file."""
    folders = []
    for limit in (1, 2):
        (tmp_path / "nova.conf").write_text(f"[DEFAULT]\nmax_concurrent_live_migrations = {limit}\n")
        made = sim.run(
            sim.load(ROOT / "scenarios" / "never_converges.yaml", [f"cloud.nova.conf={tmp_path}/nova.conf"]), seed=1
        )
        folders.append(made.save(tmp_path / f"run-{limit}"))
    page = comparison(*folders)
    assert "-max_concurrent_live_migrations = 1" in page
    assert "+max_concurrent_live_migrations = 2" in page
