"""Checks of what guests ask of hosts by extra specs and image properties."""

from __future__ import annotations

from sim import units
from sim.scenario.findings import Checked
from sim.scenario.guest_cpus import guest_cpus
from sim.scenario.spec import FlavorSpec, ImageSpec
from sim.scenario.tree import PathKeys

_AMOUNT = "resources:"


def check_guests(checked: Checked) -> None:
    """Flavors by themselves, then each flavor with each image that servers use together."""
    cloud = checked.scenario.cloud
    good: dict[str, FlavorSpec] = {}
    for number, flavor in enumerate(cloud.flavors):
        path: PathKeys = ("cloud", "flavors", number, "extra_specs")
        if _amounts(checked, path, flavor) and _cpus(checked, path, flavor, None):
            good[flavor.name] = flavor
    images = {image.name: image for image in cloud.images if image.properties}
    seen: set[tuple[str, str]] = set()
    for number, server in enumerate(cloud.servers):
        pair = (server.flavor, server.image or "")
        if pair[0] in good and pair[1] in images and pair not in seen:
            seen.add(pair)
            _cpus(checked, ("cloud", "servers", number, "image"), good[pair[0]], images[pair[1]])


def _amounts(checked: Checked, path: PathKeys, flavor: FlavorSpec) -> bool:
    wrong = [key for key, value in flavor.extra_specs.items() if key.startswith(_AMOUNT) and not value.isdecimal()]
    for key in wrong:
        checked.error((*path, key), f"{flavor.extra_specs[key]!r} is no amount", "a whole number, at least 0")
    return not wrong


def _cpus(checked: Checked, path: PathKeys, flavor: FlavorSpec, image: ImageSpec | None) -> bool:
    properties = {} if image is None else image.properties
    try:
        guest_cpus(flavor.vcpus, flavor.memory // units.MIB, flavor.extra_specs, properties)
    except ValueError as error:
        checked.error(path, f"Nova refuses such a server: {error}", "see hw:cpu_policy, hw:numa_nodes, hw:numa_cpus.N")
        return False
    return True
