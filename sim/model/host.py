"""Compute hosts, passive, as columns: row i of every column is host i. Placement owns capacity, not this.

What Nova believes of a host's service is arithmetic (:meth:`Hosts.service_down_at`), never a poll.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from sim.model.journal import Journal

UP, CRASHED, HUNG, REBOOTING, CUT_OFF = "up", "crashed", "hung", "rebooting", "cut_off"
"""Power of a host. hung: guests run, the service is silent. cut_off: its network is gone."""


class Hosts:
    """All compute hosts. Names are unique; order is the scenario's, and the order of ties."""

    def __init__(self, names: Sequence[str], racks: Sequence[str], zones: Sequence[str]) -> None:
        count = len(names)
        self.names = list(names)
        self.index = {name: i for i, name in enumerate(names)}
        self.racks, self.zones = list(racks), list(zones)
        self.power = [UP] * count
        self.disabled: NDArray[np.bool_] = np.zeros(count, dtype=bool)
        self.disabled_reason: dict[int, str] = {}
        self.forced_down: NDArray[np.bool_] = np.zeros(count, dtype=bool)
        self.service_up: NDArray[np.bool_] = np.ones(count, dtype=bool)
        """What the service group believes: ~forced_down and reported within service_down_time."""
        self.instances: NDArray[np.int64] = np.zeros(count, dtype=np.int64)
        """Servers on the host, as the scheduler's host state counts them."""
        self.io_ops: NDArray[np.int64] = np.zeros(count, dtype=np.int64)
        """Servers on the host that are building, resizing, rebuilding, migrating, …"""
        self.failed_builds: NDArray[np.int64] = np.zeros(count, dtype=np.int64)
        """Builds that failed since the last that went well: :meth:`build_failed`, :meth:`build_succeeded`."""
        self.ever_failed_builds = False
        self.journal = Journal()
        """Hosts whose claims, servers, I/O operations or failed builds changed; who changes one notes it here."""
        self.hypervisor_version: NDArray[np.int64] = np.full(count, 8002000, dtype=np.int64)
        self.hypervisor_type = ["QEMU"] * count
        self.addresses: list[str | None] = [None] * count
        """IP addresses, where known."""
        self.service_version: list[int] = [0] * count
        self.traits: list[frozenset[str]] = [frozenset()] * count
        self.fails: list[frozenset[str]] = [frozenset()] * count
        """What goes wrong whenever it is asked for as a destination; see HostSpec.fails."""
        self.slow: list[float] = [1.0] * count
        self.report_phase_s: NDArray[np.float64] = np.zeros(count)
        """Each service reports at phase + k * report_interval."""
        self.crashes = [0] * count
        """How often all that ran on the host was lost: work that began before is gone."""

    def __len__(self) -> int:
        return len(self.names)

    def build_failed(self, host: int) -> None:
        """A build failed on the host: the scheduler will avoid it."""
        self.failed_builds[host] += 1
        self.ever_failed_builds = True
        self.journal.add(host)

    def build_succeeded(self, host: int) -> None:
        """A build went well: earlier failures are forgiven."""
        if self.failed_builds[host]:
            self.failed_builds[host] = 0
            self.journal.add(host)

    def last_report(self, host: int, silent_at: float, interval_s: float) -> float:
        """When the service last reported, if it fell silent at ``silent_at``."""
        phase = float(self.report_phase_s[host])
        return phase + math.floor((silent_at - phase) / interval_s) * interval_s

    def service_down_at(self, host: int, silent_at: float, interval_s: float, down_time_s: float) -> float:
        """When a service that fell silent at ``silent_at`` is seen down: last report + service_down_time."""
        return self.last_report(host, silent_at, interval_s) + down_time_s
