"""The network that a scenario describes."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import networkx as nx
import numpy as np

from sim import units
from sim.errors import InputError, Issue
from sim.model.network.topology import Topology, TwoNetworks, from_graph, leaf_spine, ring, star
from sim.scenario.expand import HostRow
from sim.scenario.spec import NetworkSpec


def topology(spec: NetworkSpec, rows: Sequence[HostRow], efficiency: float) -> Topology:
    """The topology, with a second one for the hosts that have a migration NIC. Capacities are of payload."""
    data = _one(spec, rows, np.array([row.nic_bps for row in rows]) * efficiency, efficiency)
    own = [row.migration_nic_bps for row in rows]
    if not any(own):
        return data
    speeds = np.array([speed or 0.0 for speed in own]) * efficiency
    return TwoNetworks(data, _one(spec, rows, speeds, efficiency), [bool(speed) for speed in own])


def _one(spec: NetworkSpec, rows: Sequence[HostRow], nic_bps: np.ndarray, efficiency: float) -> Topology:
    names = [row.name for row in rows]
    if spec.kind == "star":
        return star(names, nic_bps)
    if spec.kind == "ring":
        speed = float(nic_bps.max()) if spec.ring_capacity is None else spec.ring_capacity * efficiency
        return ring(names, nic_bps, speed)
    if spec.kind == "graph":
        return from_graph(read_graph(spec.graph or "", efficiency), names, nic_bps)
    return leaf_spine(names, [row.rack for row in rows], nic_bps, spec.oversubscription, spec.spines)


def read_graph(path: str, efficiency: float = 1.0) -> nx.Graph:
    """A graph from GraphML or node-link JSON, its edges' ``capacity`` ("40 Gbit/s") as payload bytes per second.

    Raises InputError for a file that cannot be read, and for every edge without a usable capacity.
    """
    file = Path(path)
    try:
        if file.suffix == ".json":
            graph = nx.node_link_graph(json.loads(file.read_text(encoding="utf-8")), edges="edges")
        else:
            graph = nx.read_graphml(file)
    except (OSError, ValueError, KeyError, nx.NetworkXException) as error:
        right = "write GraphML, or node-link JSON with nodes and edges"
        raise InputError([Issue(path, f"cannot be read as a graph: {error}", right)]) from None
    issues = []
    for a, b, attributes in graph.edges(data=True):
        try:
            attributes["capacity_bps"] = units.parse_rate(attributes["capacity"]) * efficiency
        except KeyError:
            issues.append(Issue(path, f"edge {a} - {b} has no capacity", 'write capacity="40 Gbit/s"'))
        except ValueError as error:
            issues.append(Issue(path, f"edge {a} - {b}: {error}"))
    if issues:
        raise InputError(issues)
    return nx.Graph(graph)
