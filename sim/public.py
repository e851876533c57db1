"""The public face: what notebooks, scripts and tests use. ``sim.__all__`` is the list of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sim.eventlog.records import Record
from sim.runs.assumptions import assumptions
from sim.runs.engine import execute
from sim.runs.given import start
from sim.runs.result import Result
from sim.runs.session import Session as _Session
from sim.runs.simulation import Progress
from sim.runs.store import manifest, save
from sim.scenario.loader import dump
from sim.scenario.loader import load as _load
from sim.scenario.spec import Scenario

if TYPE_CHECKING:
    import polars

    from sim.metrics.answer import Answer


class Run:
    """A run: its records, tables and manifest. In memory after :func:`run`, on disk after :func:`open_run`."""

    def __init__(self, manifest: dict[str, Any], source: Result | Path) -> None:
        self.manifest = manifest
        self._source = source
        self._tables: Any = None

    def records(self) -> Sequence[Record]:
        """All records, in order."""
        if isinstance(self._source, Result):
            return self._source.records()
        from sim.eventlog.storage import read_records

        return tuple(read_records(self._source / "records"))

    def table(self, name: str, warm_up: float = 0.0) -> polars.DataFrame:
        """A table by name (``migrations``, ``servers``, ``hosts``, ``requests``, …); see the reference of tables.

        ``warm_up`` leaves out what happened before that many simulated seconds. InputError for a name there is not.
        """
        from sim.metrics.source import Records
        from sim.metrics.tables import table

        return table(self._records_source(Records), name, warm_up)

    def answer(self) -> Answer:
        """The answer in short: how long, what failed and why, downtime, headroom."""
        from sim.metrics.answer import answer
        from sim.metrics.source import Records

        return answer(self._records_source(Records))

    def explain(self, what: str, host: str | None = None) -> str:
        """A server (by name), a request or a decision (by number) in plain sentences: what happened and why.

        With ``host``, also why a decision did not choose that host. InputError for what the run does not know.
        """
        from sim.metrics.explain.story import explain
        from sim.metrics.source import Records

        return explain(self._records_source(Records), what, host)

    def report(self, path: str | Path) -> Path:
        """Write the report, one file of HTML that needs nothing else; returns its path."""
        from sim.metrics.source import Records
        from sim.plots.report import write_report

        source = self._records_source(Records)
        if not isinstance(self._source, Result):
            return write_report(source, path)
        scenario = self._source.scenario
        return write_report(source, path, assumptions=assumptions(scenario), scenario=dump(scenario))

    def trace(self, path: str | Path) -> Path:
        """Write the run as a trace for Perfetto (https://ui.perfetto.dev); returns its path."""
        from sim.metrics.source import Records
        from sim.plots.trace import write_trace

        return write_trace(self._records_source(Records), path)

    def _records_source(self, kind: Any) -> Any:
        if self._tables is None:  # tables once made are kept with it
            source = self._source
            self._tables = kind.open(source) if isinstance(source, Path) else kind.of(source.records(), self.manifest)
        return self._tables

    def save(self, folder: str | Path) -> Path:
        """Write the run folder; whole or absent."""
        if isinstance(self._source, Result):
            return save(self._source, folder)
        raise ValueError(f"this run is on disk already, at {self._source}")


class Session(_Session):
    """The scenario's cloud, stepped by hand; :meth:`run` looks at what has happened so far as a run."""

    def run(self) -> Run:
        """What has happened so far."""
        result = self.result()
        return Run(result.manifest, result)


def load(path: str | Path, sets: Sequence[str] = ()) -> Scenario:
    """Read a scenario file; ``sets`` are ``path=value`` overrides. InputError carries every issue found."""
    return _load(path, sets)


def run(
    scenario: Scenario | str | Path,
    seed: int | None = None,
    *,
    explain: bool = False,
    on_progress: Callable[[Progress], None] | None = None,
) -> Run:
    """Run a scenario (or the file of one) to its end. Same scenario and seed: same log, to the last bit."""
    if isinstance(scenario, str | Path):
        scenario = load(scenario)
    start(scenario, seed)
    result = execute(scenario, seed, explain=explain, on_progress=on_progress)
    return Run(result.manifest, result)


def open_run(folder: str | Path) -> Run:
    """A run that was saved before."""
    return Run(manifest(folder), Path(folder))
