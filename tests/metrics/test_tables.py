"""Tables and the answer of a story told by hand (see synthetic.py): each number follows from the story."""

from __future__ import annotations

import io
import json
from dataclasses import asdict
from pathlib import Path

import polars as pl
import pytest
from rich.console import Console
from synthetic import GB, log

import sim
from sim.errors import InputError
from sim.eventlog import records as r
from sim.eventlog.storage import write_records
from sim.metrics.answer import Answer, answer
from sim.metrics.reference import markdown
from sim.metrics.source import Records
from sim.metrics.summary import summary
from sim.metrics.tables import TABLES, export, table
from sim.metrics.timeline import spans
from sim.plots.text import HEIGHT, WIDTH, answer_screen, data_table


@pytest.fixture(scope="module")
def records() -> Records:
    return Records.of(log())


@pytest.fixture(scope="module")
def told(records: Records) -> Answer:
    return answer(records)


def row(frame: pl.DataFrame, key: str, value: object) -> dict[str, object]:
    return frame.filter(pl.col(key) == value).row(0, named=True)


def test_every_table_has_its_documented_columns(records: Records) -> None:
    for name, made in TABLES.items():
        assert table(records, name).columns == [column.name for column in made.columns]
        assert all(column.meaning for column in made.columns)
        assert len({column.name for column in made.columns}) == len(made.columns)


def test_migrations(records: Records) -> None:
    rows = table(records, "migrations")
    web1, web2, db1 = (row(rows, "migration", number) for number in (1, 2, 3))
    assert (web1["outcome"], web1["attempts"], web1["retries"]) == ("done", 2, 1)
    assert web1["total_s"] == 18.5 - 10.5
    assert web1["downtime_s"] == 0.25
    assert web2["queue_s"] == 18.5 - 12.0
    assert web2["mean_rate_bps"] == 0.5 * GB
    assert (db1["outcome"], db1["reason"]) == ("failed", "Live migration has timed out")
    assert (db1["throttle"], db1["memory_b"]) == (0.5, 100 * GB)
    cold1, cold2 = (row(rows, "migration", number) for number in (4, 5))
    assert (cold1["attempts"], cold1["confirmed_by"], cold1["confirm_s"]) == (2, "request", 50.0 - 40.0)
    assert cold1["disk_b"] == 15 * GB
    assert (cold2["outcome"], cold2["confirmed_by"]) == ("unconfirmed", None)
    assert row(rows, "migration", 6)["downtime_s"] == 280.0 - 200.0
    assert row(rows, "migration", 7)["outcome"] == "failed"


def test_warm_up_leaves_out_what_began_before(records: Records) -> None:
    assert table(records, "migrations", 100.0)["migration"].to_list() == [6, 7]
    assert table(records, "requests", 30.0)["request"].to_list() == ["req-7", "req-8", "req-9"]
    cut = table(records, "slowdown", 100.0)
    assert cut["lost_s"].to_list() == [(126.0 - 100.0) * 0.5]


def test_hosts_are_down_from_a_failure_until_they_are_up_whatever_else_is_recorded(records: Records) -> None:
    """a2 crashes, is switched off, hangs after the crash's repair, is back; later it loses its network to the end."""
    states = [(20.0, "crashed", False), (30.0, "crashed", True), (50.0, "hung", True), (70.0, "up", True),
              (80.0, "up", False), (210.0, "cut_off", False)]  # fmt: skip
    told = [r.HostState(at, "a2", power, disabled, False, "") for at, power, disabled in states]
    end = records.end_s
    source = Records.of(sorted([*log(), *told], key=lambda record: record.t))

    def down(warm_up: float) -> tuple[object, object]:
        found = row(table(source, "hosts", warm_up), "host", "a2")
        return found["outages"], found["down_s"]

    assert down(0.0) == (2, pytest.approx(50.0 + end - 210.0))
    assert down(60.0) == (1, pytest.approx(10.0 + end - 210.0))
    assert row(table(source, "hosts"), "host", "a1")["down_s"] == 0.0


def test_hosts_hold_what_the_story_says(records: Records) -> None:
    rows = table(records, "hosts")
    # At the end: b2 has web-1, cold-1, cold-2, lost-1 (small, 2 CPUs each); a2 still holds cold-2's source claim.
    assert row(rows, "host", "b2")["vcpus_used"] == 4 * 2
    assert row(rows, "host", "a2")["vcpus_used"] == 2
    assert row(rows, "host", "a1")["vcpus_used"] == 8
    assert row(rows, "host", "b1")["power"] == "crashed"
    assert row(rows, "host", "a1")["memory_mb_total"] == 32768 - 512
    series = table(records, "hosts_over_time").filter(pl.col("host") == "b2")
    assert series["t_s"].to_list() == sorted(series["t_s"].to_list())
    assert series["servers"].to_list()[-1] == 4


def test_links_carry_what_flows_carried(records: Records) -> None:
    rows = table(records, "links")
    assert row(rows, "link", "a1:up")["bytes_b"] == pytest.approx((4 + 2 + 100) * GB)
    assert row(rows, "link", "b1:down")["bytes_b"] == pytest.approx((2 + 100) * GB)
    # Between 25 and 35 s both cold copies leave a2: at 1 and 0.5, then (from 30 s) at 1 and 1 of 2 GB/s.
    assert row(rows, "link", "a2:up")["peak_share"] == pytest.approx(1.0)
    assert row(rows, "link", "a2:up")["full_s"] == pytest.approx(35.0 - 30.0)
    assert row(rows, "link", "b2:up")["bytes_b"] == 0


def test_headroom_and_what_limits_it(records: Records) -> None:
    rows = table(records, "headroom").filter((pl.col("kind") == "cloud") & (pl.col("flavor") == "small"))
    # At the start memory limits: a host of 32256 MiB takes 7 small servers; a1 holds 24 GiB, a2 8 GiB, b1 4 GiB.
    fits = [(32256 - held) // 4096 for held in (24576, 8192, 4096, 0)]
    assert rows["fits_start"].item() == sum(fits)
    # At the end only b2 is usable, with four small servers.
    assert rows["fits"].item() == (32256 - 4 * 4096) // 4096
    assert rows["limited_by"].item() == "memory_mb"


def test_the_answer(told: Answer) -> None:
    assert told.makespan_s == 300.0 - 10.0
    assert (told.asked, told.moved, told.failed, told.left) == (6, 4, 2, 0)
    assert told.retries == 2
    assert (told.auto_confirmed, told.unconfirmed) == (0, 1)
    assert told.downtime.max == 80.0
    assert told.downtime.sum == 0.25 + 0.5 + 80.0
    assert {one.server for one in told.humans} == {"cold-2", "db-1", "web-2"}
    assert told.bytes_sent_b == (4 + 2 + 100 + 15 + 15) * GB
    json.dumps(asdict(told))


def test_the_answer_fits_one_screen_and_names_who_needs_a_person(told: Answer) -> None:
    console = Console(width=WIDTH, file=io.StringIO(), record=True)
    console.print(answer_screen(told, {"log_digest": "abc", "records": 3, "checked": True}))
    text = console.export_text()
    assert len(text.splitlines()) <= HEIGHT
    assert max(map(len, text.splitlines())) <= WIDTH
    for word in ("cold-2", "db-1", "web-2", "a1:up", "zone north", "aggregate fast", "makespan", "laws hold"):
        assert word in text


def test_the_same_from_disk(tmp_path: Path, told: Answer) -> None:
    write_records(log(), tmp_path / "records")
    assert answer(tmp_path) == told


@pytest.mark.parametrize("form", ["parquet", "csv", "json"])
def test_exported_tables_read_back(tmp_path: Path, records: Records, form: str) -> None:
    paths = export(records, tmp_path, form)
    assert [path.name for path in paths] == [f"{name}.{form}" for name in TABLES]
    read = {"parquet": pl.read_parquet, "csv": pl.read_csv, "json": pl.read_json}[form]
    for path in paths:
        assert read(path).height == table(records, path.stem).height


def test_a_table_there_is_not(records: Records) -> None:
    with pytest.raises(InputError, match="is not a table"):
        table(records, "nonsense")


def test_rows_that_are_not_shown_are_counted(records: Records) -> None:
    console = Console(width=200, file=io.StringIO(), record=True)
    console.print(data_table(table(records, "migrations"), "migrations", 3))
    assert "and 4 more rows" in console.export_text()


def test_a_run_in_which_nothing_happened_has_an_answer() -> None:
    quiet = answer(Records.of(log()[:7]))
    assert (quiet.asked, quiet.migrations, quiet.makespan_s) == (0, 0, None)
    assert quiet.downtime.median is None


def test_decisions_tell_what_filters_removed(records: Records) -> None:
    rows = table(records, "decisions")
    assert rows["decision"].to_list() == [1, 3, 4, 5, 6, 2, 7, 8]
    assert rows["filters"].to_list()[0] == ["ComputeFilter:1"]
    assert row(rows, "decision", 8)["chosen"] is None


def test_failures_in_the_order_of_time(records: Records) -> None:
    rows = table(records, "failures")
    assert rows["t_s"].to_list() == sorted(rows["t_s"].to_list())
    told = rows.filter(pl.col("server") == "web-2")["kind"].to_list()
    assert told == ["no host", "event", "migration", "fault", "given up"]
    assert rows.filter(pl.col("kind") == "refused")["reason"].to_list() == ["Instance uuid-db-1 is locked"]
    assert rows.filter(pl.col("kind") == "host")["host"].to_list() == ["b1"]


def test_queue_lengths_obey_little(records: Records) -> None:
    rows = table(records, "queues")
    assert rows["queue"].to_list() == ["live_migrations:a1"]
    # web-2 waits from 12 to 18.5, db-1 from 12 to 24.5.
    assert rows["waited_s"].item() == 6.5 + 12.5
    assert rows["longest"].item() == 2
    series = table(records, "queues_over_time")
    assert series.rows() == [
        (12.0, "live_migrations:a1", 2),
        (18.5, "live_migrations:a1", 1),
        (24.5, "live_migrations:a1", 0),
    ]
    assert rows["mean_length"].item() == pytest.approx((2 * 6.5 + 1 * 6.0) / 300.0)


def test_the_reference_is_up_to_date() -> None:
    page = Path(__file__).parents[2] / "docs" / "reference" / "tables.md"
    assert page.read_text(encoding="utf-8") == markdown()


def test_moves_that_stood_at_the_start_hold_their_source_and_wait() -> None:
    """cold-2's resize waits for a confirm from before the run: its old 2/4096/20 stay held on b1 until it comes."""
    story = log()
    stood = r.MigrationsPresent(0.0, [99], ["cold-2"], ["resize"], ["finished"], ["b1"], ["a2"], ["small"], [20])
    before = Records.of([*story[:6], stood, *story[6:7]])
    assert row(table(before, "hosts"), "host", "b1")["vcpus_used"] == 2 + 2
    waits = row(table(before, "migrations"), "migration", 99)
    assert (waits["outcome"], waits["created_s"], waits["total_s"]) == ("unconfirmed", None, None)
    assert (waits["queue_s"], waits["confirm_s"]) == (None, None)
    confirmed = r.MigrationState(5.0, 99, "cold-2", "resize", "confirmed", "b1", "a2", "req-0")
    after = Records.of([*story[:6], stood, story[6], r.Released(5.0, "migration:99", "b1"), confirmed])
    assert row(table(after, "hosts"), "host", "b1")["vcpus_used"] == 2
    done = row(table(after, "migrations"), "migration", 99)
    assert (done["outcome"], done["ended_s"], done["total_s"]) == ("done", 5.0, None)
    assert summary(after)["migrations"] == answer(after).migrations == 1


def test_stages_and_waits(records: Records) -> None:
    rows = table(records, "stages")
    assert row(rows, "queue", "live_migrations:a1")["host"] == "a1"
    waits = rows.filter(pl.col("stage") == "wait")
    assert waits.select("server", "began_s", "took_s").rows() == [("web-2", 12.0, 6.5), ("db-1", 12.0, 12.5)]
    refused = rows.filter(pl.col("outcome") == "failed")
    assert refused.select("server", "stage", "host").rows() == [("web-1", "pre_check", "b1"), ("db-1", "copy", "a1")]


def test_states_of_a_server_cover_the_run_without_gap_or_overlap(records: Records) -> None:
    rows = table(records, "states")
    for name in rows["server"].unique(maintain_order=True):
        one = rows.filter(pl.col("server") == name)
        assert one["began_s"].to_list() == [0.0, *one["ended_s"].to_list()[:-1]]
        assert one["ended_s"].to_list()[-1] == 300.0
    cold = rows.filter(pl.col("server") == "cold-1")
    assert cold["status"].to_list() == ["SHUTOFF", "RESIZE", "VERIFY_RESIZE", "SHUTOFF"]
    assert cold["took_s"].to_list() == [10.25, 40.0 - 10.25, 50.0 - 40.0, 300.0 - 50.0]
    assert table(records, "states", 100.0).filter(pl.col("server") == "cold-1")["began_s"].to_list() == [100.0]


def test_operations(records: Records) -> None:
    rows = table(records, "operations")
    assert rows["took_s"].to_list() == [130.0 - 10.0, 300.0 - 200.0]
    assert rows["outcome"].to_list() == ["partial", "partial"]
    cut = Records.of([record for record in log() if record.t < 300.0])
    assert table(cut, "operations").row(1, named=True)["outcome"] == "under way"


def test_spans_of_operations_end_where_the_server_is(records: Records) -> None:
    rows = spans(records)
    assert row(rows, "request", "req-1") | {"reason": None} == {
        "server": "web-1", "request": "req-1", "action": "os-migrateLive", "began_s": 10.0, "ended_s": 18.5,
        "outcome": "done", "migration": 1, "type": "live-migration", "source": "a1", "dest": "b2", "retries": 1,
        "reason": None,
    }  # fmt: skip
    # cold-1's move is over at 40, though it is confirmed (by req-7) at 50.
    assert row(rows, "request", "req-4")["ended_s"] == 40.0
    assert row(rows, "request", "req-6")["outcome"] == "refused"
    early = spans(Records.of([record for record in log() if record.t <= 30.0]))
    assert row(early, "request", "req-3")["outcome"] == "under way"
    assert row(early, "request", "req-3")["ended_s"] == 30.0


def test_ten_million_records_are_opened_without_being_read(tmp_path: Path) -> None:
    """The parts are named by the index and read when asked for: with broken ones, only what needs them fails."""
    write_records(log(), tmp_path / "records")
    for part in (tmp_path / "records").glob("FlowStarted-*.parquet"):
        part.write_bytes(b"not Parquet")
    records = Records.open(tmp_path)
    assert table(records, "downtime").height == 3
    with pytest.raises(InputError, match="cannot be read"):
        table(records, "links")


def test_an_evacuation_is_over_when_the_server_runs_elsewhere(records: Records) -> None:
    """Its old host comes back later and completes the record: that is no part of it."""
    back = Records.of([*log(), r.MigrationState(900.0, 6, "lost-1", "evacuation", "completed", "b1", "b2", "req-8")])
    done = row(table(back, "migrations"), "migration", 6)
    assert (done["outcome"], done["total_s"], done["ended_s"]) == ("done", 280.0 - 260.25, 280.0)
    assert summary(back)["total_time_sum_s"] == summary(records)["total_time_sum_s"]


def test_pinned_guests_have_columns_of_their_own(tmp_path: Path) -> None:
    """Two hosts of 24 CPUs, 8 of them set aside; a pinned server of 4 stands on the first: 1 and 2 more fit."""
    path = tmp_path / "pinned.yaml"
    path.write_text("""
name: pinned
cloud:
  hosts: [{name: "h{n:1-2}", vcpus: 24, pinned_vcpus: 8, memory: 256 GiB, disk: 1 TiB}]
  flavors:
    - {name: shared, vcpus: 4, memory: 1 GiB, disk: 1 GiB}
    - {name: pinned, vcpus: 4, memory: 1 GiB, disk: 1 GiB, extra_specs: {"hw:cpu_policy": dedicated}}
  servers: [{name: p, flavor: pinned, host: h1}, {name: s, flavor: shared, host: h1}]
plan:
  - request: {server: p, body: {os-migrateLive: {host: h2, block_migration: auto}}, microversion: "2.34"}
run: {seed: 1}
""")
    run = sim.run(path)
    hosts, headroom, over = run.table("hosts"), run.table("headroom"), run.table("hosts_over_time")
    used = hosts.select("host", "pcpus_total", "pcpus_used", "pcpus_free", "vcpus_used").rows()
    moved = run.table("migrations")["outcome"].to_list() == ["done"]
    on, off = (1, 0) if moved else (0, 1)
    expected = [("h1", 8.0, 4 * off, 8.0 - 4 * off, 4), ("h2", 8.0, 4 * on, 8.0 - 4 * on, 0)]
    assert moved
    assert used == expected
    assert over.filter(pl.col("host") == "h1")["pcpus_used"][0] == 4
    cloud = headroom.filter(pl.col("kind") == "cloud", pl.col("flavor") == "pinned").row(0, named=True)
    assert (cloud["fits_start"], cloud["fits"], cloud["limited_by"]) == ((8 - 4) // 4 + 8 // 4, 3, "pcpus")
    stranded = run.table("stranded").filter(pl.col("kind") == "cloud", pl.col("flavor") == "shared").row(0, named=True)
    assert stranded["pcpus_stranded"] == 8 + 8 - 4, "shared guests use none of them"
