"""Random sequences of requests. A seed draws the stage, which kinds of steps are on, and the steps.

Steps are plain dictionaries that either side plays:

- ``create``: ``name``, ``flavor``, ``host``, ``group``
- ``request``: ``server``, and ``body``; or ``method``; ``of`` "migration" asks it of the server's last migration
- ``service``: ``disabled`` or ``forced_down`` of ``host``, or of the host that the server ``host_of`` is on
- ``dead``: that host falls silent, its guests run, unless it is a ``crash``; ``back``: all silent hosts are back
- ``wait``: ``seconds`` pass, and every living host does its periodic tasks
- ``open``: what was held goes on
- ``hold`` in a create or request: the first such driver call is held where it is, until ``open``; steps marked
  ``during`` come between, in the midst of the operation

After a step that is not in the midst of another, time passes until every dead host is known to be dead.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from tests.differential.asks import BODIES, draw_version, minor
from tests.differential.draw import Draw
from tests.differential.stages import FITTING, PER_STAGE, Stage, Step, draw_stage

LONG_S = 100_000.0
"""Longer than any window or interval among the stages' options but the reclaim interval."""
DEAD_S = 300.0
"""Long enough for a silent service to be taken for down, and for calls to it to time out."""
_FOLLOW: dict[str, dict[str, float]] = {
    "migrate": {"confirmResize": 5, "revertResize": 4, "wait": 2, "down": 1},
    "resize": {"confirmResize": 5, "revertResize": 4, "wait": 2, "down": 1},
    "os-stop": {"os-start": 4, "migrate": 2, "evacuate": 1, "shelve": 1}, "pause": {"unpause": 3, "os-migrateLive": 3},
    "suspend": {"resume": 4}, "rescue": {"unrescue": 4}, "shelve": {"unshelve": 4, "shelveOffload": 2},
    "shelveOffload": {"unshelve": 4}, "lock": {"unlock": 3}, "delete": {"restore": 3, "forceDelete": 1},
    "down": {"evacuate": 6, "os-resetState": 1, "back": 1, "os-start": 1}, "evacuate": {"back": 3},
    "os-resetState": {"os-resetState": 1, "reboot": 1, "evacuate": 1, "os-stop": 1},
}  # fmt: skip
"""What often comes after what, on the same server or host: else chance would seldom get far."""
_KINDS: dict[str, float] = {
    "migrate": 3, "resize": 3, "os-migrateLive": 4, "evacuate": 3, "confirmResize": 1, "revertResize": 1,
    "os-resetState": 1.5, "injectNetworkInfo": 0.3, "resetNetwork": 0.2, "os-start": 0.6, "os-stop": 1.5, "reboot": 0.8,
    "pause": 1, "unpause": 0.5, "suspend": 0.8, "resume": 0.5, "shelve": 1, "shelveOffload": 0.8, "unshelve": 0.8,
    "rescue": 0.7, "unrescue": 0.5, "lock": 0.6, "unlock": 0.4, "restore": 0.3, "forceDelete": 0.3, "createImage": 0.4,
    "delete": 0.5, "abort": 0.3, "force_complete": 0.3, "create": 1.2, "disable": 0.8, "enable": 0.4, "down": 1.2,
    "up": 0.4, "back": 0.4, "wait": 0.6,
}  # fmt: skip
_ALWAYS = ("migrate", "os-migrateLive", "evacuate")
HOLDS: dict[str, dict[str, str]] = {
    "os-migrateLive": {"check_can_live_migrate_source": "pre_check", "pre_live_migration": "pre_live_migration",
                       "live_migration": "live_start"},
    "migrate": {"migrate_disk_and_power_off": "resize_disk", "finish_migration": "finish_resize"},
    "resize": {"migrate_disk_and_power_off": "resize_disk", "finish_migration": "finish_resize"},
    "confirmResize": {"confirm_migration": "confirm"},
    "revertResize": {"destroy": "revert_dest", "finish_revert_migration": "revert_source"},
    "evacuate": {"_prep_block_device": "rebuild", "spawn": "rebuild", "power_off": "stop"},
    "create": {"spawn": "spawn"}, "unshelve": {"spawn": "unshelve"},
    "os-stop": {"power_off": "stop"}, "os-start": {"power_on": "start"}, "reboot": {"reboot": "reboot_hard"},
    "pause": {"pause": "pause"}, "suspend": {"suspend": "suspend"}, "rescue": {"rescue": "rescue"},
    "createImage": {"snapshot": "snapshot"}, "shelve": {"snapshot": "shelve"}, "delete": {"destroy": "delete"},
}  # fmt: skip
"""Kind of step → driver calls of it that may be held → which of the simulator's timings lasts meanwhile."""
BEFORE: dict[str, tuple[str, ...]] = {
    "confirmResize": ("migrate",), "revertResize": ("resize",), "evacuate": ("down",), "unshelve": ("shelve",),
    "os-start": ("os-stop",),
}  # fmt: skip
"""What brings a server to where that can be asked of it."""
_DURING: dict[str, float] = {
    "os-resetState": 3, "delete": 2, "forceDelete": 1, "os-stop": 1, "os-start": 0.5, "reboot": 1, "lock": 0.5,
    "migrate": 1, "os-migrateLive": 1, "evacuate": 1, "confirmResize": 1, "revertResize": 1, "pause": 0.7,
    "shelve": 0.5, "abort": 2, "force_complete": 1.5, "down": 3, "disable": 0.5, "create": 0.5,
}  # fmt: skip
"""What is done in the midst of an operation."""
_NOT_ACTIONS: dict[str, Step] = {
    "delete": {"method": "DELETE"},
    "abort": {"method": "DELETE", "of": "migration"},
    "force_complete": {"body": {"force_complete": None}, "of": "migration"},
}
"""Requests that are not an action of a server's."""
_OF_HOSTS = ("disable", "enable", "down", "up", "back")


class Sequence(NamedTuple):
    """What both sides play: a stage, and steps on it."""

    stage: Stage
    steps: list[Step]


def in_the_midst(step: Step) -> bool:
    """Whether an operation is held during or after the step."""
    return bool(step.get("during")) or "hold" in step


def draw_sequence(seed: int) -> Sequence:
    """The sequence of that seed."""
    stage = draw_stage(seed // PER_STAGE)
    return Sequence(stage, _Author(Draw(2, seed), stage).write())


class _Author:
    """Draws steps, remembering what it did to whom."""

    def __init__(self, draw: Draw, stage: Stage) -> None:
        self.draw, self.stage = draw, stage
        self.servers = [step["name"] for step in stage["servers"]]
        self.dead = False
        off = {kind for kind in _KINDS if draw.chance(0.45)} - set(draw.some(_ALWAYS, 0.6))
        self.kinds = {kind: weight for kind, weight in _KINDS.items() if kind not in off}
        self.silent = draw.chance(0.35)
        """Hosts that go down fall silent, instead of being forced down."""
        self.hold = draw.one([(kind, call) for kind in HOLDS for call in HOLDS[kind]]) if draw.chance(0.5) else None
        """Which kind of operation is held in its midst, and where."""
        if self.hold is not None:
            self.kinds[self.hold[0]] = 3.0
        self.callers = {"admin": 1.0} if draw.chance(0.7) else {"admin": 6, "member": 3, "reader": 1, "stranger": 1}
        self.version = draw_version(draw) if draw.chance(0.4) else None

    def write(self) -> list[Step]:
        """All steps."""
        steps: list[Step] = []
        last: tuple[str, str] | None = None
        if self.hold is not None:
            kind, call = self.hold
            whom = self._whom(kind)
            for before in BEFORE.get(kind, ()):
                steps += self._steps(before, whom)
            steps += self._held(self._steps(kind, whom), call)
        for _ in range(self.draw.whole(2, 9)):
            kind, whom = self._next(last)
            made = self._steps(kind, whom)
            # To stop a guest that is off already takes no time on the other side.
            if self.hold is not None and kind == self.hold[0] != "os-stop" and self.draw.chance(0.7):
                made = self._held(made, self.hold[1])
            steps += made
            last = (kind, whom)
        return steps

    def _held(self, steps: list[Step], call: str) -> list[Step]:
        """The operation of the one step is held in its midst, something else happens, and it goes on."""
        step = steps[0]
        if "os-migrateLive" in step.get("body", ()) and minor(step["microversion"]) < 34:
            return steps  # the API itself would wait for what is held
        server = step["name"] if step["op"] == "create" else step["server"]
        held = [step | {"hold": call}]
        for _ in range(self.draw.whole(1, 3)):
            what = self.draw.weighted(_DURING)
            whom = self._whom(what) if server not in self.servers or self.draw.chance(0.3) else server
            for step in self._steps(what, whom)[:1]:
                # A service that comes to itself again would go on with what it did; on the other side it cannot.
                held.append(step | {"during": True} | ({"crash": True} if step["op"] == "dead" else {}))
        return [*held, {"op": "open"}]

    def _next(self, last: tuple[str, str] | None) -> tuple[str, str]:
        """What to do next, and to which server or host."""
        if last is not None and last[0] in _FOLLOW and self.draw.chance(0.6):
            kind = self.draw.weighted(_FOLLOW[last[0]])
            return kind, last[1] if kind in _OF_HOSTS or last[1] in self.servers else self._whom(kind)
        kind = self.draw.weighted(self.kinds)
        return kind, self._whom(kind)

    def _whom(self, kind: str) -> str:
        of_host = kind in _OF_HOSTS and self.draw.chance(0.5)
        return self.draw.one(list(self.stage["hosts"]) if of_host else self.servers)

    def _steps(self, kind: str, whom: str) -> list[Step]:
        if kind in _OF_HOSTS:
            return self._on_host(kind, whom)
        if kind == "wait":
            return [{"op": "wait", "seconds": LONG_S}]
        version = self.version or draw_version(self.draw)
        who = self.draw.weighted(self.callers)
        asked: Step = {"op": "request", "server": whom, "microversion": version, "who": who}
        if kind == "create":
            return [self._create(version)]
        if kind in _NOT_ACTIONS:
            return [asked | _NOT_ACTIONS[kind]]
        return [asked | {"body": {kind: BODIES[kind](self.draw, self.stage, minor(version))}}]

    def _create(self, version: str) -> Step:
        name = f"s{len(self.servers) + 1}"
        self.servers.append(name)
        flavor = self.draw.weighted({**dict.fromkeys(FITTING, 1.0), "giant": 0.2})
        step: Step = {"op": "create", "name": name, "flavor": flavor, "microversion": version}
        if minor(version) >= 74 and self.draw.chance(0.3):
            step["host"] = self.draw.one(list(self.stage["hosts"]))
        if self.stage["groups"] and self.draw.chance(0.6):
            step["group"] = self.draw.one(list(self.stage["groups"]))
        return step

    def _on_host(self, kind: str, whom: str) -> list[Step]:
        """A step about a host, or about the host of a server."""
        where = {"host_of" if whom in self.servers else "host": whom}
        if kind in ("disable", "enable"):
            return [{"op": "service", "disabled": kind == "disable", **where}]
        if kind == "down" and self.silent:
            self.dead = True
            return [{"op": "dead", "crash": self.draw.chance(0.5), **where}, *self._later()]
        if kind == "back" and self.dead:
            self.dead = False
            return [{"op": "back"}]
        return [{"op": "service", "forced_down": kind == "down", **where}]

    def _later(self) -> list[Step]:
        """Mostly the others have noticed before anything else happens."""
        return [{"op": "wait", "seconds": DEAD_S}] if self.draw.chance(0.8) else []


def as_json(sequence: Sequence) -> dict[str, Any]:
    """A sequence as plain values, to write down and to play again."""
    return {"stage": sequence.stage, "steps": sequence.steps}


def of_json(written: dict[str, Any]) -> Sequence:
    """Read a sequence back."""
    return Sequence(written["stage"], written["steps"])
