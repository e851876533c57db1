"""From weights to an order of hosts: best first, with luck where Nova leaves it to luck."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from sim.kernel.streams import Streams
from sim.model.scheduler.view import Mask, Options
from sim.model.scheduler.weighing import Floats

_STREAM = "scheduler.choice"


class Ranking:
    """Orders hosts by weight. Equal weights stand in the order of hosts, or drawn if the operator wants them shuffled.

    The first is drawn from the best ``host_subset_size``; those before it follow.
    """

    def __init__(self, options: Options, streams: Streams) -> None:
        self._subset = int(options["filter_scheduler.host_subset_size"])
        self._shuffle = bool(options["filter_scheduler.shuffle_best_same_weighed_hosts"])
        self._streams = streams

    def order(self, weights: Floats, mask: Mask, count: int, wanted: int, entity: str) -> Iterator[int]:
        """Hosts in ``mask``, best first; at others ``weights`` are -inf.

        ``count`` is how many hosts are in the mask, ``wanted`` how many will be asked for. More may be, at a higher
        price. ``entity`` names the stream of luck.
        """
        subset = min(self._subset, count)
        ordered = self._by_weight(weights, mask, count, max(wanted, subset), entity)
        return ordered if subset == 1 else self._drawn(ordered, subset, entity)

    def _drawn(self, ordered: Iterator[int], subset: int, entity: str) -> Iterator[int]:
        """The same, the first drawn from the best so many."""
        best = [next(ordered) for _ in range(subset)]
        yield best.pop(int(self._streams.uniform(_STREAM, entity) * subset))
        yield from best
        yield from ordered

    def _by_weight(self, weights: Floats, mask: Mask, count: int, wanted: int, entity: str) -> Iterator[int]:
        """Best first, one by one where few are wanted, all sorted once more than ``wanted`` are asked for."""
        if wanted == 1 and not self._shuffle:
            given = [int(weights.argmax())]
            yield given[0]
        else:
            given = []
            for host in self._best(weights.copy(), min(wanted, count), entity):
                given.append(host)
                yield host
        if len(given) < count:
            rest = np.setdiff1d(np.flatnonzero(mask), given)
            yield from rest[np.argsort(-weights[rest], kind="stable")].tolist()

    def _best(self, left: Floats, wanted: int, entity: str) -> Iterator[int]:
        """One by one, each taken out of ``left``; where they are shuffled, at least those of the highest weight."""
        given = 0
        if self._shuffle:
            for host in self._shuffled(left, entity):
                left[host] = -np.inf
                given += 1
                yield host
        for _ in range(wanted - given):
            host = int(left.argmax())
            left[host] = -np.inf
            yield host

    def _shuffled(self, weights: Floats, entity: str) -> Iterator[int]:
        """The hosts of the highest weight in drawn order, each drawn when it is asked for."""
        best = np.flatnonzero(weights == weights.max()).tolist()
        for left in range(len(best), 1, -1):
            place = int(self._streams.uniform(_STREAM, entity) * left)
            best[place], best[left - 1] = best[left - 1], best[place]
            yield best[left - 1]
        yield best[0]
