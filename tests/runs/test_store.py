"""Run folders are whole or absent, and hold the run that was made."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import sim
from sim.eventlog.log import digest
from sim.runs.engine import execute
from sim.runs.store import manifest, save

ROOT = Path(__file__).parents[2]
SCENARIO = ROOT / "scenarios" / "retries_exhausted.yaml"


def test_a_saved_run_is_the_run(tmp_path: Path) -> None:
    run = sim.run(SCENARIO, seed=3)
    folder = run.save(tmp_path / "kept")
    again = sim.open_run(folder)
    assert again.manifest == run.manifest
    assert list(again.records()) == list(run.records())
    assert digest(again.records()) == run.manifest["log_digest"]
    for name in ("migrations", "servers", "hosts", "requests"):
        assert again.table(name).equals(run.table(name))


def test_the_resolved_scenario_in_the_folder_makes_the_same_run(tmp_path: Path) -> None:
    folder = sim.run(SCENARIO, seed=3).save(tmp_path / "kept")
    assert sim.run(folder / "scenario.yaml", seed=3).manifest["log_digest"] == manifest(folder)["log_digest"]


def test_a_run_killed_while_it_writes_leaves_nothing_that_reads_as_a_run(tmp_path: Path) -> None:
    """The writer is stopped in the middle of its files, then killed for good."""
    code = (
        "import sys, os, signal, sim; from sim.runs import store\n"
        "def stop(*a, **k): print('writing', flush=True); os.kill(os.getpid(), signal.SIGSTOP)\n"
        "store.dump = stop\n"
        "sim.run(sys.argv[1], seed=3).save(sys.argv[2])\n"
    )
    target = tmp_path / "results" / "killed"
    command = [sys.executable, "-c", code, str(SCENARIO), str(target)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline().strip() == "writing"
        assert not target.exists()
        assert list(target.parent.iterdir()), "nothing was being written"
        os.kill(process.pid, signal.SIGKILL)
    with pytest.raises(sim.InputError, match="is not a run folder"):
        sim.open_run(target)
    for left in target.parent.iterdir():
        with pytest.raises(sim.InputError, match="is not a run folder"):
            sim.open_run(left)
    sim.run(SCENARIO, seed=3).save(target)
    assert [path.name for path in target.parent.iterdir()] == ["killed"]


def test_ctrl_c_keeps_what_was_simulated(tmp_path: Path) -> None:
    endless = str(ROOT / "tests" / "runs" / "endless.yaml")
    command = [str(Path(sys.executable).parent / "novasim"), "run", endless, "--out", "kept"]
    with subprocess.Popen(
        command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:  # fmt: skip
        time.sleep(6.0)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)
        assert process.returncode == 130, err
    assert "partial" in err
    assert manifest(tmp_path / "kept")["partial"] is True


def test_a_folder_that_is_no_run_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.tex").write_text("three years")
    with pytest.raises(sim.InputError, match="not a run folder"):
        save(execute(sim.load(SCENARIO), 3), tmp_path / "mine")
    assert (tmp_path / "mine" / "thesis.tex").read_text() == "three years"
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


def test_a_folder_can_be_moved_and_outlives_the_files_that_its_scenario_named(tmp_path: Path) -> None:
    """nova.conf and the traces of a pattern lie in it; without them the same command would make another run."""
    home = tmp_path / "home"
    (home / "traces").mkdir(parents=True)
    (home / "nova.conf").write_text("[DEFAULT]\nmax_concurrent_live_migrations = 2\n")
    for name, load in (("web-1", 5), ("web-2", 90), ("other", 1)):
        (home / "traces" / f"{name}.txt").write_text(f"{load}\n" * 20)
    (home / "s.yaml").write_text("""
name: s
cloud:
  hosts: [{name: "h{n:1-2}", vcpus: 8, memory: 32 GiB, disk: 1 TiB}]
  flavors: [{name: f, vcpus: 1, memory: 4 GiB, disk: 1 GiB}]
  servers: [{name: "web-{n:1-2}", flavor: f, host: h1, cpu_trace: "traces/web-{n}.txt", activity: database}]
  storage: {instances: shared}
  nova: {conf: nova.conf}
plan: [{drain: {hosts: [h1], concurrency: 2}}]
""")
    made = sim.run(home / "s.yaml", seed=1)
    folder = made.save(tmp_path / "kept")
    shutil.rmtree(home)
    moved = folder.rename(tmp_path / "moved")
    assert sorted(path.name for path in moved.glob("files/**/*") if path.is_file()) == [
        "nova.conf", "web-1.txt", "web-2.txt"
    ]  # fmt: skip
    again = sim.run(moved / "scenario.yaml", seed=1)
    assert again.manifest == made.manifest
    assert str(tmp_path) not in (moved / "scenario.yaml").read_text()
