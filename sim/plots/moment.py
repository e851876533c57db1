"""The network at a moment, drawn on its topology: which links are how full, which hosts are down, what flows where."""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

import networkx as nx
import numpy as np
import polars as pl
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.collections import LineCollection, PatchCollection
from matplotlib.colors import Normalize
from matplotlib.patches import FancyArrowPatch, Rectangle
from matplotlib.path import Path
from matplotlib.ticker import PercentFormatter

from sim import units
from sim.errors import InputError, Issue
from sim.metrics.hosts import states_at
from sim.metrics.source import Records, Source, as_records
from sim.plots import style
from sim.plots.style import Figure
from sim.plots.text import shorten
from sim.plots.wiring import Wiring, busiest, flows_at, load_at, wirings

_SINGLE = 40
"""Up to this many hosts each is a node with its own cable; of more, each is a cell under its rack's switch."""
_RACKS, _CELLS = 16, 40
"""Racks drawn, and hosts drawn in each of them."""
_MESH = 120
"""Nodes of a ring or graph that are drawn."""
_ARROWS = 30
_STATE = {"up": ("#ffffff", "up"), "off": ("#c4c4c4", "service disabled"), "down": (style.BAD, "down")}

_SWITCH = {"boxstyle": "round,pad=0.35", "facecolor": "#444444", "edgecolor": "none"}

Network = Literal["data", "migration"]


class _Moment(NamedTuple):
    """What is known of the moment: each link's share and rate by its row, each host's state, flows."""

    share: np.ndarray
    rate: np.ndarray
    state: dict[str, str]
    flows: pl.DataFrame


def network(source: Source, at: float | None = None, of: Network | None = None) -> Figure:
    """The network ``at`` a moment (simulated s; None: when most was carried), on its topology.

    ``of`` is ``data`` or ``migration`` (None: the one that carries most then). Large networks are drawn in part, and
    the figure says so. InputError for a moment outside the run, or a network there is not.
    """
    records = as_records(source)
    known = wirings(records)
    rows = {wiring.name.split()[0]: _rows(wiring) for wiring in known}
    if of is not None and of not in rows:
        raise InputError([Issue("of", f"there is no {of} network", f"this run has {' and '.join(rows)}")])
    if at is not None and not 0 <= at <= records.end_s:
        raise InputError([Issue("at", f"{at} s is not within the run", f"it lasted {records.end_s:.1f} s")])
    wanted = [row for name in rows if of in {None, name} for row in rows[name]]
    when = busiest(records, wanted) if at is None else at
    load = load_at(records, when)
    moment = _Moment(_shares(load), load["rate"].to_numpy(), _states(records, when), flows_at(records, when))
    chosen = max(known, key=lambda one: (of == one.name.split()[0], moment.rate[_rows(one)].sum()))
    mine = set(_rows(chosen))
    flows = moment.flows.filter([bool(mine & set(route)) for route in moment.flows["links"]])
    moment = moment._replace(flows=flows)
    title = f"The {chosen.name} at {units.format_seconds(when)}: {records.name}"
    with style.figure(5.6, title) as made:
        axes = made.subplots()
        axes.set_axis_off()
        if chosen.kind == "mesh":
            left_out = _mesh(axes, chosen.graph, moment)
        elif len(moment.state) <= _SINGLE:
            left_out = _tree(axes, chosen, moment)
        else:
            left_out = _racks(axes, chosen, moment)
        bar = made.colorbar(ScalarMappable(Normalize(0, 1), style.SHARE), ax=axes, fraction=0.02, aspect=28, pad=0.01)
        bar.ax.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
        bar.outline.set_visible(False)
        bar.ax.set_title("load", fontsize=8, fontweight="normal", loc="left")
        there = set(moment.state.values())
        style.legend(axes, [(words, colour) for kind, (colour, words) in _STATE.items() if kind in there])
        total = units.format_rate(float(flows["rate_bps"].sum()))
        carried = f"{units.counted(flows.height, 'flows')}, {total} in all"
        style.note(made, carried, "the wider a line, the more it carries; of two directions the fuller", left_out)
    return made


def _rows(wiring: Wiring) -> list[int]:
    """Rows of all its links."""
    nics = [row for _, rows in wiring.graph.nodes(data="nics", default=()) for row in rows]
    ways = [row for _, _, ways in wiring.graph.edges(data="ways") for _, row in ways]
    return sorted({*nics, *ways})


def _shares(load: pl.DataFrame) -> np.ndarray:
    rate, capacity = load["rate"].to_numpy(), load["capacity"].to_numpy()
    shares: np.ndarray = np.divide(rate, capacity, out=np.zeros_like(rate), where=capacity > 0).clip(0.0, 1.0)
    return shares


def _states(records: Records, when: float) -> dict[str, str]:
    states = states_at(records, when)
    kinds = pl.when(pl.col("power") != "up").then(pl.lit("down")).when(~pl.col("usable")).then(pl.lit("off"))
    return dict(states.select("host", kinds.otherwise(pl.lit("up"))).iter_rows())


# --- a few hosts: every cable ----------------------------------------------------------------------------------------


def _tree(axes: Axes, wiring: Wiring, moment: _Moment) -> str:
    """Spines above leaves above hosts, every cable a line, flows as arcs below."""
    graph = wiring.graph
    hosts = [node for node, kind in graph.nodes(data="kind") if kind == "host"]
    where = {host: (float(place), 0.0) for place, host in enumerate(hosts)}
    middle = (len(hosts) - 1) / 2
    for kind, height in (("leaf", 1.0), ("switch", 1.0)):
        for node in [node for node, its in graph.nodes(data="kind") if its == kind]:
            below = [where[other][0] for other in graph[node] if other in where]
            where[node] = (sum(below) / len(below) if below else middle, height)
    spines = [node for node, kind in graph.nodes(data="kind") if kind == "spine"]
    for place, spine in enumerate(spines):
        where[spine] = (len(hosts) * (place + 1) / (len(spines) + 1) - 0.5, 1.9)
    _cables(axes, graph, where, moment)
    _boxes(axes, where, {node: str(kind) for node, kind in graph.nodes(data="kind")}, moment)
    turned = len(hosts) > 12 or max(map(len, hosts), default=0) > 60 / max(len(hosts), 1)
    for host in hosts:
        axes.text(where[host][0], -0.13, shorten(host, 18), fontsize=7, ha="center" if not turned else "right",
                  va="top", rotation=45 if turned else 0, rotation_mode="anchor")  # fmt: skip
    deep = _arcs(axes, where, moment, -0.72 if turned else -0.3)
    axes.set_xlim(-0.8, max(len(hosts) - 0.2, 0.8))
    axes.set_ylim(deep - 0.05, 2.15 if spines else 1.25)
    more = moment.flows.height - _ARROWS
    return f"arrows: the {_ARROWS} fastest flows, {more} more are not drawn" if more > 0 else ""


def _cables(axes: Axes, graph: nx.Graph, where: dict[str, tuple[float, float]], moment: _Moment) -> None:
    """Every cable a line: colour by the fuller direction's share, width by what both carry."""
    lines, shares, rates = [], [], []
    for one, other, ways in graph.edges(data="ways"):
        if one in where and other in where:
            rows = [row for _, row in ways]
            lines.append([where[one], where[other]])
            shares.append(max(moment.share[rows]))
            rates.append(sum(moment.rate[rows]))
    most = max(rates, default=0.0) or 1.0
    order = np.argsort(rates)
    widths = 0.8 + 3.6 * np.sqrt(np.array(rates) / most)
    colours = [style.SHARE(0.12 + 0.88 * share) if share > 0 else style.FAINT for share in shares]
    axes.add_collection(LineCollection([lines[i] for i in order], colors=[colours[i] for i in order],
                                       linewidths=widths[order], capstyle="round", zorder=1))  # fmt: skip


def _boxes(axes: Axes, where: dict[str, tuple[float, float]], kinds: dict[str, str], moment: _Moment) -> None:
    """Hosts as squares in the colour of their state, switches as dark boxes with their names."""
    for node, (x, y) in where.items():
        if kinds[node] == "host":
            axes.scatter([x], [y], marker="s", s=72, color=_STATE[moment.state[node]][0], edgecolors=style.INK,
                         linewidths=0.8, zorder=3)  # fmt: skip
        else:
            axes.text(x, y, shorten(node, 16), ha="center", va="center", fontsize=7.5, color="white", zorder=3,
                      bbox=_SWITCH)  # fmt: skip


def _arcs(axes: Axes, where: dict[str, tuple[float, float]], moment: _Moment, below: float) -> float:
    """An arrow below the hosts for each of the fastest flows; returns how deep they reach."""
    deep = below
    flows = [row for row in moment.flows.head(_ARROWS).iter_rows(named=True)
             if row["source"] in where and row["dest"] in where]  # fmt: skip
    most = max((row["rate_bps"] for row in flows), default=0.0) or 1.0
    for row in flows:
        x, to = where[row["source"]][0], where[row["dest"]][0]
        bend = below - 0.15 - 0.9 * abs(to - x) / max(len(moment.state), 1)
        curve = Path([(x, below), ((x + to) / 2, bend), (to, below)], [Path.MOVETO, Path.CURVE3, Path.CURVE3])
        axes.add_patch(FancyArrowPatch(
            path=curve, arrowstyle="-|>", mutation_scale=9, color=style.STAGES["copying"],
            linewidth=0.8 + 1.4 * row["rate_bps"] / most, alpha=0.85, zorder=2, fill=False,
        ))  # fmt: skip
        deep = min(deep, (below + bend) / 2 - 0.05)  # where a quadratic curve turns
    return deep


# --- many hosts: cells under their racks' switches -------------------------------------------------------------------


def _racks(axes: Axes, wiring: Wiring, moment: _Moment) -> str:
    """The busiest racks with their hosts as cells (left half sends, right half receives), the rest in one box."""
    graph = wiring.graph
    racks: dict[str, list[str]] = {}
    for node, data in graph.nodes(data=True):
        if data["kind"] == "host":
            racks.setdefault(data["rack"] if wiring.kind == "leaf_spine" else "", []).append(node)
    nics: dict[str, list[int]] = {host: graph.nodes[host]["nics"] for hosts in racks.values() for host in hosts}
    carried = {rack: sum((moment.rate[nics[host]][:2] for host in hosts), np.zeros(2)) for rack, hosts in racks.items()}
    ranked = sorted(racks, key=lambda rack: -carried[rack].sum())
    order = list(racks)
    shown = sorted(ranked[:_RACKS], key=order.index)
    rest = ranked[_RACKS:]
    columns = 20 if wiring.kind == "star" else 2
    most_cells = _CELLS * (10 if wiring.kind == "star" else 1)
    where: dict[str, tuple[float, float]] = {}
    left_out, lowest = 0, 0.0
    wide = len(shown) + bool(rest)
    for place, rack in enumerate(shown):
        hosts = racks[rack]
        x = (place + 0.5) * 10.0 / wide
        where[f"leaf {rack}" if wiring.kind == "leaf_spine" else "switch"] = (x, 1.0)
        cells = sorted(hosts, key=lambda host: -moment.rate[nics[host]].sum())[:most_cells]
        cells.sort(key=hosts.index)
        left_out += len(hosts) - len(cells)
        room = 0.86 * 10.0 / wide
        lowest = min(lowest, _block(axes, cells, nics, moment, (x - room / 2, 0.82, room, columns)))
    spines = [node for node, kind in graph.nodes(data="kind") if kind == "spine"]
    for place, spine in enumerate(spines):
        where[spine] = (10.0 * (place + 1) / (len(spines) + 1), 1.55)
    _cables(axes, graph, where, moment)
    for node, (x, y) in where.items():
        close = wide > 12 and node not in spines
        words = _tail(node.removeprefix("leaf "), 16 if node in spines else max((140 if close else 110) // wide, 4))
        size = 6.0 if close else 7.5
        axes.text(x, y, words, ha="center", va="center", fontsize=size, color="white", zorder=3, bbox=_SWITCH)
    if rest:
        _rest(axes, rest, racks, carried, 10.0 * (wide - 0.5) / wide)
    axes.set_xlim(-0.05, 10.05)
    axes.set_ylim(lowest - 0.05, 1.75 if spines else 1.2)
    told = f"the {len(shown)} busiest of {len(racks):,} racks" if rest else ""
    cells_told = f"{left_out:,} quieter hosts of drawn racks are not drawn" if left_out else ""
    halves = "a host is a cell: its left half sends, its right half receives"
    return "; ".join(part for part in (halves, told, cells_told) if part)


def _tail(text: str, width: int) -> str:
    """The end of a name that is too long: racks differ at their ends."""
    return text if len(text) <= width else "…" + text[-(width - 1) :]


def _block(
    axes: Axes, hosts: list[str], nics: dict[str, list[int]], moment: _Moment, place: tuple[float, float, float, int]
) -> float:  # fmt: skip
    """Cells of a rack's hosts below (left, top) in ``columns``; returns the lower edge."""
    left, top, wide, columns = place
    cell, high = wide / columns, 0.072
    patches, colours, edges = [], [], []
    for number, host in enumerate(hosts):
        x, y = left + (number % columns) * cell, top - (number // columns + 1) * high
        for half, row in enumerate(nics[host][:2]):
            share = moment.share[row]
            patches.append(Rectangle((x + half * cell * 0.45, y), cell * 0.45, high * 0.82))
            state = moment.state[host]
            colours.append(style.SHARE(0.12 + 0.88 * share) if share > 0 else _STATE[state][0])
            edges.append(style.PALE)
    axes.add_collection(PatchCollection(patches, facecolors=colours, edgecolors=edges, linewidths=0.35))
    return top - (-(-len(hosts) // columns)) * high


def _rest(axes: Axes, rest: list[str], racks: dict[str, list[str]], carried: dict[str, np.ndarray], x: float) -> None:
    """The racks that are not drawn, as one box with what they carry."""
    hosts = sum(len(racks[rack]) for rack in rest)
    sent, received = (units.format_rate(rate) for rate in sum((carried[rack] for rack in rest), np.zeros(2)))
    words = f"{len(rest):,} more\nracks with\n{hosts:,}\nhosts\n\nsend\n{sent}\n\nreceive\n{received}"
    axes.text(x + 0.06, 0.8, words, ha="center", va="top", fontsize=6.5,
              bbox={"boxstyle": "round,pad=0.4", "facecolor": "#f4f4f4", "edgecolor": style.PALE})  # fmt: skip


# --- rings and graphs ------------------------------------------------------------------------------------------------


def _mesh(axes: Axes, graph: nx.Graph, moment: _Moment) -> str:
    """A ring or any graph; of a large one the part that carries most."""
    shown, told = graph, ""
    if graph.number_of_nodes() > _MESH:
        rate: dict[Any, float] = dict.fromkeys(graph, 0.0)
        for one, other, ways in graph.edges(data="ways"):
            carried = float(sum(moment.rate[row] for _, row in ways))
            rate[one] += carried
            rate[other] += carried
        order = {node: place for place, node in enumerate(graph)}
        kept = sorted(graph, key=lambda node: (-rate[node], order[node]))[:_MESH]
        shown = graph.subgraph(kept)
        told = f"the {_MESH} busiest of {graph.number_of_nodes():,} nodes, and what joins these"
    cycle = all(degree == 2 for _, degree in graph.degree)
    place = nx.circular_layout(shown) if cycle else nx.spring_layout(shown, seed=7, iterations=200)
    where = {node: (float(x), float(y)) for node, (x, y) in place.items()}
    _cables(axes, shown, where, moment)
    _boxes(axes, where, {node: str(kind) for node, kind in shown.nodes(data="kind")}, moment)
    if len(where) <= 60:
        for node, (x, y) in where.items():
            if shown.nodes[node]["kind"] == "host":  # outwards, where no line of a ring is
                side = "left" if x > 0.3 else "right" if x < -0.3 else "center"
                axes.text(x + 0.06 * x, y + 0.075 * np.sign(y + 1e-9), shorten(node, 14), fontsize=6.5, ha=side,
                          va="center", zorder=4)  # fmt: skip
    axes.set_aspect("equal", adjustable="datalim")
    axes.margins(0.08)
    return told
