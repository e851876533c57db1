"""W(H, V, D): H hosts, V servers, D hosts drained by live migration. Prints build s, run s, migrations/s, peak RSS, growth.

Hosts have 64 cores, 256 GiB and 10 Gbit/s; servers 4 cores and 16 GiB, spread evenly; one outgoing migration per source
host at a time; the whole pipeline of door, conductor, scheduler, placement, pre-copy and shared links; checkers off.
Each case runs in a process of its own, so that its memory is its own. The floor is bare SimPy, measured in the same run.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
from typing import Any

import numpy as np

CASES = ((100, 1000, 10), (1000, 10_000, 100), (5000, 50_000, 500), (10_000, 100_000, 1000))


def scenario(hosts: int, servers: int, drained: int) -> Any:
    """The workload W of the design as a scenario."""
    from sim.scenario.spec import Scenario

    width = len(str(hosts))
    name = f"h{{n:{1:0{width}d}-{hosts}}}"
    plan = []
    if drained:
        source = f"h{{n:{1:0{width}d}-{drained:0{width}d}}}"
        plan = [{"drain": {"hosts": [source], "method": "live", "concurrency": drained, "per_host": 1}}]
    return Scenario.model_validate(
        {
            "name": f"w-{hosts}-{servers}-{drained}",
            "cloud": {
                "hosts": [
                    {"name": name, "rack_size": 40, "vcpus": 64, "memory": "256 GiB", "disk": "4 TB",
                     "nic": "10 Gbit/s"}
                ],
                "flavors": [{"name": "m", "vcpus": 4, "memory": "16 GiB", "disk": "40 GiB"}],
                "servers": [{"name": f"s{{n:1-{servers}}}", "flavor": "m", "hosts": [name], "boot_from": "volume"}],
                "storage": {"instances": "shared"},
            },
            "plan": plan,
        }
    )  # fmt: skip


def floor(seconds: float = 0.5) -> float:
    """Bare SimPy timeouts per wall second."""
    import simpy

    env = simpy.Environment()

    def clock() -> Any:
        while True:
            yield env.timeout(1)

    env.process(clock())
    count, started = 0, time.perf_counter()
    while time.perf_counter() - started < seconds:
        for _ in range(1000):
            env.step()
        count += 1000
    return count / (time.perf_counter() - started)


def measure(hosts: int, servers: int, drained: int) -> dict[str, float]:
    """One case, in this process."""
    from sim.eventlog import records
    from sim.runs.simulation import Simulation

    spec = scenario(hosts, servers, drained)
    started = time.perf_counter()
    simulation = Simulation(spec, seed=1)
    built = time.perf_counter()
    simulation.advance(finished=True)
    ended = time.perf_counter()
    log = simulation.log.records
    moved = sum(1 for r in log if isinstance(r, records.MigrationState) and r.status == "completed")
    return {
        "build_s": built - started,
        "run_s": ended - built,
        "moved": moved,
        "events": simulation.events,
        "records": len(log),
        "simulated_s": simulation.env.now,
        "rss_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "floor": floor(),
    }


def main() -> None:
    """All cases, each in a child process."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--case", help="H,V,D: measure this one here and print JSON")
    parser.add_argument("--quick", action="store_true", help="only the two small cases")
    arguments = parser.parse_args()
    if arguments.case:
        print(json.dumps(measure(*map(int, arguments.case.split(",")))))
        return
    head = ("W(H, V, D)", "build s", "run s", "moved", "migr/s", "events/migr", "records/migr", "µs/migr",
            "SimPy floor/s", "RSS MiB")  # fmt: skip
    print("{:<22}{:>9}{:>9}{:>9}{:>9}{:>13}{:>14}{:>9}{:>15}{:>9}".format(*head))
    sizes, times = [], []
    for case in CASES[:2] if arguments.quick else CASES:
        command = [sys.executable, __file__, "--case", ",".join(map(str, case))]
        found = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
        moved = max(found["moved"], 1)
        sizes.append(case[1])
        times.append(found["run_s"])
        print(
            f"W{case!s:<21}{found['build_s']:>9.2f}{found['run_s']:>9.2f}{found['moved']:>9.0f}"
            f"{moved / found['run_s']:>9.0f}{found['events'] / moved:>13.1f}{found['records'] / moved:>14.1f}"
            f"{1e6 * found['run_s'] / moved:>9.0f}{found['floor']:>15,.0f}{found['rss_mib']:>9.0f}",
            flush=True,
        )
    exponent = np.polyfit(np.log(sizes), np.log(times), 1)[0]
    print(f"run time grows as V^{exponent:.2f} (V/H = 10, D/H = 0.1)")


if __name__ == "__main__":
    main()
