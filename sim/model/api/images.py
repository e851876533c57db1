"""Whether flavor and image go together: Nova's checks at create and resize, in its order."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sim import units
from sim.model.api.faults import ApiFault
from sim.model.needs import resources_of

if TYPE_CHECKING:
    from sim.model.api.asked import Asked
    from sim.model.flavor import Flavor, Image

_ZERO_DISK = "os_compute_api:servers:create:zero_disk_flavor"


def check_fits(
    asked: Asked, flavor: Flavor, *, min_memory_mb: int, min_disk_gb: int, size_b: int = 0, from_volume: bool = False
) -> None:
    """ApiFault 400 if the image asks for more than the flavor has, 403 for no disk. Volumes have their own size."""
    if flavor.memory_mb < min_memory_mb:
        raise ApiFault(400, "Flavor's memory is too small for requested image.")
    if from_volume:
        return
    disk_b, min_disk_b = flavor.root_gb * units.GIB, min_disk_gb * units.GIB
    if disk_b == 0:
        caller = asked.caller
        if not asked.policy.allows(_ZERO_DISK, caller, caller.project, caller.user):
            raise ApiFault(403, "Only volume-backed servers are allowed for flavors with zero disk.")
    elif size_b > disk_b:
        raise ApiFault(
            400,
            f"Flavor's disk is too small for requested image. Flavor disk is {disk_b} bytes, image is {size_b} bytes.",
        )
    elif min_disk_b > disk_b:
        raise ApiFault(
            400, "Flavor's disk is smaller than the minimum size specified in image metadata. Flavor disk is "
            f"{disk_b} bytes, minimum size is {min_disk_b} bytes.",
        )  # fmt: skip


def check_cpus(flavor: Flavor, image: Image | None) -> None:
    """ApiFault 400, with Nova's words, for CPUs and NUMA nodes that flavor and image together cannot have."""
    try:
        resources_of(flavor, image, False)
    except ValueError as error:
        raise ApiFault(400, str(error)) from error
