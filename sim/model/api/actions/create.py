"""Creating servers."""

from __future__ import annotations

from typing import Any

from sim.model.api.actions.values import password, true
from sim.model.api.asked import Asked, Reply
from sim.model.api.faults import ApiFault
from sim.model.api.images import check_cpus, check_fits
from sim.model.api.zones import available_zones, zone_of
from sim.model.flavor import Flavor, Image

_TO_HOST = "compute:servers:create:requested_destination"


def create(asked: Asked) -> Reply:
    """POST on servers. Flavors, images and server groups go by their names."""
    body: dict[str, Any] = asked.argument
    spec = dict(body["server"])
    hints = body.get("os:scheduler_hints") or body.get("OS-SCH-HNT:scheduler_hints") or {}
    min_count = int(spec.get("min_count", 1))
    max_count = int(spec.get("max_count", min_count))
    if min_count > max_count:
        raise ApiFault(400, "min_count must be <= max_count")
    asked.can("servers:create")
    zone, forced = _place(asked, spec)
    requested = _requested(asked, spec, forced is not None)
    from_volume = _volumes(asked, spec)
    if spec.get("networks") not in (None, "none", []):
        asked.can("servers:create:attach_network")
    flavor = _flavor(asked, spec)
    _check(asked, spec, zone, forced, max_count)
    image = _image(asked, spec)
    check_fits(
        asked, flavor, min_memory_mb=0 if image is None else image.min_memory_mb, from_volume=from_volume,
        min_disk_gb=0 if image is None else image.min_disk_gb, size_b=0 if image is None else image.size_b,
    )  # fmt: skip
    check_cpus(flavor, image)
    if "group" in hints and hints["group"] not in asked.cloud.groups:
        raise ApiFault(400, f"Instance group {hints['group']} could not be found.")
    dest = _known(asked, requested)
    count = asked.quotas.check_create(asked.caller.project, flavor, min_count, max_count)
    spec.update(
        min_count=count, max_count=count, scheduler_hints=hints, availability_zone=zone, from_volume=from_volume
    )
    return _build(asked, spec, _known(asked, forced), dest)


def _build(asked: Asked, spec: dict[str, Any], forced: int | None, dest: int | None) -> Reply:
    cloud = asked.cloud
    servers = cloud.conductor.building.admit(asked.ctx, spec)
    cloud.cast(cloud.conductor.building.build(asked.ctx, servers, force_host=forced, requested_host=dest), servers[0])
    if true(spec.get("return_reservation_id", False)):
        return Reply(202, {"reservation_id": f"r-{asked.ctx.request.removeprefix('req-')}"})
    answer: dict[str, Any] = {"id": servers[0].uuid, "OS-DCF:diskConfig": spec.get("OS-DCF:diskConfig", "MANUAL")}
    if cloud.options["api.enable_instance_password"]:
        answer["adminPass"] = password(cloud, servers[0].name, spec)
    return Reply(202, {"server": answer})


# --- where ------------------------------------------------------------------------------------------------------------


def _place(asked: Asked, spec: dict[str, Any]) -> tuple[str | None, str | None]:
    """Zone and forced host of ``zone``, ``zone:host`` or ``zone:host:node``."""
    zone, forced = spec.get("availability_zone"), None
    if zone and ":" in zone:
        parts = zone.split(":")
        if len(parts) > 3:
            raise ApiFault(400, "Invalid input received: Unable to parse availability_zone")
        zone = parts[0]
        forced = parts[1] or parts[-1]
    zone = zone or asked.cloud.options["DEFAULT.default_schedule_zone"]
    if forced:
        asked.can("servers:create:forced_host")
        host = asked.cloud.hosts.index.get(forced)
        if host is None or zone_of(asked.cloud, host) != zone:
            zone = None
    return zone, forced or None


def _requested(asked: Asked, spec: dict[str, Any], forced: bool) -> str | None:
    """The host of the ``host`` or ``hypervisor_hostname`` field (2.74): unlike a forced one it is filtered."""
    host = spec.get("host") or spec.get("hypervisor_hostname")
    if asked.version < (2, 74) or not host:
        return None
    asked.can_on(_TO_HOST, asked.caller.project, asked.caller.user)
    if forced:
        raise ApiFault(
            400, "One mechanism with host and/or hypervisor_hostname and another mechanism with zone:host:node are "
            "mutually exclusive.",
        )  # fmt: skip
    return str(host)


def _known(asked: Asked, name: str | None) -> int | None:
    if name is None:
        return None
    host = asked.cloud.hosts.index.get(name)
    if host is None:
        raise ApiFault(400, f"Compute host {name} could not be found.")
    return host


# --- of what ----------------------------------------------------------------------------------------------------------


def _volumes(asked: Asked, spec: dict[str, Any]) -> bool:
    """Whether the server boots from a volume; other volumes are of no matter here. An image is needed, else.

    A cloud without any image makes servers without one, as its scenario does.
    """
    volumes, old = spec.get("block_device_mapping_v2") or [], spec.get("block_device_mapping")
    if volumes and old:
        raise ApiFault(400, "Using different block_device_mapping syntaxes is not allowed in the same request.")
    if volumes or old:
        asked.can("servers:create:attach_volume")
    elif not spec.get("imageRef") and asked.cloud.glance:
        raise ApiFault(400, "Missing imageRef attribute")
    return any(_boots(volume) for volume in volumes)


def _boots(volume: Any) -> bool:
    """Whether a block device is a volume that the server boots from."""
    if not isinstance(volume, dict) or str(volume.get("boot_index")) != "0":
        return False
    return volume.get("destination_type") == "volume" or volume.get("source_type") in {"volume", "snapshot"}


def _flavor(asked: Asked, spec: dict[str, Any]) -> Flavor:
    wanted = str(spec["flavorRef"]).rsplit("/", maxsplit=1)[-1]
    flavor = asked.cloud.flavors.get(wanted)
    if flavor is None:
        raise ApiFault(400, f"Flavor {wanted} could not be found.")
    spec["flavorRef"] = wanted
    return flavor


def _image(asked: Asked, spec: dict[str, Any]) -> Image | None:
    """The image, or that of the volume that the server boots from."""
    wanted, wrong = spec.get("imageRef"), "Can not find requested image"
    if not wanted:
        volumes = [
            v for v in spec.get("block_device_mapping_v2") or () if _boots(v) and v.get("source_type") == "image"
        ]
        wanted = volumes[0].get("uuid") if volumes else None
        wrong = f"Block Device Mapping is Invalid: failed to get image {wanted}."
    if not wanted:
        return None
    image = asked.cloud.glance.get(wanted)
    if image is None:
        raise ApiFault(400, wrong)
    spec["imageRef"] = wanted
    return image


def _check(asked: Asked, spec: dict[str, Any], zone: str | None, forced: str | None, max_count: int) -> None:
    if spec.get("hostname") and max_count > 1:
        raise ApiFault(400, "Unable to allocate a single hostname to multiple instances")
    if zone and forced is None and zone not in available_zones(asked.cloud):
        raise ApiFault(400, "The requested availability zone is not available")
