"""Bodies of requests: mostly what the microversion takes, sometimes what another one would."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.differential.draw import Draw
from tests.differential.stages import FITTING, FLAVORS, Stage

BOUNDARIES = (
    "2.1", "2.13", "2.14", "2.22", "2.24", "2.25", "2.29", "2.30", "2.33", "2.34", "2.36", "2.37", "2.55", "2.56",
    "2.64", "2.65", "2.67", "2.68", "2.73", "2.74", "2.76", "2.77", "2.90", "2.91", "2.94", "2.95", "latest",
)  # fmt: skip
LATEST = 104


def draw_version(draw: Draw) -> str:
    """A microversion: one where something changed, or any."""
    if draw.chance(0.75):
        return draw.one(BOUNDARIES)
    return f"2.{draw.whole(1, LATEST)}"


def minor(version: str) -> int:
    """34 of 2.34; the latest of ``latest``."""
    return LATEST if version == "latest" else int(version.split(".")[1])


def _host(draw: Draw, stage: Stage) -> str:
    return "nosuchhost" if draw.chance(0.06) else draw.one(list(stage["hosts"]))


def _plain(_: Draw, __: Stage, ___: int) -> Any:
    return None


def _migrate(draw: Draw, stage: Stage, version: int) -> Any:
    if draw.chance(0.4) and (version >= 56 or draw.chance(0.1)):
        return {"host": None if draw.chance(0.1) else _host(draw, stage)}
    return None


def _resize(draw: Draw, _: Stage, __: int) -> Any:
    unlikely = 0.15
    weights = {**dict.fromkeys(FITTING, 1.0), "nodisk": unlikely, "giant": unlikely, "nosuchflavor": unlikely}
    return {"flavorRef": draw.weighted(weights)}


def _live(draw: Draw, stage: Stage, version: int) -> Any:
    shaped = version + (draw.one((-30, 30)) if draw.chance(0.05) else 0)
    host = _host(draw, stage) if draw.chance(0.4) else None
    if shaped < 25:
        return {"host": host, "block_migration": draw.chance(0.3), "disk_over_commit": draw.chance(0.2)}
    body: dict[str, Any] = {"host": host, "block_migration": draw.one(("auto", "auto", True, False))}
    if 30 <= shaped < 68 and draw.chance(0.4):
        body["force"] = draw.chance(0.7)
    return body


def _evacuate(draw: Draw, stage: Stage, version: int) -> Any:
    shaped = version + (draw.one((-20, 20)) if draw.chance(0.05) else 0)
    body: dict[str, Any] = {} if shaped >= 14 else {"onSharedStorage": draw.chance(0.1)}
    if draw.chance(0.4):
        body["host"] = _host(draw, stage)
        if 29 <= shaped < 68 and draw.chance(0.5):
            body["force"] = draw.chance(0.7)
    if draw.chance(0.15):
        body["adminPass"] = "Secret12"
    return body


def _unshelve(draw: Draw, stage: Stage, version: int) -> Any:
    if version >= 91 and draw.chance(0.4):
        return {"host": _host(draw, stage)} if draw.chance(0.7) else {"availability_zone": "nova"}
    if version >= 77 and draw.chance(0.2):
        return {"availability_zone": draw.one(("nova", "nosuchzone"))}
    return None


def _lock(draw: Draw, _: Stage, version: int) -> Any:
    return {"locked_reason": "by chance"} if version >= 73 and draw.chance(0.3) else None


BODIES: dict[str, Callable[[Draw, Stage, int], Any]] = {
    "migrate": _migrate, "resize": _resize, "os-migrateLive": _live, "evacuate": _evacuate, "unshelve": _unshelve,
    "lock": _lock,
    "reboot": lambda draw, _, __: {"type": draw.one(("SOFT", "HARD"))},
    "os-resetState": lambda draw, _, __: {"state": draw.one(("active", "error"))},
    "createImage": lambda _, __, ___: {"name": "snapshot"},
    **dict.fromkeys(
        ("confirmResize", "revertResize", "injectNetworkInfo", "resetNetwork", "os-start", "os-stop", "pause",
         "unpause", "suspend", "resume", "shelve", "shelveOffload", "rescue", "unrescue", "unlock", "restore",
         "forceDelete"),
        _plain,
    ),
}  # fmt: skip
"""Action → what its body may hold, by microversion."""
assert set(FITTING) < set(FLAVORS)
