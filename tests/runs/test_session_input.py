"""What cannot be asked of a session is told before anything happens, by name, and without a look inside."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import sim
from sim.errors import InputError
from tests.model.moves import cloud

MOVE: Any = {"migrate": None}
WRONG: list[tuple[str, Callable[[Any], Any]]] = [
    ("server", lambda s: s.server("nobody")),
    ("server", lambda s: s.server(["vm1"])),
    ("server", lambda s: s.actions(None)),
    ("server", lambda s: s.request(5, MOVE)),
    ("body", lambda s: s.request("vm1", {"migrate": object()})),
    ("body", lambda s: s.request("vm1", {"migrate"})),
    ("roles", lambda s: s.request("vm1", MOVE, roles="admin")),
    ("roles", lambda s: s.request("vm1", MOVE, roles=[1])),
    ("roles", lambda s: s.request("vm1", MOVE, roles=None)),
    ("microversion", lambda s: s.request("vm1", MOVE, microversion=2.56)),
    ("method", lambda s: s.request("vm1", MOVE, method=None)),
    ("migration", lambda s: s.request("vm1", None, method="DELETE", migration="1")),
    ("project", lambda s: s.request("vm1", MOVE, project=5)),
    ("migration", lambda s: s.migration_allocations(0)),
    ("migration", lambda s: s.migration_allocations("1")),
    ("time", lambda s: s.run_for(-1)),
    ("time", lambda s: s.run_for("soon")),
    ("time", lambda s: s.run_for(None)),
    ("time", lambda s: s.run_for(True)),
    ("time", lambda s: s.run_for(float("nan"))),
    ("time", lambda s: s.run_until(float("inf"))),
    ("run_until", lambda s: s.run_until(0.5)),
    ("host", lambda s: s.fail("h9")),
    ("host", lambda s: s.repair(["h1"])),
    ("kind", lambda s: s.fail("h1", "explode")),
    ("disabled", lambda s: s.service("h1", disabled="yes")),
]


@pytest.mark.parametrize(("where", "ask"), WRONG, ids=[f"{number} {where}" for number, (where, _) in enumerate(WRONG)])
def test_it_is_told_and_nothing_happens(where: str, ask: Callable[[Any], Any]) -> None:
    session = cloud()
    session.run_for(1)
    before = session.digest()
    with pytest.raises(InputError) as caught:
        ask(session)
    assert [issue.where for issue in caught.value.issues] == [where]
    assert (session.now, session.digest()) == (1.0, before)


def test_all_that_is_wrong_with_a_request_is_told_at_once() -> None:
    wrong: Any = {"microversion": 2.1, "roles": "admin", "method": 3}
    with pytest.raises(InputError) as caught:
        cloud().request("vm1", MOVE, **wrong)
    assert [issue.where for issue in caught.value.issues] == ["microversion", "method", "roles"]


@pytest.mark.parametrize("seed", [-1, "7", 7.5, True])
def test_seeds_are_whole_numbers(seed: Any) -> None:
    host = {"name": "h", "vcpus": 1, "memory": "1 GiB", "disk": "1 GiB"}
    scenario = sim.Scenario.model_validate({"cloud": {"hosts": [host]}, "run": {"duration": "1 s"}})
    for begin in (sim.Session, sim.run):
        with pytest.raises(InputError, match="seed"):
            begin(scenario, seed=seed)


@pytest.mark.parametrize("scenario", ["rack_drain.yaml", {"cloud": {}}, None])
def test_a_session_is_of_a_scenario(scenario: Any) -> None:
    with pytest.raises(InputError, match=r"sim\.load"):
        sim.Session(scenario)


def test_what_a_client_could_send_is_nova_s_to_judge() -> None:
    session = cloud()
    codes = [
        session.request("nobody", MOVE).code, session.request("vm1", [1]).code, session.request("vm1", b"\xff").code,
        session.request("vm1", MOVE, microversion="two").code, session.request("vm1", MOVE, microversion="2.999").code,
        session.request("vm1", MOVE, method="FROB").code, session.request("vm1", MOVE, roles=[]).code,
    ]  # fmt: skip
    assert codes == [404, 404, 400, 400, 406, 405, 403]
