"""novasim: a discrete-event simulator of an OpenStack Nova cloud under administrative actions.

``import sim`` costs nothing: what ``sim.__all__`` names is loaded when it is first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sim import plots
    from sim.errors import InputError, Issue, LawViolation, NovasimError
    from sim.public import Run, Session, load, open_run, run
    from sim.runs.checkers import check
    from sim.scenario.spec import Scenario

_HOME = {
    "InputError": "sim.errors", "Issue": "sim.errors", "LawViolation": "sim.errors", "NovasimError": "sim.errors",
    "Run": "sim.public", "Session": "sim.public", "load": "sim.public", "open_run": "sim.public", "run": "sim.public",
    "Scenario": "sim.scenario.spec", "check": "sim.runs.checkers", "plots": "",
}  # fmt: skip

__all__ = [
    "InputError", "Issue", "LawViolation", "NovasimError", "Run", "Scenario", "Session", "check", "load", "open_run",
    "plots", "run",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    home = _HOME.get(name)
    if home is None:
        raise AttributeError(f"module 'sim' has no attribute {name!r}")
    found = getattr(importlib.import_module(home), name) if home else importlib.import_module(f"sim.{name}")
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted(__all__)
