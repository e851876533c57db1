"""Each law, broken once: the checkers must disagree, and must not disagree with a log that obeys."""

from __future__ import annotations

import pytest

from sim.errors import LawViolation
from sim.eventlog import records as r
from sim.runs.checkers import check

HOSTS = r.HostsPresent(
    0.0, ["a", "b"], ["r", "r"], ["z", "z"], [4, 4], [8192, 8192], [100, 100], [1.0, 1.0], [1.0, 1.0], [1.0, 1.0],
    [0, 0], [512, 512], [0, 0], ["", ""],
)  # fmt: skip
FLAVORS = r.FlavorsPresent(0.0, ["f"], [2], [2048], [10])
SERVERS = r.ServersPresent(
    0.0, ["s"], ["u"], ["p"], ["f"], ["a"], ["active"], [None], [1], ["ACTIVE"], [False], [True], [10]
)
START = [
    r.RunStarted(0.0, "x", "d", 1, {"DEFAULT.max_concurrent_live_migrations": 1}),
    HOSTS, FLAVORS, SERVERS, r.LinksPresent(0.0, ["a:up", "b:down"], [100.0, 100.0]),
]  # fmt: skip


def server(t: float, vm_state: str, host: str | None = "a") -> r.ServerState:
    return r.ServerState(t, "s", vm_state, None, 1, host, "f", "ACTIVE", False, None)


def live(t: float, number: int, status: str) -> r.MigrationState:
    return r.MigrationState(t, number, "s", "live-migration", status, "a", "b", None)


OBEYS = [
    r.Request(1.0, "req-1", "os-migrateLive", "s", "2.30", "admin", "{}"),
    live(1.0, 1, "accepted"),
    r.ClaimMoved(1.0, "s", "migration:1", "a"),
    r.Claimed(1.0, "s", "b", 2, 2048, 10),
    live(1.0, 1, "queued"), live(1.0, 1, "preparing"), live(1.0, 1, "running"),
    r.FlowStarted(1.0, 1, "live-migration", "s", "a", "b", [0, 1], 100.0),
    r.FlowRate(3.0, 1, 50.0),
    r.FlowEnded(5.0, 1, 2 * 100.0 + 2 * 50.0, True),
    server(5.0, "active", "b"),
    r.Released(5.0, "migration:1", "a"),
    live(5.0, 1, "completed"),
    r.Answer(5.0, "req-1", 202, None),
]  # fmt: skip

BROKEN = {
    "time never goes back": [server(5.0, "stopped"), server(4.0, "active")],
    "no host over its capacity": [r.Claimed(1.0, "t", "a", 3, 1024, 1)],
    "only what is held is given back": [r.Released(1.0, "s", "b")],
    "one claim per consumer and host": [r.Claimed(1.0, "s", "a", 1, 1, 1)],
    "legal transitions": [server(1.0, "paused"), server(2.0, "suspended")],
    "a server is on a host that exists": [server(1.0, "active", "nowhere")],
    "only servers that exist change": [
        r.ServerState(1.0, "ghost", "active", None, 1, "a", "f", "ACTIVE", False, None)
    ],
    "a server is created once": [r.ServerCreated(1.0, "s", "u", "p", "f", None)],
    "max_concurrent_live_migrations": [
        step for n in (1, 2) for step in (live(1.0, n, "accepted"), live(1.0, n, "preparing"))
    ],
    "no link over its capacity": [
        r.FlowStarted(1.0, 1, "disk", "s", "a", "b", [0, 1], 80.0),
        r.FlowStarted(1.0, 2, "disk", "t", "a", "b", [0, 1], 80.0),
        server(2.0, "stopped"),
    ],
    "bytes are conserved": [
        r.FlowStarted(1.0, 1, "disk", "s", "a", "b", [0], 100.0), r.FlowEnded(101.0, 1, 4000.0, True),
    ],
    "a finished move holds nothing": [
        live(1.0, 1, "accepted"), r.ClaimMoved(1.0, "s", "migration:1", "a"), r.Claimed(1.0, "s", "b", 2, 2048, 10),
        live(2.0, 1, "preparing"), live(2.0, 1, "running"), live(3.0, 1, "completed"),
    ],
    "a request is answered once, after it is asked": [r.Answer(1.0, "req-9", 202, None)],
    "a request is asked once": [OBEYS[0], OBEYS[0]],
}  # fmt: skip


def test_a_log_that_obeys() -> None:
    assert check([*START, *OBEYS]) == len(START) + len(OBEYS)


@pytest.mark.parametrize("law", BROKEN)
def test_a_log_that_breaks_a_law(law: str) -> None:
    with pytest.raises(LawViolation) as caught:
        check([*START, *BROKEN[law]])
    assert caught.value.law == law


def test_the_violation_names_the_record() -> None:
    with pytest.raises(LawViolation) as caught:
        check([*START, *BROKEN["legal transitions"]])
    assert caught.value.position == len(START) + 1
    assert "paused → suspended" in str(caught.value)


def test_a_server_may_be_reset_from_anything() -> None:
    states = ["paused", "error", "active", "suspended", "active"]
    assert check([*START, *(server(float(i), state) for i, state in enumerate(states, 1))]) > 0


def test_a_record_taken_for_a_leftover_goes_on_from_what_it_was() -> None:
    cold = [r.MigrationState(1.0, 2, "s", "migration", status, "a", "b", "req-2")
            for status in ("pre-migrating", "migrating")]  # fmt: skip
    taken = [live(2.0, 1, "accepted"), live(2.0, 1, "preparing"), live(2.0, 1, "error")]
    after = [live(3.0, 1, "running"), live(3.0, 1, "completed")]
    assert check([*START, *cold, *taken, *after]) > 0
    backwards = [*taken, after[0], live(3.0, 1, "preparing")]
    for wrong in ([*taken, *after], [*cold, *taken, after[1]], [*cold, *backwards]):
        with pytest.raises(LawViolation, match="legal transitions"):
            check([*START, *wrong])


def test_an_illegal_migration_status() -> None:
    with pytest.raises(LawViolation, match="running → accepted"):
        check([*START, live(1.0, 1, "accepted"), live(1.0, 1, "preparing"), live(1.0, 1, "running"),
               live(2.0, 1, "accepted")])  # fmt: skip
