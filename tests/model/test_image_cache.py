"""A host's image cache when downloads break: nothing is there that has not come whole."""

from __future__ import annotations

from typing import Any

import pytest
from ordinary import lawful

from sim.eventlog import records as r
from sim.runs.session import Session
from sim.scenario.spec import Scenario

FETCH_S = 2**30 / 100e6
"""1 GiB at 100 MB/s."""


def create(at: str, name: str) -> dict[str, Any]:
    server = {"name": name, "flavorRef": "m", "imageRef": "i", "networks": "none"}
    return {"at": at, "request": {"body": {"server": server}, "microversion": "2.90"}}


def fetched(*plan: dict[str, Any]) -> tuple[Session, list[tuple[str, float, float, str]]]:
    """The end of a plan on one host with local disks; whose image came, from when to when, and how it ended."""
    session = Session(Scenario.model_validate({
        "cloud": {
            "hosts": [{"name": "h1", "vcpus": 8, "memory": "32 GiB", "disk": "1 TiB"}],
            "flavors": [{"name": "m", "vcpus": 1, "memory": "2 GiB", "disk": "20 GiB"}],
            "images": [{"name": "i", "size": "1 GiB"}], "timings": "ideal",
            "storage": {"instances": "local", "image_rate": "100 MB/s"},
        }, "plan": plan,
    }))  # fmt: skip
    session.run_for(400)
    lawful(session)
    steps = [one for one in session.records() if isinstance(one, r.Step) and one.step == "image"]
    return session, [(one.server, one.began, pytest.approx(one.t), one.outcome) for one in steps]


@pytest.mark.parametrize("repair", ["3 s", "30 s", "300 s"])
def test_a_download_does_not_outlive_its_host(repair: str) -> None:
    """However soon the host is back: who comes next fetches all of it."""
    session, steps = fetched(
        create("0 s", "a"), {"at": "5 s", "fail": {"hosts": ["h1"], "repair": repair}}, create("330 s", "b")
    )
    assert steps == [("a", 0, 5, "failed"), ("b", 330, 330 + FETCH_S, "done")]
    assert [session.server(name).status for name in "ab"] == ["ERROR", "ACTIVE"]


def test_who_waited_for_a_download_that_broke_off_tries_itself_and_those_behind_wait_for_that() -> None:
    """The image service cannot be reached for 70 s; after 60 s the first gives up."""
    session, steps = fetched(
        create("0 s", "a"), create("1 s", "b"), create("2 s", "c"),
        {"at": "0 s", "link": {"links": ["h1:down"], "factor": 0, "lasting": "70 s"}},
    )  # fmt: skip
    assert steps == [("a", 0, 60, "failed"), ("b", 60, 70 + FETCH_S, "done")]
    assert [session.server(name).status for name in "abc"] == ["ERROR", "ACTIVE", "ACTIVE"]
