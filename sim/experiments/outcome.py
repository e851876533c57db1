"""One run of an experiment: what is to be done, and what came of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, NamedTuple

import msgspec

from sim.runs.result import Result

Measurement = Callable[[Result], dict[str, float]]
"""What to measure of a run beside its summary: a function of a module, so that any process can find it."""
Stage = Literal["scenario", "run", "laws", "measure", "save", "worker"]


class Task(NamedTuple):
    """One run to make. All that decides its result is in it, or named by a digest."""

    key: str
    """Name of its file: says the scenario, the seed, the measurement and the code."""
    variant: str
    replication: int
    seed: int
    scenario: str
    """Digest of the scenario."""
    command: str
    """What to type to see this run."""
    warm_up: float = 0.0
    measurement: Measurement | None = None
    keep: str | None = None
    """Where to keep the whole run folder; None keeps the summary only."""


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What came of a run: its numbers, or where it failed and why."""

    key: str
    variant: str
    replication: int
    seed: int
    scenario: str
    command: str
    log_digest: str | None = None
    values: dict[str, float | None] = {}
    """The summary and what else was measured; None is nothing to measure."""
    stage: Stage | None = None
    """Where it failed; None: it did not."""
    error: str | None = None
    wall_s: float = 0.0
    """Processor time that it took."""

    @property
    def failed(self) -> bool:
        """Whether there are no numbers."""
        return self.stage is not None


def failure(task: Task, stage: Stage, error: str, wall_s: float = 0.0) -> Outcome:
    """The row of a run that failed."""
    return Outcome(
        key=task.key, variant=task.variant, replication=task.replication, seed=task.seed, scenario=task.scenario,
        command=task.command, stage=stage, error=error, wall_s=wall_s,
    )  # fmt: skip


def to_json(outcome: Outcome) -> bytes:
    """The outcome as JSON text; numbers keep every bit."""
    return msgspec.json.format(msgspec.json.encode(outcome), indent=1) + b"\n"


def from_json(text: bytes) -> Outcome:
    """The outcome of a text; ValueError if it is none, for example half of one."""
    try:
        return msgspec.json.decode(text, type=Outcome)
    except msgspec.DecodeError as error:
        raise ValueError(str(error)) from None


def row(outcome: Outcome) -> dict[str, Any]:
    """The outcome as a row of the table of runs; nothing in it depends on where or when it was run."""
    return {
        "variant": outcome.variant, "replication": outcome.replication, "seed": outcome.seed,
        "status": "failed" if outcome.failed else "done", "stage": outcome.stage, "error": outcome.error,
        "command": outcome.command, "scenario_digest": outcome.scenario, "log_digest": outcome.log_digest,
        **outcome.values,
    }  # fmt: skip
