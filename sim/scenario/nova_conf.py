"""Reads operators' nova.conf with the code that Nova reads it with, and says what becomes of each option.

Options set in a file are honoured, known without effect (with the reason), or unknown to Nova; none is dropped in
silence. Values of options without effect are not kept, since deployments keep passwords among them.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

from oslo_config import cfg

from sim.errors import InputError, Issue
from sim.scenario.nova_options import Catalogue, OptionFacts, catalogue, is_honoured
from sim.scenario.patterns import closest
from sim.scenario.tree import shown

_REFERENCES = {"pybasedir": "/usr/lib/python3/dist-packages", "state_path": "$pybasedir", "host": "localhost",
               "my_ip": "127.0.0.1", "my_block_storage_ip": "$my_ip", "instances_path": "$state_path/instances",
               "bindir": "/usr/bin"}  # fmt: skip
"""Options that others refer to by ``$name``, with Nova's defaults."""


_TOP = "DEFAULT"
_OWN = {"config_file", "config_dir", "config_source"}
"""Options of oslo.config itself."""
_NAME = re.compile(r"[A-Za-z]\w*", re.ASCII)
# What oslo.config says of older names has no line; the listing names options as they are called today.
logging.getLogger("oslo_config").addHandler(logging.NullHandler())


class OptionUse(NamedTuple):
    """One option that a file or a scenario sets."""

    name: str
    """``GROUP.name``, as of today where the file uses an older name."""
    where: str
    """``nova.conf:12``."""
    value: Any
    """Converted; None for options without effect."""
    note: str
    """Why it has no effect, or what it could have been."""


class NovaOptions:
    """Nova's options in force. ``opts["DEFAULT.resize_confirm_window"]`` is the converted value; frozen.

    ``honoured``, ``no_effect`` and ``unknown`` list what the files and the scenario set, in order.
    """

    __slots__ = ("_values", "honoured", "no_effect", "unknown")

    def __init__(
        self,
        values: Mapping[str, Any],
        honoured: Sequence[OptionUse] = (),
        no_effect: Sequence[OptionUse] = (),
        unknown: Sequence[OptionUse] = (),
    ) -> None:
        self._values = dict(values)
        self.honoured, self.no_effect, self.unknown = tuple(honoured), tuple(no_effect), tuple(unknown)

    def __getitem__(self, name: str) -> Any:
        try:
            return self._values[name]
        except KeyError:
            raise KeyError(f"{name!r} is no option of the table; {closest(name, self._values)}") from None

    def __eq__(self, other: object) -> bool:
        return isinstance(other, NovaOptions) and self._values == other._values

    def __hash__(self) -> int:
        return hash(tuple(sorted(self._values)))

    def in_force(self) -> dict[str, Any]:
        """Every honoured option and its value, lists as lists: as a stored log gives them back."""
        return {
            name: list(value) if isinstance(value, tuple) else value
            for name, value in self._values.items()
            if is_honoured(name)
        }

    @property
    def values(self) -> Mapping[str, Any]:
        """All options of the table, honoured or not."""
        return MappingProxyType(self._values)


class _Setting(NamedTuple):
    group: str
    key: str
    file: str
    line: int

    @property
    def where(self) -> str:
        return f"{self.file}:{self.line} [{self.group}] {self.key}"


def read_options(
    conf_path: str | Path | Sequence[str | Path] | None,
    overrides: Mapping[str, Any] | None = None,
    *,
    where: str = "cloud.nova.options",
) -> NovaOptions:
    """Options from nova.conf files (later ones win) and a scenario's own overrides (which win over all).

    A directory stands for its ``*.conf`` in order of name. Raises InputError with every wrong line, value and override;
    ``where`` is what overrides are called in issues.
    """
    reader = _Reader()
    paths = list(_paths(conf_path, reader.issues))
    settings = [setting for path in paths for setting in _scan(path, reader.issues)]
    if settings and not reader.issues:
        reader.read_files(paths, settings)
    reader.override(overrides or {}, where)
    if reader.issues:
        raise InputError(reader.issues)
    return NovaOptions(reader.values, reader.honoured, reader.no_effect, reader.unknown)


def _paths(conf: str | Path | Sequence[str | Path] | None, issues: list[Issue]) -> Iterator[Path]:
    entries = [] if conf is None else [conf] if isinstance(conf, (str, Path)) else list(conf)
    for entry in map(Path, entries):
        if entry.is_dir():
            inside = sorted(entry.glob("*.conf"))
            if not inside:
                issues.append(Issue(shown(str(entry)), "this directory has no *.conf", "name a nova.conf"))
            yield from inside
        elif not entry.is_file():
            issues.append(Issue(shown(str(entry)), "no such file", "name a nova.conf that exists, or leave conf out"))
        else:
            yield entry


def _text(path: Path, issues: list[Issue]) -> str:
    name = shown(str(path))
    try:
        text = path.read_text("utf-8")
    except (UnicodeDecodeError, OSError) as error:
        issues.append(Issue(name, f"cannot be read as text: {error}", "a nova.conf is UTF-8 text"))
        return ""
    if text.startswith("\ufeff"):
        issues.append(
            Issue(f"{name}:1", "begins with a byte order mark, which Nova cannot read", "save it without one")
        )
    return text.removeprefix("\ufeff")


def _scan(path: Path, issues: list[Issue]) -> list[_Setting]:
    """Where each option is set, and every line that is no nova.conf."""
    found: list[_Setting] = []
    name = shown(str(path))
    group, key = "", ""
    for number, raw in enumerate(_text(path, issues).split("\n"), 1):
        line = raw.rstrip()
        place = f"{name}:{number}"
        if not line:
            key = ""
        elif line[0] in " \t":
            if not key:
                issues.append(Issue(place, f"{line.strip()!r} continues nothing", "start options in column 1"))
        elif line[0] == "[":
            group, key = line[1:-1], ""
            if not line.endswith("]") or not group:
                issues.append(Issue(place, f"{line!r} is no section", "write it as [DEFAULT] or [libvirt]"))
            group = group if group == "DEFAULT" else group.lower()
        elif line[0] in "#;":
            key = ""
        else:
            cut = min((at for at in (line.find("="), line.find(":")) if at >= 0), default=-1)
            key = line[:cut].strip() if cut >= 0 else ""
            if not key:
                issues.append(Issue(place, f"{line!r} has no option and value", "write it as option = value"))
            elif not group:
                issues.append(Issue(place, f"{key!r} stands before any section", "put [DEFAULT] above it"))
            else:
                found.append(_Setting(group, key, name, number))
    return found


class _Reader:
    """Values as they gather: Nova's defaults, then files, then overrides."""

    def __init__(self) -> None:
        self.known: Catalogue = catalogue()
        self.values: dict[str, Any] = {name: _frozen(facts.default) for name, facts in self.known.facts.items()}
        self.honoured: list[OptionUse] = []
        self.no_effect: list[OptionUse] = []
        self.unknown: list[OptionUse] = []
        self.issues: list[Issue] = []

    def read_files(self, paths: Sequence[Path], settings: Sequence[_Setting]) -> None:
        known = self.known
        last: dict[str, _Setting] = {}
        for setting in settings:
            name = f"{setting.group}.{setting.key}"
            last[known.aliases.get(name, name)] = setting
        conf = self._parsed(paths, last)
        for name, setting in last.items() if conf is not None else ():
            facts = known.facts.get(name)
            if facts is None:
                self._list_other(name, setting)
                continue
            try:
                value = (conf if facts.group == _TOP else conf[facts.group])[facts.key]
            except (cfg.Error, ValueError) as error:
                self.issues.append(Issue(setting.where, _reason(error), facts.right()))
                continue
            # A blank number stands for Nova's default.
            self._set(facts, setting.where, facts.default if value is None else value)

    def _parsed(self, paths: Sequence[Path], names: Mapping[str, _Setting]) -> Any:
        """The files as oslo.config reads them; None (and an issue) if it cannot."""
        conf = cfg.ConfigOpts()
        for facts in self.known.facts.values():
            _register(conf, facts.group, facts.oslo(_REFERENCES.get(facts.key) if facts.group == _TOP else None))
        for name in dict.fromkeys([*names, *(f"{_TOP}.{reference}" for reference in _REFERENCES)]):
            group, _, key = name.partition(".")
            known = name in self.known.facts or (group == _TOP and key in _OWN)
            if not known and _NAME.fullmatch(key):  # so that $name in other values finds it
                default = _REFERENCES.get(key) if group == _TOP else None
                _register(conf, group, cfg.StrOpt(key, default=default))
        files = [str(path) for path in paths]
        try:
            conf([], project="nova", default_config_files=files, default_config_dirs=[], use_env=False)
        except cfg.Error as error:
            self.issues.append(Issue(files[0], str(error), "oslo.config must be able to read it"))
            return None
        return conf

    def override(self, overrides: Mapping[str, Any], where: str) -> None:
        for written, value in _flat(overrides):
            name = written if "." in written else f"DEFAULT.{written}"
            name = self.known.aliases.get(name, name)
            place = f"{where}.{written}"
            facts = self.known.facts.get(name)
            if facts is not None:
                try:
                    self._set(facts, place, _converted(facts, value))
                except (ValueError, TypeError) as error:
                    self.issues.append(Issue(place, f"{value!r} is wrong: {error}", facts.right()))
            elif name in self.known.others:
                self.no_effect.append(OptionUse(name, place, None, self.known.others[name]))
            else:
                self.issues.append(Issue(place, "unknown option of Nova", _suggestion(written, self.known)))

    def _set(self, facts: OptionFacts, where: str, value: Any) -> None:
        self.values[facts.name] = _frozen(value)
        if is_honoured(facts.name):
            self.honoured = [use for use in self.honoured if use.name != facts.name]
            self.honoured.append(OptionUse(facts.name, where, self.values[facts.name], ""))
        else:
            self.no_effect = [use for use in self.no_effect if use.name != facts.name]
            self.no_effect.append(OptionUse(facts.name, where, None, facts.why))

    def _list_other(self, name: str, setting: _Setting) -> None:
        if name in self.known.others:
            self.no_effect.append(OptionUse(name, setting.where, None, self.known.others[name]))
            return
        everything = (*self.known.facts, *self.known.others)
        keys = [one.partition(".")[2] for one in everything if one.startswith(f"{setting.group}.")]
        note = f"Nova has no such option in [{setting.group}]" if keys else f"Nova has no section [{setting.group}]"
        moved = [one for one, facts in self.known.facts.items() if setting.key in
                 {facts.key, f"{facts.group.removeprefix('filter_')}_{facts.key}"}]  # fmt: skip
        near = get_close_matches(setting.key, keys, n=3, cutoff=0.75)
        if moved:
            note += f"; it has {' and '.join(moved)}"
        elif near:
            note += f"; did you mean {' or '.join(map(repr, near))}?"
        self.unknown.append(OptionUse(name, setting.where, None, note))


def _register(conf: cfg.ConfigOpts, group: str, option: cfg.Opt) -> None:
    """Those of [DEFAULT] belong to no group: references from everywhere find them there."""
    conf.register_opt(option, group=None if group == _TOP else group)


def _reason(error: Exception) -> str:
    text = str(error)
    marker = "is not valid: "
    return f"wrong value: {text.split(marker, 1)[1] if marker in text else text}"


def _flat(overrides: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for key, value in overrides.items():
        if isinstance(value, Mapping) and "." not in str(key):
            for inner, inner_value in value.items():
                yield f"{key}.{inner}", inner_value
        else:
            yield str(key), value


def _suggestion(written: str, known: Catalogue) -> str:
    same = [name for name in known.facts if name.split(".", 1)[1] == written.rsplit(".", 1)[-1]]
    if same:
        return f"write {' or '.join(same)}"
    return closest(written if "." in written else f"DEFAULT.{written}", known.facts)


def _converted(facts: OptionFacts, value: Any) -> Any:
    if value is None:
        return None
    if isinstance(value, bool) and facts.type != "Boolean":
        raise ValueError("true and false fit only options that are switches")
    if facts.type == "MultiString":
        return [str(one) for one in value] if isinstance(value, (list, tuple)) else [str(value)]
    if facts.type in {"Integer", "Float"} and not isinstance(value, (int, float, str)):
        raise ValueError("not a number")
    return facts.value_type()(list(value) if isinstance(value, tuple) else value)


def _frozen(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value
