"""YAML file → Scenario, or everything that is wrong with it at once; and back."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import ValidationError

from sim.errors import InputError, Issue
from sim.scenario.checks import check
from sim.scenario.edits import apply_set
from sim.scenario.files import FILE_FIELDS, contents, nodes_at, own_code, resolve_files, take_along
from sim.scenario.messages import Fault, faults_of
from sim.scenario.nova_conf import NovaOptions
from sim.scenario.spec import Scenario
from sim.scenario.tree import Node, PathKeys, from_plain, merge, shown
from sim.scenario.yaml_text import parse_yaml, read_text, to_yaml

_ROUNDS = 4
"""How often a tree with wrong values is pruned, to see what else is wrong with the rest."""


class Examined(NamedTuple):
    """A good scenario, and what is to be said of it."""

    scenario: Scenario
    warnings: tuple[Issue, ...]
    options: NovaOptions


def load(path: str | Path, sets: Sequence[str] = ()) -> Scenario:
    """The scenario of a file, with ``path=value`` overrides. InputError carries every issue found."""
    return examine(path, sets).scenario


def parse(data: Mapping[str, Any], sets: Sequence[str] = (), *, base: str | Path = ".") -> Scenario:
    """The scenario of plain data, as a file would hold it; relative file names start at ``base``. InputError."""
    return examine(data, sets, base=base).scenario


def examine(source: str | Path | Mapping[str, Any], sets: Sequence[str] = (), *, base: str | Path = ".") -> Examined:
    """As :func:`load`, with the warnings and Nova's options in force."""
    issues: list[Issue] = []
    if isinstance(source, Mapping):
        tree: Node | None = from_plain(source, str(Path(base) / "scenario"))
        tree = _extended(tree, (), issues) if tree is not None else None
        name = "scenario"
    else:
        tree, name = _read(Path(source), str(source), (), issues), Path(source).stem
    if tree is None or not isinstance(tree.value, dict):
        raise InputError(issues or [Issue(str(source), "is no mapping", "a scenario has the keys cloud, plan, run, …")])
    tree = Node(dict(tree.value), tree.file, tree.line)
    for setting in sets:
        apply_set(tree, setting, issues)
    resolve_files(tree, issues)
    tree.value.setdefault("name", Node(name, tree.file, 0))
    return _typed(tree, issues)


# --- reading ---------------------------------------------------------------------------------------------------------


def _read(path: Path, place: str, stack: tuple[Path, ...], issues: list[Issue]) -> Node | None:
    """A file and all that it extends, as one tree."""
    resolved = path.resolve()
    if resolved in stack:
        chain = " → ".join(shown(str(one)) for one in (*stack[stack.index(resolved) :], resolved))
        issues.append(Issue(place, f"files extend each other in a circle: {chain}", "take one extends: away"))
        return None
    text = read_text(path, place, issues)
    if text is None:
        return None
    tree = parse_yaml(text, str(resolved), issues)
    if tree is None:
        return None
    if tree.value is None or not isinstance(tree.value, dict):
        what = "is empty" if tree.value is None else f"holds {type(tree.value).__name__}, not keys and values"
        issues.append(Issue(shown(str(resolved)), what, "a scenario has the keys cloud, plan, run, …"))
        return None
    return _extended(tree, (*stack, resolved), issues)


def _extended(tree: Node, stack: tuple[Path, ...], issues: list[Issue]) -> Node:
    """The tree laid over the files that it extends."""
    if "extends" not in tree.value:
        return tree
    own = {key: node for key, node in tree.value.items() if key != "extends"}
    extends = tree.value["extends"]
    bases = extends.value if isinstance(extends.value, list) else [extends]
    merged: Node | None = None
    for base in bases:
        place = f"{shown(base.file)}:{base.line} extends"
        if not isinstance(base.value, str):
            issues.append(Issue(place, f"{base.plain()!r} is no file name", "write extends: other.yaml"))
            continue
        found = _read(Path(base.file).parent / Path(base.value).expanduser(), place, stack, issues)
        if found is not None:  # a base's name and story are not this scenario's
            found = Node({k: v for k, v in found.value.items() if k not in {"name", "story"}}, found.file, found.line)
            merged = found if merged is None else merge(merged, found)
    over = Node(own, tree.file, tree.line)
    return over if merged is None else merge(merged, over)


# --- types and cross-checks, in one go -------------------------------------------------------------------------------


def _typed(tree: Node, issues: list[Issue]) -> Examined:
    """The typed scenario. Where types are wrong, the rest is still checked, so that all issues come at once."""
    places = {id(node): path for path, node in _walk(tree, ())}
    tainted: set[str] = set()
    pruned = tree
    scenario: Scenario | None = None
    for round_number in range(_ROUNDS):
        try:
            scenario = Scenario.model_validate(pruned.plain())
            break
        except ValidationError as error:
            faults = faults_of(error, pruned, Scenario)
            if round_number == 0:
                unread = bool(issues)  # the cloud may stand in a file that could not be read
                issues.extend(
                    Issue(tree.where(fault.path), fault.what, fault.right)
                    for fault in faults if not (unread and fault.path == ("cloud",) and fault.kind == "missing")
                )  # fmt: skip
            pruned = _pruned(pruned, faults, tainted)
    if scenario is None:
        raise InputError(issues)

    def where(path: PathKeys) -> str:
        return tree.where(_original(path, pruned, places))

    findings = check(scenario, where, tainted=frozenset(tainted), whole=pruned is tree)
    issues.extend(issue for issue in findings.errors if issue not in issues)
    if issues:
        raise InputError(issues)
    assert findings.options is not None  # without errors, they have been read
    return Examined(scenario, tuple(findings.warnings), findings.options)


def _walk(node: Node, path: PathKeys) -> list[tuple[PathKeys, Node]]:
    found = [(path, node)]
    if isinstance(node.value, dict):
        for key, inner in node.value.items():
            found.extend(_walk(inner, (*path, key)))
    elif isinstance(node.value, list):
        for index, inner in enumerate(node.value):
            found.extend(_walk(inner, (*path, index)))
    return found


def _original(path: PathKeys, pruned: Node, places: Mapping[int, PathKeys]) -> PathKeys:
    """A path in the pruned tree as it was in the file: removed items have shifted the numbers."""
    node: Node | None = pruned
    best: PathKeys = ()
    for key in path:
        node = node.child(key) if node is not None else None
        best = (*best, key) if node is None else places.get(id(node), (*best, key))
    return best


_STAND_INS = {"vcpus": 1, "memory": "1 GiB", "disk": "1 GiB", "dirty": "1 MB/s", "working_set": "1 MiB", "every": "1 h",
              "repair": "1 h", "set": "enabled", "policy": "affinity", "lifetime": "1 h", "until": "1000 days",
              "count": 1, "duration": "1000 days"}  # fmt: skip
"""For wrong values that must be there: good enough to look at all else. Nothing is run with them."""


def _pruned(tree: Node, faults: Sequence[Fault], tainted: set[str]) -> Node:
    """The tree without what is wrong: a required value replaced, or its whole entry gone, anything else left out."""
    gone: set[PathKeys] = set()
    added: dict[PathKeys, Any] = {}
    for fault in faults:
        if fault.path[:2] in {("cloud", "hosts"), ("cloud", "aggregates")}:
            tainted.add("places")
        stand_in = _STAND_INS.get(str(fault.path[-1])) if fault.path else None
        if fault.kind == "extra_forbidden" or (stand_in is None and fault.kind != "missing"):
            gone.add(fault.path)
        elif stand_in is not None:
            added[fault.path] = stand_in
        else:
            gone.add(fault.path[:-1])
            tainted.update(str(key) for key in fault.path[:2])
    return _without(tree, (), gone, added)


def _without(node: Node, path: PathKeys, gone: set[PathKeys], added: Mapping[PathKeys, Any]) -> Node:
    if not any(one[: len(path)] == path for one in (*gone, *added)):
        return node
    if isinstance(node.value, dict):
        kept = {k: _without(v, (*path, k), gone, added) for k, v in node.value.items() if (*path, k) not in gone}
        kept.update(
            {str(one[-1]): Node(value, node.file, node.line) for one, value in added.items() if one[:-1] == path}
        )
        return Node(kept, node.file, node.line)
    if isinstance(node.value, list):
        items = [_without(v, (*path, i), gone, added) for i, v in enumerate(node.value) if (*path, i) not in gone]
        return Node(items, node.file, node.line)
    return node


# --- writing ---------------------------------------------------------------------------------------------------------


def to_plain(scenario: Scenario) -> dict[str, Any]:
    """The scenario as plain data with units, as a file would hold it; defaults left out."""
    data = scenario.model_dump(mode="json", exclude_defaults=True)
    return {"name": scenario.name, **{key: value for key, value in data.items() if key != "name"}}


def dump(scenario: Scenario, folder: Path | None = None) -> str:
    """YAML that loads back to an equal scenario; everything extended is written out.

    Names of files are absolute. With the ``folder`` in which the text is to lie they are copied into it.
    """
    if folder is None:
        return to_yaml(to_plain(scenario))
    tree = from_plain(to_plain(scenario))
    take_along(tree, folder)
    return to_yaml(tree.plain())


def digest(scenario: Scenario) -> str:
    """What the scenario says, as a SHA-256: independent of where its files lie, dependent on what is in them.

    Files with classes of the user's own are looked for where novasim was started, as they are when it runs.
    """
    tree = from_plain(to_plain(scenario))
    own = own_code(tree)
    for field in FILE_FIELDS:
        for node in nodes_at(tree, field):
            node.value = contents(str(node.value))
    text = json.dumps({**tree.plain(), **own}, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()
