"""Filters and weighers held against Nova's own, run by its own Python, over drawn hosts and requests.

Skipped where real Nova is not installed: ``make conformance-nova`` does that.
"""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sim.model.aggregate import Aggregate, ServerGroup
from sim.model.flavor import Flavor, Image
from sim.model.scheduler.loading import FILTERS
from sim.model.scheduler.request import SchedulerRequest
from sim.model.scheduler.weighers import WEIGHERS
from sim.model.scheduler.weighing import Weighing
from sim.model.server import Server
from tests.model.scheduler.clouds import SmallCloud
from tests.model.scheduler.test_against_reference import Luck

ROOT = Path(__file__).parents[3]
PYTHON = Path(os.environ.get("NOVASIM_NOVA_VENV", ROOT / ".venv-nova")) / "bin" / "python"
pytestmark = pytest.mark.skipif(not PYTHON.exists(), reason="real Nova is not installed (make conformance-nova)")

CASES, REQUESTS = 25, 6
SPECS = {
    "capabilities:hypervisor_version": [">= 7000000", "s== 8002000", "6000000", "<or> 6000000 <or> 8002000", "!= 1"],
    "capabilities:free_ram_mb": ["<= 30000", "= 20000"],
    "capabilities:cpu_info:vendor": ["Intel"],
    "hypervisor_type": ["QEMU", "<in> EM", "s!= QEMU", "<all-in> Q E"],
    "vcpus_total": [">= many", "== 16"],
    "aggregate_instance_extra_specs:disk": ["ssd", "<or> nvme <or> hdd", "<in> d", "s> hdd"],
    "hw:numa_nodes": ["1", "2"],
    "hw:cpu_policy": ["dedicated", "shared"],
    "disk": ["ssd"],
}
PROPERTIES = {
    "hw_architecture": ["x86_64", "amd64", "i586", "aarch64"],
    "img_hv_type": ["kvm", "qemu", "xen"],
    "hw_vm_mode": ["hvm", "xen"],
    "img_hv_requested_version": [">=7.0", ">=6.0,<8.2", "!=8.2.0", "==6"],
    "os_distro": ["debian", "windows"],
}
METADATA = {
    "disk": ["ssd", "hdd", "ssd, nvme"],
    "ssd": ["true"],
    "os_distro": ["debian", "debian,ubuntu"],
    "filter_tenant_id": ["demo", "other"],
    "filter_tenant_id2": ["third, demo"],
    "instance_type": ["f", "g, f"],
    "max_instances_per_host": ["1", "2", "two"],
    "max_io_ops_per_host": ["0", "3"],
    "ram_weight_multiplier": ["-1.0", "2.5", "heavy"],
    "cpu_weight_multiplier": ["3", "-0.5"],
    "build_failure_weight_multiplier": ["5"],
}
QUERIES = [
    '[">=", "$free_ram_mb", 20000]', '["or", ["=", "$host", "h1"], ["<", "$vcpus_used", 3]]',
    '["not", ["in", "$host", "h0"]]', '["and", [">", "$free_disk_mb", 1024], ["<=", "$num_instances", 2, 3]]',
    '["=", "$unknown", 1]', '["<", "$host", 4]', '["near", 1, 2]',
]  # fmt: skip
ADDRESSES = ["10.0.0.1", "10.0.1.1", "10.0.1.200", "192.168.7.9"]
OPTIONS: dict[str, list[Any]] = {
    "isolated_hosts": [[], ["h0", "h2"]],
    "isolated_images": [[], ["i0"]],
    "restrict_isolated_hosts_to_isolated_images": [True, False],
    "max_io_ops_per_host": [1, 8],
    "max_instances_per_host": [1, 3],
    "image_properties_default_architecture": [None, "x86_64", "aarch64"],
    "aggregate_image_properties_isolation_namespace": [None, "os"],
    "aggregate_image_properties_isolation_separator": [".", "_"],
    "image_props_weight_multiplier": [0.0, 2.0],
    "image_props_weight_setting": [[], ["os_distro=2.0", "hw_vm_mode=-1"]],
    "io_ops_weight_multiplier": [-1.0, 1.0],
    "num_instances_weight_multiplier": [0.0, -1.0],
    "soft_affinity_weight_multiplier": [1.0, 2.0],
    "hypervisor_version_weight_multiplier": [1.0, 0.5],
    "disk_weight_multiplier": [1.0, -1.0],
}


class Case:
    """One cloud and some requests, for both sides."""

    def __init__(self, seed: int) -> None:
        luck = self.luck = Luck(seed)
        self.options = {name: luck.choice(values) for name, values in OPTIONS.items()}
        count = luck.choice([2, 5, 8])
        self.cloud = cloud = SmallCloud(
            count, {f"filter_scheduler.{name}": value for name, value in self.options.items() if value is not None},
            aggregates=[
                Aggregate(f"a{n}", luck.some(range(count), luck.below(count + 1)), None, self._mapping(METADATA, 0.2))
                for n in range(luck.below(4))
            ],
            groups=[ServerGroup(policy, policy, luck.choice([1, 2]) if policy == "anti-affinity" else 1)
                    for policy in ("anti-affinity", "affinity", "soft-affinity", "soft-anti-affinity")],
            pinned=[luck.choice([0, 8]) for _ in range(count)], numa_nodes=[luck.choice([1, 2]) for _ in range(count)],
        )  # fmt: skip
        hosts = cloud.hosts
        hosts.hypervisor_version[:] = [luck.choice([6000000, 8002000]) for _ in range(count)]
        hosts.addresses = [luck.choice(ADDRESSES) for _ in range(count)]
        hosts.service_up[:] = [luck.random() < 0.8 for _ in range(count)]
        hosts.disabled[:] = [luck.random() < 0.1 for _ in range(count)]
        self.images = [None, *(Image(f"i{n}", 1, properties=self._mapping(PROPERTIES, 0.4)) for n in range(3))]
        for number in range(luck.below(3 * count)):
            server = self._server(f"old-{number}", luck.below(count))
            if luck.random() < 0.3:
                cloud.db.save(server, None, task_state="rebuilding")
        for host in range(count):
            for _ in range(luck.choice([0, 0, 1, 3])):
                hosts.build_failed(host)
        self.requests = [self._request(number) for number in range(REQUESTS)]

    def _mapping(self, values: dict[str, list[str]], chance: float) -> dict[str, str]:
        return {key: self.luck.choice(some) for key, some in values.items() if self.luck.random() < chance}

    def _server(self, name: str, host: int | None) -> Server:
        luck = self.luck
        flavor = Flavor(luck.choice(["f", "g"]), luck.choice([2, 4]), luck.choice([2048, 8192]), luck.choice([0, 20]),
                        extra_specs=self._mapping(SPECS, 0.15))  # fmt: skip
        hints: dict[str, Any] = {}
        names = list(self.cloud.db.servers)
        if names and luck.random() < 0.4:
            hints[luck.choice(["same_host", "different_host"])] = [f"uuid-{n}" for n in luck.some(names, 2)]
        if luck.random() < 0.3:
            hints["query"] = luck.choice(QUERIES)
        if luck.random() < 0.3:
            hints |= {"build_near_host_ip": luck.choice(ADDRESSES), "cidr": luck.choice(["/24", "/16", "/25"])}
        group = luck.choice([None, None, *self.cloud.groups])
        project = luck.choice(["demo", "other", "third"])
        image = luck.choice(self.images)
        return self.cloud.server(name, flavor, host=host, image=image, group=group, hints=hints, project=project)

    def _request(self, number: int) -> SchedulerRequest:
        old = [server for server in self.cloud.db.servers.values() if server.host is not None]
        if old and self.luck.random() < 0.3:
            return SchedulerRequest.for_move(self.luck.choice(old))
        return SchedulerRequest.for_build(self._server(f"new-{number}", None))

    # --- as JSON

    def told(self) -> str:
        hosts = [self._host(host) for host in range(len(self.cloud.hosts))]
        return json.dumps(
            {"options": self.options, "hosts": hosts, "requests": [self._asked(r) for r in self.requests]}
        )

    def _host(self, host: int) -> dict[str, Any]:
        hosts, placement = self.cloud.hosts, self.cloud.placement
        nodes = int(placement.numa.count[host])
        vcpus, memory, _, pcpus = (int(total) for total in placement.total[:, host])
        return {
            "name": hosts.names[host], "host_ip": hosts.addresses[host], "hypervisor_type": hosts.hypervisor_type[host],
            "hypervisor_version": int(hosts.hypervisor_version[host]), "total_usable_ram_mb": memory,
            "total_usable_disk_gb": int(placement.total[2, host]), "vcpus_total": vcpus,
            "vcpus_used": int(placement.used[0, host] + placement.used[3, host]),
            "free_ram_mb": int(memory - placement.used[1, host]),
            "free_disk_mb": int(placement.total[2, host] - placement.used[2, host]) * 1024,
            "num_instances": int(hosts.instances[host]), "num_io_ops": int(hosts.io_ops[host]),
            "failed_builds": int(hosts.failed_builds[host]), "cpu_allocation_ratio": float(placement.ratio[0, host]),
            "ram_allocation_ratio": float(placement.ratio[1, host]),
            "supported_instances": [[a, h, "hvm"] for a in ("x86_64", "i686") for h in ("qemu", "kvm")],
            "disabled": bool(hosts.disabled[host]), "up": bool(hosts.service_up[host]),
            "aggregates": [a.metadata for a in self.cloud.aggregates if host in a.hosts],
            "instances": [(s.uuid, s.image.properties if s.image else {})
                          for s in self.cloud.db.on_host.get(host, {}).values()],
            "nodes": [
                {"vcpus": vcpus // nodes, "pcpus": pcpus // nodes, "legacy": not pcpus, "memory_mb": memory // nodes,
                 "used_vcpus": used[0], "used_pcpus": used[1], "used_mb": used[2]}
                for used in placement.numa.used(host)
            ],
        }  # fmt: skip

    def _asked(self, request: SchedulerRequest) -> dict[str, Any]:
        flavor, server = request.flavor, request.server
        group = None if request.group is None else self.cloud.groups[request.group]
        members = [] if group is None else [self.cloud.db.servers[name] for name in group.members]
        return {
            "flavor": {"name": flavor.name, "vcpus": flavor.vcpus, "memory_mb": flavor.memory_mb,
                       "root_gb": flavor.root_gb, "ephemeral_gb": 0, "swap": 0, "extra_specs": flavor.extra_specs},
            "image_id": request.image.name if request.image else None,
            "image": request.image.properties if request.image else {}, "project": server.project, "uuid": server.uuid,
            "hints": dict(request.hints),
            "group": group and {
                "uuid": f"uuid-{group.name}", "policy": group.policy, "policies": [group.policy],
                "members": [m.uuid for m in members],
                "hosts": sorted({self.cloud.hosts.names[m.host] for m in members if m.host is not None}),
                "rules": {"max_server_per_host": group.max_server_per_host} if group.max_server_per_host > 1 else {},
            },
        }  # fmt: skip


def compare(case: Case, answers: list[dict[str, Any]]) -> None:
    cloud = case.cloud
    names, count = cloud.hosts.names, len(cloud.hosts)
    made = {path.rpartition(".")[2]: kind(cloud.view) for path, kind in FILTERS.items()}
    weighing = Weighing(cloud.view, [kind(cloud.view) for kind in WEIGHERS.values()])
    for request, answer in zip(case.requests, answers, strict=True):
        assert set(answer["filters"]) == set(made), "every filter of Nova's, and no other"
        for name, verdict in answer["filters"].items():
            if isinstance(verdict, str):
                with pytest.raises(ValueError, match=r"\w"):
                    made[name].mask(request)
                continue
            mask = made[name].mask(request)
            ours = names if mask is None else [names[host] for host in np.flatnonzero(mask).tolist()]
            assert ours == verdict, f"{name}: {case._asked(request)}"
        totals = weighing.totals(request, np.ones(count, dtype=bool), count)
        for host, weight in answer["weights"].items():
            assert totals[cloud.hosts.index[host]] == pytest.approx(weight, rel=1e-9, abs=1e-9)


def test_filters_and_weighers_say_what_novas_say() -> None:
    cases = [Case(seed) for seed in range(CASES)]
    asked = "\n".join(case.told() for case in cases)
    script = Path(__file__).with_name("nova_rules.py")
    ran = subprocess.run([PYTHON, "-W", "ignore", script], input=asked, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr[-2000:]
    removed: dict[str, int] = {}
    for case, line in zip(cases, ran.stdout.splitlines(), strict=True):
        answers = json.loads(line)
        compare(case, answers)
        for answer in answers:
            for name, verdict in answer["filters"].items():
                removed[name] = removed.get(name, 0) + (len(verdict) < len(case.cloud.hosts))
    told = {name for name, times in removed.items() if times}
    assert told == set(removed) - {"AllHostsFilter", "MetricsFilter", "PciPassthroughFilter"}, "each had its say"
