"""Properties of images as Nova knows them: by today's names, and no others."""

from __future__ import annotations

from sim.model.flavor import Image

_NAMES = """
hw_architecture hw_emulation_architecture hw_auto_disk_config hw_boot_menu hw_cdrom_bus hw_cpu_cores hw_cpu_sockets
hw_cpu_max_cores hw_cpu_max_sockets hw_cpu_max_threads hw_cpu_policy hw_cpu_thread_policy hw_cpu_realtime_mask
hw_cpu_threads hw_device_id hw_disk_bus hw_disk_type hw_floppy_bus hw_firmware_type hw_firmware_stateless
hw_input_bus hw_ipxe_boot hw_locked_memory hw_machine_type hw_mem_encryption hw_mem_encryption_model
hw_mem_page_size hw_numa_nodes hw_numa_cpus hw_numa_mem hw_pci_numa_affinity_policy hw_pointer_model hw_pmu
hw_qemu_guest_agent hw_rescue_bus hw_rescue_device hw_rng_model hw_time_hpet hw_serial_port_count hw_scsi_model
hw_video_model hw_video_ram hw_vif_model hw_viommu_model hw_vm_mode hw_watchdog_action hw_vif_multiqueue_enabled
hw_tpm_model hw_tpm_version hw_ephemeral_encryption hw_ephemeral_encryption_secret_uuid hw_virtio_packed_ring
hw_maxphysaddr_mode hw_maxphysaddr_bits hw_sound_model hw_usb_model hw_redirected_usb_ports img_bittorrent
img_bdm_v2 img_cache_in_nova img_compression_level img_hv_requested_version img_hv_type img_config_drive
img_linked_clone img_mappings img_owner_id img_root_device_name img_use_agent img_version img_signature
img_signature_hash_method img_signature_certificate_uuid img_signature_key_type img_hide_hypervisor_id
os_admin_user os_command_line os_distro os_require_quiesce os_secure_boot os_skip_agent_inject_files_at_boot
os_skip_agent_inject_ssh os_type
"""
_KNOWN = frozenset(_NAMES.split())
_OLD_NAMES = {
    "architecture": "hw_architecture", "hypervisor_type": "img_hv_type", "vm_mode": "hw_vm_mode",
    "hypervisor_version_requires": "img_hv_requested_version", "vmware_ostype": "os_distro",
    "vmware_disktype": "hw_disk_type", "vmware_image_version": "img_version", "owner_id": "img_owner_id",
    "auto_disk_config": "hw_auto_disk_config", "ipxe_boot": "hw_ipxe_boot", "cache_in_nova": "img_cache_in_nova",
    "root_device_name": "img_root_device_name", "mappings": "img_mappings", "bittorrent": "img_bittorrent",
}  # fmt: skip
_ARCHITECTURES = {
    "amd64": "x86_64", "i386": "i686", "i486": "i686", "i586": "i686", "x86_32": "i686", "x86_32p": "i686",
}  # fmt: skip
_SPELT = {
    "hw_architecture": _ARCHITECTURES, "img_hv_type": {"xapi": "xen"},
    "hw_vm_mode": {"pv": "xen", "hv": "hvm", "baremetal": "hvm"},
}  # fmt: skip
"""Properties of which Nova knows other spellings, of any case."""


def properties_of(image: Image | None) -> dict[str, str]:
    """The properties that Nova reads, by today's names and spellings.

    Where an old name stands beside today's, today's counts.
    """
    if image is None:
        return {}
    found = {_OLD_NAMES[name]: value for name, value in image.properties.items() if name in _OLD_NAMES}
    found |= {name: value for name, value in image.properties.items() if name in _KNOWN}
    for name, spelt in _SPELT.items():
        if name in found:
            found[name] = spelt.get(found[name].lower(), found[name].lower())
    return found


def required_traits(image: Image | None) -> list[str]:
    """Traits of hosts that the image requires."""
    found = {} if image is None else image.properties
    return [
        key.removeprefix("trait:") for key, value in found.items() if key.startswith("trait:") and value == "required"
    ]


def architecture(name: str) -> str:
    """An architecture as Nova spells it."""
    return _ARCHITECTURES.get(name.lower(), name.lower())
