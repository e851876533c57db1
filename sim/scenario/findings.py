"""What checks find, and what they are given to find it with."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from sim.errors import Issue
from sim.scenario.expand import HostRow
from sim.scenario.nova_conf import NovaOptions
from sim.scenario.patterns import HostIndex, closest
from sim.scenario.spec import Scenario
from sim.scenario.tree import PathKeys


@dataclass
class Findings:
    """Errors and warnings; Nova's options where they could be read."""

    errors: list[Issue] = field(default_factory=list)
    warnings: list[Issue] = field(default_factory=list)
    options: NovaOptions | None = None


@dataclass
class Checked:
    """A scenario under examination.

    ``tainted`` names the collections (``hosts``, ``flavors``, …) from which wrong entries have been taken out: names
    that are missing from them are not reported. ``whole`` says that no value was wrong.
    """

    scenario: Scenario
    where: Callable[[PathKeys], str]
    tainted: frozenset[str]
    whole: bool
    found: Findings
    rows: list[HostRow] = field(default_factory=list)
    index: HostIndex = field(default_factory=lambda: HostIndex([], {}))

    def error(self, path: PathKeys, what: str, right: str = "") -> None:
        """Something that cannot be simulated."""
        self.found.errors.append(Issue(self.where(path), what, right))

    def warn(self, path: PathKeys, what: str, right: str = "") -> None:
        """Something that can be simulated, and is probably not meant."""
        self.found.warnings.append(Issue(self.where(path), what, right))

    def named(self, path: PathKeys, name: str) -> bool:
        """Report a name that is blank; whether it is one."""
        if not name.strip():
            self.error((*path, "name"), "a name without a letter", "write one, like name-1")
        return bool(name.strip())

    def known(self, path: PathKeys, kind: str, name: str | None, names: Iterable[str]) -> bool:
        """Report a name that is not among ``names`` (of the collection ``kind``); whether it is."""
        if name is None:
            return False
        known = names if isinstance(names, (set, dict)) else set(names)
        if name in known:
            return True
        if kind not in self.tainted:
            self.error(path, f"unknown {kind.rstrip('s').replace('_', ' ')} {name!r}", closest(name, sorted(known)))
        return False

    def selectors(self, path: PathKeys, selectors: Iterable[str]) -> list[str]:
        """Hosts that selectors mean; reports those that mean nothing or reach too far."""
        chosen: dict[str, None] = {}
        for number, selector in enumerate(selectors):
            place = (*path, number)
            try:
                found = self.index.match(selector)
                missing = self.index.missing(selector)
            except ValueError as error:
                self.error(place, *_parts(error))
                continue
            if "hosts" not in self.tainted and not (":" in selector and "places" in self.tainted):
                if not found:
                    self.error(place, f"{selector!r} matches no host", self.index.suggest(selector))
                elif missing:
                    more = f" and {len(missing) - 3} more" if len(missing) > 3 else ""
                    self.error(place, f"{selector!r} makes names that are no hosts: {', '.join(missing[:3])}{more}",
                               "make the pattern smaller")  # fmt: skip
            chosen.update(dict.fromkeys(found))
        return list(chosen)


def _parts(error: Exception) -> tuple[str, str]:
    what, _, right = str(error).partition("; ")
    return what, right


parts_of = _parts
"""What is wrong and what would be right, of an error's text."""


def duplicates(names: Iterable[tuple[str, PathKeys]]) -> Iterable[tuple[str, PathKeys, PathKeys]]:
    """Names seen before: name, path, and the path where it was first."""
    first: dict[str, PathKeys] = {}
    for name, path in names:
        if name in first:
            yield name, path, first[name]
        else:
            first[name] = path
