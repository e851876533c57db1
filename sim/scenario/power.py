"""How much power a host takes at a CPU utilisation: measured tables, and formulas with two numbers.

``spec-hp-ml110-g4`` and ``-g5`` are SPECpower results (2011Q1, 00342 and 00339) in steps of a tenth, straight lines
between. ``linear:IDLE:MAX`` is IDLE + (MAX - IDLE) u, ``cubic:IDLE:MAX`` the same with u³, ``fan:IDLE:MAX`` with
2u - u^1.4 (Fan et al., ISCA 2007). Watts; a host that is off takes none.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Model = Callable[[NDArray[np.float64]], NDArray[np.float64]]
"""Utilisations, 0..1 → watts."""

TABLES: dict[str, tuple[float, ...]] = {
    "spec-hp-ml110-g4": (86, 89.4, 92.6, 96, 99.5, 102, 106, 108, 112, 114, 117),
    "spec-hp-ml110-g5": (93.7, 97, 101, 105, 110, 116, 121, 125, 129, 133, 135),
}
"""Name → watts at 0, 10, … 100 % load."""
FORMULAS: dict[str, Callable[[NDArray[np.float64]], NDArray[np.float64]]] = {
    "linear": lambda u: u, "cubic": lambda u: u**3, "fan": lambda u: 2 * u - u**1.4,
}  # fmt: skip
"""Name → the part of the range between idle and full load that is taken at a utilisation."""
KNOWN = f"{', '.join(TABLES)}, or {', '.join(f'{name}:IDLE:MAX' for name in FORMULAS)} in watts"


def power_model(name: str) -> Model:
    """The model of that name; ValueError with the known ones for any other."""
    table = TABLES.get(name)
    if table is not None:
        return lambda u: np.interp(u, np.linspace(0.0, 1.0, len(table)), table)
    kind, _, rest = name.partition(":")
    formula = FORMULAS.get(kind)
    try:
        idle, full = (float(text) for text in rest.split(":"))
    except ValueError:
        formula, idle, full = None, 0.0, 0.0
    if formula is None or not 0 <= idle <= full < float("inf"):
        raise ValueError(f"unknown power model {name!r}; {KNOWN}")
    chosen = formula
    return lambda u: idle + (full - idle) * chosen(u)
