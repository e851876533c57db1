"""Stages of operations in time: a worker's turn, a host's own work. Each leaves what it drew in the records."""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING

from simpy.events import Event

from sim.eventlog import records
from sim.kernel.pool import Pool
from sim.model.host import UP
from sim.scenario.distribution import Dist

if TYPE_CHECKING:
    from sim.model.cloud import Cloud
    from sim.model.server import Server

RPC_TIMEOUT_S = 60.0
"""oslo.messaging's rpc_response_timeout: a compute that gives no sign of life for this long counts as not answering."""

CONDUCTOR = "conductor"
"""What instance action events of the conductor have as their host."""


class Stages:
    """Spends simulated time in the name of an operation."""

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud
        self._env, self._log, self._streams, self._hosts = cloud.env, cloud.log, cloud.streams, cloud.hosts

    def worker(self, pool: Pool, step: str, dist: Dist, server: Server, request: str) -> Generator[Event, None, None]:
        """One of the workers of ``pool`` works for ``dist``. The caller gives it back with ``pool.release()``."""
        env = self._env
        waiting = pool.acquire()
        if waiting is not None:
            began = env.now
            yield waiting
            self._log.append(records.Waited(env.now, step, server.name, request, began))
        began = env.now
        yield env.timeout(self._streams.draw(dist, step, server.name))
        self._log.append(records.Step(env.now, server.name, request, step, None, began, "done"))

    def host(self, dist: Dist, step: str, host: int, server: Server, request: str) -> Generator[Event, None, bool]:
        """A host works for ``dist``, longer where it is slow. False if it cannot be reached at the end of it."""
        seconds = self._streams.draw(dist, step, server.name) * self._hosts.slow[host]
        return self.host_for(seconds, step, host, server, request)

    def host_for(
        self, seconds: float, step: str, host: int, server: Server, request: str
    ) -> Generator[Event, None, bool]:  # fmt: skip
        """The same for so many seconds, however slow the host is."""
        began = self._env.now
        yield self._env.timeout(seconds)
        return self.over(step, host, server, request, began)

    def takes(self, dist: Dist, step: str, host: int, server: Server) -> Event:
        """The end of a host's work, for callers that wait for it themselves and then say :meth:`over`.

        It is :meth:`host` without a generator of its own: for the stages of which a drain has tens of thousands.
        """
        return self._env.timeout(self._streams.draw(dist, step, server.name) * self._hosts.slow[host])

    def over(self, step: str, host: int, server: Server, request: str, began: float) -> bool:
        """A host's work ends here. False if it cannot be reached."""
        hosts = self._hosts
        well = hosts.power[host] == UP
        how = "done" if well else "failed"
        self._log.append(records.Step(self._env.now, server.name, request, step, hosts.names[host], began, how))
        return well

    def no_answer(self, since: float) -> Generator[Event, None, None]:
        """Wait until a call made at ``since`` to a host that is silent counts as unanswered."""
        left = since + RPC_TIMEOUT_S - self._env.now
        if left > 0:
            yield self._env.timeout(left)
