"""Step functions of time as means over bins: what heat maps and areas are drawn from, at any scale."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]


def edges(start: float, end: float, bins: int) -> Floats:
    """``bins`` + 1 moments from ``start`` to ``end``."""
    return np.linspace(start, max(end, start + 1e-9), bins + 1)


def means(row: ArrayLike, t: ArrayLike, delta: ArrayLike, rows: int, at: Floats) -> Floats:
    """Time-weighted means, (rows, bins), of step functions that are 0 at first and change by ``delta`` at ``t``.

    ``row``, ``t`` and ``delta`` are one entry for each change, in any order. Changes before the first edge hold from
    the start; changes after the last are left out.
    """
    rows_of, when = np.asarray(row, dtype=np.int64), np.asarray(t, dtype=float)
    amount = np.asarray(delta, dtype=float)
    bins = len(at) - 1
    width = (at[-1] - at[0]) / bins
    place = np.clip((when - at[0]) / width, 0.0, None)
    inside = place < bins
    rows_of, place, amount = rows_of[inside], place[inside], amount[inside]
    first = place.astype(np.int64)
    part = first + 1 - place
    """How much of its first bin a change holds for."""
    steps = np.zeros((rows, bins + 1))
    np.add.at(steps, (rows_of, first), amount * part)
    np.add.at(steps, (rows_of, first + 1), amount * (1.0 - part))
    made: Floats = steps.cumsum(axis=1)[:, :bins]
    return made


def lanes(begin: Floats, end: Floats) -> NDArray[np.int64]:
    """A lane for each interval, so that no two in a lane overlap; as few lanes as can be, lowest first."""
    order = np.lexsort((end, begin))
    free: list[float] = []
    made = np.zeros(len(begin), dtype=np.int64)
    for i in order.tolist():
        lane = next((lane for lane, until in enumerate(free) if until <= begin[i]), len(free))
        if lane == len(free):
            free.append(0.0)
        free[lane] = max(end[i], begin[i])
        made[i] = lane
    return made
