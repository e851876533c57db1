"""Answers about failures as scenarios: the hosts fail, and an operator evacuates them; simulated at once, and kept.

The operator begins when Nova believes all of them to be down: who begins earlier may send servers to hosts that are
dead and not yet believed to be.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sim.metrics.answer import answer
from sim.runs.engine import execute
from sim.scenario.expand import nova_options
from sim.scenario.loader import dump
from sim.scenario.spec import PlanStep, RunSpec, Scenario

_CONCURRENCY = 8


@dataclass(frozen=True, slots=True)
class Replay:
    """A failure that was simulated: what failed, and how many of its servers were evacuated."""

    what: str
    scenario: str
    """The scenario's file."""
    asked: int
    moved: int
    stayed: tuple[tuple[str, tuple[str, ...]], ...]
    """Reason, and the servers that were not evacuated for it."""


def failure_scenario(scenario: Scenario, hosts: Sequence[str]) -> Scenario:
    """The cloud as it stands, nothing but the failure of these hosts and their evacuation."""
    options = nova_options(scenario.cloud)
    believed_s = options["DEFAULT.service_down_time"] + 2 * options["DEFAULT.report_interval"]
    steps: list[dict[str, Any]] = [
        {"at": "1 min", "name": "failure", "fail": {"hosts": list(hosts), "kind": "crash"}},
        {
            "at": f"{60 + believed_s} s",
            "name": "rescue",
            "evacuate": {"hosts": list(hosts), "concurrency": _CONCURRENCY},
        },
    ]
    plan = tuple(PlanStep.model_validate(step) for step in steps)
    run = RunSpec(seed=scenario.run.seed)
    return scenario.model_copy(update={"plan": plan, "faults": (), "workload": (), "run": run, "story": ""})


def replay(scenario: Scenario, hosts: Sequence[str], what: str, path: Path, seed: int) -> Replay:
    """Write the failure as a scenario and simulate it once, with that seed."""
    made = failure_scenario(scenario, hosts)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"# {what} fail together, and their servers are evacuated.\n{dump(made)}", encoding="utf-8")
    said = answer(execute(made, seed))
    reasons = tuple((one.reason, tuple(one.servers)) for one in (*said.failed_reasons, *said.left_reasons))
    return Replay(what, str(path), said.asked, said.moved, reasons)
