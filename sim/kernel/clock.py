"""The clock of a run: SimPy's environment, made for millions of events."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from functools import partial
from typing import Any, Protocol

import simpy
from simpy.events import NORMAL


class Work(Protocol):
    """What goes on by this clock."""

    under_way: int
    """Operations that have begun and not ended."""


class _Now:
    """Where the clock keeps its time."""

    __slots__ = ("_now",)


class Timeout(simpy.Timeout):
    """SimPy's as one small object, put into the queue at once: of a drain's objects it is the commonest."""

    __slots__ = ("_delay", "_ok", "_value", "callbacks", "env")

    def __init__(self, env: Clock, delay: float, value: Any = None) -> None:
        if delay < 0:
            raise ValueError(f"a delay must not be negative, not {delay}")
        self.env, self.callbacks, self._value, self._delay, self._ok = env, [], value, delay, True
        heapq.heappush(env._queue, (env.now + delay, NORMAL, next(env._eid), self))


class Clock(_Now, simpy.Environment):
    """A SimPy environment. Its ``now`` is read a hundred times an operation, so it is a slot, not a property."""

    now: float = vars(_Now)["_now"]

    def __init__(self, initial_time: float = 0.0) -> None:
        super().__init__(initial_time)
        for name, kind in {"event": simpy.Event, "process": simpy.Process, "timeout": Timeout}.items():
            setattr(self, name, partial(kind, self))  # SimPy binds its own for its own class only

    def advance(self, count: int, deadline: float, work: Work | None, over: Callable[[], bool]) -> int:
        """Let at most ``count`` events happen, none after ``deadline``, none once ``over``. Returns how many did.

        While ``work`` is under way it is not over, so that nobody asks.
        """
        queue: Any = self._queue
        for done in range(count):
            if not queue or queue[0][0] > deadline or ((work is None or not work.under_way) and over()):
                return done
            # SimPy's own step, without a call for each of millions of events
            self.now, _, _, event = heapq.heappop(queue)
            callbacks, event.callbacks = event.callbacks, None
            for callback in callbacks:
                callback(event)
            if not event._ok and not event.defused:
                raise event.value
        return count
