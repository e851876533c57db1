"""A trace is what Perfetto can draw: slices nest, arrows have two ends, counters go on, every stage is there."""

from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from crowd import crowd
from synthetic import GB, log
from typer.testing import CliRunner

from sim.cli.main import app
from sim.eventlog import records as r
from sim.eventlog.storage import write_records
from sim.metrics.source import Records
from sim.metrics.tables import table
from sim.plots.trace import events, write_trace

Event = dict[str, Any]
PHASES = {"M", "X", "s", "f", "i", "C"}


@pytest.fixture(scope="module", params=["story", "12", "200"])
def run(request: pytest.FixtureRequest) -> tuple[Records, list[Event]]:
    sizes = {"story": log, "12": lambda: list(crowd(12, 3)), "200": lambda: list(crowd(200, 40))}
    records = Records.of(sizes[request.param]())
    return records, list(events(records))


def slices(found: list[Event]) -> list[Event]:
    return [event for event in found if event["ph"] == "X"]


def test_every_event_has_what_its_phase_needs(run: tuple[Records, list[Event]]) -> None:
    for event in run[1]:
        assert event["ph"] in PHASES
        assert isinstance(event["pid"], int)
        assert isinstance(event["tid"], int)
        assert event["name"]
        if event["ph"] != "M":
            assert isinstance(event["ts"], int)
            assert event["ts"] >= 0
        if event["ph"] == "X":
            assert isinstance(event["dur"], int)
            assert event["dur"] >= 0
        if event["ph"] == "C":
            assert all(isinstance(value, int | float) and value >= 0 for value in event["args"].values())


def test_every_process_and_thread_has_a_name_before_it_is_used(run: tuple[Records, list[Event]]) -> None:
    processes: set[int] = set()
    threads: set[tuple[int, int]] = set()
    for event in run[1]:
        if event["name"] == "process_name":
            processes.add(event["pid"])
        elif event["name"] == "thread_name":
            threads.add((event["pid"], event["tid"]))
        elif event["ph"] != "M":
            assert event["pid"] in processes
            if event["ph"] in "Xsf":
                assert (event["pid"], event["tid"]) in threads


def test_slices_of_a_lane_nest_or_follow_one_another(run: tuple[Records, list[Event]]) -> None:
    lanes: dict[tuple[int, int], list[tuple[int, int]]] = defaultdict(list)
    for event in slices(run[1]):
        lanes[event["pid"], event["tid"]].append((event["ts"], event["ts"] + event["dur"]))
    for lane, spans in lanes.items():
        begin, end = np.array(spans).T
        apart = end[:, None] <= begin[None, :]
        within = (begin[None, :] <= begin[:, None]) & (end[:, None] <= end[None, :])
        assert (apart | apart.T | within | within.T).all(), lane


def test_an_arrow_begins_in_a_slice_of_its_source_and_ends_in_one_of_its_destination(
    run: tuple[Records, list[Event]],
) -> None:
    records, found = run
    names = {event["pid"]: event["args"]["name"].split(" ")[0] for event in found if event["name"] == "process_name"}
    ends: dict[int, dict[str, Event]] = defaultdict(dict)
    for event in found:
        if event["ph"] in "sf":
            assert event["ph"] not in ends[event["id"]], "an arrow has one beginning and one end"
            ends[event["id"]][event["ph"]] = event
    flows = {row["flow"]: row for row in records.frame(r.FlowStarted).iter_rows(named=True)}
    assert set(ends) == {number for number, flow in flows.items() if flow["source"] != flow["dest"]}
    at = defaultdict(list)
    for event in slices(found):
        at[event["pid"], event["tid"]].append(event)
    for number, both in ends.items():
        assert names[both["s"]["pid"]] == flows[number]["source"]
        assert names[both["f"]["pid"]] == flows[number]["dest"]
        for end in both.values():
            around = [one for one in at[end["pid"], end["tid"]] if one["ts"] <= end["ts"] <= one["ts"] + one["dur"]]
            assert any(flows[number]["server"] in one["name"] for one in around)


def test_every_stage_stands_within_its_operation(run: tuple[Records, list[Event]]) -> None:
    records, found = run
    outer = {event["args"]["request"]: event for event in slices(found) if event["cat"] == "operation"}
    assert set(outer) >= set(table(records, "requests")["request"])
    inner = defaultdict(list)
    for event in slices(found):
        if event["cat"] == "stage":
            inner[event["pid"], event["tid"]].append(event)
    for row in table(records, "stages").iter_rows(named=True):
        whole = outer[row["request"]]
        same = [one for one in inner[whole["pid"], whole["tid"]] if one["ts"] == round(row["began_s"] * 1e6)]
        assert any(one["dur"] == round(row["ended_s"] * 1e6) - one["ts"] for one in same), row


def test_counters_end_with_what_the_tables_say(run: tuple[Records, list[Event]]) -> None:
    records, found = run
    hosts = {event["pid"]: event["args"]["name"].split(" ")[0] for event in found if event["name"] == "process_name"}
    last: dict[tuple[int, str], Event] = {}
    for event in found:
        if event["ph"] == "C":
            before = last.get((event["pid"], event["name"]))
            assert before is None or before["ts"] <= event["ts"]
            last[event["pid"], event["name"]] = event
    used = {row["host"]: row for row in table(records, "hosts").iter_rows(named=True)}
    checked = [(hosts[pid], event) for (pid, name), event in last.items() if name == "vCPUs held"]
    assert checked
    for host, event in checked:
        assert event["args"]["held"] == used[host]["vcpus_used"]


def test_the_story_s_link_carries_what_it_carries() -> None:
    found = [event for event in events(Records.of(log())) if event["name"] == "a1:up (Gbit/s)"]
    at_15 = [event for event in found if event["ts"] <= 15e6][-1]
    assert at_15["args"] == {"carried": pytest.approx(GB * 8e-9), "free": pytest.approx((2 * GB - GB) * 8e-9)}


def test_a_trace_by_command(tmp_path: Path) -> None:
    write_records(log(), tmp_path / "records")
    done = CliRunner().invoke(app, ["trace", str(tmp_path)], catch_exceptions=False)
    assert done.exit_code == 0
    whole = json.loads((tmp_path / "trace.json").read_text(encoding="utf-8"))
    assert whole["traceEvents"] == json.loads(json.dumps(list(events(tmp_path))))
    assert whole["otherData"]["scenario"] == "synthetic"
    again = write_trace(tmp_path, tmp_path / "again.json")
    assert again.read_bytes() == (tmp_path / "trace.json").read_bytes()


def test_hosts_that_did_nothing_are_not_in_it() -> None:
    found = list(events(Records.of(list(crowd(200, 3)))))
    named = {event["args"]["name"] for event in found if event["name"] == "process_name"}
    busy = set(table(Records.of(list(crowd(200, 3))), "stages").drop_nulls("host")["host"])
    assert 3 < len(named) < 60
    assert busy <= {name.split(" ")[0] for name in named}
    assert pl.Series(sorted(named)).is_unique().all()
