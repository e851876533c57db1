"""What is asked of a server that was reset in the midst of something: sequences without chance.

Such a server may lie on a host that has no guest of it (yet), or remember the claim of a move that nobody finished.
"""

from __future__ import annotations

from collections.abc import Iterator

from tests.differential.midst import DEST, SERVER, SOURCE, STAGE, asked
from tests.differential.sequences import LONG_S, Sequence
from tests.differential.stages import Step

_RESET: Step = asked("os-resetState") | {"body": {"os-resetState": {"state": "active"}}}
_WAIT: Step = {"op": "wait", "seconds": LONG_S}
_OPEN: Step = {"op": "open"}
_SOFT: Step = asked("reboot") | {"body": {"reboot": {"type": "SOFT"}}}
_MISSED: dict[str, list[Step]] = {
    "stopped": [asked("os-stop"), asked("os-start")],
    "rebooted softly": [_SOFT, _RESET, asked("os-stop")],
    "rebooted": [asked("reboot"), asked("os-stop")],
    "paused": [asked("pause"), asked("unpause")],
    "suspended": [asked("suspend"), _RESET, asked("resume")],
    "rescued": [asked("rescue"), _RESET, asked("unrescue")],
    "snapshot": [asked("createImage"), _RESET, asked("reboot"), asked("createImage")],
    "shelved": [asked("shelve"), asked("unshelve")],
    "live-migrated": [asked("os-migrateLive"), _WAIT, asked("os-stop")],
    "moved on": [asked("migrate"), asked("confirmResize"), asked("os-stop")],
    "moved on and back": [asked("migrate"), asked("revertResize"), asked("os-stop")],
    "resized": [asked("resize"), asked("revertResize"), asked("pause")],
    "evacuated": [{"op": "service", "host_of": SERVER, "forced_down": True}, asked("evacuate"), asked("os-stop")],
    "evacuated from a dead host": [
        {"op": "dead", "host_of": SERVER, "crash": True}, asked("evacuate"), {"op": "back"}, asked("os-stop"),
    ],
    "migrated": [asked("migrate"), _RESET, asked("migrate")],
    "deleted": [asked("delete")],
    "on a host that crashes": [
        {"op": "dead", "host_of": SERVER, "crash": True}, {"op": "back"}, asked("os-stop"), asked("reboot"),
    ],
}  # fmt: skip
"""What is asked of a server that may have no guest."""
_HELD = {
    "migrate": ("migrate_disk_and_power_off", "finish_migration"), "create": ("spawn",), "unshelve": ("spawn",),
    "revertResize": ("destroy", "finish_revert_migration"), "evacuate": ("spawn",),
}  # fmt: skip
_BEFORE: dict[str, list[Step]] = {
    "unshelve": [asked("shelve")], "revertResize": [asked("migrate")],
    "evacuate": [{"op": "service", "host": SOURCE, "forced_down": True}],
}  # fmt: skip
_AT_ONCE = ("stopped", "rebooted softly", "paused", "suspended", "rescued", "snapshot", "migrated", "deleted")
"""What is asked while the host still works at the guest."""
_MEANWHILE: dict[str, list[Step]] = {
    "nothing": [],
    "aborted": [asked("delete") | {"of": "migration"}],
    "forced to complete": [{**asked("os-stop"), "body": {"force_complete": None}, "of": "migration"}],
    "reset": [_RESET],
    "its source dies": [{"op": "dead", "host": DEST, "crash": True}],
}
"""What happens in the midst of a live migration."""
_AGAIN: dict[str, list[Step]] = {
    "moved, confirmed": [asked("migrate"), _WAIT, asked("confirmResize")],
    "moved, reverted": [asked("migrate"), _WAIT, asked("revertResize"), _WAIT],
    "moved twice": [asked("migrate"), _RESET, asked("migrate"), _WAIT, asked("confirmResize"), _WAIT],
    "resized, confirmed": [asked("resize"), _WAIT, asked("confirmResize")],
    "evacuated": [{"op": "service", "host_of": SERVER, "forced_down": True}, asked("evacuate"), _WAIT],
    "live-migrated": [asked("os-migrateLive"), _WAIT, asked("os-migrateLive"), _WAIT],
}
"""What is done with a server whose row remembers the claim of another move."""
_LATE = (
    "os-stop", "pause", "suspend", "reboot", "rescue", "shelve", "createImage", "delete", "os-migrateLive", "migrate",
)  # fmt: skip
"""What is asked of a host that has died, before anybody has noticed it."""
_UNHEARD: dict[str, list[Step]] = {kind: [] for kind in _LATE} | {
    "resize": [], "evacuate": [], "os-start": [asked("os-stop")], "resume": [asked("suspend")],
    "unpause": [asked("pause")], "unrescue": [asked("rescue")], "shelveOffload": [asked("shelve")],
    "unshelve": [asked("shelve")], "confirmResize": [asked("migrate")], "revertResize": [asked("migrate")],
}  # fmt: skip
"""What is asked of a host that is silent, and what comes before."""


def sequences() -> Iterator[tuple[str, Sequence]]:
    """Name and sequence."""
    for kind, calls in _HELD.items():
        for call in calls:
            for word, steps in _MISSED.items():
                begun = [*_BEFORE.get(kind, ()), asked(kind) | {"hold": call}, _of(kind, _RESET) | {"during": True}]
                then = [_of(kind, step) for step in steps]
                yield f"reset in {kind}: {call}, {word} afterwards", Sequence(STAGE, [*begun, _OPEN, *then])
                if word in _AT_ONCE:
                    first = then[0] | {"during": True}
                    yield f"reset in {kind}: {call}, {word} at once", Sequence(STAGE, [*begun, first, _OPEN, *then[1:]])
    left = [asked("migrate"), _RESET]
    for call in ("check_can_live_migrate_source", "pre_live_migration", "live_migration"):
        for word, steps in _MEANWHILE.items():
            during = [step | {"during": True} for step in steps]
            live = [asked("os-migrateLive") | {"hold": call}, *during, _OPEN, _WAIT]
            yield f"a claim left over: {call}, {word}", Sequence(STAGE, [*left, *live])
    for word, steps in _AGAIN.items():
        yield f"a claim left over: {word}", Sequence(STAGE, [*left, *steps])
    yield from _late()


def _late() -> Iterator[tuple[str, Sequence]]:
    """Orders that their host hears when it is back."""
    end: list[Step] = [{"op": "back"}, asked("os-stop")]
    dies: list[Step] = [asked("createImage") | {"hold": "snapshot"}, {"op": "dead", "host_of": SERVER, "crash": True}]
    for kind in _LATE:
        late = [dies[0], *(step | {"during": True} for step in (dies[1], _RESET, asked(kind))), _OPEN, _RESET]
        yield f"heard late: {kind}", Sequence(STAGE, [*late, *end])
        yield f"heard late: {kind}, by a host that it has left", Sequence(STAGE, [*late, asked("evacuate"), *end])
    gone = asked("delete") | {"body": {"forceDelete": None}}
    del gone["method"]
    for kind, before in _UNHEARD.items():
        for crash, word in ((True, "crashed"), (False, "silent")):
            late = [*before, {"op": "dead", "host_of": SERVER, "crash": crash}, asked(kind)]
            yield f"unheard: {kind} on a {word} host", Sequence(STAGE, [*late, *end])
            yield f"unheard: {kind} on a {word} host, deleted", Sequence(STAGE, [*late, gone, *end])


def _of(kind: str, step: Step) -> Step:
    """The step, asked of the server that is created."""
    if kind != "create":
        return step
    return step | {key: "s2" for key in ("server", "host_of") if key in step}
