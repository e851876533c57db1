"""A run is (scenario, seed) and nothing else: the same pair gives the same log, wherever and however it is run."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import sim
from sim.runs.engine import execute

SCENARIOS = Path(__file__).parents[2] / "scenarios"
SHIPPED = sorted(path for path in SCENARIOS.glob("*.yaml") if path.name != "imported_cloud.yaml")
BUSY = SCENARIOS / "teaching_lab_day.yaml"
"""One of each action, failures among them."""


def digest(path: Path, seed: int) -> str:
    return str(execute(sim.load(path), seed).manifest["log_digest"])


def test_other_processes_and_hash_seeds_give_the_same_log() -> None:
    code = (
        "import sys, sim; from sim.runs.engine import execute; "
        "print(execute(sim.load(sys.argv[1]), 5).manifest['log_digest'])"
    )
    found = {digest(BUSY, 5)}
    for hash_seed in ("0", "1", "4242"):
        done = subprocess.run(
            [sys.executable, "-c", code, str(BUSY)], capture_output=True, text=True, check=True,
            env={**os.environ, "PYTHONHASHSEED": hash_seed},
        )  # fmt: skip
        found.add(done.stdout.strip())
    assert len(found) == 1


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_a_session_s_log_is_the_run_s(path: Path) -> None:
    scenario = sim.load(path)
    session = sim.Session(scenario, seed=5)
    result = session.finish()
    assert result.manifest["log_digest"] == digest(path, 5)


def test_stepping_by_hand_changes_nothing() -> None:
    session = sim.Session(sim.load(BUSY), seed=5)
    for _ in range(200):
        session.run_for("17.3 s")
    assert session.finish().manifest["log_digest"] == digest(BUSY, 5)


def test_another_seed_is_another_run() -> None:
    assert digest(BUSY, 5) != digest(BUSY, 6)


def test_two_runs_in_one_process_do_not_know_each_other() -> None:
    scenario = sim.load(BUSY)
    first, second = sim.Session(scenario, seed=5), sim.Session(scenario, seed=5)
    for session in (first, second, first, second):
        session.run_for("20 min")
    assert first.finish().manifest["log_digest"] == second.finish().manifest["log_digest"] == digest(BUSY, 5)


def test_explaining_adds_records_and_changes_no_other() -> None:
    scenario = sim.load(BUSY)
    plain = execute(scenario, 5).records()
    told = [
        r for r in execute(scenario, 5, explain=True).records() if type(r).__name__ not in {"FilterStep", "WeighStep"}
    ]
    assert list(plain) == told
