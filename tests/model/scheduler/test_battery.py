"""Every filter and weigher passes the shared battery, an own one among them; and the battery finds what is wrong."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

import numpy as np
import pytest

from sim.model.scheduler.base import HostFilter, HostWeigher, StandingWeigher
from sim.model.scheduler.battery import examine
from sim.model.scheduler.loading import FILTERS
from sim.model.scheduler.request import SchedulerRequest
from sim.model.scheduler.view import Column, Mask, View
from sim.model.scheduler.weighers import WEIGHERS
from sim.scenario.nova_conf import read_options

SET = {
    "filter_scheduler.isolated_hosts": ["h1", "h3"], "filter_scheduler.isolated_images": ["plain"],
    "filter_scheduler.image_props_weight_multiplier": 2.0,
    "filter_scheduler.image_properties_default_architecture": "x86_64",
    "filter_scheduler.num_instances_weight_multiplier": -1.0, "filter_scheduler.max_io_ops_per_host": 1,
}  # fmt: skip


class Quiet(HostFilter):
    """An own filter: hosts with few servers."""

    def mask(self, request: SchedulerRequest) -> Mask | None:
        return self.view.hosts.instances < 3


class Late(HostWeigher):
    """An own weigher: rather hosts whose name sorts late."""

    multiplier = 0.5

    def weights(self, request: SchedulerRequest) -> Column | None:
        return np.arange(len(self.view.hosts), dtype=float)


@pytest.mark.parametrize("options", [{}, SET], ids=["defaults", "set"])
@pytest.mark.parametrize("kind", [*FILTERS.values(), *WEIGHERS.values(), Quiet, Late], ids=lambda kind: kind.__name__)
def test_passes(kind: Any, options: dict[str, Any]) -> None:
    assert examine(kind, read_options(None, options)) == []


# --- what it finds ----------------------------------------------------------------------------------------------------


class Counts(HostFilter):
    def mask(self, request: SchedulerRequest) -> Any:
        return np.ones(len(self.view.hosts))


class Short(HostFilter):
    def mask(self, request: SchedulerRequest) -> Any:
        return np.ones(3, dtype=bool)


class Writes(HostFilter):
    def mask(self, request: SchedulerRequest) -> Mask | None:
        self.view.hosts.disabled[0] = True
        return None


class Moody(HostFilter):
    def __init__(self, view: View) -> None:
        super().__init__(view)
        self.asked = 0

    def mask(self, request: SchedulerRequest) -> Mask | None:
        self.asked += 1
        return np.full(len(self.view.hosts), self.asked % 2 == 0)


class Remembers(HostFilter):
    def __init__(self, view: View) -> None:
        super().__init__(view)
        self.at_first = view.hosts.service_up.copy()

    def mask(self, request: SchedulerRequest) -> Mask | None:
        return self.at_first


class LooksFurtherThanItsKey(HostFilter):
    def key(self, request: SchedulerRequest) -> Hashable | None:
        return request.server.project

    def mask(self, request: SchedulerRequest) -> Mask | None:
        return np.full(len(self.view.hosts), request.flavor.vcpus > 1)


class KeepsWhatChanges(HostFilter):
    def key(self, request: SchedulerRequest) -> Hashable | None:
        return 0

    def mask(self, request: SchedulerRequest) -> Mask | None:
        return self.view.hosts.io_ops < 9


class Infinite(HostWeigher):
    def weights(self, request: SchedulerRequest) -> Column | None:
        return np.full(len(self.view.hosts), np.inf)


class ManyMultipliers(HostWeigher):
    def factor(self) -> Any:
        return np.ones(3)

    def weights(self, request: SchedulerRequest) -> Column | None:
        return None


class Upside(HostWeigher):
    minval, maxval = 2.0, 1.0

    def weights(self, request: SchedulerRequest) -> Column | None:
        return None


class NotLive(StandingWeigher):
    def column(self) -> Column:
        return self.view.hosts.instances * 2


class Unannounced(StandingWeigher):
    def column(self) -> Column:
        return self.view.hosts.service_up


class NeverIdle(StandingWeigher):
    def column(self) -> Column:
        return self.view.hosts.instances

    def idle(self) -> bool:
        return True


@pytest.mark.parametrize(("kind", "says"), [
    (Counts, "neither None nor an array of one bool"), (Short, "neither None nor an array of one bool"),
    (Writes, "read-only"), (Moody, "asked twice, it answers twice"), (Remembers, "a new one answers otherwise"),
    (LooksFurtherThanItsKey, "same key get different masks"), (KeepsWhatChanges, "let key() return None"),
    (Infinite, "not all finite"), (ManyMultipliers, "multiplier is neither"), (Upside, "minval is above its maxval"),
    (NotLive, "another array each time"), (Unannounced, "journal does not name"), (NeverIdle, "says that it is idle"),
])  # fmt: skip
def test_finds_what_is_wrong(kind: Any, says: str) -> None:
    found = examine(kind)
    assert any(says in one for one in found), found
