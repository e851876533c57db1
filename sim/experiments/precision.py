"""``--until "p95_makespan ± 5 %"``: run until every measure asked for is known that well.

The rule is asked at fixed numbers of replications only, of all runs up to that number, so that where it stops depends
on the runs and never on which of them came back first.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from sim.errors import Issue
from sim.experiments.measures import Measure, measure
from sim.experiments.stats.intervals import Floats, runs_for_quantile

FIRST = 10
"""No rule stops before that many replications: an interval of fewer is too often narrow by chance."""
GROWTH = 1.25
"""Each look is at that many times the replications of the one before."""
MOST = 10_000
"""Replications at which to give up where no other limit is given."""

_SHAPE = re.compile(r"(?P<name>.+?)\s*(?:±|\+/-|\+-)\s*(?P<width>.+)$")


@dataclass(frozen=True, slots=True)
class Wanted:
    """How well one measure must be known: half the width of its interval, as a share of the value or in its unit."""

    measure: Measure
    width: float
    relative: bool
    text: str

    def known(self, values: Sequence[float] | Floats, confidence: float) -> float:
        """How well these runs say it, in terms of ``width``; a bootstrap of a few, blind beyond them, not at all."""
        found = self.measure.estimate(values, confidence)
        if not math.isfinite(found.low) or found.method.startswith("bootstrap"):
            return math.inf
        if not self.relative or found.half_width == 0.0:
            return found.half_width
        return found.half_width / abs(found.value) if found.value else math.inf

    def met(self, values: Sequence[float] | Floats, confidence: float) -> bool:
        """Whether these runs say it well enough."""
        return self.known(values, confidence) <= self.width

    def words(self, known: float) -> str:
        """``± 0.3 %`` or ``± 1.20 s``; empty where nothing can be said."""
        if not math.isfinite(known):
            return ""
        return f"± {100 * known:.2g} %" if self.relative else f"± {self.measure.text(known)}"


class Until:
    """The whole rule: every part of it, for every variant."""

    def __init__(self, wanted: Sequence[Wanted], confidence: float = 0.95) -> None:
        self.wanted, self.confidence = tuple(wanted), confidence

    @property
    def columns(self) -> tuple[str, ...]:
        """Columns of the summary that it looks at."""
        return tuple(dict.fromkeys(one.measure.column for one in self.wanted))

    def looks(self, most: int) -> Iterator[int]:
        """Numbers of replications to look at, the last of them ``most``."""
        n = max(FIRST, self._least)
        while n < most:
            yield n
            n = math.ceil(n * GROWTH)
        yield most

    @property
    def _least(self) -> int:
        """Fewer runs than these say nothing about the furthest quantile asked for."""
        quantiles = [one.measure.q for one in self.wanted if one.measure.q is not None]
        return max((runs_for_quantile(q, self.confidence) for q in quantiles), default=0)

    def too_few(self, runs: int) -> int:
        """The least number of runs that could do, where there are fewer; else 0."""
        return self._least if runs < self._least else 0

    def standing(self, values: Callable[[str, str], Floats], variants: Sequence[str]) -> str:
        """How well each part is known, of the variant that is known least: ``p95_makespan ± 3.1 %, failed ± 0.2``."""
        worst = (
            (
                one,
                max(
                    (one.known(values(name, one.measure.column), self.confidence) for name in variants),
                    default=math.inf,
                ),
            )
            for one in self.wanted
        )
        return ", ".join(f"{one.measure.name} {words}" for one, known in worst if (words := one.words(known)))

    def met(self, values: Callable[[str, str], Floats], variants: Sequence[str]) -> bool:
        """Whether all is known well enough; ``values(variant, column)`` are the runs."""
        return all(
            one.met(values(name, one.measure.column), self.confidence) for one in self.wanted for name in variants
        )


def parse_until(text: str, place: str, issues: list[Issue], confidence: float = 0.95) -> Until | None:
    """A rule from its text, parts separated by commas; None and issues where it cannot be read."""
    found = [_part(part, place, issues) for part in text.split(",")]
    wanted = [one for one in found if one is not None]
    return Until(wanted, confidence) if len(wanted) == len(found) else None


def _part(text: str, place: str, issues: list[Issue]) -> Wanted | None:
    match = _SHAPE.match(text.strip())
    if match is None:
        issues.append(Issue(place, f"{text.strip()!r} is not a precision", 'write it like "p95_makespan ± 5 %"'))
        return None
    of = measure(match["name"], place, issues)
    if of is None:
        return None
    width = match["width"].strip()
    try:
        if of.q is None and of.statistic != "mean":
            raise ValueError(f"the {of.statistic} of all runs has no interval; use a mean or a quantile")
        share = width.endswith("%")
        value = float(width[:-1]) / 100 if share else of.parse(width)
        if not 0 < value < math.inf:
            raise ValueError(f"{width!r} must be more than nothing")
    except ValueError as error:
        issues.append(Issue(place, f"{text.strip()!r}: {error}", "write a share like ± 5 %, or a width with its unit"))
        return None
    return Wanted(of, value, share, text.strip())
