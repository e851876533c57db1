"""Which filters and weighers are in force: Nova's by Nova's names, own ones by entry point or by path.

A path is ``path/to/file.py:Class``. Paths are relative to the folder in which novasim was started.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sim.errors import InputError, Issue
from sim.model.own_class import NoSuchClassError, find_class
from sim.model.scheduler import filters, filters_by_kind
from sim.model.scheduler.base import HostFilter, HostWeigher
from sim.model.scheduler.json_filter import JsonFilter
from sim.model.scheduler.view import Options, View
from sim.model.scheduler.weighers import ALL_WEIGHERS, EQUAL_WEIGHERS, WEIGHERS
from sim.scenario.nova_conf import NovaOptions

FILTER_GROUP, WEIGHER_GROUP = "novasim.filters", "novasim.weighers"
"""Groups of entry points for own filters and weighers."""
ALL_FILTERS = "nova.scheduler.filters.all_filters"
FilterClass = Callable[[View], HostFilter]
WeigherClass = Callable[[View], HostWeigher]
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
    "json_filter": (JsonFilter,),
    "metrics_filter": (filters.MetricsFilter,),
    "num_instances_filter": (filters.NumInstancesFilter, filters.AggregateNumInstancesFilter),
    "numa_topology_filter": (filters.NUMATopologyFilter,),
    "pci_passthrough_filter": (filters.PciPassthroughFilter,),
    "type_filter": (filters_by_kind.AggregateTypeAffinityFilter,),
}  # fmt: skip
FILTERS: Mapping[str, FilterClass] = {
    f"nova.scheduler.filters.{module}.{kind.__name__}": kind for module, kinds in _MODULES.items() for kind in kinds
}
"""By the path that Nova's ``available_filters`` would name them with."""


def filter_classes(options: Options) -> list[FilterClass]:
    """The classes of ``enabled_filters``, in order. InputError with all that cannot be used."""
    loader = _Loader(options)
    available = loader.available_filters()
    chosen: list[FilterClass] = []
    for name in loader.names("enabled_filters"):
        found = available.get(name) or loader.own(name, FILTER_GROUP, sorted(available))
        if found is not None:
            chosen.append(found)
    loader.done()
    return chosen


def weigher_classes(options: Options) -> list[WeigherClass]:
    """The classes of ``weight_classes``, in order. InputError with all that cannot be used."""
    loader = _Loader(options)
    chosen: list[WeigherClass] = []
    known = [ALL_WEIGHERS, *sorted({*WEIGHERS, *EQUAL_WEIGHERS})]
    for name in loader.names("weight_classes"):
        if name == ALL_WEIGHERS:
            chosen.extend(WEIGHERS.values())
        elif name in WEIGHERS:
            chosen.append(WEIGHERS[name])
        elif name not in EQUAL_WEIGHERS:
            found = loader.own(name, WEIGHER_GROUP, known)
            if found is not None:
                chosen.append(found)
    loader.done()
    return list(dict.fromkeys(chosen))


class _Loader:
    """Finds classes, and gathers what is wrong."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self._places = {use.name: use.where for use in options.honoured} if isinstance(options, NovaOptions) else {}
        self._option = ""
        self._issues: list[Issue] = []

    def names(self, key: str) -> list[str]:
        """The names in an option of ``[filter_scheduler]``; issues from now on are about it."""
        self._option = f"filter_scheduler.{key}"
        return list(self._options[self._option])

    def done(self) -> None:
        """Raise InputError if anything was wrong."""
        if self._issues:
            raise InputError(self._issues)

    def available_filters(self) -> dict[str, Any]:
        """Class name → class, of all that ``available_filters`` names."""
        found: list[Any] = []
        for name in self.names("available_filters"):
            if name == ALL_FILTERS:
                found.extend(FILTERS.values())
            else:
                found.append(FILTERS.get(name) or self.own(name, FILTER_GROUP, [ALL_FILTERS, *FILTERS]))
        return {kind.__name__: kind for kind in found if kind is not None}

    def own(self, name: str, group: str, known: Sequence[str]) -> Any:
        """An own class by entry point or path; None, and an issue, if there is none or it is of no use."""
        base: type[Any] = HostFilter if group == FILTER_GROUP else HostWeigher
        try:
            return find_class(name, group, base, known)
        except NoSuchClassError as error:
            return self._issue(error.what, error.right)

    def _issue(self, what: str, right: str) -> None:
        place = self._places.get(self._option, "")
        where = place if self._option.rpartition(".")[2] in place else f"{place} {self._option}".lstrip()
        self._issues.append(Issue(where, what, right))
