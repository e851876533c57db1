"""Who Nova believes to be alive: a service is up while its last report is not older than ``service_down_time``.

Nothing polls. Reports are arithmetic from each host's phase; one timeout is armed when a service falls silent, for the
moment at which Nova will see it. Source: Nova's ``servicegroup/drivers/db.py``.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

import simpy
from simpy.events import Event

if TYPE_CHECKING:
    from sim.model.host import Hosts

_FIRST_REPORT_S = 5.0
"""A service that has just started reports for the first time after so long (servicegroup's INITIAL_REPORTING_DELAY)."""
_SAME_MOMENT_S = 1e-6
"""Reports that come as the last one is just ``service_down_time`` old are in time, however their phase was added up."""


class ServiceGroup:
    """``hosts.service_up`` is its answer for all hosts at once."""

    def __init__(self, env: simpy.Environment, hosts: Hosts, interval_s: float, down_time_s: float) -> None:
        self._env, self._hosts = env, hosts
        self._interval_s, self._down_time_s = interval_s, down_time_s
        self._expired: set[int] = set()
        """Hosts whose last report is too old."""
        self._turn = [0] * len(hosts)
        """How often the host fell silent or was heard again: an older timeout has nothing to say."""
        self._awaited: dict[int, float] = {}
        """Hosts that are back → when their first report comes."""
        self._waiting: dict[int, list[Event]] = {}

    def is_up(self, host: int) -> bool:
        """Whether Nova believes the host's service to be alive."""
        return bool(self._hosts.service_up[host])

    def when_down(self, host: int) -> Event:
        """Happens as soon as Nova believes it to be dead; at once if it does already."""
        event = self._env.event()
        if self.is_up(host):
            self._waiting.setdefault(host, []).append(event)
        else:
            event.succeed()
        return event

    # --- what happens to the service

    def silent(self, host: int, since: float | None = None) -> None:
        """The service reports no more. ``since``: None is now, -inf is long ago."""
        at = self._env.now if since is None else since
        if self._awaited.pop(host, None) is not None:
            return  # not heard of since it fell silent the last time: that is still what it will be missed by
        self._turn[host] += 1
        if math.isinf(at):
            self._expire(host, self._turn[host])
            return
        turn = self._turn[host]
        seen = self._hosts.service_down_at(host, at, self._interval_s, self._down_time_s)
        self._at(seen, lambda _: self._expire(host, turn))

    def speaks(self, host: int, restarted: bool) -> None:
        """The service is back: at its next report (a started one's first) Nova believes it to be alive.

        Until then its last report grows older.
        """
        now = self._env.now
        if restarted:
            self._hosts.report_phase_s[host] = now + _FIRST_REPORT_S
        phase = float(self._hosts.report_phase_s[host])
        report = phase + max(0, math.ceil((now - phase) / self._interval_s)) * self._interval_s
        self._awaited[host] = report
        self._at(report, lambda _: self._heard(host, report))

    def force_down(self, host: int, forced: bool) -> None:
        """An administrator says so."""
        self._hosts.forced_down[host] = forced
        self._settle(host)

    def _at(self, moment: float, then: Callable[[Event], None]) -> None:
        timeout = self._env.timeout(max(0.0, moment - self._env.now))
        assert timeout.callbacks is not None
        timeout.callbacks.append(then)

    def _expire(self, host: int, turn: int) -> None:
        reports_now = self._awaited.get(host, math.inf) <= self._env.now + _SAME_MOMENT_S
        if turn == self._turn[host] and not reports_now:
            self._expired.add(host)
            self._settle(host)

    def _heard(self, host: int, report: float) -> None:
        if self._awaited.get(host) == report:
            del self._awaited[host]
            self._turn[host] += 1
            self._expired.discard(host)
            self._settle(host)

    def _settle(self, host: int) -> None:
        up = not self._hosts.forced_down[host] and host not in self._expired
        self._hosts.service_up[host] = up
        if not up:
            for event in self._waiting.pop(host, ()):
                event.succeed()
