"""Where a request goes, by its method, its body's key and its microversion."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from sim.model.api.asked import Asked, Reply, Waiting
from sim.model.api.microversions import MAXIMUM, MINIMUM, Version


class Action(NamedTuple):
    """One action: what it does, and at which microversions there is such a thing."""

    run: Callable[[Asked], Reply | Waiting]
    since: Version = MINIMUM
    until: Version = MAXIMUM
