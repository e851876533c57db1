"""Records more lives of moved servers than the oracle has: `python -m tests.differential.record_moves`.

Writes `tests/conformance/data/moves.json.gz`, which `tests/conformance/test_moves.py` plays in the simulator. A case is
one server on compute1 and steps: a request (`ask`, `delete`), one during which a driver's call is held or its service
does not survive (`hold`, `die` with [host, call]), and what comes after: `open`, `back`, `down`, `wait`.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from typing import Any

from tests.conformance.recordings import COPY, compact
from tests.differential.nova_process import RealNova

Step = dict[str, Any]
Case = dict[str, Any]
HOSTS = {f"compute{number}": {"vcpus": 10, "memory_mb": 8192, "disk_gb": 1028} for number in (1, 2, 3, 4)}
OTHERS = ("compute2", "compute3", "compute4")
SOURCE, DEST = "compute1", "compute3"


def ask(word: str, value: Any = None, **more: Any) -> Step:
    return {"ask": {word: value}, **more}


MIGRATE, RESIZE, THERE = ask("migrate"), ask("resize", {"flavorRef": "2"}), ask("migrate", {"host": DEST})
CONFIRM, REVERT, STOP, START = ask("confirmResize"), ask("revertResize"), ask("os-stop"), ask("os-start")
DELETE: Step = {"delete": {}}
DOWN: Step = {"down": SOURCE}
LATER: Step = {"wait": 200}
WINDOW = {"resize_confirm_window": 60}
DISKS, FINISH = (SOURCE, "migrate_disk_and_power_off"), (DEST, "finish_migration")
CLEAN_UP, LEAVE, RETURN = (SOURCE, "confirm_migration"), (DEST, "destroy"), (SOURCE, "finish_revert_migration")


def reset(state: str) -> Step:
    return ask("os-resetState", {"state": state})


def case(name: str, *steps: Step, options: Any = None, fails: Any = (), disabled: Any = ()) -> Case:
    return {"case": name, "options": options or {}, "fails": list(fails), "disabled": list(disabled), "steps": [*steps]}


def _cases() -> Iterator[Case]:
    yield case("migrate, confirm", MIGRATE, CONFIRM)
    yield case("two moves and a third", MIGRATE, CONFIRM, MIGRATE, REVERT, RESIZE, CONFIRM)
    yield case("to a named host, revert", THERE, REVERT)
    for word, end in (("confirm", CONFIRM), ("revert", REVERT)):
        yield case(f"stopped, {word}", STOP, MIGRATE, end, START)
        yield case(f"resize, {word}", RESIZE, end)
        yield case(f"resize of a stopped server, {word}", STOP, RESIZE, end)
        yield case(
            f"resize on its own host, {word}", RESIZE, end, options={"allow_resize_to_same_host": True}, disabled=OTHERS
        )
    yield case("nowhere to go", MIGRATE, RESIZE, STOP, MIGRATE, disabled=OTHERS)
    yield case(
        "nowhere to go, same host allowed", MIGRATE, options={"allow_resize_to_same_host": True}, disabled=OTHERS
    )
    yield case("the named host is disabled", THERE, disabled=[DEST])
    yield case("the named host's claim fails", THERE, fails=[DEST])
    for count in (1, 2, 3):
        for attempts in (1, 2, 3, 10):
            yield case(
                f"claims fail on {count} of 3, {attempts} attempts",
                MIGRATE,
                fails=OTHERS[:count],
                options={"scheduler.max_attempts": attempts},
            )
        yield case(f"resize, claims fail on {count} of 3", RESIZE, fails=OTHERS[:count])
        yield case(f"stopped, claims fail on {count} of 3", STOP, MIGRATE, fails=OTHERS[:count])
    yield from _windows()
    yield from _in_the_midst()
    yield from _deaths()
    yield from _evacuations()


def _windows() -> Iterator[Case]:
    yield case("window", MIGRATE, LATER, options=WINDOW)
    yield case("window, resize", RESIZE, LATER, options=WINDOW)
    yield case("window, stopped", STOP, MIGRATE, LATER, options=WINDOW)
    yield case("window, locked", MIGRATE, ask("lock"), LATER, options=WINDOW)
    yield case("window, source down", MIGRATE, DOWN, LATER, options=WINDOW)
    yield case("window, deleted", MIGRATE, DELETE, LATER, options=WINDOW)
    for state in ("active", "error"):
        yield case(f"window, reset to {state}", MIGRATE, reset(state), LATER, options=WINDOW)


def _in_the_midst() -> Iterator[Case]:
    for state in ("active", "error"):
        yield case(f"reset to {state} while disks are copied", THERE | {"hold": DISKS}, reset(state), {"open": DISKS})
        yield case(f"reset to {state} in finish_resize", THERE | {"hold": FINISH}, reset(state), {"open": FINISH})
        yield case(
            f"reset to {state} in confirm_resize", THERE, CONFIRM | {"hold": CLEAN_UP}, reset(state), {"open": CLEAN_UP}
        )
        yield case(f"reset to {state} in revert_resize", THERE, REVERT | {"hold": LEAVE}, reset(state), {"open": LEAVE})
        yield case(
            f"reset to {state} in finish_revert_resize",
            THERE,
            REVERT | {"hold": RETURN},
            reset(state),
            {"open": RETURN},
        )
    yield case("deleted in finish_resize", THERE | {"hold": FINISH}, DELETE, {"open": FINISH})
    yield case("deleted in finish_revert_resize", THERE, REVERT | {"hold": RETURN}, DELETE, {"open": RETURN})


def _deaths() -> Iterator[Case]:
    for before, word in (((), "active"), ((STOP,), "stopped")):
        yield case(f"{word}: the source dies while it copies", *before, THERE | {"die": DISKS}, {"back": SOURCE})
        yield case(f"{word}: the destination dies in finish_resize", *before, THERE | {"die": FINISH}, {"back": DEST})
        yield case(
            f"{word}: the source dies in confirm_resize", *before, THERE, CONFIRM | {"die": CLEAN_UP}, {"back": SOURCE}
        )
        yield case(
            f"{word}: the destination dies in revert_resize", *before, THERE, REVERT | {"die": LEAVE}, {"back": DEST}
        )
        yield case(
            f"{word}: the source dies in finish_revert_resize",
            *before,
            THERE,
            REVERT | {"die": RETURN},
            {"back": SOURCE},
        )
    yield case("what a broken move left, and the next move", THERE | {"die": DISKS}, {"back": SOURCE}, THERE, CONFIRM)


def _evacuations() -> Iterator[Case]:
    states = {"active": (), "stopped": (STOP,), "error": (reset("error"),), "stopped, error": (STOP, reset("error"))}
    for word, before in states.items():
        for version, more in (("2.14", {}), ("2.29", {"host": DEST}), ("2.29", {"host": DEST, "force": True}),
                              ("2.67", {"host": DEST, "force": True}), ("2.68", {"host": DEST}), ("2.94", {}),
                              ("2.95", {}), ("2.104", {"host": "compute2"})):  # fmt: skip
            yield case(
                f"evacuate {version} {json.dumps(more)}, {word}",
                *before,
                DOWN,
                ask("evacuate", more, microversion=version),
            )
    yield case("evacuate nowhere", DOWN, ask("evacuate", {}), disabled=OTHERS)
    yield case("evacuate nowhere, stopped", STOP, DOWN, ask("evacuate", {}, microversion="2.95"), disabled=OTHERS)
    yield case("evacuate to a disabled host", DOWN, ask("evacuate", {"host": DEST}), disabled=[DEST])
    yield case(
        "evacuate to a disabled host, forced",
        DOWN,
        ask("evacuate", {"host": DEST, "force": True}, microversion="2.60"),
        disabled=[DEST],
    )


def main() -> None:
    with RealNova() as nova:
        recorded = [compact(_recorded(nova, one)) for one in _cases()]
    text = json.dumps(recorded, separators=(",", ":"))
    (COPY / "moves.json.gz").write_bytes(gzip.compress(text.encode(), 9, mtime=0))
    print(f"{len(recorded)} lives recorded")


def _recorded(nova: RealNova, one: Case) -> Case:
    cloud: dict[str, Any] = {"hosts": HOSTS, "fails": {host: ["resize_claim"] for host in one["fails"]}}
    before = [{"op": "option", "name": name, "value": value} for name, value in one["options"].items()]
    before += [{"op": "service", "host": host, "disabled": True} for host in one["disabled"]]
    told = [list(_told(step)) for step in one["steps"]]
    rows = nova.play(
        cloud,
        before + [part | {"record": True} for parts in told for part in parts],
        prefix=[[{"op": "create", "name": "vm", "host": SOURCE}]],
    )
    del rows[: len(before)]
    steps = []
    for step, parts in zip(one["steps"], told, strict=True):
        mine = [rows.pop(0) for _ in parts]
        steps.append(_kept(step, mine))
    return one | {"steps": steps}


def _told(step: Step) -> Iterator[Step]:
    """A step in the words of real Nova's player."""
    for kind in ("hold", "die"):
        if kind in step:
            host, call = step[kind]
            yield {"op": "gate", "host": host, "call": call, "kind": kind}
    if "ask" in step:
        yield {"op": "request", "server": "vm", "body": step["ask"], "microversion": step.get("microversion", "2.90")}
    elif "delete" in step:
        yield {"op": "request", "server": "vm", "method": "DELETE", "path": "/servers/{server}", "microversion": "2.90"}
    elif "open" in step:
        yield {"op": "open"}
    elif "back" in step:
        yield {"op": "back"}
    elif "down" in step:
        yield {"op": "service", "host": step["down"], "forced_down": True}
    else:
        yield {"op": "wait", "seconds": step["wait"]}


def _kept(step: Step, rows: list[dict[str, Any]]) -> Step:
    """A step and what came of it, in the oracle's shape."""
    asked = next((row for row in rows if "code" in row), None)
    server = rows[-1]["servers"]["vm"]
    return {
        "step": json.dumps(step),
        "do": step,
        "response": asked and {"code": asked["code"], "message": asked["message"]},
        "settled": rows[-1]["settled"],
        "events": [event for row in rows for event in row["events"]],
        "after": server["server"],
        "migrations": server["migrations"],
        "instance_actions": server["actions"],
        "allocations": server["allocations"],
        "held": server["held"],
    }


if __name__ == "__main__":
    main()
