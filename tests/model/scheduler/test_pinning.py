"""Pinned CPUs and NUMA nodes: what is counted, what fits, and what the host's own claim would say."""

from __future__ import annotations

from typing import Any

import pytest

from sim.errors import LawViolation
from sim.eventlog import records as r
from sim.model.exceptions import NoValidHost
from sim.model.flavor import Flavor, Image
from sim.model.needs import resources_of
from sim.runs.checkers import check
from sim.runs.session import Session
from sim.scenario.guest_cpus import GuestNode, cpu_list, guest_cpus
from sim.scenario.spec import Scenario
from tests.model.scheduler.clouds import SmallCloud

NUMA = {"filter_scheduler.enabled_filters": ["ComputeFilter", "NUMATopologyFilter"]}
PINNED = Flavor("pinned", 4, 4096, 10, extra_specs={"hw:cpu_policy": "dedicated"})
TWO_NODES = Flavor("two", 4, 4096, 10, extra_specs={"hw:numa_nodes": "2"})


# --- what is asked for ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("specs", "properties", "expected"), [
    ({}, {}, (4, 0, ())),
    ({"hw:cpu_policy": "shared"}, {}, (4, 0, ())),
    ({"hw:cpu_policy": "dedicated"}, {}, (0, 4, ((0, 4, 1024, True),))),
    ({}, {"hw_cpu_policy": "dedicated"}, (0, 4, ((0, 4, 1024, True),))),
    ({"hw:numa_nodes": "2"}, {}, (4, 0, ((2, 0, 512, False), (2, 0, 512, False)))),
    ({"hw:cpu_policy": "dedicated"}, {"hw_numa_nodes": "2"}, (0, 4, ((0, 2, 512, True), (0, 2, 512, True)))),
    ({"hw:cpu_policy": "mixed", "hw:cpu_dedicated_mask": "0-1,^1"}, {}, (3, 1, ((3, 1, 1024, True),))),
    ({"hw:cpu_policy": "mixed", "hw:cpu_dedicated_mask": "^0"}, {}, (1, 3, ((1, 3, 1024, True),))),
    ({"hw:cpu_policy": "dedicated", "hw:emulator_threads_policy": "isolate"}, {}, (0, 5, ((0, 5, 1024, True),))),
    ({"hw:mem_page_size": "large"}, {}, (4, 0, ((4, 0, 1024, True),))),
    ({"hw:numa_nodes": "2", "hw:numa_cpus.0": "0", "hw:numa_cpus.1": "1-3", "hw:numa_mem.0": "256",
      "hw:numa_mem.1": "768"}, {}, (4, 0, ((1, 0, 256, False), (3, 0, 768, False)))),
    ({"resources:PCPU": "4"}, {}, (0, 4, ((0, 4, 1024, True),))),
])  # fmt: skip
def test_guest_cpus(specs: dict[str, str], properties: dict[str, str], expected: tuple[Any, ...]) -> None:
    """By Nova's documentation of extra specs and CPU topologies."""
    assert guest_cpus(4, 1024, specs, properties) == expected


@pytest.mark.parametrize(("specs", "properties", "says"), [
    ({"hw:cpu_policy": "pinned"}, {}, "CPU policy requested from 'flavor extra specs' is invalid"),
    ({"hw:cpu_policy": "shared"}, {"hw_cpu_policy": "dedicated"}, "not permitted to override CPU pinning"),
    ({"hw:cpu_policy": "mixed"}, {}, "can be specified from either"),
    ({"hw:cpu_policy": "mixed", "hw:cpu_dedicated_mask": "0-3"}, {}, "at least 1 pinned vCPU and 1 unpinned"),
    ({"hw:numa_nodes": "0"}, {}, "must be a number greater than 0"),
    ({"hw:numa_nodes": "3"}, {}, "cannot be evenly distributed"),
    ({"hw:numa_nodes": "2"}, {"hw_numa_nodes": "2"}, "not permitted to override NUMA configuration"),
    ({"hw:numa_nodes": "2", "hw:numa_cpus.0": "0-3"}, {}, "must be provided for all NUMA nodes"),
    ({"hw:numa_nodes": "1", "hw:numa_cpus.0": "0-3", "hw:numa_mem.0": "1"}, {}, "1 MB of memory assigned, but exp"),
    ({"hw:numa_nodes": "1", "hw:numa_cpus.0": "0-2", "hw:numa_mem.0": "1024"}, {}, "assigned to one NUMA node"),
    ({"hw:numa_nodes": "1", "hw:numa_cpus.0": "a-2", "hw:numa_mem.0": "1024"}, {}, "no range of CPUs"),
])  # fmt: skip
def test_what_nova_refuses(specs: dict[str, str], properties: dict[str, str], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        guest_cpus(4, 1024, specs, properties)


def test_cpu_lists() -> None:
    assert cpu_list(" 0-3, ^2,8 ") == {0, 1, 3, 8}


def test_overridden_amounts() -> None:
    flavor = Flavor("f", 4, 4096, 10, extra_specs={"resources:VCPU": "1", "resources:DISK_GB": "0"})
    assert resources_of(flavor, None, False) == (1, 4096, 0, 0, ())
    image = Image("i", 1, properties={"hw_cpu_policy": "dedicated"})
    assert resources_of(Flavor("g", 2, 2048, 10), image, True) == (0, 2048, 0, 2, (GuestNode(0, 2, 2048, True),))


# --- pinned CPUs ------------------------------------------------------------------------------------------------------


def test_pinned_cpus_are_counted_and_never_overcommitted() -> None:
    cloud = SmallCloud(2, {"workarounds.disable_fallback_pcpu_query": True}, pinned=[8, 4])
    assert [cloud.build(f"s{number}", PINNED) for number in range(3)] == [0, 1, 0]
    assert cloud.placement.used[3].tolist() == [8, 4]
    assert cloud.placement.used[0].tolist() == [0, 0]
    with pytest.raises(NoValidHost, match=r"No valid host was found\. $"):
        cloud.select(cloud.server("late", PINNED))


def test_without_pinned_cpus_of_their_own_hosts_are_asked_for_shared_ones() -> None:
    """As in Nova: for hosts whose operators set none aside, until NUMATopologyFilter finds that none is free."""
    cloud = SmallCloud(1, NUMA)
    server = cloud.server("s", PINNED)
    cloud.select(server)
    assert server.held[0][:4] == (4, 4096, 10, 0)
    for number in range(3):
        cloud.build(f"s{number}", PINNED)
    with pytest.raises(NoValidHost, match="There are not enough hosts available"):
        cloud.select(cloud.server("late", PINNED))


def test_weighers_see_pinned_cpus_as_used() -> None:
    """A compute node counts all vCPUs of its servers as used."""
    cloud = SmallCloud(2, pinned=8)
    cloud.server("s", PINNED, host=0)
    assert cloud.view.free_vcpus.tolist() == [60.0, 64.0]


def test_hyperthreads() -> None:
    cloud = SmallCloud(2, pinned=8)
    cloud.hosts.traits[1] = frozenset({"HW_CPU_HYPERTHREADING"})
    specs = {"hw:cpu_policy": "dedicated", "hw:cpu_thread_policy": "require"}
    assert cloud.build("with", Flavor("w", 2, 512, 1, extra_specs=specs)) == 1
    specs = {"hw:cpu_policy": "dedicated", "hw:cpu_thread_policy": "isolate"}
    assert cloud.build("without", Flavor("o", 2, 512, 1, extra_specs=specs)) == 0


# --- NUMA nodes -------------------------------------------------------------------------------------------------------


def test_a_guest_of_two_nodes_needs_a_host_of_two() -> None:
    cloud = SmallCloud(3, NUMA, numa_nodes=[1, 2, 1])
    assert cloud.select(cloud.server("s", TWO_NODES)).chosen == 1
    assert cloud.placement.numa.used(1) == [(2, 0, 2048), (2, 0, 2048)]


def test_room_on_one_node_is_what_counts() -> None:
    """Two nodes of 16 GiB each hold one guest of 12 GiB; of the 8 GiB left, no node has more than 4."""
    flavor = Flavor("wide", 1, 12288, 1, extra_specs={"hw:numa_nodes": "1"})
    cloud = SmallCloud(1, NUMA, numa_nodes=2)
    for number in range(2):
        cloud.build(f"s{number}", flavor)
    with pytest.raises(NoValidHost, match="not enough hosts"):
        cloud.select(cloud.server("s3", Flavor("less", 1, 8192, 1, extra_specs={"hw:numa_nodes": "1"})))
    assert cloud.build("plain", Flavor("plain", 1, 8192, 1)) == 0, "guests without nodes are not held to them"


@pytest.mark.parametrize(("pack", "used"), [(False, [(2, 0, 1024), (2, 0, 1024)]), (True, [(4, 0, 2048), (0, 0, 0)])])
def test_nodes_are_spread_or_packed(pack: bool, used: list[tuple[int, int, int]]) -> None:
    cloud = SmallCloud(1, NUMA, numa_nodes=2, pack_nodes=pack)
    for number in range(2):
        cloud.build(f"s{number}", Flavor("one", 2, 1024, 1, extra_specs={"hw:numa_nodes": "1"}))
    assert cloud.placement.numa.used(0) == used


def test_uneven_guests_find_their_nodes() -> None:
    specs = {"hw:numa_nodes": "2", "hw:numa_cpus.0": "0", "hw:numa_cpus.1": "1-3", "hw:numa_mem.0": "1024",
             "hw:numa_mem.1": "15360"}  # fmt: skip
    cloud = SmallCloud(2, NUMA, numa_nodes=2)
    cloud.server("old", Flavor("old", 1, 4096, 1, extra_specs={"hw:numa_nodes": "1"}), host=0)
    uneven = Flavor("uneven", 4, 16384, 1, extra_specs=specs)
    assert cloud.placement.numa.fits(resources_of(uneven, None, False).nodes).tolist() == [True, True]
    cloud.server("older", Flavor("older", 1, 2048, 1, extra_specs={"hw:numa_nodes": "1"}), host=0)
    assert cloud.placement.numa.fits(resources_of(uneven, None, False).nodes).tolist() == [False, True]


def test_the_hosts_own_claim() -> None:
    """Without NUMATopologyFilter placement grants what the host then cannot: its nodes are overfull, and it says so."""
    cloud = SmallCloud(1, {"workarounds.disable_fallback_pcpu_query": True}, pinned=8, numa_nodes=2)
    wide = Flavor("wide", 3, 1024, 1, extra_specs={"hw:cpu_policy": "dedicated"})
    servers = [cloud.server(f"s{number}", wide) for number in range(2)]
    odd = cloud.server("odd", Flavor("odd", 2, 1024, 1, extra_specs={"hw:cpu_policy": "dedicated"}))
    for server in (*servers, odd):
        cloud.select(server)
    assert [cloud.placement.granted(server, 0) for server in (*servers, odd)] == [True, True, False]
    record = cloud.db.add_migration(servers[0], "migration", "pre-migrating", 0, None)
    cloud.placement.move(servers[0], record, 0)
    cloud.placement.release_all(record)
    cloud.placement.release_all(odd)
    assert sorted(cloud.placement.numa.used(0)) == [(0, 0, 0), (0, 3, 1024)]


# --- in a whole run ---------------------------------------------------------------------------------------------------


def whole(hosts: list[dict[str, Any]], servers: list[dict[str, Any]], **more: Any) -> Session:
    """Hosts of 16 vCPUs and 64 GiB; flavors: pinned (4 CPUs of its own), plain, odd (7 vCPUs)."""
    usual = {"vcpus": 16, "memory": "64 GiB", "disk": "1 TiB"}
    size = {"memory": "4 GiB", "disk": "10 GiB"}
    return Session(Scenario.model_validate({
        "cloud": {
            "hosts": [usual | host for host in hosts],
            "flavors": [
                {"name": "pinned", "vcpus": 4, **size, "extra_specs": {"hw:cpu_policy": "dedicated"}},
                {"name": "plain", "vcpus": 4, **size}, {"name": "odd", "vcpus": 7, **size},
            ],
            "images": [{"name": "i"}, {"name": "two", "properties": {"hw_numa_nodes": "2"}}],
            "servers": [{"flavor": "pinned", "image": "i"} | server for server in servers],
            "storage": {"instances": "shared"}, "nova": {"options": more.get("options", {})},
        },
        "plan": more.get("plan", []),
    }), seed=1)  # fmt: skip


def test_a_pinned_server_moves_and_the_laws_hold() -> None:
    session = whole(
        [{"name": "h{n:1-3}", "pinned_vcpus": 8, "numa_nodes": 2}], [{"name": "vm-{n:1-3}", "host": "h{n}"}],
        options=NUMA, plan=[{"drain": {"hosts": ["h1"], "method": "live"}}],
    )  # fmt: skip
    assert session.allocations("vm-1") == {"h1": {"VCPU": 0, "MEMORY_MB": 4096, "DISK_GB": 10, "PCPU": 4}}
    session.finish()
    records = list(session.records())
    check(records)
    held = next(record for record in records if isinstance(record, r.HoldingsPresent))
    assert (held.vcpus, held.pcpus) == ([0, 0, 0], [4, 4, 4])
    host = next(iter(session.allocations("vm-1")))
    assert host != "h1"
    thief = r.Claimed(records[-1].t, "vm-3" if host == "h2" else "vm-2", host, 0, 4096, 10, 4)
    with pytest.raises(LawViolation, match=r"PCPU 12 > 8\.0"):
        check([*records, thief])


SPLIT = [{"name": "h1", "pinned_vcpus": 4}, {"name": "h2", "pinned_vcpus": 4, "numa_nodes": 2},
         {"name": "h3", "pinned_vcpus": 4}]  # fmt: skip
"""h2 has as many pinned CPUs as the others, but two on each of its nodes: placement takes it, and it refuses."""


def test_a_live_migration_goes_past_a_host_without_room_on_its_nodes() -> None:
    session = whole(SPLIT, [{"name": "vm", "host": "h1"}])
    body = {"os-migrateLive": {"host": None, "block_migration": "auto"}}
    assert session.request("vm", body, microversion="2.90").code == 202
    session.settle()
    assert session.server("vm").host == "h3"
    assert list(session.allocations("vm")) == ["h3"]
    check(list(session.records()))


def test_an_evacuation_fails_on_such_a_host() -> None:
    """Nothing was touched before the host's claim: Nova rolls back to what the server was (InstanceFaultRollback)."""
    session = whole(SPLIT[:2], [{"name": "vm", "host": "h1"}])
    session.service("h1", forced_down=True)
    assert session.request("vm", {"evacuate": {}}, microversion="2.90").code == 200
    session.settle()
    server = session.server("vm")
    assert (server.status, server.task_state, server.host) == ("ACTIVE", None, "h1")
    assert session.actions("vm")[-1].message == "Error"
    assert [migration.status for migration in session.migrations("vm")] == ["failed"]
    assert list(session.allocations("vm")) == ["h1"]


def test_a_build_goes_on_to_an_alternate() -> None:
    session = whole(SPLIT[1:], [{"name": "old", "host": "h3", "flavor": "plain"}])
    body = {"server": {"name": "new", "flavorRef": "pinned", "imageRef": "i", "networks": "none"}}
    assert session.request(None, body, microversion="2.90").code == 202
    session.settle()
    assert [record.chosen for record in session.records() if isinstance(record, r.Decision)] == ["h2"]
    assert (session.server("new").status, session.server("new").host) == ("ACTIVE", "h3")


def test_the_door_refuses_what_flavor_and_image_cannot_be_together() -> None:
    session = whole(SPLIT, [{"name": "vm", "host": "h1", "flavor": "plain", "image": "two"}])
    body = {"server": {"name": "new", "flavorRef": "odd", "imageRef": "two", "networks": "none"}}
    uneven = (
        "Instance CPUs and/or memory cannot be evenly distributed across instance NUMA nodes. Explicit assignment of "
        "CPUs and memory to nodes is required"
    )
    answer = session.request(None, body, microversion="2.90")
    assert (answer.code, answer.message) == (400, uneven)
    answer = session.request("vm", {"resize": {"flavorRef": "odd"}}, microversion="2.90")
    assert (answer.code, answer.message) == (400, uneven)
