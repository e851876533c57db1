"""Max-min fair sharing of links, re-solved only where something changed.

The allocation is unique: raise all rates together until a link is full or a flow has reached its own limit, freeze
those, go on with the rest (progressive filling; Bertsekas and Gallager, Data Networks, 6.5.2). A flow's own limit
counts as a private link.

A link whose flows cannot fill it even if each had all it could use never binds: it couples nobody, and the search for
the touched component does not walk through it.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Mapping, Sequence

Flow = int
_SLACK = 1 + 1e-9  # sums of limits are kept by adding and subtracting, so they are right to rounding only


class Sharing:
    """Rates of flows over links, kept max-min fair through every change.

    ``feeds_bps`` are bounds that the topology knows: what the NICs behind a link can send through it at most. They hold
    while no link gets more than its first capacity; then they are dropped.
    """

    def __init__(self, capacities: Sequence[float], feeds_bps: Mapping[int, float] | None = None) -> None:
        self.capacity = [float(capacity) for capacity in capacities]
        if any(not capacity >= 0 for capacity in self.capacity):
            raise ValueError("a link's capacity must not be negative")
        self._first_capacity = list(self.capacity)
        self._feeds: Mapping[int, float] = feeds_bps or {}
        self._bounds = [math.inf] * len(self.capacity)
        """Link → what its flows must want in all to be bound by it; inf where they never can."""
        self._bind_all()
        self._wanted = [0.0] * len(self.capacity)
        """Link → sum of its flows' limits."""
        self._users: list[dict[Flow, None]] = [{} for _ in self.capacity]
        self._route: dict[Flow, tuple[int, ...]] = {}
        self._cap: dict[Flow, float] = {}
        self._limit: dict[Flow, float] = {}
        """Flow → what it could use if alone: its cap and its narrowest link."""
        self.rate: dict[Flow, float] = {}
        self._next = 0

    def add(self, route: Sequence[int], cap_bps: float) -> tuple[Flow, list[Flow]]:
        """A new flow: its id, and the flows whose rate changed (itself last, always)."""
        if not cap_bps >= 0:
            raise ValueError(f"a flow's cap must not be negative, not {cap_bps}")
        flow = self._next
        self._next += 1
        links = tuple(route)
        limit = self._narrowest(links, cap_bps)
        self._route[flow], self._cap[flow], self._limit[flow] = links, cap_bps, limit
        users, wanted, bounds = self._users, self._wanted, self._bounds
        seeds = []
        for link in links:
            users[link][flow] = None
            wanted[link] += limit
            if wanted[link] > bounds[link]:
                seeds.append(link)
        if not seeds:
            self.rate[flow] = limit
            return flow, [flow]
        self.rate[flow] = -1.0
        changed = self._solve(seeds)
        changed.remove(flow)
        changed.append(flow)
        return flow, changed

    def remove(self, flow: Flow) -> list[Flow]:
        """The flow is over; the flows whose rate changed."""
        limit = self._limit.pop(flow)
        wanted, bounds = self._wanted, self._bounds
        seeds = []
        for link in self._route.pop(flow):
            users = self._users[link]
            del users[flow]
            if not users:
                wanted[link] = 0.0  # exactly
                continue
            if wanted[link] > bounds[link]:
                seeds.append(link)
            wanted[link] -= limit
        del self._cap[flow], self.rate[flow]
        return self._solve(seeds) if seeds else []

    def set_cap(self, flow: Flow, cap_bps: float) -> list[Flow]:
        """Change a flow's own limit; the flows whose rate changed."""
        if not cap_bps >= 0:
            raise ValueError(f"a flow's cap must not be negative, not {cap_bps}")
        if cap_bps == self._cap[flow]:
            return []
        self._cap[flow] = cap_bps
        wanted, bounds, links = self._wanted, self._bounds, self._route[flow]
        limit = self._narrowest(links, cap_bps)
        change = limit - self._limit[flow]
        if not -math.inf < change < math.inf:
            return self._relimit([flow], set())
        self._limit[flow] = limit
        seeds = []
        bound = False
        for link in links:
            bound_before = wanted[link] > bounds[link]
            wanted[link] += change
            if wanted[link] > bounds[link]:
                bound = True
            elif not bound_before:
                continue
            seeds.append(link)
        changed = self._solve(seeds) if seeds else []
        if not bound and self.rate[flow] != limit:  # bound by none
            self.rate[flow] = limit
            changed.append(flow)
        return changed

    def set_capacity(self, link: int, capacity_bps: float) -> list[Flow]:
        """Change a link's capacity (0: it is dead); the flows whose rate changed."""
        if not capacity_bps >= 0:
            raise ValueError(f"a link's capacity must not be negative, not {capacity_bps}")
        users = self._users[link]
        seeds = {link} if users and self._binds(link) else set()
        self.capacity[link] = capacity_bps
        if capacity_bps > self._first_capacity[link] * _SLACK:
            # more can now come through this NIC than the topology counted with, so links that were slack may bind
            seeds.update(bounded for bounded in self._feeds if self._users[bounded])
            self._feeds = {}
            self._bind_all()
        else:
            self._bounds[link] = self._bound(link)
        if not users:
            return self._solve(sorted(seeds)) if seeds else []
        return self._relimit(list(users), seeds)

    def _relimit(self, flows: list[Flow], seeds: set[int]) -> list[Flow]:
        """Bring the limits of ``flows`` up to date and solve around every link that bound before or binds now."""
        wanted = self._wanted
        touched: dict[int, None] = {}
        for flow in flows:
            links = self._route[flow]
            limit = self._narrowest(links, self._cap[flow])
            for link in links:
                if link not in touched:
                    touched[link] = None
                    if self._binds(link):
                        seeds.add(link)
            change = limit - self._limit[flow]
            self._limit[flow] = limit
            for link in links:
                # a difference of infinities cannot be added up, so such sums are made anew
                new = wanted[link] + change
                wanted[link] = new if math.isfinite(new) else sum(self._limit[f] for f in self._users[link])
        binding = {link for link in touched if self._binds(link)}
        seeds |= binding
        changed = self._solve(sorted(seeds)) if seeds else []
        solved = set(changed)
        for flow in flows:
            if flow in solved or self.rate[flow] == self._limit[flow]:
                continue
            if binding.isdisjoint(self._route[flow]):
                self.rate[flow] = self._limit[flow]
                changed.append(flow)
        return changed

    def _narrowest(self, links: Sequence[int], cap_bps: float) -> float:
        """What a flow could use if alone."""
        capacity = self.capacity
        for link in links:
            cap_bps = capacity[link] if capacity[link] < cap_bps else cap_bps
        return cap_bps

    def _bound(self, link: int) -> float:
        bound = self.capacity[link] * _SLACK
        return bound if self._feeds.get(link, math.inf) > bound else math.inf

    def _bind_all(self) -> None:
        self._bounds = [self._bound(link) for link in range(len(self.capacity))]

    def _binds(self, link: int) -> bool:
        """Whether the flows on the link could ask for more than it has."""
        return self._wanted[link] > self._bounds[link]

    def _solve(self, seeds: Sequence[int]) -> list[Flow]:
        """Re-share the component of binding links around ``seeds``; the flows whose rate changed, in order of age."""
        if len(seeds) == 1 and self._is_alone(seeds[0]):
            return self._changed(self._fill_one(self._users[seeds[0]], self.capacity[seeds[0]]))
        left: dict[int, float] = {}
        users: dict[int, int] = {}
        flows: dict[Flow, list[int]] = {}
        stack = list(seeds)
        seen = set(stack)
        wanted, bounds = self._wanted, self._bounds
        while stack:
            link = stack.pop()
            if wanted[link] > bounds[link]:
                left[link] = self.capacity[link]
                users[link] = len(self._users[link])
            for flow in self._users[link]:
                if flow in flows:
                    continue
                through = flows[flow] = []
                for other in self._route[flow]:
                    if wanted[other] > bounds[other]:
                        through.append(other)
                        if other not in seen:
                            seen.add(other)
                            stack.append(other)
        return self._changed(self._fill(flows, left, users))

    def _changed(self, rates: dict[Flow, float]) -> list[Flow]:
        """Take over new rates; the flows that had others, in order of age."""
        changed = []
        for flow in sorted(rates):
            if rates[flow] != self.rate[flow]:
                self.rate[flow] = rates[flow]
                changed.append(flow)
        return changed

    def _is_alone(self, link: int) -> bool:
        """Whether the link binds its flows, and no other link any of them."""
        wanted, bounds = self._wanted, self._bounds
        if wanted[link] <= bounds[link]:
            return False
        for flow in self._users[link]:
            for other in self._route[flow]:
                if wanted[other] > bounds[other] and other != link:
                    return False
        return True

    def _fill_one(self, flows: dict[Flow, None], left: float) -> dict[Flow, float]:
        """The same as :meth:`_fill` for one link that all the flows cross: it needs no heap."""
        rates: dict[Flow, float] = {}
        limit, count = self._limit, len(flows)
        share = left / count
        for flow in sorted(flows, key=lambda flow: (limit[flow], flow)):
            now = left / count
            share = now if now > share else share
            if limit[flow] > share:
                return dict.fromkeys(flows, max(share, 0.0)) | rates
            rates[flow] = limit[flow]
            left -= limit[flow]
            count -= 1
        return rates

    def _fill(self, flows: dict[Flow, list[int]], left: dict[int, float], users: dict[int, int]) -> dict[Flow, float]:
        """Progressive filling with a heap of links by fair share. Shares only grow, so an old entry is too low, never
        too high: it is put back with its present share."""  # fmt: skip
        rates: dict[Flow, float] = {}
        limit = self._limit
        by_limit = sorted(flows, key=lambda flow: (limit[flow], flow))
        heap = [(left[link] / users[link], link) for link in left]
        heapq.heapify(heap)
        at = 0
        while heap:
            share, link = heap[0]
            count = users[link]
            if not count:
                heapq.heappop(heap)
                continue
            now = left[link] / count
            if now > share:
                heapq.heapreplace(heap, (now, link))
                continue
            while at < len(by_limit) and by_limit[at] in rates:
                at += 1
            if at < len(by_limit) and limit[by_limit[at]] <= share:
                frozen, level = [by_limit[at]], limit[by_limit[at]]
            else:
                frozen, level = [flow for flow in self._users[link] if flow not in rates], max(share, 0.0)
            for flow in frozen:
                rates[flow] = level
                for other in flows[flow]:
                    left[other] -= level
                    users[other] -= 1
        for flow in by_limit[at:]:
            if flow not in rates:
                rates[flow] = limit[flow]
        return rates
