"""Means over bins keep the integral; lanes never overlap and are as few as can be."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sim.plots.bins import edges, lanes, means

moments = st.floats(0.0, 100.0)


@given(st.lists(st.tuples(moments, st.floats(-5.0, 5.0)), max_size=20), st.integers(1, 30))
def test_the_integral_is_kept(changes: list[tuple[float, float]], bins: int) -> None:
    at = edges(0.0, 100.0, bins)
    times, deltas = [t for t, _ in changes], [d for _, d in changes]
    made = means([0] * len(changes), times, deltas, 1, at)
    # Each change holds from its moment to the end.
    assert made.sum() * 100.0 / bins == pytest.approx(sum(d * (100.0 - t) for t, d in changes), abs=1e-6)


def test_a_change_within_a_bin_counts_for_its_part_of_it() -> None:
    made = means([0, 0, 1], [2.5, 7.5, -3.0], [4.0, -4.0, 1.0], 2, edges(0.0, 10.0, 2))
    assert made.tolist() == [[4.0 * 2.5 / 5, 4.0 * 2.5 / 5], [1.0, 1.0]]


@given(st.lists(st.tuples(moments, st.floats(0.1, 30.0)), min_size=1, max_size=30))
def test_lanes(spans: list[tuple[float, float]]) -> None:
    begin = np.array([b for b, _ in spans])
    end = begin + np.array([length for _, length in spans])
    lane = lanes(begin, end)
    for one in range(len(spans)):
        for other in range(one):
            if lane[one] == lane[other]:
                assert end[one] <= begin[other] or end[other] <= begin[one]
    at_once = max(int(((begin <= t) & (t < end)).sum()) for t in begin)
    assert lane.max() + 1 == at_once
