"""Classes of the user's own in many runs: what they say now counts, and their failures end in time."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import polars as pl
import pytest

import sim
from sim.errors import InputError
from sim.experiments.axes import Axis
from sim.experiments.driver import Driver, Finished
from sim.experiments.executors.inline import Inline
from sim.experiments.experiment import Experiment, experiment
from sim.experiments.precision import parse_until
from sim.experiments.store import Store
from sim.scenario.loader import digest

OWN = """
name: own
cloud:
  hosts: [{name: "h{n:1-3}", vcpus: 32, memory: 128 GiB, disk: 1 TiB}]
  flavors: [{name: m, vcpus: 2, memory: 4 GiB, disk: 20 GiB}]
  servers: [{name: "web-{n:1-2}", flavor: m, host: h1}]
  storage: {instances: shared}
  nova: %s
plan: [{drain: {hosts: [h1]}}]
"""
RULES = """
import numpy as np
from sim.model.scheduler.base import HostFilter
class Mine(HostFilter):
    def mask(self, request):
        return np.full(len(self.view.hosts), %s)
"""


def _run(made: Experiment, folder: Path) -> Finished:
    with Store(folder) as store, closing(Inline()) as running:
        return Driver(made, store, running).run()


@pytest.mark.parametrize("by", ["options", "conf"])
def test_another_text_of_an_own_class_is_another_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, by: str) -> None:
    """The same command after an edit of the class must not give what the class said before."""
    monkeypatch.chdir(tmp_path)
    given = {"options": "{options: {filter_scheduler: {enabled_filters: [ComputeFilter, 'rules.py:Mine']}}}",
             "conf": "{conf: n.conf}"}  # fmt: skip
    Path("n.conf").write_text("[filter_scheduler]\nenabled_filters = ComputeFilter,rules.py:Mine\n")
    Path("own.yaml").write_text(OWN % given[by])
    moved = []
    for answer in ("True", "False", "True"):
        Path("rules.py").write_text(RULES % answer)
        finished = _run(experiment("own.yaml", replications=1), tmp_path / "many")
        moved.append((pl.read_parquet(tmp_path / "many" / "runs.parquet")["moved"].to_list(), finished.found))
    assert moved == [([2.0], 0), ([0.0], 0), ([2.0], 1)]


def test_an_own_class_that_is_not_there_is_bad_input_and_not_so_many_failed_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("own.yaml").write_text(OWN % "{}")
    axis = Axis("cloud.migration_model", ("qemu", "model.py:Mine"))
    with pytest.raises(InputError, match=r"there is no file model.py"):
        experiment("own.yaml", (axis,), replications=2)


def test_another_trace_of_a_pattern_is_another_scenario(tmp_path: Path) -> None:
    text = OWN.replace('"web-{n:1-2}", flavor: m', '"web-{n:1-2}", flavor: m, cpu_trace: "t/{n}.txt"') % "{}"
    digests = []
    for place, loads in (("a", "1 2"), ("b", "1 2"), ("b", "1 3")):
        (tmp_path / place / "t").mkdir(parents=True, exist_ok=True)
        for name, load in zip("12", loads.split(), strict=True):
            (tmp_path / place / "t" / f"{name}.txt").write_text(f"{load}\n")
        (tmp_path / place / "s.yaml").write_text(text)
        digests.append(digest(sim.load(tmp_path / place / "s.yaml")))
    assert digests[0] == digests[1] != digests[2]


def test_a_precision_is_given_up_where_every_run_of_a_variant_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ten thousand failures, the most without -n, would not make it known."""
    monkeypatch.chdir(tmp_path)
    Path("own.yaml").write_text(OWN % "{}")
    Path("rules.py").write_text(
        "from sim.model.migration.own import MigrationModel\n"
        "class Mine(MigrationModel):\n    def dirtied_b(self): raise RuntimeError('no')\n"
    )
    axis = Axis("cloud.migration_model", ("qemu", "rules.py:Mine"))
    made = experiment("own.yaml", (axis,), until=parse_until("makespan ± 0.001 %", "--until", []))
    assert _run(made, tmp_path / "many") == Finished(10, 20, 10, 0, precise=False)
