"""The scenario file of an import: one line for each thing, provenance and assumptions as comments at the top."""

from __future__ import annotations

import os
import textwrap
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sim.errors import InputError, Issue, visible
from sim.scenario.yaml_text import one_line

if TYPE_CHECKING:
    from sim.scenario.importers.openstack import Imported

MARK = "# Imported by novasim"
_ABOUT = {
    "hosts": "where servers can be; `service` is the compute service at the start",
    "aggregates": "aggregates, with their zones and metadata",
    "flavors": "what servers ask for",
    "images": "what servers boot from",
    "server_groups": "who must, or should, be together or apart",
    "servers": "in the order of their hosts; activity is idle, web, database, in_memory or hog",
    "network": "kind: leaf_spine by racks; oversubscription is a rack's hosts' bandwidth over its uplinks'",
    "storage": "where root disks live: local or shared",
    "nova": "read as Nova reads it; options: {name: value} here would win over the file",
}


def write_scenario(imported: Imported, output: str | Path) -> Path:
    """Write the file, whole or not at all. InputError where it would overwrite what is no import."""
    path = Path(output)
    if path.is_dir():
        raise InputError([Issue(str(output), "is a folder", "name a file, like my_cloud.yaml")])
    if not path.parent.is_dir():
        raise InputError([Issue(str(output), f"the folder {str(path.parent)!r} does not exist", "make it first")])
    if path.exists() and not path.read_text("utf-8", "replace").startswith(MARK):
        raise InputError(
            [Issue(str(output), "exists and is no import, it is left as it is", "name another file with -o")]
        )
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        temporary.write_text("\n".join(_lines(imported, path)) + "\n", "utf-8")
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    return path


def _lines(imported: Imported, path: Path) -> Iterator[str]:
    yield f"{MARK}. Importing again overwrites this file: write what shall happen in a file beside it that says"
    yield f"# `extends: {path.name}`."
    for title, texts in (("From", imported.sources), ("Known", imported.notes), ("Assumed", imported.assumed)):
        if texts:
            yield "#"
            yield f"# {title}:"
        for text in texts:
            yield from textwrap.wrap(visible(text), 118, initial_indent="# - ", subsequent_indent="#   ",
                                     break_long_words=False, break_on_hyphens=False)  # fmt: skip
    yield ""
    yield f"name: {one_line(path.stem)}"
    yield "cloud:"
    for key, value in imported.cloud.items():
        if value in ([], {}):
            continue
        yield ""
        yield f"  # {_ABOUT[key]}"
        if isinstance(value, list):
            yield f"  {key}:"
            yield from _entries(key, value)
        else:
            yield f"  {key}: {one_line(_relative(value, path))}"


def _entries(key: str, entries: list[dict[str, Any]]) -> Iterator[str]:
    last = None
    for entry in entries:
        group = entry["rack"] if key == "hosts" else entry.get("host", "no host") if key == "servers" else None
        if group != last:
            yield f"    # {visible(str(group))}"
            last = group
        yield f"    - {one_line(entry)}"


def _relative(value: Mapping[str, Any], path: Path) -> dict[str, Any]:
    """Files named from the scenario's own folder, so that both can be moved together."""
    if "conf" not in value:
        return dict(value)
    return {**value, "conf": os.path.relpath(value["conf"], path.resolve().parent)}
