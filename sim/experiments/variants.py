"""Variants of a scenario, named by their values: ``concurrency=4 method=live``, never by their place in a list."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sim.experiments.axes import Value, value_text
from sim.scenario.yaml_text import one_line

AS_IT_IS = "as it is"
"""The scenario without a change."""


@dataclass(frozen=True, slots=True)
class Variant:
    """A scenario with some of its values changed."""

    name: str
    settings: tuple[str, ...]
    """``path=value``, as for ``--set``."""
    values: Mapping[str, Value]
    """What is changed, by the short name of the axis."""


def short_names(paths: Sequence[str]) -> dict[str, str]:
    """Each path's shortest ending that no other path has: ``plan[0].drain.concurrency`` → ``concurrency``."""
    parts = {path: _parts(path) for path in paths}
    found: dict[str, str] = {}
    for path, mine in parts.items():
        others = [other for one, other in parts.items() if one != path]
        length = 1
        while length < len(mine) and (
            mine[-length].startswith("[") or any(other[-length:] == mine[-length:] for other in others)
        ):
            length += 1
        found[path] = "".join(mine[-length:]).lstrip(".") if length < len(mine) else path
    return found


def _parts(path: str) -> list[str]:
    """``a.b[0].c`` → ``a``, ``.b``, ``[0]``, ``.c``; of a quoted key or an option's name the last word says most."""
    plain = re.sub(r'\["([^"]*)"\]|(?<=\.options)\[([^\]]*)\]', r".\1\2", path)
    return re.findall(r"\[[^\]]*\]|\.?[^.\[\]]+", plain)


def variant_of(values: Mapping[str, Value], names: Mapping[str, str]) -> Variant:
    """The variant with these values (path → value); ``names`` are the paths' short names."""
    named = {names[path]: value for path, value in values.items()}
    name = " ".join(f"{key}={value_text(value)}" for key, value in named.items()) or AS_IT_IS
    return Variant(name, tuple(f"{path}={one_line(value)}" for path, value in values.items()), named)


def unique(variants: Sequence[Variant]) -> list[Variant]:
    """Each variant once, in the order of its first time."""
    return list({variant.name: variant for variant in variants}.values())
