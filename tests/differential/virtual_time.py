"""A clock that jumps: real Nova runs in one process without sockets, so whenever every green thread waits, the next
timer is the next thing that can happen. Sixty seconds of RPC time-out then cost nothing, and a run does not depend on
how fast the machine is.

Must be installed before anything of Nova is imported.
"""

from __future__ import annotations

import datetime
import time
from typing import Any

import eventlet.hubs
from eventlet.hubs import poll

_EPOCH = 1_750_000_000.0


class VirtualClock:
    """Seconds since the start of the run, advanced by the hub alone."""

    def __init__(self) -> None:
        self.now_s = 1_000.0

    def monotonic(self) -> float:
        return self.now_s

    def time(self) -> float:
        return _EPOCH + self.now_s


CLOCK = VirtualClock()


class Hub(poll.Hub):
    """eventlet's loop over the virtual clock: to wait is to move the clock. A file descriptor (a child process that
    Nova starts while it is imported) is waited for in earnest."""

    def __init__(self) -> None:
        super().__init__(clock=CLOCK.monotonic)

    @staticmethod
    def is_available() -> bool:
        return True

    def wait(self, seconds: float | None = None) -> None:
        if self.listeners[self.READ] or self.listeners[self.WRITE]:
            super().wait(0.005)
            return
        if not seconds or seconds <= 0:
            return
        due = self.sleep_until()
        if due is None:
            raise RuntimeError("every green thread waits and no timer is set: nothing can ever happen")
        CLOCK.now_s = max(CLOCK.now_s, due)


def install() -> None:
    """Make eventlet, `time` and oslo's clocks read the virtual clock."""
    eventlet.hubs.use_hub(Hub)
    for name in ("monotonic", "time"):
        setattr(time, name, getattr(CLOCK, name))

    from oslo_utils import timeutils

    def utcnow(with_timezone: bool = False) -> Any:
        moment = datetime.datetime.fromtimestamp(CLOCK.time(), datetime.UTC)
        return moment if with_timezone else moment.replace(tzinfo=None)

    timeutils.utcnow = utcnow
    timeutils.now = CLOCK.monotonic
