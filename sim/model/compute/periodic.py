"""Periodic tasks of compute hosts as arithmetic: nothing is armed until there is something for a task to find."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sim.model.cloud import Cloud

DEFAULT_SPACING_S = 60.0
"""Spacing of a periodic task that asks for none (oslo.service)."""


class Periodic:
    """One kind of task, ``spacing_s`` apart on each host; None: it never runs."""

    def __init__(self, cloud: Cloud, name: str, spacing_s: float | None = DEFAULT_SPACING_S) -> None:
        self._cloud = cloud
        self._purpose = f"periodic.{name}"
        self._spacing_s = spacing_s if cloud.options["DEFAULT.periodic_enable"] else None
        self._phases: dict[int, float] = {}

    def next_run(self, host: int, after: float) -> float:
        """The first run on the host later than ``after``; inf if there is none."""
        if self._spacing_s is None:
            return math.inf
        phase = self._phases.get(host)
        if phase is None:
            luck = self._cloud.streams.uniform(self._purpose, self._cloud.hosts.names[host])
            phase = self._phases[host] = luck * self._spacing_s
        run = phase + (math.floor((after - phase) / self._spacing_s) + 1) * self._spacing_s
        return run if run > after else run + self._spacing_s


def spacing(option: int) -> float | None:
    """What Nova's option for a spacing means: 0 is the default one, below 0 is never."""
    if option < 0:
        return None
    return float(option) or DEFAULT_SPACING_S
