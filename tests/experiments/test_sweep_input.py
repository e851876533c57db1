"""What is asked for: measures, precisions, axes, designs, variants, sweep files; and all that can be wrong with it."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import qmc

from sim.errors import InputError, Issue
from sim.eventlog import records as r
from sim.experiments.axes import Axis, Span, parse_axis
from sim.experiments.design import Design, parse_design, points, shares, size_of
from sim.experiments.experiment import experiment, is_sweep_file, read_sweep
from sim.experiments.measures import COLUMNS, measure, measures
from sim.experiments.precision import parse_until
from sim.experiments.seeds import seed_of
from sim.experiments.variants import short_names, variant_of
from sim.metrics.summary import summary

ROOT = Path(__file__).parents[2]
SCENARIO = ROOT / "scenarios" / "retries_exhausted.yaml"


def test_measures_know_every_column_of_a_run() -> None:
    assert tuple(summary([r.RunStarted(0.0, "empty", "", 1, {})])) == COLUMNS


@pytest.mark.parametrize(
    ("text", "column", "statistic", "q"),
    [
        ("makespan", "makespan_s", "mean", None),
        ("p95_makespan", "makespan_s", "p95", 0.95),
        ("P95 makespan", "makespan_s", "p95", 0.95),
        ("median_failed", "failed", "median", 0.5),
        ("failures", "unmoved", "mean", None),
        ("max left", "left", "max", None),
        ("p99 downtime", "downtime_p99_s", "mean", None),
        ("downtime_p95", "downtime_p95_s", "mean", None),
        ("p90 p99 downtime", "downtime_p99_s", "p90", 0.9),
        ("p90_downtime_max", "downtime_max_s", "p90", 0.9),
        ("sum queue time", "queue_time_sum_s", "mean", None),
        ("bytes-sent", "bytes_sent_b", "mean", None),
        ("p99.5_makespan", "makespan_s", "p99.5", 0.995),
    ],
)
def test_a_measure_is_a_column_and_a_statistic_over_runs(
    text: str, column: str, statistic: str, q: float | None
) -> None:
    issues: list[Issue] = []
    found = measure(text, "--metric", issues)
    assert not issues
    assert found is not None
    assert (found.column, found.statistic, found.q) == (column, statistic, pytest.approx(q))


@pytest.mark.parametrize(
    ("value", "words"),
    [(0.0123, "+12.3 ms"), (-0.0123, "-12.3 ms"), (-4e-17, "0.00 s"), (4e-17, "0.00 s"), (90.0, "+90.0 s")],
)
def test_small_differences_of_times_are_said_in_milliseconds_and_rounding_is_none(value: float, words: str) -> None:
    found = measure("p95 downtime", "--metric", [])
    assert found is not None
    assert found.text(value, signed=True) == words


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("makspan", "'makespan'"),
        ("downtime", "p95_downtime"),
        ("p80_downtime", "is not a measure"),
        ("sum_failed", "means nothing"),
        ("p95_p95_makespan", "is not a measure"),
        ("zzz", "known: asked, "),
    ],
)
def test_what_is_no_measure_is_answered_with_what_would_be(text: str, words: str) -> None:
    issues: list[Issue] = []
    assert measure(text, "--metric", issues) is None
    assert words in str(issues[0])
    assert str(issues[0]).startswith("--metric: ")


def test_measures_are_named_once_and_all_mistakes_come_at_once() -> None:
    found, issues = measures(["makespan, p95_makespan", "makespan", "x", "y"], "--metric")
    assert [one.name for one in found] == ["makespan", "p95_makespan"]
    assert len(issues) == 2


def test_values_are_said_and_read_with_their_units() -> None:
    (makespan, failed, sent), _ = measures(["makespan", "failed", "bytes_sent"], "")
    assert (makespan.parse("6 h"), failed.parse("0"), sent.parse("2 GiB")) == (21600.0, 0.0, 2.0**31)
    assert makespan.parse("0") == 0.0
    assert (makespan.text(-90.0), makespan.text(90.0, signed=True), failed.text(0.25), failed.text(math.nan)) == (
        "-90.0 s", "+90.0 s", "0.25", "-",
    )  # fmt: skip
    with pytest.raises(ValueError, match="no unit"):
        makespan.parse("6")
    with pytest.raises(ValueError, match="not a number"):
        failed.parse("few")


def test_a_precision_is_met_when_the_interval_is_narrow_enough() -> None:
    rule = parse_until("makespan ± 5 %, failed ± 2", "--until", [])
    assert rule is not None
    assert rule.columns == ("makespan_s", "failed")
    x = np.random.default_rng(1).normal(100.0, 10.0, 40)
    half = rule.wanted[0].measure.estimate(x).half_width
    assert 2.5 < half < 5.0
    values = {"makespan_s": x, "failed": np.full(40, 3.0)}
    assert rule.met(lambda _, column: values[column], ["a"])
    values["makespan_s"] = x[:12]
    assert not rule.met(lambda _, column: values[column], ["a"])
    values["makespan_s"] = np.array([100.0])
    assert not rule.met(lambda _, column: values[column], ["a"])


def test_a_quantile_is_never_known_from_too_few_runs() -> None:
    rule = parse_until("p95_makespan ± 50 %", "--until", [])
    assert rule is not None
    x = np.random.default_rng(1).normal(100.0, 1.0, 300)
    assert not rule.met(lambda *_: x[:71], ["a"])
    assert rule.met(lambda *_: x[:72], ["a"])
    assert list(rule.looks(200)) == [72, 90, 113, 142, 178, 200]
    assert list(rule.looks(50)) == [50]
    assert (rule.too_few(71), rule.too_few(72)) == (72, 0)


@pytest.mark.parametrize("text", ["p95_makespan", "makespan ± five", "makespan ± 5", "speed ± 5 %", "max_left ± 1",
                                  "makespan ± 0 %", "makespan ± -3 s"])  # fmt: skip
def test_what_is_no_precision_is_refused(text: str) -> None:
    issues: list[Issue] = []
    assert parse_until(text, "--until", issues) is None
    assert len(issues) == 1


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("plan[0].drain.concurrency=2,4,8", (2, 4, 8)),
        ("a=live,cold", ("live", "cold")),
        ("a=10 Gbit/s, 25 Gbit/s", ("10 Gbit/s", "25 Gbit/s")),
        ("a=null,true,1.5", (None, True, 1.5)),
        ("a={constant: 3 s},{uniform: {low: 1 s, high: 2 s}}",
         ({"constant": "3 s"}, {"uniform": {"low": "1 s", "high": "2 s"}})),
        ('cloud.nova.options["a=b"]=1', (1,)),
        ("cloud.nova.conf=../a.conf,../b.conf", ("../a.conf", "../b.conf")),
    ],
)  # fmt: skip
def test_values_of_an_axis_are_yaml(text: str, values: tuple[object, ...]) -> None:
    issues: list[Issue] = []
    axis = parse_axis(text, "--axis", issues)
    assert not issues
    assert axis is not None
    assert axis.values == values


def test_a_range_keeps_its_unit_and_is_whole_where_its_ends_are() -> None:
    texts = ("nic=10..40 Gbit/s", "n=1..4", "n=1..10000 log")
    nic, count, size = (axis for text in texts if (axis := parse_axis(text, "--axis", [])) is not None)
    assert nic.at(0.5) == "25 Gbit/s"
    assert [count.at(share) for share in (0.0, 0.24, 0.26, 0.51, 0.99, 1.0)] == [1, 1, 2, 3, 4, 4]
    assert size.at(0.5) == 100
    assert nic.number("25 Gbit/s") == 25.0
    assert nic.number("fast") is None


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("concurrency", "is not PATH=VALUES"),
        ("a=", "is not PATH=VALUES"),
        ("a=1..x", "is not an end of a range"),
        ("a=4..1", "is not less than"),
        ("a=1 s..2 GiB", "units"),
        ("a=0..9 log", "no logarithm"),
        ("a=2,4,2", "2 more than once"),
        ("a=[1", "is not a list of values"),
    ],
)
def test_what_is_no_axis_is_refused(text: str, words: str) -> None:
    issues: list[Issue] = []
    assert parse_axis(text, "--axis", issues) is None
    assert words in str(issues[0])


# --- designs ----------------------------------------------------------------------------------------------------------

TWO = (Axis("a", values=(1, 2, 3)), Axis("b", values=("x", "y", "z")))
RANGES = (Axis("a", span=Span(0.0, 1.0)), Axis("b", span=Span(1, 16, whole=True)))


def test_a_grid_is_every_combination_and_a_list_one_after_the_other() -> None:
    assert len(points(TWO, Design(), 1)) == 9 == size_of(TWO, Design())
    assert points(TWO, Design("list"), 1) == [(1, "x"), (2, "y"), (3, "z")]
    assert points((), Design(), 1) == [()]


def test_a_latin_hypercube_has_one_point_in_each_part() -> None:
    found = shares(RANGES, Design("latin", 20), 5)
    for column in found.T:
        assert sorted(np.floor(column * 20)) == list(range(20))
    assert np.array_equal(found, shares(RANGES, Design("latin", 20), 5))
    assert not np.array_equal(found, shares(RANGES, Design("latin", 20), 6))


def test_a_sobol_sequence_fills_the_space_more_evenly_than_luck() -> None:
    found = shares(RANGES, Design("sobol", 64), 5)
    assert qmc.discrepancy(found) < qmc.discrepancy(np.random.default_rng(1).random((64, 2))) / 3
    assert {value for _, value in points(RANGES, Design("sobol", 64), 5)} == set(range(1, 17))


def test_a_sample_gives_each_value_of_a_list_its_part() -> None:
    found = points(TWO, Design("latin", 30), 2)
    assert [sum(point[0] == value for point in found) for value in (1, 2, 3)] == [10, 10, 10]


def test_indices_need_n_times_two_more_than_the_axes() -> None:
    assert len(points(RANGES, Design("indices", 8), 1)) == 8 * (2 + 2) == size_of(RANGES, Design("indices", 8))


@pytest.mark.parametrize("text", ["random", "latin", "latin:0", "latin:x", "grid:3", "sobol:10", "indices:12"])
def test_what_is_no_design_is_refused(text: str) -> None:
    issues: list[Issue] = []
    assert parse_design(text, "--sample", issues) is None
    assert len(issues) == 1


# --- variants and seeds -----------------------------------------------------------------------------------------------


def test_paths_are_shortened_as_far_as_they_stay_different() -> None:
    paths = ["plan[0].drain.concurrency", "plan[1].drain.concurrency", "cloud.hosts[0].nic",
             'cloud.nova.options["libvirt.live_migration_bandwidth"]']  # fmt: skip
    assert list(short_names(paths).values()) == [*paths[:2], "nic", "live_migration_bandwidth"]
    bare = ["cloud.nova.options[DEFAULT.max_concurrent_live_migrations]", "cloud.servers[web.example].flavor"]
    assert list(short_names(bare).values()) == ["max_concurrent_live_migrations", "flavor"]


def test_a_variant_is_named_by_its_values_wherever_they_stand() -> None:
    names = {"a.concurrency": "concurrency", "a.method": "method"}
    one = variant_of({"a.concurrency": 4, "a.method": "live"}, names)
    assert one.name == "concurrency=4 method=live"
    assert one.settings == ("a.concurrency=4", "a.method=live")
    assert variant_of({}, {}).name == "as it is"


def test_seeds_are_those_of_the_experiment_and_the_replication() -> None:
    seeds = [seed_of(7, replication) for replication in range(1, 10_001)]
    assert len(set(seeds)) == 10_000
    assert all(0 <= seed < 2**48 for seed in seeds)
    assert seed_of(7, 1) == 139000761516126
    assert seed_of(8, 1) != seed_of(7, 1)


# --- experiments ------------------------------------------------------------------------------------------------------


def test_a_sweep_file_says_it_all(tmp_path: Path) -> None:
    file = tmp_path / "sweep.yaml"
    file.write_text(
        f"scenario: {SCENARIO}\nset: {{run.seed: 3}}\nreplications: 4\nwarm_up: 1 min\n"
        "axes:\n  cloud.nova.options.migrate_max_retries: [0, 2]\n"
        "variants: [{}, {'cloud.hosts[old-1].nic': 1 Gbit/s}]\n"
    )
    assert is_sweep_file(file)
    assert not is_sweep_file(SCENARIO)
    made = experiment(**read_sweep(file))
    assert [variant.name for variant in made.variants] == [
        "migrate_max_retries=0", "migrate_max_retries=2", "nic=1 Gbit/s migrate_max_retries=0",
        "nic=1 Gbit/s migrate_max_retries=2",
    ]  # fmt: skip
    assert (made.replications, made.warm_up, made.sets) == (4, 60.0, ("run.seed=3",))
    assert made.scenario(made.variants[2]).cloud.nova.options["migrate_max_retries"] == 0
    command = made.command(made.variants[2], 9)
    assert command.endswith(
        "--set 'cloud.hosts[old-1].nic=1 Gbit/s' --set cloud.nova.options.migrate_max_retries=0 --seed 9"
    )


def test_everything_wrong_with_a_sweep_file_is_said_at_once(tmp_path: Path) -> None:
    file = tmp_path / "sweep.yaml"
    file.write_text(
        f"scenario: {SCENARIO}\naxes:\n  a.b: 5..1\n  run.seed: [1, 1]\nsample: often\nuntil: soon\n"
    )  # fmt: skip
    with pytest.raises(InputError) as caught:
        read_sweep(file)
    texts = [str(issue) for issue in caught.value.issues]
    assert len(texts) == 4
    assert "sweep.yaml:3 " in texts[0]
    assert "sweep.yaml:5 sample" in texts[2]
    file.write_text(f"scenario: {SCENARIO}\nreplication: 4\nseed: -1\n")
    with pytest.raises(InputError) as caught:
        read_sweep(file)
    assert "'replications'" in str(caught.value)
    assert len(caught.value.issues) == 2


def test_a_value_that_no_scenario_may_have_is_said_once_before_anything_runs() -> None:
    axes = [parse_axis("cloud.servers[live-one].flavor=m.medium,m.unknown", "--axis", []), Axis("run.seed", (1, 2))]
    with pytest.raises(InputError) as caught:
        experiment(SCENARIO, [axis for axis in axes if axis is not None])
    assert len(caught.value.issues) == 1
    assert "m.unknown" in str(caught.value)
