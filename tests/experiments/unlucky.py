"""Measurements that go wrong: for tests of what becomes of a run that fails, or of the process it runs in."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from sim.runs.result import Result

MARK = "NOVASIM_TEST_MARK"


def fail_odd_seeds(result: Result) -> dict[str, float]:
    """Raises for every odd seed."""
    if result.seed % 2:
        raise ZeroDivisionError(f"seed {result.seed} is odd")
    return {"half": result.seed / 2}


def die_with_odd_seeds(result: Result) -> dict[str, float]:
    """Kills its process for every odd seed."""
    if result.seed % 2:
        os.kill(os.getpid(), signal.SIGKILL)
    return {}


def die_once(result: Result) -> dict[str, float]:
    """Kills its process the first time, of all processes together."""
    try:
        Path(os.environ[MARK]).touch(exist_ok=False)
    except FileExistsError:
        return {}
    os.kill(os.getpid(), signal.SIGKILL)
    return {}
