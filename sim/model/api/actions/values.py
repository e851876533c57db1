"""Values in bodies and answers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sim.model.cloud import Cloud

_TRUE = frozenset(("1", "t", "true", "on", "y", "yes"))
_SYMBOLS = ("23456789", "ABCDEFGHJKLMNPQRSTUVWXYZ", "abcdefghijkmnopqrstuvwxyz")
"""Of Nova's passwords: no 0, 1, O, I or l; one of each group at least."""
_LETTERS_A_DRAW = 5
"""A number of 53 random bits is good for so many letters and their places."""


def true(value: object) -> bool:
    """What a boolean means that may be written as text."""
    if isinstance(value, bool):
        return value
    return str(value).strip().lower() in _TRUE


def password(cloud: Cloud, server: str, wanted: Mapping[str, Any]) -> str:
    """``adminPass`` of a request, or a password as Nova makes one up, from the run's own luck."""
    if "adminPass" in wanted:
        return str(wanted["adminPass"])
    length = int(cloud.options["DEFAULT.password_length"])
    every = "".join(_SYMBOLS)
    groups = [*_SYMBOLS, *[every] * (length - len(_SYMBOLS))][:length]
    luck, letters = 0, ""
    for number, group in enumerate(groups):
        if number % _LETTERS_A_DRAW == 0:
            luck = int(cloud.streams.uniform("password", server) * 2**53)
        luck, chosen = divmod(luck, len(group))
        place = luck % (number + 1)
        letters = letters[:place] + group[chosen] + letters[place:]
    return letters
