"""Main effects, Sobol's indices and comparisons against functions whose answers are known."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats

from sim.errors import InputError
from sim.experiments.axes import Axis, Span
from sim.experiments.compare import compare
from sim.experiments.design import Design, points
from sim.experiments.experiment import Experiment
from sim.experiments.figures import differences_figure, effects_figure, indices_figure, variants_figure
from sim.experiments.measures import Measure, measures
from sim.experiments.outcome import Outcome, failure
from sim.experiments.report import Runs, summarise
from sim.experiments.sensitivity import main_effects, sobol_indices
from sim.experiments.stats.intervals import Estimate
from sim.experiments.store import Store
from sim.experiments.variants import short_names, unique, variant_of

MAKESPAN, P90 = measures(["makespan", "p90_makespan"], "")[0]


def swept(
    folder: Path, axes: list[Axis], design: Design, function: Callable[..., float], replications: int = 1, bad: int = -1
) -> tuple[Experiment, Runs]:
    """A sweep whose makespan is a function of the axes' values and of the replication; replication ``bad`` fails."""
    names = short_names([axis.path for axis in axes])
    rows = [dict(zip((axis.path for axis in axes), row, strict=True)) for row in points(axes, design, 1)]
    made = Experiment("s.yaml", tuple(unique([variant_of(row, names) for row in rows])), (), tuple(axes), design,
                      replications=replications)  # fmt: skip
    outcomes: list[Outcome] = []
    for variant in made.variants:
        for n in range(1, replications + 1):
            value = function(*variant.values.values(), n)
            outcome = Outcome(key="k", variant=variant.name, replication=n, seed=n, scenario="",
                              command="novasim run s.yaml", values={"makespan_s": value})  # fmt: skip
            if n == bad:
                task: Any = outcome
                outcome = failure(task, "run", "bad luck")
            outcomes.append(outcome)
    with Store(folder) as store:
        variants = [{"name": v.name, "values": dict(v.values)} for v in made.variants]
        store.describe({"name": "known", "variants": variants})
        store.tabulate(outcomes, ["makespan_s"])
    return made, Runs(folder)


AXES = [Axis("a.x", (0, 1, 2)), Axis("a.y", ("slow", "fast")), Axis("a.z", (5, 6))]


def additive(x: int, y: str, z: int, n: int) -> float:
    """x counts ten times, ``slow`` four more, z nothing; luck is common."""
    return 10.0 * x + (4.0 if y == "slow" else 0.0) + 0.0 * z + 100.0 * math.sin(n)


def test_main_effects_of_a_sum_are_its_terms_and_common_luck_cancels(tmp_path: Path) -> None:
    made, runs = swept(tmp_path, AXES, Design(), additive, replications=6, bad=4)
    effects = main_effects(made, runs, MAKESPAN)
    assert [effect.axis for effect in effects] == ["x", "y", "z"]
    luck = np.mean([100.0 * math.sin(n) for n in (1, 2, 3, 5, 6)])
    x, y, z = effects
    assert [level.effect.value for level in x.levels] == pytest.approx([-10.0, 0.0, 10.0])
    assert [level.mean for level in x.levels] == pytest.approx([luck + 2.0 + value for value in (0.0, 10.0, 20.0)])
    assert [level.effect.value for level in y.levels] == pytest.approx([2.0, -2.0])
    assert x.range == pytest.approx(20.0)
    assert z.range == pytest.approx(0.0)
    for level in (*x.levels, *y.levels):
        assert level.effect.high - level.effect.low < 1e-9
        assert level.effect.n == 5
    assert [level.at for level in y.levels] == [None, None]


def test_the_interval_of_an_effect_is_that_of_its_paired_replications(tmp_path: Path) -> None:
    noise = np.random.default_rng(1).normal(size=(3, 9))
    made, runs = swept(tmp_path, [AXES[0]], Design(), lambda x, n: 10.0 * x + noise[x, n - 1], replications=9)
    level = main_effects(made, runs, MAKESPAN)[0].levels[2]
    each = 20.0 + noise[2] - (10.0 + noise.mean(axis=0))
    low, high = stats.t.interval(0.95, 8, each.mean(), stats.sem(each))
    assert (level.effect.low, level.effect.high) == (pytest.approx(low), pytest.approx(high))


def test_the_effect_of_a_range_in_a_sample_follows_the_function(tmp_path: Path) -> None:
    axes = [Axis("a.x", span=Span(0.0, 1.0)), Axis("a.y", span=Span(0.0, 1.0))]
    made, runs = swept(tmp_path, axes, Design("latin", 120), lambda x, y, _: 8.0 * x**2 + y)
    strong, weak = main_effects(made, runs, MAKESPAN)
    assert (strong.axis, weak.axis) == ("x", "y")
    assert len(strong.levels) == 6
    assert sum(level.variants for level in strong.levels) == 120
    for part, level in enumerate(strong.levels):
        edges = np.array([part, part + 1]) / 6
        theory = 8.0 * (edges[1] ** 3 - edges[0] ** 3) / 3 * 6 + 0.5  # the mean over the part
        assert level.mean == pytest.approx(theory, abs=0.3)
        assert level.effect.low < level.effect.value < level.effect.high


def test_a_value_of_a_whole_range_is_in_one_part_and_a_part_that_agrees_is_not_known_exactly(tmp_path: Path) -> None:
    axes = [Axis("a.x", span=Span(2.0, 5.0, whole=True)), Axis("a.y", span=Span(0.0, 1.0))]
    made, runs = swept(tmp_path, axes, Design("latin", 30), lambda x, *_: float(x))
    levels = next(effect for effect in main_effects(made, runs, MAKESPAN) if effect.axis == "x").levels
    assert [level.label for level in levels] == ["2", "3", "4", "5"]
    assert [level.at for level in levels] == [2.0, 3.0, 4.0, 5.0]
    assert [level.mean for level in levels] == pytest.approx([2.0, 3.0, 4.0, 5.0])
    assert sum(level.variants for level in levels) == 30
    assert all(math.isnan(level.effect.low) for level in levels), "few points agree: no interval can be given"


def ishigami(x: float, y: float, z: float, _: int) -> float:
    """The usual test function of sensitivity analysis, a = 7, b = 0.1, of three angles in half turns."""
    a, b, c = (math.pi * angle for angle in (x, y, z))
    return math.sin(a) + 7.0 * math.sin(b) ** 2 + 0.1 * c**4 * math.sin(a)


def test_sobols_indices_of_ishigamis_function(tmp_path: Path) -> None:
    """Theory: D1 = (1 + b pi^4 / 5)^2 / 2, D2 = a^2 / 8, D13 = 8 b^2 pi^8 / 225."""
    axes = [Axis(f"a.{name}", span=Span(-1.0, 1.0)) for name in "xyz"]
    made, runs = swept(tmp_path, axes, Design("indices", 1024), ishigami)
    one, two, three = (1 + 0.1 * math.pi**4 / 5) ** 2 / 2, 49 / 8, 8 * 0.01 * math.pi**8 / 225
    whole = one + two + three
    found = {index.axis: index for index in sobol_indices(made, runs, MAKESPAN) or ()}
    assert found["x"].first == pytest.approx(one / whole, abs=0.05)
    assert found["y"].first == pytest.approx(two / whole, abs=0.05)
    assert found["z"].first == pytest.approx(0.0, abs=0.05)
    assert found["x"].total == pytest.approx((one + three) / whole, abs=0.06)
    assert found["y"].total == pytest.approx(two / whole, abs=0.06)
    assert found["z"].total == pytest.approx(three / whole, abs=0.06)
    assert list(found) == ["x", "y", "z"]
    assert all(index.first_half > 0 and index.total_half > 0 for index in found.values())


def test_there_are_no_indices_where_nothing_varies_or_the_points_are_others(tmp_path: Path) -> None:
    axes = [Axis("a.x", span=Span(-1.0, 1.0))]
    made, runs = swept(tmp_path / "flat", axes, Design("indices", 8), lambda *_: 3.0)
    assert sobol_indices(made, runs, MAKESPAN) is None
    made, runs = swept(tmp_path / "grid", [AXES[0]], Design(), lambda x, _: float(x))
    assert sobol_indices(made, runs, MAKESPAN) is None


# --- comparison -------------------------------------------------------------------------------------------------------


def test_differences_are_those_of_scipys_paired_test(tmp_path: Path) -> None:
    noise = np.random.default_rng(3).normal(0.0, 0.4, (3, 12))
    _, runs = swept(tmp_path, [AXES[0]], Design(), lambda x, n: 50.0 * math.sin(n) + 0.5 * x + noise[x, n - 1], 12)
    (found,) = compare(runs, [MAKESPAN], "x=1")
    columns = runs.columns("makespan_s")
    assert [one.variant for one in found.differences] == ["x=0", "x=2"]
    for one in found.differences:
        test = stats.ttest_rel(columns[one.variant], columns["x=1"])
        interval = test.confidence_interval(1 - 0.05 / 2)
        assert (one.difference.low, one.difference.high) == (pytest.approx(interval.low), pytest.approx(interval.high))
        assert one.lower == int((columns[one.variant] < columns["x=1"]).sum())
        assert one.relative == pytest.approx(one.difference.value / columns["x=1"].mean())
    assert [rank.name for rank in found.ranks] == ["x=0", "x=1", "x=2"]


def test_simultaneous_intervals_are_all_right_as_often_as_they_say(tmp_path: Path) -> None:
    rng = np.random.default_rng(9)
    right = 0
    for number in range(200):
        noise = rng.normal(size=(5, 8))
        folder = tmp_path / str(number)
        axis = Axis("a.x", (0, 1, 2, 3, 4))
        _, runs = swept(folder, [axis], Design(), lambda x, n, noise=noise: x + noise[x, n - 1], 8)
        (found,) = compare(runs, [MAKESPAN])
        right += all(one.difference.low <= i + 1 <= one.difference.high for i, one in enumerate(found.differences))
    assert right / 200 >= 0.95 - 2 * math.sqrt(0.95 * 0.05 / 200)


def test_differences_of_quantiles_keep_pairs_together(tmp_path: Path) -> None:
    """Under common luck the difference of a quantile is known far better than the quantile."""
    luck = np.random.default_rng(4).lognormal(0.0, 1.0, 60)
    _, runs = swept(tmp_path, [AXES[0]], Design(), lambda x, n: luck[n - 1] + x, 60)
    (found,) = compare(runs, [P90])
    assert found.ranks == ()
    for number, one in enumerate(found.differences, 1):
        assert one.difference.value == pytest.approx(number)
        assert one.difference.high - one.difference.low < 1e-9


def test_what_cannot_be_compared_is_refused(tmp_path: Path) -> None:
    _, one = swept(tmp_path / "one", [Axis("a.x", (1,))], Design(), lambda *_: 1.0)
    with pytest.raises(InputError, match="has one variant"):
        compare(one, [MAKESPAN])
    _, two = swept(tmp_path / "two", [Axis("a.x", (1, 2))], Design(), lambda *_: 1.0)
    with pytest.raises(InputError, match="did you mean 'x=2'"):
        compare(two, [MAKESPAN], "x=22")
    with pytest.raises(InputError, match="the runs have no failed"):
        compare(two, [Measure("failed", "failed", "mean")])


def test_figures_and_tables_show_every_variant(tmp_path: Path) -> None:
    made, runs = swept(tmp_path, AXES, Design(), lambda x, y, z, n: additive(x, y, z, n) + 0.1 * ((n * 7 + x) % 5), 6)
    table = summarise(runs, [MAKESPAN, P90])
    assert table.height == 2 * 12
    assert set(table["method"]) == {"t", "bootstrap, blind to the tail below 36 runs"}
    effects = main_effects(made, runs, MAKESPAN)
    figures = [
        effects_figure(effects, MAKESPAN, "known"), variants_figure(runs.estimates(MAKESPAN), MAKESPAN, "known"),
        differences_figure(compare(runs, [MAKESPAN])[0], "known"),
    ]  # fmt: skip
    assert [axes.get_title(loc="left") for axes in figures[0].axes] == ["x", "y", "z"]
    assert len(figures[1].axes[0].get_yticklabels()) == 12
    assert len(figures[2].axes[0].get_yticklabels()) == 11
    for number, figure in enumerate(figures):
        assert figure.save(tmp_path / f"{number}.png").stat().st_size > 5000
    axes = [Axis("a.x", span=Span(0.0, 1.0)), Axis("a.y", span=Span(0.0, 1.0))]
    made, runs = swept(tmp_path / "b", axes, Design("indices", 32), lambda x, y, _: 8.0 * x + y)
    figure = indices_figure(sobol_indices(made, runs, MAKESPAN) or [], MAKESPAN, "known")
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == ["x", "y"]
    figure.save(tmp_path / "sobol.png")


@pytest.mark.parametrize(
    ("values", "unit"), [((0.081, 0.084, 0.088), "ms"), ((271.2, 271.9, 272.4), "s"), ((60.0, 240.0, 330.0), "min")]
)
def test_ticks_of_times_do_not_read_alike(values: tuple[float, ...], unit: str) -> None:
    estimates = {str(value): Estimate(value, value * 0.999, value * 1.001, 10, 0.95, "t") for value in values}
    axes = variants_figure(estimates, MAKESPAN, "known").axes[0]
    low, high = axes.get_xlim()
    ticks = [tick for tick in axes.get_xticks() if low <= tick <= high]
    labels = axes.xaxis.get_major_formatter().format_ticks(ticks)
    assert len(set(labels)) == len(labels) >= 3
    assert any(label.endswith(f" {unit}") for label in labels), labels
