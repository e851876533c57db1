"""What a server takes of a host, by its flavor and image."""

from __future__ import annotations

from functools import lru_cache

from sim.model.flavor import Flavor, Image, Resources
from sim.model.image_properties import properties_of
from sim.scenario.guest_cpus import guest_cpus

_OVERRIDE = "resources:"
COUNTED = ("VCPU", "MEMORY_MB", "DISK_GB", "PCPU")
"""Resource classes that hosts have."""


@lru_cache(maxsize=4096)
def resources_of(flavor: Flavor, image: Image | None, on_volume: bool) -> Resources:
    """What placement counts; a root disk on a volume takes none of the host's. Extra specs ``resources:…`` overrule.

    Raises ValueError, with Nova's words, for CPUs and NUMA nodes that cannot be. Kept, so that servers of a flavor
    share what they hold.
    """
    disk_gb = flavor.disk_gb - flavor.root_gb if on_volume else flavor.disk_gb
    specs = flavor.extra_specs
    if not specs and (image is None or not image.properties):
        return Resources(flavor.vcpus, flavor.memory_mb, disk_gb)
    cpus = guest_cpus(flavor.vcpus, flavor.memory_mb, specs, properties_of(image))
    amounts = {"VCPU": cpus.vcpus, "MEMORY_MB": flavor.memory_mb, "DISK_GB": disk_gb, "PCPU": cpus.pcpus}
    vcpus, memory_mb, disk_gb, pcpus = (int(specs.get(_OVERRIDE + name, amounts[name])) for name in COUNTED)
    return Resources(vcpus, memory_mb, disk_gb, pcpus, cpus.nodes)


def unknown_classes(flavor: Flavor) -> list[str]:
    """Resource classes that the flavor asks for and no host here has."""
    return [
        key.removeprefix(_OVERRIDE)
        for key, amount in flavor.extra_specs.items()
        if key.startswith(_OVERRIDE) and key.removeprefix(_OVERRIDE) not in COUNTED and int(amount)
    ]
