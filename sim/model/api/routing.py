"""Where a request goes, by its method, its body and its microversion."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from sim.model.api.asked import OnServer, Reply, Waiting
from sim.model.api.faults import NOT_ROUTED, ApiFault
from sim.model.api.microversions import MAXIMUM, MINIMUM, Version

Span = tuple[Version, Version]


class Action(NamedTuple):
    """One action on a server: what it does, and at which microversions there is such a thing."""

    run: Callable[[OnServer], Reply | Waiting]
    word: str | None = None
    """What refusals call it, where that is not the body's key."""
    since: Version = MINIMUM
    until: Version = MAXIMUM
    unknown: str = "Instance {} could not be found."
    """What is said of a server that never was."""


GONE: dict[str, Span] = {"resetNetwork": (MINIMUM, MAXIMUM), "os-getRDPConsole": (MINIMUM, (2, 5))}
"""Actions that Nova knows only to say that they are no more."""
_NETWORK_PROXIES = (MINIMUM, (2, 43))
_CONSOLES = (MINIMUM, (2, 5))
NOT_SIMULATED: dict[str, Span] = {
    **dict.fromkeys(
        ("changePassword", "createBackup", "rebuild", "os-getConsoleOutput", "addSecurityGroup", "removeSecurityGroup"),
        (MINIMUM, MAXIMUM),
    ),
    **dict.fromkeys(("addFixedIp", "removeFixedIp", "addFloatingIp", "removeFloatingIp"), _NETWORK_PROXIES),
    **dict.fromkeys(("os-getVNCConsole", "os-getSPICEConsole", "os-getSerialConsole"), _CONSOLES),
    "trigger_crash_dump": ((2, 17), MAXIMUM),
}
"""Actions of Nova's that the simulated cloud does not have."""


def read(body: Any) -> Any:
    """The body as a value: raw text (bytes) is parsed. ApiFault 400 for what is no JSON."""
    if not isinstance(body, bytes):
        return body
    try:
        return json.loads(body)
    except ValueError:
        raise ApiFault(400, "Malformed request body") from None


def key_of(body: Any) -> str:
    """The one key of an action's body. ApiFault 400 or 404 for what is not an object with one key."""
    if not isinstance(body, (Mapping, list, str)):
        raise ApiFault(404, NOT_ROUTED)
    if len(body) != 1:
        raise ApiFault(400, "Malformed request body")
    if not isinstance(body, Mapping):
        raise ApiFault(404, NOT_ROUTED)
    return str(next(iter(body)))


def route(actions: Mapping[str, Action], key: str, version: Version) -> Action:
    """The action of that key. ApiFault 400 where there is none, 404 where it is not for this microversion."""
    found = actions.get(key)
    if found is not None:
        _within((found.since, found.until), version)
        return found
    if key in NOT_SIMULATED:
        _within(NOT_SIMULATED[key], version)
        raise ApiFault(501, f"The action {key} is not simulated.")
    raise ApiFault(400, f"There is no such action: {key}")


def is_gone(key: str, version: Version) -> bool:
    """Whether the action is one of those that are no more. ApiFault 404 where the microversion never knew it."""
    span = GONE.get(key)
    if span is None:
        return False
    _within(span, version)
    return True


def _within(span: Span, version: Version) -> None:
    if not span[0] <= version <= span[1]:
        raise ApiFault(404, NOT_ROUTED)
