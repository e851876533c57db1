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
        """Hosts in ``mask``, best first. ``count`` is how many those are, ``wanted`` how many will be asked for.

        More may be asked for, at a higher price. ``entity`` names the stream of luck.
        """
        ordered = self._by_weight(weights, mask, count, max(wanted, min(self._subset, count)), entity)
        subset = min(self._subset, count)
        if subset == 1:
            yield from ordered
            return
        best = [next(ordered) for _ in range(subset)]
        yield best.pop(int(self._streams.uniform(_STREAM, entity) * subset))
        yield from best
        yield from ordered

    def _by_weight(self, weights: Floats, mask: Mask, count: int, wanted: int, entity: str) -> Iterator[int]:
        """Best first, one by one where few are wanted, all sorted once more than ``wanted`` are asked for."""
        masked = np.where(mask, weights, -np.inf)
        given: list[int] = []
        if self._shuffle:
            for host in self._shuffled(masked, entity):
                given.append(host)
                masked[host] = -np.inf
                yield host
        for _ in range(min(wanted, count) - len(given)):
            host = int(masked.argmax())
            masked[host] = -np.inf
            given.append(host)
            yield host
        if len(given) < count:
            rest = np.flatnonzero(mask)
            rest = rest[np.argsort(-masked[rest], kind="stable")]
            yield from rest[: count - len(given)].tolist()

    def _shuffled(self, masked: Floats, entity: str) -> Iterator[int]:
        """The hosts of the highest weight in drawn order, each drawn when it is asked for."""
        best = np.flatnonzero(masked == masked.max()).tolist()
        for left in range(len(best), 1, -1):
            place = int(self._streams.uniform(_STREAM, entity) * left)
            best[place], best[left - 1] = best[left - 1], best[place]
            yield best[left - 1]
        yield best[0]
