"""Nova's filters by aggregates and by image, asked once for each kind of host."""

from __future__ import annotations

from collections.abc import Hashable

from sim.model.flavor import Image
from sim.model.scheduler.base import KindFilter
from sim.model.scheduler.extra_specs import matches
from sim.model.scheduler.request import SchedulerRequest
from sim.model.scheduler.view import HostKind, View
from sim.model.scheduler.versions import satisfies

_SCOPE = "aggregate_instance_extra_specs"
_ARCHITECTURES = {"amd64": "x86_64", "x86": "i686", "i386": "i686", "i486": "i686", "i586": "i686", "arm64": "aarch64"}
_OLD_NAMES = {
    "architecture": "hw_architecture", "hypervisor_type": "img_hv_type", "vm_mode": "hw_vm_mode",
    "hypervisor_version_requires": "img_hv_requested_version",
}  # fmt: skip
_TRAIT = "HW_ARCH_"


class ImagePropertiesFilter(KindFilter):
    """Architecture, hypervisor and mode that the image needs.

    Hosts run x86_64 and i686 guests, or those of their ``HW_ARCH_…`` traits; QEMU hosts run qemu and kvm guests; all
    are ``hvm``.
    """

    def __init__(self, view: View) -> None:
        super().__init__(view)
        self._default = view.options["filter_scheduler.image_properties_default_architecture"]

    def key(self, request: SchedulerRequest) -> Hashable | None:
        """The image, if it says anything."""
        image = request.image
        return None if not self._default and (image is None or not image.properties) else image

    def mask(self, request: SchedulerRequest):  # type: ignore[no-untyped-def]
        return None
