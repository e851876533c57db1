"""The graph that is drawn is the network that the model routes over: every route is a path in it."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import permutations

import networkx as nx
import pytest

from sim.eventlog import records as r
from sim.metrics.source import Records
from sim.model.network.topology import Topology, TwoNetworks, from_graph, leaf_spine, ring, star
from sim.plots.moment import network
from sim.plots.wiring import Wiring, wirings

HOSTS = [f"h{i}" for i in range(6)]
RACKS = ["A", "A", "B", "B", "C", "C"]
GBIT = 1.25e8


def graph() -> nx.Graph:
    """Three switches in a triangle, two hosts at each."""
    made = nx.Graph()
    for i, host in enumerate(HOSTS):
        made.add_edge(host, f"sw{i // 2}", capacity_bps=10 * GBIT)
    for one, other in (("sw0", "sw1"), ("sw1", "sw2"), ("sw0", "sw2")):
        made.add_edge(one, other, capacity_bps=40 * GBIT)
    return made


def two() -> Topology:
    return TwoNetworks(leaf_spine(HOSTS, RACKS, 10 * GBIT), star(HOSTS, 25 * GBIT), [True] * 6)


NETWORKS = {
    "star": lambda: star(HOSTS, 10 * GBIT), "leaf and spine": lambda: leaf_spine(HOSTS, RACKS, 10 * GBIT),
    "two spines": lambda: leaf_spine(HOSTS, RACKS, 10 * GBIT, spines=2), "two networks": two,
    "ring": lambda: ring(HOSTS, 10 * GBIT, 10 * GBIT), "graph": lambda: from_graph(graph(), HOSTS, 10 * GBIT),
}  # fmt: skip


def log_of(topology: Topology, flow: r.Record | None = None) -> Records:
    n = len(HOSTS)
    hosts = r.HostsPresent(
        0.0, HOSTS, RACKS, ["z"] * n, [8] * n, [1024] * n, [10] * n, [1.0] * n, [1.0] * n, [1.0] * n, [0] * n, [0] * n,
        [0] * n, [""] * n,
    )  # fmt: skip
    links = r.LinksPresent(0.0, topology.names, [capacity for _, capacity in topology.links])
    return Records.of([r.RunStarted(0.0, "wired", "", 1, {}), hosts, links, *([flow] if flow else [])])


def walked(wiring: Wiring, route: Sequence[int], start: str) -> str:
    """Where the links of a route lead, one after another, in the graph. A mesh does not draw its hosts' own NICs."""
    ways = {row: way for _, _, some in wiring.graph.edges(data="ways") for way, row in some}
    at = start
    for row in route:
        if row in ways:
            begins, ends = ways[row]
            assert begins == at, f"link {row} begins at {begins}, not at {at}"
            at = ends
    return at


@pytest.mark.parametrize("name", NETWORKS)
def test_every_route_is_a_path_of_the_graph(name: str) -> None:
    topology = NETWORKS[name]()
    found = wirings(log_of(topology))
    for source, dest in permutations(range(len(HOSTS)), 2):
        assert walked(found[0], topology.route(source, dest), HOSTS[source]) == HOSTS[dest]
        assert walked(found[-1], topology.migration_route(source, dest), HOSTS[source]) == HOSTS[dest]


@pytest.mark.parametrize("name", NETWORKS)
def test_every_link_is_drawn_once(name: str) -> None:
    topology = NETWORKS[name]()
    rows = [
        row for wiring in wirings(log_of(topology)) for _, _, ways in wiring.graph.edges(data="ways") for _, row in ways
    ]
    own = [row for wiring in wirings(log_of(topology)) if wiring.kind == "mesh"
           for _, nics in wiring.graph.nodes(data="nics", default=()) for row in nics]  # fmt: skip
    assert sorted([*rows, *own]) == list(range(len(topology.links)))


@pytest.mark.parametrize("name", NETWORKS)
def test_a_flow_is_seen_on_its_network(name: str) -> None:
    topology = NETWORKS[name]()
    route = list(topology.migration_route(0, 5))
    flow = r.FlowStarted(1.0, 1, "live-migration", "vm", HOSTS[0], HOSTS[5], route, 5 * GBIT)
    drawn = network(log_of(topology, flow), at=1.0)
    assert drawn.notes.startswith("1 flow, 5 Gbit/s in all")
    assert drawn.get_suptitle().startswith("The migration network" if name == "two networks" else "The data network")
