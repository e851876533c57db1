"""A live migration's copy as a transfer: what the network carries, and what comes out of it.

Between changes of its rate the whole future is computed at once (:mod:`sim.model.migration.rounds`) and kept, so an
undisturbed migration is one look ahead and one event.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from sim.model.migration.limits import LiveMigrationLimits
from sim.model.migration.memory import GuestMemory
from sim.model.migration.rounds import Rounds
from sim.model.migration.stage import Stage
from sim.model.migration.xen import XenRounds


class PreCopy:
    """One live migration, from the first byte to the last.

    ``disk_b`` bytes of local disks go first (block migration). Times count from the begin of the copy. When it is
    finished after :attr:`outcome` ``completed``, the guest runs at the destination :attr:`tail_s` later: device state
    and hand-over need time but no bytes.
    """

    __slots__ = ("_ahead", "_plan", "_state", "cap_bps", "finished", "limits", "memory", "slowdown")

    def __init__(self, memory: GuestMemory, limits: LiveMigrationLimits, disk_b: float = 0.0) -> None:
        if not disk_b >= 0:
            raise ValueError(f"disk_b must not be negative, not {disk_b}")
        self.memory, self.limits = memory, limits
        self._state = _rounds(memory, limits, disk_b)
        self._ahead: Rounds | None = None
        self._plan = (-1.0, -1.0)
        self._show()

    # --- the transfer -------------------------------------------------------------------------------------------------

    def advance(self, seconds: float, rate_bps: float) -> float:
        """Settle the past; the bytes that went over the network."""
        state = self._state
        before = state.sent_memory_b + state.sent_disk_b
        if self._ahead is not None and self._plan == (seconds, rate_bps):
            state = self._state = self._ahead
        else:
            left = seconds
            while state.outcome is None:
                left -= state.run(left, rate_bps)
                if state.elapsed_s + left <= state.elapsed_s:
                    break  # nothing is left, or less than the clock can tell
                if state.cap_bps == 0:
                    rate_bps = 0.0  # asked for more time than until the change that was announced: no bytes then
        self._ahead = None
        self._show()
        return state.sent_memory_b + state.sent_disk_b - before

    def next_change(self, rate_bps: float) -> float:
        """Seconds at ``rate_bps`` until the cap or the slowdown changes or the copy ends."""
        if self.finished:
            return 0.0
        ahead = self._state.clone()
        span = ahead.run(math.inf, rate_bps)
        self._ahead, self._plan = ahead, (span, rate_bps)
        return span

    def _show(self) -> None:
        state = self._state
        self.finished = state.outcome is not None
        self.slowdown = state.slowdown
        self.cap_bps = state.cap_bps

    # --- orders; give them at the right moment with Flows.command -----------------------------------------------------

    def abort(self) -> bool:
        """Stop and stay at the source. False if it is too late: in post-copy, or over."""
        if self.finished or self._state.stage is Stage.POSTCOPY:
            return False
        return self._order(self._state.abort)

    def force_complete(self) -> bool:
        """Post-copy if permitted, else pause the guest.

        False if it is over, in post-copy or paused already, or if post-copy cannot begin because disks are still on
        their way.
        """
        state = self._state
        if self.finished or state.stage is Stage.POSTCOPY or state.paused:
            return False
        if state.stage is Stage.DISK and self.limits.permit_post_copy:
            return False
        return self._order(self._state.force)

    def hold_disks(self, held: bool) -> None:
        """Storage at one end does not answer (or does again): disks wait, and the connection does not count as lost."""
        self._ahead = None
        self._state.hold_disks(held)
        self._show()

    def link_lost(self) -> bool:
        """The connection breaks. False if the copy is over."""
        if self.finished:
            return False
        return self._order(self._state.lose_link)

    def _order(self, order: Callable[[], None]) -> bool:
        self._ahead = None
        order()
        self._show()
        return True

    # --- what came out ------------------------------------------------------------------------------------------------

    @property
    def outcome(self) -> str | None:
        """``completed``, ``aborted``, ``timed_out``, ``failed``; None while it lasts."""
        return self._state.outcome

    @property
    def mode(self) -> str:
        """``precopy``, ``postcopy`` or ``paused``: how it ended the copy, or does at present."""
        state = self._state
        if state.postcopy_b or state.stage is Stage.POSTCOPY:
            return "postcopy"
        return "paused" if state.paused else "precopy"

    @property
    def stage(self) -> str:
        """``disk``, ``scan``, ``rounds``, ``stopped``, ``postcopy`` or ``ended``."""
        return self._state.stage.value

    @property
    def guest_lost(self) -> bool:
        """Post-copy lost its source: the guest is whole on neither side."""
        return self._state.lost

    @property
    def downtime_s(self) -> float:
        """How long the guest stands still because of the copy, with the hand-over."""
        return self._state.downtime_s

    @property
    def stopped_at_s(self) -> float | None:
        """When the guest stood still, from the begin of the copy; None if it never did."""
        return self._state.stopped_at_s

    @property
    def tail_s(self) -> float:
        """From the last byte until the guest runs at the destination."""
        state = self._state
        return 0.0 if state.outcome != "completed" or self.mode == "postcopy" else self.limits.device_state_s

    @property
    def elapsed_s(self) -> float:
        """Time settled so far."""
        return self._state.elapsed_s

    @property
    def bytes_memory(self) -> float:
        """Bytes of memory sent, every time they were sent."""
        return self._state.sent_memory_b

    @property
    def bytes_disk(self) -> float:
        """Bytes of disks sent."""
        return self._state.sent_disk_b

    @property
    def rounds(self) -> int:
        """Bitmap synchronisations after a round of sending."""
        return self._state.rounds

    @property
    def throttle(self) -> float:
        """Auto-converge's last throttle, 0..0.99 (it only ever rises)."""
        return self._state.throttle

    @property
    def curve(self) -> tuple[tuple[float, float], ...]:
        """What users felt: (time, part of the guest's speed lost from then on), 1 is standing still."""
        return self._state.curve


def _rounds(memory: GuestMemory, limits: LiveMigrationLimits, disk_b: float) -> Rounds:
    """The copy by one's own model, by Xen's rules or by QEMU's."""
    if limits.model is not None:
        return limits.model(memory, limits, disk_b)
    if limits.xen is not None:
        return XenRounds(memory, limits, disk_b, limits.xen)
    return Rounds(memory, limits, disk_b)
