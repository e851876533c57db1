"""Where in a JSON text a value stands: its line, looked for only when there is something to say about it."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence

from sim.scenario.tree import Key, path_text, shown

_SPACE = re.compile(r"[ \t\n\r]*")
_DECODER = json.JSONDecoder()


def line_of(text: str, path: Sequence[Key]) -> int:
    """The line of the value at ``path`` in a JSON text (of the last value on the way that exists)."""
    at = _skip(text, 0)
    for key in path:
        inner = _item(text, at, key) if isinstance(key, int) else _member(text, at, key)
        if inner is None:
            break
        at = inner
    return text.count("\n", 0, at) + 1


def _skip(text: str, at: int) -> int:
    match = _SPACE.match(text, at)
    return match.end() if match else at


def _item(text: str, at: int, index: int) -> int | None:
    if text[at : at + 1] != "[":
        return None
    at = _skip(text, at + 1)
    for _ in range(index):
        if text[at : at + 1] == "]":
            return None
        _, at = _DECODER.raw_decode(text, at)
        at = _skip(text, _skip(text, at) + 1)  # over the comma
    return None if text[at : at + 1] in {"]", ""} else at


def _member(text: str, at: int, key: str) -> int | None:
    if text[at : at + 1] != "{":
        return None
    at = _skip(text, at + 1)
    while text[at : at + 1] == '"':
        name, at = _DECODER.raw_decode(text, at)
        at = _skip(text, _skip(text, at) + 1)  # over the colon
        if name == key:
            return at
        _, at = _DECODER.raw_decode(text, at)
        at = _skip(text, _skip(text, at) + 1)
    return None


def place(file: str, text: str, path: Sequence[Key]) -> str:
    """``server-list.json:12 [0].Flavor``."""
    where = path_text(path)
    return f"{shown(file)}:{line_of(text, path)} {where}".strip()
