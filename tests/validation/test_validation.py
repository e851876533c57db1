"""Published measurements: what is fitted gives the shipped profiles, what is predicted comes out as well as is said."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import pytest
from scipy.optimize import least_squares
from typer.testing import CliRunner

from sim.cli.main import app
from sim.errors import InputError
from sim.experiments.validation.comparison import Comparison, compare, summary
from sim.experiments.validation.fits import fits
from sim.experiments.validation.qemu_bench import limits_of, migrate
from sim.experiments.validation.rows import Row, read_rows
from sim.experiments.validation.settings import (
    XEN_WEB_DIRTY_BPS,
    XEN_WEB_HOT_B,
    memory_of_row,
    profile_of,
    timings_of,
)

ROWS = read_rows()
NOT_UNDERSTOOD = {"osic_par1"}
"""12 guests of 8 GiB one after another in 205.9 s are 17.2 s each. One alone takes 16.3 s at 4 GiB and 44.5 s at 16 GiB
in the same study, so 25.7 s at 8 GiB: they do not go together, and no constant is bent to make them."""


@pytest.fixture(scope="module")
def comparisons() -> dict[str, Comparison]:
    return {one.row.id: one for one in compare(ROWS)}


def test_every_row_is_simulated(comparisons: dict[str, Comparison]) -> None:
    assert {name: one.reason for name, one in comparisons.items() if one.error is None} == {}


def test_half_of_the_predicted_rows_are_within_five_per_cent(comparisons: dict[str, Comparison]) -> None:
    said = summary(list(comparisons.values()))
    assert said.predicted == sum(1 for row in ROWS if row.use == "predict")
    assert said.median <= 0.05


@pytest.mark.parametrize("row", [row for row in ROWS if row.use == "predict"], ids=lambda row: row.id)
def test_a_predicted_row(row: Row, comparisons: dict[str, Comparison]) -> None:
    """Durations within 7 %; downtimes, of which none is fitted, within 14 %."""
    error = comparisons[row.id].error
    assert error is not None
    if row.id in NOT_UNDERSTOOD:
        assert error > 0.12  # a change that mends it should say why
    else:
        assert abs(error) <= (0.07 if row.metric.startswith(("total", "makespan")) else 0.14)


@pytest.mark.parametrize("row", [row for row in ROWS if row.use == "fit"], ids=lambda row: row.id)
def test_a_fitted_row_comes_back_through_the_whole_simulator(row: Row, comparisons: dict[str, Comparison]) -> None:
    """Within 3 %; the rounds of SPECweb99's migration scatter by 22 % about the line that is taken for them."""
    error = comparisons[row.id].error
    assert error is not None
    assert abs(error) <= (0.12 if "Xen" in row.kind else 0.03)


def test_a_web_server_on_xen_dirties_what_its_published_rounds_say() -> None:
    """Their lengths by Clark's rule: each goes 50 Mbit/s faster than the guest dirtied in the last, 100 at least."""
    sent_mb = [676.8, 126.7, 39.0, 28.4, 24.2, 16.7, 14.2, 15.3, 18.2]
    assert sum(sent_mb) == pytest.approx(960, abs=1)  # the published total
    length_s, points = sent_mb[0] / 12.5, []
    for dirtied in sent_mb[1:]:
        points.append((length_s, dirtied))
        length_s = dirtied / max(12.5, dirtied / length_s + 6.25)
    found = least_squares(lambda at: [math.log((at[0] + at[1] * s) / mb) for s, mb in points], [10.0, 1.0])
    assert [1e6 * value for value in found.x] == pytest.approx([XEN_WEB_HOT_B, XEN_WEB_DIRTY_BPS], rel=0.01)


def test_that_web_server_s_copy_sends_as_much_as_was_published() -> None:
    """960 MB of a guest of 800: the first round passes over what is dirty again (Clark'05)."""
    row = next(row for row in ROWS if row.kind == "precopy Xen")
    timings = timings_of(row)
    copy = migrate(memory_of_row(row), limits_of(row, timings), row, timings)
    assert copy is not None
    assert row.ram_b is not None
    assert copy.bytes_memory / row.ram_b == pytest.approx(1.20, rel=0.06)


# --- fits -------------------------------------------------------------------------------------------------------------


def test_the_shipped_constants_are_the_product_of_the_fits() -> None:
    made = fits(ROWS)
    assert {fit.profile for fit in made} == {"zhaw-1gbe-2014", "osic-10gbe-2017", "rally-2016", "qemu-2016"}
    for fit in made:
        for constant in fit.constants:
            assert constant.shipped == pytest.approx(constant.fitted, rel=0.005), f"{fit.profile} {constant.name}"


def test_fits_look_at_no_row_that_is_to_be_predicted() -> None:
    spoilt = [replace(row, value=row.value * 7) if row.use == "predict" else row for row in ROWS]
    assert fits(spoilt) == fits(ROWS)


def test_rows_that_were_left_out_are_foretold_by_the_others() -> None:
    """Within 15 %: one memory size of two is then all that is known of a stream."""
    alone = {row: error for fit in fits(ROWS) for row, error in fit.left_out}
    assert set(alone) == {row.id for row in ROWS if row.use == "fit" and row.id.startswith(("osic", "rk4n"))}
    assert max(abs(error) for error in alone.values()) <= 0.15


def test_a_row_that_alone_says_what_a_constant_is_cannot_be_left_out() -> None:
    assert {fit.profile for fit in fits(ROWS) if not fit.left_out} == {"zhaw-1gbe-2014", "rally-2016"}


def test_fits_follow_the_rows_that_they_are_made_from() -> None:
    slower = [replace(row, value=row.value + 10) if row.id.startswith("osic") else row for row in ROWS]
    before, after = ({fit.profile: fit for fit in fits(rows)}["osic-10gbe-2017"] for rows in (ROWS, slower))
    assert after.constants[0].fitted == pytest.approx(before.constants[0].fitted + 10, rel=0.05)


# --- what is counted --------------------------------------------------------------------------------------------------


def test_fitted_rows_never_count() -> None:
    row = ROWS[0]
    fitted = Comparison(replace(row, use="fit"), "p", row.value * 3)
    predicted = Comparison(replace(row, use="predict"), "p", row.value * 1.02)
    unknown = Comparison(replace(row, use="predict"), "p", None, "because")
    said = summary([fitted, predicted, unknown])
    assert (said.predicted, said.fitted, said.not_simulated) == (1, 1, 1)
    assert said.median == said.p90 == said.worst == pytest.approx(0.02)


def test_no_row_is_known_by_its_name() -> None:
    """Nothing but its words decides: renamed rows come out the same."""
    chosen = [row for row in ROWS if row.id in {"osic_tn_s", "rk4n_ac5020_3", "zhaw_m", "uadk_none_2"}]
    renamed = [replace(row, id=f"case{number}") for number, row in enumerate(chosen)]
    assert [one.simulated for one in compare(renamed)] == [one.simulated for one in compare(chosen)]


# --- other files ------------------------------------------------------------------------------------------------------

HEAD = "id,use,kind,ram_gib,disk_copied_gib,link,requested_at_once,metric,value,unit,spread,mark,setup,source\n"


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "rows.csv"
    path.write_text(HEAD + text, encoding="utf-8")
    return path


@pytest.mark.parametrize(("line", "reason"), [
    ("a,predict,frobnicate,4,0,10GbE,1,total,9,s,,,,", "kind 'frobnicate' is not simulated"),
    ("a,predict,live shared,4,0,10GbE,1,total_p33,9,s,,,,", "unknown statistic"),
    ("a,predict,live shared,4,0,10GbE,1,energy,9,s,,,,", "metric 'energy'"),
    ("a,predict,resize,4,0,10GbE,1,downtime,9,s,,,,", "metric 'downtime'"),
    ("a,predict,precopy,,0,10GbE,1,total,9,s,,,,", "nothing of the guest's memory"),
    ("a,predict,precopy 4x512MB,4,0,1GbE,1,total,9,s,,,,", "does not end"),
    ("a,predict,precopy no AC 4x512MB,4,0,1GbE,1,total,9,s,,,,", "does not end"),
    ("a,predict,live shared stress 75% memory,4,0,1GbE,1,total,9,s,,,,", "nothing came to its end"),
    ("a,predict,precopy zlib,4,0,1GbE,1,total,9,s,,,,", "compression"),
    ("a,predict,precopy AC 0/0 4x512MB,4,0,1GbE,1,total,9,s,,,,", "1 to 99 %"),
    ("a,predict,precopy 150% random,4,0,1GbE,1,total,9,s,,,,", "more than all of it"),
    ("a,predict,precopy idle multifd 0,4,0,1GbE,1,total,9,s,,,,", "no channel"),
    ("a,predict,precopy idle 0ms,4,0,1GbE,1,total,9,s,,,,", "limit of 0"),
    ("a,predict,0 VMs shared,4,0,1GbE,1,makespan,9,s,,,,", "no server"),
    ("a,predict,precopy idle,4,0,1GbE,1,throughput,9,Mb/s,,,,", "throughput in Mb/s is not compared"),
])  # fmt: skip
def test_what_cannot_be_simulated_is_said_and_not_counted(tmp_path: Path, line: str, reason: str) -> None:
    made = compare(read_rows(written(tmp_path, line + "\n")))
    assert made[0].error is None
    assert reason in made[0].reason
    assert summary(made).predicted == 0


GBE = 1e9 / 8 * 0.9416
STRESSED_B = 598e6 + 2**30
"""Two workers of 512 MiB in an idle guest."""


@pytest.mark.parametrize(("kind", "setup", "least", "most"), [
    ("precopy 100% random bandwidth 40 MB/s", "", 4 * 2**30 / 40e6, 4 * 2**30 / 40e6 + 0.2),
    ("precopy 25 MB/s dirty", "", 4 * 2**30 / GBE, 4 * 2**30 / (GBE - 25e6) + 0.1),  # geometric series
    ("postcopy immediately 2x512MB", "QEMU 2.6.0", STRESSED_B / GBE, STRESSED_B / GBE + 0.01),
    ("postcopy after 5 s 2x512MB", "QEMU 2.6.0", STRESSED_B / GBE, STRESSED_B / GBE + 5),  # much is sent again
    ("precopy, pause after 1 min 2x512MB", "QEMU 2.6.0", 60, 60 + 2**30 / GBE + 0.1),
    ("precopy Xen idle", "Xen 3.4", 4 * 2**30 / GBE, 5 * 4 * 2**30 / GBE),  # Akoush's bounds
    ("live post-copy idle", "Icehouse mostly zero pages", 4.5 + 4 * 2**30 / 1.605e9, 4.9 + 4 * 2**30 / 1.605e9),
])  # fmt: skip
def test_words_mean_what_they_say(tmp_path: Path, kind: str, setup: str, least: float, most: float) -> None:
    """Guests of 4 GiB over 1 GbE, against bounds by hand."""
    setup = f"{setup} nova-compute"
    line = f'a,predict,"{kind}",4,0,1GbE,1,total,9,s,,,{setup},\n'
    one = compare(read_rows(written(tmp_path, line)))[0]
    assert one.reason == ""
    assert one.not_understood == []
    assert one.simulated is not None
    assert least <= one.simulated <= most


def test_workers_dirty_as_fast_as_there_are_cpus() -> None:
    row = replace(ROWS[0], kind="precopy 4x400MB", ram_b=16 * 2.0**30, source="")
    rates = [memory_of_row(replace(row, setup=setup)).dirty_bps for setup in ("1 vCPU", "2 vCPUs", "8 vCPUs", "")]
    assert rates == [858e6 * cpus for cpus in (1, 2, 4, 4)]


def test_words_without_effect_are_told(tmp_path: Path) -> None:
    lines = "a,predict,live shared frobnicated,4,0,1GbE,1,total,9,s,,,,\nb,predict,live,4,0,loopback,1,sent,9,MB,,,,\n"
    told = CliRunner().invoke(app, ["validate", str(written(tmp_path, lines)), "--figure", str(tmp_path / "v.png")])
    words = " ".join(told.output.split())
    assert "a: simulated as if its kind did not say frobnicated" in words
    assert "b: not simulated: sent in MB is not compared" in words


def test_all_mistakes_of_a_file_at_once(tmp_path: Path) -> None:
    path = written(tmp_path, "a,guess,live,4,0,10GbE,1,total,9,s,,,,\na,fit,,x,-1,fast,0,total,soon,furlong,,,,\n")
    with pytest.raises(InputError) as caught:
        read_rows(path)
    told = str(caught.value)
    for word in ("guess", "kind: is empty", "'x'", "'-1'", "'fast'", "'0'", "'soon'", "'furlong'", "id of 2 rows"):
        assert word in told


@pytest.mark.parametrize(("line", "wrong"), [
    ("a,predict,precopy idle,4,0,0GbE,1,total,9,s,,,,", "'0GbE' is no link"),
    ("a,predict,precopy idle,4,0,-1GbE,1,total,9,s,,,,", "'-1GbE' is no link"),
    ("a,predict,precopy idle,4,0,nanGbE,1,total,9,s,,,,", "'nanGbE' is no link"),
    ("a,predict,precopy idle,4,0,0 MB/s,1,total,9,s,,,,", "'0 MB/s' is no link"),
    ("a,predict,precopy idle,4,0,1GbE,2.5,total,9,s,,,,", "2.5 is no whole number"),
    ("a,predict,precopy idle,4,0,1GbE,1,total,9,s,,,QEMU 2.6, 1 vCPU, blog", "more cells"),
])  # fmt: skip
def test_a_bad_row_ends_with_2_and_draws_nothing(tmp_path: Path, line: str, wrong: str) -> None:
    drawn = tmp_path / "v.png"
    told = CliRunner().invoke(app, ["validate", str(written(tmp_path, line + "\n")), "--figure", str(drawn)])
    assert isinstance(told.exception, (InputError, SystemExit))
    with pytest.raises(InputError, match=wrong):
        read_rows(tmp_path / "rows.csv")
    assert not drawn.exists()


def test_units_of_time_and_a_byte_order_mark(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    units = ("90,sec", "90000,ms", "9e7,us", "1.5,min", "0.025,h")
    lines = (f"r{n},predict,precopy idle,4,0,1GbE,1,total,{cells},,,,\n" for n, cells in enumerate(units))
    path.write_text(HEAD + "".join(lines), encoding="utf-8-sig")
    assert [row.value for row in read_rows(path)] == pytest.approx([90.0] * 5)


def test_a_limit_in_seconds_is_a_limit(tmp_path: Path) -> None:
    """Two workers over 1 GbE write 1 GiB again and again, which goes in 9.1 s: no limit below that lets them stop."""
    lines = (
        f"w{limit},predict,precopy 2x512MB {limit}s,2,0,1GbE,1,downtime,9,s,,,1 vCPU QEMU 2.6.0,\n" for limit in (9, 10)
    )
    never, stopped = compare(read_rows(written(tmp_path, "".join(lines))))
    assert "does not end" in never.reason
    assert stopped.simulated == pytest.approx(10.0, abs=0.15)  # what is left when the limit is reached


def test_a_row_that_constants_come_from_never_counts_whatever_a_file_says(tmp_path: Path) -> None:
    """The same published number under another name, in other units, is no prediction."""
    known = next(row for row in ROWS if row.id == "zhaw_xl")
    cells = f'{known.kind},16,0,1GbE,1,total,15300,ms,,,"{known.setup}",elsewhere'
    path = written(tmp_path, f"mine,predict,{cells}\nother,predict,{cells.replace('15300', '15400')}\n")
    made = compare(read_rows(path))
    assert [(one.row.use, one.row.marked) for one in made] == [("fit", "predict"), ("predict", "")]
    assert (summary(made).predicted, summary(made).fitted) == (1, 1)
    told = CliRunner().invoke(app, ["validate", str(path), "--figure", str(tmp_path / "v.png")])
    assert "mine: marked predict, but constants come from it" in " ".join(told.output.split())


@pytest.mark.parametrize("text", ["", "id,kind\n", HEAD])
def test_a_file_without_rows_or_columns(tmp_path: Path, text: str) -> None:
    path = tmp_path / "rows.csv"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InputError):
        read_rows(path)


@pytest.mark.parametrize(("kind", "setup", "profile"), [
    ("live block tun-on", "22-node cloud 2017, guests run Spark at 100 kB/s", "osic-10gbe-2017"),
    ("live NFS idle", "Icehouse, QEMU 1.2.1, NFS", "zhaw-1gbe-2014"),
    ("delete tiny", "polling included", "rally-2016"),
    ("precopy AC 20/10 2x512MB", "QEMU 2.6.0", "qemu-2016"),
    ("precopy idle", "QEMU 9.1", "qemu-2024"),
    ("live shared", "some other cloud", "default"),
])  # fmt: skip
def test_words_choose_the_profile(kind: str, setup: str, profile: str) -> None:
    assert profile_of(replace(ROWS[0], kind=kind, setup=setup, source="")) == profile


@pytest.mark.parametrize("kind", [
    "boot tiny", "delete", "stop", "start", "reboot", "soft reboot", "suspend", "resume", "pause", "unpause",
    "resize revert", "cold migrate", "live block tun-on", "live shared auto-converge", "evacuate",
    "3 VMs evacuate masakari", "precopy multifd 4 idle", "precopy Xen specweb", "postcopy 3x512MB",
    "precopy idle 80% random zlib",
])  # fmt: skip
def test_other_kinds_of_the_same_sources_are_simulated(tmp_path: Path, kind: str) -> None:
    made = compare(read_rows(written(tmp_path, f"a,predict,{kind},4,2,10GbE,3,total_p50,9,s,,,polling,\n")))
    assert made[0].reason == ""
    assert made[0].simulated is not None
    assert 0 < made[0].simulated < 600


# --- the command ------------------------------------------------------------------------------------------------------


def test_the_command_prints_and_draws(tmp_path: Path) -> None:
    said = "Icehouse mostly zero pages nova-compute"
    cases = [("fit", 0.5, 4.9), ("predict", 4, 7.0)]
    lines = "".join(f"z{n},{use},live NFS idle,{ram},0,1GbE,1,total,{value},s,,R,{said},\n"
                    for n, (use, ram, value) in enumerate(cases))  # fmt: skip
    figure = tmp_path / "made" / "v.png"
    done = CliRunner().invoke(app, ["validate", str(written(tmp_path, lines)), "--figure", str(figure)])
    assert done.exit_code == 0
    assert "1 predicted: median |error|" in done.output
    assert "1 fitted" in done.output
    assert figure.read_bytes()[:4] == b"\x89PNG"
    plain = CliRunner().invoke(app, ["validate", str(tmp_path / "rows.csv"), "--figure", str(figure), "--json"])
    told = json.loads(plain.output)
    assert [row["use"] for row in told["rows"]] == ["fit", "predict"]
    assert told["summary"]["predicted"] == 1


def test_the_page_says_what_comes_out(comparisons: dict[str, Comparison]) -> None:
    page = (Path(__file__).parents[2] / "docs" / "explanation" / "validation.md").read_text(encoding="utf-8")
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in page.splitlines() if line.startswith("| ")]
    table = {cells[0]: cells for cells in rows if cells[0] in comparisons}
    assert set(table) == set(comparisons)
    for name, one in comparisons.items():
        assert one.simulated is not None
        assert float(table[name][3].split()[0]) == pytest.approx(one.simulated, rel=0.01, abs=6e-4)
        assert table[name][5] == ("fitted" if one.row.use == "fit" else "predicted")
    assert f"median |error| {summary(list(comparisons.values())).median:.1%}" in page
