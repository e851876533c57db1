"""Numbered names: ``"r{r:01-04}-c{c:01-05}"`` makes 20 names, the last placeholder running fastest.

A placeholder is ``{name:FROM-TO}`` (zeros in front of FROM set the width) or ``{name:a,b,c}``. Other fields of the same
entry use ``{name}``. A million names take about half a second, so everything here works on whole columns.
"""

from __future__ import annotations

import fnmatch
import itertools
import re
from collections.abc import Iterable, Iterator, Sequence
from difflib import get_close_matches
from functools import lru_cache
from operator import itemgetter
from typing import NamedTuple

_BRACES = re.compile(r"\{([^{}]*)\}")
_NAME = re.compile(r"[A-Za-z_]\w*$")
_RANGE = re.compile(r"(\d+)-(\d+)$")
_RIGHT = "write {name:FROM-TO}, like 'host-{n:01-20}'"
NAMES_MAX = 10_000_000
"""More names than this from one pattern is a slip of the keyboard."""


class Pattern(NamedTuple):
    """A name with placeholders, taken apart."""

    source: str
    template: str
    """``%s`` where a placeholder stood; per cent signs doubled."""
    order: tuple[int, ...]
    """Which placeholder stands at each ``%s``."""
    fields: tuple[str, ...]
    values: tuple[tuple[str, ...], ...]

    @property
    def size(self) -> int:
        """How many names it makes."""
        total = 1
        for values in self.values:
            total *= len(values)
        return total

    def rows(self) -> Iterator[tuple[str, ...]]:
        """The placeholders' values, one row for each name."""
        return itertools.product(*self.values)

    def names(self) -> list[str]:
        """All names, in order."""
        if not self.fields:
            return [self.source]
        return _fill(self.template, self.order, self.rows())

    def fill(self, text: str) -> list[str]:
        """``text`` of another field for each name; raises ValueError for a placeholder the name does not have."""
        template, order = self._read(text)
        if not order:
            return [text] * self.size
        return _fill(template, order, self.rows())

    def uses(self, text: str) -> bool:
        """Whether ``text`` has placeholders; raises ValueError for one the name does not have."""
        return bool(self._read(text)[1])

    def _read(self, text: str) -> tuple[str, tuple[int, ...]]:
        order: list[int] = []
        parts: list[str] = []
        end = 0
        for match in _BRACES.finditer(text):
            inner = match[1]
            if inner not in self.fields:
                known = ", ".join(f"{{{name}}}" for name in self.fields)
                if not known:
                    raise ValueError(f"{text!r} uses {{{inner}}}, but the name {self.source!r} has no placeholders; "
                                     f"write the name as a pattern, like 'host-{{n:1-10}}'")  # fmt: skip
                raise ValueError(f"{text!r} uses the unknown placeholder {{{inner}}}; {self.source!r} has {known}")
            parts.append(text[end : match.start()].replace("%", "%%"))
            order.append(self.fields.index(inner))
            end = match.end()
        parts.append(text[end:].replace("%", "%%"))
        return "%s".join(parts), tuple(order)


def _fill(template: str, order: tuple[int, ...], rows: Iterable[tuple[str, ...]]) -> list[str]:
    if order == tuple(range(len(order))) and (peeked := next(it := iter(rows), None)) is not None:
        if len(peeked) == len(order):
            return [template % peeked, *[template % row for row in it]]
        rows = itertools.chain((peeked,), it)
    if len(order) == 1:
        at = order[0]
        return [template % row[at] for row in rows]
    pick = itemgetter(*order)
    return [template % pick(row) for row in rows]


def _values(text: str, source: str) -> tuple[str, ...]:
    match = _RANGE.match(text)
    if match is not None:
        first, last = int(match[1]), int(match[2])
        if last < first:
            raise ValueError(f"{source!r} counts backwards in {text!r}; write the smaller number first, "
                             f"like {last}-{first}")  # fmt: skip
        width = len(match[1]) if match[1].startswith("0") and len(match[1]) > 1 else 0
        if last - first + 1 > NAMES_MAX:
            raise ValueError(f"{source!r} makes {last - first + 1:,} names; at most {NAMES_MAX:,} are possible")
        return tuple([f"{number:0{width}d}" for number in range(first, last + 1)])
    values = tuple(part.strip() for part in text.split(","))
    if not all(values) or len(set(values)) != len(values) or (len(values) == 1 and not values[0].isalnum()):
        raise ValueError(f"{source!r} has the placeholder values {text!r}; write a range like 1-20 or 01-20, "
                         "or different words like a,b,c")  # fmt: skip
    return values


@lru_cache(maxsize=4096)
def compile_pattern(source: str) -> Pattern:
    """Take a name apart; a name without braces is a pattern of one. Raises ValueError with what would be right."""
    fields: list[str] = []
    values: list[tuple[str, ...]] = []
    order: list[int] = []
    parts: list[str] = []
    end = 0
    for match in _BRACES.finditer(source):
        name, colon, body = match[1].partition(":")
        if not _NAME.match(name) or (not colon and name not in fields):
            raise ValueError(f"{source!r} has the placeholder {match[0]!r}; {_RIGHT}")
        if colon and name in fields:
            raise ValueError(f"{source!r} defines {{{name}}} twice; define it once, then write {{{name}}}")
        if colon:
            fields.append(name)
            values.append(_values(body.strip(), source))
        parts.append(source[end : match.start()].replace("%", "%%"))
        order.append(fields.index(name))
        end = match.end()
    tail = source[end:]
    parts.append(tail.replace("%", "%%"))
    if any("{" in part or "}" in part for part in parts):
        raise ValueError(f"{source!r} has a brace without its partner; {_RIGHT}")
    pattern = Pattern(source, "%s".join(parts), tuple(order), tuple(fields), tuple(values))
    if pattern.size > NAMES_MAX:
        raise ValueError(f"{source!r} makes {pattern.size:,} names; at most {NAMES_MAX:,} are possible")
    return pattern


def expand(source: str) -> list[str]:
    """All names of a pattern; a plain name gives itself."""
    return compile_pattern(source).names()


def closest(name: str, known: Iterable[str], *, listed: int = 8) -> str:
    """What would be right instead of an unknown name: the nearest known ones, or the list itself."""
    names = list(known)
    near = get_close_matches(name, names if len(names) <= 20_000 else names[:20_000], n=3, cutoff=0.6)
    if near:
        return "did you mean " + " or ".join(repr(found) for found in near) + "?"
    if not names:
        return "there is none"
    more = f", … ({len(names)} in all)" if len(names) > listed else ""
    return "known: " + ", ".join(names[:listed]) + more


def match_names(selectors: Sequence[str], names: Sequence[str]) -> list[str]:
    """The names chosen by names, patterns or globs, in the order of ``names``; nothing chosen is an empty list."""
    known = set(names)
    chosen: set[str] = set()
    for selector in selectors:
        chosen.update(_matches(selector, names, known))
    return [name for name in names if name in chosen]


def _matches(selector: str, names: Sequence[str], known: set[str]) -> list[str]:
    if "{" in selector:
        return [name for name in expand(selector) if name in known]
    if selector in known:
        return [selector]
    if any(sign in selector for sign in "*?["):
        return list(names) if selector == "*" else fnmatch.filter(names, selector)
    return []


class HostIndex:
    """Finds hosts by names, patterns, globs, ``rack:NAME``, ``aggregate:NAME`` and ``zone:NAME``.

    ``places`` maps a kind (rack, aggregate, zone) to its names and their hosts.
    """

    def __init__(self, hosts: Sequence[str], places: dict[str, dict[str, list[str]]]) -> None:
        self.hosts = tuple(hosts)
        self.places = places
        self._known = set(self.hosts)

    def __contains__(self, host: str) -> bool:
        return host in self._known

    def match(self, selector: str) -> list[str]:
        """Hosts of one selector, in the cloud's order; empty when nothing matches."""
        kind, colon, name = selector.partition(":")
        if colon and kind in self.places and "{" not in kind:
            groups = self.places[kind]
            chosen = match_names([name], list(groups))
            if len(chosen) == 1:
                return list(groups[chosen[0]])
            members = {host for group in chosen for host in groups[group]}
            return [host for host in self.hosts if host in members]
        return _matches(selector, self.hosts, self._known)

    def select(self, selectors: Sequence[str]) -> list[str]:
        """Hosts of all selectors, each once, in the order written. Raises ValueError when one matches nothing."""
        chosen: dict[str, None] = {}
        for selector in selectors:
            found = self.match(selector)
            if not found:
                raise ValueError(f"{selector!r} matches no host; {self.suggest(selector)}")
            chosen.update(dict.fromkeys(found))
        return list(chosen)

    def missing(self, selector: str) -> list[str]:
        """Names that a selector makes and the cloud does not have (a pattern that reaches too far)."""
        if "{" not in selector or ":" in selector.partition("{")[0]:
            return []
        return [name for name in expand(selector) if name not in self._known]

    def suggest(self, selector: str) -> str:
        """What could have been meant by a selector that matches nothing."""
        kind, colon, name = selector.partition(":")
        if colon and kind in self.places:
            known = self.places[kind]
            return closest(name, known) if known else f"no host has {kind} names"
        if colon and "{" not in selector:
            return f"write a host's name, a pattern, a glob, or {', '.join(place + ':NAME' for place in self.places)}"
        if "{" in selector:
            name = expand(selector)[0]
        return closest(name if "{" in selector else selector, self.hosts)


def match_hosts(
    selectors: Sequence[str],
    names: Sequence[str],
    racks: Sequence[str],
    zones: Sequence[str],
    aggregates: dict[str, list[str]],
) -> list[int]:
    """Indices of the hosts that selectors mean, each once, in the hosts' order. ValueError when one matches nothing."""
    index = HostIndex(names, {"rack": _grouped(racks, names), "aggregate": aggregates, "zone": _grouped(zones, names)})
    at = {name: position for position, name in enumerate(names)}
    return sorted(at[name] for name in index.select(selectors))


def _grouped(labels: Sequence[str], names: Sequence[str]) -> dict[str, list[str]]:
    groups: dict[str, list[str]] = {}
    for label, name in zip(labels, names, strict=True):
        groups.setdefault(label, []).append(name)
    return groups
