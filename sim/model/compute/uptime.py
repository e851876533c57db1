"""Which guests really run: what the hypervisors know and Nova's tables do not always say."""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING, Any, NamedTuple

from simpy.events import Event

from sim.eventlog import records
from sim.model import states
from sim.model.host import REBOOTING

if TYPE_CHECKING:
    from sim.model.cloud import Cloud
    from sim.model.server import Server
    from sim.scenario.distribution import Dist

_OFF = frozenset({states.NOSTATE, states.SHUTDOWN, states.CRASHED})
"""Power states in which there is nothing to shut down."""
_SUSPENDS = frozenset({states.PAUSED, states.SUSPENDED})


class _Lost(NamedTuple):
    """A guest that was lost with its host."""

    host: int
    since: float
    cause: str


class _Untold(NamedTuple):
    """What a guest really is, as long as its server's row says ``row`` on that host."""

    host: int | None
    row: int
    real: int


class Uptime:
    """``compute.uptime``."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud
        self._timeout_s = int(cloud.options["DEFAULT.shutdown_timeout"])
        self._retry_s = int(cloud.options["compute.shutdown_retry_interval"])
        self._lost: dict[str, _Lost] = {}
        self._returning: dict[str, _Lost] = {}
        """Servers that are missed until their guest, which was started, has booted, wherever it is then."""
        self._started: dict[str, float] = {}
        """Servers that were powered on in this run, and when."""
        self._booting: dict[str, float] = {}
        """Those of them of which it was asked how long their guest boots, and the answer."""
        self._served: dict[str, float] = {}
        """Servers that were missed, and when their guest served again."""
        self._untold: dict[str, _Untold] = {}

    # --- what the hypervisor would say --------------------------------------------------------------------------------

    def power(self, server: Server) -> int:
        """The power state on the hypervisor."""
        if server.unmade:
            return states.NOSTATE
        if self._loss(server) is not None:
            return states.SHUTDOWN
        untold = self._untold.get(server.name)
        if untold is not None and untold.host == server.host and untold.row == server.power_state:
            return untold.real
        return server.power_state

    def off(self, server: Server) -> bool:
        """Whether there is no guest to speak of."""
        return self.power(server) in _OFF

    def lost(self, server: Server) -> bool:
        """Whether its guest went with the host and has not been started since."""
        return self._loss(server) is not None

    def _loss(self, server: Server) -> _Lost | None:
        lost = self._lost.get(server.name)
        return lost if lost is not None and lost.host == server.host else None

    def missed_since(self, server: Server) -> float | None:
        """Since when its guest is missed; None if it is not."""
        lost = self._loss(server) or self._returning.get(server.name)
        return None if lost is None else lost.since

    # --- what happens to guests ---------------------------------------------------------------------------------------

    def host_died(self, host: int) -> None:
        """Every guest that ran on the host is lost."""
        cloud = self._cloud
        cause = "host-reboot" if cloud.hosts.power[host] == REBOOTING else "host-failure"
        for server in cloud.db.on_host.get(host, {}).values():
            if server.power_state not in _OFF and self._loss(server) is None:
                self._misses(server, host, cause)

    def is_now(self, server: Server, real: int) -> None:
        """What the guest is, whatever the server's row says of it."""
        if server.power_state == real:
            self._untold.pop(server.name, None)
        else:
            self._untold[server.name] = _Untold(server.host, server.power_state, real)

    def stops(self, server: Server, cause: str) -> None:
        """A guest that runs is stopped for a while, and missed from this moment on because of ``cause``."""
        if server.host is not None and not self.off(server):
            self._misses(server, server.host, cause)
        self._untold.pop(server.name, None)
        self._started.pop(server.name, None)

    def _misses(self, server: Server, host: int, cause: str) -> None:
        """From now on its guest is missed; one that had not booted yet is missed since it was before."""
        before = self._returning.pop(server.name, None)
        now = self._cloud.env.now
        self._lost[server.name] = _Lost(host, now, cause) if before is None else before._replace(host=host)

    def follows(self, server: Server) -> None:
        """The server is on another host; if its guest is missed, it is missed there."""
        lost = self._lost.get(server.name)
        if lost is not None and server.host is not None:
            self._lost[server.name] = lost._replace(host=server.host)

    def stays_off(self, server: Server, since: float) -> None:
        """It is stopped on the host that it was evacuated to; its guest is missed until somebody starts it."""
        lost = self._returning.pop(server.name, None) or self._lost.get(server.name)
        self._started.pop(server.name, None)
        self._untold.pop(server.name, None)
        if server.host is not None:
            since = max(since, self._served.get(server.name, since))
            self._lost[server.name] = _Lost(server.host, since, "host-failure" if lost is None else lost.cause)

    def boots(self, server: Server, request: str | None, since: float | None = None, cause: str = "") -> None:
        """The guest was started at this moment. It was missed since ``since``, because of ``cause``; None: it was not.

        A guest that was lost with its host was missed since then, also if it had been started once before and had not
        booted. One that was asked to go down while it booted was missed since it had done that.
        """
        cloud = self._cloud
        lost = self._loss(server) or self._returning.pop(server.name, None)
        server.unmade_on = None
        self._lost.pop(server.name, None)
        self._untold.pop(server.name, None)
        self._started[server.name] = cloud.env.now
        self._booting.pop(server.name, None)
        if lost is not None:
            since, cause = lost.since, lost.cause
        if since is not None and server.host is not None:
            since = max(since, self._served.get(server.name, since))
            self._returning[server.name] = _Lost(server.host, since, cause)
            cloud.cast(self._serve(server, request))

    def gone(self, server: Server) -> None:
        """The guest is off, on purpose, or deleted: nobody misses it any more."""
        lost = self._loss(server) or self._returning.get(server.name)
        self._lost.pop(server.name, None)
        self._returning.pop(server.name, None)
        self._untold.pop(server.name, None)
        if lost is not None:
            now = self._cloud.env.now
            self._cloud.log.append(records.Downtime(now, server.name, lost.since, lost.cause, None))
        self._started.pop(server.name, None)

    def missed(self) -> list[records.Downtime]:
        """The guests that are missed at this moment, each as if its downtime ended now."""
        cloud = self._cloud
        lost = [(name, one) for name, one in self._lost.items() if one.host == cloud.db.servers[name].host]
        return [
            records.Downtime(cloud.env.now, name, one.since, one.cause, None)
            for name, one in (*lost, *self._returning.items())
            if not cloud.db.servers[name].deleted
        ]

    def _serve(self, server: Server, request: str | None) -> Generator[Event, Any, None]:
        """The downtime ends when the guest has booted, if nothing has happened to it meanwhile."""
        cloud, began, host = self._cloud, self._cloud.env.now, server.host
        yield cloud.env.timeout(self._boot_s(server))
        missed = self._returning.pop(server.name, None) if self._started.get(server.name) == began else None
        name, outcome = None if host is None else cloud.hosts.names[host], "aborted" if missed is None else "done"
        cloud.log.append(records.Step(cloud.env.now, server.name, request, "guest_boot", name, began, outcome))
        if missed is not None:
            self._served[server.name] = cloud.env.now
            cloud.log.append(records.Downtime(cloud.env.now, server.name, missed.since, missed.cause, request))

    def _boot_s(self, server: Server) -> float:
        """How long the guest boots that was started last."""
        found = self._booting.get(server.name)
        if found is None:
            found = self._cloud.streams.draw(self._cloud.timings.guest_boot, "guest_boot", server.name)
            self._booting[server.name] = found
        return found

    # --- clean shutdowns ----------------------------------------------------------------------------------------------

    def shutdown_s(self, server: Server, dist: Dist, step: str) -> float:
        """Seconds until a guest that is asked to shut down is off, one way or the other.

        It obeys ``dist`` after the first signal that it hears; after ``shutdown_timeout`` (or the image's own) it is
        powered off. A guest that still boots hears nothing; the signal is sent again every ``shutdown_retry_interval``.
        """
        if self.off(server):
            return 0.0
        timeout = self._timeout_s
        if server.image is not None:
            timeout = int(server.image.properties.get("os_shutdown_timeout", timeout))
        if timeout <= 0 or self.power(server) in _SUSPENDS:
            return float(max(timeout, 0))
        obeys = self._cloud.streams.draw(dist, step, server.name)
        return min(self._heard_s(server, timeout) + obeys, float(timeout))

    def _heard_s(self, server: Server, timeout: int) -> float:
        """When the first signal comes that the guest hears: they are sent after 0, r, 2 r + 1, 3 r + 2, … seconds."""
        started = self._started.get(server.name)
        now = self._cloud.env.now
        if started is None or now - started >= _LONG_UP_S:
            return 0.0
        deaf = started + self._boot_s(server) - now
        sent, wait = 0.0, float(self._retry_s)
        while sent < deaf and sent < timeout:
            sent += wait
            wait = self._retry_s + 1.0
        return sent


_LONG_UP_S = 600.0
"""A guest that was started this long ago is not booting any more."""
