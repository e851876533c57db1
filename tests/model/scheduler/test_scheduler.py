"""The scheduler's own part of a decision: luck, claims, alternates, words, records."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from scipy.stats import chisquare

from sim.eventlog import records as r
from sim.model.aggregate import Aggregate, ServerGroup
from sim.model.exceptions import NovaException, NoValidHost
from sim.model.flavor import Flavor, Image, Resources
from sim.model.placement import Placement
from sim.model.scheduler.request import SchedulerRequest, Selection
from tests.model.scheduler.clouds import SMALL, SmallCloud

NO_CANDIDATES = "No valid host was found. "
NO_HOSTS = "No valid host was found. There are not enough hosts available."
HUGE = Flavor("huge", 1, 2**20, 0)


def refusal(cloud: SmallCloud, flavor: Flavor = SMALL, **request: Any) -> str:
    """What the scheduler says when there is no host."""
    server = cloud.server("refused", flavor)
    with pytest.raises(NoValidHost) as caught:
        cloud.select(server, **request)
    assert server.held == {}
    decision = cloud.log.records[-1]
    assert isinstance(decision, r.Decision)
    assert (decision.chosen, decision.reason) == (None, str(caught.value))
    return str(caught.value)


# --- words ------------------------------------------------------------------------------------------------------------


def test_nothing_fits() -> None:
    assert refusal(SmallCloud(), HUGE) == NO_CANDIDATES


def test_all_disabled() -> None:
    cloud = SmallCloud()
    cloud.hosts.disabled[:] = True
    assert refusal(cloud) == NO_CANDIDATES


def test_all_down() -> None:
    cloud = SmallCloud()
    cloud.hosts.service_up[:] = False
    assert refusal(cloud) == NO_HOSTS


def test_all_ignored() -> None:
    assert refusal(SmallCloud(2), ignore=(0, 1)) == NO_HOSTS


def test_named_host_is_full() -> None:
    cloud = SmallCloud(2)
    cloud.server("big", Flavor("big", 1, 32768, 0), host=1)
    assert refusal(cloud, requested_host=1) == NO_CANDIDATES


def test_tenant_without_aggregate() -> None:
    options = {
        "scheduler.limit_tenants_to_placement_aggregate": True,
        "scheduler.placement_aggregate_required_for_tenants": True,
    }
    assert refusal(SmallCloud(options=options)) == "No valid host was found. No hosts available for tenant"


def test_extra_spec_that_is_no_number() -> None:
    """Nova's scheduler fails at it, and so the request fails, but not for want of a host."""
    cloud = SmallCloud()
    server = cloud.server("s", Flavor("f", 1, 1, 0, extra_specs={"capabilities:free_ram_mb": ">= much"}))
    with pytest.raises(NovaException, match="could not convert string to float: 'much'") as caught:
        cloud.select(server)
    assert not isinstance(caught.value, NoValidHost)


# --- claims and alternates --------------------------------------------------------------------------------------------


class Contested(Placement):
    """Somebody else is quicker on some hosts."""

    lost: frozenset[int] = frozenset()

    def claim(self, consumer: Any, host: int, resources: Resources, *, force: bool = False) -> bool:
        return host not in self.lost and super().claim(consumer, host, resources, force=force)


@pytest.mark.parametrize("options", [{}, {"filter_scheduler.shuffle_best_same_weighed_hosts": True}])
def test_a_lost_claim_goes_on_to_the_next_host(options: dict[str, Any]) -> None:
    cloud = SmallCloud(5, options, placement=Contested)
    Contested.lost = frozenset({0, 1, 3, 4})
    server = cloud.server("s")
    selection = cloud.select(server, 2)
    assert selection.chosen == 2
    assert set(server.held) == {2}
    assert len(selection.alternates) == 2
    assert 2 not in selection.alternates


def test_all_claims_lost() -> None:
    cloud = SmallCloud(5, placement=Contested)
    Contested.lost = frozenset(range(5))
    assert refusal(cloud) == NO_HOSTS


def test_alternates_are_the_next_best_and_claim_nothing() -> None:
    cloud = SmallCloud(4, explain=True)
    for host, count in enumerate((3, 0, 2, 1)):
        for number in range(count):
            cloud.server(f"old-{host}-{number}", host=host)
    selection = cloud.select(cloud.server("s"), 5)
    assert (selection.chosen, selection.alternates) == (1, [3, 2, 0])
    assert cloud.placement.used[0].tolist() == [6, 2, 4, 2]


def test_force_host_passes_filters_but_not_placement() -> None:
    cloud = SmallCloud(3)
    cloud.hosts.service_up[2] = False
    assert cloud.select(cloud.server("s"), force_host=2).chosen == 2
    cloud.hosts.disabled[2] = True
    assert refusal(cloud, force_host=2) == NO_CANDIDATES


# --- several servers of one request -----------------------------------------------------------------------------------


def several(cloud: SmallCloud, count: int, alternates: int = 0, **more: Any) -> list[Selection]:
    """Ask for so many servers at once."""
    servers = [cloud.server(f"one-of-{number}", **more) for number in range(count)]
    return cloud.scheduler.select_all([SchedulerRequest.for_build(server) for server in servers], alternates)


def uneven(**more: Any) -> SmallCloud:
    """One host is so large that weighers alone would put everything there."""
    return SmallCloud(3, total=[[16, 64, 16], [32768, 10**6, 32768], [500, 5000, 500]], **more)


@pytest.mark.parametrize(("policy", "hosts"), [("anti-affinity", [1, 0, 2]), ("affinity", [1, 1, 1])])
def test_servers_of_one_request_see_each_other(policy: str, hosts: list[int]) -> None:
    cloud = uneven(groups=[ServerGroup("g", policy)])
    assert [selection.chosen for selection in several(cloud, 3, group="g")] == hosts
    assert cloud.hosts.instances.tolist() == cloud.hosts.io_ops.tolist() == [0, 0, 0]


def test_all_or_none() -> None:
    cloud = uneven(groups=[ServerGroup("g", "anti-affinity")])
    with pytest.raises(NoValidHost) as caught:
        several(cloud, 4, group="g")
    assert str(caught.value) == NO_HOSTS
    assert cloud.placement.used.sum() == 0
    assert cloud.hosts.instances.tolist() == [0, 0, 0]
    assert isinstance(cloud.log.records[-1], r.Released)


def test_full_at_the_second_server() -> None:
    cloud = SmallCloud(1)
    with pytest.raises(NoValidHost) as caught:
        several(cloud, 2, flavor=Flavor("half", 1, 20000, 0))
    assert str(caught.value) == NO_HOSTS, "placement was asked once, and had an answer"


def test_no_alternate_is_the_host_of_another() -> None:
    found = several(SmallCloud(5), 3, alternates=4)
    assert [selection.chosen for selection in found] == [0, 1, 2]
    assert {tuple(selection.alternates) for selection in found} == {(3, 4)}


# --- luck -------------------------------------------------------------------------------------------------------------


def chosen(options: dict[str, Any], seed: int, servers: int = 300) -> list[int]:
    """The choice among six equal, huge hosts, over and over."""
    count = 6
    cloud = SmallCloud(count, options, seed=seed, total=[[10**6] * count, [10**9] * count, [10**6] * count])
    found = []
    for number in range(servers):
        server = cloud.server(f"s{number}")
        found.append(cloud.select(server).chosen)
        cloud.placement.release_all(server)
    return found


@pytest.mark.parametrize("options", [
    {"filter_scheduler.shuffle_best_same_weighed_hosts": True}, {"filter_scheduler.host_subset_size": 6},
])  # fmt: skip
def test_luck_is_fair_and_its_own(options: dict[str, Any]) -> None:
    found = chosen(options, 1, 1200)
    assert found == chosen(options, 1, 1200)
    assert found != chosen(options, 2, 1200)
    assert chisquare([Counter(found)[host] for host in range(6)]).pvalue > 0.001


def test_without_luck_the_first_of_equals() -> None:
    assert set(chosen({}, 1)) == {0}


def test_a_subset_is_of_the_best() -> None:
    cloud = SmallCloud(5, {"filter_scheduler.host_subset_size": 2})
    for host in (0, 2, 4):
        cloud.server(f"old-{host}", host=host)
    found = set()
    for number in range(40):
        server = cloud.server(f"s{number}")
        selection = cloud.select(server, 1)
        found.add(selection.chosen)
        assert {selection.chosen, *selection.alternates} == {1, 3}
        cloud.placement.release_all(server)
    assert found == {1, 3}


# --- what placement looks at ------------------------------------------------------------------------------------------


def test_max_placement_results_except_for_groups_and_neighbours() -> None:
    cloud = SmallCloud(9, {"scheduler.max_placement_results": 3})
    assert cloud.select(cloud.server("a")).offered == 3
    assert cloud.select(cloud.server("b", hints={"different_host": ["uuid-a"]})).offered == 9


def test_zones_are_aggregates() -> None:
    cloud = SmallCloud(3, aggregates=[Aggregate("a", [1], zone="east")], zones=["nova", "east", "nova"])
    assert cloud.select(cloud.server("pinned", az="east")).offered == 1
    assert cloud.select(cloud.server("free")).offered == 3
    assert cloud.select(cloud.server("default", az="nova")).offered == 3, "no aggregate is called nova"


def test_isolated_aggregates_and_traits_of_images() -> None:
    options = {"scheduler.enable_isolated_aggregate_filtering": True, "scheduler.image_metadata_prefilter": True}
    cloud = SmallCloud(3, options, aggregates=[Aggregate("a", [2], metadata={"trait:CUSTOM_WINDOWS": "required"})])
    cloud.hosts.traits = [frozenset(), frozenset({"COMPUTE_STORAGE_BUS_VIRTIO"}), frozenset({"CUSTOM_WINDOWS"})]
    assert cloud.select(cloud.server("plain")).offered == 2
    windows = Image("windows", 1, properties={"trait:CUSTOM_WINDOWS": "required"})
    assert cloud.select(cloud.server("windows", image=windows)).chosen == 2
    virtio = Image("virtio", 1, properties={"hw_disk_bus": "virtio"})
    assert cloud.select(cloud.server("virtio", image=virtio)).chosen == 1


def test_classes_that_no_host_has() -> None:
    assert refusal(SmallCloud(), Flavor("metal", 1, 1, 0, extra_specs={"resources:CUSTOM_METAL": "1"})) == NO_CANDIDATES


# --- records ----------------------------------------------------------------------------------------------------------


def test_without_explain_a_decision_is_one_record_and_its_claim() -> None:
    cloud = SmallCloud()
    cloud.select(cloud.server("s"), request="req-1")
    assert [type(record) for record in cloud.log] == [r.Claimed, r.Decision]


def test_explained_step_by_step() -> None:
    cloud = SmallCloud(6, {"scheduler.max_placement_results": 4}, explain=True)
    cloud.server("full", Flavor("full", 1, 32768, 0), host=0)
    cloud.hosts.disabled[1] = True
    cloud.hosts.service_up[3] = False
    cloud.server("old", host=4)
    cloud.log.records.clear()
    cloud.select(cloud.server("s"), 1, ignore=(2,))
    steps = [(s.filter, s.before, s.after, s.removed) for s in cloud.log if isinstance(s, r.FilterStep) and s.removed]
    assert steps == [
        ("placement: room", 6, 5, ["h0"]), ("placement: enabled", 5, 4, ["h1"]), ("ignore_hosts", 4, 3, ["h2"]),
        ("ComputeFilter", 3, 2, ["h3"]),
    ]  # fmt: skip
    weights = {s.weigher: dict(zip(s.hosts, s.weights, strict=True)) for s in cloud.log if isinstance(s, r.WeighStep)}
    assert weights["RAMWeigher"] == {"h5": 1.0, "h4": 30720 / 32768}
    assert weights["CPUWeigher"] == {"h5": 1.0, "h4": 62 / 64}
    decision = cloud.log.records[-1]
    assert isinstance(decision, r.Decision)
    assert (decision.hosts, decision.left, decision.chosen, decision.alternates) == (4, 2, "h5", ["h4"])


def test_an_explanation_changes_nothing() -> None:
    told, silent = SmallCloud(6, explain=True), SmallCloud(6)
    for cloud in (told, silent):
        for number in range(12):
            cloud.build(f"s{number}")
    kinds = (r.FilterStep, r.WeighStep)
    assert [record for record in told.log if not isinstance(record, kinds)] == list(silent.log)


def test_moves_ask_with_the_new_flavor() -> None:
    cloud = SmallCloud(2)
    server = cloud.server("s", host=0)
    request = SchedulerRequest.for_move(server, flavor=Flavor("larger", 8, 20480, 100), ignore=(0,))
    assert cloud.scheduler.select(request, 0).chosen == 1
    assert server.held[1] == (8, 20480, 100, 0, ())
