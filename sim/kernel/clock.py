"""The clock of a run: SimPy's environment, made for millions of events."""

from __future__ import annotations

from collections.abc import Callable

import simpy


class _Now:
    """Where the clock keeps its time."""

    __slots__ = ("_now",)


class Clock(_Now, simpy.Environment):
    """A SimPy environment. Its ``now`` is read a hundred times an operation, so it is a slot, not a property."""

    now: float = vars(_Now)["_now"]

    def advance(self, count: int, deadline: float, over: Callable[[], bool]) -> int:
        """Let at most ``count`` events happen, none after ``deadline``, none once ``over``. Returns how many did."""
        queue, step = self._queue, self.step
        for done in range(count):
            if not queue or queue[0][0] > deadline or over():
                return done
            step()
        return count
