"""The columns of the clients' output, under one name each, and which of them tell what a file lists.

Columns are compared without case, blanks and punctuation: ``vCPUs Used``, ``vcpus_used`` and ``VCPUsUsed`` are one.
Names come from python-openstackclient 3 to 10, openstacksdk's resources and Nova's own API.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

_SIGNS = re.compile(r"[^a-z0-9]+")

COLUMNS: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "servers": {
        "id": ("ID", "UUID"),
        "name": ("Name",),
        "status": ("Status",),
        "vm_state": ("vm_state", "OS-EXT-STS:vm_state"),
        "task_state": ("Task State", "OS-EXT-STS:task_state"),
        "power_state": ("Power State", "OS-EXT-STS:power_state"),
        "flavor": ("Flavor", "Flavor Name", "Flavor ID"),
        "flavor_id": ("Flavor ID",),
        "host": ("compute_host", "OS-EXT-SRV-ATTR:host", "Host", "hypervisor_hostname",
                 "OS-EXT-SRV-ATTR:hypervisor_hostname"),
        "zone": ("Availability Zone", "OS-EXT-AZ:availability_zone"),
        "pinned_zone": ("Pinned Availability Zone",),
        "hints": ("Scheduler Hints", "OS-SCH-HNT:scheduler_hints"),
        "image": ("Image", "Image Name"),
        "image_id": ("Image ID",),
        "project": ("Project ID", "tenant_id", "Project"),
        "user": ("User ID", "User"),
        "locked": ("is_locked", "Locked"),
        "metadata": ("Properties", "metadata"),
        "volumes": ("attached_volumes", "volumes_attached", "os-extended-volumes:volumes_attached"),
        "host_status": ("Host Status",),
        "networks": ("Networks", "addresses"),
        "created": ("created_at", "created"),
    },
    "hypervisors": {
        "id": ("ID",),
        "name": ("Hypervisor Hostname", "name"),
        "type": ("Hypervisor Type",),
        "version": ("Hypervisor Version",),
        "state": ("State",),
        "status": ("Status",),
        "service": ("service_details", "service", "Service Host"),
        "vcpus": ("vCPUs",),
        "vcpus_used": ("vCPUs Used",),
        "memory_mb": ("Memory MB", "memory_size", "Memory"),
        "memory_used_mb": ("Memory MB Used", "memory_used"),
        "disk_gb": ("local_disk_size", "local_gb", "Local GB", "Local Disk Size"),
        "aggregates": ("aggregates", "Aggregates"),
        "ip": ("Host IP",),
        "cpu_info": ("CPU info",),
    },
    "services": {
        "id": ("ID",),
        "binary": ("Binary",),
        "host": ("Host",),
        "zone": ("Zone", "availability_zone"),
        "status": ("Status",),
        "state": ("State",),
        "reason": ("Disabled Reason", "disables_reason"),
        "forced_down": ("Forced Down", "is_forced_down", "force_down"),
        "updated": ("Updated At",),
    },
    "aggregates": {
        "id": ("ID",),
        "uuid": ("UUID",),
        "name": ("Name",),
        "zone": ("Availability Zone",),
        "metadata": ("Properties", "metadata"),
        "hosts": ("Hosts",),
    },
    "groups": {
        "id": ("ID",),
        "name": ("Name",),
        "policy": ("Policy", "Policies"),
        "rules": ("Rules",),
        "members": ("Members", "member_ids"),
    },
    "flavors": {
        "id": ("ID",),
        "name": ("Name",),
        "ram": ("RAM",),
        "disk": ("Disk",),
        "ephemeral": ("Ephemeral", "OS-FLV-EXT-DATA:ephemeral"),
        "vcpus": ("VCPUs",),
        "swap": ("Swap",),
        "extra_specs": ("Properties", "extra_specs", "OS-FLV-WITH-EXT-SPECS:extra_specs"),
    },
    "images": {
        "id": ("ID",),
        "name": ("Name",),
        "status": ("Status",),
        "size": ("Size",),
        "min_disk": ("Min Disk",),
        "min_ram": ("Min RAM",),
        "disk_format": ("Disk Format",),
        "container_format": ("Container Format",),
        "visibility": ("Visibility",),
    },
    "migrations": {
        "id": ("Id", "UUID"),
        "source": ("Source Compute",),
        "destination": ("Dest Compute",),
        "status": ("Status",),
        "server": ("Server UUID", "server_id", "instance_uuid"),
        "type": ("Type", "migration_type"),
    },
    "inventories": {
        "resource_class": ("Resource Class",),
        "total": ("Total",),
        "reserved": ("Reserved",),
        "ratio": ("Allocation Ratio",),
        "used": ("Used",),
    },
    "providers": {
        "id": ("UUID",),
        "name": ("Name",),
    },
    "traits": {
        "name": ("Name",),
    },
}  # fmt: skip
"""What a file lists → field → its columns, the best first."""

_TELLING: tuple[tuple[str, tuple[tuple[str, ...], ...]], ...] = (
    ("servers", (("Networks",), ("Power State",), ("Task State",), ("vm_state",), ("addresses",), ("Host Status",),
                 ("compute_host",), ("OS-EXT-SRV-ATTR:host",), ("Flavor",), ("Flavor Name",), ("Flavor ID",))),
    ("images", (("Disk Format",), ("Container Format",))),
    ("hypervisors", (("Hypervisor Hostname",), ("Hypervisor Type",), ("memory_size", "vcpus"))),
    ("services", (("Binary",),)),
    ("groups", (("Members",), ("member_ids",), ("Policy", "Name"), ("Policies", "Name"))),
    ("flavors", (("RAM",), ("rxtx_factor", "Name"))),
    ("migrations", (("Source Compute",), ("Dest Compute",))),
    ("inventories", (("Resource Class", "Total"),)),
    ("providers", (("UUID", "Name", "Generation"),)),
    ("aggregates", (("Hosts", "Name"), ("Availability Zone", "Properties", "Name"))),
    ("servers", (("Name", "Status", "Host"),)),
)  # fmt: skip
"""Columns of which any group, being there, tells what a file lists. Looked at in this order."""

_OTHERS = (
    "MAC Address", "Attached to", "Volume Type", "Subnets", "subnet_ids", "Floating IP Address",
    "External gateway info", "Provisioning State", "Agent Type", "Datastore", "node_count", "Share Proto",
)  # fmt: skip
"""Columns of lists that are none of ours, though others of theirs are like ours: ports, volumes, networks, …"""

_NAMED = (("aggregate", "aggregates"), ("service", "services"), ("group", "groups"), ("flavor", "flavors"),
          ("image", "images"), ("migration", "migrations"), ("inventor", "inventories"), ("trait", "traits"),
          ("hypervisor", "hypervisors"), ("server", "servers"), ("instance", "servers"))  # fmt: skip
"""Part of a file's name → what it lists, where the columns do not tell."""


def plain(column: str) -> str:
    """A column's name without case, blanks and punctuation."""
    return _SIGNS.sub("", column.lower())


def kind_of(columns: Iterable[str], stem: str) -> str | None:
    """What a file with these columns lists; the file's name decides where they do not, if all of them go with it."""
    found = {plain(column) for column in columns}
    if any(plain(one) in found for one in _OTHERS):
        return None
    for kind, groups in _TELLING:
        if any(all(plain(one) in found for one in group) for group in groups):
            return kind
    named = named_after(stem)
    known = {plain(one) for names in COLUMNS[named].values() for one in names} if named is not None else set()
    return named if found <= known else None


def named_after(stem: str) -> str | None:
    """What a file of this name should list."""
    return next((kind for word, kind in _NAMED if word in stem.lower()), None)


COMMANDS: Mapping[str, str] = {
    "servers": "openstack server list --all-projects --long --no-name-lookup -f json > server-list.json",
    "hypervisors": "openstack --os-compute-api-version 2.53 hypervisor list --long -f json > hypervisor-list.json",
    "services": "openstack compute service list --long -f json > compute-service-list.json",
    "aggregates": "openstack aggregate list --long -f json > aggregate-list.json",
    "groups": "openstack server group list --all-projects --long -f json > server-group-list.json",
    "flavors": "openstack flavor list --long --all -f json > flavor-list.json",
    "images": "openstack image list --long -f json > image-list.json",
    "migrations": "openstack server migration list -f json > migration-list.json",
}
"""The commands that make the files."""
