"""What a caller gives to a run or a session by hand: everything wrong with it at once, before anything happens."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Sequence
from typing import Any, TypeGuard

from sim import units
from sim.errors import InputError, Issue
from sim.scenario.spec import Scenario

KINDS = ("crash", "hang", "network")
"""How a session's hosts fail."""


def refuse(issues: Iterable[Issue | None]) -> None:
    """Raises InputError if there are any."""
    found = [one for one in issues if one is not None]
    if found:
        raise InputError(found)


def is_number(value: object) -> TypeGuard[int]:
    """A whole one; true and false are none."""
    return isinstance(value, int) and not isinstance(value, bool)


def start(scenario: object, seed: object) -> None:
    """What is to be run."""
    refuse([
        None if isinstance(scenario, Scenario)
        else Issue("scenario", f"{scenario!r} is no scenario", "sim.load(path) reads one from its file"),
        None if seed is None or (is_number(seed) and seed >= 0)
        else Issue("seed", f"{seed!r} is no seed", "a whole number from 0 on, or None for the scenario's own"),
    ])  # fmt: skip


def request(
    *, server: object, body: object, microversion: object, roles: object, project: object, user: object,
    method: object, migration: object,
) -> None:  # fmt: skip
    """What no client could send; whatever one could is Nova's to judge."""
    texts = [("server", server), ("microversion", microversion), ("project", project), ("user", user)]
    refuse([
        *(Issue(name, f"{value!r} is no text", "in quotes, or None")
          for name, value in texts if value is not None and not isinstance(value, str)),
        None if isinstance(method, str) else Issue("method", f"{method!r} is no text", "'POST' or 'DELETE'"),
        None if migration is None or is_number(migration)
        else Issue("migration", f"{migration!r} is no number", "the id that Session.migrations shows"),
        None if isinstance(roles, Sequence) and not isinstance(roles, str) and all(isinstance(r, str) for r in roles)
        else Issue("roles", f"{roles!r} is no list of names", "like ['admin']"),
        _no_json(body),
    ])  # fmt: skip


def _no_json(body: Any) -> Issue | None:
    """Why a body cannot be sent."""
    if isinstance(body, bytes):
        return None
    try:
        json.dumps(body)
    except (TypeError, ValueError, RecursionError) as error:
        return Issue("body", f"it is no JSON: {error}", "mappings, lists, text, numbers, true, false and null")
    return None


def switch(name: str, value: object) -> Issue | None:
    """True, False, or None for as it is."""
    return None if value is None or isinstance(value, bool) else Issue(name, f"{value!r} is no switch", "True or False")


def seconds(value: object) -> float:
    """Text with a unit, or plain seconds."""
    if isinstance(value, str):
        try:
            return units.parse_seconds(value)
        except ValueError as error:
            raise InputError([Issue("time", str(error))]) from None
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise InputError([Issue("time", f"{value!r} is no time", "seconds, or text like '90 s'")])
    if value < 0:
        raise InputError([Issue("time", f"{value!r} is negative", "time only goes on")])
    return float(value)
