"""The quick summary says what the tables' answer says."""

from __future__ import annotations

import math

import pytest
from synthetic import log

from sim.metrics.answer import answer
from sim.metrics.source import Records
from sim.metrics.summary import summary
from sim.metrics.tables import table


@pytest.mark.parametrize("until", [300.0, 0.0, 11.0, 24.2, 40.0, 48.0, 127.0, 262.7])
def test_the_summary_is_the_answer_in_numbers(until: float) -> None:
    records = Records.of([record for record in log() if record.t <= until])
    quick, whole = summary(records), answer(records)
    for name in (
        "asked", "moved", "failed", "left", "migrations", "migrations_failed", "retries", "auto_confirmed",
        "unconfirmed", "simulated_s",
    ):  # fmt: skip
        assert quick[name] == getattr(whole, name), name
    for name in ("downtime", "total_time", "queue_time"):
        spread = getattr(whole, name)
        assert quick[f"{name}_sum_s"] == pytest.approx(spread.sum), name
        for part in ("median", "p95", "max"):
            value = getattr(spread, part)
            assert quick[f"{name}_{part}_s"] == pytest.approx(math.nan if value is None else value, nan_ok=True)
    assert quick["makespan_s"] == pytest.approx(math.nan if whole.makespan_s is None else whole.makespan_s, nan_ok=True)
    assert quick["bytes_sent_b"] == pytest.approx(whole.bytes_sent_b)
    assert quick["slowdown_sum_s"] == pytest.approx(table(records, "servers")["slowdown_s"].sum())
