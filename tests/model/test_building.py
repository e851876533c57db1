"""Creates: from the request to a server that runs, or one in error with the right fault."""

from __future__ import annotations

from typing import Any

import pytest
from ordinary import SMALL, ask, cloud, create, events, lawful, of, states, until

from sim.eventlog import records as r

BUILT = [
    ("building", "scheduling"), ("building", None), ("building", "networking"), ("building", "block_device_mapping"),
    ("building", "spawning"), ("active", None),
]  # fmt: skip
"""As nova-compute saves them: _do_build_and_run_instance, _allocate_network, _build_resources, spawn."""
BUILD = "compute__do_build_and_run_instance"
GROUP: dict[str, Any] = {
    "server_groups": [{"name": "apart", "policy": "anti-affinity"}],
    "timings": {"profile": "default", "api": "0.1 s", "scheduler": "0.2 s", "conductor": "0.3 s"},
}
"""A group, and decisions for creates of one moment that fall in one moment."""


def fault(session: Any, name: str = "new") -> str:
    found = session.server(name).fault
    assert found is not None
    return str(found.message).replace(session.server(name).uuid, "UUID")


# --- success ----------------------------------------------------------------------------------------------------------


def test_a_server_is_built() -> None:
    session = cloud(servers=0)
    answer = create(session)
    assert answer.code == 202
    assert answer.body["server"]["id"] == session.server("new").uuid
    session.settle()
    server = session.server("new")
    assert states(session, "new") == BUILT
    assert (server.status, server.power_state) == ("ACTIVE", 1)
    assert session.allocations("new") == {server.host: SMALL}
    assert [action.action for action in session.actions("new")] == ["create"]
    assert events(session, "new") == [(BUILD, "Success", server.host)]
    lawful(session)


def test_the_first_server_fetches_the_image_and_the_second_finds_it() -> None:
    session = cloud(hosts=1, servers=0, storage={"instances": "local", "image_rate": "50 MB/s"})
    for name in ("one", "two"):
        create(session, name)
        session.settle()
    (fetch,) = [one for one in session.records() if isinstance(one, r.Step) and one.step == "image"]
    assert fetch.server == "one"
    assert fetch.t - fetch.began == pytest.approx(2**30 / 50e6)


def test_two_that_are_built_together_share_one_download() -> None:
    session = cloud(hosts=1, servers=0, storage={"instances": "local", "image_rate": "50 MB/s"})
    create(session, max_count=2, min_count=2)
    session.settle()
    assert len([one for one in session.records() if isinstance(one, r.FlowStarted)]) == 1
    assert {server.status for server in session.servers()} == {"ACTIVE"}


def test_a_request_for_several_numbers_them_and_gives_hosts_to_all() -> None:
    session = cloud(hosts=2, servers=0)
    create(session, "web", min_count=3, max_count=3)
    session.settle()
    assert [(server.name, server.status) for server in session.servers()] == [
        ("web-1", "ACTIVE"), ("web-2", "ACTIVE"), ("web-3", "ACTIVE"),
    ]  # fmt: skip
    lawful(session)


def test_a_request_for_several_of_which_one_does_not_fit_gives_hosts_to_none() -> None:
    """The memory of one host holds 15 servers of 2 GiB beside Nova's reserve."""
    session = cloud(hosts=1, servers=0)
    create(session, "web", min_count=16, max_count=16)
    session.settle()
    assert {server.status for server in session.servers()} == {"ERROR"}
    assert {tuple(session.allocations(server.name)) for server in session.servers()} == {()}
    lawful(session)


def test_a_name_that_was_used_before_gets_a_number() -> None:
    session = cloud(servers=0)
    for _ in range(3):
        create(session)
    session.settle()
    assert [server.name for server in session.servers()] == ["new", "new~2", "new~3"]


def test_only_so_many_are_built_on_a_host_at_once() -> None:
    session = cloud(hosts=1, servers=0, options={"max_concurrent_builds": 2})
    create(session, "web", min_count=5, max_count=5)
    session.settle()
    spells = [
        (start.t, end.t)
        for server in session.servers()
        for start, end in zip(of(session, r.EventStarted, server.name), of(session, r.EventFinished, server.name),
                              strict=True)
    ]  # fmt: skip
    at_once = [sum(start <= began < end for start, end in spells) for began, _ in spells]
    assert max(at_once) == 2
    waits = [one for one in session.records() if isinstance(one, r.Waited) and one.queue == "builds:h1"]
    assert len(waits) == 3
    lawful(session)


# --- no host ----------------------------------------------------------------------------------------------------------


def test_without_a_valid_host_the_server_exists_only_to_say_so() -> None:
    session = cloud(hosts=1, servers=15)
    create(session)
    session.settle()
    server = session.server("new")
    assert (server.status, server.host, server.task_state) == ("ERROR", None, None)
    assert fault(session).startswith("No valid host was found.")
    assert events(session, "new") == [("conductor_schedule_and_build_instances", "Error", "conductor")]
    assert states(session, "new") == [("building", "scheduling"), ("error", None)]
    lawful(session)


# --- hosts that fail --------------------------------------------------------------------------------------------------


def test_a_failed_build_goes_to_the_next_host() -> None:
    session = cloud(servers=0, fails={"h1": ["build"], "h2": ["build"]})
    create(session)
    session.settle()
    server = session.server("new")
    assert (server.status, server.host, server.fault) == ("ACTIVE", "h3", None)
    tried = [host for _, _, host in events(session, "new")]
    assert tried[-1] == "h3"
    assert session.allocations("new") == {"h3": SMALL}
    assert sum(isinstance(one, r.Decision) for one in session.records()) == 1
    lawful(session)


def test_when_all_attempts_are_used_the_last_reason_is_the_fault() -> None:
    """scheduler.max_attempts 3, five hosts that fail: three are tried; populate_retry then says so."""
    session = cloud(hosts=5, servers=0, fails={f"h{n}": ["build"] for n in range(1, 6)})
    create(session)
    session.settle()
    last = events(session, "new")[-1][2]
    assert [event for event, _, _ in events(session, "new")] == [BUILD] * 3
    assert [one.result for one in of(session, r.EventFinished, "new")] == ["Success"] * 3
    assert session.server("new").status == "ERROR"
    assert fault(session) == (
        "Exceeded maximum number of retries. Exceeded max scheduling attempts 3 for instance UUID. "
        f"Last exception: build fails on {last}"
    )
    assert (session.server("new").host, session.allocations("new")) == (None, {})
    lawful(session)


def test_when_the_alternates_are_used_up_first_the_fault_says_that() -> None:
    session = cloud(hosts=2, servers=0, fails={"h1": ["build"], "h2": ["build"]})
    create(session)
    session.settle()
    assert fault(session) == (
        "Exceeded maximum number of retries. Exhausted all hosts available for retrying build failures for instance "
        "UUID."
    )
    assert len(events(session, "new")) == 2


@pytest.mark.parametrize("how", ["one attempt", "forced"])
def test_without_a_second_attempt_the_host_s_own_reason_is_the_fault(how: str) -> None:
    options = {"scheduler": {"max_attempts": 1}} if how == "one attempt" else {}
    session = cloud(servers=0, fails={f"h{n}": ["build"] for n in range(1, 4)}, options=options)
    create(session, **({"availability_zone": "nova:h2"} if how == "forced" else {}))
    session.settle()
    ((event, result, host),) = events(session, "new")
    assert (event, result) == (BUILD, "Success")
    assert fault(session) == f"build fails on {host}"
    assert (session.server("new").status, session.server("new").host) == ("ERROR", None)
    assert session.allocations("new") == {}
    lawful(session)


def test_hosts_whose_builds_failed_are_avoided_until_one_goes_well() -> None:
    """The build failure weigher: a host with a failed build is worse than any other."""
    session = cloud(hosts=2, servers=0, fails={"h1": ["build"]}, seed=1)
    chosen = []
    for number in range(6):
        create(session, f"s{number}")
        session.settle()
        chosen.append(events(session, f"s{number}")[0][2])
    assert chosen.count("h1") <= 1
    lawful(session)


def test_without_the_threshold_failed_builds_are_not_counted() -> None:
    session = cloud(
        hosts=2, servers=0, fails={"h1": ["build"]},
        options={"compute": {"consecutive_build_service_disable_threshold": 0}},
    )  # fmt: skip
    for number in range(6):
        create(session, f"s{number}")
        session.settle()
    assert sum(events(session, f"s{number}")[0][2] == "h1" for number in range(6)) > 1


# --- server groups ----------------------------------------------------------------------------------------------------


def test_creates_of_one_moment_that_collide_in_their_group_go_elsewhere() -> None:
    """The scheduler decides both before either has a host; the host looks again, and sends the second one on."""
    plan = [create_later(f"s{number}") for number in range(3)]
    session = cloud(hosts=6, servers=0, plan=plan, memory={"h1": "256 GiB"}, **GROUP)
    session.run_for(2)
    session.settle()
    assert {server.status for server in session.servers()} == {"ACTIVE"}
    assert len({server.host for server in session.servers()}) == 3
    tried = [[host for _, _, host in events(session, server.name)] for server in session.servers()]
    assert [one[0] for one in tried] == ["h1"] * 3
    assert sorted(len(one) for one in tried) == [1, 2, 3]
    assert not session._simulation.cloud.hosts.failed_builds.any()
    lawful(session)


def create_later(name: str) -> dict[str, Any]:
    body = {
        "server": {"name": name, "flavorRef": "m", "imageRef": "i", "networks": "none"},
        "os:scheduler_hints": {"group": "apart"},
    }
    return {"at": "1 s", "request": {"body": body, "microversion": "2.90"}}


def test_one_of_too_many_that_collide_may_use_up_its_attempts() -> None:
    """As seen in a real cloud: each tries the same three hosts in the same order, and the fourth finds none of them."""
    plan = [create_later(f"s{number}") for number in range(4)]
    session = cloud(hosts=6, servers=0, plan=plan, memory={"h1": "256 GiB", "h2": "192 GiB", "h3": "128 GiB"}, **GROUP)
    session.run_for(2)
    session.settle()
    assert sorted(server.status for server in session.servers()) == ["ACTIVE", "ACTIVE", "ACTIVE", "ERROR"]
    (loser,) = [server.name for server in session.servers() if server.status == "ERROR"]
    assert [host for _, _, host in events(session, loser)] == ["h1", "h2", "h3"]
    assert fault(session, loser) == (
        "Exceeded maximum number of retries. Exceeded max scheduling attempts 3 for instance UUID. "
        "Last exception: Anti-affinity instance group policy was violated"
    )
    assert session.allocations(loser) == {}
    lawful(session)


def test_a_violated_policy_does_not_count_against_the_host() -> None:
    """With one attempt the violation itself is the fault; Nova then leaves the claim, and the host in good standing."""
    session = cloud(
        hosts=1, servers=0, plan=[create_later("s0"), create_later("s1")], **GROUP,
        options={"scheduler": {"max_attempts": 1}},
    )  # fmt: skip
    session.run_for(2)
    session.settle()
    statuses = {server.name: server.status for server in session.servers()}
    assert sorted(statuses.values()) == ["ACTIVE", "ERROR"]
    (loser,) = [name for name, status in statuses.items() if status == "ERROR"]
    assert fault(session, loser) == "Anti-affinity instance group policy was violated"
    assert session.allocations(loser) == {"h1": SMALL}


# --- interference -----------------------------------------------------------------------------------------------------


def test_a_server_deleted_before_it_has_a_host_is_never_built() -> None:
    session = cloud(servers=0)
    create(session)
    assert session.request("new", None, method="DELETE", microversion="2.90").code == 204
    session.settle()
    assert session.servers() == []
    assert not [one for one in session.records() if isinstance(one, r.EventStarted)]
    held = [one for one in session.records() if isinstance(one, (r.Claimed, r.Released))]
    assert len(held) % 2 == 0
    lawful(session)


def test_a_server_deleted_while_it_spawns_is_deleted_when_the_build_lets_go_of_it() -> None:
    """The delete waits for the server's lock; the build finds the task deleting, and gives up."""
    session = cloud(servers=0)
    create(session)
    until(session, "new", "spawning")
    assert session.request("new", None, method="DELETE", microversion="2.90").code == 204
    session.settle()
    assert session.servers() == []
    finished = of(session, r.EventFinished, "new")
    assert [(one.event, one.result) for one in finished] == [
        (BUILD, "Success"), ("compute_terminate_instance", "Success"),
    ]  # fmt: skip
    assert states(session, "new")[-2:] == [("building", "deleting"), ("active", None)]
    lawful(session)


def test_a_host_that_dies_during_a_build_leaves_an_error_when_it_is_back() -> None:
    session = cloud(hosts=1, servers=0, plan=[
        {"at": "5 s", "fail": {"hosts": ["h1"], "kind": "crash", "repair": {"constant": "100 s"}}},
    ])  # fmt: skip
    create(session)
    session.run_until("20 s")
    assert (session.server("new").vm_state, session.server("new").task_state) == ("building", "spawning")
    session.run_until("106 s")
    assert (session.server("new").vm_state, session.server("new").task_state) == ("error", None)
    assert session.allocations("new") == {"h1": SMALL}
    lawful(session)


def test_a_build_that_waited_for_its_host_s_return_is_in_error_and_then_goes_on() -> None:
    """nova-compute errors out claims that no build has begun for, and then reads the order that was in its queue."""
    session = cloud(hosts=1, servers=0)
    create(session)
    session._simulation.cloud.host_failed(0, "crash", "test")
    session.run_for(30)
    assert session.server("new").vm_state == "building"
    session._simulation.cloud.host_returned(0)
    session.settle()
    assert states(session, "new")[:3] == [("building", "scheduling"), ("error", None), ("building", None)]
    assert session.server("new").status == "ACTIVE"
    lawful(session)


def test_a_reset_during_the_build_ends_it_in_error() -> None:
    """The last save expects spawning; what finds another task is a failure that is not tried elsewhere."""
    session = cloud(servers=0)
    create(session)
    until(session, "new", "spawning")
    assert ask(session, "new", {"os-resetState": {"state": "error"}}).code == 202
    assert session.server("new").status == "ERROR"
    assert "Conflict updating instance UUID" in fault(session)
    assert session.allocations("new") == {}
    lawful(session)
