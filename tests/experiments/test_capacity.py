"""Capacity against the theory of a Poisson stream, and warm-ups against that of a system with endless room."""

from __future__ import annotations

import math
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

import sim
from sim.errors import InputError, Issue
from sim.eventlog import records as r
from sim.experiments.axes import Axis
from sim.experiments.driver import Driver
from sim.experiments.executors.inline import Inline
from sim.experiments.experiment import Experiment, experiment
from sim.experiments.plans.capacity import (
    Growth,
    answers,
    full_times,
    growth_settings,
    horizon,
    parse_growth,
    servers_today,
)
from sim.experiments.plans.found import write_scenario
from sim.experiments.store import Store
from sim.experiments.variants import Variant
from sim.experiments.warmup import POINTS, find_warm_up, load_over_time
from sim.metrics.hosts import over_time
from sim.metrics.source import Records
from sim.runs.engine import execute
from sim.scenario.loader import parse
from sim.scenario.yaml_text import to_yaml

CLOUD = {
    "name": "growing",
    "cloud": {
        "hosts": [{"name": "h{n:1-3}", "vcpus": 16, "memory": "65 GiB", "disk": "1 TiB", "aggregates": ["all"]},
                  {"name": "g1", "vcpus": 16, "memory": "33 GiB", "disk": "1 TiB", "aggregates": ["gpu"]}],
        "aggregates": [{"name": "all"}, {"name": "gpu", "metadata": {"gpu": "yes"}}],
        "flavors": [{"name": "m", "vcpus": 1, "memory": "8 GiB", "disk": "1 GiB"},
                    {"name": "s", "vcpus": 1, "memory": "2 GiB", "disk": "1 GiB"},
                    {"name": "gpu", "vcpus": 1, "memory": "8 GiB", "disk": "1 GiB",
                     "extra_specs": {"aggregate_instance_extra_specs:gpu": "yes"}}],
        "images": [{"name": "i", "size": "64 MiB"}],
        "servers": [{"name": "a{n:1-4}", "flavor": "m", "image": "i", "host": "h1"}],
        "storage": {"instances": "shared"},
        "nova": {"options": {"reserved_host_memory_mb": 1024, "filter_scheduler.enabled_filters": [
            "ComputeFilter", "AggregateInstanceExtraSpecsFilter"]}},
    },
}  # fmt: skip
# 64 GiB are 8 of m on each h, less the four on h1; g1 takes 4 of anything.
ROOM = {"m": 3 * 8 - 4 + 4, "s": 3 * 32 - 16 + 16, "gpu": 4}


def _grown(growth: list[Growth], days: float, seed: int = 3) -> sim.Scenario:
    scenario = parse(CLOUD)
    return parse(CLOUD, growth_settings(scenario, growth, days * 86400.0))


def test_a_flavor_is_full_when_the_last_place_is_taken() -> None:
    result = execute(_grown([Growth("m", 3600.0)], 3.0), 5)
    found = full_times(result)
    assert {name: found[f"fits:{name}"] for name in ROOM} == ROOM
    claims = [record.t for record in result.records() if isinstance(record, r.Claimed)]
    assert len(claims) == ROOM["m"]
    assert found["full:m"] == claims[-1] == found["full:s"]
    on_gpu = [record.t for record in result.records() if isinstance(record, r.Claimed) and record.host == "g1"]
    assert found["full:gpu"] == on_gpu[3]
    refusals = [record.t for record in result.records() if isinstance(record, r.Decision) and record.chosen is None]
    assert found["refused:m"] == refusals[0] > found["full:m"]
    assert math.isnan(found["refused:s"])


def test_deletes_and_moves_make_room_again() -> None:
    """Users who stay half an hour never fill it; what is held at the end is what placement says."""
    scenario = parse({**CLOUD, "run": {"duration": "6 h"}, "workload": [
        {"name": "u", "every": {"exponential": {"mean": "10 min"}}, "lifetime": {"exponential": {"mean": "30 min"}},
         "flavors": {"m": 1.0}, "image": "i"}], "plan": [
        {"at": "1 h", "drain": {"hosts": ["h1"], "method": "live"}}]})  # fmt: skip
    found = full_times(execute(scenario, 5))
    assert math.isnan(found["full:m"])
    assert found["fits:m"] == ROOM["m"]


def test_the_day_is_that_of_the_theory() -> None:
    """The n-th arrival of a Poisson stream has a gamma distribution."""
    theory = stats.gamma(ROOM["m"], scale=3600.0)
    times = [full_times(execute(_grown([Growth("m", 3600.0)], 4.0), seed))["full:m"] for seed in range(40)]
    assert stats.kstest(times, theory.cdf).pvalue > 0.01
    columns = {"full:m": times, "refused:m": times, "fits:m": [float(ROOM["m"])] * 40}
    (full,) = answers([Growth("m", 3600.0)], servers_today(parse(CLOUD)), columns, 4 * 86400.0, 0.95)
    assert full.when.low <= theory.median() <= full.when.high
    assert (full.now, full.fits, full.per_day, full.never) == (4, ROOM["m"], 24.0, 0)
    assert theory.ppf(0.01) < full.early < theory.ppf(0.15)
    assert theory.ppf(0.85) < full.late < theory.ppf(0.99)


def test_what_is_not_full_by_the_end_counts_as_later() -> None:
    columns = {"full:m": [10.0, math.nan, math.nan], "refused:m": [math.nan] * 3, "fits:m": [5.0] * 3}
    (full,) = answers([], Counter(), columns, 100.0, 0.95)
    assert (full.when.value, full.never, full.per_day) == (100.0, 2, 0.0)
    assert math.isinf(full.refused)


def test_growth_is_read_with_its_units() -> None:
    issues: list[Issue] = []
    scenario = parse(CLOUD)
    found = parse_growth("m=50 %/day, s=2 per week,gpu=0.5/hour", scenario, issues)
    assert not issues
    assert [(one.flavor, one.per_day) for one in found] == [
        ("m", pytest.approx(2.0)), ("s", pytest.approx(2 / 7)), ("gpu", pytest.approx(12.0)),
    ]  # fmt: skip
    assert horizon(scenario, 1, found) > ROOM["gpu"] * 7200.0


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("m=5", "is no growth"),
        ("m=5/fortnight", "is no growth"),
        ("mm=5/day", "is not a flavor"),
        ("m=0/day", "nothing"),
        ("s=5 %/day", "nothing comes of it"),
        ("m=1/day, m=2/day", "stands twice"),
        ("m=-1/day", "is no growth"),
    ],
)
def test_what_is_no_growth_is_refused(text: str, words: str) -> None:
    issues: list[Issue] = []
    parse_growth(text, parse(CLOUD), issues)
    assert len(issues) == 1
    assert words in str(issues[0])


def test_the_growth_replays_as_a_scenario(tmp_path: Path) -> None:
    file = tmp_path / "c.yaml"
    file.write_text(to_yaml(CLOUD))
    settings = growth_settings(sim.load(file), [Growth("m", 3600.0)], 86400.0)
    base = Experiment(str(file), ())
    path = write_scenario(base, Variant("growth", settings, {}), tmp_path / "growth.yaml", ["grows"])
    assert (
        sim.run(path, seed=4).manifest["log_digest"] == sim.run(sim.load(file, settings), seed=4).manifest["log_digest"]
    )


# --- warm-up ----------------------------------------------------------------------------------------------------------

USERS = {
    **CLOUD,
    "cloud": {**CLOUD["cloud"], "servers": [], "nova": {"options": {"quota.instances": -1, "quota.cores": -1,
                                                                   "quota.ram": -1}}},
    "workload": [{"name": "u", "every": {"exponential": {"mean": "2 min"}}, "flavors": {"s": 1.0}, "image": "i",
                  "lifetime": {"exponential": {"mean": "1 h"}}}],
    "run": {"duration": "20 h"},
}  # fmt: skip


def test_memory_over_time_is_that_of_the_table_of_hosts() -> None:
    result = execute(parse({**CLOUD, "run": {"duration": "3 h"}, "plan": [
        {"at": "1 h", "drain": {"hosts": ["h1"], "method": "live"}}]}), 2)  # fmt: skip
    found = load_over_time(result)
    series = over_time(Records.of(result.records(), result.manifest))
    hosts = {key[0]: part for key, part in series.group_by("host")}
    assert len(found) == 2 * POINTS
    assert found["memory_0"] == 4 * 8192.0
    assert found[f"memory_{POINTS - 1}"] == 4 * 8192.0
    total = sum(float(part["memory_mb"][-1]) for part in hosts.values())
    assert total == found[f"memory_{POINTS - 1}"]
    during = max(found[f"memory_{i}"] for i in range(POINTS))
    assert 4 * 8192.0 < during <= 8 * 8192.0  # while they move they are held twice
    moving = [found[f"moving_{i}"] for i in range(POINTS)]
    assert moving[0] == moving[-1] == 0.0
    assert 0.0 < max(moving) <= 4.0


def test_the_warm_up_ends_when_the_cloud_has_filled(tmp_path: Path) -> None:
    """Endless room: the mean is (1 - exp(-t / 1 h)) of its last value, so within 1 to 8 lifetimes it is at rest."""
    file = tmp_path / "users.yaml"
    file.write_text(to_yaml(USERS))
    made = experiment(file, replications=2)
    with Store(tmp_path / "swept") as store:
        cut = find_warm_up(made, store, Inline())
        assert 3600.0 <= cut <= 8 * 3600.0
        driver = Driver(experiment(file, replications=2, warm_up=cut), store, Inline())
        driver.run()
        whole = Driver(made, store, Inline())
        whole.run()
        after, before = (list(one.outcomes(2)) for one in (driver, whole))
    for late, all_ in zip(after, before, strict=True):
        assert (late.values["requests"] or 0) < (all_.values["requests"] or 0)
        assert late.log_digest == all_.log_digest


def test_a_cloud_that_only_fills_has_no_steady_state(tmp_path: Path) -> None:
    file = tmp_path / "users.yaml"
    file.write_text(to_yaml({**USERS, "workload": [{**USERS["workload"][0], "lifetime": "10 days"}],
                             "run": {"duration": "2 h"}}))  # fmt: skip
    with Store(tmp_path / "a") as store, pytest.raises(InputError, match="does not come to rest"):
        find_warm_up(experiment(file), store, Inline())
    file.write_text(to_yaml(CLOUD))
    with Store(tmp_path / "b") as store, pytest.raises(InputError, match=r"no run\.duration"):
        find_warm_up(experiment(file, [Axis("run.seed", (1, 2))]), store, Inline())


def test_the_mean_after_the_warm_up_is_that_of_the_theory() -> None:
    """M/M/oo: arrivals a second times the mean life, 30 servers of 2 GiB."""
    levels = []
    for seed in range(6):
        found = load_over_time(execute(parse(USERS), seed))
        levels.append(np.mean([found[f"memory_{i}"] for i in range(POINTS // 4, POINTS)]) / 2048.0)
    theory = 30.0
    # The time average of M/M/oo over T lifetimes has a variance of 2 x 30 / T.
    error = math.sqrt(2 * theory / 15 / 6)
    assert np.mean(levels) == pytest.approx(theory, abs=3 * error + 0.5)  # builds and deletes hold a little longer


def test_growth_boots_from_an_image_that_its_flavor_can_hold() -> None:
    big = {"name": "big", "size": "2 GiB"}
    for images, used in (([big, {"name": "i", "size": "64 MiB"}], "i"), ([big], "growth"), ([], "growth")):
        bare = parse({**CLOUD, "cloud": {**CLOUD["cloud"], "images": images, "servers": []}})
        growth = [Growth("m", 3600.0), Growth("gpu", 7200.0)]
        grown = parse({**CLOUD, "cloud": {**CLOUD["cloud"], "images": images, "servers": []}},
                      growth_settings(bare, growth, 86400.0))  # fmt: skip
        assert [users.image for users in grown.workload] == [used, used]
        answers_ = [x for x in execute(grown, 1).records() if isinstance(x, r.Answer)]
        assert answers_
        assert all(answer.code < 400 for answer in answers_)
