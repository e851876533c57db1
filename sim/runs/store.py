"""Run folders: whole or absent.

A folder is written under a temporary name beside its place and renamed when all of it is on disk, so that a killed run
leaves nothing that could be read as a run. Holds ``manifest.json``, ``assumptions.json``, ``scenario.yaml`` (resolved),
``files/`` (those that it names) and ``records/``.
"""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

from sim.errors import InputError, Issue
from sim.eventlog.storage import write_records
from sim.runs.assumptions import assumptions
from sim.runs.result import Result
from sim.scenario.loader import dump

MANIFEST = "manifest.json"
ASSUMPTIONS = "assumptions.json"
_TEMPORARY = ".unfinished-"


def save(result: Result, folder: str | Path) -> Path:
    """Write a run folder at ``folder``; one that stands there already is replaced in one step."""
    target = Path(folder)
    target.parent.mkdir(parents=True, exist_ok=True)
    _sweep(target.parent)
    temporary = target.parent / f"{_TEMPORARY}{os.getpid()}-{target.name}"
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir()
    try:
        write_records(result.records(), temporary / "records")
        (temporary / "scenario.yaml").write_text(dump(result.scenario, temporary), encoding="utf-8")
        taken = json.dumps(assumptions(result.scenario), indent=2, ensure_ascii=False)
        (temporary / ASSUMPTIONS).write_text(taken + "\n", encoding="utf-8")
        text = json.dumps(result.manifest, indent=2, sort_keys=False)
        (temporary / MANIFEST).write_text(text + "\n", encoding="utf-8")
        _put(temporary, target)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return target


def _put(temporary: Path, target: Path) -> None:
    """Rename into place; an older run of that name makes room first."""
    old = target.parent / f"{_TEMPORARY}{os.getpid()}-old-{target.name}"
    if target.exists():
        if not (target / MANIFEST).exists():
            raise InputError([Issue(str(target), "exists and is not a run folder", "choose another --out")])
        target.rename(old)
    temporary.rename(target)
    shutil.rmtree(old, ignore_errors=True)


def _sweep(parent: Path) -> None:
    """Remove what killed runs left, if their process is gone."""
    for left in parent.glob(f"{_TEMPORARY}*"):
        pid = left.name[len(_TEMPORARY) :].split("-", 1)[0]
        if pid.isdigit() and not Path(f"/proc/{pid}").exists():
            shutil.rmtree(left, ignore_errors=True)


def manifest(folder: str | Path) -> dict[str, object]:
    """The manifest of a run folder; InputError when it is not one."""
    path = Path(folder) / MANIFEST
    if not path.is_file():
        right = "name a folder that `novasim run` wrote, such as results/rack-drain-seed7"
        raise InputError([Issue(str(folder), "is not a run folder (no manifest.json)", right)])
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError([Issue(str(path), f"cannot be read: {error}", "run the scenario again")]) from None
    if not isinstance(found, dict):
        raise InputError([Issue(str(path), "is not a manifest", "run the scenario again")])
    return found
