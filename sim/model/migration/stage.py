"""Where a copy stands."""

from __future__ import annotations

import enum


class Stage(enum.StrEnum):
    """Stages of a copy, in their order. Post-copy takes the place of the stop."""

    DISK = "disk"
    SCAN = "scan"
    """Zero pages are being found."""
    ROUNDS = "rounds"
    STOPPED = "stopped"
    """The guest does not run; the rest is sent."""
    POSTCOPY = "postcopy"
    """The guest runs at the destination; the rest is sent."""
    ENDED = "ended"
