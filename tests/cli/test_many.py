"""``novasim sweep``, ``compare`` and ``plan`` as their users meet them."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from scipy import stats
from typer.testing import CliRunner

import sim
from sim.cli.main import app
from sim.errors import InputError

ROOT = Path(__file__).parents[2]
SCENARIOS = ROOT / "scenarios"
DEADLOCK = SCENARIOS / "anti_affinity_deadlock.yaml"


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "120")  # sentences stay whole


def said(*arguments: object, code: int = 0) -> str:
    done = CliRunner().invoke(app, [str(one) for one in arguments], catch_exceptions=False)
    assert done.exit_code == code, done.output
    return done.stdout


def issues(*arguments: object) -> list[str]:
    with pytest.raises(InputError) as caught:
        CliRunner().invoke(app, [str(one) for one in arguments], catch_exceptions=False)
    return [str(issue) for issue in caught.value.issues]


def swept(*more: object) -> str:
    return said(
        "sweep", DEADLOCK, "--axis", "plan[empty].drain.attempts=1,3", "-n", 4, "--workers", 1, "--out", "s", *more
    )


def test_a_sweep_says_each_measure_with_its_interval_and_leaves_tables_and_figures() -> None:
    text = swept("--metric", "makespan,p95_makespan,failed")
    assert "2 variants × 4 replications, seed 1" in text
    assert "attempts=1" in text
    assert "in every run of every variant: failed 1" in text
    assert "novasim compare s" in text
    table = pl.read_parquet("s/runs.parquet")
    assert table.height == 8
    summary = pl.read_csv("s/summary.csv")
    assert set(summary["measure"]) == {"makespan", "p95_makespan", "failed"}
    assert sorted(path.name for path in Path("s/figures").iterdir()) == sorted(
        f"{name}-{kind}.png" for name in ("makespan", "p95_makespan") for kind in ("variants", "effects")
    )  # none of what is the same everywhere
    again = swept("--metric", "makespan")
    assert "(8 runs were on disk)" in again


def test_a_sweep_says_how_well_it_knows_what_it_was_to_know() -> None:
    """Of the variant that is known least; so that one can tell how many more runs it takes."""
    text = " ".join(
        swept("--metric", "makespan", "--until", "makespan ± 0.01 %, failed ± 1, p95_makespan ± 9 %").split()
    )
    said = re.search(
        r"NOT reached after 4 replications: \d+ are the least for such a quantile; known is (.*?) s:", text
    )
    assert said is not None, text
    known = re.fullmatch(r"makespan ± ([0-9.]+) %, failed ± 0", said[1])
    assert known is not None, said[1]
    table = pl.read_parquet("s/runs.parquet").partition_by("variant")
    halves = [
        stats.t.interval(0.95, 3, 0, stats.sem(part["makespan_s"]))[1] / part["makespan_s"].mean() for part in table
    ]
    assert float(known[1]) == pytest.approx(100 * max(halves), rel=0.06)


def test_json_is_all_of_it_and_nothing_else() -> None:
    found = json.loads(swept("--json", "--metric", "makespan"))
    assert found["finished"]["runs"] == 8
    assert [row["variant"] for row in found["measures"]] == ["attempts=1", "attempts=3"]
    values = pl.read_parquet("s/runs.parquet").group_by("variant", maintain_order=True).agg(pl.col("makespan_s").mean())
    assert [row["value"] for row in found["measures"]] == pytest.approx(values["makespan_s"].to_list())
    effects = found["effects"]["makespan"][0]
    assert effects["axis"] == "attempts"
    assert found["failures"] == []


def test_compare_says_differences_of_a_sweep_and_refuses_what_it_cannot() -> None:
    swept()
    text = said("compare", "s", "--metric", "makespan")
    assert "baseline" in text
    assert "paired by replication" in text
    found: list[dict[str, Any]] = json.loads(said("compare", "s", "--json", "--metric", "makespan"))
    (difference,) = found[0]["differences"]
    assert difference["variant"] == "attempts=3"
    assert difference["difference"]["low"] > 100.0  # two waits of a minute, and two more decisions
    assert Path("s/figures/makespan-differences.png").exists()
    other = json.loads(said("compare", "s", "--json", "--metric", "makespan", "--baseline", "attempts=3"))
    assert other[0]["differences"][0]["difference"]["value"] == pytest.approx(-difference["difference"]["value"])
    assert "did you mean 'attempts=3'" in issues("compare", "s", "--baseline", "attempts=33")[0]
    assert "is not a sweep's folder" in issues("compare", ".")[0]
    assert len(issues("compare", "s", "--metric", "x", "--metric", "y")) == 2
    assert all("is a sweep's folder" in issue for issue in issues("compare", "s", "s"))
    assert "are of a sweep" in issues("compare", "s", "s", "--metric", "makespan")[0]


def test_everything_wrong_with_a_sweep_is_said_at_once() -> None:
    found = issues("sweep", DEADLOCK, "--axis", "a=1..x", "--axis", "b", "--sample", "often", "--until", "soon",
                   "--warm-up", "long", "--metric", "speed")  # fmt: skip
    assert len(found) == 6
    for place in ("--axis a=1..x: ", "--axis b: ", "--sample: ", "--until: ", "--warm-up: ", "--metric: "):
        assert sum(issue.startswith(place) for issue in found) == 1
    both = issues("sweep", DEADLOCK, "--axis", "plan[empty].drain.atempts=1..3", "--sample", "often")
    assert len(both) == 2
    assert "did you mean 'attempts'" in both[1]
    assert not Path("results").exists()
    assert "no such file" in issues("sweep", "nowhere.yaml")[0].lower()
    assert "no run.duration" in issues("sweep", DEADLOCK, "--warm-up", "auto")[0]
    assert "no scheduler answers" in issues("sweep", DEADLOCK, "--dask", "nowhere")[0]
    assert not Path("results").exists()
    assert "needs" in issues("sweep", DEADLOCK, "--axis", "run.seed=1,2", "--axis", "run.duration=1 h,2 h,3 h",
                             "--sample", "list")[0]  # fmt: skip


def test_a_sweep_file_runs_and_the_command_line_adds_to_it() -> None:
    Path("sweep.yaml").write_text(
        f"scenario: {DEADLOCK}\nreplications: 2\nvariants: [{{}}, {{plan[empty].drain.concurrency: 1}}]\n"
    )
    with pytest.raises(InputError):  # a bracket in a flow mapping is a mistake of YAML, said with its line
        CliRunner().invoke(app, ["sweep", "sweep.yaml"], catch_exceptions=False)
    Path("sweep.yaml").write_text(
        f"scenario: {DEADLOCK}\nreplications: 2\nvariants:\n  - {{}}\n  - plan[empty].drain.concurrency: 1\n"
    )
    found = json.loads(said("sweep", "sweep.yaml", "--json", "--metric", "makespan", "--set", "run.seed=2", "-n", 3))
    assert [row["variant"] for row in found["measures"]] == ["as it is", "concurrency=1"]
    assert {row["n"] for row in found["measures"]} == {3}
    assert found["experiment"]["sets"] == ["run.seed=2"]


def test_a_sweep_with_failed_runs_ends_with_3_and_says_how_to_see_them(monkeypatch: pytest.MonkeyPatch) -> None:
    from sim.experiments.executors.inline import Inline

    def broken(*_: object) -> object:
        raise ZeroDivisionError("no luck")

    monkeypatch.setattr("sim.cli.sweep.make_executor", lambda *_: Inline())
    monkeypatch.setattr("sim.experiments.work.execute", broken)
    text = said("sweep", DEADLOCK, "-n", 2, "--out", "s", code=3)
    assert "2 runs failed:" in text
    assert "as it is, replication 1, run: ZeroDivisionError: no luck" in text
    assert "novasim run " in text
    assert "--seed " in text


# --- plans ------------------------------------------------------------------------------------------------------------


def test_plan_drain_answers_and_leaves_scenarios_that_run() -> None:
    fixed = ("--try", "method=live", "--try", "order=host", "--try", "bandwidth=0", "--try", "auto_converge=false")
    command = ("plan", "drain", SCENARIOS / "never_converges.yaml", *fixed, "--try", "concurrency=1,2", "-n", 2,
               "--budget", 60, "--workers", 1, "--out", "p")  # fmt: skip
    text = said(*command, "--goal", "failures = 0")
    # what pre-copy never ends, post-copy does, once the timeout forces it
    assert "best plan found: post_copy=true timeout_action=force_complete" in text
    assert "3 of 3 runs keep the goals" in text
    assert "what binds" in text
    assert sim.run("p/best.yaml").answer().moved == 2
    assert Path("p/frontier-1.yaml").exists()
    assert Path("p/frontier.png").stat().st_size > 5000
    assert pl.read_csv("p/plans.csv")["best"].sum() == 1
    found = json.loads(said(*command, "--goal", "failures = 0", "--json"))
    assert found["best"]["verdict"]["met"] is True
    never = said(*command, "--goal", "makespan < 1 s", code=1)
    assert "no plan found keeps the goals; the nearest: " in never
    assert "NOT kept: makespan < 1.00 s" in never
    stuck = said("plan", "drain", DEADLOCK, "--goal", "failures = 0", "--budget", 30, "--workers", 1, code=1)
    assert "1 server does not move: no plan found moves it" in stuck
    assert "etcd-2: No valid host was found." in stuck


def test_plan_drain_drains_hosts_that_are_named_and_says_all_that_is_wrong() -> None:
    lab = SCENARIOS / "teaching_lab_day.yaml"
    found = issues("plan", "drain", lab, "--step", "opening", "--goal", "makespan < 6", "--try", "speed=3")
    assert len(found) == 3
    tried = issues("plan", "drain", DEADLOCK, "--try", "order=fast,host", "--try", "method=live,hot")
    assert [issue.partition(":")[0] for issue in tried] == ["--try order", "--try method"]
    assert "name hosts to drain" in issues("plan", "drain", SCENARIOS / "failed_host_evacuation.yaml")[0]
    text = said("plan", "drain", SCENARIOS / "failed_host_evacuation.yaml", "--hosts", "node-2", "-n", 2, "--budget", 9,
                "--workers", 1)  # fmt: skip
    assert "best plan found" in text
    assert "the budget ended the search" in text


def test_plan_headroom_answers_and_replays() -> None:
    text = said("plan", "headroom", SCENARIOS / "rolling_reboot.yaml", "--out", "h")
    assert "any 5 hosts may fail at once" in text
    assert "21 of 21 servers evacuated" in text
    assert sim.run("h/breaking.yaml").answer().moved < 25
    found = json.loads(said("plan", "headroom", SCENARIOS / "rolling_reboot.yaml", "--json"))
    assert found["worst"]["proven"] == found["worst"]["at_most"] == 5
    assert {rack["rack"]: rack["fits"] for rack in found["racks"]} == {"r1": True, "r2": True}


def test_plan_capacity_answers_and_replays() -> None:
    asked = ["plan", "capacity", str(SCENARIOS / "rolling_reboot.yaml"), "--growth", "m.large=40/day", "-n", "3"]
    done = CliRunner().invoke(app, [*asked, "--out", "c", "--workers", "1"], catch_exceptions=False)
    assert "m.large" in done.stdout
    assert "medians of 3 runs" in done.stdout
    assert "the scenario's own plan is carried out too" in done.stderr  # else the room that is said would seem wrong
    assert sim.load("c/growth.yaml").workload[0].name == "growth-m.large"
    assert Path("c/full.png").stat().st_size > 5000
    found = json.loads(said("plan", "capacity", SCENARIOS / "rolling_reboot.yaml", "--growth", "m.large=40/day",
                            "-n", 3, "--out", "c", "--workers", 1, "--json"))  # fmt: skip
    assert found["flavors"][0]["fits"] == 87
    assert len(issues("plan", "capacity", DEADLOCK, "--growth", "m.smal=1/day, x", "--horizon", "far")) == 3
