"""Validation of request bodies with Nova's texts."""

from __future__ import annotations

import unicodedata
from typing import Any

import jsonschema

from sim.model.api.faults import ApiFault
from sim.model.api.microversions import Version
from sim.model.api.schemas import BODIES, Spans

_ENOUGH = 16384
"""Right bodies remembered; when there are more, memory is worth more than the time."""


class InvalidName(ValueError):
    """A name that Nova does not take."""


def _printable(char: str) -> bool:
    category = unicodedata.category(char)
    return not category.startswith("C") and (not category.startswith("Z") or category == "Zs") and ord(char) < 0xFFFF


def _check_name(value: object) -> bool:
    """Printable characters, no space at either end. Raises InvalidName, as Nova does, whatever the type."""
    if isinstance(value, str):
        value = value.removesuffix("\n")  # Nova's pattern ends at the end of a line
    if isinstance(value, str) and all(map(_printable, value)):
        ends = value[:1] + value[-1:]
        if not any(unicodedata.category(char) == "Zs" for char in ends):
            return True
    raise InvalidName("printable characters. Can not start or end with whitespace.")


def _checker() -> jsonschema.FormatChecker:
    checker = jsonschema.FormatChecker(formats=())
    checker.checks("name", InvalidName)(_check_name)
    return checker


def _number(value: object) -> float | None:
    for kind in (int, float):
        try:
            return kind(value) if isinstance(value, (str, int, float)) else None
        except ValueError:
            continue
    return None


def _minimum(validator: Any, minimum: Any, instance: Any, schema: Any) -> Any:
    """Bounds hold for numbers written as text, too."""
    number = _number(instance)
    if number is not None:
        yield from jsonschema.Draft202012Validator.VALIDATORS["minimum"](validator, minimum, number, schema) or ()


_Validator: Any = jsonschema.validators.extend(jsonschema.Draft202012Validator, {"minimum": _minimum})


class Bodies:
    """Validators by action, made when first asked for, and the right bodies seen so far."""

    def __init__(self) -> None:
        self._formats = _checker()
        self._validators: dict[tuple[str, int], Any] = {}
        self._right: set[object] = set()

    def check(self, action: str, version: Version, body: Any) -> None:
        """ApiFault 400 when the body is not what the action takes at this microversion."""
        spans = BODIES.get(action, ())
        number = _span(spans, version)
        if number is None:
            return
        key = _key(action, number, body.get(action) if isinstance(body, dict) and len(body) == 1 else body)
        if key is not None and key in self._right:
            return
        self._validate(spans, action, number, body)
        if key is not None:
            if len(self._right) >= _ENOUGH:
                self._right.clear()
            self._right.add(key)

    def _validate(self, spans: Spans, action: str, number: int, body: Any) -> None:
        validator = self._validators.get((action, number))
        if validator is None:
            validator = self._validators[action, number] = _Validator(spans[number][2], format_checker=self._formats)
        error = next(validator.iter_errors(body), None)
        if error is None:
            return
        if isinstance(error.cause, InvalidName):
            raise ApiFault(400, f"An invalid 'name' value was provided. The name must be: {error.cause}")
        if not error.path:
            raise ApiFault(400, error.message)
        raise ApiFault(
            400, f"Invalid input for field/attribute {error.path[-1]}. Value: {error.instance}. {error.message}"
        )


def _span(spans: Spans, version: Version) -> int | None:
    for number, (first, last, _) in enumerate(spans):
        if first <= version <= last:
            return number
    return None


def _key(action: str, number: int, argument: object) -> object:
    """What makes two bodies the same to a schema: names, values and their types (1 is not true). None: not worth it."""
    if argument is None or isinstance(argument, (str, bool)):
        return (action, number, argument, type(argument))
    if isinstance(argument, dict) and len(argument) <= 6:
        values = argument.values()
        for value in values:
            if value is not None and not isinstance(value, (str, bool)):
                return None
        return (action, number, tuple(argument), tuple(values), tuple(map(type, values)))
    return None
