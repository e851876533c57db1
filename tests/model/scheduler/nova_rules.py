"""Run by real Nova's Python: what Nova's own filters and weighers say of hosts and requests that come as JSON.

One case a line on standard input, one answer a line on standard output. Nothing of the simulator is used here.
"""

import json
import sys
from types import SimpleNamespace
from unittest import mock

import nova.conf
import nova.objects
from nova import objects
from nova.scheduler import filters, host_manager, weights
from nova.virt import hardware

CONF = nova.conf.CONF
CELL = "00000000-0000-0000-0000-000000000001"


class ServiceGroup:
    """Believes what it is told."""

    @staticmethod
    def service_is_up(service):
        return service["up"]


def host_state(row):
    """A host as the scheduler of Nova sees it."""
    host = host_manager.HostState(row["name"], row["name"], CELL)
    for key in (
        "host_ip", "hypervisor_type", "hypervisor_version", "total_usable_ram_mb", "total_usable_disk_gb",
        "vcpus_total", "vcpus_used", "free_ram_mb", "free_disk_mb", "num_instances", "num_io_ops", "failed_builds",
        "cpu_allocation_ratio", "ram_allocation_ratio", "supported_instances",
    ):  # fmt: skip
        setattr(host, key, row[key])
    host.stats = {}
    host.metrics = []
    host.service = {"disabled": row["disabled"], "up": row["up"]}
    host.aggregates = [SimpleNamespace(metadata=metadata) for metadata in row["aggregates"]]
    host.instances = dict(row["instances"])
    host.allocation_candidates = [{"mappings": {}}]
    host.numa_topology = numa(row["nodes"])
    return host


def numa(nodes):
    """A host's NUMA nodes: CPUs, pinned CPUs, memory, and what is used of each."""
    cells, first = [], 0
    for number, node in enumerate(nodes):
        shared = set(range(first, first + node["vcpus"]))
        pinned = shared if node["legacy"] else set(range(first + 1000, first + 1000 + node["pcpus"]))
        first += node["vcpus"] + node["pcpus"]
        cells.append(
            objects.NUMACell(
                id=number, cpuset=shared, pcpuset=pinned, memory=node["memory_mb"], cpu_usage=node["used_vcpus"],
                memory_usage=node["used_mb"], pinned_cpus=set(sorted(pinned)[: node["used_pcpus"]]), mempages=[],
                siblings=[{cpu} for cpu in sorted(shared | pinned)], socket=0,
            )
        )  # fmt: skip
    return objects.NUMATopology(cells=cells)


def request_spec(row):
    """A request as the scheduler of Nova sees it."""
    flavor = objects.Flavor(flavorid=row["flavor"]["name"], is_public=True, **row["flavor"])
    identity = {"id": row["image_id"]} if row["image_id"] else {}
    image = objects.ImageMeta.from_dict({"properties": row["image"], **identity})
    spec = objects.RequestSpec(
        flavor=flavor, image=image, project_id=row["project"], instance_uuid=row["uuid"], num_instances=1,
        scheduler_hints={
            key: value if isinstance(value, list) else [value] for key, value in row["hints"].items()
        },
        instance_group=None, pci_requests=objects.InstancePCIRequests(requests=[]),
        requested_resources=[], numa_topology=hardware.numa_get_constraints(flavor, image),
    )  # fmt: skip
    if row["group"]:
        spec.instance_group = objects.InstanceGroup(**row["group"])
    return spec


def passing(filter_, hosts, spec):
    """Names of the hosts that pass, or the error."""
    try:
        return [host.host for host in filter_.filter_all(hosts, spec)]
    except Exception as error:
        return type(error).__name__


def answer(case):
    """What each filter and all weighers together say."""
    for name, value in case["options"].items():
        CONF.set_override(name, value, group="filter_scheduler")
    found = []
    kinds = filters.HostFilterHandler().get_all_classes()
    for row in case["requests"]:
        verdicts = {}
        for kind in kinds:
            made = kind()
            if hasattr(made, "servicegroup_api"):
                made.servicegroup_api = ServiceGroup
            verdicts[kind.__name__] = passing(made, [host_state(host) for host in case["hosts"]], request_spec(row))
        handler = weights.HostWeightHandler()
        weighers = [kind() for kind in handler.get_all_classes()]
        weighed = handler.get_weighed_objects(weighers, [host_state(h) for h in case["hosts"]], request_spec(row))
        found.append({"filters": verdicts, "weights": {one.obj.host: one.weight for one in weighed}})
    return found


class Servers(list):
    """A host's servers with what the weigher of image properties wants to know of them."""

    def __init__(self, context, objects):
        super().__init__(
            SimpleNamespace(image_meta=nova.objects.ImageMeta.from_dict({"properties": image})) for image in objects
        )

    def fill_metadata(self):
        """It is there already."""


objects.register_all()
CONF([], project="nova", default_config_files=[])
for name in ("nova.objects.CellMapping.get_by_uuid", "nova.context.target_cell", "nova.context.get_admin_context"):
    mock.patch(name, mock.MagicMock()).start()
mock.patch("nova.objects.InstanceList", Servers).start()
for line in sys.stdin:
    print(json.dumps(answer(json.loads(line))), flush=True)
