"""Progressive filling as the textbook says it, in exact fractions: what the incremental solver is held to.

It shares nothing with the solver: all links and all flows are looked at in every step, and no number is rounded.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction

INFINITE = None
"""Rate of a flow that nothing bounds."""


def fill(
    routes: Sequence[Sequence[int]], capacities: Sequence[float], caps: Sequence[float]
) -> list[Fraction | None]:  # fmt: skip
    """Max-min fair rates. ``routes[f]`` are indices of links; a cap of infinity is no cap."""
    private = [(None if math.isinf(cap) else Fraction(cap)) for cap in caps]
    left = [Fraction(capacity) for capacity in capacities]
    rates: list[Fraction | None] = [Fraction(0)] * len(routes)
    growing = set(range(len(routes)))
    level = Fraction(0)
    while growing:
        rooms = []
        for link, room in enumerate(left):
            users = sum(1 for flow in growing if link in routes[flow])
            if users:
                rooms.append(room / users)
        rooms += [cap - level for flow in growing if (cap := private[flow]) is not None]
        if not rooms:
            for flow in growing:
                rates[flow] = INFINITE
            break
        step = min(rooms)
        level += step
        for flow in growing:
            rates[flow] = level
            for link in routes[flow]:
                left[link] -= step
        full = {link for link, room in enumerate(left) if room == 0}
        frozen = {flow for flow in growing if full & set(routes[flow]) or private[flow] == level}
        growing -= frozen
    return rates
