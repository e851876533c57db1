"""Which points of the axes are run: every combination, a list, or a sample of the whole space.

- ``grid``: every combination of the values (the default);
- ``list``: the first values of all axes, the second ones, …;
- ``latin:N``: a Latin hypercube of N points: each axis is cut into N parts, and each part has one point;
- ``sobol:N``: N points of a scrambled Sobol sequence, which fills the space more evenly; N is a power of two;
- ``indices:N``: the N × (axes + 2) points from which Sobol's indices are computed; N is a power of two.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.stats import qmc

from sim.errors import Issue
from sim.experiments.axes import Axis, Value
from sim.experiments.extras import need
from sim.experiments.stats.intervals import Floats

KINDS = ("grid", "list", "latin", "sobol", "indices")
_SAMPLES = frozenset({"latin", "sobol", "indices"})
_RIGHT = "use grid, list, latin:N, sobol:N or indices:N"
POINTS_MAX = 1_000_000


@dataclass(frozen=True, slots=True)
class Design:
    """How points are chosen, and for a sample how many."""

    kind: str = "grid"
    size: int = 0

    def __str__(self) -> str:
        return f"{self.kind}:{self.size}" if self.kind in _SAMPLES else self.kind


GRID = Design()


def parse_design(text: str, place: str, issues: list[Issue]) -> Design | None:
    """A design from its text, as in the module's own; None and an issue where it is none."""
    kind, colon, size = text.strip().partition(":")
    if kind not in KINDS:
        issues.append(Issue(place, f"{text!r} is not a way to choose points", _RIGHT))
    elif kind not in _SAMPLES and colon:
        issues.append(Issue(place, f"{kind} has no size", f"write {kind}"))
    elif kind in _SAMPLES and not (size.isdigit() and int(size) > 0):
        issues.append(Issue(place, f"{text!r} does not say how many points", f"write {kind}:64"))
    elif kind in {"sobol", "indices"} and int(size) & (int(size) - 1):
        below = 1 << (int(size).bit_length() - 1)
        issues.append(Issue(place, f"{size} is not a power of two", f"write {kind}:{below} or {kind}:{2 * below}"))
    else:
        return Design(kind, int(size) if size else 0)
    return None


def check_design(axes: Sequence[Axis], design: Design, place: str) -> list[Issue]:
    """Whether these axes can be run by that design."""
    issues = []
    if design.kind not in _SAMPLES:
        spans = [axis.path for axis in axes if axis.span is not None]
        right = "list its values, or take a sample of it with --sample latin:32"
        issues += [
            Issue(f"{place} {path}", f"is a range, of which {design.kind} cannot take all", right) for path in spans
        ]
    elif not axes:
        issues.append(Issue(place, f"{design} has no axes to sample", "add one, like --axis run.duration=1 h..9 h"))
    lengths = {axis.path: len(axis.values) for axis in axes if axis.span is None}
    if design.kind == "list" and len(set(lengths.values())) > 1:
        said = ", ".join(f"{path} has {count}" for path, count in lengths.items())
        issues.append(Issue(place, f"a list needs as many values of each axis: {said}", "write as many, or use grid"))
    count = size_of(axes, design)
    if count > POINTS_MAX:
        issues.append(Issue(place, f"makes {count:,} variants", f"at most {POINTS_MAX:,} are possible; sample them"))
    return issues


def size_of(axes: Sequence[Axis], design: Design) -> int:
    """How many points it makes, those that are alike counted each."""
    if design.kind == "grid":
        return int(np.prod([len(axis.values) for axis in axes], dtype=object)) if axes else 1
    if design.kind == "list":
        return len(axes[0].values) if axes else 1
    return design.size * (len(axes) + 2 if design.kind == "indices" else 1)


def points(axes: Sequence[Axis], design: Design, seed: int) -> list[tuple[Value, ...]]:
    """The points, a value for each axis; the same for the same seed. Samples may hit a list's values more than once."""
    if design.kind == "grid":
        return list(itertools.product(*(axis.values for axis in axes)))
    if design.kind == "list":
        return list(zip(*(axis.values for axis in axes), strict=True)) if axes else [()]
    return [tuple(axis.at(float(u)) for axis, u in zip(axes, row, strict=True)) for row in shares(axes, design, seed)]


def shares(axes: Sequence[Axis], design: Design, seed: int) -> Floats:
    """A sample's points in the unit cube, shape (points, axes)."""
    if design.kind == "latin":
        return np.asarray(qmc.LatinHypercube(len(axes), rng=np.random.default_rng(seed)).random(design.size))
    if design.kind == "sobol":
        return np.asarray(qmc.Sobol(len(axes), rng=np.random.default_rng(seed)).random(design.size))
    sample = need("SALib.sample.sobol", "sensitivity", "Sobol's indices")
    found = sample.sample(problem(axes), design.size, calc_second_order=False, seed=seed)
    return np.asarray(found, dtype=np.float64)


def problem(axes: Sequence[Axis]) -> dict[str, Any]:
    """The axes as SALib wants them: all between 0 and 1."""
    return {"num_vars": len(axes), "names": [axis.path for axis in axes], "bounds": [[0.0, 1.0]] * len(axes)}
