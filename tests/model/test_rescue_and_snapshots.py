"""Rescue, and images made of servers."""

from __future__ import annotations

import pytest
from ordinary import DISK_GB, ask, cloud, events, lawful, of, tasks, until

from sim.eventlog import records as r

GIB = 2**30


def test_rescue_and_back() -> None:
    session = cloud()
    assert ask(session, "vm1", {"rescue": {}}).code == 200
    assert session.server("vm1").status == "RESCUE"
    assert events(session, "vm1") == [("compute_rescue_instance", "Success", "h1")]
    assert ask(session, "vm1", {"unrescue": None}).code == 202
    assert session.server("vm1").status == "ACTIVE"
    assert events(session, "vm1") == [("compute_unrescue_instance", "Success", "h1")]
    assert tasks(session, "vm1") == ["rescuing", None, "unrescuing", None]
    lawful(session)


def test_a_stopped_server_that_is_rescued_comes_back_running() -> None:
    session = cloud()
    for body in ({"os-stop": None}, {"rescue": {}}, {"unrescue": None}):
        ask(session, "vm1", body)
    assert (session.server("vm1").status, session.server("vm1").power_state) == ("ACTIVE", 1)


def test_a_rescued_server_is_shut_down_cleanly_first() -> None:
    session = cloud(timings={"profile": "default", "shutdown": "300 s", "rescue": "6 s"})
    ask(session, "vm1", {"rescue": {}})
    steps = {one.step: one.t - one.began for one in of(session, r.Step, "vm1")}
    assert steps["shutdown"] == pytest.approx(60)
    assert steps["rescue"] == pytest.approx(6)


def test_a_snapshot_is_uploaded_at_the_image_service_s_rate() -> None:
    """The event is over as soon as the work has begun, as in Nova, whose snapshots run in a thread of their own."""
    session = cloud(storage={"instances": "local", "image_rate": "100 MB/s"})
    assert session.request("vm1", {"createImage": {"name": "copy"}}, microversion="2.90").code == 202
    session.run_for(0.1)
    assert events(session, "vm1") == [("compute_snapshot_instance", "Success", "h1")]
    session.settle()
    assert tasks(session, "vm1") == [
        "image_snapshot_pending", "image_snapshot", "image_pending_upload", "image_uploading", None,
    ]  # fmt: skip
    (upload,) = [one for one in of(session, r.Step, "vm1") if one.step == "upload"]
    assert upload.t - upload.began == pytest.approx(0.5 * DISK_GB * GIB / 100e6)
    assert session.server("vm1").status == "ACTIVE"
    lawful(session)


def test_no_more_snapshots_at_once_than_the_host_may_take() -> None:
    """max_concurrent_snapshots: a host's third has to wait until one of two is over."""
    session = cloud(
        servers=3, options={"DEFAULT": {"max_concurrent_snapshots": 2}},
        storage={"instances": "local", "image_rate": "100 MB/s"},
    )  # fmt: skip
    names = ["vm1", "vm2", "vm3"]
    for name in names:
        assert session.request(name, {"createImage": {"name": "copy"}}, microversion="2.90").code == 202
    session.settle()
    uploads = {name: next(one for one in of(session, r.Step, name) if one.step == "upload") for name in names}
    (waited,) = [one for name in names for one in of(session, r.Waited, name)]
    last = uploads.pop(waited.server)
    assert waited.queue == "snapshots:h1"
    assert waited.t == min(one.t for one in uploads.values())
    assert last.began >= waited.t > waited.began
    lawful(session)


def test_a_disk_on_shared_storage_is_cloned_there() -> None:
    session = cloud(storage={"instances": "shared"})
    ask(session, "vm1", {"createImage": {"name": "copy"}})
    assert not of(session, r.FlowStarted, "vm1")
    assert tasks(session, "vm1")[-1] is None


def test_a_server_deleted_during_its_snapshot_is_deleted() -> None:
    session = cloud()
    session.request("vm1", {"createImage": {"name": "copy"}}, microversion="2.90")
    until(session, "vm1", "image_uploading")
    assert session.request("vm1", None, method="DELETE", microversion="2.90").code == 204
    session.settle()
    assert session.servers() == []
    lawful(session)


def test_a_rescue_that_lasts_too_long_is_ended_by_its_host() -> None:
    """rescue_timeout: the first look of a task that runs once a minute, after the time is over."""
    session = cloud(servers=2, options={"rescue_timeout": 600})
    ask(session, "vm1", {"rescue": {}})
    ask(session, "vm2", {"rescue": {}})
    ask(session, "vm2", {"unrescue": None})
    rescued = max(one.t for one in of(session, r.ServerState, "vm1") if one.vm_state == "rescued")
    session.run_until(rescued + 600)
    assert session.server("vm1").status == "RESCUE"
    session.run_until(rescued + 700)
    assert session.server("vm1").status == "ACTIVE"
    assert [one.action for one in session.actions("vm1")] == ["rescue", "unrescue"]
    assert [one.action for one in session.actions("vm2")] == ["rescue", "unrescue"]
    (began,) = [one.t for one in of(session, r.ServerState, "vm1") if one.task_state == "unrescuing"]
    assert 600 < began - rescued <= 660
    lawful(session)


def test_a_second_rescue_counts_from_its_own_begin() -> None:
    session = cloud(options={"rescue_timeout": 600})
    ask(session, "vm1", {"rescue": {}})
    session.run_for(300)
    ask(session, "vm1", {"unrescue": None})
    ask(session, "vm1", {"rescue": {}})
    rescued = max(one.t for one in of(session, r.ServerState, "vm1") if one.vm_state == "rescued")
    session.run_until(rescued + 590)
    assert session.server("vm1").status == "RESCUE"
    session.run_until(rescued + 700)
    assert session.server("vm1").status == "ACTIVE"


@pytest.mark.parametrize(("options", "status"), [({"rescue_timeout": 600}, "ACTIVE"), ({}, "RESCUE")])
def test_a_server_that_was_rescued_at_the_start_counts_from_then(options: dict[str, int], status: str) -> None:
    session = cloud(options=options, server={"vm_state": "rescued"})
    session.run_until(599)
    assert session.server("vm1").status == "RESCUE"
    session.run_until(700)
    assert session.server("vm1").status == status


def test_a_busy_or_dead_host_looks_again() -> None:
    session = cloud(options={"rescue_timeout": 600}, server={"vm_state": "rescued"})
    session.run_until(590)
    session.fail("h1", "hang")
    session.run_until(1000)
    assert session.server("vm1").status == "RESCUE"
    session.repair("h1")
    session.run_until(1100)
    assert session.server("vm1").status == "ACTIVE"
