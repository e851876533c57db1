"""No duration is drawn that the record does not show."""

from __future__ import annotations

from typing import Any

import pytest

from sim.eventlog import records as r
from sim.kernel.streams import Streams
from sim.runs.session import Session
from sim.scenario.loader import parse

ROOM = {"vcpus": 64, "memory": "256 GiB", "disk": "2 TiB"}
FIRST: dict[str, Any] = {
    "vm1": {"os-migrateLive": {"host": None, "block_migration": "auto"}}, "vm2": {"migrate": None},
    "vm3": {"resize": {"flavorRef": "g"}}, "vm4": {"os-stop": None}, "vm5": {"reboot": {"type": "SOFT"}},
    "vm6": {"suspend": None}, "vm7": {"shelve": None}, "vm8": {"rescue": {}}, "vm9": {"createImage": {"name": "x"}},
}  # fmt: skip
SECOND: dict[str, Any] = {
    "vm2": {"confirmResize": None}, "vm3": {"revertResize": None}, "vm4": {"os-start": None},
    "vm5": {"reboot": {"type": "HARD"}}, "vm6": {"resume": None}, "vm7": {"unshelve": None}, "vm8": {"unrescue": None},
    "vm9": {"pause": None},
}  # fmt: skip


def everything(session: Session) -> None:
    """Every action, a create, a delete, a crash with evacuations."""
    for actions in (FIRST, SECOND, {"vm9": {"unpause": None}}):
        for server, body in actions.items():
            assert session.request(server, body, microversion="2.90").code < 300
        session.settle()
        session.run_for(300.0)
    session.request("vm9", None, method="DELETE", microversion="2.90")
    body = {"server": {"name": "new", "flavorRef": "f", "imageRef": "i", "networks": "none"}}
    assert session.request(None, body, microversion="2.90").code == 202
    session.settle()
    session.fail("h1")
    session.run_for(100.0)
    for server in session.servers():
        if server.host == "h1":
            assert session.request(server.name, {"evacuate": {}}, microversion="2.90").code == 200
    session.settle()
    session.run_for(300.0)


def test_every_draw_is_the_length_of_a_record(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[tuple[str, str, float]] = []
    draw = Streams.draw

    def watched(self: Streams, dist: Any, purpose: str, entity: str = "") -> float:
        drawn.append((purpose, entity, draw(self, dist, purpose, entity)))
        return drawn[-1][2]

    monkeypatch.setattr(Streams, "draw", watched)
    session = Session(parse({"cloud": {
        "hosts": [{"name": "h{n:1-3}", **ROOM}], "images": [{"name": "i"}],
        "flavors": [{"name": "f", "vcpus": 1, "memory": "2 GiB", "disk": "10 GiB"},
                    {"name": "g", "vcpus": 2, "memory": "4 GiB", "disk": "20 GiB"}],
        "servers": [{"name": "vm{n:1-9}", "flavor": "f", "image": "i", "host": "h1"}],
    }}), seed=2)  # fmt: skip
    everything(session)
    lengths: dict[str, list[float]] = {}
    for record in session.records():
        if isinstance(record, r.Step):
            lengths.setdefault(record.server, []).append(record.t - record.began)
    hidden = [(purpose, entity) for purpose, entity, value in drawn
              if not any(abs(length - value) < 1e-6 for length in lengths.get(entity, []))]  # fmt: skip
    assert hidden == []
    assert len({purpose for purpose, _, _ in drawn}) >= 30
