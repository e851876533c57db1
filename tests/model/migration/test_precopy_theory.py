"""Pre-copy against what others wrote: closed forms, page-by-page copying, Nova's and QEMU's own rules."""

from __future__ import annotations

import itertools
import math

import pytest
from copying import GBE, GIB, MIB, bare, drive, guest, pages

from sim.model.migration.limits import LiveMigrationLimits, Throttling, XenRules, data_gb, downtime_steps, throttling
from sim.model.migration.memory import memory_of
from sim.model.migration.precopy import PreCopy

# --- closed forms -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("ratio", [0.0, 0.1, 0.35, 0.7, 0.9])
@pytest.mark.parametrize("ram", [1 * GIB, 16 * GIB])
def test_rounds_sum_to_liu_s_geometric_series(ratio: float, ram: int) -> None:
    """Liu'11: V_mig = V (1 - λ^(n+1)) / (1 - λ), T = V_mig / B, T_down = V λ^n / B, n = ceil(log_λ(S / V)), λ = D / B.

    Whole rounds that end when less than S was dirtied are Xen's, so its rules are Liu's without their other limits.
    """
    stop_b, rate = 20e6, GBE
    rules = XenRules(few_b=stop_b, rounds=10_000, amount=math.inf)
    copy = PreCopy(guest(ram, dirty=ratio * rate), bare(xen=rules))
    total = drive(copy, rate)
    n = math.ceil(math.log(stop_b / ram) / math.log(ratio)) if ratio else 1
    series = sum(ratio**k for k in range(n + 1))
    assert copy.bytes_memory == pytest.approx(ram * series, rel=1e-9)
    assert total == pytest.approx(ram * series / rate, rel=1e-9)
    assert copy.downtime_s == pytest.approx(ram * ratio**n / rate, rel=1e-9)
    assert copy.rounds == n


@pytest.mark.parametrize("ratio", [0.1, 0.5, 0.8])
def test_qemu_s_rounds_approach_the_same_series(ratio: float) -> None:
    """A round that leaves S unsent dirties λ (R - S), so R_(i+1) - S = λ (R_i - S): above S it is a geometric series.

    S goes in the stop. Only of the first round's S a part S / V was dirtied too, and counts once.
    """
    ram, rate, limit = 8 * GIB, GBE, 0.3
    copy = PreCopy(guest(ram, dirty=ratio * rate, working_set=ram), bare(limit, slice_s=0.0))
    total = drive(copy, rate)
    threshold = limit * rate
    above = ram - threshold
    later = ratio * above * (1 - threshold / ram) / (1 - ratio)
    assert total == pytest.approx((above + later + threshold) / rate, rel=1e-6)
    assert copy.downtime_s == pytest.approx(limit, rel=2e-6)


def test_strunk_s_bounds() -> None:
    """V/B <= T <= (M + 1) V/B for M rounds of sending and the stop."""
    for ratio, share in itertools.product((0.0, 0.3, 0.9), (0.1, 1.0)):
        copy = PreCopy(guest(2 * GIB, dirty=ratio * GBE, working_set=share * 2 * GIB), bare())
        total = drive(copy, GBE)
        assert 2 * GIB / GBE <= total <= (copy.rounds + 1) * 2 * GIB / GBE


def test_akoush_s_bounds_of_xen() -> None:
    """V/B <= T <= 5 V/B, 0 <= downtime <= V/B, whatever the guest does (< 3 V sent, one V that crosses, the last V)."""
    for dirty, share in itertools.product((0.0, 0.2 * GBE, GBE, 50 * GBE), (0.05, 0.5, 1.0)):
        ram = GIB
        copy = PreCopy(guest(ram, dirty=dirty, working_set=share * ram), bare(xen=XenRules()))
        total = drive(copy, GBE)
        assert ram / GBE <= total * (1 + 1e-9) <= 5 * ram / GBE * (1 + 1e-6)
        assert 0 <= copy.downtime_s <= ram / GBE
        assert copy.rounds <= 29


# --- page by page -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("dirty", "share", "limit"), [
    (0.0, 1.0, 0.3), (5e6, 0.05, 0.3), (20e6, 0.3, 0.3), (40e6, 0.5, 0.1), (60e6, 0.9, 0.3), (60e6, 0.25, 0.5),
    (400e6, 0.1, 0.3), (400e6, 0.1, 0.1),
])  # fmt: skip
def test_a_copy_page_by_page_takes_as_long(dirty: float, share: float, limit: float) -> None:
    """256 MiB over 100 MB/s, every page and every write: duration and bytes within 10 %, or the same verdict.

    (Where the rest and what is dirtied overlap, it depends on where pages lie; else 2 %.)
    """
    memory = guest(256 * MIB, dirty=dirty, working_set=share * 256 * MIB)
    counted = pages(memory, limit, 100e6)
    copy = PreCopy(memory, bare(limit))
    total = drive(copy, 100e6)
    if math.isinf(counted["total"]):
        assert math.isinf(total)
        return
    exact = 0.02 if share * dirty < 1e7 else 0.10
    assert total == pytest.approx(counted["total"], rel=exact)
    assert copy.bytes_memory == pytest.approx(counted["sent"], rel=exact)
    assert copy.downtime_s <= limit * (1 + 1e-9)
    assert counted["downtime"] <= limit


@pytest.mark.parametrize(("dirty", "working_set", "hot", "limit"), [
    (0.0, 6e6, 6e6, 0.3), (0.0, 6e6, 6e6, 0.05), (0.0, 16e6, 16e6, 0.02), (5e6, 40e6, 6e6, 0.3),
    (20e6, 90e6, 12e6, 0.1),
])  # fmt: skip
def test_hot_pages_page_by_page(dirty: float, working_set: float, hot: float, limit: float) -> None:
    """The same, with pages that are written once a second; the stop is within 20 %, or a slice's writing."""
    memory = guest(256 * MIB, dirty=dirty, working_set=working_set, hot_b=hot)
    counted = pages(memory, limit, 100e6)
    copy = PreCopy(memory, bare(limit))
    assert drive(copy, 100e6) == pytest.approx(counted["total"], rel=0.05)
    assert copy.bytes_memory == pytest.approx(counted["sent"], rel=0.05)
    assert copy.downtime_s == pytest.approx(counted["downtime"], rel=0.2, abs=0.05 * (dirty + hot) / 100e6)


def test_the_stop_of_an_idle_guest_is_its_hot_pages_over_a_fast_link_too() -> None:
    """Published downtimes over loopback are 27 to 60 ms; without the time of 5.75 MB, device state is 24.6 to 57.6."""
    copy = PreCopy(memory_of("idle", 16 * GIB), bare(zero_page_bps=11e9))
    drive(copy, 2.4e9)
    assert copy.downtime_s == pytest.approx(0.027 - 0.0246, rel=0.05)


# --- Nova's rules -----------------------------------------------------------------------------------------------------


def test_the_staircase_of_an_8_gib_guest() -> None:
    """500 ms in 10 steps, 75 s for each GiB: 50 ms until 600 s, 95 ms until 1200 s, … 500 ms from 6000 s on."""
    steps = downtime_steps(500, 10, 75, 8.0)
    assert steps == tuple((600.0 * i, (50 + 45 * i) / 1000) for i in range(11))


def test_the_staircase_that_nova_s_documentation_prints() -> None:
    """10 steps, 30 s delay, 3 GB, 400 ms at most: 40, 76, … 400 ms, one more each 90 s."""
    printed = [40, 76, 112, 148, 184, 220, 256, 292, 328, 364, 400]
    assert downtime_steps(400, 10, 30, 3.0) == tuple((90.0 * i, ms / 1000) for i, ms in enumerate(printed))


def test_nova_s_size_of_a_migration_counts_each_part_as_two_gib_at_least() -> None:
    assert data_gb(8192) == 8.0
    assert data_gb(512) == 2.0
    assert data_gb(8192, (20 * GIB, 1 * GIB)) == 8 + 20 + 2


def test_a_guest_too_hot_for_the_first_step_waits_for_one_that_is_high_enough() -> None:
    """31 MB that are written faster than they are sent need 310 ms at 100 MB/s.

    Of steps of 100 ms each 10 s the fourth (400 ms) is high enough, and in force from 30 s on.
    """
    steps = tuple((10.0 * i, 0.1 * (i + 1)) for i in range(5))
    copy = PreCopy(guest(GIB, dirty=1e9, working_set=31e6), LiveMigrationLimits(downtime=steps))
    total = drive(copy, 100e6)
    assert copy.stopped_at_s is not None
    assert 30.0 <= copy.stopped_at_s <= 30.0 + 0.4
    assert copy.downtime_s == pytest.approx(0.31, rel=0.02)
    assert total == pytest.approx(copy.stopped_at_s + copy.downtime_s)


# --- auto-converge ----------------------------------------------------------------------------------------------------


def throttle_times(rules: Throttling, rate: float = 100e6) -> list[tuple[float, float]]:
    """(when, throttle) of a guest of 900 MB that writes 500 MB over and over at 50 GB/s."""
    copy = PreCopy(guest(900e6, dirty=50e9, working_set=500e6), bare(1e-6, throttling=rules, slice_s=0.0))
    drive(copy, rate, until_s=400)
    return list(copy.curve)


def test_qemu_2_throttles_at_every_third_high_period_and_never_judges_the_first() -> None:
    """Round 1 takes 900e6 / 1e8 = 9 s, later ones 500e6 / 1e8 = 5 s; syncs 2, 3, 4 are high, the third of them acts."""
    curve = throttle_times(throttling(2_006_000))
    expected = [(9 + 5 * 3 + 15 * k, 0.2 + 0.1 * k) for k in range(9)]
    for (at, throttle), (when, what) in zip(curve, expected, strict=False):
        assert at == pytest.approx(when, abs=0.01)
        assert throttle == pytest.approx(min(what, 0.99))


def test_later_qemu_throttles_at_every_second_high_period_from_the_first_on() -> None:
    curve = throttle_times(throttling(8_002_000))
    expected = [(9 + 5 + 10 * k, 0.2 + 0.1 * k) for k in range(9)]
    for (at, throttle), (when, what) in zip(curve, expected, strict=False):
        assert at == pytest.approx(when, abs=0.01)
        assert throttle == pytest.approx(min(what, 0.99))


def test_since_9_2_there_is_a_sync_each_5_s_after_the_first_round() -> None:
    """At a tenth of the rate rounds would take 50 s, but are judged each 5 s: two of those are a step."""
    slow = [at for at, _ in throttle_times(throttling(8_002_000), 10e6)]
    quick = [at for at, _ in throttle_times(throttling(9_002_000), 10e6)]
    assert slow[:2] == pytest.approx([90 + 50, 90 + 150], abs=0.1)
    assert quick[:4] == pytest.approx([90 + 5, 90 + 15, 90 + 25, 90 + 35], abs=0.1)


def test_own_initial_and_increment() -> None:
    curve = throttle_times(throttling(2_006_000, 0.5, 0.2))
    assert [throttle for _, throttle in curve[:4]] == pytest.approx([0.5, 0.7, 0.9, 0.99])


def test_a_quiet_guest_is_never_throttled() -> None:
    copy = PreCopy(guest(4 * GIB, dirty=0.4 * GBE), bare(throttling=throttling(8_002_000)))
    drive(copy, GBE)
    assert copy.throttle == 0.0
    assert copy.outcome == "completed"
