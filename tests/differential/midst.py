"""Every operation that can be held, in each of its stages, and what may happen meanwhile: sequences without chance.

One server on the first of three hosts that differ; the second has the most room and is where it goes.
"""

from __future__ import annotations

from collections.abc import Iterator

from tests.differential.sequences import BEFORE, HOLDS, Sequence
from tests.differential.stages import Stage, Step

SERVER, SOURCE, DEST = "s1", "compute1", "compute2"
STAGE: Stage = {
    "hosts": {
        SOURCE: {"vcpus": 6, "memory_mb": 8192, "disk_gb": 150},
        DEST: {"vcpus": 16, "memory_mb": 40_192, "disk_gb": 857},
        "compute3": {"vcpus": 11, "memory_mb": 19_192, "disk_gb": 650},
    },
    "options": {},
    "fails": {},
    "groups": {},
    "servers": [{"op": "create", "name": SERVER, "flavor": "tiny", "microversion": "2.90", "host": SOURCE}],
}
_ARGUMENTS = {
    "resize": {"flavorRef": "small"},
    "os-migrateLive": {"host": None, "block_migration": "auto"},
    "evacuate": {},
    "reboot": {"type": "HARD"},
    "createImage": {"name": "snapshot"},
}
_BACK: Step = {"op": "back"}


def asked(kind: str) -> Step:
    """A request of that kind, of the one server."""
    asked: Step = {"op": "request", "server": SERVER, "microversion": "2.90", "who": "admin"}
    if kind == "create":
        return {"op": "create", "name": "s2", "flavor": "tiny", "microversion": "2.90", "host": SOURCE}
    if kind == "down":
        return {"op": "service", "host": SOURCE, "forced_down": True}
    if kind == "delete":
        return asked | {"method": "DELETE"}
    return asked | {"body": {kind: _ARGUMENTS.get(kind)}}


def _meanwhile(kind: str) -> Iterator[tuple[str, list[Step], list[Step]]]:
    """A name, steps in the midst, and steps at the end."""
    whose = "s2" if kind == "create" else SERVER
    for host, word in ((SOURCE, "the source"), (DEST, "the destination")):
        dies: list[Step] = [{"op": "dead", "host": host, "crash": True}]
        yield f"{word} dies", dies, []
        yield f"{word} dies and returns", dies, [_BACK]
    asked: Step = {"op": "request", "server": whose, "microversion": "2.90", "who": "admin"}
    resets = {state: asked | {"body": {"os-resetState": {"state": state}}} for state in ("active", "error")}
    for state, reset in resets.items():
        yield f"reset to {state}", [reset], []
    yield "deleted", [asked | {"method": "DELETE"}], []
    yield "deleted by force", [asked | {"body": {"forceDelete": None}}], []
    yield "reset to active, stopped", [resets["active"], asked | {"body": {"os-stop": None}}], []
    yield "reset to error, deleted", [resets["error"], asked | {"method": "DELETE"}], []
    yield "the source is down", [{"op": "service", "host": SOURCE, "forced_down": True}], []
    yield "the destination is down", [{"op": "service", "host": DEST, "forced_down": True}], []
    if kind == "os-migrateLive":
        orders: dict[str, Step] = {
            "aborted": asked | {"method": "DELETE", "of": "migration"},
            "forced to complete": asked | {"body": {"force_complete": None}, "of": "migration"},
        }
        for word, order in orders.items():
            yield word, [order], []
            yield f"reset to active, {word}", [resets["active"], order], []


def sequences() -> Iterator[tuple[str, Sequence]]:
    """Name and sequence."""
    for kind, calls in HOLDS.items():
        for call in calls:
            for word, midst, end in _meanwhile(kind):
                before = [asked(one) for one in BEFORE.get(kind, ())]
                during = [step | {"during": True} for step in midst]
                steps = [*before, asked(kind) | {"hold": call}, *during, {"op": "open"}, *end]
                yield f"{kind} held in {call}: {word}", Sequence(STAGE, steps)
