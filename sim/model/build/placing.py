"""Servers of a scenario that name no host: placed by the cloud's own scheduler before anything happens."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from sim.eventlog.log import EventLog
from sim.model.exceptions import NoValidHost
from sim.model.scheduler.request import SchedulerRequest
from sim.model.scheduler.scheduler import Scheduler
from sim.model.server import Fault

if TYPE_CHECKING:
    from sim.model.cloud import Cloud
    from sim.model.scheduler.view import View
    from sim.model.server import Server


def place(cloud: Cloud, view: View, servers: Iterable[Server]) -> None:
    """Give each server a host, in order; one for which there is none is in ERROR, as after a failed build.

    What happened before the start is not in the log: only where the servers then are.
    """
    kept = cloud.placement.log
    cloud.placement.log = unseen = EventLog()
    scheduler = Scheduler(view, cloud.env, unseen, cloud.streams)
    try:
        for server in servers:
            try:
                host = scheduler.select(SchedulerRequest.for_build(server), 0).chosen
            except NoValidHost as error:
                server.vm_state, server.task_state = "error", None
                server.fault = Fault(error.code, str(error), "", 0.0)
                continue
            cloud.db.set_host(server, host)
    finally:
        cloud.placement.log = kept
