"""Classes of the user's own: by entry point, or as ``path/to/file.py:Class``.

Paths are relative to the folder in which novasim was started.
"""

from __future__ import annotations

import importlib.util
import inspect
from collections.abc import Sequence
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, TypeVar

T = TypeVar("T")


class NoSuchClassError(Exception):
    """A name that leads to no class, or to one of no use: what is wrong, and what would be right."""

    def __init__(self, what: str, right: str) -> None:
        super().__init__(what)
        self.what, self.right = what, right


def find_class(name: str, group: str, base: type[T], known: Sequence[str]) -> type[T]:
    """The class of that name, derived from ``base`` and whole. ``known``: the names of those that come along.

    Raises NoSuchClassError.
    """
    points = {point.name: point for point in entry_points(group=group)}
    if name not in points and ".py:" not in name:
        names = ", ".join([*known, *points])
        raise NoSuchClassError(f"{name!r} is not known", f"known are {names}; your own is path/to/file.py:Class")
    try:
        found = points[name].load() if name in points else _from_file(name)
    except Exception as error:
        raise NoSuchClassError(
            f"{name!r} cannot be loaded: {error}", f"name a class derived from {base.__name__}"
        ) from error
    if not inspect.isclass(found) or not issubclass(found, base) or inspect.isabstract(found):
        raise NoSuchClassError(f"{name!r} is no {base.__name__}", "derive it, and define what it must")
    return found


def _from_file(name: str) -> Any:
    """The class of ``path/to/file.py:Class``. Raises what the file raises, or a ValueError that says what is wrong."""
    file, _, kind = name.rpartition(":")
    path = Path(file)
    if not path.is_file():
        raise ValueError(f"there is no file {file}")
    spec = importlib.util.spec_from_file_location(f"novasim_own_{path.stem}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    if not hasattr(module, kind):
        raise ValueError(f"{file} has no class {kind}")
    return getattr(module, kind)
