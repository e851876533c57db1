"""Files that a scenario names: made absolute from the file they are named in, and looked for."""

from __future__ import annotations

import glob
import hashlib
import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

from sim.errors import Issue
from sim.scenario.patterns import closest
from sim.scenario.tree import Key, Node, PathKeys, shown
from sim.scenario.yaml_text import parse_yaml, read_text
from sim.units import MIB

FILE_FIELDS: tuple[PathKeys, ...] = (
    ("cloud", "nova", "conf"),
    ("cloud", "nova", "policy"),
    ("cloud", "network", "graph"),
    ("cloud", "servers", "*", "cpu_trace"),
    ("workload", "*", "trace"),
)
"""Where a scenario holds names of files; ``*`` is every entry of a list."""
_TIMINGS: PathKeys = ("cloud", "timings")
_MOST_B = 64 * MIB
_PLACE = re.compile(r"\{[^}]*\}")
_OWN_CODE = re.compile(r"""[^\s,='"\[\]]+\.py(?=:\w)""")
"""The file of ``path/to/file.py:Class``, among whatever else an option says."""


def nodes_at(tree: Node, field: PathKeys) -> Iterator[Node]:
    """The scalar nodes of a field; a list in its place gives its items."""
    yield from (node for _, node in _found(tree, field, ()))


def _found(node: Node | None, field: PathKeys, path: PathKeys) -> Iterator[tuple[PathKeys, Node]]:
    if node is None:
        return
    if not field:
        if isinstance(node.value, list):
            for index, item in enumerate(node.value):
                yield (*path, index), item
        elif node.value is not None and not isinstance(node.value, dict):
            yield path, node
        return
    head: Key = field[0]
    if head == "*":
        for index, item in enumerate(node.value if isinstance(node.value, list) else ()):
            yield from _found(item, field[1:], (*path, index))
    else:
        yield from _found(node.child(head), field[1:], (*path, head))


def resolve_files(tree: Node, issues: list[Issue]) -> None:
    """Make every name of a file absolute, in the tree; an issue for each that is not there.

    A timing profile in a file of its own takes the place of the file's name.
    """
    for path, node in list(_found(tree, _TIMINGS, ())):
        if isinstance(node.value, str) and node.value.endswith((".yaml", ".yml")):
            _take_in(tree, path, node, issues)
    for field in FILE_FIELDS:
        for path, node in list(_found(tree, field, ())):
            if not isinstance(node.value, str):
                continue  # the types will say so
            target = _absolute(node)
            if "{" not in node.value and not target.exists():
                siblings = sorted(one.name for one in target.parent.iterdir()) if target.parent.is_dir() else []
                right = closest(target.name, siblings) if siblings else "its folder does not exist, or is empty"
                issues.append(Issue(tree.where(path), f"no such file: {shown(str(target))}", right))
            _replace(tree, path, Node(str(target), node.file, node.line))


def _absolute(node: Node) -> Path:
    base = Path.cwd() if node.file.startswith("--set") else Path(node.file).parent
    return (base / Path(node.value).expanduser()).resolve()


def _take_in(tree: Node, path: PathKeys, node: Node, issues: list[Issue]) -> None:
    """Put what a file holds where its name stands."""
    target = _absolute(node)
    text = read_text(target, tree.where(path), issues)
    inner = None if text is None else parse_yaml(text, str(target), issues)
    if inner is None:
        inner = Node("default", node.file, node.line)  # so that the rest can be looked at
    _replace(tree, path, inner)


def _replace(tree: Node, path: PathKeys, node: Node) -> None:
    parent = tree.at(path[:-1])
    if parent is not None:
        parent.value[path[-1]] = node


# --- what is in them -------------------------------------------------------------------------------------------------


def contents(name: str) -> str:
    """Stands for what is in a file, or in all files of a pattern; the name itself where there is none."""
    if Path(name).is_file():
        return _sha256(Path(name))
    base = _base(name)
    lines = "".join(f"/{one.relative_to(base)} {_sha256(one)}\n" for one in _files(name))
    return hashlib.sha256(lines.encode()).hexdigest() if lines else name


def _base(name: str) -> Path:
    """The folder above all that differs between the files of a pattern."""
    return Path(name.partition("{")[0] + "x").parent


def _files(name: str) -> list[Path]:
    """The file of that name, or all files of a pattern."""
    found = sorted(glob.glob(_PLACE.sub("*", glob.escape(name)))) if "{" in name else [name]
    return [Path(one) for one in found if Path(one).is_file()]


def take_along(tree: Node, folder: Path) -> None:
    """Copy the files that a scenario names into ``folder``, and name the copies, so that it can be moved, and kept.

    Files of more than 64 MiB stay where they are.
    """
    taken: dict[str, str] = {}
    for field in FILE_FIELDS:
        for node in nodes_at(tree, field):
            name = str(node.value)
            files = _files(name)
            if name not in taken and files and sum(one.stat().st_size for one in files) <= _MOST_B:
                place = Path("files") / str(len(taken) + 1)
                for one in files:
                    target = folder / place / one.relative_to(_base(name))
                    target.parent.mkdir(parents=True, exist_ok=True)
                    shutil.copyfile(one, target)
                taken[name] = str(place / Path(name).relative_to(_base(name)))
            node.value = taken.get(name, name)


def own_code(tree: Node) -> dict[str, str]:
    """Files with classes that the scenario, or a nova.conf that it names, puts in Nova's place → what is in them."""
    texts = [json.dumps(tree.plain(), ensure_ascii=False)]
    for node in nodes_at(tree, ("cloud", "nova", "conf")):
        path = Path(str(node.value))
        texts += [path.read_text(encoding="utf-8", errors="replace")] if path.is_file() else []
    names = sorted({name for text in texts for name in own_names(text)})
    return {name: _sha256(Path(name)) for name in names if Path(name).is_file()}


def own_names(text: str) -> list[str]:
    """The files of ``path/to/file.py:Class`` in a text, each once."""
    return sorted(set(_OWN_CODE.findall(text)))


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
