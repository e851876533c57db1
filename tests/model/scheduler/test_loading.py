"""Which filters and weighers an operator's options bring into force, and what is said of those that there are not."""

from __future__ import annotations

from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import pytest

from sim.errors import InputError
from sim.model import own_class
from sim.model.scheduler import filters, loading, weighers
from sim.scenario.nova_conf import read_options
from tests.model.scheduler.clouds import SmallCloud
from tests.model.scheduler.test_battery import Late, Quiet

OWN = """
import numpy as np
from sim.model.scheduler.base import HostFilter, HostWeigher

class Even(HostFilter):
    def mask(self, request):
        return np.arange(len(self.view.hosts)) % 2 == 0

class Last(HostWeigher):
    def weights(self, request):
        return np.arange(len(self.view.hosts), dtype=float)

class Unfinished(HostFilter):
    pass

NUMBER = 3
"""


@pytest.fixture
def own(tmp_path: Path) -> Path:
    path = tmp_path / "own.py"
    path.write_text(OWN, encoding="utf-8")
    return path


def options(**found: Any) -> Any:
    return read_options(None, {f"filter_scheduler.{name}": value for name, value in found.items()})


def issues(work: Any) -> str:
    with pytest.raises(InputError) as caught:
        work()
    return str(caught.value)


def test_novas_defaults() -> None:
    assert [kind.__name__ for kind in loading.filter_classes(options())] == [
        "ComputeFilter", "ComputeCapabilitiesFilter", "ImagePropertiesFilter", "ServerGroupAntiAffinityFilter",
        "ServerGroupAffinityFilter",
    ]  # fmt: skip
    assert loading.weigher_classes(options()) == list(weighers.WEIGHERS.values())


def test_every_weigher_of_nova_is_known() -> None:
    """Names by Nova's documentation of weighers; those that count nothing here are taken and left out."""
    names = [
        "affinity.ServerGroupSoftAffinityWeigher", "affinity.ServerGroupSoftAntiAffinityWeigher",
        "compute.BuildFailureWeigher", "cpu.CPUWeigher", "cross_cell.CrossCellWeigher", "disk.DiskWeigher",
        "hypervisor_version.HypervisorVersionWeigher", "image_props.ImagePropertiesWeigher", "io_ops.IoOpsWeigher",
        "metrics.MetricsWeigher", "num_instances.NumInstancesWeigher", "pci.PCIWeigher", "ram.RAMWeigher",
    ]  # fmt: skip
    found = loading.weigher_classes(options(weight_classes=[f"nova.scheduler.weights.{name}" for name in names]))
    assert found == list(weighers.WEIGHERS.values())


def test_own_ones_by_path(own: Path) -> None:
    cloud = SmallCloud(5, {
        "filter_scheduler.enabled_filters": ["ComputeFilter", f"{own}:Even"],
        "filter_scheduler.weight_classes": ["nova.scheduler.weights.ram.RAMWeigher", f"{own}:Last"],
    }, explain=True)  # fmt: skip
    assert cloud.select(cloud.server("s"), 9).alternates == [2, 0]
    assert {getattr(record, "filter", None) for record in cloud.log} >= {"Even"}


def test_own_filter_by_available_filters(own: Path) -> None:
    """As operators of Nova do it: made available by its path, enabled by the name of its class."""
    found = loading.filter_classes(options(
        available_filters=["nova.scheduler.filters.all_filters", f"{own}:Even"], enabled_filters=["Even", "IoOpsFilter"]
    ))  # fmt: skip
    assert [kind.__name__ for kind in found] == ["Even", "IoOpsFilter"]


def test_own_ones_by_entry_point(monkeypatch: pytest.MonkeyPatch) -> None:
    here = "tests.model.scheduler.test_battery"
    points = {
        "novasim.filters": [EntryPoint("quiet", f"{here}:Quiet", "novasim.filters")],
        "novasim.weighers": [EntryPoint("late", f"{here}:Late", "novasim.weighers")],
    }
    monkeypatch.setattr(own_class, "entry_points", lambda group: points[group])
    assert loading.filter_classes(options(enabled_filters=["quiet"])) == [Quiet]
    assert loading.weigher_classes(options(weight_classes=["late"])) == [Late]


def test_only_what_is_available_can_be_enabled() -> None:
    path = "nova.scheduler.filters.compute_filter.ComputeFilter"
    assert loading.filter_classes(options(available_filters=[path], enabled_filters=["ComputeFilter"])) == [
        filters.ComputeFilter
    ]
    said = issues(lambda: loading.filter_classes(options(available_filters=[path], enabled_filters=["AllHostsFilter"])))
    assert "'AllHostsFilter' is not known; known are ComputeFilter; your own is path/to/file.py:Class" in said


@pytest.mark.parametrize(("name", "says"), [
    ("CoreFilter", "'CoreFilter' is not known; known are AggregateImagePropertiesIsolation, "),
    ("missing.py:Even", "there is no file missing.py"),
    ("{own}:Odd", "has no class Odd"),
    ("{own}:Unfinished", "is no HostFilter"),
    ("{own}:NUMBER", "is no HostFilter"),
    ("{own}:Last", "is no HostFilter"),
    ("{broken}:Even", "cannot be loaded: invalid syntax"),
])  # fmt: skip
def test_filters_that_cannot_be_used(own: Path, tmp_path: Path, name: str, says: str) -> None:
    broken = tmp_path / "broken.py"
    broken.write_text("class Even(: pass", encoding="utf-8")
    wanted = name.format(own=own, broken=broken)
    said = issues(lambda: loading.filter_classes(options(enabled_filters=["ComputeFilter", wanted])))
    assert says in said
    assert "filter_scheduler.enabled_filters" in said


def test_all_that_is_wrong_is_said_at_once(own: Path) -> None:
    said = issues(lambda: loading.weigher_classes(options(weight_classes=["heavy", f"{own}:Even", "light"])))
    assert said.count("\n") == 2
    assert "'heavy' is not known; known are nova.scheduler.weights.all_weighers, " in said


def test_the_place_is_named(tmp_path: Path) -> None:
    conf = tmp_path / "nova.conf"
    conf.write_text("[filter_scheduler]\nenabled_filters = ComputeFilter,RamFilter\n", encoding="utf-8")
    said = issues(lambda: loading.filter_classes(read_options([str(conf)])))
    assert "nova.conf:2 [filter_scheduler] enabled_filters: 'RamFilter' is not known" in said
