"""What nova-compute does with each server of its host when it starts again: ``init_host``, then ``_sync_power_states``.

All that ran on the host may be gone, and with it every operation that was under way there: the servers stand as those
operations left them. If the service was only silent, what was under way goes on, and there is little to do. Orders that
wait in the queue are heard afterwards.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

from sim.model import states
from sim.model.compute.orders import Order, Steps, periodic_context
from sim.model.compute.power import HARD, HARD_TASKS, SOFT, SOFT_TASKS
from sim.model.host import UP
from sim.model.server import Server

if TYPE_CHECKING:
    from sim.model.cloud import Cloud

_BUILDING = frozenset({"scheduling", "block_device_mapping", "networking", "spawning"})
_REBUILDING = frozenset({"rebuilding", "rebuild_block_device_mapping", "rebuild_spawning"})
_FORGOTTEN = frozenset({
    "image_snapshot_pending", "image_pending_upload", "image_uploading", "image_snapshot", "resize_prep",
})  # fmt: skip
"""Tasks that are simply given up."""
_HARMLESS = frozenset({
    "reboot_started", "reboot_started_hard", "rebooting_hard", "rebooting", "pausing", "unpausing",
})  # fmt: skip
"""Tasks that are given up if the guest runs."""


class Restart:
    """``compute.restart``."""

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud
        self._resumes = bool(cloud.options["DEFAULT.resume_guests_state_on_host_boot"])
        self._fuzz_s = float(cloud.options["DEFAULT.periodic_fuzzy_delay"])
        self._sync_s = float(int(cloud.options["DEFAULT.sync_power_state_interval"]) or _SYNC_S)
        if not cloud.options["DEFAULT.periodic_enable"]:
            self._sync_s = -1.0
        self._known: dict[int, int] = {}
        """Host → its boot that nova-compute has seen the start of."""
        self.unheard: set[str] = set()
        """Servers whose orders wait for a host that does not listen."""

    def host_returned(self, host: int, evacuated: Collection[Server] = ()) -> None:
        """nova-compute starts again on the host. Servers that were ``evacuated`` are no business of its any more."""
        cloud = self.cloud
        boot = cloud.hosts.crashes[host]
        crashed = self._known.get(host, 0) != boot
        self._known[host] = boot
        there = list(cloud.db.on_host.get(host, {}).values())
        for server in there:
            idle = server.name not in cloud.processes or server.name in self.unheard
            if server not in evacuated and (crashed or idle):
                self._init(server, crashed)
        if crashed:
            self._interrupted_builds(host)
            if self._sync_s > 0 and self._off_unseen(host):
                cloud.env.process(self._sync(host, boot))

    # --- each server --------------------------------------------------------------------------------------------------

    def _init(self, server: Server, crashed: bool) -> None:
        """``_init_instance``."""
        db, task = self.cloud.db, server.task_state
        if server.vm_state == "soft-delete" or (
            server.vm_state == "error" and task not in {"resize_migrating", "deleting"}
        ):
            return
        if server.vm_state == "building" or task in _BUILDING or (
            task in _REBUILDING and server.vm_state in {"active", "stopped"}
        ):  # fmt: skip
            db.save(server, None, vm_state="error", task_state=None)
            return
        if task in _FORGOTTEN:
            db.save(server, None, task_state=None)
        again = self._again(server)
        if again is not None:
            self.cloud.cast(again, server)
        elif crashed and self._resumes and server.power_state == states.RUNNING:
            self.cloud.cast(self._resume(server), server)

    def _again(self, server: Server) -> Steps | None:
        """The work that is taken up again, if there is any."""
        compute, ctx, task = self.cloud.compute, periodic_context(server), server.task_state
        power, steps = compute.uptime.power(server), None
        if task == "deleting":
            steps = compute.deleting.again(server)
        elif task in SOFT_TASKS or task in HARD_TASKS:
            steps = self._reboot(server)
        elif task in _HARMLESS and power == states.RUNNING:
            self.cloud.db.save(server, None, vm_state="active", task_state=None)
        elif task == "unpausing" and power == states.PAUSED:
            steps = compute.power.unpause(ctx, server)
        elif task == "resize_migrating":
            steps = compute.resize.roll_back(server)
        elif task == "powering-off":
            steps = compute.power.stop(ctx, server)
        elif task == "powering-on":
            steps = compute.power.start(ctx, server)
        return steps

    def _reboot(self, server: Server) -> Steps | None:
        """``_retry_reboot``: with the guest gone it is a hard one, whatever it began as."""
        off, task = self.cloud.compute.uptime.off(server), server.task_state
        if not off and task not in {"reboot_pending", "reboot_pending_hard"}:
            self.cloud.db.save(server, None, vm_state="active", task_state=None)
            return None
        kind = SOFT if not off and task in SOFT_TASKS else HARD
        if kind == HARD and task in SOFT_TASKS:
            self.cloud.db.save(server, None, task_state="reboot_pending_hard")
        return self.cloud.compute.power.reboot(periodic_context(server), server, kind)

    def _resume(self, server: Server) -> Steps:
        """``resume_guests_state_on_host_boot``: what ran is started again; Nova writes nothing of it."""
        order = Order(self.cloud, periodic_context(server), server, None)
        if not self.cloud.compute.uptime.off(server):
            return
        if (yield from order.arrive()) and (yield from order.spend(self.cloud.timings.reboot_hard, "reboot_hard")):
            self.cloud.compute.uptime.boots(server, order.ctx.request)

    def _interrupted_builds(self, host: int) -> None:
        """Servers that hold resources here and wait for their build to begin are in error; the order may still come."""
        cloud = self.cloud
        for name in list(cloud.processes):
            server = cloud.db.servers[name]
            if server.vm_state == "building" and server.host is None and host in server.held:
                cloud.db.save(server, None, vm_state="error", task_state=None)

    # --- power states -------------------------------------------------------------------------------------------------

    def _sync(self, host: int, boot: int) -> Steps:
        """``_sync_power_states`` finds guests that were lost: soon after the start, then at every interval."""
        cloud = self.cloud
        wait = cloud.streams.uniform("periodic.sync", cloud.hosts.names[host]) * self._fuzz_s
        while True:
            yield cloud.env.timeout(wait)
            if cloud.hosts.crashes[host] != boot:
                return
            unseen = self._off_unseen(host)
            if not unseen:
                return
            if cloud.hosts.power[host] == UP:
                for server in unseen:
                    if server.task_state is None:
                        self._found_off(server)
            wait = self._sync_s

    def _off_unseen(self, host: int) -> list[Server]:
        """Servers of the host whose guests are lost without Nova's tables saying so."""
        servers, lost = self.cloud.db.on_host.get(host, {}).values(), self.cloud.compute.uptime.lost
        return [server for server in servers if server.power_state != states.SHUTDOWN and lost(server)]

    def _found_off(self, server: Server) -> None:
        """The guest is off: an active or paused server is stopped through the API, as if somebody had asked."""
        cloud, db = self.cloud, self.cloud.db
        if server.vm_state not in {"active", "paused"}:
            db.save(server, None, power_state=states.SHUTDOWN)
            return
        ctx = periodic_context(server, db.next_request_id())
        db.save(server, ctx.request, power_state=states.SHUTDOWN)
        db.save(server, ctx.request, task_state="powering-off")
        db.start_action(server, "stop", ctx)
        cloud.cast(cloud.compute.power.stop(ctx, server), server)


_SYNC_S = 600.0
"""Nova's default spacing of the task."""
