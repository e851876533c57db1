"""Values of exports, checked as they are read; and what had to be assumed where there are none."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from sim import units
from sim.errors import InputError, Issue
from sim.scenario.importers.exports import Row
from sim.scenario.patterns import closest

TOLD = 20
"""How many places of one mistake are told one by one."""


class Notes:
    """What is wrong with exports (an import fails with all of it), and what was assumed (an import tells all of it)."""

    def __init__(self) -> None:
        self.issues: list[Issue] = []
        self.assumed: list[str] = []
        self.rows: dict[tuple[str, str], Row] = {}
        """Where the scenario's servers, flavors, … come from, by kind and name."""

    def wrong(self, where: str, what: str, right: str) -> None:
        """Something that cannot be used."""
        self.issues.append(Issue(where, what, right))

    def told(self) -> list[Issue]:
        """All that is wrong; of what is wrong again and again the first places, and how many there are."""
        alike: dict[tuple[str, str], list[Issue]] = {}
        for issue in self.issues:
            alike.setdefault((issue.what, issue.right), []).append(issue)
        rest = {key: len(those) - TOLD for key, those in alike.items() if len(those) > TOLD}
        shown = {id(issue) for those in alike.values() for issue in those[:TOLD]}
        more = [Issue(alike[what, right][TOLD].where, f"{what}, and so in {count:,} places from here", right)
                for (what, right), count in rest.items()]  # fmt: skip
        return [*(issue for issue in self.issues if id(issue) in shown), *more]

    def assume(self, text: str, of: Sequence[str] = ()) -> None:
        """Something that no export says; ``of`` names what it is about (the first few are written out)."""
        self.assumed.append(f"{text}: {listed(of)}" if of else text)

    def whole(self, row: Row, field: str, least: int = 0) -> int | None:
        """A whole number, or text of one; None where nothing is said."""
        value = row.get(field)
        if value is None:
            return None
        number = value
        if isinstance(number, str) and re.fullmatch(r"\s*-?\d[\d,]*(\.0+)?\s*", number):
            number = float(number.replace(",", ""))
        if isinstance(number, bool) or not isinstance(number, (int, float)) or number % 1:
            self.wrong(row.where(field), f"{short(value)} is not a whole number", "the clients write one, like 8")
            return None
        if number < least:
            self.wrong(row.where(field), f"{value} is out of range", f"must be at least {least}")
            return None
        return int(number)

    def text(self, row: Row, field: str) -> str | None:
        """One word or a text; None where nothing is said."""
        value = row.get(field)
        if value is None:
            return None
        if not isinstance(value, (str, int)) or isinstance(value, bool):
            self.wrong(row.where(field), f"{short(value)} is not text", "the clients write a name or an id here")
            return None
        return str(value)

    def flag(self, row: Row, field: str) -> bool:
        """True or false, or their names; false where nothing is said."""
        value = row.get(field)
        if value is None or isinstance(value, bool):
            return bool(value)
        word = str(value).strip().lower()
        if word in {"true", "yes", "1"}:
            return True
        if word not in {"false", "no", "0"}:
            self.wrong(row.where(field), f"{short(value)} is neither true nor false", "the clients write true or false")
        return False


def short(value: Any) -> str:
    """A value as messages show it."""
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "…"


def listed(names: Sequence[str], most: int = 5) -> str:
    """``a, b, c and 9 more``."""
    names = list(dict.fromkeys(names))
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def natural(name: str) -> tuple[tuple[int, str], ...]:
    """A key that sorts ``web-2`` before ``web-10``."""
    return tuple((int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", name))


class HostDefaults:
    """What ``--host-defaults vcpus=48,memory=384GiB,disk=2TB,nic=25Gbit/s`` says."""

    KEYS = ("vcpus", "memory", "disk", "nic")

    def __init__(self, text: str | None) -> None:
        self.vcpus: int | None = None
        self.memory: int | None = None
        self.disk: int | None = None
        self.nic: float | None = None
        issues: list[Issue] = []
        for part in (text or "").split(","):
            if part.strip():
                self._take(part.strip(), issues)
        if issues:
            raise InputError(issues)

    def _take(self, part: str, issues: list[Issue]) -> None:
        key, equals, value = (one.strip() for one in part.partition("="))
        where = f"--host-defaults {part}"
        if not equals or key not in self.KEYS:
            right = closest(key, self.KEYS) if equals else "write it like vcpus=48,memory=384GiB,disk=2TB"
            issues.append(Issue(where, f"unknown key {key!r}" if equals else "is not KEY=VALUE", right))
            return
        try:
            if key == "vcpus":
                if not value.isdigit() or not int(value):
                    raise ValueError(f"{value!r} is not a whole number above 0; write it like vcpus=48")
                self.vcpus = int(value)
            elif key == "nic":
                self.nic = units.parse_rate(value)
            else:
                setattr(self, key, units.parse_bytes(value))
            if not getattr(self, key):
                raise ValueError(f"{value!r} is nothing; write what a host has")
        except ValueError as error:
            what, _, right = str(error).partition("; ")
            issues.append(Issue(where, what, right))
