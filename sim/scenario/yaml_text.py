"""YAML text to trees with files and lines, and plain data to YAML text.

YAML 1.2's rules for plain words (``on`` and ``no`` are text). Parsed by libyaml where it is there: 10 000 servers
written out take a second.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

from sim.errors import Issue
from sim.scenario.patterns import closest
from sim.scenario.tree import Node, shown

_SHOWN = 20
"""So much of a number that cannot be read is shown."""
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
        if tag in {"int", "float"}:
            try:
                return _number(tag, text)
            except ValueError:  # a tag that was written, or more digits than Python reads
                what = repr(text) if len(text) <= _SHOWN else f"{text[:_SHOWN]}… ({len(text)} signs)"
                self._issue(line, f"{what} is no number that can be read", "write one like 8 or 2.5")
                return None
        if tag != "str":
            self._issue(line, f"unknown YAML tag {node.tag!r}", "leave tags out")
        return text


def _number(tag: str, text: str) -> float:
    if tag == "int":
        return int(text, 0) if text[:2] in {"0x", "0o"} else int(text)
    return float(text.replace(".inf", "inf").replace(".nan", "nan").replace(".Inf", "inf").replace(".NaN", "nan"))


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
