"""The quick summary says what the tables' answer says."""

from __future__ import annotations

import math

import msgspec
import numpy as np
import polars as pl
import pytest
from synthetic import log

from sim.eventlog import records as r
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


@pytest.mark.parametrize("cut", [0.0, 5.0, 11.0, 24.2, 40.0, 130.0])
def test_a_warm_up_leaves_out_what_the_tables_leave_out(cut: float) -> None:
    records = Records.of(log())
    quick = summary(records, cut)
    migrations, servers = (table(records, name, cut) for name in ("migrations", "servers"))
    assert quick["migrations"] == migrations.height
    assert quick["retries"] == (migrations["retries"].sum() or 0)
    assert quick["downtime_sum_s"] == pytest.approx(servers["downtime_s"].sum() or 0.0)
    assert quick["slowdown_sum_s"] == pytest.approx(servers["slowdown_s"].sum() or 0.0)
    assert quick["queue_time_sum_s"] == pytest.approx(
        migrations.group_by("server")
        .agg(pl.col("total_s", "queue_s").sum())
        .filter(pl.col("total_s") > 0)["queue_s"]
        .sum()
    )
    requests = table(records, "requests", cut)
    assert quick["requests"] == requests.height
    assert quick["refused"] == requests.filter(pl.col("code") >= 400).height


def test_percentiles_are_those_of_the_servers() -> None:
    records = Records.of(log())
    downtime = table(records, "servers").filter(pl.col("downtime_s") > 0)["downtime_s"].to_list()
    quick = summary(records)
    touched = table(records, "migrations")["server"].unique().to_list()
    still = len(set(touched) - set(table(records, "servers").filter(pl.col("downtime_s") > 0)["server"]))
    assert quick["downtime_p99_s"] == pytest.approx(np.quantile(downtime + [0.0] * still, 0.99))


def test_what_a_plan_says_of_its_servers_does_not_contradict_the_answer() -> None:
    """An operator counts everybody who stayed as left; the answer calls those that failed failed."""
    whole = answer(Records.of(log()))
    assert whole.failed > 0
    assert whole.left == 0
    assert whole.operations[0].detail == "4 moved, 1 not moved"
    over = msgspec.structs.replace(
        next(one for one in log() if isinstance(one, r.Operation) and one.detail), detail="4 moved, 0 left"
    )
    all_moved = answer([over if isinstance(one, r.Operation) and one.detail else one for one in log()])
    assert all_moved.operations[0].detail == "4 moved"
