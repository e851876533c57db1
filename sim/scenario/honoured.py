"""Which of Nova's options the simulated cloud honours. Who makes the model read one adds it here, and only then.

A test looks for each name in the model's sources: what is listed is read, and what is read is listed.
"""

from __future__ import annotations

_DEFAULT = """
allow_resize_to_same_host cpu_allocation_ratio default_availability_zone default_schedule_zone disk_allocation_ratio
initial_cpu_allocation_ratio initial_disk_allocation_ratio initial_ram_allocation_ratio max_concurrent_builds
max_concurrent_live_migrations max_concurrent_snapshots migrate_max_retries password_length periodic_enable
periodic_fuzzy_delay ram_allocation_ratio reclaim_instance_interval report_interval rescue_timeout reserved_host_cpus
reserved_host_disk_mb reserved_host_memory_mb resize_confirm_window resume_guests_state_on_host_boot service_down_time
shelved_offload_time shelved_poll_interval shutdown_timeout sync_power_state_interval update_resources_interval
"""
_API = "enable_instance_password"
_COMPUTE = """
consecutive_build_service_disable_threshold max_concurrent_disk_ops
packing_host_numa_cells_allocation_strategy shutdown_retry_interval
"""
_CONDUCTOR = "workers"
_FILTER_SCHEDULER = """
aggregate_image_properties_isolation_namespace aggregate_image_properties_isolation_separator available_filters
build_failure_weight_multiplier cpu_weight_multiplier disk_weight_multiplier enabled_filters host_subset_size
hypervisor_version_weight_multiplier image_properties_default_architecture image_props_weight_multiplier
image_props_weight_setting io_ops_weight_multiplier isolated_hosts isolated_images max_instances_per_host
max_io_ops_per_host num_instances_weight_multiplier ram_weight_multiplier restrict_isolated_hosts_to_isolated_images
shuffle_best_same_weighed_hosts soft_affinity_weight_multiplier soft_anti_affinity_weight_multiplier weight_classes
"""
_LIBVIRT = """
live_migration_bandwidth live_migration_completion_timeout live_migration_downtime live_migration_downtime_delay
live_migration_downtime_steps live_migration_parallel_connections live_migration_permit_auto_converge
live_migration_permit_post_copy live_migration_timeout_action live_migration_tunnelled live_migration_with_native_tls
wait_soft_reboot_seconds
"""
_OSLO_POLICY = "enforce_new_defaults"
_QUOTA = "cores driver instances ram"
_SCHEDULER = """
enable_isolated_aggregate_filtering image_metadata_prefilter limit_tenants_to_placement_aggregate max_attempts
max_placement_results placement_aggregate_required_for_tenants workers
"""
_WORKAROUNDS = "disable_fallback_pcpu_query disable_group_policy_check_upcall skip_hypervisor_version_check_on_lm"

HONOURED: frozenset[str] = frozenset(
    f"{group}.{name}"
    for group, names in {
        "DEFAULT": _DEFAULT,
        "api": _API,
        "compute": _COMPUTE,
        "conductor": _CONDUCTOR,
        "filter_scheduler": _FILTER_SCHEDULER,
        "libvirt": _LIBVIRT,
        "oslo_policy": _OSLO_POLICY,
        "quota": _QUOTA,
        "scheduler": _SCHEDULER,
        "workarounds": _WORKAROUNDS,
    }.items()
    for name in names.split()
)
"""``GROUP.name`` of every option that has an effect."""
