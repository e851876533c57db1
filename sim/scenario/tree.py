"""YAML as a tree in which every value knows its file and line; extending files and ``--set`` are edits of that tree.

YAML 1.2's rules for plain words (``on`` and ``no`` are text). Parsed by libyaml where it is there: 10 000 servers
written out take a second.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from sim.errors import Issue
from sim.scenario.patterns import closest, compile_pattern

Key = str | int
PathKeys = tuple[Key, ...]

_CORE = (
    ("null", r"(?:~|null|Null|NULL|)$", ["~", "n", "N", ""]),
    ("bool", r"(?:true|True|TRUE|false|False|FALSE)$", list("tTfF")),
    ("int", r"[-+]?[0-9]+$|0o[0-7]+$|0x[0-9a-fA-F]+$", list("-+0123456789")),
    ("float", r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?$|[-+]?\.(?:inf|Inf|INF)$|\.(?:nan|NaN|NAN)$",
     list("-+0123456789.")),
    ("merge", r"<<$", ["<"]),
)  # fmt: skip


# libyaml's loader where PyYAML was built with it, with the words of YAML 1.2 instead of PyYAML's own.
_Loader: Any = type("_Loader", (getattr(yaml, "CSafeLoader", yaml.SafeLoader),), {"yaml_implicit_resolvers": {}})
for _tag, _regexp, _first in _CORE:
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(_regexp), _first)


_DumperBase: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
_Dumper: Any = type("_Dumper", (_DumperBase,), {
    # Words that any version of YAML would take for something else than text are quoted.
    "yaml_implicit_resolvers": {first: list(found) for first, found in _DumperBase.yaml_implicit_resolvers.items()},
})  # fmt: skip
for _tag, _regexp, _first in _CORE:
    _Dumper.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(_regexp), _first)
_Dumper.add_representer(str, lambda dumper, text: dumper.represent_scalar(
    "tag:yaml.org,2002:str", text, style="|" if "\n" in text else None))  # fmt: skip


def to_yaml(data: Any) -> str:
    """Plain data as readable YAML: an entry of plain values is one line, long texts are blocks."""
    return str(yaml.dump(data, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=118, default_flow_style=None))


def one_line(data: Any) -> str:
    """Plain data as YAML on one line."""
    style = {"sort_keys": False, "allow_unicode": True, "width": 10**9, "default_flow_style": True}
    return str(yaml.dump(data, Dumper=_Dumper, **style)).removesuffix("...\n").strip()


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


def parse_yaml(text: str, file: str, issues: list[Issue]) -> Node | None:
    """The tree of a YAML text; None and an issue if it is not YAML."""
    try:
        composed = yaml.compose(text, Loader=_Loader)
    except yaml.MarkedYAMLError as error:
        issues.append(_syntax_issue(error, text, file))
        return None
    except yaml.YAMLError as error:
        issues.append(Issue(shown(file), f"not YAML: {' '.join(str(error).split())}", "write plain UTF-8 YAML"))
        return None
    if composed is None:
        return Node(None, file, 1)
    return _Maker(file, issues).make(composed)


def _syntax_issue(error: yaml.MarkedYAMLError, text: str, file: str) -> Issue:
    mark = error.problem_mark or error.context_mark
    line = mark.line if mark is not None else 0
    lines = text.splitlines()
    written = lines[line] if line < len(lines) else ""
    right = "look at this line and the one above: indentation, quotes, brackets, a space after each colon"
    if "\t" in written[: len(written) - len(written.lstrip()) + 1]:
        right = "indent with spaces; YAML allows no tabs there"
    elif error.problem and "single document" in f"{error.context} {error.problem}":
        right = "a scenario file is one YAML document; remove the second '---'"
    elif "%" in written or "@" in written or "`" in written:
        right = "put text with special signs in quotes"
    elif "{" in written:
        right = 'put patterns in quotes, like name: "host-{n:1-10}"'
    return Issue(f"{shown(file)}:{line + 1}", f"not YAML: {error.problem or error.context}", right)


class _Maker:
    """Makes Nodes of PyYAML's, and notes duplicate keys, odd keys and tags."""

    def __init__(self, file: str, issues: list[Issue]) -> None:
        self.file, self.issues = file, issues
        self.open: set[int] = set()

    def make(self, node: Any) -> Node:
        line = node.start_mark.line + 1
        if isinstance(node, yaml.ScalarNode):
            return Node(self._scalar(node, line), self.file, line)
        if id(node) in self.open:
            self._issue(line, "an alias contains itself", "write the values out")
            return Node(None, self.file, line)
        self.open.add(id(node))
        if isinstance(node, yaml.SequenceNode):
            made = Node([self.make(item) for item in node.value], self.file, line)
        else:
            made = Node(self._mapping(node), self.file, line)
        self.open.discard(id(node))
        return made

    def _issue(self, line: int, what: str, right: str) -> None:
        self.issues.append(Issue(f"{shown(self.file)}:{line}", what, right))

    def _mapping(self, node: Any) -> dict[str, Node]:
        made: dict[str, Node] = {}
        merged: dict[str, Node] = {}
        for key_node, value_node in node.value:
            line = key_node.start_mark.line + 1
            if key_node.tag == "tag:yaml.org,2002:merge":
                for source in value_node.value if isinstance(value_node, yaml.SequenceNode) else [value_node]:
                    inner = self.make(source).value
                    merged = {**(inner if isinstance(inner, dict) else {}), **merged}
                continue
            if not isinstance(key_node, yaml.ScalarNode):
                self._issue(
                    line, "a list or mapping stands where a key should", "write key: value; quote patterns in braces"
                )
                continue
            key = str(key_node.value)
            if key in made:
                self._issue(line, f"duplicate key {key!r} (first on line {made[key].line})", "keep one of them")
                continue
            value = self.make(value_node)
            made[key] = Node(value.value, self.file, line)
        return {**merged, **made} if merged else made

    def _scalar(self, node: Any, line: int) -> Any:
        tag, text = node.tag.rpartition(":")[2], node.value
        if tag == "null":
            return None
        if tag == "bool":
            return text.lower() == "true"
        if tag == "int":
            return int(text, 0) if text[:2] in {"0x", "0o"} else int(text)
        if tag == "float":
            return float(
                text.replace(".inf", "inf").replace(".nan", "nan").replace(".Inf", "inf").replace(".NaN", "nan")
            )
        if tag != "str":
            self._issue(line, f"unknown YAML tag {node.tag!r}", "leave tags out")
        return text


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


# --- --set path=value ------------------------------------------------------------------------------------------------

_SEGMENT = re.compile(r'\.?(?:([^\.\[\]"]+)|\[(?:"([^"]*)"|([^\]"]*))\])')


def apply_set(root: Node, setting: str, issues: list[Issue]) -> None:
    """Edit the tree by ``path=value``: dotted keys, ``[0]``, ``[name]``, ``["quoted.key"]``; the value is YAML."""
    path_part, equals, text = _split_setting(setting)
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


def _split_setting(setting: str) -> tuple[str, str, str]:
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


def read_text(path: Path, place: str, issues: list[Issue]) -> str | None:
    """A file's text; None and an issue if there is none to read."""
    try:
        return path.read_text("utf-8-sig")
    except FileNotFoundError:
        folder = path.parent
        siblings = sorted(entry.name for entry in folder.iterdir()) if folder.is_dir() else []
        right = (
            closest(path.name, siblings)
            if siblings
            else f"the folder {shown(str(folder))!r} does not exist or is empty"
        )
        issues.append(Issue(place, f"no such file: {shown(str(path))}", right))
    except IsADirectoryError:
        issues.append(Issue(place, f"{shown(str(path))} is a folder", "name a file"))
    except UnicodeDecodeError as error:
        issues.append(Issue(place, f"{shown(str(path))} is not UTF-8 text: {error.reason}", "save it as UTF-8"))
    except OSError as error:
        issues.append(Issue(place, f"cannot read {shown(str(path))}: {error.strerror}", "check its permissions"))
    return None
