"""Measures one workload in this process and prints it as JSON: ``python benchmarks/measure.py KIND H,V,D``.

``table`` in the place of a workload: H records as a run writes them, opened and asked. Seconds are of CPU time, as
everything here is one thread.
"""

from __future__ import annotations

import cProfile
import json
import pstats
import resource
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

import floors
import workloads

_STAGES = {
    "api": ("sim/model/api",), "scheduler": ("sim/model/scheduler", "sim/model/placement", "sim/model/journal"),
    "conductor": ("sim/model/conductor", "sim/model/compute", "sim/model/stages", "sim/model/operators",
                  "sim/model/database", "sim/model/cloud", "sim/kernel"),
    "network": ("sim/model/network", "sim/model/migration"), "simpy": ("simpy/",),
}  # fmt: skip
"""Where the code of each stage lives."""


def measure(kind: str, shape: workloads.Shape) -> dict[str, Any]:
    """Build it, run it, count what happened."""
    from sim.eventlog import records
    from sim.runs.checkers import check
    from sim.runs.simulation import Simulation

    spec = workloads.MAKE[kind](*shape)
    started = time.process_time()
    simulation = Simulation(spec, seed=1)
    built = time.process_time()
    simulation.advance(finished=spec.run.duration is None, deadline=spec.run.duration)
    ended = time.process_time()
    memory = _memory_mib()
    log = simulation.log.records
    counted = Counter(type(record) for record in log)
    operations = counted[records.ActionStarted] or 1
    writing, looked = _writing_s(log), time.process_time()
    check(log)
    checked = time.process_time()
    digest = simulation.log.digest()
    return {
        "build_s": built - started, "run_s": ended - built, "operations": counted[records.ActionStarted],
        "events": simulation.events / operations, "records": len(log) / operations,
        "records_us": 1e6 * writing / operations, "simulated_s": simulation.env.now, "rss_mib": memory,
        "laws_s": checked - looked, "digest_s": time.process_time() - checked, "digest": digest[:12],
        "timeouts": floors.timeouts(), "processes": floors.processes(), "decision_us": floors.decision_us(shape[0]),
    }  # fmt: skip


def _memory_mib() -> float:
    """Most that this process ever had."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def table(count: int) -> dict[str, Any]:
    """So many steps written, as at the end of a run; then their table opened, and one server's steps asked for."""
    import polars as pl

    from sim.eventlog import records, storage

    with tempfile.TemporaryDirectory() as folder:
        writer = storage.RecordWriter(folder)
        names = [f"s{number}" for number in range(10_000)]
        began = time.process_time()
        for number in range(count):
            at = number * 1e-3
            writer.append(records.Step(at, names[number % 10_000], "req-1", "copy", "h1", at - 1.0, "done"))
        writer.close()
        written, walled = time.process_time(), time.perf_counter()
        steps = storage.scan(folder, records.Step)
        opened = time.perf_counter()
        found = steps.filter(pl.col("server") == "s77").select("t").collect().height
        asked = time.perf_counter()
    return {
        "records": count, "write_s": written - began, "open_s": opened - walled, "ask_s": asked - opened,
        "found": found, "rss_mib": _memory_mib(),
    }  # fmt: skip


def _writing_s(log: list[Any]) -> float:
    """How long it takes to make these records once more and put them into a list."""
    fields = [(type(record), tuple(getattr(record, f) for f in record.__struct_fields__)) for record in log[-200_000:]]
    kept: list[Any] = []
    append = kept.append
    started = time.process_time()
    for kind, values in fields:
        append(kind(*values))
    return (time.process_time() - started) * len(log) / max(len(fields), 1)


def stages(kind: str, shape: workloads.Shape) -> dict[str, float]:
    """Share of each stage in the run, by a profile of a run of this shape."""
    from sim.runs.simulation import Simulation

    simulation = Simulation(workloads.MAKE[kind](*shape), seed=1)
    profile = cProfile.Profile()
    profile.enable()
    simulation.advance(finished=True)
    profile.disable()
    found: Counter[str] = Counter()
    rows: dict[Any, Any] = vars(pstats.Stats(profile))["stats"]
    for (file, _, _), (_, _, own, _, _) in rows.items():
        path = file.replace("\\", "/")
        stage = next((name for name, places in _STAGES.items() if any(place in path for place in places)), "other")
        found[stage] += own
    total = sum(found.values()) or 1.0
    return {name: found[name] / total for name in (*_STAGES, "other")}


def main() -> None:
    """What the command line names."""
    kind, shape = sys.argv[1], tuple(map(int, sys.argv[2].split(",")))
    if kind == "table":
        print(json.dumps(table(shape[0])))
        return
    assert len(shape) == 3
    print(json.dumps(stages(kind, shape) if "--stages" in sys.argv else measure(kind, shape)))


if __name__ == "__main__":
    main()
