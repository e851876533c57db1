"""What runs inside a server, as far as a migration feels it. Shared by all servers of one activity class and flavor."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, eq=False)
class Guest:
    """A guest's memory behaviour; see ``docs/explanation/physics.md`` for the classes and their sources."""

    activity: str
    """The class's name, or ``custom``."""
    dirty_bps: float
    """Bytes of unique memory dirtied per second."""
    working_set_b: int
    nonzero: float
    """Part of its memory that is not zero pages."""
    cpu: float = 0.1
    profile: tuple[tuple[float, float], ...] = ()
    """(time, factor of the dirty rate) steps, repeated after the last time."""
    clocked: bool = False
    """Whether the profile begins with the run, as a trace does; else each guest is somewhere in it, by luck."""
    hot_b: int = 0
    """Bytes that its system writes all the time."""
