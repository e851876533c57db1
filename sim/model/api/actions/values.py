"""Values in bodies and answers."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sim.model.cloud import Cloud

_TRUE = frozenset(("1", "t", "true", "on", "y", "yes"))
_SYMBOLS = ("23456789", "ABCDEFGHJKLMNPQRSTUVWXYZ", "abcdefghijkmnopqrstuvwxyz")
"""Of Nova's passwords: no 0, 1, O, I or l; one of each group at least."""


def true(value: object) -> bool:
    """What a boolean means that may be written as text."""
    if isinstance(value, bool):
        return value
    return str(value).strip().lower() in _TRUE


def generated_password(cloud: Cloud, server: str) -> str:
    """A password as Nova makes one up, from the run's own luck."""
    rng = cloud.streams.rng("password", server)
    length = int(cloud.options["DEFAULT.password_length"])
    letters = [group[int(rng.integers(len(group)))] for group in _SYMBOLS][:length]
    every = "".join(_SYMBOLS)
    letters += [every[int(i)] for i in rng.integers(len(every), size=length - len(letters))]
    return "".join(letters[int(i)] for i in rng.permutation(len(letters)))
