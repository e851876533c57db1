"""The live line: seen on a terminal, quiet elsewhere; its guess of the end is right where the pace is even."""

from __future__ import annotations

import json
import os
import pty
import re
import select
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from sim.cli.live import Pace
from sim.runs.simulation import Progress

ROOT = Path(__file__).parents[2]
NOVASIM = Path(sys.executable).with_name("novasim")
ENDLESS = ROOT / "tests" / "runs" / "endless.yaml"


def progress(wall: float, **more: float) -> Progress:
    values: dict[str, Any] = {
        "now_s": 0.0, "under_way": 0, "done": 0, "failed": 0, "asked": 0, "settled": 0, "waiting": 0,
    }  # fmt: skip
    return Progress(**(values | more), events_per_s=1000.0, wall_s=wall)


def seen(pace: Pace, *looks: Progress) -> Pace:
    for look in looks:
        pace.see(look)
    return pace


# --- the guess -------------------------------------------------------------------------------------------------------


def test_an_even_pace_gives_the_exact_end() -> None:
    """Ten servers a second: of 200, 70 are left after 13 s, for 7 s."""
    pace = seen(Pace(None), *(progress(float(t), asked=200, settled=10 * t) for t in range(1, 14)))
    assert pace.left_s() == pytest.approx((7.0, 7.0))
    assert pace.line().endswith("about 7 s to go")


def test_a_pace_that_falls_gives_a_span() -> None:
    """100 in the first 10 s, then 1 a second: all along it is 110 in 20 s, lately 10 in 10 s; 90 are left."""
    fast = [progress(float(t), asked=200, settled=10 * t) for t in range(1, 11)]
    slow = [progress(10.0 + t, asked=200, settled=100 + t) for t in range(1, 11)]
    low, high = seen(Pace(None), *fast, *slow).left_s() or (0.0, 0.0)
    assert low == pytest.approx(90 * 20 / 110)
    assert high == pytest.approx(90 * 10 / 10)


def test_a_run_of_fixed_length_is_guessed_by_its_clock() -> None:
    pace = seen(Pace(3600.0), *(progress(float(t), now_s=100.0 * t) for t in range(1, 19)))
    assert pace.left_s() == pytest.approx((18.0, 18.0))


def test_steps_that_have_not_begun_make_it_a_least() -> None:
    pace = seen(Pace(None), *(progress(float(t), asked=20, settled=t, waiting=2) for t in range(1, 11)))
    assert pace.line().endswith("at least 10 s to go, and 2 steps of the plan to begin")


def test_nobody_can_tell_at_first_or_without_a_goal() -> None:
    assert seen(Pace(None), progress(1.0, asked=10, settled=5)).left_s() is None
    assert seen(Pace(None), progress(60.0)).left_s() is None
    assert seen(Pace(None), progress(60.0)).line().endswith("after 60.0 s")


def test_events_per_second_are_those_of_late() -> None:
    """100 000 events in the first 20 s, 1 000 a second after that."""
    pace = Pace(None)
    for t in range(1, 41):
        events = 5000.0 * min(t, 20) + 1000.0 * max(t - 20, 0)
        pace.see(progress(float(t))._replace(events_per_s=events / t))
    assert pace.events_per_s == pytest.approx(1000.0)


# --- on a terminal ---------------------------------------------------------------------------------------------------


def on_terminal(arguments: list[str], cwd: Path, until: str = "") -> tuple[str, int, str]:
    """Run with standard error on a terminal; ctrl-C when it says ``until``. What it saw, exit code, output."""
    master, slave = pty.openpty()
    env = {**os.environ, "TERM": "xterm", "COLUMNS": "200"}
    process = subprocess.Popen([NOVASIM, *arguments], cwd=cwd, stderr=slave, stdout=subprocess.PIPE, env=env, text=True)
    os.close(slave)
    said = b""
    patience, interrupted = time.monotonic() + 60.0, not until
    while True:
        ready, _, _ = select.select([master], [], [], 0.1)
        try:
            said += os.read(master, 65536) if ready else b""
        except OSError:  # the other end is closed
            break
        if not interrupted and (until.encode() in said or time.monotonic() > patience):
            process.send_signal(signal.SIGINT)
            interrupted = True
    output = process.communicate(timeout=60)[0] or ""
    os.close(master)
    return said.decode(errors="replace"), process.returncode, output


def test_a_terminal_sees_where_the_run_stands_and_ctrl_c_keeps_it(tmp_path: Path) -> None:
    said, code, out = on_terminal(["run", str(ENDLESS), "--out", "kept"], tmp_path, "to go")
    assert re.search(r"simulated .* under way [\d,]+ +done [\d,]+ +failed [\d,]+ +[\d,]+ events/s", said), said
    assert "to go" in said
    assert "interrupted" in said
    assert code == 130
    assert "PARTIAL" in out
    assert json.loads((tmp_path / "kept" / "manifest.json").read_text())["partial"] is True


def test_json_is_quiet_even_on_a_terminal(tmp_path: Path) -> None:
    scenario = ROOT / "scenarios" / "retries_exhausted.yaml"
    said, code, out = on_terminal(["run", str(scenario), "--out", "kept", "--json"], tmp_path)
    assert (said, code) == ("", 0)
    assert json.loads(out)["answer"]["failed"] == 2


def test_without_a_terminal_nothing_is_said_but_the_answer(tmp_path: Path) -> None:
    scenario = ROOT / "scenarios" / "retries_exhausted.yaml"
    done = subprocess.run(
        [NOVASIM, "run", scenario, "--out", "kept"], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert done.stderr == ""
    assert "\x1b" not in done.stdout
