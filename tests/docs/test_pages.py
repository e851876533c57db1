"""Documentation that cannot drift: reference pages are made from the code, examples on pages run, the site builds.

On a page, a ```yaml or ```python block whose first line is ``# NAME.yaml`` or ``# NAME.py`` is a file; other ```python
blocks run one after another in one namespace; lines of a ```console block that begin with ``$ `` are commands, which
must succeed.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from docs import make_reference

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
_BLOCK = re.compile(r"^```(\w+)[^\n]*\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks(page: Path) -> list[tuple[str, str]]:
    return _BLOCK.findall(page.read_text(encoding="utf-8"))


EXAMPLES = [
    page for page in PAGES
    if "reference" not in page.parts
    and any(kind == "python" or (kind == "console" and "$ " in text) for kind, text in blocks(page))
]  # fmt: skip


def test_some_pages_have_examples() -> None:
    assert ROOT / "README.md" in EXAMPLES
    assert len(EXAMPLES) >= 3


@pytest.mark.parametrize("page", EXAMPLES, ids=lambda page: str(page.relative_to(ROOT)))
def test_the_examples_of_a_page_run(page: Path, tmp_path: Path) -> None:
    shutil.copytree(ROOT / "scenarios", tmp_path / "scenarios")
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "COLUMNS": "140"}
    environment["MPLBACKEND"] = "Agg"
    said = ""
    for number, (kind, text) in enumerate(blocks(page)):
        first = text.split("\n", 1)[0]
        if kind in {"yaml", "python"} and first.startswith("# ") and first.endswith((".yaml", ".py")):
            (tmp_path / first[2:]).write_text(text)
        elif kind == "console":
            for line in text.splitlines():
                if line.startswith("$ "):
                    done = subprocess.run(
                        ["bash", "-c", line[2:]],
                        cwd=tmp_path,
                        env=environment,
                        capture_output=True,
                        text=True,
                        check=False,
                    )
                    assert done.returncode == 0, f"{page} block {number}: {line}\n{done.stdout}\n{done.stderr}"
        elif kind == "python":
            said += text + "\n"
    if said:
        done = subprocess.run(
            [sys.executable, "-W", "error", "-c", said],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{page}\n{done.stderr}"


@pytest.mark.parametrize("name", ["scenario.md", "records.md", "tables.md", "commands.md", "python.md",
                                  "scenario.schema.json"])  # fmt: skip
def test_the_reference_is_what_the_code_says(name: str) -> None:
    kept = (ROOT / "docs" / "reference" / name).read_text(encoding="utf-8")
    assert kept == make_reference.pages()[name], "stale: run `python docs/make_reference.py`"


def test_the_site_builds_without_warnings(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(tmp_path / "site")],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "site" / "index.html").exists()
