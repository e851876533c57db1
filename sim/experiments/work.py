"""Making one run: in whatever process, on whatever machine, with the same result."""

from __future__ import annotations

import gc
import math
import time
from functools import lru_cache
from hashlib import sha256
from importlib.metadata import entry_points, version
from importlib.util import find_spec
from pathlib import Path

import msgspec

import sim
from sim.errors import LawViolation, NovasimError
from sim.experiments.outcome import Outcome, Stage, Task, failure
from sim.metrics.summary import summary
from sim.model.migration.own import GROUP as MODEL_GROUP
from sim.model.scheduler.loading import FILTER_GROUP, WEIGHER_GROUP
from sim.runs.engine import BrokenRunError, execute
from sim.runs.result import Result
from sim.runs.store import save
from sim.scenario.loader import digest, to_plain
from sim.scenario.spec import Scenario

_ROOMS = ("errors.py", "units.py", "eventlog", "kernel", "metrics", "model", "runs", "scenario")
"""What decides the result of a run, in this package's folder."""


class UnlikeError(NovasimError):
    """A worker has other files than the driver."""

    def __str__(self) -> str:
        return (
            "the scenario is not the same here: files that it names must lie at the same paths on every machine, "
            "and stay as they are during a sweep"
        )


def pack(scenario: Scenario) -> bytes:
    """A scenario as it travels to those who run it."""
    return msgspec.json.encode(to_plain(scenario))


@lru_cache(maxsize=4)
def unpack(text: bytes, wanted: str) -> Scenario:
    """The scenario of :func:`pack`; kept, because a worker makes many runs of few scenarios.

    Raises UnlikeError where it is not the one ``wanted``, a digest: files that it names are not the same here.
    """
    scenario = Scenario.model_validate(msgspec.json.decode(text))
    if digest(scenario) != wanted:
        raise UnlikeError
    return scenario


@lru_cache(maxsize=1)
def code() -> str:
    """Digest of the code that decides what a run comes to: runs of different code are never mixed."""
    hasher = sha256()
    root = Path(sim.__file__).parent
    for room in _ROOMS:
        found = root / room
        for path in (
            [found] if found.is_file() else sorted(p for p in found.rglob("*") if p.suffix in {".py", ".yaml", ".json"})
        ):
            hasher.update(path.relative_to(root).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    hasher.update(f"simpy {version('simpy')} numpy {version('numpy')}".encode())
    for group in (FILTER_GROUP, WEIGHER_GROUP, MODEL_GROUP):
        for point in sorted(entry_points(group=group), key=lambda point: (point.name, point.value)):
            hasher.update(f"{group} {point.name} {point.value}\0".encode() + _source(point.module))
    return hasher.hexdigest()


def _source(module: str) -> bytes:
    """What a module is made of; nothing where it cannot be found, as whoever uses it will be told."""
    try:
        found = find_spec(module)
    except ImportError:
        return b""
    return Path(found.origin).read_bytes() if found is not None and found.origin is not None else b""


def key_of(scenario_digest: str, seed: int, warm_up: float, measurement: str, kept: bool) -> str:
    """The name of a run's file: equal only where the result must be."""
    parts = (code(), scenario_digest, str(seed), repr(warm_up), measurement, str(kept))
    return sha256("\n".join(parts).encode()).hexdigest()[:24]


def perform(task: Task, text: bytes, made_by: str) -> Outcome:
    """Make one run. Never raises: what goes wrong is the run's outcome.

    ``text`` is the packed scenario, ``made_by`` the digest of the code that asks for it.
    """
    started = time.thread_time()
    stage: Stage = "worker"
    try:
        if made_by != code():
            return failure(task, "worker", "this worker has other code than the driver; install the same novasim there")
        stage = "scenario"
        scenario = unpack(text, task.scenario)
        stage = "run"
        result = execute(scenario, task.seed)
        stage = "measure"
        values = _measured(task, result)
        if task.keep is not None:
            stage = "save"
            save(result, task.keep)
    except BrokenRunError as error:
        return failure(task, "laws", str(error.violation), time.thread_time() - started)
    except (LawViolation, NovasimError) as error:
        return failure(task, stage, str(error), time.thread_time() - started)
    except Exception as error:  # a defect in one run must not end the others
        return failure(task, stage, f"{type(error).__name__}: {error}", time.thread_time() - started)
    return Outcome(
        key=task.key, variant=task.variant, replication=task.replication, seed=task.seed, scenario=task.scenario,
        command=task.command, log_digest=str(result.manifest["log_digest"]), values=values,
        wall_s=time.thread_time() - started,
    )  # fmt: skip


def _measured(task: Task, result: Result) -> dict[str, float | None]:
    values = summary(result, task.warm_up)
    if task.measurement is not None:
        values = {**values, **task.measurement(result)}
    return {name: None if math.isnan(value) else value for name, value in values.items()}


def quiet() -> None:
    """Prepare a process that does nothing but runs: what is loaded by now is never looked over again for garbage."""
    gc.collect()
    gc.freeze()
