"""What the bare libraries can do on this machine, in the same process and minute: the floor under every figure."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import simpy


def _rate(step: Callable[[], int], seconds: float) -> float:
    """The best of five goes of so many seconds of CPU time together."""
    best = 0.0
    for _ in range(5):
        count, started = 0, time.process_time()
        while time.process_time() - started < seconds / 5:
            count += step()
        best = max(best, count / (time.process_time() - started))
    return best


def timeouts(pending: int = 1000, seconds: float = 0.4) -> float:
    """Bare SimPy timeouts per second with so many pending."""
    env = simpy.Environment()

    def clock() -> Any:
        while True:
            yield env.timeout(1)

    for _ in range(pending):
        env.process(clock())

    def step() -> int:
        for _ in range(1000):
            env.step()
        return 1000

    return _rate(step, seconds)


def processes(seconds: float = 0.4) -> float:
    """Bare SimPy processes of one timeout each, per second."""

    def one(env: simpy.Environment) -> Any:
        yield env.timeout(1)

    def step() -> int:
        env = simpy.Environment()
        for _ in range(1000):
            env.process(one(env))
        env.run()
        return 1000

    return _rate(step, seconds)


def decision_us(hosts: int, seconds: float = 0.3) -> float:
    """Microseconds of a bare numpy decision: three columns filtered, two weighed, the best taken."""
    rng = np.random.default_rng(1)
    free = rng.integers(0, 300, (3, hosts))
    weights = rng.random((2, hosts))

    def step() -> int:
        mask = (free[0] >= 4) & (free[1] >= 16) & (free[2] >= 0)
        total = weights[0] + weights[1]
        np.where(mask, total, -1.0).argmax()
        return 1

    return 1e6 / _rate(step, seconds)
