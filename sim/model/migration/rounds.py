"""A pre-copy as QEMU runs it, round by round, between two changes of its bandwidth. No clock, no events.

A round sends what is dirty until what is left can be sent within the downtime limit; then the dirty bitmap is
synchronised. If what is dirty now still fits, the guest stops and the rest is sent; else the next round begins.

Zero pages cost the time to find them. They are taken to be the last that a first round comes to (QEMU sends the guest's
memory first and the near-empty memory of its devices last, and free memory is zero), so what is left when the first
round falls below the limit is zero pages, as far as there are any.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import ClassVar

from sim.model.migration.limits import LiveMigrationLimits
from sim.model.migration.memory import GuestMemory
from sim.model.migration.postcopy import FAULT_STEPS, fault_slowdown, felt
from sim.model.migration.stage import Stage
from sim.model.migration.state import CopyState

_SAME = 1e-12
_FITS = 1 + 1e-6
"""Rounds approach the limit from above without end where QEMU's slices do not cut them."""
_JUDGED_S = 1.0 + 1e-9
"""A period is judged when it is longer than a second, errors of rounding aside."""
_CHANCES = 50
"""Rounds, and turns of an activity profile, without an end after which there will be none."""
_DISK, _SCAN, _ROUNDS, _STOPPED, _POSTCOPY, _ENDED = Stage


class Rounds(CopyState):
    """A copy, and what happens to it while its rate stays the same. Cheap to clone, to look ahead."""

    __slots__ = ()

    def __init__(self, memory: GuestMemory, limits: LiveMigrationLimits, disk_b: float) -> None:
        super().__init__(memory, limits, disk_b)
        self._enter(_DISK if disk_b > 0 else _SCAN if self.scan_left_s > 0 else _ROUNDS)
        if self.stage is _ROUNDS and self.left_b <= 0:
            self._stop()

    def _enter(self, stage: Stage) -> None:
        """Begin a stage: ``cap_bps`` is the most that the copy can use in it, ``timeout_s`` when Nova gives up."""
        self.stage = stage
        self.cap_bps = 0.0 if self.held and stage is _DISK else self.limits.caps_bps[stage]
        self.timeout_s = math.inf if self.paused else self.limits.timeouts_s[stage]

    # --- time ---------------------------------------------------------------------------------------------------------

    def run(self, seconds: float, rate_bps: float) -> float:
        """Go on for ``seconds`` at ``rate_bps``, but stop at the first change that others must know of (cap, slowdown,
        end). Returns the seconds gone; inf if asked for inf and nothing ever changes."""  # fmt: skip
        start = self.elapsed_s
        end = start + seconds
        horizon_s, horizon_rounds = self._horizon() if self.memory.profile else math.inf, self.rounds + _CHANCES
        cap_bps, slowdown = self.cap_bps, self.slowdown
        while self.outcome is None:
            deadline = self.timeout_s if self.timeout_s < end else end
            if rate_bps <= 0 and self.stage is not _SCAN:
                if self.stage is _POSTCOPY and self.slowdown < 1:
                    self._slow(1.0)  # the first page that is missing stops it
                    break
                waits = self.held and self.stage is _DISK
                lost_in = math.inf if waits else max(0.0, self.limits.connection_lost_s - self.stalled_s)
                deadline = min(deadline, self.elapsed_s + lost_in)
                if math.isinf(deadline):
                    return math.inf
                self.stalled_s += 0.0 if waits else deadline - self.elapsed_s
                self._pass(deadline - self.elapsed_s, 0.0)
                self.elapsed_s = deadline
                if self.stalled_s >= self.limits.connection_lost_s * (1 - _SAME):
                    self.lose_link()
            else:
                self.stalled_s = 0.0
                self._STEPS[self.stage](self, deadline, rate_bps)
            now = self.elapsed_s
            if now >= self.timeout_s and self.outcome is None:
                self.time_out()
            if now >= end or self.slowdown != slowdown or self.cap_bps != cap_bps:
                break
            if now > horizon_s and self.rounds > horizon_rounds:
                return math.inf
        return self.elapsed_s - start

    def _horizon(self) -> float:
        """When a guest whose activity comes and goes has had its chances to be caught, and will not be any more."""
        if math.isfinite(self.limits.completion_timeout_s):
            return math.inf
        return max(self.elapsed_s, self.limits.downtime[-1][0]) + _CHANCES * self.memory.profile[-1][0]

    def _pass(self, seconds: float, rate_bps: float) -> None:
        """Memory goes over the network while the guest runs (or not, when paused)."""
        stage = self.stage
        if stage is _DISK:
            return
        if rate_bps > 0:
            can, left = rate_bps * seconds, self.left_b
            sent = can if can < left else left
            self.left_b -= sent
            self.sent_memory_b += sent
            self.period_sent_b += sent
        if stage is _ROUNDS or stage is _SCAN:
            self.round_s += seconds
            self.round_busy_s += self._busy(seconds)

    def _busy(self, seconds: float) -> float:
        if self.paused:
            return 0.0
        start_s = self.elapsed_s
        end_s = start_s + seconds
        return (1 - self.throttle) * (self.memory.busy_s(start_s, end_s) if self.memory.profile else end_s - start_s)

    # --- stages -------------------------------------------------------------------------------------------------------

    def _copy_disk(self, deadline: float, rate_bps: float) -> None:
        need = self.disk_left_b / rate_bps
        if self.elapsed_s + need > deadline:
            sent = (deadline - self.elapsed_s) * rate_bps
            self.elapsed_s = deadline
        else:
            sent = self.disk_left_b
            self.elapsed_s += need
            self._enter(_SCAN)
            self._skip_empty()
        self.disk_left_b -= sent
        self.sent_disk_b += sent

    def _scan(self, deadline: float, _rate_bps: float) -> None:
        seconds = min(self.scan_left_s, deadline - self.elapsed_s)
        over = seconds >= self.scan_left_s
        self._pass(seconds, 0.0)
        self.elapsed_s += seconds
        self.scan_left_s -= seconds
        if over:
            self._enter(_ROUNDS)
            self._skip_empty()

    def _skip_empty(self) -> None:
        """Stages that have nothing to do are not entered."""
        if self.stage is _SCAN and self.scan_left_s <= 0:
            self._enter(_ROUNDS)
        if self.stage is _ROUNDS and self.paused:
            self._stop()

    def _round(self, deadline: float, rate_bps: float) -> None:
        """To the next bitmap sync, the next step of the downtime limit or the deadline."""
        limit_s, next_limit_s = self.limits.downtime_at(self.elapsed_s)
        need = self._sync_in(limit_s * rate_bps, rate_bps)
        until = min(deadline, next_limit_s)
        if self.elapsed_s + need > until:
            seconds = max(0.0, until - self.elapsed_s)
            self._pass(seconds, rate_bps)
            self.elapsed_s = until
            return
        self._pass(need, rate_bps)
        self.elapsed_s += need
        self._sync(limit_s * rate_bps, need, until, rate_bps)

    def _sync_in(self, threshold_b: float, rate_bps: float) -> float:
        """Seconds until QEMU synchronises the bitmap: at the end of a slice that leaves less than the threshold."""
        left_b, limits = self.left_b, self.limits
        if not self.rounds:
            threshold_b = threshold_b - self.zero_b if threshold_b > self.zero_b else 0.0
        empty = left_b / rate_bps
        below = (left_b - threshold_b) / rate_bps if left_b > threshold_b else 0.0
        step = limits.slice_s
        if step > 0:
            below = math.ceil((self.round_s + below) / step - 1e-9) * step - self.round_s
        throttling = limits.throttling
        if throttling is not None and self.rounds:
            below = min(below, max(0.0, throttling.resync_s - self.round_s))
        return max(0.0, min(below, empty))

    def _dirtied(self) -> float:
        """Bytes that a bitmap sync now adds to what is left: what is both unsent and dirtied is one page, not two.

        What is left of the first round lies anywhere in the memory. Later it is of the working set, which the guest
        comes back to only after it has written all the rest of it.
        """
        memory = self.memory
        fresh = memory.dirtied_b(self.round_busy_s)
        if self.rounds:
            return max(0.0, min(fresh, memory.working_set_b - self.left_b))
        return fresh * (1 - min(1.0, self.left_b / max(memory.nonzero_b, 1.0)))

    def _sync(self, threshold_b: float, last_s: float, until: float, rate_bps: float) -> None:
        fresh = self._dirtied()
        length, throttle = self.round_s, self.throttle
        self.left_b += fresh
        self.rounds += 1
        self.round_s = self.round_busy_s = 0.0
        self.period_s += length
        self.period_dirty_b += fresh
        if self.period_s > _JUDGED_S:
            self._judge()
        after = self.limits.post_copy_after_rounds
        if after is not None and self.rounds >= after and self.left_b > 0:
            self.start_post_copy()
        elif self._fits(threshold_b):
            self._stop()
        elif abs(self.left_b - self.before_b) <= _SAME * self.left_b and (last_s, throttle) == (length, self.throttle):
            self._repeat(length, until, rate_bps)
        self.before_b = self.left_b

    def _fits(self, threshold_b: float) -> bool:
        """After a sync: whether what is left is little enough to stop the guest."""
        return self.left_b <= threshold_b * _FITS

    def _judge(self) -> None:
        """Auto-converge: was the period high, and is it time for the next step?"""
        throttling = self.limits.throttling
        if throttling is not None:
            self.periods += 1
            counts = throttling.first_counts or self.periods > 1
            if counts and self.period_dirty_b > 0.5 * self.period_sent_b:
                self.high_periods += 1
                if self.high_periods >= throttling.periods:
                    self.high_periods = 0
                    step = throttling.increment if self.throttle else throttling.initial
                    self.throttle = min(throttling.maximum, self.throttle + step)
                    self._slow(self.throttle)
        self.period_s = self.period_dirty_b = self.period_sent_b = 0.0

    def _repeat(self, length: float, until: float, rate_bps: float) -> None:
        """Rounds repeat exactly until something else changes: take all of them at once."""
        throttling = self.limits.throttling
        if self.memory.profile or not length or (throttling is not None and self.throttle < throttling.maximum):
            return
        count = (until - self.elapsed_s) / length - 1
        last = self.limits.post_copy_after_rounds
        if last is not None:
            count = min(count, last - self.rounds - 1)
        if math.isinf(count):
            self.elapsed_s = math.inf
        elif count >= 1:
            self.elapsed_s += int(count) * length
            self.rounds += int(count)
            self.sent_memory_b += int(count) * length * rate_bps

    def _finish_stopped(self, deadline: float, rate_bps: float) -> None:
        need = self.left_b / rate_bps
        if self.elapsed_s + need > deadline:
            self._pass(deadline - self.elapsed_s, rate_bps)
            self.elapsed_s = deadline
            return
        self.sent_memory_b += self.left_b
        self.left_b = 0.0
        self.elapsed_s += need
        self._end("completed")

    def _fetch(self, deadline: float, rate_bps: float) -> None:
        """Post-copy: the rest arrives while the guest runs at the destination and waits for pages."""
        if self.slowdown == 1:
            self._slow(fault_slowdown(self.memory, self.limits, self.left_b))
            return
        floor = FAULT_STEPS[self.fault_step] * self.postcopy_b if self.fault_step < len(FAULT_STEPS) else 0.0
        need = max(0.0, self.left_b - floor) / rate_bps
        if self.elapsed_s + need > deadline:
            self._pass(deadline - self.elapsed_s, rate_bps)
            self.elapsed_s = deadline
            return
        self.sent_memory_b += self.left_b - floor
        self.left_b = floor
        self.elapsed_s += need
        self.fault_step += 1
        if floor:
            self._slow(fault_slowdown(self.memory, self.limits, self.left_b))
        else:
            self._end("completed")

    _STEPS: ClassVar[dict[Stage, Callable[[Rounds, float, float], None]]] = {
        _DISK: _copy_disk,
        _SCAN: _scan,
        _ROUNDS: _round,
        _STOPPED: _finish_stopped,
        _POSTCOPY: _fetch,
    }

    # --- changes ------------------------------------------------------------------------------------------------------

    def _slow(self, fraction: float) -> None:
        self.slowdown = fraction
        if not self.curve or self.curve[-1][1] != fraction:
            self.curve = felt(self.curve, self.elapsed_s, fraction)

    def _stop(self) -> None:
        """The guest stops here and will go on there."""
        self._enter(_STOPPED)
        if self.stopped_at_s is None:
            self.stopped_at_s = self.elapsed_s
            self.curve += ((self.elapsed_s, 1.0),)

    def _end(self, outcome: str) -> None:
        self.outcome = outcome
        if self.stopped_at_s is not None and self.stage is not _POSTCOPY:
            self.downtime_s = self.elapsed_s - self.stopped_at_s
            if outcome == "completed":
                self.downtime_s += self.limits.device_state_s
        self._enter(_ENDED)
        self.slowdown = 0.0
        if self.curve:
            self.curve = felt(self.curve, self.elapsed_s, float(self.lost))

    def start_post_copy(self) -> None:
        """The guest goes on at the destination at once; what is dirty follows."""
        self.left_b += self._dirtied()
        self.round_s = self.round_busy_s = 0.0
        self._enter(_POSTCOPY)
        self.postcopy_b = self.left_b
        self.stopped_at_s = self.elapsed_s
        self.downtime_s = self.limits.device_state_s
        self.curve += ((self.elapsed_s, 1.0),)
        self.slowdown = fault_slowdown(self.memory, self.limits, self.left_b)
        self.curve += ((self.elapsed_s + self.downtime_s, self.slowdown),)
        if not self.left_b:
            self._end("completed")

    def pause(self) -> None:
        """The guest is paused so that the copy must come to its end."""
        self.paused = True
        self._enter(self.stage)
        if self.stage is _ROUNDS:
            self.left_b += self._dirtied()
            self._stop()
        elif self.stopped_at_s is None:
            self.stopped_at_s = self.elapsed_s
            self.curve += ((self.elapsed_s, 1.0),)

    def hold_disks(self, held: bool) -> None:
        """Disks cannot be read or written from now on, or can again."""
        self.held = held
        self._enter(self.stage)

    def force(self) -> None:
        """Nova's force-complete: post-copy if permitted, else pause."""
        if self.limits.permit_post_copy:
            self.start_post_copy()
        else:
            self.pause()

    def time_out(self) -> None:
        """Nova's completion timeout."""
        if self.limits.timeout_action == "abort":
            self._end("timed_out")
        else:
            self.force()

    def abort(self) -> None:
        """Given up on purpose; the guest goes on at the source."""
        self._end("aborted")

    def lose_link(self) -> None:
        """The connection is gone. Before post-copy the guest goes on at the source; in post-copy it is lost."""
        self.lost = self.stage is _POSTCOPY
        self._end("failed")
