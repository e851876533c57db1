"""Each shipped scenario runs to its end, keeps the laws, and tells the story that stands at its top."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import sim
from sim.public import Run

SCENARIOS = Path(__file__).parents[2] / "scenarios"


@lru_cache(maxsize=1)
def run(name: str) -> Run:
    return sim.run(SCENARIOS / f"{name}.yaml")


def messages(made: Run) -> list[Any]:
    return [record for record in made.records() if type(record).__name__ == "Answer"]


@pytest.mark.parametrize(
    "name", sorted(path.stem for path in SCENARIOS.glob("*.yaml") if path.name != "imported_cloud.yaml")
)
def test_it_runs_to_its_end_and_keeps_the_laws(name: str) -> None:
    made = run(name)
    assert made.manifest["checked"]
    assert not made.manifest["partial"]
    assert sim.check(made.records()) == made.manifest["records"]
    assert made.answer() is not None


def test_the_rack_is_empty_but_for_those_who_cannot_move() -> None:
    answer = run("rack_drain").answer()
    servers = run("rack_drain").table("servers")
    left = set(servers.filter(pl.col("end_host").str.starts_with("r02-"))["server"])
    assert left == {human.server for human in answer.humans} if left else not answer.humans
