"""Energy, from stories whose joules can be added up by hand, and from a run with traces."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from sim.eventlog import records as r
from sim.metrics.source import Records
from sim.metrics.tables import table
from sim.runs.engine import execute
from sim.scenario.loader import parse


def hosts(*models: str) -> r.HostsPresent:
    n = len(models)
    return r.HostsPresent(
        0.0, [f"h{i + 1}" for i in range(n)], ["r"] * n, ["z"] * n, [10] * n, [1000] * n, [100] * n, [1.0] * n,
        [1.0] * n, [1.0] * n, [0] * n, [0] * n, [0] * n, list(models),
    )  # fmt: skip


def servers(host: str, power: int = 1, cpu: float = 0.5) -> list[r.Record]:
    """``a`` of 4 vCPUs."""
    return [
        r.FlavorsPresent(0.0, ["f"], [4], [10], [1]),
        r.ServersPresent(
            0.0, ["a"], ["u"], ["p"], ["f"], [host], ["active"], [None], [power], ["ACTIVE"], [False], [True], [1]
        ),
        r.GuestsPresent(0.0, ["a"], ["web"], [cpu]),
    ]  # fmt: skip


def state(t: float, host: str | None, power: int = 1) -> r.ServerState:
    return r.ServerState(t, "a", "active", None, power, host, "f", "ACTIVE", False, None)


def end(t: float) -> r.Record:
    return r.Operation(t, 1, "drain", "h", "ended", "done", "")


def test_a_guest_s_cpu_becomes_its_host_s_watts_and_moves_with_it() -> None:
    """4 vCPUs at 0.5 of 10 are 0.2: 120 W of linear:100:200. 1000 s on h1, 2000 s on h2, stopped for the last 1000."""
    moves = [state(1000.0, "h2"), state(3000.0, "h2", 4)]
    source = Records.of([hosts("linear:100:200", "linear:50:150"), *servers("h1"), *moves, end(4000.0)])
    energy = {row["host"]: row for row in table(source, "energy").iter_rows(named=True)}
    h1, h2 = 1000 * 120 + 3000 * 100, 1000 * 50 + 2000 * 70 + 1000 * 50
    assert energy["h1"]["energy_kwh"] == pytest.approx(h1 / 3.6e6)
    assert energy["h2"]["energy_kwh"] == pytest.approx(h2 / 3.6e6)
    assert energy["h2"]["mean_w"] == pytest.approx(h2 / 4000)
    assert (energy["h1"]["peak_w"], energy["h2"]["peak_utilisation"]) == (pytest.approx(120), pytest.approx(0.2))
    assert energy["h1"]["mean_utilisation"] == pytest.approx(0.2 * 1000 / 4000)
    series = table(source, "power_over_time").filter(host="h2")
    assert series["t_s"].to_list() == [0.0, 1000.0, 3000.0]
    assert series["power_w"].to_list() == pytest.approx([50, 70, 50])


def test_a_crashed_host_takes_nothing_a_rebooting_one_idles_a_hung_one_goes_on() -> None:
    source = Records.of([
        hosts("linear:100:200"), *servers("h1", cpu=1.0),
        *(r.HostState(at, "h1", power, False, False, "") for at, power in
          ((100.0, "crashed"), (200.0, "up"), (300.0, "rebooting"), (400.0, "hung"), (500.0, "cut_off"))),
        end(600.0),
    ])  # fmt: skip
    watts = table(source, "power_over_time")["power_w"].to_list()
    assert watts == pytest.approx([140, 0, 140, 100, 140, 140])


def test_loads_lives_and_deaths() -> None:
    """A created server counts from when it has a host; a load holds until the next; a deleted one takes nothing."""
    source = Records.of([
        hosts("linear:0:1000"), r.FlavorsPresent(0.0, ["f"], [4], [10], [1]),
        r.ServerCreated(10.0, "a", "u", "p", "f", None, False, 0.25), state(10.0, None, 0), state(20.0, "h1"),
        r.GuestLoad(30.0, "a", 1.0), r.GuestLoad(40.0, "a", 0.5), r.ServerDeleted(50.0, "a", None), end(60.0),
    ])  # fmt: skip
    series = table(source, "power_over_time")
    assert dict(zip(series["t_s"].to_list(), series["power_w"].to_list(), strict=True)) == pytest.approx(
        {0.0: 0, 20.0: 100, 30.0: 400, 40.0: 200, 50.0: 0}
    )
    assert table(source, "energy", warm_up=35.0)["energy_kwh"][0] == pytest.approx((5 * 400 + 10 * 200) / 3.6e6)


def test_more_guests_than_cpus_use_all_of_them() -> None:
    source = Records.of([hosts("linear:0:100"), *servers("h1", cpu=5.0), end(10.0)])
    assert table(source, "energy")["peak_w"][0] == 100


def test_copies_cost_both_hosts() -> None:
    """Liu et al.: 0.512 J for each megabyte and 20.165 J, both hosts together: 532 J for 1000 MB."""
    copy = r.LiveCopy(5.0, 1, "a", "h1", "h2", 1.0, "precopy", "completed", 1, 1e9, 0.0, 0.1, 0.0)
    source = Records.of([hosts("linear:0:1", "linear:0:1", "linear:0:1"), *servers("h1"), copy])
    assert table(source, "energy")["migrations_j"].to_list() == pytest.approx([(512 + 20.165) / 2] * 2 + [0.0])


def test_traces_in_a_run_become_loads_and_energy(tmp_path: Path) -> None:
    """PlanetLab at 0 and 50 % in turns of five minutes; 4 of 8 vCPUs: 100 W and 100 + 100 * 0.25 W. It is repeated."""
    (tmp_path / "vm1").write_text("0\n50\n")
    scenario = parse({
        "cloud": {
            "hosts": [{"name": "h", "vcpus": 8, "memory": "8 GiB", "disk": "9 GiB", "power": "linear:100:200"}],
            "flavors": [{"name": "f", "vcpus": 4, "memory": "1 GiB", "disk": 0}],
            "servers": [{"name": "vm{n:1-1}", "flavor": "f", "host": "h", "cpu_trace": "vm{n}"}],
        },
        "run": {"duration": "20 min"},
    }, base=tmp_path)  # fmt: skip
    run = execute(scenario, 1)
    loads = [(record.t, record.cpu) for record in run.records() if isinstance(record, r.GuestLoad)]
    assert loads == [(0.0, 0.0), (300.0, 0.5), (600.0, 0.0), (900.0, 0.5), (1200.0, 0.0)]
    energy = table(Records.of(run.records(), {"simulated_s": 1200.0}), "energy")
    assert energy["energy_kwh"][0] == pytest.approx((600 * 100 + 600 * 125) / 3.6e6)
    assert json.dumps(energy.to_dicts())


def test_the_same_log_gives_the_same_numbers_to_the_last_digit() -> None:
    """Joins on several threads have no order of their own, and sums of floats depend on theirs."""
    cloud = {"hosts": [{"name": "h{n:1-400}", "vcpus": 64, "memory": "256 GiB", "disk": "4 TiB"}],
             "flavors": [{"name": "f", "vcpus": 3, "memory": "4 GiB", "disk": "1 GiB"}],
             "servers": [{"name": f"{kind}-{{n:1-2000}}", "flavor": "f", "hosts": ["h{n:1-400}"], "activity": kind}
                         for kind in ("web", "database", "idle")]}  # fmt: skip
    records = list(execute(parse({"cloud": cloud, "run": {"duration": "1 h"}}), 1).records())
    assert len({repr(table(Records.of(records), "energy").rows()) for _ in range(6)}) == 1
