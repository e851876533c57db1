"""A scenario's data as a tree in which every value knows its file and line; ``extends`` lays one tree over another."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from typing import Any

Key = str | int
PathKeys = tuple[Key, ...]


class Node:
    """A value and where it was written. ``value`` is a dict of Nodes, a list of Nodes, or a scalar."""

    __slots__ = ("file", "line", "value")

    def __init__(self, value: Any, file: str = "", line: int = 0) -> None:
        self.value, self.file, self.line = value, file, line

    def plain(self) -> Any:
        """The value without its places."""
        value = self.value
        if isinstance(value, dict):
            return {key: node.plain() for key, node in value.items()}
        if isinstance(value, list):
            return [node.plain() for node in value]
        return value

    def at(self, path: Sequence[Key]) -> Node | None:
        """The node at a path, or None."""
        node: Node | None = self
        for key in path:
            node = node.child(key) if node is not None else None
        return node

    def child(self, key: Key) -> Node | None:
        """The node of a key or an index, or None."""
        if isinstance(self.value, dict):
            found = self.value.get(key)
            return found if isinstance(found, Node) else None
        if isinstance(self.value, list) and isinstance(key, int) and 0 <= key < len(self.value):
            item = self.value[key]
            return item if isinstance(item, Node) else None
        return None

    def where(self, path: Sequence[Key]) -> str:
        """``file.yaml:12 cloud.hosts[1].nic``, with the line of the nearest node that exists."""
        node: Node = self
        for key in path:
            inner = node.child(key)
            if inner is None:
                break
            node = inner
        text = path_text(path)
        place = f"{shown(node.file)}:{node.line}" if node.line else shown(node.file)
        return f"{place} {text}".strip()


def shown(file: str) -> str:
    """A file as messages name it: relative where that is shorter."""
    if not file or not os.path.isabs(file):
        return file
    relative = os.path.relpath(file)
    return relative if len(relative) < len(file) else file


def path_text(path: Sequence[Key]) -> str:
    """``cloud.hosts[1].nic``."""
    text = ""
    for key in path:
        if isinstance(key, int):
            text += f"[{key}]"
        elif re.fullmatch(r"[\w-]+", key):
            text += f".{key}" if text else key
        else:
            text += f'["{key}"]'
    return text


def from_plain(value: Any, file: str = "", line: int = 0) -> Node:
    """A tree of plain Python values, as if written in ``file``."""
    if isinstance(value, Mapping):
        return Node({str(key): from_plain(inner, file, line) for key, inner in value.items()}, file, line)
    if isinstance(value, (list, tuple)):
        return Node([from_plain(inner, file, line) for inner in value], file, line)
    return Node(value, file, line)


def merge(base: Node, over: Node) -> Node:
    """``over`` on top of ``base``: mappings merge, all else is replaced, null takes an inherited key away."""
    if not (isinstance(base.value, dict) and isinstance(over.value, dict)):
        return over
    merged: dict[str, Node] = dict(base.value)
    for key, node in over.value.items():
        if key in merged and node.value is None:
            del merged[key]
        elif key in merged:
            merged[key] = merge(merged[key], node)
        else:
            merged[key] = node
    return Node(merged, over.file, over.line)
