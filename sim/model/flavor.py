"""Flavors and images: what a server asks for."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from sim.scenario.guest_cpus import GuestNode


class Resources(NamedTuple):
    """What placement counts of a server, and the NUMA nodes that the host's own claim looks at."""

    vcpus: int
    memory_mb: int
    disk_gb: int
    pcpus: int = 0
    """Host CPUs for itself alone."""
    nodes: tuple[GuestNode, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Flavor:
    """A flavor, in Nova's own units."""

    name: str
    vcpus: int
    memory_mb: int
    root_gb: int
    ephemeral_gb: int = 0
    swap_mb: int = 0
    extra_specs: dict[str, str] = field(default_factory=dict)

    @property
    def disk_gb(self) -> int:
        """What placement counts of a server with local disks: root + ephemeral + swap rounded up to GB."""
        return self.root_gb + self.ephemeral_gb + -(-self.swap_mb // 1024)


@dataclass(frozen=True, slots=True, eq=False)
class Image:
    """An image that servers boot from."""

    name: str
    size_b: int
    min_memory_mb: int = 0
    min_disk_gb: int = 0
    properties: dict[str, str] = field(default_factory=dict)
