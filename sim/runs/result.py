"""What a run leaves: its records and the manifest that says what made them."""

from __future__ import annotations

import platform
from collections.abc import Sequence
from importlib.metadata import version
from typing import Any

from sim.eventlog.log import digest
from sim.eventlog.records import Record
from sim.scenario.loader import digest as scenario_digest
from sim.scenario.spec import Scenario


class Result:
    """A finished (or, when interrupted, partial) run: scenario, seed, records, manifest."""

    def __init__(
        self,
        scenario: Scenario,
        seed: int,
        records: Sequence[Record],
        *,
        simulated_s: float,
        partial: bool,
        checked: bool,
    ) -> None:
        self.scenario, self.seed = scenario, seed
        self._records = records
        self.manifest: dict[str, Any] = {
            "scenario": scenario.name,
            "scenario_digest": scenario_digest(scenario),
            "seed": seed,
            "log_digest": digest(records),
            "records": len(records),
            "simulated_s": simulated_s,
            "partial": partial,
            "checked": checked,
            "versions": {
                "novasim": version("novasim"),
                "python": platform.python_version(),
                "simpy": version("simpy"),
                "numpy": version("numpy"),
            },
        }

    def records(self) -> Sequence[Record]:
        """All records, in order."""
        return self._records
