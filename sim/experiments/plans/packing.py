"""Whether the servers of failed hosts fit on the others.

Asked in this order, each step only where the one before could not tell:

1. a bound: too little of one resource, or too few places for one class, proves that they do not fit;
2. best fit, largest first: a packing found proves that they do;
3. where all classes need as much: a maximum flow (networkx), exact;
4. a constraint solver (OR-tools CP-SAT), exact unless its effort runs out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal

import networkx as nx
import numpy as np

from sim.experiments.extras import need
from sim.experiments.plans.room import RESOURCES, Ints, Room
from sim.units import GIB, MIB, counted, format_bytes

EFFORT = 2.0
"""The solver's deterministic time for one question; about as many seconds."""
_WORDS = {"VCPU": "vCPUs", "MEMORY_MB": "of memory", "DISK_GB": "of disk", "PCPU": "pinned CPUs"}
_BYTES = {"MEMORY_MB": MIB, "DISK_GB": GIB}


def _lacks(name: str, demand: int, supply: int) -> str:
    """``4 TiB of memory are needed, and 3.9 TiB are free``; as Placement counts it where that would read alike."""
    needed, free = f"{demand:,}", f"{supply:,}"
    if name in _BYTES:
        needed, free = format_bytes(demand * _BYTES[name]), format_bytes(supply * _BYTES[name])
        if needed == free:
            unit = "MiB" if name == "MEMORY_MB" else "GiB"
            needed, free = f"{demand:,} {unit}", f"{supply:,} {unit}"
    return f"{needed} {_WORDS[name]} are needed, and {free} are free"


@dataclass(frozen=True, slots=True)
class Packing:
    """The answer for one set of failed hosts."""

    fits: bool | None
    """None: the solver could not tell."""
    how: Literal["bound", "packing", "flow", "solver", "solver gave up"]
    why: str = ""
    """What is short, where a bound says so."""


class Packer:
    """Answers for one cloud; keeps what does not depend on which hosts fail."""

    def __init__(
        self, room: Room, effort: float = EFFORT, *, on_answer: Callable[[int], None] = lambda _: None
    ) -> None:  # fmt: skip
        self.room, self._effort = room, effort
        self._on_answer = on_answer
        """Told after each answer how many there were so far."""
        self._slots = np.array([room.slots(row) for row in range(len(room.classes))], dtype=np.int64).reshape(
            len(room.classes), len(room.hosts)
        )
        wide = room.needs / np.maximum(room.free.max(axis=1, initial=1), 1)
        self._order = np.argsort(-wide.max(axis=1, initial=0.0), kind="stable")
        """Classes, those that are hardest to place first."""
        self.asked: dict[str, int] = {}
        """How often each way gave the answer."""

    def ask(self, failed: Iterable[int]) -> Packing:
        """Whether the servers of these hosts fit on the others."""
        down = np.zeros(len(self.room.hosts), dtype=bool)
        down[list(failed)] = True
        found = self._ask(down)
        self.asked[found.how] = self.asked.get(found.how, 0) + 1
        self._on_answer(sum(self.asked.values()))
        return found

    def _ask(self, down: np.ndarray) -> Packing:
        wanted = self.room.count[:, down].sum(axis=1)
        if not wanted.any():
            return Packing(True, "packing")
        short = self._short(down, wanted)
        if short:
            return Packing(False, "bound", short)
        if self._packed(down, wanted):
            return Packing(True, "packing")
        asked = np.flatnonzero(wanted)
        alike = len({tuple(row) for row in self.room.needs[asked].tolist()}) == 1
        if alike and not any(self.room.classes[row].group for row in asked):
            return Packing(self._flows(down, wanted, asked), "flow")
        return self._solved(down, wanted, asked)

    # --- 1: bounds

    def _short(self, down: np.ndarray, wanted: Ints) -> str:
        """What there is surely too little of; empty if that cannot be said."""
        room, up = self.room, ~down
        for row in np.flatnonzero(wanted):
            places = int(self._slots[row, up].sum())
            if places < wanted[row]:
                one = room.classes[row]
                where = f" (group {one.group})" if one.group else ""
                need, none = ("needs a place", "is none") if wanted[row] == 1 else ("need places", "are none")
                there = "is 1" if places == 1 else f"are {places}" if places else none
                return f"{counted(int(wanted[row]), 'servers')} of {one.flavor}{where} {need}, and there {there}"
        for rows in self._together():
            demand = wanted[rows] @ room.needs[rows]
            able = room.allowed[rows].any(axis=0) & up
            supply = room.free[:, able].sum(axis=1)
            for resource, name in enumerate(RESOURCES):
                if demand[resource] > supply[resource]:
                    return _lacks(name, int(demand[resource]), int(supply[resource]))
        return ""

    def _together(self) -> list[list[int]]:
        """Sets of classes to bound together: all, and those that may go to the same hosts."""
        masks: dict[bytes, list[int]] = {}
        for row, mask in enumerate(self.room.allowed):
            masks.setdefault(mask.tobytes(), []).append(row)
        everything = list(range(len(self.room.classes)))
        return [everything, *(rows for rows in masks.values() if len(rows) < len(everything))]

    # --- 2: best fit, largest first

    def _packed(self, down: np.ndarray, wanted: Ints) -> bool:
        """Servers of a class, one by one to the host with the least left: so each host in its turn is filled up."""
        room, up = self.room, ~down
        free = room.free.copy()
        scale = np.maximum(room.free.max(axis=1, initial=1), 1).astype(np.float64)
        taken = {name: members.copy() for name, members in room.members.items()}
        for row in self._order:
            count, need_ = int(wanted[row]), room.needs[row]
            if not count:
                continue
            asked = need_ > 0
            places = (free[asked] // need_[asked, None]).min(axis=0, initial=count)
            group = room.classes[row].group
            if group is not None:
                places = np.minimum(places, room.limits[group] - taken[group])
            able = room.allowed[row] & up & (need_[:, None] <= room.total)[asked].all(axis=0)
            hosts = np.flatnonzero(able & (places > 0))
            if int(places[hosts].sum()) < count:
                return False
            left = ((free[:, hosts] - need_[:, None]) / scale[:, None]).sum(axis=0)
            hosts = hosts[np.argsort(left, kind="stable")]
            put = places[hosts]
            put = np.clip(count - (np.cumsum(put) - put), 0, put)
            free[:, hosts] -= need_[:, None] * put
            if group is not None:
                taken[group][hosts] += put
        return True

    # --- 3: flow

    def _flows(self, down: np.ndarray, wanted: Ints, asked: Ints) -> bool:
        """Exact where all servers need as much: each host then has a number of places, whoever takes them."""
        graph = nx.DiGraph()
        places = self._slots[asked].max(axis=0)
        for host in np.flatnonzero(~down & (places > 0)):
            graph.add_edge(("host", int(host)), "sink", capacity=int(places[host]))
        for row in asked:
            graph.add_edge("source", ("class", int(row)), capacity=int(wanted[row]))
            for host in np.flatnonzero(self.room.allowed[row] & ~down & (places > 0)):
                graph.add_edge(("class", int(row)), ("host", int(host)))
        if "sink" not in graph:
            return False
        return bool(nx.maximum_flow_value(graph, "source", "sink") == int(wanted.sum()))

    # --- 4: constraints

    def _solved(self, down: np.ndarray, wanted: Ints, asked: Ints) -> Packing:
        cp_model = need("ortools.sat.python.cp_model", "plan", "an exact answer")
        room = self.room
        model = cp_model.CpModel()
        up = np.flatnonzero(~down)
        placed = {
            (row, host): model.new_int_var(0, int(min(self._slots[row, host], wanted[row])), f"{row}-{host}")
            for row in map(int, asked) for host in map(int, up) if self._slots[row, host] > 0
        }  # fmt: skip
        for row in map(int, asked):
            model.add(sum(x for (one, _), x in placed.items() if one == row) == int(wanted[row]))
        by_host: dict[int, list[int]] = {}
        for row, host in placed:
            by_host.setdefault(host, []).append(row)
        for host, rows in by_host.items():
            for resource in range(len(RESOURCES)):
                if any(room.needs[row, resource] for row in rows):
                    used = sum(int(room.needs[row, resource]) * placed[row, host] for row in rows)
                    model.add(used <= int(room.free[resource, host]))
            for group in {room.classes[row].group for row in rows} - {None}:
                assert group is not None
                some = sum(placed[row, host] for row in rows if room.classes[row].group == group)
                model.add(some <= int(room.limits[group] - room.members[group][host]))
        solver = cp_model.CpSolver()
        solver.parameters.num_workers = 1  # one worker's search is the same every time
        solver.parameters.random_seed = 1
        solver.parameters.max_deterministic_time = self._effort
        status = solver.solve(model)
        if status in {cp_model.OPTIMAL, cp_model.FEASIBLE}:
            return Packing(True, "solver")
        return Packing(False, "solver", "no packing exists") if status == cp_model.INFEASIBLE else Packing(
            None, "solver gave up")  # fmt: skip
