"""What every operator does: announce a job, ask Nova, wait for what was asked, and say how it went."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import Any

from simpy.events import Event

from sim.eventlog import records
from sim.model.api.door import ApiAnswer, Call
from sim.model.cloud import Cloud
from sim.model.server import Server

Steps = Generator[Event, Any, None]
REFUSED = 400
"""Answers of Nova's from this code on are refusals."""


@dataclass(slots=True)
class Job:
    """One operation of a plan while it lasts."""

    number: int
    kind: str
    target: str
    moved: int = 0
    left: int = 0


class Operator:
    """Announces jobs, asks the door, waits for servers."""

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud
        self._jobs = 0

    def begin(self, kind: str, target: str, servers: int = 0) -> Job:
        """A job begins."""
        self._jobs += 1
        job = Job(self._jobs, kind, target)
        self.cloud.log.append(records.Operation(self.cloud.env.now, job.number, kind, target, "begun", "", "", servers))
        return job

    def end(self, job: Job, outcome: str = "done", detail: str = "") -> None:
        """A job is over."""
        self.cloud.log.append(
            records.Operation(self.cloud.env.now, job.number, job.kind, job.target, "ended", outcome, detail)
        )

    def leave_to_human(self, server: Server, job: Job, reason: str) -> None:
        """Give up on a server and say why; one that is deleted needs nobody."""
        if server.deleted:
            return
        job.left += 1
        self.cloud.log.append(records.NeedsHuman(self.cloud.env.now, server.name, job.number, reason))

    def ask(
        self, server: Server, body: dict[str, Any], microversion: str, who: str = "operator"
    ) -> Generator[Event, Any, ApiAnswer]:
        """Ask Nova for an action as an administrator; returns its answer when it has come."""
        call = Call(
            server=server.name, body=body, microversion=microversion, roles=("admin",), project=server.project, who=who
        )
        return (yield from self.cloud.door.request(call))

    def wait(self, server: Server) -> Steps:
        """Wait until nothing is under way on a server."""
        process = self.cloud.processes.get(server.name)
        while process is not None:
            yield process
            process = self.cloud.processes.get(server.name)

    def wait_at_most(self, server: Server, patience_s: float) -> Generator[Event, Any, bool]:
        """The same, but no longer than that. False if something still is under way then."""
        enough = self.cloud.env.timeout(patience_s)
        process = self.cloud.processes.get(server.name)
        while process is not None and not enough.processed:
            yield process | enough
            process = self.cloud.processes.get(server.name)
        return process is None


def failure(server: Server, request: str) -> str:
    """Why the last thing asked of a server failed, in Nova's own words: the failed event's details, or the fault."""
    for action in reversed(server.actions):
        if action.request == request:
            for event in reversed(action.events):
                if event.result == "Error" and event.details:
                    return event.details
            break
    if server.fault is not None and server.vm_state == "error":
        return server.fault.message
    if server.migrations:
        return f"migration ended as {server.migrations[-1].status}"
    return "nothing happened"
