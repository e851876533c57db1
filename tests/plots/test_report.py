"""The report is one file that needs nothing else, says what the answer says, and works in a real browser."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from browser import played
from crowd import crowd
from synthetic import log
from typer.testing import CliRunner

import sim
from sim.cli.main import app
from sim.eventlog.storage import write_records
from sim.metrics.answer import answer
from sim.metrics.source import Records, as_records
from sim.metrics.tables import table
from sim.plots.report import notable, report, write_report

ROOT = Path(__file__).parents[2]
MANIFEST = {"scenario": "told", "seed": 7, "log_digest": "d" * 64, "records": 5, "versions": {"novasim": "0.1.0"}}


def folder_of(records: Any, folder: Path) -> Path:
    write_records(records, folder / "records")
    (folder / "manifest.json").write_text(json.dumps(MANIFEST))
    return folder


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = folder_of(log(), tmp_path_factory.mktemp("small"))
    return write_report(made, made / "report.html")


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """1 000 servers moved, off 100 of 1 000 hosts."""
    made = folder_of(crowd(1000, 100), tmp_path_factory.mktemp("large"))
    return write_report(made, made / "report.html")


class Page(HTMLParser):
    """Tags that are open, links and sources, text."""

    void = frozenset({"meta", "link", "img", "br", "input"})

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.references: list[str] = []
        self.ids: list[str] = []
        self.words: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in self.void:
            self.open.append(tag)
        for name, value in attrs:
            if name in {"src", "href"}:
                self.references.append(value or "")
            elif name == "id":
                self.ids.append(value or "")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)


def read(path: Path) -> Page:
    page = Page()
    page.feed(re.sub(r"base64,[\w+/=]+", "base64,", path.read_text(encoding="utf-8")))
    page.close()
    return page


@pytest.mark.parametrize("size", ["small", "large"])
def test_it_needs_nothing_but_itself(size: str, request: pytest.FixtureRequest) -> None:
    path: Path = request.getfixturevalue(size)
    page = read(path)
    assert page.open == [], "every tag is closed"
    assert len(page.ids) == len(set(page.ids))
    for reference in page.references:
        assert reference.startswith(("data:", "#")), reference
        assert not reference.startswith("#") or reference[1:] in page.ids
    assert "@import" not in path.read_text(encoding="utf-8")
    assert path.stat().st_size < 5_000_000


def test_it_says_what_the_answer_says(small: Path) -> None:
    words = " ".join(" ".join(read(small).words).split())
    told = answer(small.parent)
    assert f"Servers moved {told.moved} of {told.asked} that were asked to move" in words
    assert f"Failed {told.failed}" in words
    for one in told.humans:
        assert one.server in words
        assert one.advice in words
    assert "What would have helped" in words, "the story of a server that needs a person is told"
    assert "d" * 64 in words


def test_the_same_run_makes_the_same_page(small: Path) -> None:
    assert report(small.parent) == small.read_text(encoding="utf-8")


def test_words_of_a_run_are_words_and_not_html(tmp_path: Path) -> None:
    hurt = sim.eventlog.records.ServerFault(300.0, "web-1", 500, "<script>alert(1)</script>", "")
    page = report(folder_of([*log(), hurt], tmp_path))
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert" in page


PLAY = """(() => {
  const column = (table, name) => {
    const heads = [...document.getElementById(table).tHead.rows[0].cells];
    return heads.findIndex((head) => head.querySelector("button").textContent.replaceAll("\\u200b", "") === name);
  };
  const cells = (table, name) => [...document.getElementById(table).tBodies[0].rows].map((row) => {
    const cell = row.cells[column(table, name)];
    return cell.dataset.v ?? cell.textContent;
  });
  const shown = (table) => [...document.getElementById(table).tBodies[0].rows].filter((row) => row.offsetParent).length;
  const click = (table, name) => document.getElementById(table).tHead.rows[0].cells[column(table, name)]
    .querySelector("button").click();
  const gives = {};
  const all = [];
  for (const table of document.querySelectorAll("table.data"))
    for (const head of table.tHead.rows[0].cells) {
      const name = head.querySelector("button").textContent.replaceAll("\\u200b", "");
      const before = cells(table.id, name);
      click(table.id, name);
      const up = cells(table.id, name);
      click(table.id, name);
      all.push({table: table.id, name, numeric: head.classList.contains("n"), before, up, down: cells(table.id, name),
                said: head.getAttribute("aria-sort")});
    }
  gives.all = all;
  gives.first = shown("servers");
  const tools = document.getElementById("servers").parentElement.previousElementSibling;
  tools.querySelector("button").click();
  gives.every = shown("servers");
  const find = tools.querySelector("input");
  find.value = PART;
  find.dispatchEvent(new Event("input"));
  gives.like = shown("servers");
  gives.wide = document.documentElement.scrollWidth - document.documentElement.clientWidth;
  gives.pictures = [...document.images].map((image) => { image.loading = "eager"; return image.src.slice(0, 15); });
  return gives;
})()"""


@pytest.mark.parametrize(("size", "part", "like"), [("small", "db-1", 1), ("large", "vm-00012", 10)])
def test_in_a_browser_tables_sort_and_nothing_complains(
    size: str, part: str, like: int, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    path: Path = request.getfixturevalue(size)
    gives, said = played(path, PLAY.replace("PART", json.dumps(part)), tmp_path)
    assert said == [], "the console says something"
    assert {one["table"] for one in gives["all"]} >= {"servers", "migrations", "hosts", "links", "failures", "headroom"}
    for one in gives["all"]:
        where = (one["table"], one["name"])
        assert sorted(one["up"]) == sorted(one["down"]) == sorted(one["before"]), where
        assert one["said"] == "descending"
        if one["numeric"]:
            up, down = ([float(value) for value in one[way] if value != "-"] for way in ("up", "down"))
            assert up == sorted(up), where
            assert down == sorted(up, reverse=True), where
            empty = one["up"].count("-")
            assert one["up"][len(up) :] == one["down"][len(up) :] == ["-"] * empty, "what has no value stays last"
    servers = min(table(Records.open(path.parent), "servers").height, 1000)
    assert (gives["first"], gives["every"]) == (min(servers, 15), servers)
    assert gives["like"] == like
    assert gives["wide"] == 0, "the page is not wider than the window"


def test_a_report_of_a_run_names_its_assumptions(tmp_path: Path) -> None:
    run = sim.run(ROOT / "scenarios" / "rack_drain.yaml", seed=7)
    folder = run.save(tmp_path / "drain")
    done = CliRunner().invoke(app, ["report", str(folder)], catch_exceptions=False)
    assert done.exit_code == 0
    page = read(folder / "report.html")
    words = " ".join(" ".join(page.words).split())
    assert "Timing profile default" in words
    assert "Not fitted as a whole" in words, "how well the profile fits is said"
    assert re.search(r"options without effect in the simulation: [1-9]", words)
    assert "vendor_extension.colour" in words, "options that Nova does not know are named"
    assert "novasim run scenario.yaml --seed 7" in words
    assert run.manifest["log_digest"] in words
    assert "Rack r02 is emptied before maintenance" in words
    assert str(ROOT) not in (folder / "assumptions.json").read_text(encoding="utf-8")


def test_a_report_says_where_to_start_novasim_when_classes_are_the_users_own() -> None:
    text = report(log(), scenario="cloud: {migration_model: 'models/mine.py:Mine'}")
    assert "with the same version of novasim, started where models/mine.py lies unchanged." in text
    assert "with the same version of novasim.</p>" in report(log(), scenario="cloud: {migration_model: qemu}")


def test_servers_that_moved_are_drawn_too_where_more_failed_than_there_is_room_for() -> None:
    """Of 60 that are refused and 40 that move, 48 are drawn: half of them move."""
    cloud = {
        "hosts": [{"name": "h{n:1-4}", "vcpus": 256, "memory": "512 GiB", "disk": "8 TiB"}],
        "flavors": [{"name": "m", "vcpus": 1, "memory": "2 GiB", "disk": "10 GiB"}],
        "servers": [
            {"name": "bad{n:1-60}", "flavor": "m", "host": "h1", "vm_state": "error"},
            {"name": "good{n:1-40}", "flavor": "m", "host": "h1"},
        ],
        "storage": {"instances": "shared"},
    }
    plan = [{"drain": {"hosts": ["h1"], "concurrency": 20}}]
    run = sim.run(sim.Scenario.model_validate({"name": "half", "cloud": cloud, "plan": plan}), seed=1)
    drawn = notable(as_records(run))
    assert drawn is not None
    assert len(drawn) == len(set(drawn)) == 48
    assert sum(name.startswith("good") for name in drawn) == 24
    took = {row["server"]: row["total_s"] for row in run.table("migrations").iter_rows(named=True)}
    left_out = [took[name] for name in took if name not in drawn]
    assert min(took[name] for name in drawn if name in took) >= max(left_out) - 1.0  # the longest, but for the asking
