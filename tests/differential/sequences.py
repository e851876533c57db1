"""Random sequences of requests. A seed draws the stage, which kinds of steps are on, and the steps.

Steps are plain dictionaries that either side plays:

- ``create``: ``name``, ``flavor``, ``host``, ``group``
- ``request``: ``server``, and ``body``; or ``method``; ``of`` "migration" asks it of the server's last migration
- ``service``: ``host`` and ``disabled`` or ``forced_down``; ``host``: ``state`` is dead (silent, its guests run) or back
- ``wait``: ``seconds`` pass, and every living host does its periodic tasks
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
_OF_HOSTS = ("disable", "enable", "down", "up", "back")


class Sequence(NamedTuple):
    """What both sides play: a stage, and steps on it."""

    stage: Stage
    steps: list[Step]


def draw_sequence(seed: int) -> Sequence:
    """The sequence of that seed."""
    stage = draw_stage(seed // PER_STAGE)
    return Sequence(stage, _Author(Draw(2, seed), stage).write())


class _Author:
    """Draws steps, remembering what it did to whom."""

    def __init__(self, draw: Draw, stage: Stage) -> None:
        self.draw, self.stage = draw, stage
        self.servers = [step["name"] for step in stage["servers"]]
        self.dead: set[str] = set()
        off = {kind for kind in _KINDS if draw.chance(0.45)} - set(draw.some(_ALWAYS, 0.6))
        self.kinds = {kind: weight for kind, weight in _KINDS.items() if kind not in off}
        self.silent = draw.chance(0.35)
        """Hosts that go down fall silent, instead of being forced down."""
        self.callers = {"admin": 1.0} if draw.chance(0.7) else {"admin": 6, "member": 3, "reader": 1, "stranger": 1}
        self.version = draw_version(draw) if draw.chance(0.4) else None

    def write(self) -> list[Step]:
        """All steps."""
        steps: list[Step] = []
        last: tuple[str, str] | None = None
        for _ in range(self.draw.whole(2, 9)):
            kind, whom = self._next(last)
            steps += self._steps(kind, whom)
            last = (kind, whom)
        return steps

    def _next(self, last: tuple[str, str] | None) -> tuple[str, str]:
        """What to do next, and to which server or host."""
        if last is not None and last[0] in _FOLLOW and self.draw.chance(0.6):
            kind = self.draw.weighted(_FOLLOW[last[0]])
            if kind not in _OF_HOSTS or last[0] in _OF_HOSTS:
                return kind, self._whom(kind) if last[0] in _OF_HOSTS and kind not in _OF_HOSTS else last[1]
            return kind, self._whom(kind)
        kind = self.draw.weighted(self.kinds)
        return kind, self._whom(kind)

    def _whom(self, kind: str) -> str:
        return self.draw.one(list(self.stage["hosts"]) if kind in _OF_HOSTS else self.servers)

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
        if kind == "delete":
            return [asked | {"method": "DELETE"}]
        if kind == "abort":
            return [asked | {"method": "DELETE", "of": "migration"}]
        if kind == "force_complete":
            return [asked | {"body": {"force_complete": None}, "of": "migration"}]
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

    def _on_host(self, kind: str, host: str) -> list[Step]:
        if kind in ("disable", "enable"):
            return [{"op": "service", "host": host, "disabled": kind == "disable"}]
        if kind == "down" and self.silent:
            self.dead.add(host)
            return [{"op": "host", "host": host, "state": "dead"}, *self._later()]
        if kind == "back" and host in self.dead:
            self.dead.discard(host)
            return [{"op": "host", "host": host, "state": "back"}]
        return [{"op": "service", "host": host, "forced_down": kind == "down"}]

    def _later(self) -> list[Step]:
        """Mostly the others have noticed before anything else happens."""
        return [{"op": "wait", "seconds": DEAD_S}] if self.draw.chance(0.8) else []


def as_json(sequence: Sequence) -> dict[str, Any]:
    """A sequence as plain values, to write down and to play again."""
    return {"stage": sequence.stage, "steps": sequence.steps}


def of_json(written: dict[str, Any]) -> Sequence:
    """Read a sequence back."""
    return Sequence(written["stage"], written["steps"])
