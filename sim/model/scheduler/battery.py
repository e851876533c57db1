"""The battery of checks that every filter and weigher must pass: Nova's as well as your own.

    from sim.model.scheduler.battery import examine
    assert examine(Quiet) == []

They are made and asked on a small cloud that changes between questions, with requests of all kinds.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from sim.model.scheduler.base import HostFilter, HostWeigher, StandingWeigher
from sim.model.scheduler.battery_cloud import SampleCloud
from sim.model.scheduler.request import SchedulerRequest
from sim.model.scheduler.view import Column, Options, View
from sim.model.scheduler.weighing import Weighing
from sim.scenario.nova_conf import read_options

Maker = Callable[[View], HostFilter | HostWeigher]
_CLOSE = 1e-9


def examine(kind: Maker, options: Options | None = None) -> list[str]:
    """What a filter or weigher breaks, in words, each once; empty if it is good. ``options``: Nova's, else defaults."""
    found: dict[str, None] = {}
    for hosts in (12, 1):
        cloud = SampleCloud(read_options(None) if options is None else options, hosts)
        try:
            made = kind(cloud.view)
            if not made.name or not isinstance(made.name, str):
                found["its name is no text"] = None
            if isinstance(made, HostFilter):
                faults = _filter_checks(kind, made, cloud)
            else:
                faults = _weigher_checks(kind, made, cloud)
            for fault in faults:
                found[fault] = None
        except Exception as error:
            found[f"it raises {type(error).__name__}: {error}"] = None
    return list(found)


@contextmanager
def _untouchable(cloud: SampleCloud) -> Iterator[None]:
    """While it lasts, whoever writes into a live column gets a ValueError."""
    columns = cloud.columns()
    for column in columns:
        column.flags.writeable = False
    try:
        yield
    finally:
        for column in columns:
            column.flags.writeable = True


def _same(one: Any, other: Any) -> bool:
    if one is None or other is None:
        return one is other
    return bool(np.array_equal(one, other))


# --- filters ----------------------------------------------------------------------------------------------------------


def _filter_checks(kind: Callable[[View], Any], used: HostFilter, cloud: SampleCloud) -> Iterator[str]:
    requests = cloud.requests()
    for event in cloud.happenings():
        known: dict[Hashable, Any] = {}
        with _untouchable(cloud):
            fresh: HostFilter = kind(cloud.view)
            for request in requests:
                mask = used.mask(request)
                yield from _mask_faults(mask, len(cloud.hosts))
                if not _same(mask, used.mask(request)):
                    yield f"asked twice, it answers twice ({event})"
                if not _same(mask, fresh.mask(request)):
                    yield f"a new one answers otherwise: it remembers what is no longer so ({event})"
                key = used.key(request)
                if key is not None and not _same(known.setdefault(key, mask), mask):
                    yield f"requests with the same key get different masks ({event})"
    yield from _key_faults(used, requests, cloud)


def _mask_faults(mask: Any, count: int) -> Iterator[str]:
    if mask is not None and not (isinstance(mask, np.ndarray) and mask.dtype == np.bool_ and mask.shape == (count,)):
        yield "its mask is neither None nor an array of one bool for each host"


def _key_faults(used: HostFilter, requests: list[SchedulerRequest], cloud: SampleCloud) -> Iterator[str]:
    """With a key, a mask may not depend on what changes without a refresh of the view."""
    before = [(used.key(request), used.mask(request)) for request in requests]
    hosts = cloud.hosts
    hosts.service_up[:] = ~hosts.service_up
    hosts.io_ops += 7
    hosts.instances += np.arange(len(hosts)) * 40
    hosts.failed_builds += 3
    cloud.placement.used += 5
    cloud.placement.free -= 10**6
    cloud.placement.spare -= np.arange(len(hosts)) * 10.0**5
    hosts.journal.forget()
    for request, (key, mask) in zip(requests, before, strict=True):
        if key is not None and (used.key(request) != key or not _same(mask, used.mask(request))):
            yield "it gives a key, and yet its mask changes with the hosts' load: let key() return None"


# --- weighers ---------------------------------------------------------------------------------------------------------


def _weigher_checks(kind: Callable[[View], Any], used: HostWeigher, cloud: SampleCloud) -> Iterator[str]:
    if used.minval is not None and used.maxval is not None and used.minval > used.maxval:
        yield "its minval is above its maxval"
    requests = cloud.requests()
    weighing = Weighing(cloud.view, [used])
    journal, position = cloud.hosts.journal, cloud.hosts.journal.position
    before = used.column().copy() if isinstance(used, StandingWeigher) else None
    for event in cloud.happenings():
        with _untouchable(cloud):
            fresh: HostWeigher = kind(cloud.view)
            yield from _factor_faults(used.factor(), len(cloud.hosts))
            for number, request in enumerate(requests):
                weights = used.weights(request)
                yield from _weight_faults(weights, len(cloud.hosts))
                if not _same(weights, used.weights(request)):
                    yield f"asked twice, it answers twice ({event})"
                if not _same(weights, fresh.weights(request)):
                    yield f"a new one answers otherwise: it remembers what is no longer so ({event})"
                if not _adds_up(used, weighing, request, cloud, number):
                    yield f"its normalised weights are not those of its raw weights ({event})"
            if isinstance(used, StandingWeigher):
                yield from _standing_faults(used, before, journal.since(position))
                before, position = used.column().copy(), journal.position


def _factor_faults(factor: Any, count: int) -> Iterator[str]:
    numbers = np.asarray(factor)
    if numbers.shape not in {(), (count,)} or numbers.dtype.kind not in "biuf" or not np.isfinite(numbers).all():
        yield "its multiplier is neither a number nor an array of one for each host"


def _weight_faults(weights: Any, count: int) -> Iterator[str]:
    if weights is None:
        return
    if not isinstance(weights, np.ndarray) or weights.shape != (count,) or weights.dtype.kind not in "biuf":
        yield "its weights are neither None nor an array of one number for each host"
    elif not np.isfinite(weights).all():
        yield "its weights are not all finite"


def _standing_faults(used: StandingWeigher, before: Column | None, named: list[int] | None) -> Iterator[str]:
    column = used.column()
    if column is not used.column():
        yield "its column is another array each time: give the live one, or be a HostWeigher"
    if used.idle() and len(set(column.tolist())) > 1:
        yield "it says that it is idle, and its weights differ"
    if before is not None and named is not None:
        changed = np.flatnonzero(column != before).tolist()
        if not set(changed) <= set(named):
            yield "its column changes for hosts that hosts.journal does not name: be a HostWeigher"


def _adds_up(used: HostWeigher, weighing: Weighing, request: SchedulerRequest, cloud: SampleCloud, number: int) -> bool:
    """Whether its weights come to what Nova would make of them, over some hosts, host by host."""
    count = len(cloud.hosts)
    mask = (np.arange(count) + number) % 4 != 1
    mask[number % count] = True
    chosen = np.flatnonzero(mask).tolist()
    raw = used.weights(request)
    values = [0.0] * len(chosen) if raw is None else [float(raw[host]) for host in chosen]
    if used.minval is not None:
        values = [max(value, used.minval) for value in values]
    if used.maxval is not None:
        values = [min(value, used.maxval) for value in values]
    low = min(values) if used.minval is None else used.minval
    high = max(values) if used.maxval is None else used.maxval
    factors = np.broadcast_to(used.factor(), (count,))
    totals = weighing.totals(request, mask, count)
    return all(
        abs(totals[host] - (factors[host] * (value - low) / (high - low) if high != low else 0.0))
        <= _CLOSE * max(1.0, abs(factors[host]))
        for host, value in zip(chosen, values, strict=True)
    )
