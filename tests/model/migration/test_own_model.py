"""The battery for migration models finds what is wrong, and an own model is in force where a scenario names it."""

from __future__ import annotations

import itertools
import math
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any, ClassVar

import pytest
from typer.testing import CliRunner

import sim
from sim.cli.main import app
from sim.errors import InputError
from sim.eventlog.records import LiveCopy
from sim.model import own_class
from sim.model.migration.battery import examine
from sim.model.migration.limits import CLARK_2005, XEN, LiveMigrationLimits, XenRules
from sim.model.migration.memory import GuestMemory
from sim.model.migration.own import GROUP, MigrationModel, migration_model
from sim.model.migration.precopy import PreCopy
from sim.model.migration.rounds import Rounds
from sim.model.migration.xen import XenRounds
from sim.runs.engine import execute
from sim.units import GIB


class Xen(XenRounds):
    def __init__(self, memory: GuestMemory, limits: LiveMigrationLimits, disk_b: float, rules: XenRules = XEN) -> None:
        super().__init__(memory, limits, disk_b, rules)


class Xen2005(Xen):
    def __init__(self, memory: GuestMemory, limits: LiveMigrationLimits, disk_b: float) -> None:
        super().__init__(memory, limits, disk_b, CLARK_2005)


class StopAndCopy(MigrationModel):
    """The guest stands still for all of it."""

    def next_sync_s(self, threshold_b: float, rate_bps: float) -> float:
        return 0.0

    def dirtied_b(self) -> float:
        return 0.0

    def stops(self, threshold_b: float) -> bool:
        return True


class FiveRounds(MigrationModel):
    """Whole rounds, five at most."""

    def next_sync_s(self, threshold_b: float, rate_bps: float) -> float:
        return self.left_b / rate_bps

    def stops(self, threshold_b: float) -> bool:
        return self.rounds >= 5 or super().stops(threshold_b)


@pytest.mark.parametrize("kind", [Rounds, MigrationModel, Xen, Xen2005, StopAndCopy, FiveRounds])
def test_good_models_pass(kind: type[Rounds]) -> None:
    assert examine(kind) == []


# --- what it finds ----------------------------------------------------------------------------------------------------


class Endless(MigrationModel):
    def next_sync_s(self, threshold_b: float, rate_bps: float) -> float:
        return 0.0

    def stops(self, threshold_b: float) -> bool:
        return False


class Backwards(MigrationModel):
    def next_sync_s(self, threshold_b: float, rate_bps: float) -> float:
        return -1.0


class Unknown(MigrationModel):
    def dirtied_b(self) -> float:
        return math.nan


class Lucky(MigrationModel):
    """As if it threw dice: what it answers does not follow from what it sees."""

    throws = itertools.count()

    def stops(self, threshold_b: float) -> bool:
        return next(self.throws) % 11 == 10


class Hoarding(MigrationModel):
    """Remembers in a list, which every copy of it shares."""

    seen: ClassVar[list[float]] = []

    def stops(self, threshold_b: float) -> bool:
        self.seen.append(self.left_b)
        return len(self.seen) % 7 == 0


class Forgetful(MigrationModel):
    """Answers the whole round's length, not what is left of it."""

    def next_sync_s(self, threshold_b: float, rate_bps: float) -> float:
        return 0.2

    def stops(self, threshold_b: float) -> bool:
        return self.rounds >= 10


class Broken(MigrationModel):
    def dirtied_b(self) -> float:
        raise KeyError("memory")


@pytest.mark.parametrize(("kind", "found"), [
    (Endless, "let stops() answer True"), (Backwards, "next_sync_s answers -1.0"), (Unknown, "dirtied_b answers nan"),
    (Lucky, "otherwise"), (Hoarding, "otherwise"), (Forgetful, "in pieces"), (Broken, "it raises KeyError"),
])  # fmt: skip
def test_bad_models_are_found_out(kind: type[Rounds], found: str) -> None:
    faults = examine(kind)
    assert any(found in fault for fault in faults), faults


def test_a_guest_that_never_stops_is_an_error_and_no_endless_run() -> None:
    guest = GuestMemory(1 * GIB, 1 * GIB, 1e9, 1 * GIB)
    copy = PreCopy(guest, LiveMigrationLimits(model=Endless))
    with pytest.raises(InputError, match="rounds in no time, and no end"):
        copy.next_change(1e8)


# --- in a scenario ----------------------------------------------------------------------------------------------------

OWN = """
from sim.model.migration.own import MigrationModel

class StopAndCopy(MigrationModel):
    def next_sync_s(self, threshold_b, rate_bps):
        return 0.0

    def dirtied_b(self):
        return 0.0

    def stops(self, threshold_b):
        return True

NUMBER = 3
"""


def scenario(tmp_path: Path, model: str) -> Path:
    (tmp_path / "own.py").write_text(OWN, encoding="utf-8")
    path = tmp_path / "own.yaml"
    text = f"""
name: own
cloud:
  hosts: [{{name: "h{{n:1-2}}", vcpus: 16, memory: 64 GiB, disk: 500 GiB, nic: 10 Gbit/s}}]
  flavors: [{{name: m, vcpus: 2, memory: 8 GiB, disk: 20 GiB}}]
  servers: [{{name: vm, flavor: m, host: h1, activity: {{dirty: 0 B/s, working_set: 0 B, nonzero: 1.0}}}}]
  storage: {{instances: shared}}
  timings: ideal
  migration_model: "{model}"
plan: [{{drain: {{hosts: [h1]}}}}]
"""
    path.write_text(text, encoding="utf-8")
    return path


def copies(path: Path) -> list[LiveCopy]:
    return [record for record in execute(sim.load(path), 1).records() if isinstance(record, LiveCopy)]


def test_an_own_model_is_in_force(tmp_path: Path) -> None:
    """8 GiB over 10 GbE stand still for as long as they take; QEMU's own stops for 50 ms at most."""
    (own,) = copies(scenario(tmp_path, f"{tmp_path}/own.py:StopAndCopy"))
    (qemus,) = copies(scenario(tmp_path, "qemu"))
    assert own.downtime_s >= 8 * GIB / 1.25e9
    assert own.bytes_memory == qemus.bytes_memory == 8 * GIB
    assert qemus.downtime_s <= 0.05


@pytest.mark.parametrize(("name", "told"), [
    ("vmware", "'vmware' is not known"), ("nowhere.py:Own", "there is no file nowhere.py"),
    ("{own}:Missing", "has no class Missing"), ("{own}:NUMBER", "is no MigrationModel"),
])  # fmt: skip
def test_names_that_lead_nowhere(tmp_path: Path, name: str, told: str) -> None:
    path = scenario(tmp_path, name.format(own=tmp_path / "own.py"))
    for command in (["check", str(path)], ["run", str(path), "--out", str(tmp_path / "out")]):
        caught = CliRunner().invoke(app, command).exception
        assert isinstance(caught, InputError)  # which is exit code 2
        assert "cloud.migration_model" in str(caught)
        assert told in str(caught)
    assert not (tmp_path / "out").exists()


def test_entry_points(monkeypatch: pytest.MonkeyPatch) -> None:
    points = [EntryPoint("five", f"{__name__}:FiveRounds", GROUP)]
    monkeypatch.setattr(own_class, "entry_points", lambda group: points if group == GROUP else [])
    found: Any = migration_model("five")
    assert found.__name__ == "FiveRounds"
    with pytest.raises(InputError, match="known are qemu, five"):
        migration_model("six")
