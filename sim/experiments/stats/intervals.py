"""Confidence intervals for means, quantiles and shares, each with the name of its method.

Means: Student's t; from ten runs on corrected for the skewness of the values by Hall's cubic transformation, because
makespans and downtimes have long right tails, on which the plain interval covers too seldom.
Quantiles: order statistics, interpolated as Nyblom does, which assumes nothing of the distribution; where there are
too few runs for that, a bootstrap, whose method text says that it cannot see beyond what was seen.
Shares: Clopper and Pearson.

Sources: P. Hall, "On the removal of skewness by transformation", J. R. Statist. Soc. B 54 (1992); J. Nyblom, "Note on
interpolated order statistics", Statistics & Probability Letters 14 (1992).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

SKEW_FROM = 10
"""From how many values on the skewness is taken into account: of fewer it is mostly noise."""
RESAMPLES = 2000
ALIKE = "all runs alike"

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Estimate:
    """A value with its confidence interval; ``low`` and ``high`` are NaN where no interval can be given."""

    value: float
    low: float
    high: float
    n: int
    confidence: float
    method: str

    @property
    def half_width(self) -> float:
        """The farther end's distance from the value."""
        return max(self.high - self.value, self.value - self.low)

    def excludes(self, point: float) -> bool:
        """Whether the interval leaves a point out; False where there is no interval."""
        return self.low > point or self.high < point


def finite(values: Sequence[float] | Floats) -> Floats:
    """The values that are numbers: a run in which nothing was to be measured says NaN."""
    array = np.asarray(values, dtype=np.float64)
    return array[np.isfinite(array)]


def t_interval(values: Sequence[float] | Floats, confidence: float = 0.95) -> Estimate:
    """The mean of independent values by Student's t; for paired differences, which are symmetric or nearly so."""
    x = finite(values)
    n = len(x)
    if n < 2:
        return Estimate(float(x[0]) if n else math.nan, math.nan, math.nan, n, confidence, _too_few(n))
    if _constant(x):
        return Estimate(float(x[0]), float(x[0]), float(x[0]), n, confidence, ALIKE)
    mean = float(x.mean())
    half = float(stats.t.ppf((1 + confidence) / 2, n - 1)) * float(x.std(ddof=1)) / math.sqrt(n)
    return Estimate(mean, mean - half, mean + half, n, confidence, "t")


def t_test(values: Sequence[float] | Floats) -> float:
    """Two-sided p-value that the mean is 0: the error at which :func:`t_interval` just excludes it."""
    x = finite(values)
    if len(x) < 2:
        return 1.0
    if _constant(x):
        return 1.0 if float(x[0]) == 0.0 else 0.0
    return float(stats.ttest_1samp(x, 0.0).pvalue)


def mean_interval(values: Sequence[float] | Floats, confidence: float = 0.95) -> Estimate:
    """The mean of independent values, however skewed."""
    plain = t_interval(values, confidence)
    n = plain.n
    if n < SKEW_FROM or plain.method != "t":
        return plain
    x = finite(values)
    deviation, skew = float(x.std(ddof=1)), float(stats.skew(x, bias=False))
    point = float(stats.t.ppf((1 + confidence) / 2, n - 1)) / math.sqrt(n)
    low, high = (plain.value - deviation * _untransformed(end, skew, n) for end in (point, -point))
    return Estimate(plain.value, low, high, n, confidence, "t, corrected for skewness (Hall)")


def quantile_interval(values: Sequence[float] | Floats, q: float, confidence: float = 0.95) -> Estimate:
    """The ``q``-quantile of the distribution that the values are drawn from."""
    x = np.sort(finite(values))
    n = len(x)
    if n < 2:
        return Estimate(float(x[0]) if n else math.nan, math.nan, math.nan, n, confidence, _too_few(n))
    value = float(np.quantile(x, q))
    if _constant(x):
        return Estimate(value, value, value, n, confidence, ALIKE)
    tail = (1 - confidence) / 2
    if q**n <= tail and (1 - q) ** n <= tail:
        low, high = _order_bound(x, q, tail), _order_bound(x, q, 1 - tail)
        return Estimate(value, min(low, value), max(high, value), n, confidence, "order statistics (Nyblom)")
    need = runs_for_quantile(q, confidence)
    low, high = bootstrap(x, lambda sample: np.quantile(sample, q, axis=-1), confidence)
    text = f"bootstrap, blind to the tail below {need} runs"
    return Estimate(value, low, high, n, confidence, text)


def share_interval(count: int, n: int, confidence: float = 0.95) -> Estimate:
    """The probability of something that happened in ``count`` of ``n`` runs."""
    if n == 0:
        return Estimate(math.nan, 0.0, 1.0, 0, confidence, _too_few(0))
    found = stats.binomtest(count, n).proportion_ci(confidence, method="exact")
    return Estimate(count / n, float(found.low), float(found.high), n, confidence, "Clopper-Pearson")


def bootstrap(
    values: Sequence[float] | Floats, statistic: Callable[[Floats], Floats], confidence: float = 0.95
) -> tuple[float, float]:
    """Percentile bootstrap over the first axis, with luck of its own: the same values give the same interval.

    ``statistic`` maps samples of shape (…, n) to (…).
    """
    x = np.asarray(values, dtype=np.float64)
    n = len(x)
    picks = np.random.default_rng(n).integers(0, n, (RESAMPLES, n))
    found = statistic(x[picks])
    low, high = np.quantile(found, [(1 - confidence) / 2, (1 + confidence) / 2])
    return float(low), float(high)


def runs_for_quantile(q: float, confidence: float = 0.95) -> int:
    """How many runs an interval by order statistics needs: both ends must have a value beyond them."""
    tail = (1 - confidence) / 2
    return math.ceil(math.log(tail) / math.log(max(q, 1 - q)))


def _too_few(n: int) -> str:
    return "one run: no interval" if n else "nothing was measured"


def _constant(x: Floats) -> bool:
    """Whether all values are alike, but for the rounding of their sums."""
    spread = float(x.max() - x.min())
    return spread <= 1e-12 * max(abs(float(x[0])), 1e-300)


def _untransformed(y: float, skew: float, n: int) -> float:
    """The standardised mean at which Hall's cubic of it, ``w + skew w²/3 + skew² w³/27 + skew/6n``, is ``y``."""
    if abs(skew) < 1e-9:
        return y
    return float(3 / skew * (np.cbrt(1 + skew * (y - skew / (6 * n))) - 1))


def _order_bound(x: Floats, q: float, level: float) -> float:
    """A bound that the quantile lies under with probability ``level``: between two neighbouring order statistics."""
    n = len(x)
    # P(quantile <= X_(r)) = P(at most r - 1 of n values lie under it), for r = 1 … n
    under = stats.binom.cdf(np.arange(n), n, q)
    r = int(np.searchsorted(under, level, side="right"))
    if r == 0:
        return float(x[0])
    if r >= n:
        return float(x[-1])
    before, after = float(under[r - 1]), float(under[r])
    if level == before:
        return float(x[r - 1])
    odds = r * (1 - q) * (after - level) / ((n - r) * q * (level - before))
    share = 1 / (1 + odds)
    return float((1 - share) * x[r - 1] + share * x[r])
