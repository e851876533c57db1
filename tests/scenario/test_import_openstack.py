"""Imports of operators' exports: what the files say is in the cloud, whatever client and columns they came from."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from sim.errors import InputError
from sim.scenario.expand import HostRow, ServerRow, expand_hosts, expand_servers
from sim.scenario.importers.openstack import import_openstack, write_scenario
from sim.scenario.loader import examine
from sim.scenario.spec import Scenario

EXPORT = Path(__file__).parents[2] / "scenarios" / "openstack-export"
GIB = 2**30


def exported(name: str) -> Any:
    return json.loads((EXPORT / name).read_text())


def folder_of(tmp_path: Path, files: dict[str, Any]) -> Path:
    folder = tmp_path / "export"
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / name).write_text(content if isinstance(content, str) else json.dumps(content, indent=1))
    return folder


def imported(folder: Path, tmp_path: Path, **options: Any) -> tuple[Scenario, str]:
    """The scenario as it is written and read back, and the report."""
    data, report = import_openstack(folder, **options)
    path = write_scenario(data, tmp_path / "cloud.yaml")
    return examine(path).scenario, "\n".join(report)


def hosts_of(scenario: Scenario) -> dict[str, HostRow]:
    return {row.name: row for row in expand_hosts(scenario.cloud)}


def servers_of(scenario: Scenario) -> dict[str, ServerRow]:
    return {row.name: row for row in expand_servers(scenario.cloud)}


def only(names: Iterable[str], tmp_path: Path) -> Path:
    folder = tmp_path / "export"
    folder.mkdir(parents=True)
    for name in names:
        shutil.copy(EXPORT / name, folder)
    return folder


HYPERVISORS = [{"ID": f"u{n}", "Hypervisor Hostname": f"cpu{n}", "Hypervisor Type": "QEMU", "State": "up", "vCPUs": 32,
                "vCPUs Used": 0, "Memory MB": 131072, "Memory MB Used": 512} for n in (1, 2, 3)]  # fmt: skip
FLAVORS = [{"ID": "42", "Name": "m1.small", "RAM": 2048, "Disk": 20, "Ephemeral": 0, "VCPUs": 1, "Is Public": True},
           {"ID": "43", "Name": "m1.big", "RAM": 8192, "Disk": 80, "Ephemeral": 10, "VCPUs": 4, "Swap": 512,
            "Properties": {"hw:cpu_policy": "shared"}}]  # fmt: skip


def server(name: str, **columns: Any) -> dict[str, Any]:
    row = {"ID": f"00000000-0000-4000-8000-{sum(map(ord, name)):012d}", "Name": name, "Status": "ACTIVE",
           "Task State": None, "Power State": 1, "Networks": {}, "Image ID": "img-1", "Image Name": "debian",
           "Flavor": "m1.small", "Host": "cpu1"}  # fmt: skip
    return {**row, **{key.replace("_", " "): value for key, value in columns.items()}}


# --- the samples -----------------------------------------------------------------------------------------------------


def test_every_server_is_where_the_export_says_in_the_state_it_says(tmp_path: Path) -> None:
    scenario, _ = imported(EXPORT, tmp_path)
    found = servers_of(scenario)
    rows = exported("server-list.json")
    assert len(found) == len(rows) == 100
    states = {"ACTIVE": "active", "SHUTOFF": "stopped", "PAUSED": "paused", "ERROR": "error"}
    for row in rows:
        one = found[row["Name"]]
        assert (one.uuid, one.host, one.flavor) == (row["ID"], row["Host"], row["Flavor"])
        assert one.vm_state == states[row["Status"]]
        assert one.project == row["Project ID"]
    assert {name for name, one in found.items() if one.group == "etcd"} == {f"etcd-0{n}" for n in range(1, 6)}


def test_hosts_have_the_capacities_zones_aggregates_and_services_of_the_export(tmp_path: Path) -> None:
    scenario, _ = imported(EXPORT, tmp_path)
    hosts = hosts_of(scenario)
    for row in exported("hypervisor-list-2.53.json"):
        host = hosts[row["Hypervisor Hostname"]]
        assert (host.vcpus, host.memory_mb) == (row["vCPUs"], row["Memory MB"])
        assert host.rack == host.name.partition("-")[0]
        assert host.hypervisor_version == 8002002  # only the SDK's export has it
        assert (host.reserved_memory_mb, host.cpu_ratio, host.ram_ratio) == (4096, 8.0, 1.0)  # nova.conf
    for row in exported("aggregate-list.json"):
        members = {host.name for host in hosts.values() if row["Name"] in host.aggregates}
        assert members == set(row["Hosts"])
        if row["Availability Zone"]:
            assert {hosts[name].zone for name in members} == {row["Availability Zone"]}
    assert {a.name: dict(a.metadata) for a in scenario.cloud.aggregates}["ssd"] == {"storage": "ssd"}
    assert {name for name, host in hosts.items() if host.service.status == "disabled"} == {"r02-c03"}
    assert {name for name, host in hosts.items() if host.service.forced_down} == {"r03-c02"}
    assert scenario.cloud.storage.instances == "shared"  # images_type = rbd
    assert not {"conductor", "scheduler"} & set(hosts)


def test_flavors_are_those_of_the_export(tmp_path: Path) -> None:
    scenario, _ = imported(EXPORT, tmp_path)
    for row, flavor in zip(exported("flavor-list.json"), scenario.cloud.flavors, strict=True):
        assert (flavor.name, flavor.vcpus, flavor.memory) == (row["Name"], row["VCPUs"], row["RAM"] * 2**20)
        assert flavor.disk == row["Disk"] * GIB
        assert flavor.extra_specs == row["Properties"]


def test_each_gap_is_told(tmp_path: Path) -> None:
    _, report = imported(EXPORT, tmp_path)
    for words in ("no export has disks", "racks of 20 hosts are read from their names", "guests do to their memory",
                  "sizes of images are unknown", "report 512 MiB in use, the options reserve 4096", "overfull"):  # fmt: skip
        assert words in report
    text = (tmp_path / "cloud.yaml").read_text()
    assert "# Assumed:" in text
    assert "no export has disks" in text.replace("\n#   ", " ")


CLI = (
    "server-list.json",
    "flavor-list.json",
    "compute-service-list.json",
    "aggregate-list.json",
    "server-group-list.json",
)
SDK = ("sdk-servers.json", "sdk-flavors.json", "sdk-services.json", "sdk-aggregates.json", "sdk-server_groups.json",
       "sdk-hypervisors.json")  # fmt: skip


def test_either_server_list_and_hypervisor_list_give_the_same_cloud(tmp_path: Path) -> None:
    clouds = []
    for servers in ("server-list.json", "server-list-2.96.json"):
        folder = only([servers, *CLI[1:], "hypervisor-list-2.53.json"], tmp_path / servers)
        clouds.append(imported(folder, tmp_path)[0].cloud)
    assert clouds[0] == clouds[1]
    newest, report = imported(only([*CLI, "hypervisor-list.json"], tmp_path / "newest"), tmp_path,
                              host_defaults="vcpus=48,memory=384GiB,disk=8TiB")  # fmt: skip
    assert newest.cloud == clouds[0]
    assert "vcpus from --host-defaults" in report


def test_the_sdk_alone_gives_its_servers_in_the_same_places(tmp_path: Path) -> None:
    folder = only(SDK, tmp_path / "sdk")
    with pytest.raises(InputError, match="no export has the capacities"):
        import_openstack(folder)
    scenario, _ = imported(folder, tmp_path, host_defaults="vcpus=48,memory=384GiB,disk=8TiB")
    whole, _ = imported(EXPORT, tmp_path)
    everyone, found = servers_of(whole), servers_of(scenario)
    assert len(found) == len(exported("sdk-servers.json"))
    for name, one in found.items():
        other = everyone[name]
        assert (one.host, one.vm_state, one.flavor, one.group) == (
            other.host,
            other.vm_state,
            other.flavor,
            other.group,
        )
    assert hosts_of(scenario).keys() == hosts_of(whole).keys()
    assert {n: h.service for n, h in hosts_of(scenario).items()} == {n: h.service for n, h in hosts_of(whole).items()}


def test_the_file_is_the_same_each_time_and_only_imports_are_overwritten(tmp_path: Path) -> None:
    data, _ = import_openstack(EXPORT)
    path = write_scenario(data, tmp_path / "cloud.yaml")
    first = path.read_bytes()
    write_scenario(import_openstack(EXPORT)[0], path)
    assert path.read_bytes() == first
    path.write_text("name: mine\n")
    with pytest.raises(InputError, match="is no import"):
        write_scenario(data, path)
    assert path.read_text() == "name: mine\n"


@pytest.mark.parametrize("missing", sorted(path.name for path in EXPORT.glob("*.json")))
def test_any_one_file_may_be_missing(tmp_path: Path, missing: str) -> None:
    folder = only([path.name for path in EXPORT.glob("*.json") if path.name != missing], tmp_path / "some")
    options = {"host_defaults": "vcpus=48,memory=384GiB"} if missing == "hypervisor-list-2.53.json" else {}
    scenario, report = imported(folder, tmp_path, **options)
    assert len(servers_of(scenario)) == 100
    assert len(hosts_of(scenario)) == 20
    assert "no nova.conf: Nova's defaults" in report


@pytest.mark.parametrize("kind", ["aggregate", "compute-service", "server-group", "flavor", "hypervisor"])
def test_a_kind_may_be_missing_altogether(tmp_path: Path, kind: str) -> None:
    plural = {"compute-service": "services", "server-group": "server_groups"}.get(kind, f"{kind}s")
    kept = [path.name for path in EXPORT.glob("*.json") if not path.name.startswith((kind, f"sdk-{plural}"))]
    folder = only(kept, tmp_path / "some")
    if kind == "flavor":  # servers of the SDK's export tell theirs; all flavors in use are among them or not
        used = {row["Flavor"] for row in exported("server-list.json")}
        told = {row["flavor"]["name"] for row in exported("sdk-servers.json")}
        if used - told:
            with pytest.raises(InputError, match="no export says how large the flavor"):
                import_openstack(folder)
            return
    scenario, report = imported(folder, tmp_path, host_defaults="vcpus=48,memory=384GiB")
    assert len(servers_of(scenario)) == 100
    zones = Counter(host.zone for host in hosts_of(scenario).values())
    if kind != "hypervisor":
        assert zones == {"az1": 10, "az2": 10}  # services tell zones where aggregates do not
    words = {"aggregate": "no list of aggregates", "compute-service": "no list of compute services",
             "server-group": "no file lists, its policy is unknown", "flavor": "no list of flavors",
             "hypervisor": "from --host-defaults"}[kind]  # fmt: skip
    assert words in report


# --- other operators' exports ----------------------------------------------------------------------------------------


def test_a_selection_of_columns_is_enough(tmp_path: Path) -> None:
    rows = [{"Name": "web-1", "Status": "ACTIVE", "Flavor Name": "m1.small", "Host": "cpu2"},
            {"Name": "web-2", "Status": "SHUTOFF", "Flavor Name": "m1.big", "Host": "cpu3"}]  # fmt: skip
    files = {"servers.json": rows, "hypervisors.json": HYPERVISORS, "flavors.json": FLAVORS}
    scenario, report = imported(folder_of(tmp_path, files), tmp_path)
    found = servers_of(scenario)
    assert {name: (one.host, one.vm_state) for name, one in found.items()} == {
        "web-1": ("cpu2", "active"), "web-2": ("cpu3", "stopped")}  # fmt: skip
    assert "no column tells the image" in report
    assert "no column tells the zone" in report
    assert scenario.cloud.flavors[1].swap == 512 * 2**20
    assert scenario.cloud.flavors[1].ephemeral == 10 * GIB


def test_flavors_by_id_by_old_text_and_by_object(tmp_path: Path) -> None:
    rows = [
        server("by-id", Flavor="43"),
        server("by-text", Flavor="m1.big (43)"),
        server("by-object", Flavor={"id": "43"}),
        server("deleted", Flavor={"original_name": "old.tiny", "vcpus": 2, "ram": 1024, "disk": 5, "ephemeral": 0,
                                  "swap": 0, "extra_specs": {}}),
    ]  # fmt: skip
    rows[0].pop("Flavor")
    rows[0] |= {"Flavor Name": "", "Flavor ID": "43"}
    files = {"s.json": rows, "h.json": HYPERVISORS, "f.json": FLAVORS}
    scenario, _ = imported(folder_of(tmp_path, files), tmp_path)
    assert {name: one.flavor for name, one in servers_of(scenario).items()} == {
        "by-id": "m1.big", "by-text": "m1.big", "by-object": "m1.big", "deleted": "old.tiny"}  # fmt: skip
    tiny = next(flavor for flavor in scenario.cloud.flavors if flavor.name == "old.tiny")
    assert (tiny.vcpus, tiny.memory, tiny.disk) == (2, GIB, 5 * GIB)


def test_servers_of_a_flavor_that_was_made_anew_keep_their_size(tmp_path: Path) -> None:
    """The list has the flavor as it is now; older servers bring it as it was."""
    then = {
        "original_name": "m1.small",
        "vcpus": 4,
        "ram": 512,
        "disk": 3,
        "ephemeral": 2,
        "swap": "",
        "extra_specs": {},
    }
    now = {
        "original_name": "m1.small",
        "vcpus": 1,
        "ram": 2048,
        "disk": 20,
        "ephemeral": 0,
        "swap": "",
        "extra_specs": {},
    }
    rows = [server("old-1", Flavor=then), server("new", Flavor=now), server("old-2", Flavor=then), server("named")]
    listed = [{"ID": "1", "Name": "m1.small", "RAM": 2048, "Disk": 20, "Ephemeral": 0, "VCPUs": 1, "Is Public": True}]
    for flavors in (listed, []):
        files = {"s.json": rows if flavors else rows[1::-1] + rows[2:], "h.json": HYPERVISORS} | (
            {"f.json": flavors} if flavors else {}
        )
        folder = tmp_path / str(len(flavors))
        folder.mkdir()
        scenario, report = imported(folder_of(folder, files), folder)
        assert {name: one.flavor for name, one in servers_of(scenario).items()} == {
            "old-1": "m1.small@4-512-5", "new": "m1.small", "old-2": "m1.small@4-512-5", "named": "m1.small"}  # fmt: skip
        older = next(one for one in scenario.cloud.flavors if one.name == "m1.small@4-512-5")
        assert (older.vcpus, older.memory, older.disk, older.ephemeral) == (4, 512 * 2**20, 3 * GIB, 2 * GIB)
        assert "m1.small in another size" in report


def test_all_that_files_say_of_a_flavor_counts(tmp_path: Path) -> None:
    """The list knows a deleted flavor by its id only, `server show` of one server by all of it but the id."""
    listed = [server("shown"), server("alike")]
    for row in listed:
        row.pop("Flavor")
        row |= {"Flavor Name": "", "Flavor ID": "b7c1"}
    shown = {
        "id": listed[0]["ID"],
        "name": "shown",
        "flavor": {
            "original_name": "old.tiny",
            "vcpus": 2,
            "ram": 1024,
            "disk": 5,
            "ephemeral": 0,
            "swap": 0,
            "extra_specs": {},
        },
    }
    for order in ("a", "z"):  # whichever file is read first
        files = {
            "m-list.json": listed,
            f"{order}-show.json": {"servers": [shown]},
            "h.json": HYPERVISORS,
            "f.json": FLAVORS,
        }
        scenario, _ = imported(folder_of(tmp_path / order, files), tmp_path)
        assert {name: one.flavor for name, one in servers_of(scenario).items()} == {
            "shown": "old.tiny", "alike": "old.tiny"}  # fmt: skip


@pytest.mark.parametrize(
    ("columns", "state", "task"),
    [
        ({"Status": "SUSPENDED", "Power_State": 4}, "suspended", None),
        ({"Status": "RESCUE"}, "rescued", None),
        ({"Status": "SHELVED", "Power_State": 4}, "shelved", None),
        ({"Status": "SHELVED_OFFLOADED", "Power_State": 4, "Host": None}, "shelved_offloaded", None),
        ({"Status": "SOFT_DELETED", "Power_State": 4}, "soft-delete", None),
        ({"Status": "VERIFY_RESIZE"}, "resized", None),
        ({"Status": "MIGRATING", "Task_State": "migrating"}, "active", "migrating"),
        ({"Status": "MIGRATING", "Task_State": "migrating", "Power_State": 3}, "paused", "migrating"),
        ({"Status": "RESIZE", "Task_State": "resize_migrating"}, "active", "resize_migrating"),
        ({"Status": "REBOOT", "Task_State": "reboot_started"}, "active", "reboot_started"),
        ({"Status": "BUILD", "Task_State": "spawning", "Power_State": 0}, "building", "spawning"),
        ({"Status": "BUILD", "Task_State": "scheduling", "Power_State": 0, "Host": None}, "building", "scheduling"),
        ({"Status": "ERROR", "Power_State": 0, "Host": None}, "error", None),
        ({"Status": "ERROR", "Power_State": 0, "Host": ""}, "error", None),
        ({"Status": "UNKNOWN"}, "active", None),
        ({"Status": "FROBNICATED", "Power_State": 4}, "stopped", None),
        ({"Status": "shutoff", "Power_State": "Shutdown"}, "stopped", None),
        ({"Status": "ACTIVE", "Task_State": "None", "Power_State": "Running"}, "active", None),
    ],
    ids=lambda value: value["Status"] if isinstance(value, dict) else None,
)
def test_every_status_of_nova_and_some_that_are_not(
    tmp_path: Path, columns: dict[str, Any], state: str, task: str | None
) -> None:
    files = {"s.json": [server("one", **columns)], "h.json": HYPERVISORS, "f.json": FLAVORS}
    scenario, report = imported(folder_of(tmp_path, files), tmp_path)
    one = servers_of(scenario)["one"]
    assert (one.vm_state, one.task_state) == (state, task)
    hostless = not columns.get("Host", "cpu1")
    assert (one.host is None) == hostless
    assert one.hostless == (hostless and state != "shelved_offloaded")
    if columns["Status"] in {"UNKNOWN", "FROBNICATED"}:
        assert f"status {columns['Status']} is not of a server at rest" in report
    if state == "resized":
        assert one.resized_from in {"cpu2", "cpu3"}
        assert "no export says from where" in report


def test_a_resized_server_came_from_where_the_migrations_say(tmp_path: Path) -> None:
    one = server("one", Status="VERIFY_RESIZE")
    moves = [{"Id": 7, "UUID": "m", "Source Node": "cpu3", "Dest Node": "cpu1", "Source Compute": "cpu3",
              "Dest Compute": "cpu1", "Status": "finished", "Server UUID": one["ID"], "Type": "resize"}]  # fmt: skip
    files = {"s.json": [one], "h.json": HYPERVISORS, "f.json": FLAVORS, "migrations.json": moves}
    scenario, _ = imported(folder_of(tmp_path, files), tmp_path)
    assert servers_of(scenario)["one"].resized_from == "cpu3"


def test_hosts_with_and_without_their_domain_are_one(tmp_path: Path) -> None:
    hypervisors = [
        {**row, "Hypervisor Hostname": f"{row['Hypervisor Hostname']}.dc.example.com"} for row in HYPERVISORS
    ]
    services = [{"ID": n, "Binary": "nova-compute", "Host": f"cpu{n}", "Zone": "az1", "Status": "enabled",
                 "State": "up" if n < 3 else "down", "Updated At": "2026-01-01T00:00:00"} for n in (1, 2, 3)]  # fmt: skip
    aggregates = [{"ID": 4, "Name": "rackish", "Availability Zone": "az1", "Properties": {"rack": "B7"},
                   "Hosts": ["cpu1", "cpu2", "gone"]}]  # fmt: skip
    files = {
        "s.json": [server("one")],
        "h.json": hypervisors,
        "f.json": FLAVORS,
        "svc.json": services,
        "a.json": aggregates,
    }
    scenario, report = imported(folder_of(tmp_path, files), tmp_path)
    hosts = hosts_of(scenario)
    assert list(hosts) == ["cpu1", "cpu2", "cpu3"]
    assert hosts["cpu3"].service.state == "down"
    assert hosts["cpu1"].rack == "B7"
    assert {host.zone for host in hosts.values()} == {"az1"}
    assert "aggregates name hosts that nothing else lists, left out: gone in rackish" in report


def test_names_that_a_scenario_cannot_have(tmp_path: Path) -> None:
    twin = {**server("web"), "ID": "11111111-0000-4000-8000-000000000000", "Host": "cpu2"}
    odd = server("vm-{{ id }}: #1, 'quoted'")
    files = {
        "s.json": [server("web"), twin, odd, server("yes"), server("0x1F")],
        "h.json": HYPERVISORS,
        "f.json": FLAVORS,
    }
    scenario, report = imported(folder_of(tmp_path, files), tmp_path)
    found = servers_of(scenario)
    assert set(found) == {"web", "web-2", "vm-(( id )): #1, 'quoted'", "yes", "0x1F"}
    assert {found["web"].host, found["web-2"].host} == {"cpu1", "cpu2"}
    assert "another server has the same name" in report


def test_groups_by_policy_lists_hints_and_names(tmp_path: Path) -> None:
    one, two, three = server("one"), server("two"), server("three")
    two["Scheduler Hints"] = {"group": ["g2"], "different_host": ["x"]}
    three["Scheduler Hints"] = {"group": "unlisted"}
    groups = [{"ID": "g1", "Name": "apart", "Policies": "anti-affinity", "Members": one["ID"]},
              {"ID": "g2", "Name": "apart", "Policies": ["soft-affinity"], "Members": []}]  # fmt: skip
    files = {"s.json": [one, two, three], "h.json": HYPERVISORS, "f.json": FLAVORS, "g.json": groups}
    scenario, report = imported(folder_of(tmp_path, files), tmp_path)
    found = servers_of(scenario)
    assert (found["one"].group, found["two"].group, found["three"].group) == ("apart", "apart-2", None)
    assert {g.name: g.policy for g in scenario.cloud.server_groups} == {
        "apart": "anti-affinity",
        "apart-2": "soft-affinity",
    }
    assert dict(found["two"].hints) == {"different_host": ["x"]}
    assert "in a server group that no file lists" in report


def test_boot_from_volume_locks_zones_and_metadata(tmp_path: Path) -> None:
    volume = {**server("volume"), "Image ID": "", "Image Name": "N/A (booted from volume)"}
    pinned = {**server("pinned"), "Pinned Availability Zone": "nova", "Locked": True, "Properties": {"role": "db"}}
    files = {"s.json": [volume, pinned], "h.json": HYPERVISORS, "f.json": FLAVORS,
             "images.json": [{"ID": "img-1", "Name": "debian", "Disk Format": "qcow2", "Size": 3 * GIB, "Min Disk": 5}]}  # fmt: skip
    scenario, report = imported(folder_of(tmp_path, files), tmp_path)
    found = servers_of(scenario)
    assert (found["volume"].boot_from, found["volume"].image) == ("volume", None)
    assert (found["pinned"].boot_from, found["pinned"].image) == ("image", "debian")
    assert (found["pinned"].availability_zone, found["pinned"].locked) == ("nova", True)
    assert dict(found["pinned"].metadata) == {"role": "db"}
    assert (scenario.cloud.images[0].size, scenario.cloud.images[0].min_disk) == (3 * GIB, 5 * GIB)
    assert "sizes of images are unknown" not in report


def test_answers_of_the_api_itself(tmp_path: Path) -> None:
    body = {"servers": [{"id": "22222222-0000-4000-8000-000000000000", "name": "raw", "status": "PAUSED",
                         "OS-EXT-STS:vm_state": "paused", "OS-EXT-STS:task_state": None, "OS-EXT-STS:power_state": 3,
                         "OS-EXT-SRV-ATTR:host": "cpu2", "OS-EXT-SRV-ATTR:hypervisor_hostname": "cpu2", "locked": True,
                         "flavor": {"original_name": "m1.small", "vcpus": 1, "ram": 2048, "disk": 20, "ephemeral": 0,
                                    "swap": 0, "extra_specs": {}}, "image": {"id": "img-1"}, "tenant_id": "p"}]}  # fmt: skip
    hypervisors = {"hypervisors": [{"id": 1, "hypervisor_hostname": f"cpu{n}", "hypervisor_type": "QEMU", "state": "up",
                                    "hypervisor_version": 8002002, "status": "enabled", "vcpus": 32, "vcpus_used": 0,
                                    "memory_mb": 131072, "memory_mb_used": 512, "local_gb": 900,
                                    "service": {"host": f"cpu{n}", "id": n, "disabled_reason": None}}
                                   for n in (1, 2)]}  # fmt: skip
    hypervisors["hypervisors"][1]["id"] = 2
    scenario, report = imported(folder_of(tmp_path, {"servers.json": body, "hypervisors.json": hypervisors}), tmp_path)
    one = servers_of(scenario)["raw"]
    assert (one.host, one.vm_state, one.locked, one.image, one.project) == ("cpu2", "paused", True, "img-1", "p")
    assert {host.disk_gb for host in hosts_of(scenario).values()} == {900}
    assert "no export has disks" not in report


def test_inventories_of_placement_are_believed(tmp_path: Path) -> None:
    inventory = [{"resource_class": "VCPU", "allocation_ratio": 4.0, "total": 64, "reserved": 2, "used": 0},
                 {"resource_class": "MEMORY_MB", "allocation_ratio": 1.5, "total": 262144, "reserved": 8192, "used": 0},
                 {"resource_class": "DISK_GB", "allocation_ratio": 1.0, "total": 1800, "reserved": 10, "used": 0}]  # fmt: skip
    bare = [{key: row[key] for key in ("ID", "Hypervisor Hostname", "State")} for row in HYPERVISORS]
    files = {"h.json": bare, "f.json": FLAVORS, "s.json": [server("one")],
             **{f"inventory-cpu{n}.json": inventory for n in (1, 2, 3)}}  # fmt: skip
    scenario, _ = imported(folder_of(tmp_path, files), tmp_path)
    for host in hosts_of(scenario).values():
        assert (host.vcpus, host.memory_mb, host.disk_gb) == (64, 262144, 1800)
        assert (host.reserved_vcpus, host.reserved_memory_mb, host.reserved_disk_gb) == (2, 8192, 10)
        assert (host.cpu_ratio, host.ram_ratio, host.disk_ratio) == (4.0, 1.5, 1.0)


def test_servers_that_somebody_does_not_see_are_noticed(tmp_path: Path) -> None:
    hypervisors = [{**HYPERVISORS[0], "vCPUs Used": 9}, *HYPERVISORS[1:]]
    files = {"s.json": [server("one")], "h.json": hypervisors, "f.json": FLAVORS}
    _, report = imported(folder_of(tmp_path, files), tmp_path)
    assert "did `server list` have --all-projects? cpu1 (9 vcpus in use, 1 by the servers listed)" in report


def test_files_that_are_none_of_ours_are_named(tmp_path: Path) -> None:
    files = {"s.json": [server("one")], "h.json": HYPERVISORS, "f.json": FLAVORS, "show.json": {"id": 1, "name": "x"},
             "volumes.json": [{"ID": "v", "Size": 3}], "none.json": []}  # fmt: skip
    _, report = imported(folder_of(tmp_path, files), tmp_path)
    for name in ("show.json", "volumes.json", "none.json"):
        assert any(line.startswith("not used") and name in line for line in report.splitlines())


def test_an_empty_cloud_is_a_cloud(tmp_path: Path) -> None:
    scenario, report = imported(folder_of(tmp_path, {"h.json": HYPERVISORS}), tmp_path)
    assert not scenario.cloud.servers
    assert "no list of servers: the cloud is empty" in report
