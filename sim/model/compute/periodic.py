"""Periodic tasks of compute hosts as arithmetic: nothing is armed until there is something for a task to find."""

from __future__ import annotations

import math
from collections.abc import Callable, Generator
from typing import TYPE_CHECKING, Any

from simpy.events import Event

from sim.model.host import UP
from sim.model.server import Server

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


class Limit:
    """Servers may be in ``vm_state`` for ``limit_s`` (0 or less: for ever); then a task of their host finds them.

    What it does is ``act``; it is done with servers that nobody else is at, from a host that is up.
    """

    def __init__(
        self, cloud: Cloud, polls: Periodic, vm_state: str, limit_s: float, act: Callable[[Server], None]
    ) -> None:  # fmt: skip
        self._cloud, self._polls, self._vm_state, self._limit_s, self._act = cloud, polls, vm_state, limit_s, act
        self._since: dict[str, float] = {}
        """Since when servers have been in that state."""

    def begins(self, server: Server, since: float) -> None:
        """The server is in that state since then."""
        if self._limit_s > 0 and server.host is not None:
            self._since[server.name] = since
            due = self._polls.next_run(server.host, max(since + self._limit_s, self._cloud.env.now))
            if due < math.inf:
                self._cloud.env.process(self._poll(server, server.host, since, due))

    def _poll(self, server: Server, host: int, since: float, due: float) -> Generator[Event, Any, None]:
        """Look at each run of the task from the first after the limit, as long as the server stays so."""
        cloud = self._cloud
        while due < math.inf:
            yield cloud.env.timeout(due - cloud.env.now)
            stays = server.vm_state == self._vm_state and server.host == host and not server.deleted
            if not stays or self._since[server.name] != since:
                return
            if server.task_state is None and cloud.hosts.power[host] == UP:
                self._act(server)
                return
            due = self._polls.next_run(host, cloud.env.now)


def spacing(option: int) -> float | None:
    """What Nova's option for a spacing means: 0 is the default one, below 0 is never."""
    if option < 0:
        return None
    return float(option) or DEFAULT_SPACING_S
