"""Routes: arithmetic ones against shortest paths of the same network as a graph."""

from __future__ import annotations

import itertools

import networkx as nx
import pytest

from sim.model.network.topology import Topology, TwoNetworks, from_graph, leaf_spine, ring, star

GB = 1e9


def names(topology: Topology, route: tuple[int, ...]) -> list[str]:
    return [topology.links[link][0] for link in route]


def test_star_goes_up_and_down() -> None:
    topology = star(["a", "b", "c"], [1 * GB, 2 * GB, 3 * GB])
    assert names(topology, topology.route(0, 2)) == ["a:up", "c:down"]
    assert [capacity for _, capacity in topology.links] == [1 * GB, 1 * GB, 2 * GB, 2 * GB, 3 * GB, 3 * GB]
    assert topology.route(1, 1) == ()
    assert names(topology, topology.ingress(1)) == ["b:down"]
    assert names(topology, topology.nics(1)) == ["b:up", "b:down"]


def test_leaf_and_spine_oversubscribed() -> None:
    """Two hosts of 10 under a leaf, 4 : 1 over one spine: 5 for each rack."""
    topology = leaf_spine(["a", "b", "c"], ["r1", "r1", "r2"], 10.0, oversubscription=4.0)
    assert dict(topology.links)["r1:up"] == 2 * 10.0 / 4
    assert dict(topology.links)["r2:down"] == 1 * 10.0 / 4
    assert names(topology, topology.route(0, 1)) == ["a:up", "b:down"]
    assert names(topology, topology.route(0, 2)) == ["a:up", "r1:up", "r2:down", "c:down"]
    assert names(topology, topology.ingress(2)) == ["r2:down", "c:down"]


def test_spines_share_a_rack_s_uplink_and_pairs_of_hosts() -> None:
    hosts = [f"h{n}" for n in range(8)]
    topology = leaf_spine(hosts, ["r1"] * 4 + ["r2"] * 4, 10.0, spines=2)
    assert dict(topology.links)["r1:spine-2:up"] == 4 * 10.0 / 2
    used = {names(topology, topology.route(a, b))[1] for a in range(4) for b in range(4, 8)}
    assert used == {"r1:spine-1:up", "r1:spine-2:up"}
    for a, b in itertools.permutations(range(8), 2):
        spines = {name.split(":")[1] for name in names(topology, topology.route(a, b))[1:-1]}
        assert len(spines) <= 1  # up and down over the same spine


@pytest.mark.parametrize("size", [2, 3, 4, 5, 8])
def test_ring_is_as_short_as_the_graph(size: int) -> None:
    hosts = [f"h{n}" for n in range(size)]
    topology = ring(hosts, 10.0, 40.0)
    graph = nx.cycle_graph(size)
    for a, b in itertools.permutations(range(size), 2):
        middle = names(topology, topology.route(a, b))[1:-1]
        assert len(middle) == nx.shortest_path_length(graph, a, b)
        at = hosts[a]
        for name in middle:
            start, end = name.split(">")
            assert start == at
            at = end
        assert at == hosts[b]


def test_graph_takes_fewest_hops_and_the_first_by_name() -> None:
    graph = nx.Graph()
    for a, b in (("a", "s2"), ("a", "s1"), ("s1", "b"), ("s2", "b"), ("b", "c")):
        graph.add_edge(a, b, capacity_bps=7.0)
    topology = from_graph(graph, ["a", "b", "c"], 10.0)
    assert names(topology, topology.route(0, 1)) == ["a:up", "a>s1", "s1>b", "b:down"]
    for a, b in itertools.permutations(range(3), 2):
        hops = nx.shortest_path_length(graph, "abc"[a], "abc"[b])
        assert len(topology.route(a, b)) == hops + 2
    assert dict(topology.links)["s1>b"] == 7.0


def test_a_graph_without_a_host_a_capacity_or_a_path_is_refused() -> None:
    graph = nx.Graph([("a", "b")])
    with pytest.raises(ValueError, match="missing from the network graph: c"):
        from_graph(graph, ["a", "b", "c"], 1.0)
    with pytest.raises(ValueError, match="edge a - b of the network graph needs a capacity_bps"):
        from_graph(graph, ["a", "b"], 1.0)
    graph.edges["a", "b"]["capacity_bps"] = 1.0
    graph.add_node("c")
    with pytest.raises(ValueError, match="no path in the network graph from a to c"):
        from_graph(graph, ["a", "b", "c"], 1.0).route(0, 2)


def test_migrations_have_their_own_network_where_both_hosts_are_on_it() -> None:
    hosts = ["a", "b", "c"]
    both = TwoNetworks(star(hosts, 10.0), star(hosts, [25.0, 25.0, 0.0]), [True, True, False])
    assert names(both, both.migration_route(0, 1)) == ["migration:a:up", "migration:b:down"]
    assert names(both, both.migration_route(0, 2)) == ["a:up", "c:down"]
    assert names(both, both.route(0, 1)) == ["a:up", "b:down"]
    assert len(both.nics(0)) == 4
    assert len(both.nics(2)) == 2


@pytest.mark.parametrize("make", [
    lambda: star(["a"], -1.0), lambda: ring(["a", "b"], 1.0, -1.0), lambda: leaf_spine(["a"], ["r"], 1.0, 0.0),
    lambda: leaf_spine(["a"], ["r"], 1.0, spines=0), lambda: leaf_spine(["a"], ["r", "s"], 1.0),
])  # fmt: skip
def test_what_is_no_network_is_refused(make: object) -> None:
    assert callable(make)
    with pytest.raises(ValueError, match=r"negative|positive|racks named"):
        make()
