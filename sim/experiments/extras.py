"""Libraries that only some experiments need: imported where used, and asked for by the name of their extra."""

from __future__ import annotations

import importlib
from typing import Any

from sim.errors import InputError, Issue


def need(module: str, extra: str, what: str) -> Any:
    """The module, or an InputError that says what to install."""
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] != module.partition(".")[0]:
            raise
        issue = Issue(what, f"needs {error.name}, which is not installed", f"pip install 'novasim[{extra}]'")
        raise InputError([issue]) from None
