"""The driver, the store and the executors: nothing finished is lost, and nothing depends on where or in which order."""

from __future__ import annotations

import gc
import os
import shlex
import signal
import subprocess
import sys
import time
import tracemalloc
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from luck import Luck, numbers
from unlucky import MARK, die_once, die_with_odd_seeds, fail_odd_seeds

import sim
from sim.errors import InputError
from sim.experiments.axes import Axis
from sim.experiments.driver import Driver, Finished, Progress
from sim.experiments.executors.inline import Inline
from sim.experiments.executors.processes import Processes
from sim.experiments.experiment import Experiment, experiment
from sim.experiments.outcome import from_json, to_json
from sim.experiments.precision import parse_until
from sim.experiments.report import Runs
from sim.experiments.seeds import seed_of
from sim.experiments.store import RUNS, Store

ROOT = Path(__file__).parents[2]
SCENARIO = ROOT / "scenarios" / "anti_affinity_deadlock.yaml"
NOVASIM = [sys.executable, "-c", "from sim.cli.main import main; main()"]
AXIS = Axis("plan[empty].drain.attempts", (1, 2))


def _sweep(replications: int = 3, *axes: Axis) -> Experiment:
    return experiment(SCENARIO, axes or (AXIS,), replications=replications)


def _run(made: Experiment, folder: Path, executor: object, **more: object) -> Finished:
    with Store(folder) as store, closing(executor) as running:
        return Driver(made, store, running, **more).run()


def _table(folder: Path) -> pl.DataFrame:
    return pl.read_parquet(folder / "runs.parquet")


# --- what a sweep leaves ----------------------------------------------------------------------------------------------


def test_a_row_is_the_run_that_its_command_makes(tmp_path: Path) -> None:
    finished = _run(_sweep(2), tmp_path, Inline())
    assert finished == Finished(2, 4, 0, 0, precise=True)
    table = _table(tmp_path)
    assert table["variant"].to_list() == ["attempts=1", "attempts=1", "attempts=2", "attempts=2"]
    assert table["seed"].to_list() == [seed_of(1, 1), seed_of(1, 2)] * 2
    one = table.row(3, named=True)
    words = shlex.split(one["command"])
    assert words[:2] == ["novasim", "run"]
    run = sim.run(sim.load(words[2], [words[4]]), seed=int(words[6]))
    assert run.manifest["log_digest"] == one["log_digest"]
    assert run.answer().makespan_s == pytest.approx(one["makespan_s"])


def test_variants_share_their_luck(tmp_path: Path) -> None:
    """A change that does nothing changes nothing: every replication of both is the same run."""
    _run(_sweep(3, Axis("cloud.servers[web-{n:1-6}].metadata", ({}, {"shop": "open"}))), tmp_path, Inline())
    table = _table(tmp_path)
    assert table["makespan_s"].to_list()[:3] == table["makespan_s"].to_list()[3:]
    assert len(set(table["makespan_s"])) == 3


def test_processes_make_the_same_table_to_the_last_byte(tmp_path: Path) -> None:
    _run(_sweep(), tmp_path / "here", Inline())
    _run(_sweep(), tmp_path / "there", Processes(2))
    assert (tmp_path / "here" / "runs.parquet").read_bytes() == (tmp_path / "there" / "runs.parquet").read_bytes()


def test_kept_run_folders_are_the_runs(tmp_path: Path) -> None:
    _run(_sweep(1), tmp_path, Inline(), keep=True)
    folders = [path for path in (tmp_path / RUNS).iterdir() if path.is_dir()]
    digests = {str(sim.open_run(folder).manifest["log_digest"]) for folder in folders}
    assert digests == set(_table(tmp_path)["log_digest"])


# --- order, precision, continuing -------------------------------------------------------------------------------------


def test_where_a_precision_stops_does_not_depend_on_the_order(tmp_path: Path) -> None:
    until = parse_until("p90_makespan ± 15 %, makespan ± 8 %", "--until", [])
    made = replace(_sweep(400), until=until)
    ends = {_run(made, tmp_path / str(order), Luck(order)) for order in range(3)}
    assert len(ends) == 1
    end = ends.pop()
    assert end.precise
    assert 36 < end.replications < 400
    assert len({(tmp_path / str(order) / "runs.parquet").read_bytes() for order in range(3)}) == 1
    table = _table(tmp_path / "0")
    assert until is not None
    values = {key[0]: part["makespan_s"].to_numpy() for key, part in table.group_by("variant")}
    assert until.met(lambda variant, _: values[variant], list(values))


def test_a_precision_that_is_not_reached_is_said(tmp_path: Path) -> None:
    made = replace(_sweep(12), until=parse_until("makespan ± 0.1 %", "--until", []))
    assert _run(made, tmp_path, Luck()) == Finished(12, 24, 0, 0, precise=False)


def test_more_of_the_same_uses_what_is_there(tmp_path: Path) -> None:
    _run(_sweep(5), tmp_path, Luck())
    more = Luck()
    assert _run(_sweep(8), tmp_path, more) == Finished(8, 16, 0, 10, precise=True)
    assert sorted(more.made) == [(f"attempts={a}", n) for a in (1, 2) for n in (6, 7, 8)]
    wider = Luck()
    _run(_sweep(8, replace(AXIS, values=(1, 2, 3))), tmp_path, wider)
    assert {variant for variant, _ in wider.made} == {"attempts=3"}
    _run(_sweep(8, replace(AXIS, values=(1, 2, 3))), tmp_path / "anew", Luck())
    assert _table(tmp_path).equals(_table(tmp_path / "anew"))


def test_a_run_that_is_used_again_has_the_name_that_its_variant_has_now(tmp_path: Path) -> None:
    _run(_sweep(2, replace(AXIS, values=(2,))), tmp_path, Luck())
    now = _sweep(2, replace(AXIS, values=(2,)), Axis("plan[empty].drain.concurrency", (2,)))  # as it is without saying
    assert _run(now, tmp_path, Luck()).found == 2
    assert set(_table(tmp_path)["variant"]) == {"attempts=2 concurrency=2"}
    assert set(_table(tmp_path)["command"]) == {now.command(now.variants[0], seed_of(1, n)) for n in (1, 2)}
    assert len(Runs(tmp_path).columns("makespan_s")["attempts=2 concurrency=2"]) == 2


def test_runs_of_another_seed_scenario_or_code_are_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _run(_sweep(2), tmp_path, Luck())
    for other in (replace(_sweep(2), seed=2), _sweep(2, AXIS, Axis("run.seed", (9,))), replace(_sweep(2), warm_up=1.0)):
        assert _run(other, tmp_path, Luck()).found == 0
    monkeypatch.setattr("sim.experiments.work.code", lambda: "another")
    assert _run(_sweep(2), tmp_path, Luck()).found == 0


def test_half_a_file_is_no_run(tmp_path: Path) -> None:
    _run(_sweep(2), tmp_path, Luck())
    files = sorted((tmp_path / RUNS).glob("*.json"))
    files[0].write_bytes(files[0].read_bytes()[:100])
    files[1].write_bytes(b"")
    assert _run(_sweep(2), tmp_path, Luck()).found == 2


def test_outcomes_keep_every_bit(tmp_path: Path) -> None:
    _run(_sweep(2), tmp_path, Luck())
    for path in (tmp_path / RUNS).glob("*.json"):
        outcome = from_json(path.read_bytes())
        assert from_json(to_json(outcome)) == outcome
        assert outcome.values["downtime_p95_s"] is None
    table = _table(tmp_path)
    assert table["downtime_p95_s"].is_null().all()
    assert np.isnan(Runs(tmp_path).columns("downtime_p95_s")["attempts=1"]).all()


def test_one_driver_at_a_time_and_no_strange_folders(tmp_path: Path) -> None:
    with Store(tmp_path / "a"), pytest.raises(InputError, match="in use by another novasim"):
        Store(tmp_path / "a")
    Store(tmp_path / "a").close()
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "thesis.tex").touch()
    with pytest.raises(InputError, match="is not a folder of many runs"):
        Store(tmp_path / "b")
    assert [path.name for path in (tmp_path / "b").iterdir()] == ["thesis.tex"]


def test_progress_counts_rates_and_what_is_left(tmp_path: Path) -> None:
    seen: list[Progress] = []
    _run(_sweep(5), tmp_path, Luck(fails=2), on_progress=seen.append)
    assert [one.done for one in seen] == [0, *range(1, 11), 10]
    assert (seen[-1].failed, seen[-1].total, seen[-1].most, seen[-1].left_s) == (2, 10, 10, 0.0)
    assert np.isnan(seen[0].left_s)
    assert all(one.rate > 0 and one.left_s > 0 for one in seen[1:-2])


def test_the_driver_remembers_no_run(tmp_path: Path) -> None:
    """What it holds after 600 runs is what it holds after 100, but for some bytes a run."""

    def held(replications: int) -> int:
        made = replace(
            _sweep(replications, replace(AXIS, values=(1,))), until=parse_until("makespan ± 0.001 %", "--until", [])
        )
        with Store(tmp_path / str(replications)) as store:
            driver = Driver(made, store, Luck(remember=False))
            tracemalloc.start(12)
            try:
                driver.run()
                gc.collect()
                ours = tracemalloc.Filter(True, "*/driver.py", all_frames=True)
                interned = tracemalloc.Filter(False, "*/pathlib.py")  # Python's own table, which grows by doubling
                found = tracemalloc.take_snapshot().filter_traces([ours, interned])
                return sum(one.size for one in found.traces)
            finally:
                tracemalloc.stop()

    held(20)  # what is loaded and cached the first time
    assert held(600) - held(100) < 1000 * 100


# --- failures ---------------------------------------------------------------------------------------------------------


def test_a_run_that_fails_is_a_row_and_the_others_go_on(tmp_path: Path) -> None:
    made = _sweep(6)
    odd = [seed_of(1, n) % 2 == 1 for n in range(1, 7)] * 2
    assert 0 < sum(odd) < 12
    finished = _run(made, tmp_path, Inline(), measurement=fail_odd_seeds)
    assert finished.failed == sum(odd)
    table = _table(tmp_path)
    assert (table["status"] == "failed").to_list() == odd
    failed = table.filter(pl.col("status") == "failed").row(0, named=True)
    assert failed["stage"] == "measure"
    assert failed["error"] == f"ZeroDivisionError: seed {failed['seed']} is odd"
    assert failed["command"].endswith(f"--seed {failed['seed']}")
    assert failed["makespan_s"] is None
    good = table.filter(pl.col("status") == "done")
    assert (good["half"] == good["seed"] / 2).all()
    assert Runs(tmp_path).counts() == {name: (6, sum(odd) // 2) for name in ("attempts=1", "attempts=2")}
    # such a failure is a result: it would be the same again
    assert _run(made, tmp_path, Inline(), measurement=fail_odd_seeds).found == 12


def test_a_run_that_kills_its_worker_is_a_row_and_the_others_go_on(tmp_path: Path) -> None:
    made = _sweep(4, replace(AXIS, values=(1,)))
    odd = [seed_of(1, n) % 2 == 1 for n in range(1, 5)]
    assert 0 < sum(odd) < 4
    _run(made, tmp_path, Processes(2), measurement=die_with_odd_seeds)
    table = _table(tmp_path)
    assert (table["stage"] == "worker").fill_null(value=False).to_list() == odd
    error = table.filter(pl.col("status") == "failed")["error"][0]
    assert error.startswith("its worker was killed by signal 9, 2 times")
    # that is no result: such a run is made again
    assert _run(made, tmp_path, Luck(), measurement=die_with_odd_seeds).found == 4 - sum(odd)
    assert (_table(tmp_path)["status"] == "done").all()


def test_a_worker_that_dies_once_costs_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(MARK, str(tmp_path / "mark"))
    finished = _run(_sweep(2), tmp_path / "a", Processes(2), measurement=die_once)
    assert (tmp_path / "mark").exists()
    assert finished.failed == 0
    _run(_sweep(2), tmp_path / "b", Inline())
    assert _table(tmp_path / "a").equals(_table(tmp_path / "b"))


def test_a_worker_with_other_code_or_another_scenario_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    from sim.experiments.outcome import Task
    from sim.experiments.work import code, pack, perform

    text = pack(sim.load(SCENARIO))
    task = Task("k", "as it is", 1, 5, "0" * 64, "novasim run x")
    other = perform(task, text, "another")
    assert (other.stage, other.failed) == ("worker", True)
    assert "other code" in str(other.error)
    assert perform(task, text, code()).stage == "scenario"


def _wait_for(folder: Path, count: int, process: subprocess.Popen[str]) -> None:
    for _ in range(600):
        if len(list(folder.glob("runs/*.json"))) >= count:
            return
        assert process.poll() is None, process.communicate()
        time.sleep(0.02)
    raise AssertionError("no runs came")


def _children(pid: int) -> Iterator[int]:
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[1]) == pid:
            yield int(path.parent.name)


@pytest.mark.parametrize("victim", ["driver", "worker"])
def test_kill_9_loses_only_what_was_under_way(tmp_path: Path, victim: str) -> None:
    command = [*NOVASIM, "sweep", str(SCENARIO), "-n", "60", "--workers", "2", "--out", "swept", "--metric", "makespan"]
    process = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    folder = tmp_path / "swept"
    _wait_for(folder, 5, process)
    if victim == "worker":
        os.kill(next(_children(process.pid)), signal.SIGKILL)
        out, err = process.communicate(timeout=60)
        assert process.returncode == 0, err
        assert "60 replications" in out
    else:
        process.kill()
        process.communicate(timeout=60)
        kept = {path: path.stat().st_mtime_ns for path in folder.glob("runs/*.json")}
        assert 5 <= len(kept) < 60
        assert all(not from_json(path.read_bytes()).failed for path in kept)
        again = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True, timeout=60)
        assert f"({len(kept)} runs were on disk)" in again.stdout
        assert all(path.stat().st_mtime_ns == before for path, before in kept.items())
    _run(experiment(SCENARIO, replications=60), tmp_path / "whole", Inline())
    columns = ["replication", "log_digest", "makespan_s"]
    assert _table(folder).select(columns).equals(_table(tmp_path / "whole").select(columns))


def test_ctrl_c_keeps_what_is_finished(tmp_path: Path) -> None:
    command = [*NOVASIM, "sweep", str(SCENARIO), "-n", "500", "--workers", "2", "--out", "swept"]
    process = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    _wait_for(tmp_path / "swept", 4, process)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "the same command continues" in err
    assert not list(_children(process.pid))


def test_numbers_of_luck_depend_on_seed_and_scenario_alone() -> None:
    """The stand-in for runs must itself keep the promise that the tests above rest on."""
    from sim.experiments.outcome import Task

    task = Task("k", "v", 1, 5, "abcd", "")
    assert numbers(task) == numbers(task._replace(key="other", replication=3))


def test_a_file_beside_the_user_does_not_pass_for_the_package(tmp_path: Path) -> None:
    (tmp_path / "sim.py").write_text("raise SystemExit('this is not novasim')")
    command = [sys.executable, "-P", *NOVASIM[1:], "sweep", str(SCENARIO), "-n", "2", "--out", "s"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=100)
    assert done.returncode == 0, done.stdout + done.stderr
