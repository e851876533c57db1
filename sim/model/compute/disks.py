"""Disks that a cold migration copies: one after another, over the network or within shared storage."""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING, Any, NamedTuple

from simpy.events import Event

from sim.eventlog import records
from sim.model.compute.live_limits import disk_use
from sim.model.compute.orders import Order
from sim.model.host import CRASHED, CUT_OFF, REBOOTING
from sim.model.network.flows import Flow
from sim.model.network.transfer import ByteCopy
from sim.model.server import Server
from sim.units import GIB

if TYPE_CHECKING:
    from sim.model.cloud import Cloud

PATIENCE_S = 924.6
"""Without an acknowledgement for so long Linux gives a TCP connection up (tcp_retries2 = 15), and the copy with it."""


DARK = frozenset({CRASHED, REBOOTING, CUT_OFF})
"""Power states of a host that does not answer a connection."""
NO_ROUTE_S = 3.0
"""How long Linux looks for a host that is not there (three ARP requests, a second apart)."""


class _Copy(NamedTuple):
    """A copy under way; ``boot`` is its destination's, when it began."""

    flow: Flow
    transfer: ByteCopy
    source: int
    dest: int
    boot: int


class DiskCopies:
    """All copies of disks under way, and what becomes of them when a host dies."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud
        self._under_way: dict[int, _Copy] = {}

    def copy(self, order: Order, dest: int, bytes_: float) -> Generator[Event, Any, bool]:
        """Copy one disk to ``dest``, for the order's host. False if the copy broke off."""
        cloud, server, source = self._cloud, order.server, order.host
        hosts, began = cloud.hosts, cloud.env.now
        local = cloud.shared_storage or dest == source
        if not local and hosts.power[dest] in DARK:
            yield cloud.env.timeout(NO_ROUTE_S)
            self._record(order, began, "failed")
            return False
        rate_bps = cloud.timings.local_copy if local else cloud.timings.disk_stream
        transfer = ByteCopy(bytes_, rate_bps / max(hosts.slow[source], hosts.slow[dest]), PATIENCE_S)
        flow = cloud.flows.start(transfer, source, source if local else dest, label=("disk", server.name))
        self._under_way[flow.id] = _Copy(flow, transfer, source, flow.dest, hosts.crashes[flow.dest])
        yield flow.done
        del self._under_way[flow.id]
        self._record(order, began, "failed" if transfer.failed else "done")
        return not transfer.failed

    def _record(self, order: Order, began: float, outcome: str) -> None:
        now, name = self._cloud.env.now, self._cloud.hosts.names[order.host]
        self._cloud.log.append(
            records.Step(now, order.server.name, order.ctx.request, "copy_disk", name, began, outcome)
        )

    def host_died(self, host: int) -> None:
        """What copied on the host is gone."""
        for copy in list(self._under_way.values()):
            if copy.source == host:
                self._break(copy)

    def host_returned(self, host: int) -> None:
        """The host, started anew, knows nothing of the connections that it had."""
        for copy in list(self._under_way.values()):
            if copy.dest == host and copy.boot != self._cloud.hosts.crashes[host]:
                self._break(copy)

    def _break(self, copy: _Copy) -> None:
        self._cloud.flows.command(copy.flow, copy.transfer.break_off)


def disks_b(server: Server) -> list[float]:
    """Bytes in use on each local disk that is copied: root, then ephemeral. Swap is made anew."""
    flavor = server.flavor
    sizes_gb = (0 if server.boot_from_volume else flavor.root_gb, flavor.ephemeral_gb)
    return [float(size * GIB * disk_use(server)) for size in sizes_gb if size]
