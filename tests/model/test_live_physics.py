"""What Nova's options and the guests make of a live migration's time, through the whole simulator."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import pytest

from sim.eventlog import records as r
from sim.runs.checkers import check
from sim.runs.session import Session
from sim.scenario.loader import parse

GIB, MIB = 2**30, 2**20
GBE10 = 10e9 / 8 * 0.9416


def session(
    *, activity: Any = "idle", options: dict[str, Any] | None = None, storage: str = "shared", timings: Any = "ideal",
    base: Path | None = None, server: dict[str, Any] | None = None, **host: Any,
) -> Session:  # fmt: skip
    """One server of 8 GiB and 40 GiB of disk on h1, an empty h2; nothing but the bytes takes time."""
    room = {"vcpus": 8, "memory": "64 GiB", "disk": "1 TiB", "nic": "10 Gbit/s", **host}
    return Session(parse({
        "cloud": {
            "hosts": [{"name": "h1", **room}, {"name": "h2", **room}], "network": {"kind": "star"},
            "flavors": [{"name": "f", "vcpus": 4, "memory": "8 GiB", "disk": "40 GiB"}],
            "images": [{"name": "i", "size": "1 MiB"}],
            "servers": [
                {"name": "vm", "flavor": "f", "host": "h1", "image": "i", "activity": activity, **(server or {})}
            ],
            "storage": {"instances": storage}, "timings": timings,
            "nova": {"options": {"libvirt": options or {}}},
        },
    }, base=base or "."), seed=1)  # fmt: skip


FULL = {"dirty": 0, "working_set": 0, "nonzero": 1.0}


def begin(one: Session) -> None:
    answer = one.request("vm", {"os-migrateLive": {"host": None, "block_migration": "auto"}}, microversion="2.90")
    assert answer.code == 202


def move(one: Session) -> r.LiveCopy:
    begin(one)
    one.settle()
    check(one.records())
    return next(record for record in one.records() if isinstance(record, r.LiveCopy))


def took(copy: r.LiveCopy) -> float:
    return copy.t - copy.began


SLOW = {"profile": "ideal", "source": "test", "fit_error": "none", "stream": "400 MB/s", "tunnelled_stream": "100 MB/s",
        "block_stream": "200 MB/s", "zero_pages": "1 GB/s", "zero_pages_multifd": ["2 GB/s", "4 GB/s"]}  # fmt: skip


@pytest.mark.parametrize(("options", "rate"), [
    ({}, 400e6),
    ({"live_migration_tunnelled": True}, 100e6),
    ({"live_migration_parallel_connections": 2}, 800e6),
    ({"live_migration_parallel_connections": 16}, 1.25e9),  # the link is the limit
    ({"live_migration_bandwidth": 50}, 50 * MIB),
])  # fmt: skip
def test_memory_goes_at_the_rate_that_options_allow(options: dict[str, Any], rate: float) -> None:
    copy = move(session(activity=FULL, options=options, timings=SLOW))
    assert took(copy) == pytest.approx(8 * GIB / rate, rel=1e-6)


def test_disks_go_first_at_their_own_rate() -> None:
    """Half of 40 GiB is used: 20 GiB at 200 MB/s, then 8 GiB at 400 MB/s."""
    copy = move(session(activity=FULL, storage="local", timings=SLOW))
    assert took(copy) == pytest.approx(20 * GIB / 200e6 + 8 * GIB / 400e6, rel=1e-6)
    assert (copy.bytes_disk, copy.bytes_memory) == (pytest.approx(20 * GIB), pytest.approx(8 * GIB))


def test_a_tunnel_carries_disks_too() -> None:
    copy = move(session(activity=FULL, storage="local", timings=SLOW, options={"live_migration_tunnelled": True}))
    assert took(copy) == pytest.approx(28 * GIB / 100e6, rel=1e-6)


@pytest.mark.parametrize(("connections", "rate"), [(1, 1e9), (2, 4e9)])
def test_zero_pages_take_the_time_to_find_them(connections: int, rate: float) -> None:
    """The second entry of zero_pages_multifd is for two channels."""
    options = {"live_migration_parallel_connections": connections}
    copy = move(session(activity=FULL | {"nonzero": 0.0}, options=options, timings=SLOW))
    assert took(copy) == pytest.approx(8 * GIB / rate, rel=1e-6)
    assert copy.bytes_memory == 0


def test_what_a_system_writes_all_the_time_is_sent_while_it_stands_still() -> None:
    """5.75 MB of an idle guest at 400 MB/s; by numbers, the rest of 8 GiB in slices of 20 MB (50 ms), and 8 MB."""
    assert move(session(timings=SLOW)).downtime_s == pytest.approx(5.75e6 / 400e6, rel=1e-6)
    hot = {"dirty": 0, "working_set": "10 MB", "hot": "8 MB", "nonzero": 1.0}
    copy = move(session(activity=hot, timings=SLOW))
    assert copy.downtime_s == pytest.approx((8 * GIB % 20e6 + 8e6) / 400e6, rel=1e-3)


# --- what users felt --------------------------------------------------------------------------------------------------

HOT = {"dirty": "6 GB/s", "working_set": "4 GiB", "nonzero": 1.0}


def test_auto_converge_is_felt_step_by_step_until_the_end() -> None:
    """QEMU 8: 20 % at first, 10 more at every second sync; a working set of 4 GiB goes round in 3.6 s."""
    one = session(activity=HOT, options={"live_migration_permit_auto_converge": True}, timings="default")
    copy = move(one)
    felt = [(record.t, record.fraction) for record in one.records() if isinstance(record, r.Slowdown)]
    steps = [fraction for _, fraction in felt]
    assert steps == pytest.approx([*[0.2 + 0.1 * k for k in range(8)], *([0.99] if copy.throttle == 0.99 else []), 0.0])
    times = [at for at, _ in felt[:-1]]
    gaps = [later - sooner for sooner, later in itertools.pairwise(times)]
    assert gaps[0] == pytest.approx(2 * 4 * GIB / GBE10, rel=0.05)
    assert felt[-1][0] == copy.t
    assert copy.throttle == max(steps)


def test_post_copy_that_loses_its_source_s_link_loses_the_guest() -> None:
    """After 30 s without a byte the migration fails; the guest runs nowhere until it is started anew."""
    options = {"live_migration_permit_post_copy": True}
    one = session(activity=HOT, options=options, timings="default")
    begin(one)
    while not one.migrations("vm") or one.migrations("vm")[-1].status != "running":
        one.run_for(0.5)
    one.run_for(20.0)
    number = one.migrations("vm")[-1].id
    assert one.request("vm", {"force_complete": None}, migration=number, microversion="2.90").code == 202
    one.run_for(1.0)
    assert one.migrations("vm")[-1].status == "running (post-copy)"
    one.fail("h2", "network")
    broken = one.now
    one.run_for(200.0)
    copy = next(record for record in one.records() if isinstance(record, r.LiveCopy))
    assert (copy.mode, copy.outcome) == ("postcopy", "failed")
    assert copy.t == pytest.approx(broken + 30.0, abs=0.1)
    assert one.server("vm").host == "h1"
    assert one.migrations("vm")[-1].status == "failed"
    assert one.request("vm", {"reboot": {"type": "HARD"}}, microversion="2.90").code == 202
    one.settle()
    one.run_for(600.0)
    down = [record for record in one.records() if isinstance(record, r.Downtime)][-1]
    assert down.began == pytest.approx(copy.t)
    assert down.t - down.began > 170.0


def test_nova_switches_to_post_copy_by_itself_when_the_completion_timeout_says_so() -> None:
    options = {"live_migration_permit_post_copy": True, "live_migration_timeout_action": "force_complete",
               "live_migration_completion_timeout": 10}  # fmt: skip
    one = session(activity=HOT, options=options)
    copy = move(one)
    assert (copy.mode, copy.outcome) == ("postcopy", "completed")
    assert took(copy) == pytest.approx(80 + 4 * GIB / 1.25e9, rel=0.02)
    down = [record for record in one.records() if isinstance(record, r.Downtime)]
    assert [record.t - record.began for record in down] == [0.0]
    assert one.now < 100.0  # nothing waits on


def test_a_migration_that_is_over_before_its_timeout_leaves_nothing_waiting() -> None:
    options = {"live_migration_permit_post_copy": True, "live_migration_timeout_action": "force_complete"}
    one = session(options=options)
    move(one)
    assert one.now < 60.0


# --- other hypervisors, traces ----------------------------------------------------------------------------------------


def test_xen_stops_by_rounds_not_by_downtime() -> None:
    """A guest that writes 4 GiB faster than they are sent: over 3 times the memory, or 29 rounds, and the rest goes."""
    copy = move(session(activity=HOT, hypervisor_type="Xen"))
    assert copy.outcome == "completed"
    assert copy.bytes_memory <= 5 * 8 * GIB
    assert copy.downtime_s == pytest.approx(4 * GIB / 1.25e9, rel=0.01)


def test_memory_is_dirtied_along_with_a_cpu_trace(tmp_path: Path) -> None:
    """The class's rate at the class's CPU: idle at 2 % dirties 0.5 MB/s, at 100 % 25 MB/s. First quiet, then busy."""
    (tmp_path / "t").write_text("0\n100\n")
    sent = []
    for moment in (0.0, 300.0):
        one = session(server={"cpu_trace": "t"}, base=tmp_path, timings=SLOW)
        one.run_for(moment + 1.0)
        sent.append(move(one).bytes_memory)
    assert sent[0] == pytest.approx(598e6, rel=1e-3)
    assert sent[1] == pytest.approx(598e6 + 5.75e6, rel=1e-3)  # its working set, whole
