"""The little language of extra specs: ``>= 4``, ``<in> gpu``, ``<or> a <or> b``, ``s== x``, or the value itself."""

from __future__ import annotations

import operator
from collections.abc import Callable

_NUMBERS: dict[str, Callable[[float, float], bool]] = {
    "=": operator.ge, "==": operator.eq, "!=": operator.ne, ">=": operator.ge, "<=": operator.le,
}  # fmt: skip
_TEXTS: dict[str, Callable[[str, str], bool]] = {
    "s==": operator.eq, "s!=": operator.ne, "s<": operator.lt, "s<=": operator.le, "s>": operator.gt,
    "s>=": operator.ge, "<in>": operator.contains,
}  # fmt: skip


def matches(value: str, wanted: str) -> bool:
    """Whether a value is what an extra spec wants. Raises ValueError where a number is wanted and none is there."""
    operation, *words = wanted.split() or [""]
    if operation == "<or>":
        return value in words[::2]
    if operation not in _NUMBERS and operation not in _TEXTS and operation != "<all-in>":
        return value == wanted
    if not words:
        return False
    if operation == "<all-in>":
        return all(word in value for word in words)
    if operation in _TEXTS:
        return _TEXTS[operation](value, words[0])
    return _NUMBERS[operation](float(value), float(words[0]))
