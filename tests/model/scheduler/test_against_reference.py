"""Whole sequences of decisions, changes of the cloud between them, held against the plain scheduler of reference.py.

A case is a seed and a length, so that what fails is repeated, and shortened, by two numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

import hypothesis.strategies as st
from hypothesis import given, settings

from sim.eventlog import records as r
from sim.kernel.streams import Streams
from sim.model.aggregate import Aggregate, ServerGroup
from sim.model.exceptions import NoValidHost
from sim.model.flavor import Flavor, Image
from sim.model.scheduler.request import SchedulerRequest
from tests.model.scheduler.clouds import SmallCloud
from tests.model.scheduler.reference import Expected, Reference

CLOSE = 1e-9
RARE_FILTERS = [
    "IoOpsFilter", "NumInstancesFilter", "AggregateNumInstancesFilter", "AggregateIoOpsFilter",
    "AggregateInstanceExtraSpecsFilter", "AggregateMultiTenancyIsolation", "AggregateTypeAffinityFilter",
    "IsolatedHostsFilter", "AllHostsFilter",
]  # fmt: skip
USUAL_FILTERS = [
    "ComputeFilter", "ServerGroupAntiAffinityFilter", "ServerGroupAffinityFilter", "DifferentHostFilter",
    "SameHostFilter",
]  # fmt: skip
FLAVORS = [
    Flavor("tiny", 1, 512, 0), Flavor("small", 2, 2048, 20), Flavor("large", 8, 16384, 100, 10, 1),
    Flavor("fast", 2, 2048, 20, extra_specs={"trait:FAST": "required"}),
    Flavor("plain", 2, 2048, 20, extra_specs={"trait:FAST": "forbidden", "aggregate_instance_extra_specs:disk": "ssd"}),
]  # fmt: skip
IMAGES = [None, Image("open", 1), Image("secret", 1)]
GROUPS = ["anti-affinity", "affinity", "soft-affinity", "soft-anti-affinity"]
MULTIPLIERS = ["ram", "cpu", "disk", "io_ops", "num_instances", "build_failure", "hypervisor_version"]
METADATA = {
    "disk": ["ssd", "hdd", "ssd, hdd"],
    "filter_tenant_id": ["demo", "other", "demo,other"],
    "instance_type": ["small", "large, tiny"],
    "max_instances_per_host": ["2", "4"],
    "max_io_ops_per_host": ["1", "2"],
    "ram_weight_multiplier": ["-1.0", "0", "2.5"],
    "cpu_weight_multiplier": ["3", "-0.5"],
}
Thing = TypeVar("Thing")


class Luck:
    """Draws from a seed."""

    def __init__(self, seed: int) -> None:
        self._rng = Streams(seed).rng("story")

    def random(self) -> float:
        return float(self._rng.random())

    def below(self, end: int) -> int:
        return int(self._rng.integers(end))

    def choice(self, things: Sequence[Thing]) -> Thing:
        return things[self.below(len(things))]

    def some(self, things: Sequence[Thing], count: int) -> list[Thing]:
        return [things[place] for place in self._rng.permutation(len(things))[:count].tolist()]


class Story:
    """One cloud and what happens to it, all drawn from one seed."""

    def __init__(self, seed: int) -> None:
        self.luck = Luck(seed)
        self.cloud = self._cloud()

    def _sometimes(self, value: Any, chance: float = 0.3) -> Any:
        return value if self.luck.random() < chance else None

    def _cloud(self) -> SmallCloud:
        luck = self.luck
        count = luck.choice([1, 3, 6, 9, 70])
        aggregates = [
            Aggregate(
                f"a{number}", sorted(luck.some(range(count), luck.below(count + 1))), self._sometimes(f"z{number}"),
                {key: luck.choice(values) for key, values in METADATA.items() if luck.random() < 0.3},
            )
            for number in range(luck.below(4))
        ]  # fmt: skip
        rare = [name for name in RARE_FILTERS if luck.random() < 0.25]
        options: dict[str, Any] = {
            "enabled_filters": luck.some([*USUAL_FILTERS, *rare], len(USUAL_FILTERS) + len(rare)),
            "isolated_hosts": ["h0"], "isolated_images": luck.choice([[], ["secret"]]),
            "restrict_isolated_hosts_to_isolated_images": luck.random() < 0.5,
            "max_io_ops_per_host": 2, "max_instances_per_host": 6,
            "host_subset_size": luck.choice([1, 1, 1, 2, 30]),
            "shuffle_best_same_weighed_hosts": luck.random() < 0.3,
            **{f"{name}_weight_multiplier": luck.choice([1.0, 1.0, 0.0, -1.0, 2.5]) for name in MULTIPLIERS},
        }  # fmt: skip
        sizes = luck.choice([[16], [8, 16]])
        cloud = SmallCloud(
            count,
            {**{f"filter_scheduler.{name}": value for name, value in options.items()},
             "scheduler.max_placement_results": luck.choice([2, 3, 1000, 1000])},
            aggregates=aggregates, groups=[ServerGroup(policy, policy, luck.choice([1, 2])) for policy in GROUPS],
            explain=luck.random() < 0.3,
            total=[[luck.choice(sizes) for _ in range(count)], [luck.choice(sizes) * 2048 for _ in range(count)],
                   [luck.choice([120, 400])] * count],
            ratio=[[luck.choice([1.0, 4.0])] * count, [1.0] * count, [1.5] * count],
        )  # fmt: skip
        for host in range(count):
            cloud.hosts.traits[host] = frozenset(["FAST"] if luck.random() < 0.5 else [])
            cloud.hosts.hypervisor_version[host] = luck.choice([6000000, 8002000, 8002000])
        for number in range(luck.choice([0, 0, count])):
            cloud.server(f"old-{number}", luck.choice(FLAVORS[:3]), host=luck.choice([0, number]))  # overfull or not
        return cloud

    def change(self, number: int) -> None:
        """Something happens to the cloud."""
        cloud, luck = self.cloud, self.luck
        host = luck.below(len(cloud.hosts))
        alive = [server for server in cloud.db.servers.values() if server.host is not None and not server.deleted]
        kind = luck.choice(["disable", "down", "fail", "forgive", "io", "io", "delete", "aggregate", "place", "place"])
        if kind == "disable":
            cloud.hosts.disabled[host] = luck.random() < 0.3
        elif kind == "down":
            cloud.hosts.service_up[host] = luck.random() < 0.7
        elif kind == "fail":
            cloud.hosts.build_failed(host)
        elif kind == "forgive":
            cloud.hosts.build_succeeded(host)
        elif kind == "io" and alive:
            server = luck.choice(alive)
            cloud.db.save(server, None, task_state=None if server.task_state else "resize_prep")
        elif kind == "delete" and alive:
            server = luck.choice(alive)
            cloud.placement.release_all(server)
            cloud.db.delete_server(server, None)
        elif kind == "aggregate" and cloud.aggregates:
            aggregate = luck.choice(cloud.aggregates)
            aggregate.hosts = sorted({*aggregate.hosts} ^ {host})
            cloud.view.refresh()
        elif kind == "place":
            server = cloud.server(f"placed-{number}", FLAVORS[0])
            if cloud.placement.claim(server, host, server.resources):
                cloud.db.set_host(server, host)

    def ask(self, number: int) -> Expected:
        """A server wants a host: the scheduler and the reference must agree."""
        cloud, luck = self.cloud, self.luck
        hints: dict[str, Any] = {}
        if cloud.db.servers and luck.random() < 0.15:
            names = luck.some(list(cloud.db.servers), luck.choice([1, 2]))
            hints[luck.choice(["same_host", "different_host"])] = [f"uuid-{name}" for name in names]
        zones = sorted({a.zone for a in cloud.aggregates if a.zone})
        server = cloud.server(
            f"s{number}", luck.choice(FLAVORS[:3] if luck.random() < 0.8 else FLAVORS), image=luck.choice(IMAGES),
            group=self._sometimes(luck.choice(GROUPS)), hints=hints, volume=luck.random() < 0.2,
            project=luck.choice(["demo", "demo", "other"]), az=self._sometimes(luck.choice(zones)) if zones else None,
        )  # fmt: skip
        request = SchedulerRequest(
            server, ignore=tuple(luck.some(range(len(cloud.hosts)), luck.choice([0, 0, 1]))),
            requested_host=self._sometimes(luck.below(len(cloud.hosts)), 0.05),
        )  # fmt: skip
        if request.requested_host is None:
            request.force_host = self._sometimes(luck.below(len(cloud.hosts)), 0.05)
        return self._decide(request)

    def move(self) -> None:
        """A server that has a host wants another, or the same once more; its share waits with the migration."""
        cloud, luck = self.cloud, self.luck
        placed = [server for server in cloud.db.servers.values() if server.host is not None and not server.deleted]
        if not placed:
            return
        server = luck.choice(placed)
        source = server.host
        record = cloud.db.add_migration(server, "migration", "pre-migrating", source, None)
        cloud.placement.move(server, record, source)
        self._decide(SchedulerRequest.for_move(server, ignore=luck.choice([(), (source,)])))
        if server.held:
            cloud.placement.release_all(record)
        else:
            cloud.placement.move(record, server, source)

    def _decide(self, request: SchedulerRequest) -> Expected:
        cloud, server = self.cloud, request.server
        expected = Reference(cloud).decide(request)
        try:
            selection = cloud.scheduler.select(request, 2)
        except NoValidHost as error:
            why = "There are not enough hosts available." if expected.offered else ""
            return same(str(error), f"No valid host was found. {why}", expected)
        assert (selection.offered, selection.left) == (len(expected.offered), len(expected.left))
        agree(cloud, expected, [selection.chosen, *selection.alternates])
        assert server.held == {selection.chosen: server.resources}
        cloud.db.set_host(server, selection.chosen)
        return expected


def same(said: str, wanted: str, expected: Expected) -> Expected:
    """Whether it is right that there is no host, and said as Nova says it."""
    assert (said, expected.left) == (wanted, [])
    return expected


def agree(cloud: SmallCloud, expected: Expected, order: list[int]) -> None:
    """Whether an order of hosts is one that Nova may come to, and the only one where it leaves nothing to luck."""
    assert len(order) == min(3, len(expected.left))
    assert len(set(order)) == len(order)
    assert set(order) <= set(expected.left)
    weights = sorted(expected.weights.values(), reverse=True)
    subset = cloud.options["filter_scheduler.host_subset_size"]
    assert expected.weights[order[0]] >= weights[min(subset, len(weights)) - 1] - CLOSE
    rest = sorted((expected.weights[host] for host in expected.left if host != order[0]), reverse=True)
    for host, weight in zip(order[1:], rest, strict=False):
        assert abs(expected.weights[host] - weight) <= CLOSE
    if subset == 1 and not cloud.options["filter_scheduler.shuffle_best_same_weighed_hosts"]:
        assert order[0] == min(host for host in expected.left if expected.weights[host] == expected.weights[order[0]])


@settings(max_examples=400)
@given(seed=st.integers(0, 2**32), steps=st.integers(30, 60))
def test_decisions_are_those_of_the_plain_scheduler(seed: int, steps: int) -> None:
    story = Story(seed)
    for number in range(steps):
        kind = story.luck.random()
        if kind < 0.5:
            story.ask(number)
        elif kind < 0.65:
            story.move()
        else:
            story.change(number)
    decisions = [record for record in story.cloud.log if isinstance(record, r.Decision)]
    assert [record.decision for record in decisions] == list(range(1, len(decisions) + 1))


def test_the_stories_leave_real_choices() -> None:
    """What is compared is worth it: most decisions have several hosts left, with different weights."""
    story_choices = 0
    for seed in range(10):
        story = Story(seed)
        for number in range(30):
            expected = story.ask(number)
            story.change(number)
            story_choices += len({round(weight, 9) for weight in expected.weights.values()}) > 1
    assert story_choices > 45, "of 300"
