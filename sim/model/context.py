"""Who asks, and in which request: carried along from the door to the last stage."""

from __future__ import annotations

import msgspec


class Context(msgspec.Struct, frozen=True, gc=False):
    """A request's context. ``microversion`` is (major, minor)."""

    request: str
    who: str
    project: str
    roles: tuple[str, ...]
    microversion: tuple[int, int]
