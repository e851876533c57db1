"""Flows in time: one calendar for all of them, one armed timeout; who is not re-shared keeps its date."""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable
from typing import Any

from simpy import Environment, Event

from sim.model.network.sharing import Sharing
from sim.model.network.topology import Route, Topology
from sim.model.network.transfer import Transfer


class Flow:
    """A transfer under way. ``done`` succeeds when the transfer is finished (well or not)."""

    __slots__ = (
        "active", "bytes", "cap_bps", "date", "dest", "done", "id", "label", "rate_bps", "route", "settled_at",
        "share", "slowdown", "source", "span", "transfer",
    )  # fmt: skip

    def __init__(
        self, number: int, transfer: Transfer, source: int, dest: int, *, route: Route, cap_bps: float, done: Event,
        label: Any,
    ) -> None:  # fmt: skip
        self.id = number
        self.transfer = transfer
        self.source, self.dest, self.route = source, dest, route
        self.cap_bps = cap_bps
        """Limit of the path outside the links: a stream's cap, a slow host."""
        self.done = done
        self.label = label
        """What the caller wants to know it by."""
        self.rate_bps = 0.0
        self.bytes = 0.0
        """Carried so far, up to ``settled_at``."""
        self.slowdown = 0.0
        self.settled_at = 0.0
        self.date = math.inf
        """When something changes by itself."""
        self.span = math.inf
        self.share = -1
        """Its id in :class:`Sharing`."""
        self.active = True

    def __repr__(self) -> str:
        return f"<Flow {self.id} host {self.source} to {self.dest} at {self.rate_bps:.6g} B/s>"


def _nothing(_: Flow) -> None:
    """Null object for who does not want to know."""


class Flows:
    """All flows of a cloud.

    ``on_start``, ``on_rate``, ``on_slowdown`` and ``on_end`` are told of a flow right after it started, its rate or
    slowdown changed, or it ended. When rates change together the falling ones are told first, a new flow last and an
    ended one first, so that in no order of records a link ever seems over its capacity.
    """

    def __init__(
        self,
        env: Environment,
        topology: Topology,
        *,
        on_start: Callable[[Flow], None] = _nothing,
        on_rate: Callable[[Flow], None] = _nothing,
        on_slowdown: Callable[[Flow], None] = _nothing,
        on_end: Callable[[Flow], None] = _nothing,
    ) -> None:
        self._env = env
        self.topology = topology
        self.sharing = Sharing([capacity for _, capacity in topology.links], topology.feeds_bps)
        self._on_start, self._on_rate, self._on_slowdown, self._on_end = on_start, on_rate, on_slowdown, on_end
        self._flows: dict[int, Flow] = {}
        """Id in Sharing → flow."""
        self._calendar: list[tuple[float, int, Flow]] = []
        self._entries = 0
        self._armed = math.inf
        self._alarm: Event | None = None
        self._last_id = 0

    def __len__(self) -> int:
        return len(self._flows)

    def start(
        self, transfer: Transfer, source: int, dest: int, *, cap_bps: float = math.inf, label: Any = None,
        route: Route | None = None,
    ) -> Flow:  # fmt: skip
        """Begin now. ``route`` is None for the topology's route from ``source`` to ``dest``."""
        links = self.topology.route(source, dest) if route is None else route
        self._last_id += 1
        flow = Flow(
            self._last_id, transfer, source, dest, route=links, cap_bps=cap_bps, done=self._env.event(), label=label
        )
        flow.settled_at = self._env.now
        flow.slowdown = transfer.slowdown
        flow.share, changed = self.sharing.add(links, min(cap_bps, transfer.cap_bps))
        self._flows[flow.share] = flow
        if len(changed) > 1:
            self._reshare(changed[:-1])
        flow.rate_bps = self.sharing.rate[flow.share]
        self._on_start(flow)
        if flow.slowdown:
            self._on_slowdown(flow)
        if transfer.finished:
            self._end(flow)
            flow.done.succeed()
        else:
            self._date(flow)
        self._arm()
        return flow

    def cancel(self, flow: Flow) -> None:
        """Take it off the network now; ``done`` will not happen. Nothing to do for one that has ended."""
        if flow.active:
            self._settle(flow)
            self._end(flow)
            self._arm()

    def settle(self, flow: Flow) -> None:
        """Bring the transfer up to this moment: before commands that change it. :meth:`refresh` must follow."""
        if flow.active:
            self._settle(flow)

    def command(self, flow: Flow, order: Callable[[], object]) -> None:
        """Give the transfer an order (``precopy.abort``, …) at this moment, and act upon what it changed."""
        self.settle(flow)
        order()
        self.refresh(flow)

    def refresh(self, flow: Flow) -> None:
        """The transfer was changed from outside (after :meth:`settle`): share and date anew, or end it."""
        if not flow.active:
            return
        self._settle(flow)
        self._renew(flow)
        self._arm()

    def set_cap(self, flow: Flow, cap_bps: float) -> None:
        """Change the path's own limit (a host became slow)."""
        flow.cap_bps = cap_bps
        self.refresh(flow)

    def set_link_capacity(self, link: int, capacity_bps: float) -> None:
        """A link degrades, fails (0) or comes back."""
        self._reshare(self.sharing.set_capacity(link, capacity_bps))
        self._arm()

    def capacity(self, link: int) -> float:
        """What a link can carry at present, bytes per second."""
        return self.sharing.capacity[link]

    def at_host(self, host: int) -> list[Flow]:
        """Flows that begin or end at a host, in order of start."""
        return [flow for flow in self._flows.values() if host in {flow.source, flow.dest}]

    def _settle(self, flow: Flow) -> None:
        now = self._env.now
        seconds = now - flow.settled_at
        if seconds > 0:
            flow.bytes += flow.transfer.advance(seconds if now < flow.date else flow.span, flow.rate_bps)
            flow.settled_at = now

    def _renew(self, flow: Flow) -> None:
        """After the transfer itself changed: tell its slowdown, end it, or bring its cap, share and date up to date."""
        transfer = flow.transfer
        if transfer.slowdown != flow.slowdown:
            flow.slowdown = transfer.slowdown
            self._on_slowdown(flow)
        if transfer.finished:
            self._end(flow)
            flow.done.succeed()
            return
        flow.date = math.inf  # what was to happen now has happened
        changed = self.sharing.set_cap(flow.share, min(flow.cap_bps, transfer.cap_bps))
        if changed:
            self._reshare(changed)
        if flow.active and flow.share not in changed:
            self._date(flow)

    def _end(self, flow: Flow) -> None:
        flow.active = False
        flow.date = math.inf
        del self._flows[flow.share]
        self._on_end(flow)
        changed = self.sharing.remove(flow.share)
        flow.rate_bps = 0.0
        if changed:
            self._reshare(changed)

    def _reshare(self, changed: list[int]) -> None:
        """Settle flows at their old rates, give them the new ones, falling ones first."""
        rates = self.sharing.rate
        now = self._env.now
        flows = [self._flows[share] for share in changed]
        if len(flows) > 1:
            flows.sort(key=lambda flow: rates[flow.share] > flow.rate_bps)
        for flow in flows:
            due = flow.date <= now
            self._settle(flow)
            flow.rate_bps = rates[flow.share]
            self._on_rate(flow)
            if due:  # what was to happen now has happened in the transfer; the wake-up acts upon it
                self._note(flow, 0.0)
            else:
                self._date(flow)

    def _date(self, flow: Flow) -> None:
        """Ask the transfer for its next change and note it."""
        self._note(flow, flow.transfer.next_change(flow.rate_bps))

    def _note(self, flow: Flow, span: float) -> None:
        flow.span = span
        date = flow.date = self._env.now + span
        if date < math.inf:
            self._entries += 1
            heapq.heappush(self._calendar, (date, self._entries, flow))

    def _arm(self) -> None:
        """One timeout for the earliest date; entries that no longer hold are dropped on the way."""
        calendar = self._calendar
        while calendar:
            date, _entry, flow = calendar[0]
            if date == flow.date:
                break
            heapq.heappop(calendar)
        else:
            return
        if date < self._armed:
            self._armed = date
            alarm = self._alarm = self._env.timeout(max(0.0, date - self._env.now))
            assert alarm.callbacks is not None
            alarm.callbacks.append(self._wake)

    def _wake(self, alarm: Event) -> None:
        """The earliest date has come.

        An older timeout has nothing to say: a newer one is armed for an earlier date, or has fired and armed the next.
        """
        if alarm is not self._alarm:
            return
        now = self._env.now
        calendar = self._calendar
        self._armed = math.inf
        while calendar and calendar[0][0] <= now:
            date, _entry, flow = heapq.heappop(calendar)
            if date != flow.date or not flow.active:
                continue
            self._settle_due(flow)
            self._renew(flow)
        self._arm()

    def _settle_due(self, flow: Flow) -> None:
        """As :meth:`_settle`, also when no time passes: a change that takes 0 s must still happen."""
        flow.bytes += flow.transfer.advance(flow.span, flow.rate_bps)
        flow.settled_at = self._env.now
