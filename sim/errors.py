"""The exception tree.

    NovasimError                 anything novasim raises on purpose
    ├── InputError               what a user typed or gave; carries every issue found, exit code 2
    ├── LawViolation             a checker disagrees with the log; carries record, law, seed
    └── StateError               a model object was asked for what its state forbids (a defect of novasim's)

SimPy re-creates exceptions with ``type(e)(*e.args)``, so ``args`` always equals the constructor's arguments.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple


def visible(text: str) -> str:
    """A line as screens can show it: signs that move the cursor, turn the text or ring a bell are written out."""
    return text if text.isprintable() else "".join(one if one.isprintable() else repr(one)[1:-1] for one in text)


class Issue(NamedTuple):
    """One thing wrong with an input: where it is, what is wrong, and what would be right."""

    where: str
    """File, line and path, e.g. ``drain.yaml:12 cloud.hosts[1].nic``."""
    what: str
    right: str = ""

    def __str__(self) -> str:
        text = f"{self.where}: {self.what}" if self.where else self.what
        return visible(f"{text}; {self.right}" if self.right else text)


class NovasimError(Exception):
    """Base of all errors that novasim raises on purpose."""


class InputError(NovasimError):
    """Input that cannot be used; ``issues`` holds everything found, not only the first."""

    def __init__(self, issues: Sequence[Issue]) -> None:
        super().__init__(issues)
        self.issues = tuple(issues)

    def __str__(self) -> str:
        return "\n".join(str(issue) for issue in self.issues)


class LawViolation(NovasimError):
    """The log breaks a law that the cloud must obey."""

    def __init__(self, law: str, detail: str, record: object = None, position: int = -1) -> None:
        super().__init__(law, detail, record, position)
        self.law, self.detail, self.record, self.position = law, detail, record, position

    def __str__(self) -> str:
        return f"{self.law}: {self.detail} (record {self.position}: {self.record})"


class StateError(NovasimError):
    """A model object was asked for something its state forbids."""
