"""Differences that are meant to be, each with its reason. docs/explanation/conformance.md tells them to readers.

Nothing here hides a difference that nobody has looked into: an entry names what was done and what differs, and is
removed when the difference is.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from tests.differential.compare import Difference


class Explained(NamedTuple):
    """A kind of difference: a name, a pattern that its whole signature matches, and why it is."""

    name: str
    signature: re.Pattern[str]
    why: str


EXPLAINED: tuple[Explained, ...] = ()


def explanation(difference: Difference) -> Explained | None:
    """Why this difference is meant to be; None if it is not."""
    return next((one for one in EXPLAINED if one.signature.fullmatch(difference.signature)), None)
