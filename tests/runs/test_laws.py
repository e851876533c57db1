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
FLAVORS = r.FlavorsPresent(0.0, ["f", "g"], [2, 1], [2048, 1024], [10, 5])
SERVERS = r.ServersPresent(
    0.0, ["s", "t"], ["u", "v"], ["p", "p"], ["f", "f"], ["a", None], ["active", "error"], [None, None], [1, 0],
    ["ACTIVE", "ERROR"], [False, False], [True, False], [10, 10],
)  # fmt: skip
START = [
    r.RunStarted(0.0, "x", "d", 1, {"DEFAULT.max_concurrent_live_migrations": 1}),
    HOSTS, FLAVORS, SERVERS, r.LinksPresent(0.0, ["a:up", "b:down"], [100.0, 100.0]),
]  # fmt: skip


def server(t: float, vm_state: str, host: str | None = "a") -> r.ServerState:
    return r.ServerState(t, "s", vm_state, None, 1, host, "f", "ACTIVE", False, None)


def live(t: float, number: int, status: str) -> r.MigrationState:
    return r.MigrationState(t, number, "s", "live-migration", status, "a", "b", "req-1")


def claim(t: float, consumer: str, host: str) -> r.Claimed:
    return r.Claimed(t, consumer, host, 2, 2048, 10)


def decision(number: int, chosen: str | None, *, hosts: int = 2, left: int = 1) -> r.Decision:
    return r.Decision(1.0, number, "req-1", "s", hosts, left, chosen, [], 1, None if chosen else "No valid host.")


def event(kind: type[r.EventStarted] | type[r.EventFinished], t: float, *result: str | None) -> r.Record:
    return kind(t, "s", "req-1", "compute_live_migration", "a", *result)


def operation(number: int, phase: str, outcome: str = "") -> r.Operation:
    return r.Operation(1.0 if phase == "begun" else 5.0, number, "drain", "a", phase, outcome, "")


COPY = r.LiveCopy(5.0, 1, "s", "a", "b", 1.0, "precopy", "completed", 1, 300.0, 0.0, 0.5, 0.0)
STOP = r.Downtime(5.0, "s", 4.5, "live-migration", "req-1")
FLOW = r.FlowStarted(1.0, 1, "live-migration", "s", "a", "b", [0, 1], 100.0)
FLOWN = [FLOW, r.FlowRate(3.0, 1, 50.0), r.FlowEnded(5.0, 1, 2 * 100.0 + 2 * 50.0, True)]
BEGINS = [
    r.Request(1.0, "req-1", "os-migrateLive", "s", "2.30", "admin", "{}"),
    r.ActionStarted(1.0, "s", "live-migration", "req-1"),
    live(1.0, 1, "accepted"),
    r.ClaimMoved(1.0, "s", "migration:1", "a"),
    claim(1.0, "s", "b"),
    decision(1, "b"),
    event(r.EventStarted, 1.0),
    live(1.0, 1, "queued"), live(1.0, 1, "preparing"), live(1.0, 1, "running"),
]  # fmt: skip
ENDS = [
    server(5.0, "active", "b"),
    r.Released(5.0, "migration:1", "a"),
    live(5.0, 1, "completed"),
    event(r.EventFinished, 5.0, "Success", None),
    r.Answer(5.0, "req-1", 202, None),
]  # fmt: skip
OBEYS = [operation(1, "begun"), *BEGINS, *FLOWN, COPY, STOP, *ENDS, operation(1, "ended", "done")]

BROKEN: dict[str, list[r.Record]] = {
    "time never goes back": [server(5.0, "stopped"), server(4.0, "active")],
    "no host over its capacity": [claim(1.0, "t", "a"), claim(1.0, "u", "a")],
    "only what is held is given back": [r.Released(1.0, "s", "b")],
    "one claim per consumer and host": [claim(1.0, "s", "a")],
    "claims are of a flavor's size": [r.Claimed(1.0, "t", "a", 1, 2048, 10)],
    "claims move between a server and its migration": [r.ClaimMoved(1.0, "s", "t", "a")],
    "a deleted server holds nothing": [r.ServerDeleted(1.0, "s", None)],
    "legal transitions": [server(1.0, "paused"), server(2.0, "suspended")],
    "a server is on a host that exists": [server(1.0, "active", "nowhere")],
    "a server goes where it has room": [server(1.0, "active", "b")],
    "only servers that exist change": [
        r.ServerState(1.0, "ghost", "active", None, 1, "a", "f", "ACTIVE", False, None)
    ],
    "only a resize changes the flavor": [
        r.ServerState(1.0, "s", "active", None, 1, "a", "g", "ACTIVE", False, None)
    ],
    "who locks asks for it": [r.ServerState(1.0, "s", "active", None, 1, "a", "f", "ACTIVE", True, None)],
    "states are shown in one way": [
        server(1.0, "active"), r.ServerState(2.0, "s", "active", None, 1, "a", "f", "SHUTOFF", False, None)
    ],
    "a server is created once": [r.ServerCreated(1.0, "s", "u", "p", "f", None)],
    "records name what exists": [claim(1.0, "ghost", "a")],
    "migration types are Nova's": [r.MigrationState(1.0, 1, "s", "teleport", "accepted", "a", "b", None)],
    "max_concurrent_live_migrations": [
        step for n in (1, 2) for step in (live(1.0, n, "accepted"), live(1.0, n, "preparing"))
    ],
    "records are numbered in order": [live(1.0, 2, "accepted")],
    "a move begins where the server is": [
        r.MigrationState(1.0, 1, "s", "live-migration", "accepted", "b", "a", None)
    ],
    "a move stays what it is": [
        live(1.0, 1, "accepted"), live(1.0, 1, "queued"),
        r.MigrationState(1.0, 1, "s", "live-migration", "preparing", "a", "a", "req-1"),
    ],
    "who has moved is there": [*BEGINS, *FLOWN, COPY, live(5.0, 1, "completed")],
    "a server is copied once": [*BEGINS, *FLOWN, COPY, COPY],
    "a guest stops as long as its copy says": [
        *BEGINS, *FLOWN, COPY, r.Downtime(5.0, "s", 4.9, "live-migration", "req-1")
    ],
    "a guest stops while it runs": [STOP, STOP],
    "no link over its capacity": [
        r.FlowStarted(1.0, 1, "disk", "s", "a", "b", [0, 1], 80.0),
        r.FlowStarted(1.0, 2, "disk", "t", "a", "b", [0, 1], 80.0),
        server(2.0, "stopped"),
    ],
    "bytes are conserved": [
        r.FlowStarted(1.0, 1, "disk", "s", "a", "b", [0], 100.0), r.FlowEnded(101.0, 1, 4000.0, True),
    ],
    "a flow begins once": [FLOW, FLOW],
    "only flows that run change": [r.FlowRate(1.0, 1, 1.0)],
    "a finished move holds nothing": [*BEGINS, *FLOWN, COPY, server(5.0, "active", "b"), live(5.0, 1, "completed")],
    "a request is answered once, after it is asked": [r.Answer(1.0, "req-9", 202, None)],
    "a request is asked once": [BEGINS[0], BEGINS[0]],
    "who is refused is told why": [BEGINS[0], r.Answer(1.0, "req-1", 409, None)],
    "an event ends once, after it began": [
        event(r.EventStarted, 1.0), *[event(r.EventFinished, 2.0, "Success", None)] * 2
    ],
    "nothing goes well on a dead host": [
        event(r.EventStarted, 1.0), r.HostState(2.0, "a", "crashed", False, False, ""),
        event(r.EventFinished, 3.0, "Success", None),
    ],
    "a decision has its reasons": [claim(1.0, "s", "b"), decision(1, "b", left=3)],
    "who is chosen is claimed": [decision(1, "b")],
    "nobody is sent to a disabled host": [
        r.HostState(0.0, "b", "up", True, False, ""), claim(1.0, "s", "b"), decision(1, "b")
    ],
    "an operation ends once, after it began": [operation(1, "begun"), *[operation(1, "ended", "done")] * 2],
    "who leaves somebody is not done": [
        operation(1, "begun"), r.NeedsHuman(1.0, "s", 1, "stuck"), operation(1, "ended", "done")
    ],
    "nothing ends before it began": [r.Step(1.0, "s", "req-1", "api", None, 2.0, "done")],
}  # fmt: skip
BROKEN["no host over its capacity"].insert(0, r.ServerCreated(1.0, "u", "w", "p", "f", None))


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
    cold = [r.MigrationState(1.0, 1, "s", "migration", status, "a", "b", "req-2")
            for status in ("pre-migrating", "migrating")]  # fmt: skip
    taken = [live(2.0, 2, "accepted"), live(2.0, 2, "preparing"), live(2.0, 2, "error")]
    after = [live(3.0, 2, "running"), live(3.0, 2, "completed")]
    assert check([*START, *cold, *taken, *after]) > 0
    backwards = [*taken, after[0], live(3.0, 2, "preparing")]
    alone = [live(record.t, 1, record.status) for record in (*taken, *after)]
    for wrong in (alone, [*cold, *taken, after[1]], [*cold, *backwards]):
        with pytest.raises(LawViolation, match="legal transitions"):
            check([*START, *wrong])


def test_an_illegal_migration_status() -> None:
    with pytest.raises(LawViolation, match="running → accepted"):
        check([*START, live(1.0, 1, "accepted"), live(1.0, 1, "preparing"), live(1.0, 1, "running"),
               live(2.0, 1, "accepted")])  # fmt: skip


def test_an_image_may_pin_its_guest() -> None:
    pinned, aside = (r.Claimed(1.0, "t", "b", 0, 2048, 0, pcpus) for pcpus in (2, 3))
    dedicated = r.DedicatedPresent(0.0, ["a", "b"], [4, 4])
    for claimed in (pinned, aside):
        assert check([*START, dedicated, claimed]) > 0
    with pytest.raises(LawViolation, match="flavor's size"):
        check([*START, dedicated, r.Claimed(1.0, "t", "b", 1, 2048, 0, 3)])


def test_moves_in_each_other_s_way_may_leave_a_server_anywhere() -> None:
    cold = r.MigrationState(1.0, 1, "s", "migration", "pre-migrating", "a", None, "req-2")
    assert check([*START, cold, live(1.0, 2, "accepted"), server(2.0, "active", "b")]) > 0
    over = [live(2.0, 2, "failed"), server(3.0, "active", "b")]
    assert check([*START, cold, live(1.0, 2, "accepted"), *over]) > 0


def test_who_named_a_disabled_host_gets_it() -> None:
    disabled = r.HostState(0.0, "b", "up", True, False, "")
    assert check([*START, disabled, claim(1.0, "s", "b"), decision(1, "b", hosts=1)]) > 0


def test_a_guest_that_boots_may_be_moved_live() -> None:
    boot = r.Downtime(9.0, "s", 0.5, "migration", "req-0")
    assert check([*START, *BEGINS, *FLOWN, COPY, STOP, *ENDS, boot]) > 0
    with pytest.raises(LawViolation, match="a guest stops while it runs"):
        check([*START, boot, r.Downtime(9.0, "s", 8.0, "resize", "req-1")])


def test_a_move_may_begin_where_a_server_was_or_nowhere() -> None:
    gone = [r.Released(1.0, "s", "a"), r.ServerDeleted(1.0, "s", None)]
    assert check([*START, *gone, live(2.0, 1, "accepted")]) > 0
    nowhere = r.MigrationState(1.0, 1, "t", "live-migration", "accepted", "", None, None)
    assert check([*START, nowhere]) > 0


def test_what_went_on_when_a_server_was_reset_may_take_the_room_of_its_next_move() -> None:
    reset = r.ActionStarted(1.0, "s", "resetState", "req-0")
    assert check([*START, reset, *BEGINS, r.Released(4.0, "s", "b"), server(5.0, "active", "b")]) > 0
    with pytest.raises(LawViolation, match="a server goes where it has room"):
        check([*START, *BEGINS, r.Released(4.0, "s", "b"), server(5.0, "active", "b")])


@pytest.mark.parametrize("task", [None, "shelving"])
def test_an_evacuation_in_the_midst_of_another_task_may_lose_its_room(task: str | None) -> None:
    tasks = [
        r.ServerState(1.0, "s", "active", one, 1, "a", "f", one or "none", False, None) for one in (task, "rebuilding")
    ]
    lost = [claim(1.0, "s", "b"), r.Released(2.0, "s", "b"), server(3.0, "active", "b")]
    if task is None:
        with pytest.raises(LawViolation, match="a server goes where it has room"):
            check([*START, *tasks[1:], *lost])
    else:
        assert check([*START, *tasks, *lost]) > 0
