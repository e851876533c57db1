"""The whole grids that the recorded oracle is a part of, asked of real Nova and written down in the oracle's shape.

`python -m tests.differential.grid FOLDER [matrix_a ...]` writes FOLDER/matrix_a.json and so on; tests/conformance plays
such rows like the recorded ones. Bodies of the requests grids are those that the recording in ORACLE shows, at all its
microversions.
"""

from __future__ import annotations

import argparse
import json
import pathlib
from collections.abc import Iterator
from typing import Any, NamedTuple

from tests.differential import cells
from tests.differential.cells import Step
from tests.differential.nova_process import RealNova

ORACLE = pathlib.Path(__file__).parents[3] / "shared" / "oracle"
OTHERS: dict[str, Any] = {
    "os-stop": None, "os-start": None, "reboot:SOFT": {"type": "SOFT"}, "reboot:HARD": {"type": "HARD"},
    "pause": None, "unpause": None, "suspend": None, "resume": None, "rescue": None, "unrescue": None,
    "shelve": None, "shelveOffload": None, "unshelve": None, "lock": None, "unlock": None, "forceDelete": None,
    "restore": None, "createImage": {"name": "snapshot"}, "resize": {"flavorRef": "2"}, "DELETE": None,
}  # fmt: skip
"""Actions beyond the oracle's that change a server, with their bodies."""
EVERYWHERE = ("2.1", "2.56", "latest")


class Cell(NamedTuple):
    """One request in one state: what to play, and the fields that name it in the oracle."""

    names: dict[str, Any]
    cloud: dict[str, Any]
    prefix: list[list[Step]]
    steps: list[Step]


# --- matrices --------------------------------------------------------------------------------------------------------


def _matrix(actions: tuple[str, ...], versions: tuple[str, ...], states: Any, who: str = "admin") -> Iterator[Cell]:
    for state in states:
        for action in actions:
            for version in versions:
                prefix, steps = cells.matrix_play(state, action, version, who)
                names = {"state": state, "action": action, "microversion": version, "who": who}
                yield Cell(names, cells.MATRIX_CLOUD, prefix, steps)


def _others() -> Iterator[Cell]:
    for state in cells.STATES:
        for action, argument in OTHERS.items():
            for version in ("2.1", "latest"):
                more = {"server": state, "server_id": cells.SERVER_IDS[state]} if state in cells.SERVER_IDS else {}
                step = {**cells.ask({action.partition(":")[0]: argument}, microversion=version, who="admin"), **more}
                if action == "DELETE":
                    step = {**cells.DELETE, "microversion": version, **more}
                prefix = [cells.STATES[state]] if cells.STATES[state] else []
                names = {"state": state, "action": action, "microversion": version, "who": "admin"}
                yield Cell(names, cells.MATRIX_CLOUD, prefix, [{"op": "settle"}, step])


_PLAIN = tuple(state for state in cells.STATES if state != "LOCKED_VERIFY_RESIZE")
_D = ("os-resetState:active", "os-resetState:error", "injectNetworkInfo", "resetNetwork")
_E = ("migrate", "os-migrateLive", "evacuate", "evacuate_host_up", *_D)
_E_VERSIONS = ("2.1", "2.34", "2.56", "2.95", "latest")


def _matrix_e() -> Iterator[Cell]:
    for who in ("member", "reader", "member_with_policy_opened"):
        yield from _matrix(_E, _E_VERSIONS, ("ACTIVE", "LOCKED_ACTIVE", "ERROR", "NONEXISTENT"), who)
        resizes = ("confirmResize", "revertResize")
        yield from _matrix(resizes, _E_VERSIONS, ("ACTIVE", "LOCKED_ACTIVE", "ERROR", "NONEXISTENT"), who)
        yield from _matrix(resizes, _E_VERSIONS, ("VERIFY_RESIZE", "LOCKED_VERIFY_RESIZE"), who)


# --- requests --------------------------------------------------------------------------------------------------------

_FILLER: list[Step] = [
    {"op": "flavor", "name": "filler", "vcpus": 1, "memory_mb": 7680, "disk_gb": 1},
    {"op": "create", "name": "filler", "flavor": "filler", "host": "compute5"},
    {"op": "service", "host": "compute3", "disabled": True},
    {"op": "service", "host": "compute4", "forced_down": True},
    cells.CREATE,
]
_RESIZE_FLAVORS: list[Step] = [
    {"op": "flavor", "name": "zero", "vcpus": 1, "memory_mb": 512, "disk_gb": 0},
    {"op": "flavor", "name": "vast", "vcpus": 5000, "memory_mb": 1_000_000, "disk_gb": 1},
]


def _requests(rows: list[dict[str, Any]]) -> Iterator[Cell]:
    versions = list(dict.fromkeys(row["microversion"] for row in rows))
    seen: set[str] = set()
    for row in rows:
        body = _flavors(row)
        alone = row["action"].startswith("(microversion") or row["microversion"] in ("1.1", "2.104")
        for version in [row["microversion"]] if alone else versions:
            if version in ("1.1", "2.104") and not alone:
                continue
            names = {"action": row["action"], "case": row["case"], "microversion": version, "request_body": body}
            if "source_host" in row:
                names["source_host"] = row["source_host"]
            key = json.dumps(names)
            if key in seen:
                continue
            seen.add(key)
            yield Cell(names, cells.REQUEST_CLOUD, [_FILLER, *_before(row)], _request_steps(row, body, version))


def _before(row: dict[str, Any]) -> list[list[Step]]:
    if row["action"] in ("confirmResize", "revertResize"):
        return [[cells.MIGRATE]]
    return [_RESIZE_FLAVORS] if row["action"] == "resize" else []


def _request_steps(row: dict[str, Any], body: Any, version: str) -> list[Step]:
    first: Step = {"op": "settle"}
    if row["action"] == "evacuate" and row.get("source_host", "down") != "up":
        first = cells.DOWN
    step = cells.ask(body, microversion=version, who="admin")
    if isinstance(body, str) and body.startswith("RAW: "):
        step["raw"] = body.removeprefix("RAW: ")
    return [first, step]


def _flavors(row: dict[str, Any]) -> Any:
    """The recorded body with the names of this cloud's flavors."""
    body = row["request_body"]
    if row["action"] != "resize" or not isinstance(body, dict) or not isinstance(body.get("resize"), dict):
        return body
    flavor = {"same flavor": "1", "zero disk flavor": "zero", "too big for any host": "vast"}.get(row["case"], "2")
    if isinstance(body["resize"].get("flavorRef"), int):
        return {"resize": {**body["resize"], "flavorRef": 2}}
    if not isinstance(body["resize"].get("flavorRef"), str):
        return body
    return {**body, "resize": {**body["resize"], "flavorRef": flavor}}


# --- recording -------------------------------------------------------------------------------------------------------


def grids() -> dict[str, Iterator[Cell]]:
    """Every grid by the name of its file."""
    found = {
        "matrix_a": _matrix(("migrate", "os-migrateLive"), cells.MICROVERSIONS, _PLAIN),
        "matrix_b": _matrix(("evacuate", "evacuate_host_up"), cells.MICROVERSIONS, _PLAIN),
        "matrix_c": _matrix(("confirmResize", "revertResize"), cells.MICROVERSIONS, _PLAIN),
        "matrix_d": _matrix(_D, EVERYWHERE, _PLAIN),
        "matrix_e": _matrix_e(),
        "matrix_f": _others(),
    }
    for path in sorted(ORACLE.glob("requests_*.json")):
        found[path.stem] = _requests(json.loads(path.read_text("utf-8")))
    return found


def record(nova: RealNova, cell: Cell) -> dict[str, Any]:
    """Ask real Nova, and write the answer as the oracle does."""
    rows = nova.play(cell.cloud, cell.steps, cell.prefix)
    before, after = rows[-2], rows[-1]
    requests = "request_body" in cell.names
    result = dict(cell.names)
    if not requests:
        result["before"] = cells.before_of(before)
        result["body"] = cell.steps[-1].get("body")
    return result | cells.outcome(before, after, requests=requests)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("grids", nargs="*")
    arguments = parser.parse_args()
    arguments.folder.mkdir(parents=True, exist_ok=True)
    for name, found in grids().items():
        if arguments.grids and name not in arguments.grids:
            continue
        with RealNova() as nova:
            rows = [record(nova, cell) for cell in found]
        (arguments.folder / f"{name}.json").write_text(json.dumps(rows, indent=1, default=str), "utf-8")
        print(f"{name}: {len(rows)} cells", flush=True)


if __name__ == "__main__":
    main()
