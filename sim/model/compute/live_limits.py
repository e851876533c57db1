"""What a live migration may and can do, by nova.conf and the timing profile: made once for each size, then shared."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from sim.model.migration.limits import XEN, LiveMigrationLimits, data_gb, downtime_steps, throttling
from sim.model.migration.memory import GuestMemory
from sim.units import GIB, MIB

if TYPE_CHECKING:
    from sim.model.cloud import Cloud
    from sim.model.guest import Guest
    from sim.model.server import Server

_FULL_USE = 0.5
"""How full a local disk is where the scenario does not say."""


class LiveLimits:
    """Limits, memory and disks of live migrations."""

    def __init__(self, cloud: Cloud) -> None:
        self._env, self._hosts, self._streams = cloud.env, cloud.hosts, cloud.streams
        timings, libvirt = cloud.timings, _libvirt(cloud)
        channels = int(libvirt["live_migration_parallel_connections"])
        wrapped = libvirt["live_migration_tunnelled"] or libvirt["live_migration_with_native_tls"]
        self._stream_bps = timings.tunnelled_stream if wrapped else timings.stream * channels
        self._block_stream_bps = min(timings.block_stream, timings.tunnelled_stream if wrapped else math.inf)
        self._zero_page_bps = timings.zero_page_bps(channels)
        self._page_fault_s, self._connection_lost_s = timings.page_fault, timings.connection_lost
        bandwidth = int(libvirt["live_migration_bandwidth"])
        self._bandwidth_bps = float(bandwidth * MIB) if bandwidth else math.inf
        downtime, steps, delay = (int(libvirt[f"live_migration_downtime{name}"]) for name in ("", "_steps", "_delay"))
        self._downtime = (downtime, steps, delay)
        self._timeout_s = int(libvirt["live_migration_completion_timeout"])
        self._forces = libvirt["live_migration_timeout_action"] == "force_complete"
        self.post_copy = bool(libvirt["live_migration_permit_post_copy"])
        """Whether force-complete means post-copy, not pause."""
        self._converges = bool(libvirt["live_migration_permit_auto_converge"]) and not self.post_copy
        self._model = cloud.migration_model
        self._limits: dict[tuple[int, float, int, bool], LiveMigrationLimits] = {}
        self._memory: dict[tuple[Guest, int], GuestMemory] = {}

    def switches_after(self, server: Server, disk_b: float) -> float:
        """Seconds of copying after which Nova by itself switches to post-copy; inf if it never does."""
        if not (self.post_copy and self._forces and self._timeout_s):
            return math.inf
        return float(int(self._timeout_s * _data_gb(server, disk_b)))

    def limits(self, server: Server, source: int, disk_b: float) -> LiveMigrationLimits:
        """Limits of a migration of this server with so many bytes of disks."""
        version = int(self._hosts.hypervisor_version[source]) if self._converges else 0
        xen = self._hosts.hypervisor_type[source].lower() == "xen"
        key = (server.flavor.memory_mb, disk_b, version, xen)
        found = self._limits.get(key)
        if found is None:
            found = self._limits[key] = self._made(_data_gb(server, disk_b), version, xen)
        return found

    def _made(self, size_gb: float, version: int, xen: bool) -> LiveMigrationLimits:
        timeout = float(int(self._timeout_s * size_gb)) if self._timeout_s else math.inf
        return LiveMigrationLimits(
            downtime=downtime_steps(*self._downtime, size_gb),
            completion_timeout_s=math.inf if self.post_copy and self._forces else timeout,
            timeout_action="force_complete" if self._forces else "abort",
            permit_post_copy=self.post_copy,
            throttling=throttling(version) if self._converges else None,
            stream_bps=self._stream_bps,
            block_stream_bps=self._block_stream_bps,
            bandwidth_bps=self._bandwidth_bps,
            zero_page_bps=self._zero_page_bps,
            page_fault_s=self._page_fault_s,
            connection_lost_s=self._connection_lost_s,
            xen=XEN if xen else None,
            model=self._model,
        )

    def memory(self, server: Server) -> GuestMemory:
        """The memory of the server's guest."""
        guest, memory_mb = server.guest, server.flavor.memory_mb
        if guest.profile:
            if guest.clocked:
                return _memory(guest, memory_mb, self._env.now)
            period = guest.profile[-1][0]
            return _memory(guest, memory_mb, period * self._streams.uniform("guest_phase", server.name))
        found = self._memory.get((guest, memory_mb))
        if found is None:
            found = self._memory[guest, memory_mb] = _memory(guest, memory_mb, 0.0)
        return found


def local_disk_b(server: Server) -> float:
    """Bytes in use on the server's local disks."""
    return float(server.resources[2] * GIB * disk_use(server))


def disk_use(server: Server) -> float:
    """How full the server's local disks are, 0..1."""
    return float(server.extras.get("disk_used", _FULL_USE)) if server.extras else _FULL_USE


def _data_gb(server: Server, disk_b: float) -> float:
    return data_gb(server.flavor.memory_mb, (disk_b,) if disk_b else ())


def _memory(guest: Guest, memory_mb: int, phase_s: float) -> GuestMemory:
    ram_b = memory_mb * MIB
    return GuestMemory(
        ram_b, guest.nonzero * ram_b, guest.dirty_bps, min(guest.working_set_b, ram_b), guest.profile, phase_s,
        guest.hot_b,
    )  # fmt: skip


def _libvirt(cloud: Cloud) -> dict[str, Any]:
    names = """
    live_migration_parallel_connections live_migration_tunnelled live_migration_with_native_tls live_migration_bandwidth
    live_migration_downtime live_migration_downtime_steps live_migration_downtime_delay
    live_migration_completion_timeout live_migration_timeout_action live_migration_permit_post_copy
    live_migration_permit_auto_converge
    """
    return {name: cloud.options[f"libvirt.{name}"] for name in names.split()}
