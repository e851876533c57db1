"""Every odd copy has one defined outcome: idle and hot guests, nothing to send, no link, orders at every stage."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace
from typing import Any

import pytest
from copying import GBE, GIB, MIB, bare, drive, guest, reach
from hypothesis import given, settings
from hypothesis import strategies as st

from sim.model.migration.limits import CLARK_2005, XEN, LiveMigrationLimits, XenRules, throttling
from sim.model.migration.memory import ACTIVITIES, GuestMemory, memory_of
from sim.model.migration.postcopy import FAULT_STEPS
from sim.model.migration.precopy import PreCopy

STAGES = ("disk", "scan", "rounds", "stopped", "postcopy")


def at_stage(stage: str, **more: Any) -> PreCopy:
    """A copy that stands in that stage: 1 GiB of disk, half of 4 GiB zero, a guest that leaves 25 MB for the stop."""
    limits = bare(
        zero_page_bps=1e9, permit_post_copy=True, post_copy_after_rounds=1 if stage == "postcopy" else None, **more
    )
    copy = PreCopy(guest(4 * GIB, 2 * GIB, dirty=20e6, working_set=25e6), limits, disk_b=1 * GIB)
    reach(copy, stage, GBE)
    return copy


# --- guests -----------------------------------------------------------------------------------------------------------


def test_an_idle_guest_is_sent_once_and_stands_still_for_its_few_hot_pages() -> None:
    memory = memory_of("idle", 16 * GIB)
    copy = PreCopy(memory, bare(zero_page_bps=11e9, device_state_s=0.041))
    total = drive(copy, GBE)
    zero = 16 * GIB - 598e6
    assert total == pytest.approx(598e6 / GBE + zero / 11e9 + 0.5e6 * total / GBE, rel=0.01)
    assert copy.rounds == 1
    assert 0.041 < copy.downtime_s < 0.041 + 5.75e6 / GBE + 1e-9


def test_a_guest_that_dirties_faster_than_the_link_never_ends_without_help() -> None:
    copy = PreCopy(guest(8 * GIB, dirty=2 * GBE), bare())
    assert drive(copy, GBE) == math.inf
    assert copy.outcome is None


@pytest.mark.parametrize(("action", "outcome", "mode"), [
    ("abort", "timed_out", "precopy"), ("force_complete", "completed", "paused"),
])  # fmt: skip
def test_the_completion_timeout_ends_it(action: Any, outcome: str, mode: str) -> None:
    """8 GiB: Nova waits 800 s for each GiB. Then it gives up, or pauses the guest and sends what is dirty."""
    copy = PreCopy(guest(8 * GIB, dirty=2 * GBE), bare(completion_timeout_s=6400.0, timeout_action=action))
    total = drive(copy, GBE)
    assert (copy.outcome, copy.mode) == (outcome, mode)
    if action == "abort":
        assert total == 6400.0
        assert copy.downtime_s == 0.0
    else:
        assert copy.stopped_at_s == 6400.0
        assert copy.downtime_s == pytest.approx(total - 6400.0)
        assert 0 < copy.downtime_s <= 8 * GIB / GBE


def test_post_copy_ends_what_pre_copy_cannot() -> None:
    """After round 1, min(W, r t) is dirty: T = (V + min(W, r V / B)) / B; the stop is for devices only."""
    memory = guest(2 * GIB, dirty=1e9, working_set=1 * GIB)
    copy = PreCopy(memory, bare(1e-9, post_copy_after_rounds=1, device_state_s=0.05))
    total = drive(copy, GBE)
    assert (copy.outcome, copy.mode) == ("completed", "postcopy")
    assert total == pytest.approx((2 * GIB + 1 * GIB) / GBE, rel=1e-6)
    assert copy.downtime_s == 0.05
    assert copy.stopped_at_s == pytest.approx(2 * GIB / GBE, rel=1e-6)


def test_users_feel_post_copy_fade_as_pages_arrive() -> None:
    """It wants r / 4096 pages a second and waits for each that is missing: 1 - 1 / (1 + part missing * r/4096 * t)."""
    rate, wanted, fault = GBE, 40e6, 0.001
    memory = guest(2 * GIB, dirty=wanted, working_set=1 * GIB)
    copy = PreCopy(memory, bare(1e-9, post_copy_after_rounds=1, page_fault_s=fault))
    drive(copy, rate)
    switched = copy.stopped_at_s
    assert switched is not None
    missing = min(1 * GIB, wanted * switched)
    expected = []
    for part in (1.0, *FAULT_STEPS):
        waits = part * missing / GIB * wanted / 4096 * fault
        expected.append((switched + (1 - part) * missing / rate, 1 - 1 / (1 + waits)))
    felt = [(at, lost) for at, lost in copy.curve if at >= switched and 0 < lost < 1]
    assert [at for at, _ in felt] == pytest.approx([at for at, _ in expected], rel=1e-6)
    assert [lost for _, lost in felt] == pytest.approx([lost for _, lost in expected], rel=1e-6)
    assert copy.curve[-1][1] == 0.0


def test_nothing_in_memory_moves_at_once() -> None:
    copy = PreCopy(guest(0.0, working_set=0.0), bare(device_state_s=0.04))
    assert drive(copy, GBE) == 0.0
    assert (copy.outcome, copy.bytes_memory) == ("completed", 0.0)
    assert copy.downtime_s == 0.04


def test_all_memory_zero_costs_only_the_looking() -> None:
    copy = PreCopy(guest(16 * GIB, 0.0, working_set=0.0), bare(zero_page_bps=1.6e9))
    assert drive(copy, GBE) == pytest.approx(16 * GIB / 1.6e9)
    assert copy.bytes_memory == 0.0


def test_an_infinite_link_moves_at_once() -> None:
    copy = PreCopy(guest(4 * GIB, dirty=1e9), bare())
    assert drive(copy, 1e15) == pytest.approx(0.0, abs=1e-4)
    assert copy.outcome == "completed"


def test_no_bandwidth_at_all_fails_when_the_connection_counts_as_lost() -> None:
    copy = PreCopy(guest(), bare(connection_lost_s=30.0))
    assert drive(copy, 0.0) == 30.0
    assert (copy.outcome, copy.guest_lost, copy.downtime_s) == ("failed", False, 0.0)


def test_activity_that_comes_and_goes_is_caught_in_a_quiet_moment() -> None:
    """Busy for 60 s, quiet for 40 s: the copy that begins with the busy time ends in the first quiet one."""
    memory = GuestMemory(GIB, GIB, 10 * GBE, 0.9 * GIB, ((60.0, 1.0), (100.0, 0.0)))
    copy = PreCopy(memory, bare())
    total = drive(copy, GBE)
    assert copy.outcome == "completed"
    assert 60.0 < total < 80.0
    late = PreCopy(GuestMemory(GIB, GIB, 10 * GBE, 0.9 * GIB, memory.profile, phase_s=60.0), bare())
    assert drive(late, GBE) < 15.0


def test_activity_that_is_never_quiet_long_enough_is_given_up_looking_at() -> None:
    memory = GuestMemory(GIB, GIB, 10 * GBE, 0.9 * GIB, ((9.0, 1.0), (9.5, 0.0)))
    copy = PreCopy(memory, bare())
    assert copy.next_change(GBE) == math.inf


@pytest.mark.parametrize("name", sorted(ACTIVITIES))
@pytest.mark.parametrize("ram", [0, 64 * MIB, 2 * GIB, 512 * GIB])
def test_every_class_fits_every_guest(name: str, ram: int) -> None:
    memory = memory_of(name, ram)
    assert 0 <= memory.nonzero_b <= ram
    assert 0 <= memory.working_set_b <= ram
    assert ACTIVITIES[name].source


# --- links and orders at every stage ----------------------------------------------------------------------------------


@pytest.mark.parametrize("stage", STAGES)
def test_a_link_that_dies_for_good(stage: str) -> None:
    """30 s without a byte end it. Before post-copy the guest goes on at the source; in post-copy it is lost.

    Looking for zero pages needs no link, so what dies then is felt at the first page that is to be sent.
    """
    copy = at_stage(stage)
    before, stopped = copy.elapsed_s, copy.stopped_at_s
    total = drive(copy, 0.0)
    assert copy.outcome == "failed"
    assert copy.guest_lost == (stage == "postcopy")
    expected = before + 30.0
    if stage == "scan":
        expected = 1 * GIB / GBE + 2 * GIB / 1e9 + 30.0
    assert total == pytest.approx(expected, abs=0.011)
    if stage == "stopped":
        assert stopped is not None
        assert copy.downtime_s == pytest.approx(total - stopped)
    elif stage != "postcopy":
        assert copy.downtime_s == 0.0


@pytest.mark.parametrize("stage", STAGES)
def test_a_link_that_comes_back_in_time(stage: str) -> None:
    whole = at_stage(stage)
    drive(whole, GBE)
    copy = at_stage(stage)
    copy.advance(20.0, 0.0)
    drive(copy, GBE)
    assert (whole.outcome, copy.outcome) == ("completed", "completed")
    assert copy.elapsed_s >= whole.elapsed_s


@pytest.mark.parametrize("stage", STAGES)
def test_an_abort(stage: str) -> None:
    """Even in the last round, while the guest stands still: it goes on at the source. Post-copy cannot go back."""
    copy = at_stage(stage)
    before = copy.elapsed_s
    done = copy.abort()
    assert done == (stage != "postcopy")
    if not done:
        assert not copy.finished
        assert drive(copy, GBE) > before
        assert copy.outcome == "completed"
        return
    assert copy.outcome == "aborted"
    assert copy.elapsed_s == before
    assert not copy.guest_lost
    assert copy.tail_s == 0.0
    if stage == "stopped":
        assert copy.stopped_at_s is not None
        assert 0 < copy.downtime_s == pytest.approx(before - copy.stopped_at_s)
    assert not copy.abort()
    assert not copy.force_complete()
    assert not copy.link_lost()


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("post_copy", [False, True])
def test_a_force_complete(stage: str, post_copy: bool) -> None:
    """Post-copy where it is permitted, else the guest stands still until everything has arrived."""
    copy = at_stage(stage)
    limits = replace(copy.limits, permit_post_copy=post_copy)
    copy = PreCopy(copy.memory, limits, disk_b=1 * GIB)
    reach(copy, stage, GBE)
    before = copy.elapsed_s
    done = copy.force_complete()
    total = drive(copy, GBE)
    assert copy.outcome == "completed"
    assert copy.bytes_disk == pytest.approx(1 * GIB)
    if stage == "postcopy" or (stage == "disk" and post_copy):  # QEMU begins post-copy only once memory is under way
        assert not done
        return
    assert done
    if post_copy:
        assert copy.mode == "postcopy"
    else:
        assert copy.mode == "paused"
        assert copy.stopped_at_s is not None
        assert copy.stopped_at_s <= before
        assert copy.downtime_s == pytest.approx(total - copy.stopped_at_s)
    assert not copy.force_complete()


@pytest.mark.parametrize("stage", STAGES)
def test_a_connection_that_breaks_at_once(stage: str) -> None:
    copy = at_stage(stage)
    assert copy.link_lost()
    assert (copy.outcome, copy.guest_lost) == ("failed", stage == "postcopy")


def test_the_completion_timeout_may_come_in_the_last_round() -> None:
    """The guest stands still already, and is let go on: the copy was too late by less than its downtime."""
    whole = PreCopy(guest(GIB, dirty=50e6), bare())
    drive(whole, GBE)
    assert whole.stopped_at_s is not None
    between = (whole.stopped_at_s + whole.elapsed_s) / 2
    copy = PreCopy(guest(GIB, dirty=50e6), bare(completion_timeout_s=between))
    assert drive(copy, GBE) == between
    assert copy.outcome == "timed_out"
    assert copy.downtime_s == pytest.approx(between - whole.stopped_at_s)


# --- laws -------------------------------------------------------------------------------------------------------------

sizes = st.sampled_from([0.0, 1 * MIB, 64 * MIB, 1.5 * GIB, 16 * GIB])
rates = st.sampled_from([0.0, 1e6, 30e6, GBE, 1.2e9, 1e15])


@st.composite
def copies(draw: st.DrawFn) -> tuple[GuestMemory, LiveMigrationLimits, float]:
    ram = draw(sizes)
    profile = draw(st.sampled_from([(), ((3.0, 1.0), (10.0, 0.2))]))
    memory = GuestMemory(
        ram, ram * draw(st.floats(0, 1)), draw(st.sampled_from([0.0, 5e5, 2e7, 1e9, 4e9])), ram * draw(st.floats(0, 1)),
        profile, draw(st.floats(0, 30)),
    )  # fmt: skip
    limits = LiveMigrationLimits(
        downtime=draw(st.sampled_from([((0.0, 0.3),), ((0.0, 0.05), (150.0, 0.095), (300.0, 0.5))])),
        completion_timeout_s=draw(st.sampled_from([120.0, 1600.0])),
        timeout_action=draw(st.sampled_from(["abort", "force_complete"])),
        permit_post_copy=draw(st.booleans()),
        throttling=draw(st.sampled_from([None, throttling(2_006_000), throttling(8_002_000), throttling(9_002_000)])),
        stream_bps=draw(st.sampled_from([1e8, 2.4e9, math.inf])), zero_page_bps=1.6e9, device_state_s=0.04,
        xen=draw(st.sampled_from([None, None, XenRules(), XEN, CLARK_2005])),
    )  # fmt: skip
    return memory, limits, draw(sizes)


@settings(max_examples=300)
@given(copies(), st.lists(st.tuples(rates, st.floats(0.01, 200)), min_size=1, max_size=6), rates)
def test_every_copy_ends_in_one_of_its_outcomes_and_adds_up(
    drawn: tuple[GuestMemory, LiveMigrationLimits, float], phases: list[tuple[float, float]], last: float
) -> None:
    memory, limits, disk = drawn
    copy = PreCopy(memory, limits, disk)
    carried, now = 0.0, 0.0
    for rate, seconds in [*phases, (last, math.inf)]:
        left = seconds
        while not copy.finished and left > 0:
            speed = min(rate, copy.cap_bps)
            span = min(copy.next_change(speed), left)
            assert span < math.inf, "a completion timeout ends everything"
            bytes_ = copy.advance(span, speed)
            grain = 4 * speed * math.ulp(now + span)  # what the clock cannot tell, rounded at each of its steps
            assert 0 <= bytes_ <= speed * span * (1 + 1e-6) + grain + 1e-3 or math.isinf(speed)
            carried += bytes_
            left -= span
            now += span
    assert copy.elapsed_s == pytest.approx(now)
    assert copy.bytes_memory + copy.bytes_disk == pytest.approx(carried, rel=1e-6, abs=1.0)
    assert copy.outcome in {"completed", "timed_out", "failed"}
    assert copy.slowdown == 0.0
    if copy.outcome == "completed":
        assert copy.bytes_disk == pytest.approx(disk)
        assert copy.bytes_memory >= memory.nonzero_b * (1 - 1e-6)
    assert 0 <= copy.throttle <= 0.99
    assert 0 <= copy.downtime_s <= copy.elapsed_s + limits.device_state_s
    for (before, _), (after, _) in itertools.pairwise(copy.curve):
        assert before <= after
    assert all(0 <= lost <= 1 for _, lost in copy.curve)


@settings(max_examples=150)
@given(copies(), rates, st.lists(st.floats(0.001, 60), min_size=1, max_size=12))
def test_looking_more_often_changes_nothing(
    drawn: tuple[GuestMemory, LiveMigrationLimits, float], rate: float, looks: list[float]
) -> None:
    """Settled at odd moments, as a neighbour's coming and going makes it happen, it ends as if left alone."""
    memory, limits, disk = drawn
    alone, watched = PreCopy(memory, limits, disk), PreCopy(memory, limits, disk)
    drive(alone, rate)
    for look in looks:
        if watched.finished:
            break
        speed = min(rate, watched.cap_bps)
        watched.advance(min(look, watched.next_change(speed)), speed)
    drive(watched, rate)
    assert watched.outcome == alone.outcome
    assert watched.elapsed_s == pytest.approx(alone.elapsed_s, rel=1e-6, abs=1e-6)
    assert watched.bytes_memory == pytest.approx(alone.bytes_memory, rel=1e-6, abs=1.0)
    assert watched.downtime_s == pytest.approx(alone.downtime_s, rel=1e-6, abs=1e-6)
    assert watched.throttle == alone.throttle


def test_in_post_copy_without_bandwidth_the_guest_stands_still_until_it_is_back() -> None:
    """It has run on, slowly; nothing comes for 20 s; then it runs on as slowly as before, until the rest is there."""
    memory = GuestMemory(8 * GIB, 8 * GIB, 1e6, 4 * GIB)
    copy = PreCopy(memory, bare(permit_post_copy=True))
    copy.advance(copy_until(copy, 10.0), GBE)
    assert copy.force_complete()
    drive_for(copy, 5.0, GBE)
    before = copy.slowdown
    assert 0 < before < 1
    drive_for(copy, 20.0, 0.0)
    assert copy.slowdown == 1.0
    drive_for(copy, 1.0, GBE)
    assert copy.slowdown == pytest.approx(before, rel=0.1)
    still = [(after - at) for (at, lost), (after, _) in itertools.pairwise(copy.curve) if lost == 1.0]
    assert still[-1] == pytest.approx(20.0)
    drive(copy, GBE)
    assert copy.outcome == "completed"


def copy_until(copy: PreCopy, seconds: float) -> float:
    """So long, or until the first change."""
    return min(seconds, copy.next_change(GBE))


def drive_for(copy: PreCopy, seconds: float, rate: float) -> None:
    """So long at that rate."""
    left = seconds
    while left > 1e-9 and not copy.finished:
        span = min(left, copy.next_change(rate))
        copy.advance(span, rate)
        left -= span


def test_a_rest_that_comes_before_the_guest_runs_again_ends_the_curve_when_it_runs() -> None:
    """25 MB over a link of 2.4 GB/s are there after 10 ms; the hand-over takes 40 ms."""
    copy = PreCopy(guest(4 * GIB, dirty=5e9, working_set=25e6), bare(0.005, permit_post_copy=True, device_state_s=0.04))
    reach(copy, "rounds", 2.4e9)
    copy.advance(5.0, 2.4e9)
    assert copy.force_complete()
    switched = copy.elapsed_s
    drive(copy, 2.4e9)
    assert copy.elapsed_s < switched + 0.04
    assert copy.curve == ((switched, 1.0), (switched + 0.04, 0.0))


def test_a_guest_that_post_copy_lost_stays_lost() -> None:
    copy = PreCopy(guest(dirty=20e6, working_set=1 * GIB), bare(permit_post_copy=True))
    copy.advance(10.0, GBE)
    assert copy.force_complete()
    copy.advance(1.0, GBE)
    assert copy.link_lost()
    assert copy.guest_lost
    assert copy.curve[-1] == (pytest.approx(11.0), 1.0)


def test_a_limit_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="never stops"):
        bare(0.0)
