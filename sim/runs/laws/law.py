"""What a law is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from sim.eventlog import records as r

Handler = Callable[[Any], None]


class Law(Protocol):
    """An observer of records."""

    def handlers(self) -> dict[type[r.Record], Handler]:
        """Record type → method."""


class EndingLaw(Law, Protocol):
    """A law that also asks something at the end of a log."""

    def end(self) -> None:
        """The log is over."""
