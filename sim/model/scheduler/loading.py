"""Which filters and weighers are in force: Nova's by Nova's names, own ones by entry point or by path.

A path is ``path/to/file.py:Class``. Paths are relative to the folder in which novasim was started.
"""

from __future__ import annotations

import importlib.util
import inspect
from collections.abc import Iterable, Mapping, Sequence
from importlib.metadata import entry_points
from pathlib import Path
from typing import TypeVar

from sim.errors import InputError, Issue
from sim.model.scheduler import filters, filters_by_kind
from sim.model.scheduler.base import HostFilter, HostWeigher
from sim.model.scheduler.view import Options
from sim.model.scheduler.weighers import ALL_WEIGHERS, EQUAL_WEIGHERS, WEIGHERS

FILTER_GROUP, WEIGHER_GROUP = "novasim.filters", "novasim.weighers"
"""Groups of entry points for own filters and weighers."""
ALL_FILTERS = "nova.scheduler.filters.all_filters"
_MODULES = {
    "affinity_filter": (
        filters.DifferentHostFilter, filters.SameHostFilter, filters.SimpleCIDRAffinityFilter,
        filters.ServerGroupAntiAffinityFilter, filters.ServerGroupAffinityFilter,
    ),
    "aggregate_image_properties_isolation": (filters_by_kind.AggregateImagePropertiesIsolation,),
    "aggregate_instance_extra_specs": (filters_by_kind.AggregateInstanceExtraSpecsFilter,),
    "aggregate_multitenancy_isolation": (filters_by_kind.AggregateMultiTenancyIsolation,),
    "all_hosts_filter": (filters.AllHostsFilter,),
    "compute_capabilities_filter": (filters.ComputeCapabilitiesFilter,),
    "compute_filter": (filters.ComputeFilter,),
    "image_props_filter": (filters_by_kind.ImagePropertiesFilter,),
    "io_ops_filter": (filters.IoOpsFilter, filters.AggregateIoOpsFilter),
    "isolated_hosts_filter": (filters.IsolatedHostsFilter,),
    "json_filter": (filters.JsonFilter,),
    "metrics_filter": (filters.MetricsFilter,),
    "num_instances_filter": (filters.NumInstancesFilter, filters.AggregateNumInstancesFilter),
    "pci_passthrough_filter": (filters.PciPassthroughFilter,),
    "type_filter": (filters_by_kind.AggregateTypeAffinityFilter,),
}  # fmt: skip
FILTERS: Mapping[str, type[HostFilter]] = {
    f"nova.scheduler.filters.{module}.{kind.__name__}": kind for module, kinds in _MODULES.items() for kind in kinds
}
"""By the path that Nova's ``available_filters`` would name them with."""
_Kind = TypeVar("_Kind", HostFilter, HostWeigher)


def filter_classes(options: Options) -> list[type[HostFilter]]:
    """The classes of ``enabled_filters``, in order. InputError with all that cannot be used."""
    issues: list[Issue] = []
    available = _available(options, issues)
    chosen: list[type[HostFilter]] = []
    option = "filter_scheduler.enabled_filters"
    for name in options[option]:
        found = available.get(name)
        if found is None:
            found = _own(name, HostFilter, FILTER_GROUP, option, sorted(available), issues)
        if found is not None:
            chosen.append(found)
    if issues:
        raise InputError(issues)
    return chosen


def weigher_classes(options: Options) -> list[type[HostWeigher]]:
    """The classes of ``weight_classes``, in order. InputError with all that cannot be used."""
    issues: list[Issue] = []
    chosen: list[type[HostWeigher]] = []
    option = "filter_scheduler.weight_classes"
    known = sorted({ALL_WEIGHERS, *WEIGHERS, *EQUAL_WEIGHERS})
    for name in options[option]:
        if name == ALL_WEIGHERS:
            chosen.extend(WEIGHERS.values())
        elif name in WEIGHERS:
            chosen.append(WEIGHERS[name])
        elif name not in EQUAL_WEIGHERS:
            found = _own(name, HostWeigher, WEIGHER_GROUP, option, known, issues)
            if found is not None:
                chosen.append(found)
    if issues:
        raise InputError(issues)
    return list(dict.fromkeys(chosen))


def _available(options: Options, issues: list[Issue]) -> dict[str, type[HostFilter]]:
    """Class name → class, of all that ``available_filters`` names."""
    option = "filter_scheduler.available_filters"
    found: list[type[HostFilter]] = []
    for name in options[option]:
        if name == ALL_FILTERS:
            found.extend(FILTERS.values())
        elif name in FILTERS:
            found.append(FILTERS[name])
        else:
            own = _own(name, HostFilter, FILTER_GROUP, option, [ALL_FILTERS, *FILTERS], issues)
            if own is not None:
                found.append(own)
    return {kind.__name__: kind for kind in found}


# --- own ones ---------------------------------------------------------------------------------------------------------


def _own(
    name: str, base: type[_Kind], group: str, option: str, known: Sequence[str], issues: list[Issue]
) -> type[_Kind] | None:
    """An own class by entry point or path; None, and an issue, if there is none or it is of no use."""
    points = {point.name: point for point in entry_points(group=group)}
    try:
        if name in points:
            found = points[name].load()
        elif ".py:" in name:
            found = _from_file(name)
        else:
            names = _listed([*known, *points])
            issues.append(Issue(option, f"{name!r} is not known", f"known are {names}, or path/to/file.py:Class"))
            return None
    except Exception as error:
        issues.append(Issue(option, f"{name!r} cannot be loaded: {error}", f"name a class derived from {base.__name__}"))
        return None
    if not (inspect.isclass(found) and issubclass(found, base)) or inspect.isabstract(found):
        issues.append(Issue(option, f"{name!r} is no {base.__name__}", "derive it, and define what it must"))
        return None
    return found


def _from_file(name: str) -> object:
    """The class of ``path/to/file.py:Class``. Raises whatever the file raises, or a ValueError that says what is wrong."""
    file, _, kind = name.rpartition(":")
    path = Path(file)
    if not path.is_file():
        raise ValueError(f"there is no file {file}")
    spec = importlib.util.spec_from_file_location(f"novasim_own_{path.stem}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    if not hasattr(module, kind):
        raise ValueError(f"{file} has no class {kind}")
    return getattr(module, kind)


def _listed(names: Iterable[str]) -> str:
    return ", ".join(names)
