"""The style of the house, as tests: floors, lengths, words."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest
from importlinter.cli import EXIT_STATUS_SUCCESS, lint_imports

ROOT = Path(__file__).parents[2]
DECLARATIONS = {"records.py", "spec.py"}
"""Modules that only declare: one list each, as long as it must be."""
SOURCES = sorted((ROOT / "sim").rglob("*.py"))


def test_floors(monkeypatch: pytest.MonkeyPatch) -> None:
    """Imports only go down; what reads the log knows no engine; decisions know no clock."""
    monkeypatch.chdir(ROOT)
    assert lint_imports(config_filename=".importlinter", no_cache=True) == EXIT_STATUS_SUCCESS


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_module_and_functions_fit_the_head(path: Path) -> None:
    """Modules of at most 400 lines, functions of at most 70."""
    text = path.read_text(encoding="utf-8")
    lines = text.count("\n")
    assert lines <= 400 or path.name in DECLARATIONS, f"{path} has {lines} lines; cut it where its second idea begins"
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = (node.end_lineno or node.lineno) - node.lineno + 1
            assert length <= 70, f"{path}:{node.lineno} {node.name} has {length} lines"


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_nothing_unfinished(path: Path) -> None:
    """No stub, no promise, no silenced checker."""
    text = path.read_text(encoding="utf-8")
    for word in ("TO" + "DO", "FIX" + "ME", "X" * 3, "NotImplemented" + "Error", "type:" + " ignore", "no" + "qa"):
        assert re.search(rf"\b{word}\b", text) is None, f"{path} says {word}"
