"""What bad luck does to a host, and what its return mends."""

from __future__ import annotations

from typing import TYPE_CHECKING

from simpy.events import Event

from sim.eventlog import records
from sim.model.host import CRASHED, CUT_OFF, HUNG, REBOOTING, UP
from sim.model.migration.precopy import PreCopy

if TYPE_CHECKING:
    from sim.model.cloud import Cloud
    from sim.model.network.flows import Flow

_POWER = {"crash": CRASHED, "hang": HUNG, "network": CUT_OFF, "reboot": REBOOTING}
_LOST = frozenset({CRASHED, REBOOTING})
"""All that ran on the host is gone."""
_DARK = frozenset({CRASHED, REBOOTING, CUT_OFF})
"""Nothing goes over the host's links."""
_ON_DISKS = frozenset({"disk", "image"})
"""Purposes of flows that stand still while a host's storage does."""


class Failures:
    """Failures of hosts. Who waits for one to come back asks :meth:`when_back`."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud
        self._waiting: dict[int, list[Event]] = {}
        self._capacity: dict[int, float] = {}
        """Links of dark hosts → what they carry when the host is back."""
        self._stalled: set[int] = set()
        self._caps: dict[int, float] = {}
        """Flows that a stalled storage holds up → their caps before."""
        self._usual: dict[int, float] = {}
        """Hosts that were made slow → how slow they are by nature."""

    def when_back(self, host: int) -> Event:
        """Happens when the host is up again (or may never)."""
        event = self._cloud.env.event()
        if self._cloud.hosts.power[host] == UP:
            event.succeed()
        else:
            self._waiting.setdefault(host, []).append(event)
        return event

    def failed(self, host: int, kind: str, reason: str) -> None:
        """The host falls silent; a crash or reboot takes all that ran on it. One that is down stays as it is."""
        cloud, hosts = self._cloud, self._cloud.hosts
        if hosts.power[host] != UP:
            return
        hosts.power[host] = _POWER[kind]
        cloud.service_group.silent(host)
        cloud.record_host(host, reason)
        if hosts.power[host] in _LOST:
            hosts.crashes[host] += 1
            cloud.compute.host_died(host)
        if hosts.power[host] in _DARK:
            for link in cloud.topology.nics(host):
                self._capacity[link] = cloud.flows.capacity(link)
                self._set_link(link, 0.0)

    def returned(self, host: int) -> None:
        """The host is up. Its nova-compute has started anew, unless only the network was gone."""
        cloud, hosts = self._cloud, self._cloud.hosts
        power = hosts.power[host]
        if power == UP:
            return
        hosts.power[host] = UP
        cloud.record_host(host, "returned")
        for link in cloud.topology.nics(host):
            if link in self._capacity:
                self._set_link(link, self._capacity.pop(link))
        cloud.service_group.speaks(host, restarted=power != CUT_OFF)
        if power != CUT_OFF:
            cloud.compute.host_returned(host)
        for event in self._waiting.pop(host, ()):
            event.succeed()

    def slowed(self, host: int, factor: float) -> None:
        """The host's own work takes ``factor`` times as long as it usually does there."""
        usual = self._usual.setdefault(host, self._cloud.hosts.slow[host])
        self._cloud.hosts.slow[host] = factor * usual
        self._cloud.record_host(host, f"slow: {factor:g} times" if factor != 1.0 else "not slow any more")

    def stalled(self, host: int, stalled: bool) -> None:
        """Copies from and to the host's disks stand still until its storage answers again.

        A migration waits for its disks as long as its own timeouts let it: the connection is alive.
        """
        cloud = self._cloud
        if stalled:
            self._stalled.add(host)
        else:
            self._stalled.discard(host)
        cloud.record_host(host, "storage stalled" if stalled else "storage answers again")
        for flow in cloud.flows.at_host(host):
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
