"""One line on the terminal that says where a run stands, and an honest guess of when it ends."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, NamedTuple

from sim import units

if TYPE_CHECKING:
    from sim.runs.simulation import Progress

_LOOK_S = 0.2
"""Between two looks at a run, wall seconds."""
_LATELY_S = 10.0
"""What *lately* is."""
_TOO_EARLY_S = 2.0
"""No guess before this."""
_CLOSE = 1.3
"""Two guesses that are no further apart are one."""


class _Sample(NamedTuple):
    wall_s: float
    events: float
    way: float
    """How far the run has come: simulated seconds, or servers settled."""


class Pace:
    """How fast a run goes, all along and lately; how much is left of it.

    ``duration_s`` is the simulated time that the run lasts by its scenario; None for one that ends with its plan.
    """

    def __init__(self, duration_s: float | None) -> None:
        self.duration_s = duration_s
        self._samples: deque[_Sample] = deque()
        self._last: Progress | None = None

    def see(self, progress: Progress) -> None:
        """One more look."""
        self._last = progress
        way = progress.now_s if self.duration_s is not None else float(progress.settled)
        self._samples.append(_Sample(progress.wall_s, progress.events_per_s * progress.wall_s, way))
        while len(self._samples) > 2 and self._samples[1].wall_s <= progress.wall_s - _LATELY_S:
            self._samples.popleft()

    @property
    def events_per_s(self) -> float:
        """Events per wall second, lately."""
        first, last = self._samples[0], self._samples[-1]
        if last.wall_s <= first.wall_s:
            return self._last.events_per_s if self._last else 0.0
        return (last.events - first.events) / (last.wall_s - first.wall_s)

    def left_s(self) -> tuple[float, float] | None:
        """The least and the most wall seconds to go, by the pace lately and all along; None when nobody can tell."""
        progress = self._last
        if progress is None or progress.wall_s < _TOO_EARLY_S:
            return None
        first, last = self._samples[0], self._samples[-1]
        whole = self.duration_s if self.duration_s is not None else float(progress.asked)
        if last.way <= 0 or whole <= 0:
            return None
        guesses = [(whole - last.way) * progress.wall_s / last.way]
        if last.way > first.way:
            guesses.append((whole - last.way) * (last.wall_s - first.wall_s) / (last.way - first.way))
        return max(min(guesses), 0.0), max(*guesses, 0.0)

    def line(self) -> str:
        """Where the run stands."""
        progress = self._last
        if progress is None:
            return ""
        parts = [
            f"simulated {units.format_seconds(progress.now_s)}", f"under way {progress.under_way:,}",
            f"done {progress.done:,}", f"failed {progress.failed:,}", f"{self.events_per_s:,.0f} events/s",
        ]  # fmt: skip
        return "  ".join([*parts, self._end(progress)])

    def _end(self, progress: Progress) -> str:
        """The guess in words: a span where paces differ, a least where the plan has more to begin."""
        left = self.left_s()
        ran = units.format_seconds(progress.wall_s)
        if left is None:
            return f"after {ran}"
        low, high = left
        more = progress.waiting > 0 and self.duration_s is None
        if more:
            steps = units.counted(progress.waiting, "steps")
            return f"at least {_seconds(low)} to go, and {steps} of the plan to begin"
        if high <= low * _CLOSE + 1.0:
            return f"about {_seconds(high)} to go"
        return f"{_seconds(low)} to {_seconds(high)} to go"


def _seconds(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 120 else units.format_seconds(seconds)


class LiveLine:
    """The line itself, on standard error; it goes when the run is over."""

    def __init__(self, duration_s: float | None) -> None:
        from rich.console import Console
        from rich.live import Live
        from rich.spinner import Spinner

        self._pace = Pace(duration_s)
        self._shown_s = -_LOOK_S
        self._spinner = Spinner("dots", "")
        self._live = Live(self._spinner, console=Console(stderr=True), refresh_per_second=8, transient=True)
        self._live.start()

    def say(self, what: str) -> None:
        """What is being done, where there is nothing to count."""
        self._spinner.update(text=what)

    def update(self, progress: Progress) -> None:
        """Called from time to time while the run lasts."""
        if progress.wall_s - self._shown_s >= _LOOK_S:
            self._shown_s = progress.wall_s
            self._pace.see(progress)
            self._spinner.update(text=self._pace.line())

    def close(self) -> None:
        """The line goes."""
        self._live.stop()
