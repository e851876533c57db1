"""The scheduler itself: what placement offers → filters → weights → a choice → a claim.

A decision takes no simulated time: who asks has spent it already, at a scheduler's worker.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain

import numpy as np

from sim.eventlog import records
from sim.eventlog.log import EventLog
from sim.kernel.streams import Streams
from sim.model.exceptions import NovaException, NoValidHost
from sim.model.placement import Clock
from sim.model.scheduler.candidates import Candidates
from sim.model.scheduler.loading import filter_classes, weigher_classes
from sim.model.scheduler.masks import Masks
from sim.model.scheduler.ranking import Ranking
from sim.model.scheduler.request import SchedulerRequest, Selection
from sim.model.scheduler.view import Mask, View
from sim.model.scheduler.weighing import Floats, Weighing

_NO_CANDIDATES = ""
_NO_HOSTS = "There are not enough hosts available."
_REMOVED_MAX = 1000
_WEIGHED_MAX = 100


class Scheduler:
    """Nova's filter scheduler over a view of the cloud.

    ``explain`` records which filter removed which hosts and how each weigher weighed the rest. InputError for filters
    and weighers that cannot be used.
    """

    def __init__(self, view: View, clock: Clock, log: EventLog, streams: Streams, explain: bool = False) -> None:
        self.view = view
        self._clock, self._log, self._explain = clock, log, explain
        self._candidates = Candidates(view)
        self._filters = [Masks(kind(view)) for kind in filter_classes(view.options)]
        self._weighing = Weighing(view, [kind(view) for kind in weigher_classes(view.options)])
        self._ranking = Ranking(view.options, streams)
        self._decisions = 0

    def select(self, request: SchedulerRequest, alternates: int) -> Selection:
        """The best host, with the request's resources claimed for its consumer, and at most so many alternates.

        Raises NoValidHost, with nothing claimed.
        """
        self._decisions += 1
        offered = left = 0
        try:
            mask, end = self._candidates.offer(request)
            if self._explain:
                self._explain_steps(self._candidates.steps(request, end), np.ones(len(mask), dtype=bool))
            offered = int(np.count_nonzero(mask))
            if not offered:
                raise NoValidHost(_NO_CANDIDATES)
            self._narrow(request, mask)
            left = int(np.count_nonzero(mask))
            if not left:
                raise NoValidHost(_NO_HOSTS)
            chosen, others = self._choose(request, mask, end, left, alternates)
        except NovaException as error:
            self._log.append(self._record(request, offered, left, reason=error.message))
            raise
        names = self.view.hosts.names
        self._log.append(
            self._record(request, offered, left, chosen=names[chosen], alternates=[names[host] for host in others])
        )
        return Selection(chosen, others, offered, left, self._decisions)

    # --- which hosts may be used

    def _narrow(self, request: SchedulerRequest, mask: Mask) -> None:
        """Take away ignored hosts and those that a filter does not let pass. A forced host passes all filters."""
        if self._explain:
            kept = np.ones(len(mask), dtype=bool)
            kept[list(request.ignore)] = False
            self._explain_steps(chain([("ignore_hosts", kept)], self._filtered(request)), mask)
            return
        for host in request.ignore:
            mask[host] = False
        for _, passing in self._filtered(request):
            if passing is not None:
                mask &= passing

    def _filtered(self, request: SchedulerRequest) -> Iterator[tuple[str, Mask | None]]:
        """Each filter's name and mask."""
        version = self.view.version
        for masks in self._filters if request.force_host is None else ():
            try:
                yield masks.name, masks.of(request, version)
            except ValueError as error:
                # Nova compares numbers without a look at what operators wrote; its scheduler fails too.
                raise NovaException(str(error)) from error

    def _explain_steps(self, steps: Iterable[tuple[str, Mask | None]], mask: Mask) -> None:
        """Narrow the mask step by step, with a record of each; as in Nova, nobody is asked when no host is left."""
        before = int(np.count_nonzero(mask))
        for name, passing in steps:
            if passing is None:
                removed: list[int] = []
            else:
                removed = np.flatnonzero(mask > passing).tolist()
                mask &= passing
            after = before - len(removed)
            names = [self.view.hosts.names[host] for host in removed[:_REMOVED_MAX]]
            self._log.append(records.FilterStep(self._clock.now, self._decisions, name, before, after, names))
            before = after
            if not after:
                return

    # --- which of them is taken

    def _choose(
        self, request: SchedulerRequest, mask: Mask, end: int, left: int, alternates: int
    ) -> tuple[int, list[int]]:
        """The best host whose claim placement grants, and the best of the others."""
        if left == 1:
            weights: Floats = np.zeros(end)
        else:
            weights = self._weighing.totals(request, mask, end)
            if self._explain:
                self._explain_weights(request, mask, end, weights)
        order = self._ranking.order(weights, mask[:end], left, 1 + alternates, request.server.name)
        placement = self.view.placement
        passed: list[int] = []
        for host in order:
            if placement.claim(request.consumer, host, self._candidates.claims(request, host)):
                break
            passed.append(host)
        else:
            raise NoValidHost(_NO_HOSTS)
        others = passed[:alternates]
        while len(others) < alternates and (following := next(order, None)) is not None:
            others.append(following)
        return host, others

    def _explain_weights(self, request: SchedulerRequest, mask: Mask, end: int, weights: Floats) -> None:
        hosts = np.flatnonzero(mask[:end])
        best = hosts[np.argsort(-weights[hosts], kind="stable")[:_WEIGHED_MAX]]
        names = [self.view.hosts.names[host] for host in best.tolist()]
        for weigher, multiplier, parts in self._weighing.parts(request, mask, end):
            self._log.append(
                records.WeighStep(
                    self._clock.now, self._decisions, weigher.name, multiplier, names, parts[best].tolist()
                )
            )

    def _record(
        self, request: SchedulerRequest, offered: int, left: int, *, chosen: str | None = None,
        alternates: Sequence[str] = (), reason: str | None = None,
    ) -> records.Decision:  # fmt: skip
        return records.Decision(
            self._clock.now, self._decisions, request.request, request.server.name, offered, left, chosen,
            list(alternates), request.attempt, reason,
        )  # fmt: skip
