"""Axes of a sweep: a path in the scenario and the values it takes.

``plan[0].drain.concurrency=2,4,8`` are three values, each read as YAML; ``cloud.hosts[0].nic=10 Gbit/s..40 Gbit/s`` is
a range between two numbers with the same unit, whole where both ends are; ``1..100 log`` is spread over its logarithm.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sim.errors import Issue
from sim.scenario.edits import split_setting
from sim.scenario.yaml_text import parse_yaml

Value = Any
"""What YAML holds: a number, a text, true, null, a list, a mapping."""

_QUANTITY = re.compile(r"([+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)\s*([A-Za-z/]*)$")


@dataclass(frozen=True, slots=True)
class Span:
    """A range of numbers with one unit."""

    low: float
    high: float
    unit: str = ""
    whole: bool = False
    log: bool = False

    def at(self, share: float) -> Value:
        """The value at a share in [0, 1] of the way, as a scenario would have it."""
        high = self.high + (1 if self.whole and not self.log else 0)  # each whole number has an equal part
        value = self.low * (high / self.low) ** share if self.log else self.low + (high - self.low) * share
        if self.whole:
            return min(round(value) if self.log else math.floor(value), int(self.high))
        # four digits of the range tell all that a sample of it can, and a variant's name stays short
        step = min(self.high - self.low, self.low if self.log else math.inf) / 10_000
        value = round(value, max(-math.floor(math.log10(step)), 0))
        return f"{value:.9g} {self.unit}" if self.unit else value


@dataclass(frozen=True, slots=True)
class Axis:
    """A path and its values: a list, or a range."""

    path: str
    values: tuple[Value, ...] = ()
    span: Span | None = None
    name: str = ""
    """What variants call it; a path says it all, but seldom in short."""

    def at(self, share: float) -> Value:
        """The value at a share in [0, 1): of a list, each has an equal part."""
        if self.span is not None:
            return self.span.at(share)
        return self.values[min(int(share * len(self.values)), len(self.values) - 1)]

    def number(self, value: Value) -> float | None:
        """A value as a number to draw it at: its own, without the unit; None for what is no number."""
        if isinstance(value, bool) or value is None:
            return None
        if isinstance(value, (int, float)):
            return float(value)
        match = _QUANTITY.match(value.strip()) if isinstance(value, str) else None
        return float(match[1]) if match else None


def parse_axis(text: str, place: str, issues: list[Issue]) -> Axis | None:
    """An axis of the command line, ``PATH=VALUES``; None and issues where it cannot be read."""
    path, equals, values = split_setting(text)
    if not equals or not path.strip() or not values.strip():
        right = "write it like --axis plan[0].drain.concurrency=2,4,8"
        issues.append(Issue(f"{place} {text}", "is not PATH=VALUES", right))
        return None
    return axis_of(path.strip(), values.strip(), f"{place} {text}", issues)


def axis_of(path: str, values: str | Sequence[Value], place: str, issues: list[Issue], name: str = "") -> Axis | None:
    """An axis from its values: a list of plain values, or a text as on the command line."""
    if not isinstance(values, str):
        return _listed(path, list(values), place, issues, name)
    low, dots, high = values.partition("..")
    if dots and _QUANTITY.match(low.strip()):
        log = high.endswith(" log")
        span = span_of(low, high.removesuffix(" log"), log, place, issues)
        return None if span is None else Axis(path, span=span, name=name)
    found: list[Issue] = []
    node = parse_yaml(f"[{values}]", place, found)
    if node is None or found:
        issues.append(Issue(place, f"{values!r} is not a list of values", "separate them by commas, like 2,4,8"))
        return None
    return _listed(path, node.plain(), place, issues, name)


def span_of(low: str | float, high: str | float, log: bool, place: str, issues: list[Issue]) -> Span | None:
    """A range from its two ends; a unit may stand at either."""
    ends = [_QUANTITY.match(str(end).strip()) for end in (low, high)]
    if ends[0] is None or ends[1] is None:
        wrong = low if ends[0] is None else high
        issues.append(Issue(place, f"{wrong!r} is not an end of a range", "write it like 10 Gbit/s..40 Gbit/s"))
        return None
    (first, unit), (last, other) = ends[0].groups(), ends[1].groups()
    unit, other = unit or other, other or unit
    a, b = float(first), float(last)
    if unit != other:
        issues.append(Issue(place, f"the ends have the units {unit} and {other}", "write both in one unit"))
    elif not a < b or not math.isfinite(b):
        issues.append(Issue(place, f"{first} is not less than {last}", "write the smaller end first"))
    elif log and a <= 0:
        issues.append(Issue(place, f"{first} has no logarithm", "begin above 0, or leave log away"))
    else:
        whole = all(re.fullmatch(r"[+-]?\d+", end) for end in (first, last)) and not unit
        return Span(a, b, unit, whole, log)
    return None


def _listed(path: str, values: list[Value], place: str, issues: list[Issue], name: str) -> Axis | None:
    texts = [value_text(value) for value in values]
    twice = sorted({text for text in texts if texts.count(text) > 1})
    if twice or not values:
        what = f"has {', '.join(twice)} more than once" if twice else "has no values"
        issues.append(Issue(place, what, "give each value once, like 2,4,8"))
        return None
    return Axis(path, tuple(values), name=name)


def value_text(value: Value) -> str:
    """A value in the name of a variant."""
    if isinstance(value, bool):
        return str(value).lower()
    if value is None:
        return "null"
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {value_text(inner)}" for key, inner in value.items()) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(map(value_text, value)) + "]"
    return str(value)
