"""Where in a JSON text a value stands: its line, looked for only when there is something to say about it."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence

from sim.scenario.tree import Key, path_text, shown

_SPACE = re.compile(r"[ \t\n\r]*")
_DECODER = json.JSONDecoder()


class Places:
    """The places of one text. Where a list's items begin is kept: many of them may be asked for."""

    def __init__(self, file: str, text: str) -> None:
        self._file, self._text = file, text
        self._items: dict[int, list[int]] = {}
        """Where a list begins → where its items do, as far as they are known."""

    def place(self, path: Sequence[Key]) -> str:
        """``server-list.json:12 [0].Flavor``."""
        return f"{shown(self._file)}:{self.line_of(path)} {path_text(path)}".strip()

    def line_of(self, path: Sequence[Key]) -> int:
        """The line of the value at ``path`` (of the last value on the way that exists)."""
        at = _skip(self._text, 0)
        for key in path:
            inner = self._item(at, key) if isinstance(key, int) else _member(self._text, at, key)
            if inner is None:
                break
            at = inner
        return self._text.count("\n", 0, at) + 1

    def _item(self, at: int, index: int) -> int | None:
        text = self._text
        if text[at : at + 1] != "[":
            return None
        known = self._items.setdefault(at, [_skip(text, at + 1)])
        while len(known) <= index:
            if text[known[-1] : known[-1] + 1] == "]":
                return None
            _, end = _DECODER.raw_decode(text, known[-1])
            known.append(_skip(text, _skip(text, end) + 1))  # over the comma
        return None if text[known[index] : known[index] + 1] in {"]", ""} else known[index]


def _skip(text: str, at: int) -> int:
    match = _SPACE.match(text, at)
    return match.end() if match else at


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
