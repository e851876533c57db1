"""The same sweep on a real Dask cluster: a scheduler and workers as processes of their own, on loopback."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import polars as pl
import pytest

from sim.errors import InputError
from sim.experiments.axes import Axis
from sim.experiments.driver import Driver, Finished, Progress
from sim.experiments.executors.dask import Dask
from sim.experiments.executors.inline import Inline
from sim.experiments.experiment import experiment
from sim.experiments.store import Store

ROOT = Path(__file__).parents[2]
MADE = experiment(
    ROOT / "scenarios" / "rolling_reboot.yaml", [Axis("plan[kernel].rolling_reboot.batch", (1, 2))], replications=12
)
WORKERS = 3


class Cluster:
    """A scheduler and its workers."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "scheduler.json"
        self._start("scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard", "--scheduler-file", self.file)
        self.workers: list[subprocess.Popen[bytes]] = []

    def add_workers(self) -> None:
        """Workers without a nanny: one that is killed stays dead."""
        options = ("--scheduler-file", self.file, "--nthreads", "1", "--no-nanny", "--no-dashboard")
        self.workers = [self._start("worker", *options, "--name", f"w{n}") for n in range(WORKERS)]

    @property
    def address(self) -> str:
        """Where the scheduler listens."""
        for _ in range(400):
            with contextlib.suppress(OSError, ValueError):
                return str(json.loads(self.file.read_text())["address"])
            time.sleep(0.05)
        raise AssertionError("the scheduler did not come up")

    def _start(self, what: str, *options: object) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-W", "ignore", "-m", f"distributed.cli.dask_{what}", *map(str, options)]
        self.last = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=ROOT)
        if what == "scheduler":
            self.scheduler = self.last
        return self.last

    def end(self) -> None:
        """Kill all of it."""
        for process in (*self.workers, self.scheduler):
            process.kill()
            process.wait()


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    made = Cluster(tmp_path)
    try:
        yield made
    finally:
        made.end()


def test_a_killed_worker_of_a_cluster_costs_nothing(tmp_path: Path, cluster: Cluster) -> None:
    cluster.add_workers()
    killed: list[int] = []

    def kill_one(progress: Progress) -> None:
        if progress.done >= 6 and not killed:
            killed.append(cluster.workers[1].pid)
            os.kill(cluster.workers[1].pid, signal.SIGKILL)

    with Store(tmp_path / "there") as store, closing(Dask(cluster.address)) as executor:
        executor.wait_for_workers(WORKERS)
        assert executor.size == WORKERS
        finished = Driver(MADE, store, executor, on_progress=kill_one).run()
        assert executor.size == WORKERS - 1
    assert killed
    assert finished == Finished(12, 24, 0, 0, precise=True)
    with Store(tmp_path / "here") as store:
        Driver(MADE, store, Inline()).run()
    assert (tmp_path / "there" / "runs.parquet").read_bytes() == (tmp_path / "here" / "runs.parquet").read_bytes()
    assert pl.read_parquet(tmp_path / "here" / "runs.parquet")["log_digest"].n_unique() == 24


def test_a_cluster_that_goes_away_is_said_and_nothing_finished_is_lost(tmp_path: Path, cluster: Cluster) -> None:
    cluster.add_workers()
    command = [sys.executable, "-c", "from sim.cli.main import main; main()", "sweep", MADE.source, "-n", "400",
               "--dask", cluster.address, "--out", "swept"]  # fmt: skip
    process = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    for _ in range(3600):
        if len(list(tmp_path.glob("swept/runs/*.json"))) >= 5:
            break
        time.sleep(0.05)
    cluster.end()
    _, err = process.communicate(timeout=60)
    assert process.returncode == 3, err
    assert "the same command continues" in err
    assert "Traceback" not in err
    assert len(list(tmp_path.glob("swept/runs/*.json"))) >= 5


def test_no_scheduler_at_an_address_is_bad_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sim.experiments.executors.dask._PATIENCE_S", 1)
    with pytest.raises(InputError, match="no scheduler answers there"):
        Dask("tcp://127.0.0.1:9")
    with pytest.raises(InputError, match="no scheduler answers there"):
        Dask("nonsense://x")
