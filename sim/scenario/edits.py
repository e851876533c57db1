"""``--set path=value``: edits of a scenario's tree."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from sim.errors import Issue
from sim.scenario.patterns import closest, compile_pattern
from sim.scenario.tree import Node, from_plain
from sim.scenario.yaml_text import parse_yaml

_SEGMENT = re.compile(r'(?:^|\.)([^\.\[\]"]+)|\.?\[(?:"([^"]*)"|([^\]"]*))\]')


def apply_set(root: Node, setting: str, issues: list[Issue]) -> None:
    """Edit the tree by ``path=value``: dotted keys, ``[0]``, ``[name]``, ``["quoted.key"]``; the value is YAML."""
    path_part, equals, text = split_setting(setting)
    place = f"--set {setting}"
    if not equals or not path_part.strip():
        issues.append(Issue(place, "is not PATH=VALUE", "write it like --set run.seed=7"))
        return
    found: list[Issue] = []
    value = parse_yaml(text, "--set", found)
    if value is None or found:
        issues.extend(Issue(place, issue.what, "quote the value, like --set 'name=\"a: b\"'") for issue in found)
        return
    _put(root, list(_segments(path_part.strip(), place, issues)), _moved(value, place), place, issues)


def split_setting(setting: str) -> tuple[str, str, str]:
    """Path, ``=`` and value of a setting: at the first ``=`` that is in no brackets and no quotes."""
    depth = quoted = 0
    for at, sign in enumerate(setting):
        if sign == '"':
            quoted ^= 1
        elif sign in "[]" and not quoted:
            depth += 1 if sign == "[" else -1
        elif sign == "=" and not depth and not quoted:
            return setting[:at], "=", setting[at + 1 :]
    return setting, "", ""


def _moved(node: Node, place: str) -> Node:
    return from_plain(node.plain(), place)


def _segments(text: str, place: str, issues: list[Issue]) -> Iterator[tuple[str, bool]]:
    """Parts of a path and whether they stood in brackets."""
    at = 0
    while at < len(text):
        match = _SEGMENT.match(text, at)
        if match is None:
            issues.append(
                Issue(place, f"the path {text!r} is broken at {text[at:]!r}", "write it like cloud.hosts[0].nic")
            )
            return
        yield (
            (match[1], False)
            if match[1] is not None
            else (match[2] if match[2] is not None else match[3], match[2] is None)
        )
        at = match.end()


def _put(root: Node, segments: list[tuple[str, bool]], value: Node, place: str, issues: list[Issue]) -> None:
    node = root
    for position, (segment, bracket) in enumerate(segments):
        last = position == len(segments) - 1
        if isinstance(node.value, list):
            index = _index(node, segment, place, issues)
            if index is None:
                return
            if last:
                node.value[index] = value
            node = node.value[index]
            continue
        if bracket and segment.isdigit():
            issues.append(Issue(place, f"[{segment}] stands where no list is", "use a key's name there"))
            return
        if not isinstance(node.value, dict):
            if node.value is not None and position:
                issues.append(Issue(place, f"{segments[position - 1][0]!r} is {node.value!r}, which has no parts",
                                    "set it as a whole"))  # fmt: skip
                return
            node.value = {}
        if last and value.value is None:
            node.value.pop(segment, None)
        elif last:
            node.value[segment] = value
        else:
            inner = node.value.get(segment)
            # Trees share nodes with the file they extend; an edit must not reach back.
            node.value[segment] = node = Node(_copy(inner.value), inner.file, inner.line) if inner else Node({}, place)


def _copy(value: Any) -> Any:
    return dict(value) if isinstance(value, dict) else list(value) if isinstance(value, list) else value


def _index(node: Node, segment: str, place: str, issues: list[Issue]) -> int | None:
    """Which item of a list is meant: by number, or by its ``name``."""
    items: list[Node] = node.value
    if re.fullmatch(r"-?\d+", segment):
        index = int(segment) + (len(items) if segment.startswith("-") else 0)
        if 0 <= index < len(items):
            items[index] = Node(_copy(items[index].value), items[index].file, items[index].line)
            return index
        right = f"this list has {len(items)} entries, [0] to [{len(items) - 1}]" if items else "this list is empty"
        issues.append(Issue(place, f"there is no [{segment}]", right))
        return None
    names = [str(found.value) if (found := item.child("name")) is not None else "" for item in items]
    if segment in names:
        index = names.index(segment)
        items[index] = Node(_copy(items[index].value), items[index].file, items[index].line)
        return index
    for index, name in enumerate(names):
        if "{" in name and _makes(name, segment):
            right = f"set [{index}], which changes them all, or write it as an entry of its own"
            issues.append(Issue(place, f"{segment!r} is one of many that the pattern {name!r} makes", right))
            return None
    issues.append(Issue(place, f"no entry is named {segment!r}", closest(segment, [name for name in names if name])))
    return None


def _makes(pattern: str, name: str) -> bool:
    try:
        return name in compile_pattern(pattern).names()
    except ValueError:
        return False
