"""Every notebook runs from top to bottom; each exercise takes the right answer, refuses a wrong one, may be left open.

A cell with ``exercise`` in its metadata is a blank to be filled: ``name`` is its variable, ``right`` and ``wrong`` are
Python expressions. The cell after it checks, and its output begins with "Right" when it is content.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient
from nbformat.v4 import new_code_cell

FOLDER = Path(__file__).parents[2] / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))


class Kernel:
    """A notebook's kernel, cell by cell."""

    def __init__(self, path: Path) -> None:
        self.notebook = nbformat.read(path, as_version=4)
        self.client = NotebookClient(self.notebook, timeout=120, resources={"metadata": {"path": str(FOLDER)}})

    def run(self, source: str) -> str:
        """Run a cell of our own; what it printed."""
        self.notebook.cells.append(new_code_cell(source))
        return said(self.client.execute_cell(self.notebook.cells[-1], len(self.notebook.cells) - 1))


def said(cell: Any) -> str:
    return "".join(output.get("text", "") for output in cell.get("outputs", ()) if output["output_type"] == "stream")


def test_all_nine_are_there() -> None:
    assert [path.name[:2] for path in NOTEBOOKS] == [f"{number:02d}" for number in range(1, 10)]
    listed = (FOLDER / "README.md").read_text(encoding="utf-8")
    for path in NOTEBOOKS:
        assert path.name in listed


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning", "ignore::RuntimeWarning")
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_it_runs_and_its_exercises_know_right_from_wrong(path: Path) -> None:
    kernel = Kernel(path)
    cells = list(kernel.notebook.cells)
    exercises = 0
    with kernel.client.setup_kernel():
        for index, cell in enumerate(cells):
            if cell.cell_type != "code":
                continue
            kernel.client.execute_cell(cell, index)
            exercise = cell.metadata.get("exercise")
            if exercise is None:
                continue
            exercises += 1
            check = cells[index + 1].source
            assert not kernel.run(check).startswith("Right"), "an open exercise counts as solved"
            kernel.run(f"{exercise['name']} = {exercise['right']}")
            assert kernel.run(check).startswith("Right"), f"refuses {exercise['right']}"
            kernel.run(f"{exercise['name']} = {exercise['wrong']}")
            assert not kernel.run(check).startswith("Right"), f"accepts {exercise['wrong']}"
            kernel.run(f"{exercise['name']} = None")
    assert exercises >= 1
    text = "\n".join(cell.source for cell in cells)
    assert "assert" in text, "a notebook that claims nothing"


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_it_is_small_and_was_run(path: Path) -> None:
    assert path.stat().st_size < 600_000
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    assert all(cell.execution_count for cell in notebook.cells if cell.cell_type == "code")
