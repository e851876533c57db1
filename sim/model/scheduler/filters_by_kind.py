"""Nova's filters by aggregates and by image, asked once for each kind of host."""

from __future__ import annotations

from collections.abc import Hashable

from sim.model.image_properties import architecture, properties_of
from sim.model.scheduler.base import KindFilter
from sim.model.scheduler.extra_specs import matches
from sim.model.scheduler.request import SchedulerRequest
from sim.model.scheduler.versions import satisfies
from sim.model.scheduler.view import HostKind, View

_SCOPE = "aggregate_instance_extra_specs"
_TENANT = "filter_tenant_id"
_ARCHITECTURE_TRAIT = "HW_ARCH_"
_USUAL_ARCHITECTURES = ("x86_64", "i686")
_GUESTS_OF = {"qemu": ("qemu", "kvm")}
"""Kinds of guests that a hypervisor runs, where they are not named as it is."""


class ImagePropertiesFilter(KindFilter):
    """Architecture, hypervisor and mode that the image needs.

    Hosts run x86_64 and i686 guests, or those of their ``HW_ARCH_…`` traits; QEMU hosts run qemu and kvm guests; all
    are ``hvm``.
    """

    def __init__(self, view: View) -> None:
        super().__init__(view)
        default = view.options["filter_scheduler.image_properties_default_architecture"]
        self._default: str | None = default and architecture(default)

    def key(self, request: SchedulerRequest) -> Hashable | None:
        """The image, if it says anything."""
        if request.image is not None and request.image.properties:
            return request.image
        return self._default

    def passes(self, kind: HostKind, request: SchedulerRequest) -> bool:
        """Whether hosts of this kind run such guests."""
        found = properties_of(request.image)
        guest, vm_mode = found.get("img_hv_type"), found.get("hw_vm_mode")
        wanted = found.get("hw_architecture", self._default)
        if not (wanted or guest or vm_mode):
            return True
        if wanted and wanted not in _architectures(kind):
            return False
        if (guest and guest not in _guests(kind)) or (vm_mode and vm_mode != "hvm"):
            return False
        version = found.get("img_hv_requested_version")
        return not (version and kind.hypervisor_version) or satisfies(kind.hypervisor_version, version)


def _architectures(kind: HostKind) -> tuple[str, ...]:
    traits = tuple(
        sorted(
            trait.removeprefix(_ARCHITECTURE_TRAIT).lower()
            for trait in kind.traits
            if trait.startswith(_ARCHITECTURE_TRAIT)
        )
    )
    return traits or _USUAL_ARCHITECTURES


def _guests(kind: HostKind) -> tuple[str, ...]:
    name = kind.hypervisor_type.split()[0].lower() if kind.hypervisor_type else ""
    return _GUESTS_OF.get(name, (name,))


class AggregateInstanceExtraSpecsFilter(KindFilter):
    """Aggregates must say what the flavor's extra specs want, in their scope or in none."""

    def key(self, request: SchedulerRequest) -> Hashable | None:
        """The flavor, if it has any."""
        return request.flavor if request.flavor.extra_specs else None

    def passes(self, kind: HostKind, request: SchedulerRequest) -> bool:
        """Whether the host's aggregates say so of every one of them."""
        said = kind.metadata()
        for key, wanted in request.flavor.extra_specs.items():
            scope, colon, rest = key.partition(":")
            if colon and scope != _SCOPE:
                continue
            if not any(matches(value, wanted) for value in said.get(rest if colon else key, ())):
                return False
        return True


class AggregateImagePropertiesIsolation(KindFilter):
    """What aggregates say of an image's property, the image must say too, if it says anything of it."""

    def __init__(self, view: View) -> None:
        super().__init__(view)
        options = view.options
        namespace = options["filter_scheduler.aggregate_image_properties_isolation_namespace"]
        separator = options["filter_scheduler.aggregate_image_properties_isolation_separator"]
        self._prefix = f"{namespace}{separator}" if namespace else ""

    def key(self, request: SchedulerRequest) -> Hashable | None:
        """The image, if it says anything."""
        return request.image if request.image is not None and request.image.properties else None

    def passes(self, kind: HostKind, request: SchedulerRequest) -> bool:
        """Whether nothing that the aggregates say, within the namespace, contradicts the image."""
        found = properties_of(request.image)
        return all(
            not found.get(key) or found[key] in values
            for key, values in kind.metadata().items()
            if key.startswith(self._prefix)
        )


class AggregateMultiTenancyIsolation(KindFilter):
    """Hosts of aggregates with ``filter_tenant_id…`` are for those projects alone."""

    def key(self, request: SchedulerRequest) -> Hashable | None:
        """The project."""
        return request.server.project

    def passes(self, kind: HostKind, request: SchedulerRequest) -> bool:
        """Whether the host is for the request's project, or for all."""
        tenants = [value for key, values in kind.metadata().items() if key.startswith(_TENANT) for value in values]
        return not tenants or request.server.project in tenants


class AggregateTypeAffinityFilter(KindFilter):
    """Hosts of aggregates with ``instance_type`` are for flavors of that name alone."""

    def key(self, request: SchedulerRequest) -> Hashable | None:
        """The flavor's name."""
        return request.flavor.name

    def passes(self, kind: HostKind, request: SchedulerRequest) -> bool:
        """Whether the host is for the request's flavor, or for all."""
        names = kind.values("instance_type")
        wanted = request.flavor.name
        return not names or any(wanted in (word.strip() for word in text.split(",")) for text in names)
