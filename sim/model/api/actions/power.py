"""On and off, pause, suspend, and the way back: what users do to their servers' power."""

from __future__ import annotations

from sim.model.api.asked import NO_TASK, OnServer, Reply
from sim.model.api.routing import Action

_UNMAPPED = "Instance {} has no mapping to a cell."
_ACTIVE = frozenset(("active",))
_STOPPED = frozenset(("stopped",))
_STOPPABLE = frozenset(("active", "error"))
_PAUSED = frozenset(("paused",))
_SUSPENDED = frozenset(("suspended",))
_HARD_REBOOT = frozenset(("active", "stopped", "paused", "suspended", "error"))
_REBOOT_TASKS: frozenset[str | None] = NO_TASK | {
    "rebooting", "reboot_pending", "reboot_started", "resuming", "rebooting_hard", "unpausing", "pausing",
    "suspending",
}  # fmt: skip
"""Tasks in the midst of which a hard reboot is taken."""


def start(asked: OnServer) -> Reply:
    """``os-start``."""
    asked.can("servers:start")
    asked.not_locked()
    asked.has_host()
    asked.in_state(_STOPPED)
    asked.begin("powering-on", "start")
    return asked.cast(asked.cloud.compute.power.start(asked.ctx, asked.server))


def stop(asked: OnServer) -> Reply:
    """``os-stop``."""
    asked.can("servers:stop")
    asked.not_locked()
    asked.has_host()
    asked.in_state(_STOPPABLE)
    asked.begin("powering-off", "stop")
    return asked.cast(asked.cloud.compute.power.stop(asked.ctx, asked.server))


def reboot(asked: OnServer) -> Reply:
    """``reboot``, SOFT or HARD."""
    kind = str(asked.argument["type"]).upper()
    asked.can("servers:reboot")
    asked.not_locked()
    if kind == "SOFT":
        asked.in_state(_ACTIVE)
        asked.begin("rebooting", "reboot")
    else:
        asked.in_state(_HARD_REBOOT, _REBOOT_TASKS)
        asked.begin("rebooting_hard", "reboot")
    asked.to_its_host()
    return asked.cast(asked.cloud.compute.power.reboot(asked.ctx, asked.server, kind))


def pause(asked: OnServer) -> Reply:
    """``pause``."""
    _begin(asked, "os-pause-server:pause", _ACTIVE, "pausing", "pause")
    return asked.cast(asked.cloud.compute.power.pause(asked.ctx, asked.server))


def unpause(asked: OnServer) -> Reply:
    """``unpause``."""
    _begin(asked, "os-pause-server:unpause", _PAUSED, "unpausing", "unpause")
    return asked.cast(asked.cloud.compute.power.unpause(asked.ctx, asked.server))


def suspend(asked: OnServer) -> Reply:
    """``suspend``."""
    _begin(asked, "os-suspend-server:suspend", _ACTIVE, "suspending", "suspend")
    return asked.cast(asked.cloud.compute.power.suspend(asked.ctx, asked.server))


def resume(asked: OnServer) -> Reply:
    """``resume``."""
    _begin(asked, "os-suspend-server:resume", _SUSPENDED, "resuming", "resume")
    return asked.cast(asked.cloud.compute.power.resume(asked.ctx, asked.server))


def _begin(asked: OnServer, rule: str, vm_states: frozenset[str], task: str, action: str) -> None:
    asked.can(rule)
    asked.not_locked()
    asked.in_state(vm_states)
    asked.begin(task, action)
    asked.to_its_host()


ACTIONS = {
    "os-start": Action(start, "start", unknown=_UNMAPPED), "os-stop": Action(stop, "stop", unknown=_UNMAPPED),
    "reboot": Action(reboot),
    "pause": Action(pause), "unpause": Action(unpause), "suspend": Action(suspend), "resume": Action(resume),
}  # fmt: skip
