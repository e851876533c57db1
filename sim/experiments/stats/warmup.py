"""Where the warm-up of a series ends: MSER-5.

The cut is where the mean of the rest is known best: of all cuts, the one with the smallest squared standard error of
what is left, looked for in means of five values. Source: K. P. White, M. J. Cobb, S. C. Spratt, "A comparison of five
steady-state truncation heuristics for simulation", Winter Simulation Conference 2000.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from sim.experiments.stats.intervals import Floats

BATCH = 5


def mser5(series: Sequence[float] | Floats) -> int | None:
    """How many leading values to leave out.

    Only cuts in the first half count, as is usual: the few values that a later one leaves agree by chance. None when
    the best cut is at the end of that half: the series has not come to rest by then. ValueError for fewer than twenty
    values.
    """
    x = np.asarray(series, dtype=np.float64)
    batches = len(x) // BATCH
    if batches < 4:
        raise ValueError(f"a series of {len(x)} values is too short; MSER-5 needs at least {4 * BATCH}")
    means = x[: batches * BATCH].reshape(batches, BATCH).mean(axis=1)
    means = means - means.mean()
    left = np.arange(batches, 0, -1)
    sums, squares = (np.cumsum(v[::-1])[::-1] for v in (means, means**2))
    errors = (squares - sums**2 / left) / left**2
    half = batches // 2
    cut = int(np.argmin(np.maximum(errors[: half + 1], 0.0)))
    return None if cut > 0.9 * half else cut * BATCH
