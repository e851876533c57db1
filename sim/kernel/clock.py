"""The clock of a run: SimPy's environment, made for millions of events."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from typing import Any

import simpy


class _Now:
    """Where the clock keeps its time."""

    __slots__ = ("_now",)


class Clock(_Now, simpy.Environment):
    """A SimPy environment. Its ``now`` is read a hundred times an operation, so it is a slot, not a property."""

    now: float = vars(_Now)["_now"]

    def __init__(self, initial_time: float = 0.0) -> None:
        super().__init__(initial_time)
        for name in ("event", "process", "timeout"):  # SimPy does it for its own class only
            setattr(self, name, getattr(self, name))

    def advance(self, count: int, deadline: float, over: Callable[[], bool]) -> int:
        """Let at most ``count`` events happen, none after ``deadline``, none once ``over``. Returns how many did."""
        queue: Any = self._queue
        for done in range(count):
            if not queue or queue[0][0] > deadline or over():
                return done
            # SimPy's own step, without a call for each of millions of events
            self.now, _, _, event = heapq.heappop(queue)
            callbacks, event.callbacks = event.callbacks, None
            for callback in callbacks:
                callback(event)
            if not event._ok and not event.defused:
                raise event.value
        return count
