"""What the cross-checks find in an imported cloud, said of the exports that it comes from."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from sim.errors import Issue
from sim.scenario.importers.columns import COLUMNS
from sim.scenario.importers.values import Notes

_PLACE = re.compile(r"cloud\.(\w+)\[(\d+)\](?:\.(\w+))?")


def of_exports(issues: Iterable[Issue], folder: str, cloud: Mapping[str, Any], notes: Notes) -> list[Issue]:
    """Issues with the row that each comes from; what is wrong with many alike is one."""
    alike: dict[tuple[str, str], list[str]] = {}
    for issue in issues:
        alike.setdefault((issue.what, issue.right), []).append(issue.where)
    made: list[Issue] = []
    for (what, right), places in alike.items():
        more = f" (and {len(places) - 1} more of them)" if len(places) > 1 else ""
        made.append(Issue(_row(places[0], folder, cloud, notes), what + more, right))
    return made


def _row(where: str, folder: str, cloud: Mapping[str, Any], notes: Notes) -> str:
    """Where the row of an entry is; the entry's name where no row is its own."""
    match = _PLACE.search(where)
    if match is None:
        return where
    kind, entry = match[1], cloud[match[1]][int(match[2])]
    row = notes.rows.get((kind, entry["name"]))
    if row is None:
        return f"{folder} {kind} {entry['name']}"
    return row.where(match[3] if match[3] in COLUMNS[row.kind] else None)


def warnings(found: Iterable[Issue]) -> Iterator[str]:
    """What can be simulated and is perhaps not meant, each once."""
    for text, count in Counter(f"{one.what}; {one.right}" for one in found).items():
        yield text if count == 1 else f"{text} ({count:,} times)"
