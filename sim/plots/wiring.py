"""The network as a graph, from the names of its links: what a moment of it is drawn on."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import networkx as nx
import polars as pl

from sim.eventlog import records as r
from sim.metrics import links
from sim.metrics.source import Records

_MIGRATION = "migration:"
HUB = "switch"
"""Where hosts are plugged in when no rack has a switch of its own."""


class Wiring(NamedTuple):
    """One network. Nodes have ``kind`` (host, leaf, spine, switch), hosts ``nics`` (rows in LinksPresent, up and down),
    edges ``ways``: ((from, to), row in LinksPresent) for each direction."""

    name: str
    kind: str
    """``leaf_spine``, ``star`` or ``mesh`` (ring or any graph)."""
    graph: nx.Graph


def wirings(source: Records) -> list[Wiring]:
    """The data network, and the one for migrations where there is one."""
    rows = list(source.frame(r.LinksPresent).select("row", "link").iter_rows())
    data = [(row, name) for row, name in rows if not name.startswith(_MIGRATION)]
    own = [(row, name.removeprefix(_MIGRATION)) for row, name in rows if name.startswith(_MIGRATION)]
    made = [_wiring("data network", source, data)]
    return [*made, _wiring("migration network", source, own)] if own else made


def _wiring(name: str, source: Records, rows: list[tuple[int, str]]) -> Wiring:
    hosts = source.frame(r.HostsPresent)
    rack_of = dict(hosts.select("host", "rack").iter_rows())
    nics, rest = rows[: 2 * len(rack_of)], rows[2 * len(rack_of) :]
    racks = set(rack_of.values())
    mesh = [(row, link) for row, link in rest if ">" in link]
    leaves = [(row, link) for row, link in rest if ">" not in link]
    graph = nx.Graph()
    for host, rack in rack_of.items():
        graph.add_node(host, kind="host", rack=rack, nics=[])
    for row, link in nics:
        host, _, way = link.rpartition(":")
        graph.nodes[host]["nics"].append(row)
        if mesh:  # a host is a node of the mesh, its NIC a part of it
            continue
        switch = f"leaf {rack_of[host]}" if leaves else HUB
        graph.add_node(switch, kind="leaf" if leaves else "switch", rack=rack_of[host] if leaves else "")
        _way(graph, host, switch, host if way == "up" else switch, row)
    for row, link in leaves:
        head, _, way = link.rpartition(":")
        rack, _, spine = (head, "", "spine-1") if head in racks else head.rpartition(":")
        leaf = f"leaf {rack}"
        graph.add_node(spine, kind="spine", rack="")
        _way(graph, leaf, spine, leaf if way == "up" else spine, row)
    for row, link in mesh:
        one, _, other = link.partition(">")
        for node in (one, other):
            if node not in graph:
                graph.add_node(node, kind="switch", rack="")
        _way(graph, one, other, one, row)
    return Wiring(name, "leaf_spine" if leaves else "mesh" if mesh else "star", graph)


def _way(graph: nx.Graph, one: str, other: str, begins: str, row: int) -> None:
    """One direction of a cable between two nodes: from ``begins`` to the other of them."""
    ends = other if begins == one else one
    if not graph.has_edge(one, other):
        graph.add_edge(one, other, ways=[])
    graph.edges[one, other]["ways"].append(((begins, ends), row))


def load_at(source: Records, t: float) -> pl.DataFrame:
    """Row in LinksPresent, rate, capacity and flows of every link at a moment."""
    series = links.over_time(source).filter(pl.col("t") <= t)
    last = series.group_by("row", maintain_order=True).last().select("row", "rate", "capacity", "flows")
    every = source.frame(r.LinksPresent).select("row", pl.col("capacity_bps").alias("first"))
    joined = every.join(last, on="row", how="left", maintain_order="left")
    return joined.select(
        "row", pl.col("rate").fill_null(0.0), pl.coalesce("capacity", "first").alias("capacity"),
        pl.col("flows").fill_null(0),
    )  # fmt: skip


def flows_at(source: Records, t: float) -> pl.DataFrame:
    """Flows under way at a moment: source, dest, rate, links; the fastest first."""
    changes = links.flow_changes(source).filter(pl.col("t") <= t).collect()
    last = changes.group_by("flow", maintain_order=True).last().select("flow", "rate_bps")
    begun = source.frame(r.FlowStarted).filter(pl.col("t") <= t).select("flow", "server", "source", "dest", "links")
    ended = source.frame(r.FlowEnded).filter(pl.col("t") <= t).select("flow")
    made = begun.join(ended, on="flow", how="anti", maintain_order="left").join(last, on="flow", maintain_order="left")
    return made.sort("rate_bps", "flow", descending=[True, False])


def busiest(source: Records, rows: Iterable[int]) -> float:
    """The moment at which most flows over these links, all together; 0 if nothing ever does."""
    series = links.over_time(source).filter(pl.col("row").is_in(list(rows))).sort("row", "t")
    change = (pl.col("rate") - pl.col("rate").shift(1).over("row").fill_null(0.0)).alias("change")
    sums = series.with_columns(change).group_by("t").agg(pl.col("change").sum()).sort("t")
    total = sums["change"].cum_sum()
    place = total.arg_max() if len(total) else None
    return float(sums["t"][place]) if place is not None and float(str(total.max())) > 0 else 0.0
