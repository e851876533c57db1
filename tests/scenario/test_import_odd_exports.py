"""Imports of folders in which more lies than the four lists, and of clouds with more than plain hosts and flavors."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from sim.errors import InputError, visible
from sim.runs.session import Session
from sim.scenario.importers.exports import as_mapping
from sim.scenario.importers.openstack import import_openstack
from tests.scenario.test_import_openstack import (
    FLAVORS,
    HYPERVISORS,
    folder_of,
    hosts_of,
    imported,
    server,
    servers_of,
)

PLAIN: dict[str, Any] = {"s.json": [server("web-1")], "h.json": HYPERVISORS, "f.json": FLAVORS}


def service(host: str, number: Any, **columns: Any) -> dict[str, Any]:
    return {"ID": number, "Binary": "nova-compute", "Host": host, "Zone": "nova", "Status": "enabled", "State": "up",
            **columns}  # fmt: skip


def extra(name: str, *specs: tuple[str, str], vcpus: int = 4) -> dict[str, Any]:
    return {
        "ID": name,
        "Name": name,
        "RAM": 2048,
        "Disk": 20,
        "Ephemeral": 0,
        "VCPUs": vcpus,
        "Properties": dict(specs),
    }


# --- lists of other things -------------------------------------------------------------------------------------------

OTHERS: dict[str, dict[str, Any]] = {
    "volume-list.json": {"ID": "v", "Name": "web-1", "Status": "in-use", "Size": 10, "Attached to": []},
    "port-list.json": {"ID": "p", "Name": "web-1", "MAC Address": "fa:16:3e:00:00:01", "Status": "DOWN"},
    "network-list.json": {"ID": "n", "Name": "web-1", "Status": "ACTIVE", "State": "UP", "Subnets": []},
    "router-list.json": {"ID": "r", "Name": "web-1", "Status": "ACTIVE", "State": True, "Project": "p"},
    "snapshots.json": {"ID": "s", "Name": "web-1", "Description": None, "Status": "available", "Size": 1},
    "node-list.json": {"UUID": "u", "Name": "web-1", "Power State": "power on", "Provisioning State": "active"},
    "databases.json": {"ID": "d", "Name": "web-1", "Datastore": "mysql", "Status": "ERROR", "Flavor ID": "42"},
}


@pytest.mark.parametrize("name", OTHERS)
def test_lists_of_other_things_are_not_taken_for_servers(tmp_path: Path, name: str) -> None:
    """They have names and states, too; more rows than there are servers made them be believed."""
    rows = [{**OTHERS[name], "Name": label} for label in ("web-1", "other")]
    scenario, report = imported(folder_of(tmp_path, {**PLAIN, name: rows}), tmp_path)
    assert {key: one.vm_state for key, one in servers_of(scenario).items()} == {"web-1": "active"}
    assert any(line.startswith("not used") and name in line for line in report.splitlines())


def test_a_short_list_of_images_is_one(tmp_path: Path) -> None:
    images = [
        {"ID": "img-1", "Name": "debian", "Status": "active"},
        {"ID": "img-2", "Name": "arch", "Status": "queued"},
    ]
    scenario, report = imported(folder_of(tmp_path, {**PLAIN, "image-list.json": images}), tmp_path)
    assert {image.name for image in scenario.cloud.images} == {"debian", "arch"}
    assert "image-list.json: 2 images" in report


def test_other_services_of_a_host_do_not_stand_for_its_compute_service(tmp_path: Path) -> None:
    """Numbers of older microversions, agents' UUIDs: nothing but the binary tells them apart."""
    services = [service("cpu1", 7, Status="disabled"), service("cpu2", 8, State="down"), service("cpu3", 9)]
    others = [{"ID": f"{n}-{host}", "Binary": binary, "Host": host, "Status": "enabled", "State": "up"}
              for host in ("cpu1", "cpu2", "cpu3") for n, binary in enumerate(("cinder-volume", "neutron-dhcp-agent"))]  # fmt: skip
    files = {**PLAIN, "services.json": services, "volume-services.json": others}
    scenario, _ = imported(folder_of(tmp_path, files), tmp_path)
    states = {name: (one.service.status, one.service.state) for name, one in hosts_of(scenario).items()}
    assert states == {"cpu1": ("disabled", "up"), "cpu2": ("enabled", "down"), "cpu3": ("enabled", "up")}


def test_files_of_other_formats_are_told(tmp_path: Path) -> None:
    files = {"h.json": HYPERVISORS, "f.json": FLAVORS, "server-list.csv": "ID,Name\n", "notes.txt": "see wiki\n"}
    _, report = imported(folder_of(tmp_path, files), tmp_path)
    assert "server-list.csv: only *.json is read" in report
    assert "notes.txt" not in report
    alone = folder_of(tmp_path / "alone", {"server-list.csv": "ID,Name\n"})
    with pytest.raises(InputError, match=r"has server-list.csv, but no \*.json"):
        import_openstack(alone)


def test_an_empty_list_says_that_there_are_none(tmp_path: Path) -> None:
    _, report = imported(
        folder_of(tmp_path, {**PLAIN, "server-group-list.json": [], "aggregate-list.json": []}), tmp_path
    )
    assert "no list of server groups" not in report
    assert "no list of aggregates" not in report


def test_what_show_prints_is_a_list_of_one(tmp_path: Path) -> None:
    """Older clients list no hosts of aggregates; `hypervisor show` tells disks and NUMA nodes."""
    shown = {"id": "u1", "hypervisor_hostname": "cpu1", "local_gb": 900, "vcpus": 32, "servers": [],
             "cpu_info": '{"topology": {"cells": 2, "sockets": 1, "cores": 8, "threads": 2}}'}  # fmt: skip
    aggregate = {
        "id": 3,
        "name": "ssd",
        "availability_zone": None,
        "hosts": ["cpu1", "cpu3"],
        "properties": "disk='ssd'",
    }
    listed = [{"ID": 3, "Name": "ssd", "Availability Zone": None, "Properties": "disk='ssd'"}]
    files = {**PLAIN, "hypervisor-cpu1.json": shown, "aggregates.json": listed, "aggregate-ssd.json": aggregate}
    scenario, _ = imported(folder_of(tmp_path, files), tmp_path)
    hosts = hosts_of(scenario)
    assert (hosts["cpu1"].disk_gb, hosts["cpu1"].numa_nodes, hosts["cpu2"].numa_nodes) == (900, 2, 1)
    assert {name for name, one in hosts.items() if one.aggregates == ("ssd",)} == {"cpu1", "cpu3"}
    wrong = folder_of(tmp_path / "wrong", {**PLAIN, "hypervisor-cpu1.json": {**shown, "local_gb": "many"}})
    with pytest.raises(InputError, match=r"hypervisor-cpu1.json:4 local_gb: 'many' is not a whole number"):
        import_openstack(wrong)


# --- values ----------------------------------------------------------------------------------------------------------


def test_blanks_of_older_clients_and_of_tables(tmp_path: Path) -> None:
    hypervisors = [{**HYPERVISORS[0], "vCPUs": float("nan")}, *HYPERVISORS[1:]]
    servers = [server("none", Power_State="N/A"), server("table", Power_State=1.0)]
    scenario, report = imported(folder_of(tmp_path, {**PLAIN, "s.json": servers, "h.json": hypervisors}), tmp_path)
    assert {one.power_state for one in servers_of(scenario).values()} == {None}
    assert "no export has vcpus of these hosts, taken as the commonest (32): cpu1" in report


def test_texts_of_properties_keep_their_commas() -> None:
    assert as_mapping("role='db, primary', owner='a=b'") == {"role": "db, primary", "owner": "a=b"}
    assert as_mapping("hw:numa_cpus.0='0,1'") == {"hw:numa_cpus.0": "0,1"}
    assert as_mapping("a=b, c=d") == {"a": "b", "c": "d"}
    assert as_mapping("nothing of it") is None


def test_names_that_screens_and_yaml_cannot_show_are_kept(tmp_path: Path) -> None:
    names = ["bell\x07", "red\x1b[31m", "turned\u202e", "two\nlines", "- *a: [b] #c", "😀"]
    servers = [server(name, Host=None, Status="ERROR", Task_State="scheduling") for name in names]
    scenario, report = imported(folder_of(tmp_path, {**PLAIN, "s.json": servers}), tmp_path)
    assert [one.name for one in sorted(scenario.cloud.servers, key=lambda one: str(one.uuid))] == sorted(
        names, key=lambda name: sum(map(ord, name))
    )
    text = (tmp_path / "cloud.yaml").read_text()
    assert "bell\\x07" in text
    assert "\x07" not in text + visible(report)
    assert "\x1b" not in text


def test_what_contradicts_itself_is_told(tmp_path: Path) -> None:
    hypervisors = [*HYPERVISORS, {**HYPERVISORS[0], "ID": "u9", "Hypervisor Hostname": "cpu1.example.com", "vCPUs": 8}]
    files = {**PLAIN, "h.json": hypervisors,
             "c.json": [service("cpu1", "a"), service("cpu2", "b"), service("cpu3", "c"),
                        service("cpu1", "d", State="down")],
             "g.json": [{"ID": "g", "Name": "etcd", "Policy": "affinity", "Members": ["who"]}],
             "g2.json": [{"ID": "h", "Name": "kafka", "Policy": "affinity"}]}  # fmt: skip
    scenario, report = imported(folder_of(tmp_path, files), tmp_path)
    assert (hosts_of(scenario)["cpu1"].vcpus, hosts_of(scenario)["cpu1"].service.state) == (32, "up")
    assert (
        "hosts with several hypervisors that differ (one of another name before?), the first is believed: cpu1"
        in report
    )
    assert "compute services that are listed twice, the first is believed: cpu1" in report
    assert "members that no list of servers has (deleted, or not seen?), left out: who" in report
    _, report = imported(folder_of(tmp_path / "short", {**PLAIN, "g2.json": files["g2.json"]}), tmp_path)
    assert "no file lists members of server groups" in report


def test_hosts_are_one_in_capitals_too_and_told_where_they_may_be_two(tmp_path: Path) -> None:
    hypervisors = [{**row, "Hypervisor Hostname": f"CPU{n}.EXAMPLE.COM"} for n, row in enumerate(HYPERVISORS, 1)]
    services = [service(f"cpu{n}", n) for n in (1, 2, 3)]
    scenario, report = imported(folder_of(tmp_path, {**PLAIN, "h.json": hypervisors, "c.json": services}), tmp_path)
    assert {name: one.vcpus for name, one in hosts_of(scenario).items()} == {"cpu1": 32, "cpu2": 32, "cpu3": 32}
    assert "under two names" not in report
    cluster = [*HYPERVISORS[:2], {**HYPERVISORS[2], "Hypervisor Hostname": "domain-c7.e8"}]
    files = {**PLAIN, "h.json": cluster, "c.json": services}
    _, report = imported(folder_of(tmp_path / "two", files), tmp_path)
    assert "are they the same hosts under two names? Then they are here twice" in report
    shown = {"id": "u3", "hypervisor_hostname": "domain-c7.e8", "service_host": "cpu3"}
    scenario, report = imported(folder_of(tmp_path / "told", {**files, "hypervisor-cpu3.json": shown}), tmp_path)
    assert set(hosts_of(scenario)) == {"cpu1", "cpu2", "cpu3"}
    assert "under two names" not in report


def test_a_pin_to_a_zone_that_is_gone_is_left_out(tmp_path: Path) -> None:
    column = "Pinned Availability Zone"
    rows = [{**server("old"), column: "az-old"}, {**server("new"), column: "nova"}]
    scenario, report = imported(folder_of(tmp_path, {**PLAIN, "s.json": rows}), tmp_path)
    assert {name: one.availability_zone for name, one in servers_of(scenario).items()} == {"old": None, "new": "nova"}
    assert "pinned to zones that no host is in, which is left out: old (az-old)" in report


# --- bare metal, placement -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("told", [{}, {"service": {"host": "metal.example.com"}}])
def test_bare_metal_is_left_out_with_its_servers(tmp_path: Path, told: dict[str, Any]) -> None:
    """With the service that the API tells, and without, as the clients list it."""
    node = {"ID": "n1", "Hypervisor Hostname": "0f7c-node", "Hypervisor Type": "ironic", "State": "up", **told}
    services = [service(host, host) for host in ("cpu1", "cpu2", "cpu3", "metal.example.com")]
    files = {**PLAIN, "h.json": [*HYPERVISORS, node], "c.json": services,
             "s.json": [server("virtual"), server("real", Host="metal")]}  # fmt: skip
    scenario, report = imported(folder_of(tmp_path, files), tmp_path)
    assert set(hosts_of(scenario)) == {"cpu1", "cpu2", "cpu3"}
    assert set(servers_of(scenario)) == {"virtual"}
    assert "1 server on bare metal, left out: real" in report


INVENTORY = [{"resource_class": "VCPU", "allocation_ratio": 2.0, "total": 12, "reserved": 0},
             {"resource_class": "PCPU", "allocation_ratio": 1.0, "total": 20, "reserved": 0}]  # fmt: skip


def test_an_inventory_is_of_the_host_that_its_file_names(tmp_path: Path) -> None:
    providers = [{"uuid": "77aa-provider", "name": "cpu2", "generation": 4}]
    files = {**PLAIN, "inventory-cpu11.json": INVENTORY, "inventory-cpu1-2.json": INVENTORY, "resource-provider-list.json":
             providers, "inventory-77aa-provider.json": INVENTORY, "inventory-cpu3.example.com.json": INVENTORY}  # fmt: skip
    scenario, report = imported(folder_of(tmp_path, files), tmp_path)
    assert {name: (one.vcpus, one.pinned_vcpus) for name, one in hosts_of(scenario).items()} == {
        "cpu1": (32, 0), "cpu2": (12, 20), "cpu3": (12, 20)}  # fmt: skip
    for name in ("inventory-cpu11.json", "inventory-cpu1-2.json"):
        assert f"{name}: an inventory of no known host" in report


# --- what flavors ask for --------------------------------------------------------------------------------------------

ASKING = [extra("pinned", ("hw:cpu_policy", "dedicated")), extra("numa", ("hw:numa_nodes", "2")),
          extra("avx", ("trait:HW_CPU_X86_AVX512F", "required")), extra("gpu", ("resources:VGPU", "1"))]  # fmt: skip


def asking(**files: Any) -> dict[str, Any]:
    servers = [server(flavor, Flavor=flavor, Host=f"cpu{1 + number % 3}")
               for number, flavor in enumerate(("pinned", "numa", "avx", "gpu"))]  # fmt: skip
    return {**PLAIN, "f.json": [*FLAVORS, *ASKING], "s.json": servers, **files}


def test_hosts_have_what_their_servers_prove_that_they_have(tmp_path: Path) -> None:
    scenario, report = imported(folder_of(tmp_path, asking()), tmp_path)
    hosts = hosts_of(scenario)
    assert {one.numa_nodes for one in hosts.values()} == {2}
    assert {name: (one.vcpus, one.pinned_vcpus) for name, one in hosts.items()} == {
        "cpu1": (32, 4), "cpu2": (32, 0), "cpu3": (32, 0)}  # fmt: skip
    assert {name for name, one in hosts.items() if "HW_CPU_X86_AVX512F" in one.traits} == {"cpu3"}
    for words in ("no export tells NUMA nodes", "only as many as their servers hold", "HW_CPU_X86_AVX512F only where",
                  "their servers find no other host: gpu (VGPU)"):  # fmt: skip
        assert words in report


def test_servers_that_ask_for_much_move_where_exports_tell_that_they_can(tmp_path: Path) -> None:
    traits = [{"name": "HW_CPU_X86_AVX512F"}, {"name": "COMPUTE_NODE"}]
    told = {f"traits-cpu{n}.json": traits for n in (1, 2, 3)} | {f"inventory-cpu{n}.json": INVENTORY for n in (1, 2, 3)}
    scenario, report = imported(folder_of(tmp_path, asking(**told)), tmp_path)
    assert "traits of hosts" not in report
    session = Session(scenario, seed=1)
    for name in ("pinned", "numa", "avx", "gpu"):
        assert session.request(name, {"migrate": None}).code == 202
    session.settle()
    assert {name: session.server(name).status for name in ("pinned", "numa", "avx", "gpu")} == {
        "pinned": "VERIFY_RESIZE", "numa": "VERIFY_RESIZE", "avx": "VERIFY_RESIZE", "gpu": "ACTIVE"}  # fmt: skip


def test_pinned_cpus_of_nova_conf(tmp_path: Path) -> None:
    conf = "[compute]\ncpu_dedicated_set = 2-15,^3,34\n"
    scenario, report = imported(folder_of(tmp_path, asking(**{"nova.conf": conf})), tmp_path)
    assert {(one.vcpus, one.pinned_vcpus) for one in hosts_of(scenario).values()} == {(32, 14)}
    assert "14 CPUs of each host are for pinned guests" in report


def test_pinned_guests_fit_on_hosts_that_have_nothing_else(tmp_path: Path) -> None:
    only = [{**INVENTORY[1], "total": 4}]
    files = asking(**{"inventory-cpu1.json": only, "s.json": [server("pinned", Flavor="pinned")]})
    scenario, report = imported(folder_of(tmp_path, files), tmp_path)
    assert (hosts_of(scenario)["cpu1"].vcpus, hosts_of(scenario)["cpu1"].pinned_vcpus) == (0, 4)
    assert "overfull" not in report


def test_flavors_that_nova_refuses_and_nobody_has_are_left_out(tmp_path: Path) -> None:
    flavors = [*FLAVORS, extra("odd", ("hw:numa_nodes", "none"))]
    scenario, report = imported(folder_of(tmp_path, {**PLAIN, "f.json": flavors}), tmp_path)
    assert {flavor.name for flavor in scenario.cloud.flavors} == {"m1.small", "m1.big"}
    assert "flavors that Nova refuses and no server has, left out: odd (" in report
    used = folder_of(tmp_path / "used", {**PLAIN, "f.json": flavors, "s.json": [server("a", Flavor="odd")]})
    with pytest.raises(InputError, match=r"f.json:\d+ \[2\].Properties: Nova refuses such a server"):
        import_openstack(used)


def test_disks_on_shared_storage_count_as_placement_counts_them(tmp_path: Path) -> None:
    files = {**PLAIN, "nova.conf": "[libvirt]\nimages_type = rbd\n", "s.json": [server("a"), server("b")]}
    _, report = imported(folder_of(tmp_path, files), tmp_path, host_defaults="disk=30GiB")
    assert "cpu1 (DISK_GB 40 of 30)" in report


# --- what is wrong, said of the exports -----------------------------------------------------------------------------


def test_one_mistake_of_many_servers_is_told_once_and_where_it_is(tmp_path: Path) -> None:
    many = [server(f"s{n}", Flavor="gone") for n in range(40)] + [server("huge", Flavor="huge")]
    flavors = [*FLAVORS, {**extra("huge"), "RAM": 2**20}]
    with pytest.raises(InputError) as unknown:
        import_openstack(folder_of(tmp_path, {**PLAIN, "s.json": many, "f.json": flavors}))
    assert [issue.what for issue in unknown.value.issues] == [
        "no export says how large the flavor 'gone' of 40 servers is"
    ]
    with pytest.raises(InputError) as large:
        import_openstack(folder_of(tmp_path, {**PLAIN, "s.json": many[-1:], "f.json": flavors}))
    assert [issue.where.partition("export")[2] for issue in large.value.issues] == ["/s.json:11 [0].Flavor"]
    assert large.value.issues[0].what == "'huge' needs 1 TiB of memory, more than any host has"


def test_a_mistake_in_every_row_of_a_large_export_is_told_in_some(tmp_path: Path) -> None:
    rows = [{**server(f"s{n}", Power_State="on"), "ID": f"{n:036d}"} for n in range(3000)]
    with pytest.raises(InputError) as told:
        import_openstack(folder_of(tmp_path, {**PLAIN, "s.json": rows}))
    issues = told.value.issues
    assert len(issues) == 21
    per_row = len(rows[0]) + 2
    for number, issue in enumerate(issues):
        assert f"s.json:{2 + per_row * number + list(rows[0]).index('Power State') + 1} [{number}]" in issue.where
    assert issues[-1].what == "'on' is no power state, and so in 2,980 places from here"
