"""Microversion negotiation."""

from __future__ import annotations

import re

from sim.model.api.faults import ApiFault

Version = tuple[int, int]

MINIMUM: Version = (2, 1)
MAXIMUM: Version = (2, 104)
"""Of Nova 34.0.0."""
_FORM = re.compile(r"^([1-9]\d*)\.([1-9]\d*|0)$")


def negotiate(asked: str | None) -> Version:
    """The version that a header means; without one the lowest. ApiFault 400 (malformed) or 406 (out of range)."""
    text = "" if asked is None else asked.strip()
    if not text:
        return MINIMUM
    if text == "latest":
        return MAXIMUM
    match = _FORM.match(text)
    if match is None:
        raise ApiFault(400, f"API Version String {text} is of invalid format. Must be of format MajorNum.MinorNum.")
    version = (int(match.group(1)), int(match.group(2)))
    if not MINIMUM <= version <= MAXIMUM:
        raise ApiFault(
            406,
            f"Version {version[0]}.{version[1]} is not supported by the API. Minimum is {_shown(MINIMUM)} and maximum "
            f"is {_shown(MAXIMUM)}.",
        )
    return version


def _shown(version: Version) -> str:
    return f"{version[0]}.{version[1]}"


class Microversions:
    """Negotiation that remembers what it has seen: a run asks for few versions, many times."""

    def __init__(self) -> None:
        self._seen: dict[str | None, Version] = {}

    def negotiate(self, asked: str | None) -> Version:
        """See :func:`negotiate`."""
        found = self._seen.get(asked)
        if found is None:
            found = self._seen[asked] = negotiate(asked)
        return found
