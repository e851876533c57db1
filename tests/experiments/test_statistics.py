"""Intervals, tests and cuts against scipy, theory, and their own promise: how often they are right."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from scipy import stats

from sim.experiments.stats.intervals import (
    Estimate,
    mean_interval,
    quantile_interval,
    runs_for_quantile,
    share_interval,
    t_interval,
    t_test,
)
from sim.experiments.stats.ranking import holm, rank
from sim.experiments.stats.warmup import mser5

Draw = Callable[[np.random.Generator, int], np.ndarray]
DISTRIBUTIONS: dict[str, tuple[Draw, stats.rv_continuous]] = {
    "normal": (lambda rng, n: rng.normal(size=n), stats.norm()),
    "lognormal": (lambda rng, n: rng.lognormal(0.0, 0.5, n), stats.lognorm(0.5)),
    "exponential": (lambda rng, n: rng.exponential(size=n), stats.expon()),
    "gumbel": (lambda rng, n: rng.gumbel(size=n), stats.gumbel_r()),
    "uniform": (lambda rng, n: rng.random(n), stats.uniform()),
    "weibull": (lambda rng, n: rng.weibull(1.5, n), stats.weibull_min(1.5)),
}
EXPERIMENTS = 3000
"""Enough that the share of 95 % is known to 0.8 points, at two standard errors."""


def _coverage(name: str, n: int, interval: Callable[[np.ndarray], Estimate], truth: float) -> float:
    draw = DISTRIBUTIONS[name][0]
    rng = np.random.default_rng([n, *name.encode()])
    found = [interval(draw(rng, n)) for _ in range(EXPERIMENTS)]
    return sum(one.low <= truth <= one.high for one in found) / EXPERIMENTS


@pytest.mark.parametrize("n", [10, 20, 50])
@pytest.mark.parametrize("name", DISTRIBUTIONS)
def test_intervals_of_means_cover_the_mean_as_often_as_they_say(name: str, n: int) -> None:
    truth = float(DISTRIBUTIONS[name][1].mean())
    assert 0.93 <= _coverage(name, n, mean_interval, truth) <= 0.97


@pytest.mark.parametrize("n", [3, 8])
def test_intervals_of_few_runs_cover_the_mean_of_normal_values(n: int) -> None:
    assert 0.93 <= _coverage("normal", n, mean_interval, 0.0) <= 0.97


@pytest.mark.parametrize(("q", "n"), [(0.5, 12), (0.9, 40), (0.95, 80)])
@pytest.mark.parametrize("name", DISTRIBUTIONS)
def test_intervals_of_quantiles_cover_the_quantile_as_often_as_they_say(name: str, q: float, n: int) -> None:
    truth = float(DISTRIBUTIONS[name][1].ppf(q))
    assert 0.93 <= _coverage(name, n, lambda x: quantile_interval(x, q), truth) <= 0.97


@pytest.mark.parametrize("p", [0.2, 0.9])
def test_intervals_of_shares_cover_at_least_as_often_as_they_say(p: float) -> None:
    counts = np.random.default_rng(5).binomial(30, p, EXPERIMENTS)
    right = {count: (found := share_interval(count, 30)).low <= p <= found.high for count in range(31)}
    assert sum(right[int(count)] for count in counts) / EXPERIMENTS >= 0.95


def test_the_interval_of_few_values_is_scipys_t_interval() -> None:
    x = [310.0, 295.0, 322.0, 301.0, 340.0]
    low, high = stats.t.interval(0.95, len(x) - 1, np.mean(x), stats.sem(x))
    found = mean_interval(x)
    assert (found.low, found.high, found.method) == (pytest.approx(low), pytest.approx(high), "t")
    assert found == t_interval(x)
    assert t_test(np.array(x) - 300.0) == pytest.approx(stats.ttest_1samp(x, 300.0).pvalue)


def test_the_interval_of_symmetric_values_is_scipys_t_interval() -> None:
    x = np.concatenate([np.arange(1.0, 8.0), -np.arange(1.0, 8.0)]) + 20.0
    low, high = stats.t.interval(0.95, len(x) - 1, np.mean(x), stats.sem(x))
    found = mean_interval(x)
    assert (found.low, found.high) == (pytest.approx(low), pytest.approx(high))


def test_a_long_right_tail_moves_the_interval_to_the_right() -> None:
    x = np.random.default_rng(2).exponential(size=15)
    low, high = stats.t.interval(0.95, len(x) - 1, np.mean(x), stats.sem(x))
    found = mean_interval(x)
    assert found.low > low
    assert found.high > high


@pytest.mark.parametrize("confidence", [0.8, 0.95, 0.99])
@pytest.mark.parametrize("n", [10, 25])
def test_the_corrected_interval_ends_where_halls_cubic_is_at_the_ends_of_t(n: int, confidence: float) -> None:
    x = np.random.default_rng(n).lognormal(0.0, 0.6, n)
    found = mean_interval(x, confidence)
    skew = stats.skew(x, bias=False)
    point = stats.t.ppf((1 + confidence) / 2, n - 1)
    for end, sign in ((found.low, 1), (found.high, -1)):
        w = (x.mean() - end) / x.std(ddof=1)
        cubic = w + skew * w**2 / 3 + skew**2 * w**3 / 27 + skew / (6 * n)
        assert np.sqrt(n) * cubic == pytest.approx(sign * point)


def test_the_median_has_the_interval_of_hettmansperger_and_sheather() -> None:
    """Ten values: the ends lie between the 2nd and 3rd, and the 8th and 9th, between their levels."""
    x = np.arange(1.0, 11.0)
    at_2, at_3 = (1 - 2 * stats.binom.cdf(r - 1, 10, 0.5) for r in (2, 3))
    inner = (at_2 - 0.95) / (at_2 - at_3)
    share = (10 - 2) * inner / (2 + (10 - 2 * 2) * inner)
    found = quantile_interval(x, 0.5)
    assert found.low == pytest.approx((1 - share) * 2 + share * 3)
    assert found.high == pytest.approx(11 - found.low)


@pytest.mark.parametrize("q", [0.5, 0.9, 0.95, 0.99])
def test_as_many_runs_as_are_asked_for_make_a_quantile_exact(q: float) -> None:
    need = runs_for_quantile(q)
    rng = np.random.default_rng(9)
    assert quantile_interval(rng.normal(size=need), q).method == "order statistics (Nyblom)"
    fewer = quantile_interval(rng.normal(size=need - 1), q)
    assert fewer.method.startswith("bootstrap")
    assert str(need) in fewer.method


def test_what_cannot_be_estimated_has_no_interval() -> None:
    assert math.isnan(mean_interval([5.0]).low)
    assert math.isnan(mean_interval([math.nan, math.nan]).value)
    assert mean_interval([4.0, math.nan, 4.0]) == Estimate(4.0, 4.0, 4.0, 2, 0.95, "all runs alike")
    assert quantile_interval([4.0] * 6, 0.95).high == 4.0
    assert not mean_interval([5.0]).excludes(0.0)


# --- warm-up ----------------------------------------------------------------------------------------------------------


def test_the_cut_is_the_one_with_the_smallest_standard_error() -> None:
    rng = np.random.default_rng(4)
    x = rng.normal(size=200) + 30.0 * np.exp(-np.arange(200) / 12.0)
    means = x.reshape(-1, 5).mean(axis=1)
    errors = [float(np.var(means[cut:]) / len(means[cut:])) for cut in range(21)]
    assert mser5(x) == 5 * int(np.argmin(errors))
    assert 25 <= (mser5(x) or 0) <= 80


def test_the_cut_takes_the_bias_out_of_an_autoregressive_series() -> None:
    """AR(1) from far away: the mean of the theory is 0, the bias of the whole series 0.9 × 20 / (n (1 - 0.9))."""
    rng = np.random.default_rng(6)
    cut_means, whole_means = [], []
    for _ in range(100):
        noise = rng.normal(size=1000)
        x = np.empty(1000)
        value = 20.0
        for i in range(1000):
            value = 0.9 * value + noise[i]
            x[i] = value
        cut = mser5(x)
        if cut is None:  # a correlated series wanders; now and then it does not rest
            continue
        cut_means.append(x[cut:].mean())
        whole_means.append(x.mean())
    assert len(cut_means) >= 90
    assert np.mean(whole_means) == pytest.approx(0.9 * 20 / (1000 * 0.1), abs=0.08)
    assert abs(np.mean(cut_means)) < 0.08


def test_a_steady_series_needs_no_cut_and_a_growing_one_has_none() -> None:
    flat = np.random.default_rng(8).normal(size=500)
    assert (mser5(flat) or 0) <= 100
    assert mser5(np.arange(500.0)) is None
    with pytest.raises(ValueError, match="too short"):
        mser5([1.0] * 19)


# --- ranking ----------------------------------------------------------------------------------------------------------


def test_holm_as_in_the_textbook() -> None:
    """0.01 × 4, 0.013 × 3, then never lower than the one before."""
    assert holm([0.014, 0.19, 0.01, 0.013]) == pytest.approx([0.04, 0.19, 0.04, 0.04])
    assert holm([0.6, 0.5]) == [1.0, 1.0]


def test_a_ranking_makes_a_false_statement_as_seldom_as_it_says() -> None:
    """Five variants that are the same: the share of experiments with even one statement is at most 5 %."""
    rng = np.random.default_rng(12)
    false = 0
    for _ in range(600):
        luck = rng.normal(size=12)
        values = {str(i): luck + rng.normal(size=12) for i in range(5)}
        false += any(one.best > 1 or one.worst < 5 for one in rank(values))
    assert false / 600 <= 0.05 + 2 * math.sqrt(0.05 * 0.95 / 600)


def test_common_luck_tells_variants_apart_that_differ_less_than_their_luck() -> None:
    luck = np.random.default_rng(13).normal(100.0, 20.0, 30)
    noise = np.random.default_rng(14).normal(0.0, 0.5, (3, 30))
    ranks = rank({"slow": luck + 2.0 + noise[0], "quick": luck + noise[1], "quick too": luck + 0.01 + noise[2]})
    assert [one.name for one in ranks][2] == "slow"
    assert (ranks[2].best, ranks[2].worst, ranks[2].not_told_from) == (3, 3, ())
    for one in ranks[:2]:
        assert (one.best, one.worst) == (1, 2)
        assert one.not_told_from == tuple({"quick", "quick too"} - {one.name})
