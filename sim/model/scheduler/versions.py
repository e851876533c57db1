"""Versions of hypervisors and what images require of them: ``>=6.0, <9``."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable
from itertools import zip_longest

_COMPARE: dict[str, Callable[[int, int], bool]] = {
    "<": operator.lt, "<=": operator.le, "==": operator.eq, ">": operator.gt, ">=": operator.ge, "!=": operator.ne,
}  # fmt: skip
_CLAUSE = re.compile(r"\s*(<=|>=|<|>|!=|==)\s*(\d+(?:\.\d+)*)\s*")


def dotted(version: int) -> str:
    """A version as Nova stores it (8002000) in the way people write it (8.2.0)."""
    parts: list[str] = []
    while version:
        version, part = divmod(version, 1000)
        parts.insert(0, str(part))
    return ".".join(parts)


def satisfies(version: int, requirement: str) -> bool:
    """Whether a stored version meets all comma-separated clauses. Raises ValueError for one that is none."""
    return all(_meets(dotted(version), clause) for clause in requirement.split(","))


def _meets(version: str, clause: str) -> bool:
    match = _CLAUSE.fullmatch(clause)
    if match is None:
        raise ValueError(f"bad package restriction syntax: {clause}")
    sign, bound = match.groups()
    return _COMPARE[sign](_order(version, bound), 0)


def _order(version: str, other: str) -> int:
    """Below, at or above zero as ``version`` is before, at or after ``other``; missing parts are zeros."""
    pairs = zip_longest(version.split("."), other.split("."), fillvalue="0")
    return next((int(a or 0) - int(b) for a, b in pairs if int(a or 0) != int(b)), 0)
