"""The handle to a real Nova: starts `real_nova.py` in its own virtual environment and asks it."""

from __future__ import annotations

import json
import os
import pathlib
import subprocess
from types import TracebackType
from typing import Any

HERE = pathlib.Path(__file__).parent
VENV = HERE.parents[1] / ".venv-nova"


def interpreter() -> pathlib.Path:
    """Python of the environment that `setup.sh` builds."""
    return pathlib.Path(os.environ.get("NOVASIM_NOVA_VENV", VENV)) / "bin" / "python"


class RealNova:
    """One process of real Nova. `play` returns a row a step; a failure of the harness itself is a RuntimeError."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [str(interpreter()), "-W", "ignore", str(HERE / "real_nova.py")],
            cwd=HERE,
            text=True,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=None if os.environ.get("NOVASIM_NOVA_STDERR") else subprocess.DEVNULL,
        )

    def play(
        self, cloud: dict[str, Any], steps: list[dict[str, Any]], prefix: list[list[dict[str, Any]]] | None = None
    ) -> list[dict[str, Any]]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        request = {"cloud": cloud, "prefix": prefix or [], "steps": steps}
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError("real Nova ended; NOVASIM_NOVA_STDERR=1 shows why")
        answer = json.loads(line)
        if "error" in answer:
            raise RuntimeError(answer["error"])
        rows: list[dict[str, Any]] = answer["rows"]
        return rows

    def close(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(timeout=60)

    def __enter__(self) -> RealNova:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()
