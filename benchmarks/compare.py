"""``make bench-compare BASE=REV``: this tree against another commit, in pairs, as ratios with their spread.

Both sides run in turns, so that what else the machine does falls on both. A ratio below 1: this tree is faster.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

_ROOT = Path(__file__).parents[1]
_WORKLOADS = (("drain", "1000,10000,100"), ("drain", "10000,100000,1000"), ("churn", "200,5000,0"))


def _measure(tree: Path, kind: str, shape: str) -> dict[str, float]:
    """The other commit is measured by this commit's script: its own package, our workload."""
    command = [sys.executable, str(_ROOT / "benchmarks" / "measure.py"), kind, shape]
    environment = {**os.environ, "PYTHONPATH": str(tree)}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=tree, check=True)
    found: dict[str, float] = json.loads(done.stdout)
    return found


def main() -> None:
    """Print a line for each workload."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("base", help="commit to compare with")
    parser.add_argument("--pairs", type=int, default=7)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        base = Path(folder) / "base"
        subprocess.run(["git", "worktree", "add", "--detach", str(base), arguments.base], cwd=_ROOT, check=True,
                       capture_output=True)  # fmt: skip
        try:
            print(f"{'workload':<28}{'build':>8}{'run':>8}  spread of run (quartiles)   digests")
            for kind, shape in _WORKLOADS:
                pairs = [(_measure(base, kind, shape), _measure(_ROOT, kind, shape)) for _ in range(arguments.pairs)]
                ratios = {key: sorted(new[key] / old[key] for old, new in pairs) for key in ("build_s", "run_s")}
                low, middle, high = statistics.quantiles(ratios["run_s"], n=4)
                same = "equal" if all(new["digest"] == old["digest"] for old, new in pairs) else "DIFFER"
                build = statistics.median(ratios["build_s"])
                print(f"{kind + ' ' + shape:<28}{build:>8.2f}{middle:>8.2f}  {low:.2f} … {high:.2f}{'':>17}{same}")
        finally:
            subprocess.run(["git", "worktree", "remove", "--force", str(base)], cwd=_ROOT, check=False)


if __name__ == "__main__":
    main()
