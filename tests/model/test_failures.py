"""Bad luck: by schedule and by distribution, one host or a rack, and what each kind does to what is under way."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from scipy import stats

from sim.eventlog import records as r
from sim.runs.engine import execute
from sim.scenario.loader import parse

GIB = 2**30
DAY = 86400.0
ROOM = {"vcpus": 64, "memory": "256 GiB", "disk": "2 TiB", "nic": "10 Gbit/s"}


def run(*, hosts: Any = None, servers: Sequence[dict[str, Any]] = (), seed: int = 1, **more: Any) -> Sequence[r.Record]:
    """A run of hosts h1, h2, … without times of their own; servers of 4 GiB and 40 GiB of disk."""
    cloud = {
        "hosts": hosts or [{"name": "h{n:1-4}", **ROOM}], "network": {"kind": "star"},
        "flavors": [{"name": "f", "vcpus": 1, "memory": "4 GiB", "disk": "40 GiB"}],
        "images": [{"name": "i", "size": "1 GiB"}],
        "servers": [{"flavor": "f", "image": "i", **server} for server in servers],
        "timings": more.pop("timings", "ideal"), "storage": more.pop("storage", {"instances": "shared"}),
        "nova": {"options": more.pop("options", {})}, "workers": more.pop("workers", {}),
    }  # fmt: skip
    return execute(parse({"cloud": cloud, **more}), seed).records()


def powers(records: Sequence[r.Record], host: str) -> list[tuple[float, str]]:
    return [(record.t, record.power) for record in records if isinstance(record, r.HostState) and record.host == host]


def spans(records: Sequence[r.Record], host: str) -> tuple[list[float], list[float]]:
    """Times up and times down, in turns."""
    up, down, since, was = [], [], 0.0, "up"
    for at, power in powers(records, host):
        if power != was:
            (up if was == "up" else down).append(at - since)
            since, was = at, power
    return up, down


# --- by distribution --------------------------------------------------------------------------------------------------

LIVES = {"weibull": {"shape": 0.75, "scale": "10 days"}}
REPAIRS = {"lognormal": {"median": "54 min", "sigma": 1.0}}


def test_hosts_fail_and_are_repaired_as_distributed() -> None:
    """100 hosts for two years. Renewal theory: the part of time up is E[life] / (E[life] + E[repair])."""
    end = 730 * DAY
    records = run(
        hosts=[{"name": "h{n:1-100}", **ROOM}], faults=[{"every": LIVES, "repair": REPAIRS}],
        run={"duration": f"{end} s"},
    )  # fmt: skip
    ups, downs = [], []
    for host in range(1, 101):
        up, down = spans(records, f"h{host}")
        ups += up
        downs += down
    life, repair = stats.weibull_min(0.75, scale=10 * DAY), stats.lognorm(1.0, scale=54 * 60)
    assert stats.kstest(ups, life.cdf).pvalue > 0.001
    assert stats.kstest(downs, repair.cdf).pvalue > 0.001
    cycle = life.mean() + repair.mean()
    expected = 100 * end / cycle  # and, by the renewal theorem, a variance of c² times that
    spread = math.sqrt(life.var() + repair.var()) / cycle * math.sqrt(expected)
    transient = 100 * ((life.var() + repair.var()) / cycle**2 - 1) / 2
    assert len(ups) == pytest.approx(expected + transient, abs=4 * spread)
    down = sum(downs) / (100 * end)
    assert down == pytest.approx(
        repair.mean() / cycle, rel=4 * math.sqrt((1 + repair.var() / repair.mean() ** 2) / len(downs))
    )


def test_a_rack_fails_as_one_and_racks_by_themselves() -> None:
    hosts = [{"name": "r{r:1-4}-h{h:1-5}", "rack": "rack-{r}", **ROOM}]
    records = run(
        hosts=hosts, run={"duration": "100 days"},
        faults=[{"scope": "rack", "every": {"exponential": {"mean": "10 days"}}, "repair": "1 h"}],
    )  # fmt: skip
    lives = {rack: [powers(records, f"r{rack}-h{host}") for host in range(1, 6)] for rack in range(1, 5)}
    for of_rack in lives.values():
        assert of_rack[0]
        assert all(one == of_rack[0] for one in of_rack)
    moments = [at for of_rack in lives.values() for at, _ in of_rack[0]]
    assert len(set(moments)) == len(moments)


def test_only_those_named_fail_and_another_entry_moves_nobody() -> None:
    one = {"hosts": ["h1"], "every": {"exponential": {"mean": "2 days"}}, "repair": {"exponential": {"mean": "1 h"}}}
    two = {"hosts": ["h2"], "kind": "hang", "every": {"exponential": {"mean": "1 day"}}, "repair": "2 h"}
    alone = run(faults=[one], run={"duration": "60 days"})
    both = run(faults=[one, two], run={"duration": "60 days"})
    assert powers(alone, "h1")
    assert powers(alone, "h1") == powers(both, "h1")
    assert not powers(alone, "h2")
    assert {power for _, power in powers(both, "h2")} == {"hung", "up"}
    assert not powers(both, "h3")


def test_a_host_that_is_down_already_is_not_struck_again() -> None:
    """Two entries of the same host: while one has it down the other changes nothing, nor brings it back early."""
    crash = {"hosts": ["h1"], "every": "10 h", "repair": "100 h"}
    hang = {"hosts": ["h1"], "kind": "hang", "every": "12 h", "repair": "1 h"}
    records = run(faults=[crash, hang], run={"duration": "105 h"})
    assert powers(records, "h1") == [(36000.0, "crashed")]


# --- kinds, on a live migration under way -----------------------------------------------------------------------------

FULL = {"dirty": 0, "working_set": 0, "nonzero": 1.0}
LINE = {"profile": "ideal", "source": "test", "fit_error": "none", "stream": "100 MB/s", "block_stream": "100 MB/s",
        "disk_stream": "100 MB/s"}  # fmt: skip
MEMORY_S, DISK_S = 4 * GIB / 100e6, 20 * GIB / 100e6


def live(step: dict[str, Any], *, storage: str = "shared", at: str = "10 s", host: str = "h2") -> Sequence[r.Record]:
    """One guest moves from h1 to h2 from 0 s on, at 100 MB/s; the step happens at ``at``."""
    return run(
        hosts=[{"name": "h1", **ROOM}, {"name": "h2", **ROOM}], timings=LINE, storage={"instances": storage},
        servers=[{"name": "vm", "host": "h1", "activity": FULL}],
        plan=[
            {"request": {"server": "vm", "microversion": "2.90",
                         "body": {"os-migrateLive": {"host": None, "block_migration": "auto"}}}},
            {"at": at, **({"fail": {"hosts": [host], **step}} if "kind" in step else {"link": step})},
        ],
    )  # fmt: skip


def copy(records: Sequence[r.Record]) -> r.LiveCopy:
    return next(record for record in records if isinstance(record, r.LiveCopy))


@pytest.mark.parametrize(("kind", "outcome", "ends"), [
    ("network", "failed", 10 + 30), ("crash", "failed", 10 + 30), ("hang", "completed", MEMORY_S),
    ("slow", "completed", MEMORY_S), ("storage_stall", "completed", MEMORY_S),
])  # fmt: skip
def test_a_destination_that_fails_in_the_midst_of_a_copy(kind: str, outcome: str, ends: float) -> None:
    """Without a byte for 30 s the connection is lost; a hypervisor needs no nova-compute, memory needs no disk."""
    done = copy(live({"kind": kind}))
    assert (done.outcome, done.t) == (outcome, pytest.approx(ends))


@pytest.mark.parametrize(("repair", "ends"), [("20 s", MEMORY_S + 20), ("40 s", 10 + 30)])
def test_a_network_that_is_back_in_time(repair: str, ends: float) -> None:
    assert copy(live({"kind": "network", "repair": repair})).t == pytest.approx(ends)


@pytest.mark.parametrize("host", ["h1", "h2"])
def test_storage_that_stalls_holds_disks_up_for_as_long_as_it_stalls(host: str) -> None:
    """Longer than a connection may be silent: the connection is alive."""
    done = copy(live({"kind": "storage_stall", "repair": "300 s"}, storage="local", host=host))
    assert (done.outcome, done.t) == ("completed", pytest.approx(DISK_S + 300 + MEMORY_S))


def test_storage_that_stalls_while_memory_is_copied_is_not_felt() -> None:
    done = copy(live({"kind": "storage_stall", "repair": "300 s"}, storage="local", at="230 s"))
    assert done.t == pytest.approx(DISK_S + MEMORY_S)


def test_storage_that_stalls_before_disks_begin_holds_them_from_the_first_byte() -> None:
    done = copy(live({"kind": "storage_stall", "repair": "50 s"}, storage="local", at="0 s"))
    assert done.t == pytest.approx(DISK_S + MEMORY_S + 50)


# --- links ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("step", "ends"), [
    ({"links": ["h1:up"], "capacity": "50 MB/s"}, 10 + (MEMORY_S - 10) * 2),
    ({"links": ["h2:*"], "factor": 0.04}, 10 + (MEMORY_S - 10) * 2),  # 4 % of 1.25 GB/s
    ({"links": ["h1:up"], "capacity": "50 MB/s", "lasting": "10 s"}, MEMORY_S + 5),
    ({"links": ["h1:up"], "factor": 0, "lasting": "20 s"}, MEMORY_S + 20),
    ({"links": ["h1:down", "h2:up"], "factor": 0}, MEMORY_S),  # the other way
])  # fmt: skip
def test_links_degrade_and_recover(step: dict[str, Any], ends: float) -> None:
    assert copy(live(step)).t == pytest.approx(ends)


def capacities(records: Sequence[r.Record], link: str) -> list[tuple[float, float]]:
    return [(one.t, one.capacity_bps) for one in records if isinstance(one, r.LinkState) and one.link == link]


def test_of_overlapping_changes_the_latest_that_lasts_holds() -> None:
    whole = 1.25e9
    records = run(plan=[
        {"at": "10 s", "link": {"links": ["h1:up"], "factor": 0.5, "lasting": "100 s"}},
        {"at": "20 s", "link": {"links": ["h1:up"], "factor": 0.1, "lasting": "30 s"}},
        {"at": "60 s", "link": {"links": ["h1:up"], "factor": 0.2, "lasting": "100 s"}},
    ])  # fmt: skip
    assert capacities(records, "h1:up") == [
        (10.0, 0.5 * whole), (20.0, 0.1 * whole), (50.0, 0.5 * whole), (60.0, 0.2 * whole), (160.0, whole),
    ]  # fmt: skip


def test_a_dark_host_s_link_is_dark_whatever_is_done_to_it() -> None:
    records = run(plan=[
        {"at": "10 s", "fail": {"hosts": ["h1"], "kind": "network", "repair": "100 s"}},
        {"at": "20 s", "link": {"links": ["h1:up"], "factor": 0.5, "lasting": "300 s"}},
    ])  # fmt: skip
    assert capacities(records, "h1:up") == [(10.0, 0.0), (110.0, 0.625e9), (320.0, 1.25e9)]


# --- slow hosts -------------------------------------------------------------------------------------------------------


def test_a_slow_host_takes_longer_and_is_afterwards_as_slow_as_ever() -> None:
    """h1 by nature takes twice as long; while it is slow, ten times that."""
    stop = {"request": {"server": "vm", "body": {"os-stop": None}}}
    start = {"request": {"server": "vm", "body": {"os-start": None}}}
    records = run(
        hosts=[{"name": "h1", "slow": 2.0, **ROOM}], servers=[{"name": "vm", "host": "h1"}],
        timings={"profile": "ideal", "source": "test", "fit_error": "none", "start": "3 s"},
        plan=[
            {"at": "10 s", **stop}, {"at": "20 s", **start}, {"at": "110 s", **stop}, {"at": "120 s", **start},
            {"at": "310 s", **stop}, {"at": "320 s", **start},
            {"at": "100 s", "fail": {"hosts": ["h1"], "kind": "slow", "factor": 10, "repair": "150 s"}},
        ],
    )  # fmt: skip
    took = [round(one.t - one.began, 6) for one in records if isinstance(one, r.Step) and one.step == "start"]
    assert took == [6.0, 60.0, 6.0]


# --- detection and evacuation -----------------------------------------------------------------------------------------


def crash_and_evacuate(by: str, servers: int, seed: int, **more: Any) -> Sequence[r.Record]:
    return run(
        servers=[{"name": "vm", "count": servers, "host": "h1"}], seed=seed,
        timings={"profile": "ideal", "source": "test", "fit_error": "none", "rebuild": "15 s"},
        plan=[{"at": "1000 s", "fail": {"hosts": ["h1"]}},
              {"at": "1000 s", "evacuate": {"hosts": ["h1"], "by": by, **more}}],
    )  # fmt: skip


def backs(records: Sequence[r.Record]) -> list[float]:
    return [one.t - 1000 for one in records if isinstance(one, r.MigrationState) and one.status == "done"]


def test_an_operator_waits_for_the_last_report_to_be_old_enough() -> None:
    """Reports each 10 s, down after 60 s without one: 60 s less the age of the last report, U(0, 10)."""
    waits = [backs(crash_and_evacuate("operator", 1, seed))[0] - 15 for seed in range(1, 121)]
    assert all(50 <= wait <= 60 for wait in waits)
    assert stats.kstest(waits, stats.uniform(50, 10).cdf).pvalue > 0.001


def test_a_down_time_within_a_report_is_replaced_as_nova_replaces_it() -> None:
    """5 s with a report each 10 s: Nova takes 2.5 intervals instead, 25 s less the age of the last report."""
    for seed in range(1, 9):
        records = run(
            servers=[{"name": "vm", "host": "h1"}], seed=seed, options={"service_down_time": 5},
            plan=[{"at": "1000 s", "fail": {"hosts": ["h1"]}}, {"at": "1000 s", "evacuate": {"hosts": ["h1"]}}],
        )  # fmt: skip
        assert 15 <= backs(records)[0] <= 25, seed


def test_masakari_looks_waits_and_evacuates_three_at_a_time() -> None:
    """Looks each 60 s, waits 180 s, three threads of 15 s each: seven servers come back in three waves."""
    firsts = []
    for seed in range(1, 81):
        back = backs(crash_and_evacuate("masakari", 7, seed))
        waves = np.round(np.array(back) - back[0], 6)
        assert waves.tolist() == [0, 0, 0, 15, 15, 15, 30]
        firsts.append(back[0] - 15 - 180)
    assert stats.kstest(firsts, stats.uniform(0, 60).cdf).pvalue > 0.001


def test_an_operator_s_reaction_and_hands() -> None:
    back = backs(crash_and_evacuate("operator", 4, 1, reaction="10 min", concurrency=2, force_down=True))
    assert [round(at, 6) for at in back] == [615, 615, 630, 630]


# --- workers ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("pool", "stage"), [("api", "api"), ("conductor", "conductor"), ("scheduler", "scheduler")])
def test_workers_take_requests_one_after_another(pool: str, stage: str) -> None:
    """Ten moves asked for at once, each 2 s at one place with two workers: five waves, first come first served."""
    moves = [{"request": {"server": f"vm-{n}", "body": {"migrate": None}}} for n in range(1, 11)]
    records = run(
        servers=[{"name": "vm", "count": 10, "host": "h1"}], plan=moves, workers={pool: 2},
        timings={"profile": "ideal", "source": "test", "fit_error": "none", stage: "2 s"},
    )  # fmt: skip
    done = [one.t for one in records if isinstance(one, r.Step) and one.step == stage]
    assert done == [2.0, 2.0, 4.0, 4.0, 6.0, 6.0, 8.0, 8.0, 10.0, 10.0]
    waited = [one.t - one.began for one in records if isinstance(one, r.Waited) and one.queue == stage]
    assert waited == [2.0, 2.0, 4.0, 4.0, 6.0, 6.0, 8.0, 8.0]


def test_an_overloaded_api_falls_behind_by_what_it_cannot_do() -> None:
    """A request each second, one worker of 1.5 s: after n requests the wait is (n - 1) / 2 s."""
    asks = [{"at": f"{n} s", "request": {"server": "vm", "body": {"lock": None}}} for n in range(1, 61)]
    records = run(
        servers=[{"name": "vm", "host": "h1"}], plan=asks, workers={"api": 1},
        timings={"profile": "ideal", "source": "test", "fit_error": "none", "api": "1.5 s"},
    )  # fmt: skip
    answers = [one.t for one in records if isinstance(one, r.Answer)]
    assert [round(at - n - 1.5, 6) for n, at in enumerate(answers, 1)] == [(n - 1) / 2 for n in range(1, 61)]


def test_an_operator_does_not_wait_for_ever_for_a_host_that_died_too() -> None:
    """A whole rack dies: Nova still believes in some of its hosts and picks them for servers of others."""
    scenario = parse({
        "cloud": {
            "hosts": [{"name": "h{n:001-100}", "rack_size": 10, "vcpus": 64, "memory": "256 GiB", "disk": "4 TB"}],
            "flavors": [{"name": "m", "vcpus": 4, "memory": "16 GiB", "disk": "40 GiB"}],
            "servers": [{"name": "s{n:1-1000}", "flavor": "m", "hosts": ["h{n:001-100}"], "boot_from": "volume"}],
            "storage": {"instances": "shared"},
        },
        "plan": [{"fail": {"hosts": ["rack:rack-001"]}}, {"evacuate": {"hosts": ["rack:rack-001"]}}],
    })  # fmt: skip
    log = execute(scenario, 1).records()
    job = [record for record in log if isinstance(record, r.Operation) and record.kind == "evacuate"]
    left = [record for record in log if isinstance(record, r.NeedsHuman)]
    assert [record.phase for record in job] == ["begun", "ended"]
    assert left
    assert {record.reason for record in left} == {"not rebuilt within 1800 s"}
    asked = [record for record in log if isinstance(record, r.Request) and record.action == "evacuate"]
    assert len(asked) == 100
