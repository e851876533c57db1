"""``make bench``: how fast, how big, how it grows, and the floor under it, all measured in one run.

Each workload runs in a process of its own, so that its memory is its own. Checkers are off while it runs; what they and
the digest cost afterwards is told beside. Seconds are of CPU time; of a drain the least of some runs, for all that
happens beside a run's own work makes it longer. Nothing here asserts a time: machines differ and are noisy, so read the
ratios.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np

_HERE = Path(__file__).parent
DRAINS = ((100, 1000, 10), (1000, 10_000, 100), (5000, 50_000, 500), (10_000, 100_000, 1000))
OTHERS = (
    ("rolling", (10_000, 100_000, 10_000)), ("rack", (10_000, 100_000, 40)), ("churn", (1000, 100_000, 0)),
    ("idle", (100_000, 1_000_000, 0)),
)  # fmt: skip
_HEAD = ("workload", "build s", "run s", "ops", "ops/s", "µs/op", "events/op", "records/op", "records %", "RSS MiB",
         "× timeout", "× process", "laws %", "digest %")  # fmt: skip
_FORM = "{:<30}{:>9}{:>9}{:>9}{:>9}{:>8}{:>11}{:>12}{:>11}{:>9}{:>11}{:>11}{:>8}{:>10}"
RECORDS = 10_000_000
RUNS = 3
"""Of each drain."""


def _ask(kind: str, shape: tuple[int, ...], *more: str) -> dict[str, Any]:
    command = [sys.executable, str(_HERE / "measure.py"), kind, ",".join(map(str, shape)), *more]
    found: dict[str, Any] = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    return found


def _row(kind: str, shape: tuple[int, ...], found: dict[str, Any]) -> None:
    """Costs of an operation also as multiples of a bare timeout and of a bare process."""
    name = f"{'W' if kind == 'drain' else kind}{shape}"
    operations = found["operations"]
    if not operations:
        print(_FORM.format(name, f"{found['build_s']:.2f}", f"{found['run_s']:.4f}", 0, "", "", "", "", "",
                           f"{found['rss_mib']:.0f}", "", "", "", ""), flush=True)  # fmt: skip
        return
    cost = found["run_s"] / operations
    print(
        _FORM.format(
            name, f"{found['build_s']:.2f}", f"{found['run_s']:.2f}", operations, f"{1 / cost:,.0f}",
            f"{1e6 * cost:.0f}",
            f"{found['events']:.1f}", f"{found['records']:.1f}", f"{100 * found['records_us'] / (1e6 * cost):.0f}",
            f"{found['rss_mib']:.0f}", f"{cost * found['timeouts']:.0f}", f"{cost * found['processes']:.0f}",
            f"{100 * found['laws_s'] / found['run_s']:.0f}", f"{100 * found['digest_s'] / found['run_s']:.0f}",
        ),
        flush=True,
    )  # fmt: skip


def main() -> None:
    """The table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="only the two small drains")
    quick = parser.parse_args().quick
    print(_FORM.format(*_HEAD))
    sizes, times, last, spread = [], [], {}, 1.0
    for shape in DRAINS[:2] if quick else DRAINS:
        runs = sorted((_ask("drain", shape) for _ in range(RUNS)), key=lambda found: float(found["run_s"]))
        last = runs[0]
        spread = max(spread, runs[-1]["run_s"] / last["run_s"])
        _row("drain", shape, last)
        sizes.append(shape[1])
        times.append(last["run_s"])
    for kind, shape in () if quick else OTHERS:
        _row(kind, shape, _ask(kind, shape))
    exponent = np.polyfit(np.log(sizes), np.log(times), 1)[0]
    shape = DRAINS[1] if quick else DRAINS[3]
    print(f"\ndrains: least of {RUNS} runs, of which the longest took up to {100 * (spread - 1):.0f} % more")
    print(f"run time of the drains grows as V^{exponent:.2f} (V/H = 10, D/H = 0.1)")
    print(f"floor: {last['timeouts']:,.0f} bare SimPy timeouts/s (1000 pending), {last['processes']:,.0f} bare "
          f"processes/s, a bare numpy decision over {shape[0]} hosts {last['decision_us']:.0f} µs")  # fmt: skip
    if not quick:
        told = subprocess.run([sys.executable, str(_HERE / "decision.py")], check=True, capture_output=True, text=True)
        print("\n" + told.stdout)
        kept = _ask("table", (RECORDS,))
        print(f"a table of {RECORDS:,} records: written in {kept['write_s']:.1f} s, opened in "
              f"{1e3 * kept['open_s']:.1f} ms, one server's {kept['found']:,} rows found in {kept['ask_s']:.2f} s of "
              f"wall time, {kept['rss_mib']:.0f} MiB at most\n")  # fmt: skip
    shares = _ask("drain", shape, "--stages")
    cost = 1e6 * last["run_s"] / last["operations"]
    told = "  ".join(f"{name} {share * cost:.0f}" for name, share in shares.items())
    print(f"µs per operation of W{shape} by stage (shares of a profile, times the cost above): {told}")
    print(f"records: {last['records_us']:.0f} µs per operation to make and keep (within the stages that write them)")


if __name__ == "__main__":
    main()
