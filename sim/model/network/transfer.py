"""What a flow carries. A transfer has no clock: it is told how long it had which rate, and says when it changes."""

from __future__ import annotations

import math
from typing import Protocol


class Transfer(Protocol):
    """Something that needs bytes to be carried from host to host."""

    finished: bool
    """Nothing more will happen."""
    cap_bps: float
    """The most it can use at present; changes only in :meth:`advance` or by a command from outside."""
    slowdown: float
    """Part of the guest's speed that it costs at present, 0..1; 0 where no guest is concerned."""

    def advance(self, seconds: float, rate_bps: float) -> float:
        """Settle the past: ``seconds`` at ``rate_bps``. Returns the bytes that went over the network."""

    def next_change(self, rate_bps: float) -> float:
        """Seconds at ``rate_bps`` until it finishes, or its cap or slowdown changes by itself; inf if never.

        0 if it is finished.
        """


class ByteCopy:
    """So many bytes, and done. Without a byte for ``patience_s`` it gives up: ``failed``."""

    __slots__ = ("cap_bps", "failed", "finished", "left_b", "patience_s", "slowdown", "stalled_s", "total_b")

    def __init__(self, total_b: float, cap_bps: float = math.inf, patience_s: float = math.inf) -> None:
        if not total_b >= 0 or not cap_bps >= 0:
            raise ValueError(f"a copy needs bytes and a cap that are not negative, not {total_b} and {cap_bps}")
        self.total_b = self.left_b = float(total_b)
        self.cap_bps = cap_bps
        self.patience_s = patience_s
        self.stalled_s = 0.0
        self.slowdown = 0.0
        self.failed = False
        self.finished = total_b == 0

    def advance(self, seconds: float, rate_bps: float) -> float:
        """Bytes go."""
        if rate_bps == 0:
            self.stalled_s += seconds
            if self.stalled_s >= self.patience_s * (1 - 1e-12):
                self.finished = self.failed = True
            return 0.0
        self.stalled_s = 0.0
        sent = self.left_b if math.isinf(rate_bps) else seconds * rate_bps
        self.left_b -= sent
        if self.left_b <= 1e-9 * self.total_b:
            sent += self.left_b
            self.left_b = 0.0
            self.finished = True
        return sent

    def break_off(self) -> None:
        """One of its ends is gone."""
        self.finished = self.failed = True

    def next_change(self, rate_bps: float) -> float:
        """The rest at this rate."""
        if self.finished:
            return 0.0
        return self.left_b / rate_bps if rate_bps > 0 else self.patience_s - self.stalled_s
