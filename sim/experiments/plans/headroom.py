"""How many hosts may fail at once and their servers still be evacuated: of the worst hosts, of any, of a whole rack.

If the servers of a set of hosts fit on the others, those of any part of the set do too. So there is one number for the
worst case: up to it every set can be evacuated, beyond it at least one cannot.

From below it is proven by looking at every set of that size, hosts that are alike taken as one kind, where there are
few enough; else by a bound that holds for all sets at once (:func:`guaranteed`). From above it is proven by a set that
does not fit, looked for where it hurts most. Where the two do not meet, the gap is said.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import combinations

import numpy as np

from sim.experiments.plans.packing import Packer
from sim.experiments.plans.room import Bools, Room, hosts_named
from sim.experiments.stats.intervals import Estimate, share_interval

SETS_MAX = 3000
"""Sets of hosts that are looked at one by one for one number of failures."""
SAMPLES = 200
_WEIGHTS = 40
"""Directions in which :func:`guaranteed` weighs resources against each other."""
_SWAPS = 60
_STEPS = 30
"""A stride of hosts chosen by luck is that part of the number that is possible at most."""
_UNKNOWN_MAX = 3
"""Sets of one size that the solver may fail to decide, before looking at more of them is given up."""


@dataclass(frozen=True, slots=True)
class Worst:
    """The worst case: ``proven`` hosts may surely fail, ``at_most`` may at most."""

    proven: int
    at_most: int
    how: str
    """How the lower number is known."""
    hardest: tuple[str, ...]
    """A set of ``proven`` hosts that is as hard as any looked at."""
    breaking: tuple[str, ...]
    """A set of ``at_most`` + 1 hosts that cannot be evacuated; empty if there is none."""
    why: str
    """What is short then."""

    @property
    def exact(self) -> bool:
        """Whether there is no gap."""
        return self.proven == self.at_most


@dataclass(frozen=True, slots=True)
class ByLuck:
    """Sets of so many hosts, drawn by luck: the share that can be evacuated."""

    hosts: int
    share: Estimate
    undecided: int


@dataclass(frozen=True, slots=True)
class RackFailure:
    """One rack that fails as a whole."""

    rack: str
    hosts: int
    servers: int
    fits: bool | None
    why: str


@dataclass(frozen=True, slots=True)
class Headroom:
    """The whole answer."""

    hosts: int
    servers: int
    worst: Worst
    by_luck: tuple[ByLuck, ...]
    racks: tuple[RackFailure, ...]
    stuck: tuple[tuple[str, str], ...]
    """Servers that no evacuation would take, and why; they are left out of all else."""
    numa: int
    asked: dict[str, int] = field(default_factory=dict)
    """How the answers for single sets came about."""


class HeadroomSearch:
    """One cloud's headroom."""

    def __init__(
        self, room: Room, seed: int = 1, *, sets_max: int = SETS_MAX, samples: int = SAMPLES,
        on_judged: Callable[[int], None] = lambda _: None,
    ) -> None:  # fmt: skip
        self.room, self.packer = room, Packer(room, on_answer=on_judged)
        self._rng = np.random.default_rng(seed)
        self._sets_max, self._samples = sets_max, samples
        self._kinds = kinds(room)
        self._answers: dict[tuple[int, ...], bool | None] = {}

    def run(self) -> Headroom:
        """Worst case, by luck, by rack."""
        room = self.room
        worst = self._worst()
        return Headroom(
            len(room.hosts), int(room.count.sum()), worst, tuple(self._by_luck(worst)), tuple(self._racks()),
            room.stuck, room.numa, dict(sorted(self.packer.asked.items())),
        )  # fmt: skip

    def fits(self, failed: tuple[int, ...]) -> bool | None:
        """Whether the servers of these hosts fit on the others; None: not known. Asked once for each set."""
        key = tuple(sorted(failed))
        if key not in self._answers:
            self._answers[key] = self.packer.ask(key).fits
        return self._answers[key]

    # --- the worst case

    def _worst(self) -> Worst:
        room = self.room
        most = len(room.hosts) - 1
        at_most, why = most, ""
        breaking: tuple[str, ...] = ()
        proven, how = guaranteed(room), "a bound over all sets"
        failing = self._breaking(most)
        if failing is not None:
            at_most, breaking = len(failing) - 1, hosts_named(room, failing)
            why = self.packer.ask(failing).why
        unproven = at_most + 1
        while proven + 1 < unproven:  # what all sets of a size do, all smaller ones do: halve the sizes between
            size = (proven + unproven) // 2
            found = self._all_fit(size)
            if found == ():
                proven, how = size, "every set looked at"
                continue
            unproven = size
            if found:
                at_most, breaking = len(found) - 1, hosts_named(room, found)
                why = self.packer.ask(found).why
        hardest = self._hardest(proven)
        return Worst(proven, at_most, how, hosts_named(room, hardest), breaking, why)

    def _all_fit(self, size: int) -> tuple[int, ...] | None:
        """Every set of that size, hosts of a kind taken as alike: an empty tuple if all fit, one that does not, or
        None if there are too many sets or one is not known."""  # fmt: skip
        if sets_of(self._kinds, size) > self._sets_max:
            return None
        unknown = 0
        for failed in kind_sets(self._kinds, size):
            answer = self.fits(failed)
            if answer is False:
                return failed
            unknown += answer is None
            if unknown > _UNKNOWN_MAX:
                return None
        return None if unknown else ()

    def _breaking(self, most: int) -> tuple[int, ...] | None:
        """A small set that cannot be evacuated: the shortest beginning of an order in which hosts hurt most."""
        best: tuple[int, ...] | None = None
        for order in self._orders():
            low, high = 1, (len(best) - 1 if best is not None else most)
            if high < 1 or self.fits(tuple(order[:high])) is not False:
                continue
            while low < high:  # sets grow along the order, so what fits is a beginning of it
                middle = (low + high) // 2
                low, high = (low, middle) if self.fits(tuple(order[:middle])) is False else (middle + 1, high)
            best = tuple(int(host) for host in order[:high])
        return self._smaller(best) if best is not None else None

    def _orders(self) -> Iterator[list[int]]:
        """Orders of hosts, those whose failure hurts most first: by what they hold and could take of each resource."""
        room = self.room
        held = np.einsum("ch,cr->rh", room.count, room.needs)
        totals = np.maximum(room.free.sum(axis=1), 1)
        for weights in (*np.eye(len(totals)), np.ones(len(totals))):
            hurt = (weights / totals) @ (held + room.free)
            yield np.argsort(-hurt, kind="stable").tolist()
        for row in range(len(room.classes)):
            hurt = room.count[row] + self.packer.room.slots(row)
            yield np.argsort(-hurt, kind="stable").tolist()
        for rack in dict.fromkeys(room.racks):
            first = [host for host, name in enumerate(room.racks) if name == rack]
            yield [*first, *(host for host in range(len(room.hosts)) if room.racks[host] != rack)]

    def _smaller(self, failed: tuple[int, ...]) -> tuple[int, ...]:
        """Swap hosts by luck for a set one smaller that cannot be evacuated either, again and again."""
        best = list(failed)
        while len(best) > 1:
            for attempt in range(_SWAPS):
                chosen = list(best)
                chosen.pop(int(self._rng.integers(len(chosen))))
                if attempt % 2:
                    rest = [host for host in range(len(self.room.hosts)) if host not in set(chosen)]
                    chosen[int(self._rng.integers(len(chosen)))] = int(self._rng.choice(rest))
                if self.fits(tuple(chosen)) is False:
                    best = chosen
                    break
            else:
                return tuple(sorted(best))
        return tuple(best)

    def _hardest(self, size: int) -> tuple[int, ...]:
        """A set of that size which leaves the least room: by what it holds and could have taken."""
        order = next(iter(self._orders()), [])
        return tuple(sorted(order[:size]))

    # --- by luck and by rack

    def _by_luck(self, worst: Worst) -> Iterator[ByLuck]:
        """From the first number that is not proven until no set of the sample fits; in strides, where it is large."""
        count = len(self.room.hosts)
        for size in range(worst.proven + 1, count, worst.at_most // _STEPS + 1):
            sample = [
                tuple(sorted(self._rng.choice(count, size, replace=False).tolist())) for _ in range(self._samples)
            ]
            answers = [self.fits(failed) for failed in sample]
            good = sum(answer is True for answer in answers)
            yield ByLuck(size, share_interval(good, len(answers)), sum(answer is None for answer in answers))
            if not good:
                return

    def _racks(self) -> Iterator[RackFailure]:
        room = self.room
        for rack in dict.fromkeys(room.racks):
            inside = tuple(host for host, name in enumerate(room.racks) if name == rack)
            found = self.packer.ask(inside)
            servers = int(room.count[:, list(inside)].sum())
            yield RackFailure(rack, len(inside), servers, found.fits, found.why)


# --- hosts that are alike ---------------------------------------------------------------------------------------------


def kinds(room: Room) -> list[list[int]]:
    """Hosts that could be exchanged without a difference: alike in room, servers, and what is allowed there."""
    found: dict[bytes, list[int]] = {}
    groups = np.array(list(room.members.values()), dtype=np.int64).reshape(len(room.members), len(room.hosts))
    columns = (room.free, room.total, room.count, room.allowed.astype(np.int64), groups)
    for host in range(len(room.hosts)):
        key = b"".join(np.ascontiguousarray(column[:, host]).tobytes() for column in columns)
        found.setdefault(key, []).append(host)
    return list(found.values())


def sets_of(alike: list[list[int]], size: int) -> int:
    """How many different sets of that size there are, hosts of a kind taken as alike."""
    ways = [1] + [0] * size
    for hosts in alike:
        ways = [sum(ways[n - k] for k in range(min(len(hosts), n) + 1)) for n in range(size + 1)]
    return ways[size]


def kind_sets(alike: list[list[int]], size: int) -> Iterator[tuple[int, ...]]:
    """One set of each different sort."""
    if len(alike) == sum(map(len, alike)):  # no two are alike
        yield from combinations([hosts[0] for hosts in alike], size)
        return

    def chosen(at: int, left: int) -> Iterator[tuple[int, ...]]:
        if at == len(alike):
            if left == 0:
                yield ()
            return
        rest = sum(len(hosts) for hosts in alike[at + 1 :])
        for count in range(max(left - rest, 0), min(len(alike[at]), left) + 1):
            for others in chosen(at + 1, left - count):
                yield (*alike[at][:count], *others)

    yield from chosen(0, size)


# --- a bound for all sets at once -------------------------------------------------------------------------------------


def guaranteed(room: Room) -> int:
    """So many hosts may fail, whichever they are: a proof without looking at any set.

    Place the servers one by one wherever they fit. If one does not, every host that it may use lacks some resource r:
    more than free_r - u_r of it is taken there, where u_r is the most that any server needs. Weigh resources by w >= 0
    and let a = min_r w_r (free_r - u_r), never below 0, for each host. Then what is placed weighs at least the sum of a
    over the hosts that are up; but it weighs less than w · (all that has to move). So all fit whenever, for some w,

        sum of a over all hosts  >  sum of (a + w · held) over the failed ones, plus the largest a of hosts that an
                                    anti-affinity group keeps the server from (one fewer than the group has members),

    and the worst set of k hosts for that is simply the k largest. Only hosts that may take every server are counted,
    and on each only resources that can be short before another is (:func:`_can_be_short`).
    """
    if not len(room.classes):
        return len(room.hosts) - 1
    everywhere = room.allowed.all(axis=0) & room.usable
    asked = room.needs.max(axis=0)
    used = asked > 0
    big_enough = (room.total[used] >= asked[used, None]).all(axis=0)
    slack = np.where(everywhere & big_enough, room.free - asked[:, None] + 1, 0).clip(min=0)[used]
    held = np.einsum("ch,cr->rh", room.count, room.needs)[used]
    kept_away = max((int(members.sum()) - 1 for name, members in room.members.items() if _moves(room, name)), default=0)
    best = 0
    totals = np.maximum(slack.sum(axis=1), 1)
    first = _can_be_short(room)[used]
    for weights in _directions(int(used.sum())):
        w = weights / totals
        a = np.where(first, w[:, None] * slack, np.inf).min(axis=0)
        away = float(np.sort(a)[::-1][:kept_away].sum())
        cost = np.cumsum(np.sort(a + w @ held)[::-1]) + away
        best = max(best, int(np.searchsorted(cost, a.sum() * (1 - 1e-9), side="left")))
    return min(best, len(room.hosts) - 1)


def _can_be_short(room: Room) -> Bools:
    """Resources that may be the first to be short on a host, (4, H).

    Let c be the most of r that any server needs for one of m. Where free_r >= c free_m, servers that leave room in m
    for one more leave it in r too: r is never short alone, and m speaks for both.
    """
    first = np.ones(room.free.shape, dtype=bool)
    for r in range(len(first)):
        for m in range(len(first)):
            if r != m and (room.needs[:, m] > 0).all():
                most = (room.needs[:, r] / room.needs[:, m]).max()
                first[r] &= ~((room.free[r] >= most * room.free[m]) & first[m])
    return first


def _moves(room: Room, group: str) -> bool:
    return any(one.group == group for one in room.classes)


def _directions(count: int) -> Iterator[np.ndarray]:
    """Weights of resources: each alone against the others, all alike, and some between."""
    yield np.ones(count)
    yield from np.eye(count)
    rng = np.random.default_rng(count)
    yield from rng.dirichlet(np.ones(count), _WEIGHTS) * count
