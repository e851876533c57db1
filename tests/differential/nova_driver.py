"""The hypervisor of the differential tests: Nova's fake driver with chosen sizes, chosen failures, and gates.

A gate stands before a driver call on one host: the call waits until it is opened ("hold"), raises ("fail"), or the
host dies there ("die"). So a request can be made in the middle of an operation, and a host lost in any stage.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import eventlet.event
from nova import exception, objects
from nova.compute import power_state, task_states
from nova.virt import fake
from nova_rpc import WORK, current_host
from oslo_concurrency import processutils
from oslo_config import cfg


@dataclasses.dataclass
class Gate:
    """What happens at a driver call, once: it is held until the gate is opened, or it fails, or its host dies."""

    call: str
    kind: str = "hold"
    """hold, fail or die."""
    host: str | None = None
    """On which host; None: wherever it is made first."""
    message: str = ""
    opened: Any = dataclasses.field(default_factory=eventlet.event.Event)
    reached: str | None = None
    """The host that made the call; None: none has yet."""


@dataclasses.dataclass
class World:
    """Sizes by host, and what goes wrong where. One a process: a driver is made by Nova, which passes it nothing."""

    sizes: dict[str, tuple[int, int, int]] = dataclasses.field(default_factory=dict)  # vcpus, memory MB, disk GB
    slow: bool = False
    slow_limit_s: float = 5.0
    same_host: bool = False
    as_libvirt: bool = False
    """As libvirt's driver does it: it has a guest to rescue, cannot soft-delete one, makes no disk smaller, powers off
    what it migrates, copies no guest that was destroyed, and tells one task more of a snapshot."""
    fails: dict[str, set[str]] = dataclasses.field(default_factory=dict)  # host -> what goes wrong there, always
    crashed: set[str] = dataclasses.field(default_factory=set)  # hosts without power
    gates: list[Gate] = dataclasses.field(default_factory=list)

    def fails_on(self, host: str, what: str) -> bool:
        return what in self.fails.get(host, ())

    def pass_gate(self, host: str, call: str) -> None:
        WORK.perish()
        ahead = (one for one in self.gates if one.call == call and one.host in (None, host) and one.reached is None)
        gate = next(ahead, None)
        if gate is None:
            return
        gate.reached = host
        if gate.kind == "fail":
            raise exception.NovaException(gate.message or f"{call} fails on {host}")
        if gate.kind == "die":
            WORK.die(host)
            WORK.park()
        WORK.end()
        gate.opened.wait()
        WORK.begin()
        WORK.perish()

    def held(self, call: str) -> bool:
        """Whether one is held."""
        return any(one.call == call and one.reached is not None for one in self.gates)

    def open(self) -> None:
        """Let every held call go on, and hold none any more."""
        for gate in self.gates:
            gate.opened.send()
        self.gates.clear()


WORLD = World()


_NoJobError = type("libvirtError", (Exception,), {})
"""What libvirt says when there is nothing to abort; Nova tells the name of its class alone."""


class Driver(fake.FakeDriver):
    """The fake driver, with power states as a hypervisor reports them and with gates."""

    def __init__(self, virtapi: Any, read_only: bool = False) -> None:
        self.vcpus, self.memory_mb, self.local_gb = WORLD.sizes[cfg.CONF.host]
        super().__init__(virtapi, read_only)
        self.jobs: dict[str, str] = {}  # server -> how its live migration is to end
        self.aborted: dict[str, Any] = {}
        if WORLD.same_host:
            self.capabilities = dict(self.capabilities, supports_migrate_to_same_host=True)

    def _set_state(self, instance: Any, state: int) -> None:
        if instance.uuid in self.instances:
            self.instances[instance.uuid].state = state
        elif WORLD.as_libvirt:
            raise exception.InstanceNotFound(instance_id=instance.uuid)

    def lose_guests(self) -> None:
        """The host has lost its power; what ran is off when it is back."""
        for guest in self.instances.values():
            if guest.state in (power_state.RUNNING, power_state.PAUSED):
                guest.state = power_state.SHUTDOWN
        self.jobs.clear()
        WORLD.crashed.add(self._host)

    def pause(self, instance: Any) -> None:
        self._set_state(instance, power_state.PAUSED)

    def unpause(self, instance: Any) -> None:
        self._set_state(instance, power_state.RUNNING)

    def suspend(self, context: Any, instance: Any) -> None:
        self._set_state(instance, power_state.SHUTDOWN)

    def resume(self, context: Any, instance: Any, *args: Any, **kwargs: Any) -> None:
        self._set_state(instance, power_state.RUNNING)

    def migrate_disk_and_power_off(
        self, context: Any, instance: Any, dest: Any, flavor: Any, *args: Any, **kwargs: Any
    ) -> Any:
        smaller = flavor.root_gb < instance.flavor.root_gb or flavor.ephemeral_gb < instance.flavor.ephemeral_gb
        if WORLD.as_libvirt and smaller:
            raise exception.InstanceFaultRollback(exception.ResizeError(reason="Unable to resize disk down."))
        there = objects.Migration.get_by_instance_and_status(context, instance.uuid, "migrating").dest_compute
        if there in WORLD.crashed:
            reason = "not able to execute ssh command: No route to host"
            raise exception.InstanceFaultRollback(exception.ResizeError(reason=reason))
        if WORLD.as_libvirt and instance.uuid not in self.instances:
            raise exception.InstanceNotFound(instance_id=instance.uuid)
        WORLD.pass_gate(self._host, "migrate_disk_and_power_off")
        if there in WORLD.crashed:
            self._set_state(instance, power_state.SHUTDOWN)
            raise processutils.ProcessExecutionError
        if WORLD.as_libvirt:
            self._set_state(instance, power_state.SHUTDOWN)
        return super().migrate_disk_and_power_off(context, instance, dest, flavor, *args, **kwargs)

    def snapshot(self, context: Any, instance: Any, image_id: Any, update_task_state: Any) -> None:
        if WORLD.as_libvirt:
            if instance.uuid not in self.instances:
                raise exception.InstanceNotRunning(instance_id=instance.uuid)
            update_task_state(task_state=task_states.IMAGE_PENDING_UPLOAD)
        WORLD.pass_gate(self._host, "snapshot")
        if instance.uuid not in self.instances:
            raise exception.InstanceNotRunning(instance_id=instance.uuid)
        if WORLD.as_libvirt:
            pending = task_states.IMAGE_PENDING_UPLOAD
            update_task_state(task_state=task_states.IMAGE_UPLOADING, expected_state=pending)
        else:
            update_task_state(task_state=task_states.IMAGE_UPLOADING)

    def get_available_resource(self, nodename: str) -> Any:
        found = super().get_available_resource(nodename)
        if WORLD.as_libvirt:
            found["disk_available_least"] = None  # zero would make all hosts alike to the disk weigher
        return found

    def rescue(self, context: Any, instance: Any, *args: Any, **kwargs: Any) -> None:
        if WORLD.as_libvirt and instance.uuid in self.instances:
            self._set_state(instance, power_state.RUNNING)

    def destroy(self, context: Any, instance: Any, *args: Any, **kwargs: Any) -> None:
        if WORLD.as_libvirt and instance.uuid in self.instances:
            self._set_state(instance, power_state.SHUTDOWN)  # it is killed first; what takes time is the rest
        WORLD.pass_gate(self._host, "destroy")
        super().destroy(context, instance, *args, **kwargs)

    def soft_delete(self, instance: Any) -> None:
        if WORLD.as_libvirt:
            raise NotImplementedError

    def restore(self, instance: Any) -> None:
        if WORLD.as_libvirt:
            raise NotImplementedError

    def pre_live_migration(self, context: Any, instance: Any, *args: Any, **kwargs: Any) -> Any:
        if WORLD.fails_on(self._host, "pre_live_migration"):
            raise exception.MigrationError(reason=f"pre_live_migration fails on {self._host}")
        return super().pre_live_migration(context, instance, *args, **kwargs)

    def spawn(self, context: Any, instance: Any, *args: Any, **kwargs: Any) -> None:
        if instance.task_state == task_states.REBUILD_SPAWNING:
            if WORLD.fails_on(self._host, "rebuild"):
                raise exception.MigrationError(reason=f"rebuild fails on {self._host}")
        elif instance.task_state == task_states.SPAWNING and WORLD.fails_on(self._host, "build"):
            raise exception.NovaException(f"build fails on {self._host}")
        super().spawn(context, instance, *args, **kwargs)

    def live_migration(
        self,
        context: Any,
        instance: Any,
        dest: Any,
        post_method: Any,
        recover_method: Any,
        block_migration: bool = False,
        migrate_data: Any = None,
    ) -> None:
        self.jobs[instance.uuid] = "finished"
        WORLD.pass_gate(self._host, "live_migration")
        outcome = self.jobs.pop(instance.uuid)
        guest = self.instances.get(instance.uuid)
        off = guest is None or guest.state == power_state.SHUTDOWN
        if WORLD.as_libvirt and outcome != "aborted" and (off or dest in WORLD.crashed):
            # There is no guest any more, or nobody takes it: the copy fails, if it has not been given up before.
            recover_method(context, instance, dest, migrate_data)
            return
        if WORLD.slow:
            self.aborted[instance.uuid] = waiting = eventlet.event.Event()
            outcome = waiting.wait(timeout=WORLD.slow_limit_s) or "finished"
            self.aborted.pop(instance.uuid, None)
        if outcome == "aborted":
            recover_method(context, instance, dest, migrate_data, migration_status="cancelled")
            return
        # A guest that has arrived is gone from where it was; without this the fake source would keep it.
        self.instances.pop(instance.uuid, None)
        post_method(context, instance, dest, block_migration, migrate_data)

    def live_migration_abort(self, instance: Any) -> None:
        if instance.uuid in self.aborted:
            self.aborted.pop(instance.uuid).send("aborted")
        elif instance.uuid in self.jobs:
            self.jobs[instance.uuid] = "aborted"
        elif WORLD.as_libvirt:
            raise _NoJobError

    def live_migration_force_complete(self, instance: Any) -> None:
        if instance.uuid in self.aborted:
            self.aborted.pop(instance.uuid).send("finished")
        elif WORLD.as_libvirt and instance.uuid not in self.jobs:
            raise exception.NoActiveMigrationForInstance(instance_id=instance.uuid)


GATED = (
    "spawn",
    "power_off",
    "power_on",
    "reboot",
    "pause",
    "unpause",
    "suspend",
    "resume",
    "rescue",
    "unrescue",
    "finish_migration",
    "finish_revert_migration",
    "confirm_migration",
    "pre_live_migration",
    "post_live_migration_at_destination",
    "check_can_live_migrate_destination",
    "check_can_live_migrate_source",
    "rollback_live_migration_at_destination",
)


def _gate(name: str) -> Any:
    inner = getattr(Driver, name)

    def gated(self: Any, *args: Any, **kwargs: Any) -> Any:
        WORLD.pass_gate(self._host, name)
        return inner(self, *args, **kwargs)

    return gated


for _name in GATED:
    setattr(Driver, _name, _gate(_name))


class _OwnConf:
    """Options as a host's own process has them: many hosts share one here, and the last one's name."""

    def __init__(self, shared: Any) -> None:
        self._shared = shared

    def __getattr__(self, name: str) -> Any:
        host = current_host() if name == "host" else None
        return host or getattr(self._shared, name)


def install_failures() -> None:
    """What fails before the driver is asked: the check of a live migration's destination, and prep_resize's claim."""
    from nova.compute import manager, resource_tracker

    check = manager.ComputeManager.check_can_live_migrate_destination
    claim = resource_tracker.ResourceTracker.resize_claim

    def check_can_live_migrate_destination(self: Any, *args: Any, **kwargs: Any) -> Any:
        if WORLD.fails_on(self.host, "live_migration_check"):
            raise exception.MigrationPreCheckError(reason=f"live migration check fails on {self.host}")
        return check(self, *args, **kwargs)

    def resize_claim(self: Any, *args: Any, **kwargs: Any) -> Any:
        if WORLD.fails_on(self.host, "resize_claim"):
            raise exception.ComputeResourcesUnavailable(reason=f"resize claim fails on {self.host}")
        return claim(self, *args, **kwargs)

    mapping = manager.ComputeManager._prep_block_device

    def prep_block_device(self: Any, *args: Any, **kwargs: Any) -> Any:
        WORLD.pass_gate(self.host, "_prep_block_device")
        return mapping(self, *args, **kwargs)

    manager.CONF = _OwnConf(manager.CONF)
    manager.ComputeManager._prep_block_device = prep_block_device
    manager.ComputeManager.check_can_live_migrate_destination = check_can_live_migrate_destination
    resource_tracker.ResourceTracker.resize_claim = resize_claim
