"""What notebooks and scripts may use is a list, and the list is kept."""

from __future__ import annotations

import subprocess
import sys

import pytest

import sim

PUBLIC = [
    "InputError", "Issue", "LawViolation", "NovasimError", "Run", "Scenario", "Session", "check", "load", "open_run",
    "plots", "run",
]  # fmt: skip
"""A name may be added here; one that goes needs an entry in the changelog."""


def test_the_list_is_the_list() -> None:
    assert sim.__all__ == PUBLIC
    assert dir(sim) == sorted(PUBLIC)


def test_every_public_name_is_there_and_documented() -> None:
    for name in PUBLIC:
        assert getattr(sim, name).__doc__, f"sim.{name} says nothing of itself"


def test_importing_loads_no_engine() -> None:
    code = "import sys, sim; print([m for m in ('simpy', 'numpy', 'polars', 'matplotlib') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_unknown_names_are_errors() -> None:
    with pytest.raises(AttributeError, match="nothing"):
        dir(sim.nothing)
