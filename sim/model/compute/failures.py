"""What bad luck does to a host, and what its return mends.

A host may have several troubles at once: its own crash, its rack without power, a slow disk. Each lasts from the moment
it strikes until it is mended itself; what is seen is the worst of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from simpy.events import Event

from sim.eventlog import records
from sim.model.host import CRASHED, CUT_OFF, HUNG, REBOOTING, UP
from sim.model.migration.precopy import PreCopy

if TYPE_CHECKING:
    from sim.model.cloud import Cloud
    from sim.model.network.flows import Flow

_POWER = {"crash": CRASHED, "reboot": REBOOTING, "network": CUT_OFF, "hang": HUNG}
"""Kinds of trouble that silence a host, the worst first → its power."""
_RESTARTS = frozenset({"crash", "reboot", "hang"})
"""After them nova-compute starts anew."""
_LOST = frozenset({CRASHED, REBOOTING})
"""All that ran on the host is gone."""
_DARK = frozenset({CRASHED, REBOOTING, CUT_OFF})
"""Nothing goes over the host's links."""
_ON_DISKS = frozenset({"disk", "image"})
"""Purposes of flows that stand still while a host's storage does."""


@dataclass(frozen=True, slots=True, eq=False)
class Trouble:
    """One thing that is wrong with a host."""

    kind: str
    """crash, reboot, network, hang, slow, storage_stall."""
    factor: float = 1.0
    """For slow: how many times slower."""
    for_good: bool = False
    """Whether no repair is to come."""


class Failures:
    """Failures of hosts. Who waits for one to fail, or to come back, asks :meth:`when_failed`, :meth:`when_back`."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud
        self._troubles: dict[int, list[Trouble]] = {}
        """Host → what is wrong with it, the oldest first."""
        self._restarts: set[int] = set()
        """Silent hosts whose nova-compute will start anew."""
        self._dark_since: dict[int, float] = {}
        self._failing: dict[int, list[Event]] = {}
        self._waiting: dict[int, list[Event]] = {}
        self._capacity: dict[int, float] = {}
        """Links of dark hosts → what they carry when the host is back."""
        self._stalled: set[int] = set()
        self._caps: dict[int, float] = {}
        """Flows that a stalled storage holds up → their caps before."""
        self._usual: dict[int, float] = {}
        """Hosts that were made slow → how slow they are by nature."""

    def when_failed(self, host: int) -> Event:
        """Happens when the host is silent; at once if it is already."""
        event = self._cloud.env.event()
        if self._cloud.hosts.power[host] != UP:
            event.succeed()
        else:
            self._failing.setdefault(host, []).append(event)
        return event

    def when_back(self, host: int) -> Event:
        """Happens when the host is up again (or may never)."""
        event = self._cloud.env.event()
        if self._cloud.hosts.power[host] == UP:
            event.succeed()
        else:
            self._waiting.setdefault(host, []).append(event)
        return event

    def dark_since(self, host: int) -> float | None:
        """Since when nobody reaches what is on the host; None if it can be reached."""
        return self._dark_since.get(host)

    # --- what strikes a host, and what is mended

    def silent_from_start(self, host: int) -> None:
        """The host's service was silent long before the run began; its guests run."""
        self._troubles[host] = [Trouble("hang", for_good=True)]
        self._restarts.add(host)
        self._cloud.hosts.power[host] = HUNG
        self._cloud.service_group.silent(host, since=float("-inf"))

    def strikes(self, host: int, trouble: Trouble, reason: str) -> None:
        """From now on this is wrong with the host, too."""
        self._troubles.setdefault(host, []).append(trouble)
        if trouble.kind in _RESTARTS:
            self._restarts.add(host)
        self._changed(host, trouble, reason)

    def mended(self, host: int, *troubles: Trouble) -> None:
        """These are over; what else is wrong with the host stays. One that is over already changes nothing."""
        left = self._troubles.get(host, [])
        over = [trouble for trouble in troubles if trouble in left]
        for trouble in over:
            left.remove(trouble)
        for trouble in over:
            self._changed(host, trouble, f"mended: {trouble.kind}")

    def silences(self, host: int) -> list[Trouble]:
        """What keeps the host silent."""
        return [trouble for trouble in self._troubles.get(host, ()) if trouble.kind in _POWER]

    def _changed(self, host: int, trouble: Trouble, reason: str) -> None:
        if trouble.kind == "slow":
            self._set_slow(host)
        elif trouble.kind == "storage_stall":
            self._set_stalled(host)
        else:
            kinds = {silence.kind for silence in self.silences(host)}
            worst = next((power for kind, power in _POWER.items() if kind in kinds), UP)
            if worst != self._cloud.hosts.power[host]:
                self._set_power(host, worst, reason)

    def _set_power(self, host: int, power: str, reason: str) -> None:
        """The host falls silent, or is otherwise silent than before, or is back."""
        before = self._cloud.hosts.power[host]
        self._cloud.hosts.power[host] = power
        if power == UP:
            self._returned(host)
            return
        cloud, hosts = self._cloud, self._cloud.hosts
        if before == UP:
            cloud.service_group.silent(host)
        cloud.record_host(host, reason)
        if power in _LOST and before not in _LOST:
            hosts.crashes[host] += 1
            cloud.compute.host_died(host)
        if power in _DARK and before not in _DARK:
            self._darken(host)
        elif before in _DARK and power not in _DARK:
            self._light(host)
        for event in self._failing.pop(host, ()):
            event.succeed()

    def _returned(self, host: int) -> None:
        """The host is up. Its nova-compute has started anew, unless only the network was gone."""
        cloud = self._cloud
        cloud.record_host(host, "returned")
        self._light(host)
        restarted = host in self._restarts
        self._restarts.discard(host)
        cloud.service_group.speaks(host, restarted)
        if restarted:
            cloud.compute.host_returned(host)
        for event in self._waiting.pop(host, ()):
            event.succeed()

    def _darken(self, host: int) -> None:
        self._dark_since[host] = self._cloud.env.now
        for link in self._cloud.topology.nics(host):
            self._capacity[link] = self._cloud.flows.capacity(link)
            self._set_link(link, 0.0)

    def _light(self, host: int) -> None:
        self._dark_since.pop(host, None)
        for link in self._cloud.topology.nics(host):
            if link in self._capacity:
                self._set_link(link, self._capacity.pop(link))

    def _set_slow(self, host: int) -> None:
        """The host's own work takes so many times as long as it usually does there."""
        hosts = self._cloud.hosts
        usual = self._usual.setdefault(host, hosts.slow[host])
        factors = [trouble.factor for trouble in self._troubles[host] if trouble.kind == "slow"]
        factor = max(factors, default=1.0)
        if hosts.slow[host] != factor * usual:
            hosts.slow[host] = factor * usual
            self._cloud.record_host(host, f"slow: {factor:g} times" if factors else "not slow any more")

    # --- storage and links

    def _set_stalled(self, host: int) -> None:
        """Copies from and to the host's disks stand still until its storage answers again.

        A migration waits for its disks as long as its own timeouts let it: the connection is alive.
        """
        stalled = any(trouble.kind == "storage_stall" for trouble in self._troubles[host])
        if stalled == (host in self._stalled):
            return
        if stalled:
            self._stalled.add(host)
        else:
            self._stalled.discard(host)
        self._cloud.record_host(host, "storage stalled" if stalled else "storage answers again")
        for flow in self._cloud.flows.at_host(host):
            self.look(flow)

    def look(self, flow: Flow) -> None:
        """Hold a flow up, or let it go, as the storage at its ends is."""
        held = flow.source in self._stalled or flow.dest in self._stalled
        copy = flow.transfer
        if isinstance(copy, PreCopy):
            self._cloud.flows.command(flow, lambda: copy.hold_disks(held))
            return
        if flow.label[0] not in _ON_DISKS:
            return
        if held and flow.id not in self._caps:
            self._caps[flow.id] = flow.cap_bps
            self._cloud.flows.set_cap(flow, 0.0)
        elif not held and flow.id in self._caps:
            self._cloud.flows.set_cap(flow, self._caps.pop(flow.id))

    def begins(self, flow: Flow) -> None:
        """A flow has started: one onto stalled storage is held up from this moment on."""
        if self._stalled:
            soon = self._cloud.env.timeout(0.0)
            assert soon.callbacks is not None
            soon.callbacks.append(lambda _: self.look(flow))

    def link_changes(self, link: int, capacity_bps: float) -> None:
        """A link gets another capacity; one of a dark host, when the host is back."""
        if link in self._capacity:
            self._capacity[link] = capacity_bps
        else:
            self._set_link(link, capacity_bps)

    def _set_link(self, link: int, capacity_bps: float) -> None:
        cloud = self._cloud
        cloud.log.append(records.LinkState(cloud.env.now, cloud.topology.links[link][0], capacity_bps))
        cloud.flows.set_link_capacity(link, capacity_bps)
