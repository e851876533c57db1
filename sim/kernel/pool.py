"""Worker pools: first come, first served, each step O(1) however long the queue.

SimPy's own resources scan their queue when a waiter gives up; with 20 000 waiting that dominates a run.
"""

from __future__ import annotations

from collections import OrderedDict

from simpy import Environment, Event


class Pool:
    """``capacity`` workers; 0 is without limit.

    ``waiting = pool.acquire()`` is None when a worker was free, else an event to wait for. Who was admitted calls
    :meth:`release` once; who waits no longer (an interrupted process) calls :meth:`cancel` instead.
    """

    def __init__(self, env: Environment, capacity: int) -> None:
        if capacity < 0:
            raise ValueError(f"capacity {capacity} must not be negative; 0 is without limit")
        self._env = env
        self.capacity = capacity
        self.busy = 0
        """Workers at work."""
        self._queue: OrderedDict[Event, None] = OrderedDict()

    @property
    def queued(self) -> int:
        """How many wait."""
        return len(self._queue)

    def acquire(self) -> Event | None:
        """Take a worker: None if at once, else the event that succeeds when one is free (it is then taken)."""
        if self.capacity == 0 or self.busy < self.capacity:
            self.busy += 1
            return None
        event = self._env.event()
        self._queue[event] = None
        return event

    def release(self) -> None:
        """Give the worker back; the first in the queue has it at this very moment."""
        if self.busy <= 0:
            raise ValueError("released a worker that was not taken")
        if self._queue:
            event, _ = self._queue.popitem(last=False)
            event.succeed()
        else:
            self.busy -= 1

    def cancel(self, event: Event) -> None:
        """Leave the queue; a worker that was granted in the same moment goes back to the pool."""
        if event in self._queue:
            del self._queue[event]
        else:
            self.release()
