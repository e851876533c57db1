"""Distributions of times against scipy's, and through the named streams that a run draws from."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from scipy import stats

from sim.kernel.streams import Streams
from sim.scenario.distribution import Dist

SHAPES: list[tuple[Any, Any]] = [
    ({"uniform": {"low": "2 s", "high": "5 s"}}, stats.uniform(2, 3)),
    ({"exponential": {"mean": "1 h"}}, stats.expon(scale=3600)),
    ({"lognormal": {"median": "54 min", "sigma": 1.94}}, stats.lognorm(1.94, scale=54 * 60)),
    ({"weibull": {"shape": 0.75, "scale": "10 days"}}, stats.weibull_min(0.75, scale=864_000)),
    ({"weibull": {"shape": 1, "scale": "1 s"}}, stats.expon()),
]


@pytest.mark.parametrize(("given_", "known"), SHAPES)
def test_quantiles_and_means_are_scipy_s(given_: Any, known: Any) -> None:
    dist = Dist.model_validate(given_)
    at = np.linspace(0.001, 0.999, 97)
    assert [dist.quantile(u) for u in at] == pytest.approx(known.ppf(at).tolist(), rel=1e-9)
    assert dist.mean == pytest.approx(known.mean(), rel=1e-9)


@pytest.mark.parametrize(("given_", "known"), SHAPES)
def test_draws_from_named_streams_follow_them(given_: Any, known: Any) -> None:
    """10 000 draws, one entity each: Kolmogorov and Smirnov do not doubt it (a false alarm once in a thousand)."""
    dist, streams = Dist.model_validate(given_), Streams(20161)
    drawn = [streams.draw(dist, "fault.every", f"host-{n}") for n in range(10_000)]
    assert stats.kstest(drawn, known.cdf).pvalue > 0.001


def test_one_entity_s_draws_are_independent() -> None:
    streams = Streams(7)
    dist = Dist.model_validate({"exponential": {"mean": "1 s"}})
    drawn = np.array([streams.draw(dist, "fault.every", "host-1") for _ in range(10_000)])
    assert stats.kstest(drawn, stats.expon().cdf).pvalue > 0.001
    assert abs(np.corrcoef(drawn[1:], drawn[:-1])[0, 1]) < 4 / np.sqrt(len(drawn))


def test_measured_values_are_each_as_likely() -> None:
    dist = Dist.model_validate({"empirical": ["1 s", "1 s", "5 s", "9 s"]})
    streams = Streams(3)
    drawn = [streams.draw(dist, "x", str(n)) for n in range(8000)]
    counts = [drawn.count(value) for value in (1.0, 5.0, 9.0)]
    assert stats.chisquare(counts, [4000, 2000, 2000]).pvalue > 0.001
    assert dist.mean == pytest.approx((1 + 1 + 5 + 9) / 4)


@given(st.sampled_from([shape for shape, _ in SHAPES]), st.floats(0.01, 100), st.floats(0.001, 0.999))
def test_times_stretches_everything_alike(given_: Any, factor: float, u: float) -> None:
    dist = Dist.model_validate(given_)
    assert dist.times(factor).quantile(u) == pytest.approx(factor * dist.quantile(u), rel=1e-9)
    assert dist.times(factor).mean == pytest.approx(factor * dist.mean, rel=1e-9)


@given(st.sampled_from([shape for shape, _ in SHAPES]))
def test_what_is_written_reads_back(given_: Any) -> None:
    dist = Dist.model_validate(given_)
    assert Dist.model_validate(dist.model_dump(mode="json", exclude_none=True)) == dist


@pytest.mark.parametrize("wrong", [
    {}, {"weibull": {"shape": 0, "scale": "1 s"}}, {"exponential": {"mean": "0 s"}}, {"exponential": {"mean": 5}},
    {"uniform": {"low": "5 s", "high": "2 s"}}, {"empirical": []}, {"constant": "1 s", "exponential": {"mean": "1 s"}},
    {"lognormal": {"median": "1 s", "sigma": -1}}, {"gamma": {}}, "5", 5, "-1 s",
])  # fmt: skip
def test_what_is_no_distribution_is_refused(wrong: Any) -> None:
    with pytest.raises(ValidationError):
        Dist.model_validate(wrong)
