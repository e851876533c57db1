"""A semaphore on each compute host: so many at once, the others wait for their turn."""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING, Any

from simpy.events import Event

from sim.eventlog import records
from sim.kernel.pool import Pool
from sim.model.server import Server

if TYPE_CHECKING:
    from sim.model.cloud import Cloud


class HostSlots:
    """``at_once`` on each host, 0 without limit. The records name the queue ``queue:HOST``."""

    def __init__(self, cloud: Cloud, at_once: int, queue: str) -> None:
        self._cloud, self._at_once, self._queue = cloud, at_once, queue
        self._slots: dict[int, tuple[int, Pool]] = {}
        """Host → (its boot, its semaphore)."""

    def enter(self, host: int, server: Server, request: str) -> Generator[Event, Any, Pool]:
        """Wait for a turn on the host. Who has it releases the pool."""
        cloud, slots = self._cloud, self._of(host)
        waiting = slots.acquire()
        if waiting is not None:
            began = cloud.env.now
            yield waiting
            queue = f"{self._queue}:{cloud.hosts.names[host]}"
            cloud.log.append(records.Waited(cloud.env.now, queue, server.name, request, began))
        return slots

    def _of(self, host: int) -> Pool:
        """The host's semaphore; a new one after each crash."""
        boot = self._cloud.hosts.crashes[host]
        found = self._slots.get(host)
        if found is None or found[0] != boot:
            found = self._slots[host] = (boot, Pool(self._cloud.env, self._at_once))
        return found[1]
