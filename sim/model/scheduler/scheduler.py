"""The scheduler itself: what placement offers → filters → weights → a choice → a claim.

A decision takes no simulated time: who asks has spent it already, at a scheduler's worker.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice
from typing import NamedTuple

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


class _Decided(NamedTuple):
    """A decision that found a host."""

    request: SchedulerRequest
    number: int
    mask: Mask
    offered: int
    left: int
    chosen: int
    others: list[int]


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
        decided = self._decide(request, None, alternates)
        self._record(decided, decided.others)
        return Selection(decided.chosen, decided.others, decided.offered, decided.left, decided.number)

    def select_all(self, requests: Sequence[SchedulerRequest], alternates: int) -> list[Selection]:
        """Hosts for all servers of one create request; what one takes, those after it see.

        No alternate is the host of another of them. Raises NoValidHost, with nothing claimed, if one finds none.
        """
        if len(requests) == 1:
            return [self.select(requests[0], alternates)]
        made: list[_Decided] = []
        try:
            for request in requests:
                decided = self._decide(request, made[-1].mask if made else None, 0)
                self.view.expect(request.server, decided.chosen)
                made.append(decided)
            others = self._others(made, alternates)
        except NovaException:
            for decided in made:
                self.view.placement.release(decided.request.consumer, decided.chosen)
            raise
        finally:
            self.view.expect_none()
        for decided in made:
            self._record(decided, others)
        return [Selection(d.chosen, list(others), d.offered, d.left, d.number) for d in made]

    def claim(self, request: SchedulerRequest, host: int) -> bool:
        """Claim an alternate for the request's consumer; False, and nothing claimed, if it has no room any more."""
        return self.view.placement.claim(request.consumer, host, self._candidates.claims(request, host))

    def eligible(self, request: SchedulerRequest) -> Mask:
        """Hosts that every rule and filter lets pass, room aside: (H,). Nothing is claimed, chosen or recorded."""
        mask = np.ones(len(self.view.hosts), dtype=bool)
        _room, *rules = self._candidates.steps(request, len(mask))
        for _, passing in (*rules, *self._filtered(request)):
            if passing is not None:
                mask &= passing
        return mask

    def _decide(self, request: SchedulerRequest, among: Mask | None, alternates: int) -> _Decided:
        """One decision, its host claimed. ``among``: the hosts left for the server before it in the same request."""
        self._decisions += 1
        number, offered, left = self._decisions, 0, 0
        try:
            candidates = self._candidates
            mask, end, offered = candidates.offer(request) if among is None else candidates.again(request, among)
            if self._explain and among is None:
                self._explain_steps(candidates.steps(request, end), np.ones(len(mask), dtype=bool))
            if not offered:
                raise NoValidHost(_NO_CANDIDATES if among is None else _NO_HOSTS)
            self._narrow(request, mask)
            left = int(np.count_nonzero(mask))
            if not left:
                raise NoValidHost(_NO_HOSTS)
            chosen, others = self._choose(request, mask, end, left, alternates)
        except NovaException as error:
            self._log.append(
                records.Decision(
                    self._clock.now, number, request.request, request.server.name, offered, left, None, [],
                    request.attempt, error.message,
                )
            )  # fmt: skip
            raise
        return _Decided(request, number, mask, offered, left, chosen, others)

    def _others(self, made: Sequence[_Decided], alternates: int) -> list[int]:
        """Alternates for all servers of a request: the rest filtered and weighed once more, not explained."""
        if not alternates:
            return []
        last = made[-1]
        mask, end, _ = self._candidates.again(last.request, last.mask)
        for _, passing in self._filtered(last.request):
            if passing is not None:
                mask &= passing
        for decided in made:
            mask[decided.chosen] = False
        left = int(np.count_nonzero(mask))
        if not left:
            return []
        weights = self._weighing.totals(last.request, mask, end)
        order = self._ranking.order(weights, mask[:end], left, alternates, last.request.server.name)
        return list(islice(order, alternates))

    def _record(self, decided: _Decided, others: Sequence[int]) -> None:
        names, request = self.view.hosts.names, decided.request
        self._log.append(
            records.Decision(
                self._clock.now, decided.number, request.request, request.server.name, decided.offered, decided.left,
                names[decided.chosen], [names[host] for host in others], request.attempt, None,
            )
        )  # fmt: skip

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
        if request.force_host is None:
            version = self.view.version
            for masks in self._filters:
                passing = masks.of(request, version)
                if passing is not None:
                    mask &= passing

    def _filtered(self, request: SchedulerRequest) -> Iterator[tuple[str, Mask | None]]:
        """Each filter's name and mask."""
        version = self.view.version
        for masks in self._filters if request.force_host is None else ():
            yield masks.name, masks.of(request, version)

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
    ) -> tuple[int, list[int]]:  # fmt: skip
        """The best host whose claim placement grants, and the best of the others."""
        order = self._order(request, mask, end, left, 1 + alternates)
        passed: list[int] = []
        for host in order:
            if self.claim(request, host):
                break
            passed.append(host)
        else:
            raise NoValidHost(_NO_HOSTS)
        return host, passed[:alternates] + list(islice(order, max(0, alternates - len(passed))))

    def _order(self, request: SchedulerRequest, mask: Mask, end: int, left: int, wanted: int) -> Iterator[int]:
        """The hosts in ``mask``, ``left`` of them, best first; ``wanted`` will surely be asked for."""
        if left == 1:
            return iter(np.flatnonzero(mask).tolist())
        weights = self._weighing.totals(request, mask, end)
        if self._explain:
            self._explain_weights(request, mask, end, weights)
        return self._ranking.order(weights, mask[:end], left, wanted, request.server.name)

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
