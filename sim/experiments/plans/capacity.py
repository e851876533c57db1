"""When the cloud is full for each flavor, if it grows: simulated arrivals, run many times.

Growth is linear: ``m.small=5/day`` are five servers a day that stay, one by one at times by luck (a Poisson process);
``m.small=3 %/month`` is three per cent of the servers of that flavor that there are today. A flavor is full when no
host that may take it has room for one more, whoever took the room.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from sim import units
from sim.errors import Issue
from sim.eventlog import records as r
from sim.experiments.plans.room import Bools, Ints
from sim.experiments.stats.intervals import Estimate, quantile_interval
from sim.model.cloud import Cloud
from sim.model.flavor import Flavor, Resources
from sim.model.host import UP
from sim.model.identity import named_uuid
from sim.model.scheduler.request import SchedulerRequest
from sim.model.server import Server
from sim.runs.result import Result
from sim.runs.simulation import Simulation
from sim.scenario.expand import expand_servers
from sim.scenario.loader import to_plain
from sim.scenario.patterns import closest
from sim.scenario.spec import FlavorSpec, ImageSpec, Scenario
from sim.scenario.yaml_text import one_line

FOREVER = "1000 years"
"""How long a server of the growth lives."""
_MARGIN = 1.5
_SECONDS = {"hour": 3600.0, "h": 3600.0, "day": 86400.0, "d": 86400.0, "week": 604800.0, "month": 2629800.0,
            "year": 31557600.0}  # fmt: skip
_SHAPE = re.compile(
    r"(?P<flavor>.+?)\s*=\s*(?P<count>\d+\.?\d*|\.\d+)\s*(?P<share>%)?\s*(?:/|per)\s*(?P<unit>[a-z]+?)s?$"
)


@dataclass(frozen=True, slots=True)
class Growth:
    """Servers of one flavor that arrive and stay."""

    flavor: str
    every_s: float
    """Mean time between two of them."""

    @property
    def per_day(self) -> float:
        """Servers a day."""
        return 86400.0 / self.every_s


@dataclass(frozen=True, slots=True)
class Full:
    """When one flavor is full."""

    flavor: str
    now: int
    """Servers of it today."""
    fits: int
    """How many more fit today, if only they came."""
    per_day: float
    when: Estimate
    """Median over the runs, with its interval, seconds."""
    early: float
    late: float
    """In nine of ten runs it is full between these, seconds."""
    never: int
    """Runs in which it was not full when they ended."""
    runs: int
    refused: float
    """Median time of the first server of it that found no host; infinite if none was refused in half of the runs."""


def parse_growth(text: str, scenario: Scenario, issues: list[Issue]) -> list[Growth]:
    """Growth from its text, parts separated by commas; issues for all that cannot be read."""
    known = [flavor.name for flavor in scenario.cloud.flavors]
    today = servers_today(scenario)
    found: dict[str, Growth] = {}
    for part in (one.strip() for one in text.split(",")):
        match = _SHAPE.match(part)
        seconds = _SECONDS.get(match["unit"]) if match is not None else None
        if match is None or seconds is None:
            right = "write it like m.small=5/day or m.small=3 %/month; hour, day, week, month, year"
            issues.append(Issue("--growth", f"{part!r} is no growth", right))
            continue
        flavor, count = match["flavor"].strip(), float(match["count"])
        if flavor not in known:
            issues.append(Issue("--growth", f"{flavor!r} is not a flavor", closest(flavor, known)))
        elif flavor in found:
            issues.append(Issue("--growth", f"{flavor!r} stands twice", "give each flavor once"))
        elif count * (today[flavor] if match["share"] else 1) <= 0:
            issues.append(Issue("--growth", f"{part!r} is no growth: nothing comes of it", "write how many arrive"))
        else:
            servers = count / 100 * today[flavor] if match["share"] else count
            found[flavor] = Growth(flavor, seconds / servers)
    return list(found.values())


def servers_today(scenario: Scenario) -> Counter[str]:
    """How many servers of each flavor there are."""
    return Counter(row.flavor for row in expand_servers(scenario.cloud))


def growth_settings(scenario: Scenario, growth: Sequence[Growth], horizon_s: float) -> tuple[str, ...]:
    """The scenario with that growth in it: users that create and keep, no quotas, a fixed end."""
    booted: dict[str, Counter[tuple[str, str | None]]] = {}
    for row in expand_servers(scenario.cloud):
        booted.setdefault(row.flavor, Counter())[row.boot_from, row.image] += 1
    flavors = {flavor.name: flavor for flavor in scenario.cloud.flavors}
    images: list[ImageSpec] = list(scenario.cloud.images)
    plain: list[dict[str, Any]] = list(to_plain(scenario).get("workload", ()))
    for one in growth:
        usual, image = booted.get(one.flavor, Counter({("image", None): 1})).most_common(1)[0][0]
        if image is None:
            image = next((found.name for found in images if _boots(flavors[one.flavor], found)), None)
        if image is None:
            image = "growth"
            images += (
                []
                if images and images[-1].name == image
                else [ImageSpec.model_validate({"name": image, "size": "1 MiB"})]
            )
        plain.append({
            "name": f"growth-{one.flavor}", "every": {"exponential": {"mean": units.exact_seconds(one.every_s)}},
            "lifetime": FOREVER, "flavors": {one.flavor: 1.0}, "boot_from": usual, "image": image,
        })  # fmt: skip
    settings = []
    if len(images) > len(scenario.cloud.images):
        all_ = [image.model_dump(mode="json", exclude_defaults=True) for image in images]
        settings.append(f"cloud.images={one_line(all_)}")
    quotas = (f'cloud.nova.options["quota.{name}"]=-1' for name in ("instances", "cores", "ram"))
    return (*settings, f"workload={one_line(plain)}", f"run.duration={units.exact_seconds(horizon_s)}", *quotas)


def _boots(flavor: FlavorSpec, image: ImageSpec) -> bool:
    """Whether Nova lets the flavor boot from the image."""
    fits = flavor.disk == 0 or max(image.size, image.min_disk) <= flavor.disk
    return fits and image.min_memory <= flavor.memory


def horizon(scenario: Scenario, seed: int, growth: Sequence[Growth]) -> float:
    """Seconds after which the cloud is full, wherever growth may go, by what arrives soonest there; and half as long.

    A flavor that hardly grows and fits where others no longer do may take longer.
    """
    cloud = Simulation(scenario, seed, plan=False).cloud
    places = _Places(cloud, [cloud.flavors[one.flavor] for one in growth])
    spans: dict[bytes, float] = {}
    for count, one, allowed in zip(places.total().tolist(), growth, places.allowed, strict=True):
        span = (count + 3 * count**0.5 + 3) * one.every_s  # three standard deviations of luck
        key = allowed.tobytes()
        spans[key] = min(spans.get(key, span), span)
    return float(_MARGIN * max(spans.values()))


def full_times(result: Result) -> dict[str, float]:
    """For each flavor: when it was full for the first time, when one of it was refused first, how many fitted at first.

    NaN where it did not happen. A measurement for :mod:`sim.experiments.outcome`.
    """
    cloud = Simulation(result.scenario, result.seed, plan=False).cloud
    flavors = list(cloud.flavors.values())
    places = _Places(cloud, flavors)
    start = places.total()
    full = {f.name: 0.0 if start[i] == 0 else float("nan") for i, f in enumerate(flavors)}
    refused = dict.fromkeys(full, float("nan"))
    flavor_of: dict[str, str] = {}
    for record in result.records():
        if isinstance(record, r.ServerCreated):
            flavor_of[record.server] = record.flavor
        elif isinstance(record, r.Decision):
            name = flavor_of.get(record.server)
            if record.chosen is None and name is not None and np.isnan(refused[name]):
                refused[name] = record.t
        elif places.see(record):
            for i in np.flatnonzero(places.total() == 0):
                if np.isnan(full[flavors[i].name]):
                    full[flavors[i].name] = record.t
    found = {f"full:{name}": t for name, t in full.items()} | {f"refused:{name}": t for name, t in refused.items()}
    return found | {f"fits:{f.name}": float(start[i]) for i, f in enumerate(flavors)}


def answers(
    growth: Sequence[Growth], today: Counter[str], columns: dict[str, list[float]], horizon_s: float, confidence: float
) -> list[Full]:
    """What the runs say of each flavor that is there or grows; ``columns`` are those of :func:`full_times`."""
    rates = {one.flavor: one.per_day for one in growth}
    names = [name.partition(":")[2] for name in columns if name.startswith("full:")]
    found = []
    for name in names:
        times = np.array(columns[f"full:{name}"], dtype=np.float64)
        never = int(np.isnan(times).sum())
        known = np.where(np.isnan(times), horizon_s, times)
        refused = np.nan_to_num(np.array(columns[f"refused:{name}"], dtype=np.float64), nan=np.inf)
        early, late = (float(np.quantile(known, q)) for q in (0.05, 0.95))
        found.append(Full(
            name, today[name], int(columns[f"fits:{name}"][0]), rates.get(name, 0.0),
            quantile_interval(known, 0.5, confidence), early, late, never, len(times), float(np.median(refused)),
        ))  # fmt: skip
    return found


class _Places:
    """How many more servers of each flavor each host could take, kept up to date record by record."""

    def __init__(self, cloud: Cloud, flavors: Sequence[Flavor]) -> None:
        self._index = cloud.hosts.index
        self._needs = np.array([_amounts(_planned(cloud, flavor).resources) for flavor in flavors], dtype=np.int64)
        self._free: Ints = cloud.placement.free.copy()
        self._limit: Ints = cloud.placement.total
        self.allowed: Bools = np.array([_eligible(cloud, flavor) for flavor in flavors], dtype=bool)
        self._usable: Bools = np.array([power == UP for power in cloud.hosts.power], dtype=bool)
        self._usable &= ~np.asarray(cloud.hosts.disabled, dtype=bool)
        self._held: dict[tuple[str, int], Ints] = {
            (server.consumer, host): np.array(_amounts(resources), dtype=np.int64)
            for server in cloud.db.servers.values() for host, resources in server.held.items()
        }  # fmt: skip
        self.count: Ints = np.zeros((len(flavors), len(self._usable)), dtype=np.int64)
        for host in range(len(self._usable)):
            self._look(host)

    def total(self) -> Ints:
        """Places of each flavor in the whole cloud, (F,)."""
        return np.asarray(self.count.sum(axis=1), dtype=np.int64)

    def see(self, record: r.Record) -> bool:
        """Take a record into account; whether it may have changed anything."""
        if isinstance(record, r.Claimed):
            host = self._index[record.host]
            amounts = np.array((record.vcpus, record.memory_mb, record.disk_gb, record.pcpus), dtype=np.int64)
            self._held[record.consumer, host] = amounts
            self._free[:, host] -= amounts
        elif isinstance(record, r.Released):
            host = self._index[record.host]
            self._free[:, host] += self._held.pop((record.consumer, host), 0)
        elif isinstance(record, r.ClaimMoved):
            host = self._index[record.host]
            held = self._held.pop((record.consumer, host), None)
            if held is not None:
                self._held[record.new_consumer, host] = held
            return False
        elif isinstance(record, r.HostState):
            host = self._index[record.host]
            self._usable[host] = record.power == "up" and not record.disabled and not record.forced_down
        else:
            return False
        self._look(host)
        return True

    def _look(self, host: int) -> None:
        free, limit = self._free[:, host], self._limit[:, host]
        with np.errstate(divide="ignore"):
            each = np.where(self._needs > 0, free // np.maximum(self._needs, 1), np.iinfo(np.int64).max)
        fits = each.min(axis=1).clip(min=0)
        possible = (self._needs <= limit).all(axis=1) & self.allowed[:, host] & self._usable[host]
        self.count[:, host] = np.where(possible, fits, 0)


def _amounts(resources: Resources) -> tuple[int, int, int, int]:
    return resources.vcpus, resources.memory_mb, resources.disk_gb, resources.pcpus


def _planned(cloud: Cloud, flavor: Flavor) -> Server:
    """A server of the flavor as most of them are: with an image, and with or without a disk of its own."""
    alike = [server for server in cloud.db.servers.values() if server.flavor is flavor]
    volumes = sum(server.boot_from_volume for server in alike) * 2 > len(alike)
    image = next((server.image for server in alike), None) or next(iter(cloud.glance.values()), None)
    name = f"planned {flavor.name}"
    guest = cloud.guests.of("idle", flavor)
    return Server(name, named_uuid("server", name), flavor, guest, project="demo", user="demo", image=image,
                  boot_from_volume=volumes)  # fmt: skip


def _eligible(cloud: Cloud, flavor: Flavor) -> Bools:
    """Hosts that the scheduler would let it on, were they up and enabled: that is looked at as it changes."""
    hosts = cloud.hosts
    disabled, up = hosts.disabled.copy(), hosts.service_up.copy()
    hosts.disabled[:], hosts.service_up[:] = False, True
    try:
        return np.asarray(cloud.scheduler.eligible(SchedulerRequest.for_build(_planned(cloud, flavor))), dtype=bool)
    finally:
        hosts.disabled[:], hosts.service_up[:] = disabled, up
