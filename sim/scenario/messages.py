"""pydantic's errors in words: where in which file, what is wrong, and what would be right."""

from __future__ import annotations

import types
import typing
from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel, ValidationError

from sim.errors import Issue
from sim.scenario.patterns import closest
from sim.scenario.tree import Key, Node, PathKeys

_EXAMPLES = {"memory": "64 GiB", "disk": "2 TiB", "nic": "25 Gbit/s", "vcpus": "8", "flavor": "m1.small",
             "name": "name-1", "hosts": "[host-1]", "set": "disabled", "dirty": "10 MB/s", "working_set": "64 MiB",
             "every": "{exponential: {mean: 5 min}}", "lifetime": "8 h", "repair": "1 h",
             "policy": "anti-affinity", "links": "[host-1:up]"}  # fmt: skip
_BOUNDS = {"greater_than_equal": ("ge", "at least"), "greater_than": ("gt", "more than"),
           "less_than_equal": ("le", "at most"), "less_than": ("lt", "less than")}  # fmt: skip


class Fault(typing.NamedTuple):
    """One error of the types: the path in the data, and its words."""

    path: PathKeys
    kind: str
    what: str
    right: str


def issues_of(error: ValidationError, tree: Node, root: type[BaseModel]) -> list[Issue]:
    """All errors as issues with files and lines."""
    return [Issue(tree.where(fault.path), fault.what, fault.right) for fault in faults_of(error, tree, root)]


def faults_of(error: ValidationError, tree: Node, root: type[BaseModel]) -> list[Fault]:
    """All errors, those of a union's branches made into one."""
    found: dict[PathKeys, list[tuple[Fault, bool]]] = {}
    for detail in error.errors(include_url=False):
        if detail["type"] == "too_short" and detail["input"]:
            continue  # its items are wrong, which is said of each
        path, branch = _data_path(detail["loc"], detail["type"], tree)
        fault = _words(path, detail["type"], detail, root, detail["loc"])
        found.setdefault(path, []).append((fault, branch))
    deeper = {path[:length] for path in found for length in range(len(path))}
    faults: list[Fault] = []
    for path, entries in found.items():
        plain = [fault for fault, branch in entries if not branch]
        if plain:
            faults.extend(plain[:1])
        elif path not in deeper:  # else another branch has said more exactly what is wrong
            rights = list(dict.fromkeys(fault.right for fault, _ in entries if fault.right))
            faults.append(Fault(path, entries[0][0].kind, entries[0][0].what, ", or ".join(rights)))
    return faults


def _data_path(loc: Sequence[Key], kind: str, tree: Node) -> tuple[PathKeys, bool]:
    """The part of pydantic's location that is in the data, and whether a union's branch is left over."""
    path: list[Key] = []
    node: Node | None = tree
    for position, key in enumerate(loc):
        inner = node.child(key) if node is not None else None
        if inner is not None:
            path.append(key)
            node = inner
        elif position == len(loc) - 1 and kind in {"missing", "extra_forbidden"}:
            return (*path, key), False
    return tuple(path), len(path) < len(loc)


def _words(path: PathKeys, kind: str, detail: Any, root: type[BaseModel], loc: Sequence[Key]) -> Fault:
    value, context = detail.get("input"), detail.get("ctx") or {}
    written = _short(value)
    if kind == "extra_forbidden":
        known = known_keys(root, loc[:-1])
        near = closest(str(loc[-1]), known)
        right = f"{near} " if near.startswith("did you mean") else ""
        return Fault(path, kind, f"unknown key {loc[-1]!r}", f"{right}known keys: {', '.join(known)}")
    if kind == "missing":
        return Fault(path, kind, f"required key {loc[-1]!r} is missing",
                     f"add it, like '{loc[-1]}: {_EXAMPLES.get(str(loc[-1]), '…')}'")  # fmt: skip
    if kind == "literal_error":
        words = [word.strip(" '") for word in str(context.get("expected", "")).replace(" or ", ", ").split(",")]
        near = closest(str(value), words)
        hint = f"{near} " if near.startswith("did you mean") else ""
        return Fault(path, kind, f"{written} is not possible here", f"{hint}one of: {', '.join(words)}")
    if kind in {"value_error", "assertion_error"}:
        text = str(context.get("error", detail["msg"])).removeprefix("Value error, ")
        what, _, right = text.partition("; ")
        return Fault(path, kind, what, right)
    if kind in _BOUNDS:
        name, words_of = _BOUNDS[kind]
        return Fault(path, kind, f"{written} is out of range", f"must be {words_of} {context[name]}")
    return Fault(path, kind, *_type_words(kind, written, value, detail["msg"], known_keys(root, loc)))


def _type_words(kind: str, written: str, value: Any, message: str, keys: Sequence[str]) -> tuple[str, str]:
    if kind.startswith("int"):
        return f"{written} is not a whole number", "write it without quotes, unit or fraction, like 8"
    if kind.startswith("float") or kind in {"finite_number", "decimal_type"}:
        return f"{written} is not a number", "write a number like 1.5"
    if kind.startswith("bool"):
        return f"{written} is neither true nor false", "write true or false"
    if kind == "string_type":
        scalar = not isinstance(value, (dict, list, type(None)))
        right = f'write it in quotes: "{value}"' if scalar else "write one word or a text in quotes"
        return f"{written} is not text", right
    return _shape_words(kind, written, value, message, keys)


def _shape_words(kind: str, written: str, value: Any, message: str, keys: Sequence[str]) -> tuple[str, str]:
    if kind in {"tuple_type", "list_type"}:
        scalar = isinstance(value, (str, int, float))
        return f"{written} is not a list", f"write it as a list: [{value}]" if scalar else "write a list: [a, b]"
    if kind in {"model_type", "model_attributes_type", "dict_type", "dict_attributes_type"}:
        right = f"write keys and values{'; known keys: ' + ', '.join(keys) if keys else ''}"
        return f"{written} is not a mapping", right
    if kind == "too_short":
        return "nothing is here", "at least one entry is needed"
    return f"{written}: {message}", ""


def _short(value: Any) -> str:
    text = "nothing" if value is None else repr(value)
    return text if len(text) <= 60 else text[:57] + "…"


def known_keys(root: type[BaseModel], loc: Sequence[Key]) -> list[str]:
    """The keys that are possible at a location; empty where it is no mapping of known keys."""
    kinds: list[Any] = [root]
    for key in loc:
        kinds = [inner for kind in kinds for inner in _inside(kind, key)]
    names: dict[str, None] = {}
    for kind in kinds:
        for one in _flat(kind):
            if isinstance(one, type) and issubclass(one, BaseModel):
                names.update(dict.fromkeys(field.alias or name for name, field in one.model_fields.items()))
    return list(names)


def _inside(kind: Any, key: Key) -> list[Any]:
    found: list[Any] = []
    for one in _flat(kind):
        if isinstance(key, int):
            if typing.get_origin(one) in {tuple, list}:
                found.extend(argument for argument in typing.get_args(one) if argument is not Ellipsis)
        elif isinstance(one, type) and issubclass(one, BaseModel):
            fields = {field.alias or name: field for name, field in one.model_fields.items()}
            if key in fields:
                found.append(fields[key].annotation)
            elif key == one.__name__:
                found.append(one)
        elif typing.get_origin(one) is dict:
            found.append(typing.get_args(one)[1])
    return found


def _flat(kind: Any) -> list[Any]:
    """The alternatives of a union, without Annotated."""
    origin = typing.get_origin(kind)
    if origin is typing.Annotated:
        return _flat(typing.get_args(kind)[0])
    if origin in {typing.Union, types.UnionType}:
        return [inner for argument in typing.get_args(kind) for inner in _flat(argument)]
    return [kind]
