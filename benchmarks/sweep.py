"""Many runs: replications of a 100-host drain, W(100, 1000, 10) of workloads.py, with checkers, kept one by one.

Prints for 1, 2, … processes: wall time, runs/s, speed-up, and what the driver and its workers hold; then whether that
grows with the number of runs. The speed-up is between processes that are warm (each has made a run before). Beside it
stands what the machine itself gave to as many bare loops right after: a machine that others use gives less than its
cores.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from contextlib import closing
from dataclasses import replace
from pathlib import Path

from workloads import drain

from sim.experiments.driver import Driver
from sim.experiments.executors.processes import Processes
from sim.experiments.experiment import Experiment, experiment
from sim.experiments.store import Store
from sim.scenario.loader import dump


def _spin(count: int) -> float:
    """Wall seconds of a loop that needs nothing but a core."""
    started = time.perf_counter()
    total = 0
    for number in range(count):
        total += number * number
    return time.perf_counter() - started


def machine_speed_up(processes: int) -> float:
    """What the machine itself gives to so many processes at this moment, against one."""
    count = 3_000_000
    with ProcessPoolExecutor(processes) as pool:
        list(pool.map(_spin, [1000] * processes))
        alone = pool.submit(_spin, count).result()
        return processes * alone / max(pool.map(_spin, [count] * processes))


def rss_mib(pid: int) -> float:
    """Resident memory of a process."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGESIZE") / 2**20


def measure(made: Experiment, processes: int, folder: Path) -> dict[str, float]:
    """All runs of the experiment on so many processes."""
    with closing(Processes(processes)) as executor:
        with Store(folder / "warm") as store:
            Driver(replace(made, replications=2 * processes, seed=99), store, executor).run()
        workers = executor.pids
        with Store(folder / "runs") as store:
            driver = Driver(made, store, executor)
            started, used = time.perf_counter(), time.process_time()
            finished = driver.run()
            wall, own = time.perf_counter() - started, time.process_time() - used
            cpu = sum(outcome.wall_s for outcome in driver.outcomes(made.replications)) / finished.runs
        if finished.failed:
            raise SystemExit(f"{finished.failed} runs failed, the first of them: {next(driver.outcomes(1)).error}")
        return {
            "wall_s": wall, "cpu_s": cpu, "own_s": own / finished.runs, "machine": machine_speed_up(processes),
            "driver_mib": rss_mib(os.getpid()), "worker_mib": max(map(rss_mib, workers)),
        }  # fmt: skip


def main() -> None:
    """The table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=1000)
    parser.add_argument("--processes", type=int, nargs="+", default=[1, 2])
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        file = Path(temporary) / "w.yaml"
        file.write_text(dump(drain(100, 1000, 10)), encoding="utf-8")
        made = experiment(file, replications=arguments.runs)
        head = ("processes", "runs", "wall s", "runs/s", "speed-up", "machine's", "worker ms/run", "driver ms/run",
                "driver MiB", "worker MiB")  # fmt: skip
        print("{:>9}{:>8}{:>9}{:>9}{:>10}{:>11}{:>15}{:>15}{:>12}{:>12}".format(*head))
        first = 0.0
        for count in arguments.processes:
            found = measure(made, count, Path(temporary) / str(count))
            rate = arguments.runs / found["wall_s"]
            first = first or rate
            print(
                f"{count:>9}{arguments.runs:>8}{found['wall_s']:>9.1f}{rate:>9.1f}{rate / first:>10.2f}"
                f"{found['machine']:>11.2f}{1000 * found['cpu_s']:>15.1f}{1000 * found['own_s']:>15.2f}"
                f"{found['driver_mib']:>12.1f}{found['worker_mib']:>12.1f}",
                flush=True,
            )
        few = measure(
            replace(made, replications=max(arguments.runs // 10, 1)), arguments.processes[-1], Path(temporary) / "few"
        )
        grown = {name: found[f"{name}_mib"] - few[f"{name}_mib"] for name in ("driver", "worker")}
        print(f"ten times the runs: the driver holds {grown['driver']:+.1f} MiB, a worker {grown['worker']:+.1f} MiB")


if __name__ == "__main__":
    main()
