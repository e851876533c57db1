"""A filter's masks, kept by what of a request they depend on."""

from __future__ import annotations

from collections.abc import Hashable

from sim.model.exceptions import NovaException
from sim.model.scheduler.base import HostFilter
from sim.model.scheduler.request import SchedulerRequest
from sim.model.scheduler.view import Mask

_KEPT = 128
"""So many masks are kept, then all are forgotten."""


class Masks:
    """One filter and the masks that it made under the view's present version."""

    __slots__ = ("_filter", "_made", "_version", "name")

    def __init__(self, host_filter: HostFilter) -> None:
        self._filter = host_filter
        self.name = host_filter.name
        self._made: dict[Hashable, Mask | None] = {}
        self._version = -1

    def of(self, request: SchedulerRequest, version: int) -> Mask | None:
        """The filter's mask for a request: not to be written. None if all hosts pass.

        Raises NovaException where numbers that operators wrote cannot be compared: Nova's scheduler fails there too.
        """
        made = self._made
        if version != self._version:
            self._version = version
            made.clear()
        try:
            key = self._filter.key(request)
            if key is None:
                return self._filter.mask(request)
            if key in made:
                return made[key]
            if len(made) >= _KEPT:
                made.clear()
            mask = made[key] = self._filter.mask(request)
        except ValueError as error:
            raise NovaException(str(error)) from error
        return mask
