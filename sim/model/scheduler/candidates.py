"""What placement offers: hosts with room, the right traits, in the right aggregates; at most so many.

Fit masks are kept for each size of request and brought up to date host by host.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from sim.model.exceptions import NoValidHost
from sim.model.flavor import Resources
from sim.model.image_properties import properties_of, required_traits
from sim.model.needs import unknown_classes
from sim.model.scheduler.request import SchedulerRequest
from sim.model.scheduler.view import HostKind, Mask, View, metadata_of

_KEPT = 128
"""So many sizes and so many signatures are kept, then all are forgotten."""
_FEW = 64
"""More changed hosts than these, and the whole column is made anew."""
_TENANT, _TRAIT = "filter_tenant_id", "trait:"
_THREADS = ("require", "isolate")
_UNLIMITED = ("group", "same_host", "different_host")
"""Hints with which Nova wants all candidates."""
_IMAGE_TRAITS = {
    "hw_cdrom_bus": "COMPUTE_STORAGE_BUS", "hw_disk_bus": "COMPUTE_STORAGE_BUS",
    "hw_video_model": "COMPUTE_GRAPHICS_MODEL", "hw_vif_model": "COMPUTE_NET_VIF_MODEL",
    "hw_architecture": "HW_ARCH", "hw_emulation_architecture": "COMPUTE_ARCH", "hw_viommu_model": "COMPUTE_VIOMMU",
}  # fmt: skip


class _Fit:
    """Hosts where one size of request fits."""

    __slots__ = ("asked", "mask", "position", "possible")

    def __init__(self, view: View, resources: Resources) -> None:
        self.asked = view.placement.asked(resources)
        self.possible = np.ones(len(view.hosts), dtype=bool)
        """Whether the host has so much at all."""
        for _, total, amount in self.asked:
            self.possible &= total >= amount
        self.mask = np.empty(len(view.hosts), dtype=bool)
        self.position = -1

    def update(self, view: View) -> Mask:
        """Bring the mask up to date."""
        journal = view.hosts.journal
        changed = journal.since(self.position) if self.position >= 0 else None
        self.position = journal.position
        if changed is None or len(changed) > _FEW:
            self.mask[:] = self.possible
            for free, _, amount in self.asked:
                self.mask &= free >= amount
        else:
            for host in dict.fromkeys(changed):
                fits = self.possible.item(host)
                for free, _, amount in self.asked:
                    if amount > free.item(host):
                        fits = False
                        break
                self.mask[host] = fits
        return self.mask


def unpinned(request: SchedulerRequest) -> Resources:
    """The request as Nova asks it a second time, for hosts that do not count CPUs for pinned guests of their own."""
    return request.resources._replace(vcpus=request.flavor.vcpus, pcpus=0)


class Candidates:
    """Answers what placement would answer to a request."""

    def __init__(self, view: View) -> None:
        self._view = view
        options = view.options
        self._most = int(options["scheduler.max_placement_results"])
        self._end = 0
        """Where the hosts offered last ended."""
        self._tenants = bool(options["scheduler.limit_tenants_to_placement_aggregate"])
        self._tenants_must = bool(options["scheduler.placement_aggregate_required_for_tenants"])
        self._isolated = bool(options["scheduler.enable_isolated_aggregate_filtering"])
        self._image_traits = bool(options["scheduler.image_metadata_prefilter"])
        self._unpinned = not options["workarounds.disable_fallback_pcpu_query"]
        self._fits: dict[Resources, _Fit] = {}
        self._rules: dict[tuple[object, ...], Mask | None] = {}
        self._version = view.version

    def offer(self, request: SchedulerRequest) -> tuple[Mask, int, int]:
        """The hosts offered, as a mask of the caller's own, where the last of them may be, how many: (H,), end, count.

        Raises NoValidHost where Nova's request filters refuse.
        """
        # Placement leaves out disabled hosts by their trait.
        offered: Mask = np.greater(self._room(request), self._view.hosts.disabled)
        rule = self._rule(request)
        if rule is not None:
            offered &= rule
        only = request.only
        if only is not None:
            alone = np.zeros_like(offered)
            alone[only] = offered[only]
            return alone, only + 1, int(offered[only])
        if request.group is not None or (request.hints and any(hint in request.hints for hint in _UNLIMITED)):
            return offered, len(offered), int(np.count_nonzero(offered))
        return self._cut(offered)

    def again(self, request: SchedulerRequest, among: Mask) -> tuple[Mask, int, int]:
        """Of hosts that were offered before, those that still have room: placement is not asked anew."""
        left = among & self._room(request)
        return left, len(left), int(np.count_nonzero(left))

    def steps(self, request: SchedulerRequest, end: int) -> Iterator[tuple[str, Mask | None]]:
        """What placement leaves out and why, step by step, after :meth:`offer` gave ``end``: name, hosts that pass."""
        view = self._view
        yield "placement: room", self._room(request)
        yield "placement: enabled", ~view.hosts.disabled
        yield "placement: traits and aggregates", self._rule(request)
        place = np.arange(len(view.hosts))
        if request.only is not None:
            yield "placement: the named host", place == request.only
        else:
            yield "placement: max_placement_results", place < end

    def claims(self, request: SchedulerRequest, host: int) -> Resources:
        """What is claimed on a host that was offered: pinned CPUs, or shared ones where those are too few."""
        wanted = request.resources
        if not (wanted.pcpus and self._unpinned) or self._view.placement.fits(host, wanted):
            return wanted
        return unpinned(request)

    def _room(self, request: SchedulerRequest) -> Mask:
        """Hosts with room for the request, pinned or not: not to be written."""
        fits = self._fit(request.resources)
        if request.resources.pcpus and self._unpinned:
            return fits | self._fit(unpinned(request))
        return fits

    def _fit(self, resources: Resources) -> Mask:
        """Hosts where so much fits, up to date: not to be written."""
        fit = self._fits.get(resources)
        if fit is None:
            if len(self._fits) >= _KEPT:
                self._fits.clear()
            fit = self._fits[resources] = _Fit(self._view, resources)
        return fit.update(self._view)

    def _cut(self, offered: Mask) -> tuple[Mask, int, int]:
        """Only the first ``max_placement_results``: nearly always they end where they did last time, or soon after."""
        most, count, end = self._most, len(offered), self._end
        missing = most - int(np.count_nonzero(offered[:end]))
        if missing < 0:
            missing, end = most, 0
        while missing and end < count:
            more = min(end + missing, count)
            missing -= int(np.count_nonzero(offered[end:more]))
            end = more
        offered[end:] = False
        self._end = end
        return offered, end, most - missing

    # --- rules about kinds of hosts

    def _rule(self, request: SchedulerRequest) -> Mask | None:
        """Traits and aggregates, kept by what of the request they depend on."""
        view = self._view
        if self._version != view.version:
            self._version = view.version
            self._rules.clear()
        flavor, image = request.flavor, request.image
        if not (flavor.extra_specs or request.az or self._tenants or self._isolated) and (
            image is None or not image.properties
        ):
            return None
        key = (flavor, image, request.az, request.server.project)
        if key in self._rules:
            return self._rules[key]
        if len(self._rules) >= _KEPT:
            self._rules.clear()
        mask = self._rules[key] = self._make_rule(request)
        return mask

    def _make_rule(self, request: SchedulerRequest) -> Mask | None:
        if unknown_classes(request.flavor):
            return np.zeros(len(self._view.hosts), dtype=bool)
        required, forbidden = self.traits(request)
        tenant = self._tenant_aggregates(request) if self._tenants else []
        zoned = self._zone_is_an_aggregate(request.az)

        def passes(kind: HostKind) -> bool:
            if not required <= kind.traits or forbidden & kind.traits:
                return False
            if tenant and not any(aggregate in tenant for aggregate in kind.aggregates):
                return False
            if zoned and kind.zone != request.az and not any(a.zone == request.az for a in kind.aggregates):
                return False
            return not (self._isolated and self._is_isolated(kind, required))

        return self._view.mask(passes)

    def traits(self, request: SchedulerRequest) -> tuple[frozenset[str], frozenset[str]]:
        """Traits that the flavor and the image require, and that they forbid."""
        specs = request.flavor.extra_specs
        stated = {key.removeprefix(_TRAIT): value for key, value in specs.items() if key.startswith(_TRAIT)}
        forbidden = [trait for trait, value in stated.items() if value == "forbidden"]
        required = [trait for trait in stated if trait not in forbidden] + required_traits(request.image)
        threads = specs.get("hw:cpu_thread_policy") or properties_of(request.image).get("hw_cpu_thread_policy")
        if threads in _THREADS:
            (required if threads == "require" else forbidden).append("HW_CPU_HYPERTHREADING")
        if self._image_traits:
            image = properties_of(request.image)
            for key, prefix in _IMAGE_TRAITS.items():
                if key in image:
                    required.append(f"{prefix}_{image[key].replace('-', '_').upper()}")
        return frozenset(required), frozenset(forbidden)

    def _tenant_aggregates(self, request: SchedulerRequest) -> list[object]:
        """Aggregates of the request's project. Raises NoValidHost if it must have one and has none."""
        project = request.server.project
        found: list[object] = []
        for aggregate in self._view.aggregates:
            metadata = metadata_of(aggregate)
            if project in metadata.values() and any(key.startswith(_TENANT) for key in metadata):
                found.append(aggregate)
        if not found and self._tenants_must:
            raise NoValidHost("No hosts available for tenant")
        return found

    def _zone_is_an_aggregate(self, az: str | None) -> bool:
        """Whether any host is in the zone by more than default; only then does Nova ask placement for it."""
        if az is None:
            return False
        if any(aggregate.zone == az for aggregate in self._view.aggregates):
            return True
        return az != self._view.options["DEFAULT.default_availability_zone"] and az in self._view.hosts.zones

    @staticmethod
    def _is_isolated(kind: HostKind, required: frozenset[str]) -> bool:
        """Whether an aggregate demands a trait that the request does not require."""
        return any(
            key.startswith("trait:") and value == "required" and key.removeprefix("trait:") not in required
            for aggregate in kind.aggregates
            for key, value in aggregate.metadata.items()
        )
