"""What a filter and a weigher are: the whole protocol for own ones.

An own filter is a subclass of :class:`HostFilter`, an own weigher one of :class:`HostWeigher`. They are made once, with
the :class:`~sim.model.scheduler.view.View`, and asked at every decision. They read columns and write nothing. They are
named in ``[filter_scheduler] enabled_filters`` and ``weight_classes`` by their entry point (groups ``novasim.filters``
and ``novasim.weighers``) or as ``path/to/file.py:Class``. ``sim.model.scheduler.battery`` tests what each must keep.

Example: only hosts with few servers, and of these rather the ones whose name sorts late ::

    class Quiet(HostFilter):
        def mask(self, request):
            return self.view.hosts.instances < 10

    class Late(HostWeigher):
        multiplier = 0.5

        def weights(self, request):
            return np.arange(len(self.view.hosts), dtype=float)
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Hashable
from typing import ClassVar

from sim.model.scheduler.request import SchedulerRequest
from sim.model.scheduler.view import Column, HostKind, Mask, View


class HostFilter(ABC):
    """Says which hosts a request may use."""

    def __init__(self, view: View) -> None:
        self.view = view

    @property
    def name(self) -> str:
        """Its name in records."""
        return type(self).__name__

    def key(self, request: SchedulerRequest) -> Hashable | None:
        """Requests with equal keys get equal masks until the view's version changes. None: ask each time."""
        return None

    @abstractmethod
    def mask(self, request: SchedulerRequest) -> Mask | None:
        """Bool (H,), True where the host passes; None if all pass. The array stays the filter's own."""


class KindFilter(HostFilter):
    """A filter whose rule depends on the request's key and on the kind of the host alone."""

    @abstractmethod
    def key(self, request: SchedulerRequest) -> Hashable | None:
        """What of the request the rule looks at; None if there is nothing, so that all hosts pass."""

    @abstractmethod
    def passes(self, kind: HostKind, request: SchedulerRequest) -> bool:
        """Whether hosts of this kind pass."""

    def mask(self, request: SchedulerRequest) -> Mask | None:
        """One question for each kind of host."""
        if self.key(request) is None:
            return None
        return self.view.mask(lambda kind: self.passes(kind, request))


class HostWeigher(ABC):
    """Says how good each host is for a request: more is better, and a multiplier below zero turns it round.

    Over the hosts that are left, weights become 0..1, (w - low) / (high - low), then times the multiplier; all
    weighers' results are summed. ``low`` and ``high`` are the least and most weight left, or ``minval`` and ``maxval``
    where they are given (weights beyond them are cut off). Equal weights count nothing.
    """

    minval: ClassVar[float | None] = None
    maxval: ClassVar[float | None] = None
    multiplier: ClassVar[float] = 1.0
    """Where :attr:`option` is empty."""
    option: ClassVar[str] = ""
    """Option of ``[filter_scheduler]`` that holds the multiplier; aggregates' metadata of that name overrule it."""
    sign: ClassVar[float] = 1.0
    """Taken into the multiplier."""

    def __init__(self, view: View) -> None:
        self.view = view

    @property
    def name(self) -> str:
        """Its name in records."""
        return type(self).__name__

    def factor(self) -> float | Column:
        """The multiplier: one for all hosts, or (H,)."""
        if not self.option:
            return self.sign * self.multiplier
        default = float(self.view.options[f"filter_scheduler.{self.option}"])
        return self.sign * self.view.least(self.option, default, float)

    @abstractmethod
    def weights(self, request: SchedulerRequest) -> Column | None:
        """Raw weights of all hosts, (H,); None if they are all equal. The array stays the weigher's own."""


class StandingWeigher(HostWeigher):
    """A weigher that looks at hosts alone, so that its column is kept from request to request.

    Values change only for hosts that ``hosts.journal`` names.
    """

    @abstractmethod
    def column(self) -> Column:
        """The live column of raw weights, (H,)."""

    def idle(self) -> bool:
        """Whether all weights are known to be equal."""
        return False

    def weights(self, request: SchedulerRequest) -> Column | None:
        """The column; the request does not matter."""
        return self.column()
