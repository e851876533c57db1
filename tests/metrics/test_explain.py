"""Explanations say what the story says; counterfactuals are played through and must come true."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest
from synthetic import log

import sim
from sim.eventlog import records as r
from sim.metrics.explain.decision import why_not
from sim.metrics.explain.story import explain, remedies
from sim.metrics.source import Records, as_records
from sim.metrics.timeline import turned_away
from sim.scenario.loader import parse
from sim.scenario.spec import Scenario

SCENARIOS = Path(__file__).parents[2] / "scenarios"


@pytest.fixture(scope="module")
def story() -> Records:
    return Records.of(log())


# --- counterfactuals -------------------------------------------------------------------------------------------------


REPLAYED = [
    ("retries_exhausted", "live-one", "migrate_max_retries = 4"),
    ("retries_exhausted", "cold-one", "scheduler.max_attempts = 5"),
    ("never_converges", "store", "force_complete"),
    ("failed_host_evacuation", "warehouse", "ram_allocation_ratio"),
    ("anti_affinity_deadlock", "etcd-2", "soft-anti-affinity"),
]


@pytest.mark.parametrize(("name", "server", "words"), REPLAYED, ids=[server for _, server, _ in REPLAYED])
def test_a_single_change_lets_it_succeed_when_it_is_played_through(name: str, server: str, words: str) -> None:
    path = SCENARIOS / f"{name}.yaml"
    before = sim.run(path, explain=True)
    moves = before.table("migrations")
    assert set(moves.filter(moves["server"] == server)["outcome"]) <= {"failed", "cancelled"}
    found = remedies(before, server)
    assert words in found[0].text
    assert found[0].sets
    after = sim.run(sim.load(path, found[0].sets)).table("migrations")
    assert "done" in after.filter(after["server"] == server)["outcome"].to_list() or "unconfirmed" in after["outcome"]
    asked = explain(before, server)
    assert all(setting in asked for setting in found[0].sets), "the command to see it is told"


def test_the_number_that_is_named_is_the_smallest_that_does() -> None:
    """warehouse needs ram_allocation_ratio 1.20 on node-2; a hundredth less is not enough."""
    path = SCENARIOS / "failed_host_evacuation.yaml"
    found = remedies(sim.run(path, explain=True), "warehouse")[0].sets[0]
    name, _, value = found.rpartition("=")
    for ratio, outcome in ((float(value), "done"), (float(value) - 0.01, "failed")):
        after = sim.run(sim.load(path, [f"{name}={ratio:.2f}"])).table("migrations")
        assert after.filter(after["server"] == "warehouse")["outcome"].to_list() == [outcome], ratio


def test_a_server_in_error_moves_once_its_state_is_reset() -> None:
    """What is said of the wreck of the rolling reboot, done by hand on the same cloud."""
    path = SCENARIOS / "rolling_reboot.yaml"
    assert remedies(sim.run(path), "wreck")[0].text.startswith("Resetting its state to active first")
    by_hand = sim.Session(sim.load(path), plan=False)
    move = {"os-migrateLive": {"host": None, "block_migration": "auto"}}
    assert by_hand.request("wreck", move, microversion="2.90").code == 409
    assert by_hand.request("wreck", {"os-resetState": {"state": "active"}}).code == 202
    assert by_hand.request("wreck", move, microversion="2.90").code == 202
    by_hand.settle()
    assert by_hand.server("wreck").status == "ACTIVE"
    assert by_hand.server("wreck").host != "r1-c3"


def test_nothing_is_promised_when_every_host_has_refused() -> None:
    """With only the odd hosts there, more retries would not help, and none are named."""
    scenario = sim.load(SCENARIOS / "retries_exhausted.yaml")
    plain = scenario.model_dump(mode="json", exclude_defaults=True)
    plain["cloud"]["hosts"] = [host for host in plain["cloud"]["hosts"] if host["name"] != "good-1"]
    plain["cloud"]["hosts"][1]["name"] = "odd-{n:1-3}"
    told = remedies(sim.run(Scenario.model_validate(plain), explain=True), "live-one")[0]
    assert told.sets == ()
    assert told.text.startswith("All 3 hosts that passed the filters were asked")


# --- what is told ----------------------------------------------------------------------------------------------------


def test_a_life_is_told_in_the_order_of_time(story: Records) -> None:
    told = explain(story, "web-1")
    lines = [line for line in told.splitlines() if line.startswith("    ")]
    times = [float(line.split(" s  ")[0].replace(",", "")) for line in lines]
    assert times == sorted(times)
    assert "b1 turned it away" in told
    assert "ComputeFilter removed 1 of 3 hosts: a2" in told
    # 8 s from creation (10.5) to arrival (18.5); 4 of them copying 4 GB at 1 GB/s.
    assert "Migration 1 took 8.00 s: 4.00 s (50%) copying" in told
    assert "Turned away by b1, it tried elsewhere." in told
    assert told.endswith("In the end it is ACTIVE on b2; its guest stood still for 0.25 s in all.")


def test_who_was_ahead_in_the_queue_is_named(story: Records) -> None:
    """web-2 waits at a1 from 12 to 18.5 s, all the while behind web-1."""
    told = explain(story, "web-2")
    assert "6.50 s (46%) waiting for its turn on a1 (max_concurrent_live_migrations = 1), behind web-1 (6.50 s)" in told


def test_dirty_pages_and_the_throttle_are_told(story: Records) -> None:
    """db-1 sends 100 GB for 16 GiB of memory, and is slowed to half."""
    told = explain(story, "db-1")
    assert f"It sent {100e9 / (16 * 2**30):.1f} times its 16 GiB of memory" in told
    assert "Auto-converge took up to 50% of the guest's CPU time" in told
    assert "It needs a person: Live migration has timed out." in told


def test_a_request_alone(story: Records) -> None:
    told = explain(story, "req-6")
    assert "the API refused it with 409" in told
    assert "What would have helped: unlocking it first" in told
    assert "os-migrateLive" not in told


def test_faults_and_copies_stand_with_their_request(story: Records) -> None:
    told = explain(story, "web-2")
    evacuation = told[told.index("asked to evacuate it") :]
    assert evacuation.index("Nova attached a fault") < evacuation.index("Migration 7 took")
    copy = told.index("sent 1.86 GiB of memory")
    assert told.index("req-2,") < copy < told.index("Migration 2 took")


def test_a_decision_names_filters_and_why_a_host_was_not_chosen(story: Records) -> None:
    told = explain(story, "1")
    assert "ComputeFilter (3 → 2) removed 1: a2" in told
    assert "b1 weighs 1.000" in told
    assert why_not(story, 1, "a2") == "a2 was not chosen: ComputeFilter removed it."
    assert "b2 passed every filter and weighed 0.500; b1 weighed 1.000." in explain(story, "1", "b2")
    # At 11 s db-1 needs 16384 MiB; the decision gave it b1.
    assert why_not(story, 4, "b1") == "b1 was chosen."


def test_no_host_names_what_came_closest(story: Records) -> None:
    """web-2 has no host at 262.5 s: b1 is down, a1 and a2 are disabled, though a2 has room."""
    told = explain(story, "8")
    assert "No host: No valid host was found." in told
    assert "in service: it had room, and was down or disabled" in told


def test_an_evacuation_that_came_too_early_says_when_it_would_not_have(story: Records) -> None:
    early = [record for record in log() if record.t <= 200.0]
    asked = [
        r.Request(205.0, "req-20", "evacuate", "lost-1", "2.95", "plan", '{"evacuate": {}}'),
        r.Answer(205.1, "req-20", 400, "Compute service of b1 is still in use."),
    ]
    told = remedies(Records.of([*early, *asked]), "lost-1")[0].text
    assert "b1 fell silent at 200.00 s" in told
    assert "at 260.00 s at the latest" in told


def test_a_busy_server_says_when_it_was_free(story: Records) -> None:
    busy = [
        r.Request(15.0, "req-21", "migrate", "web-1", "2.90", "plan", '{"migrate": null}'),
        r.Answer(15.5, "req-21", 409, "Cannot 'migrate' instance uuid-web-1 while it is in task_state migrating"),
    ]
    told = remedies(Records.of(sorted([*log(), *busy], key=lambda record: record.t)), "web-1")
    assert any("3.00 s later, at 18.50 s, its task_state was migrating no more" in one.text for one in told)


def test_refusals_are_counted_where_they_happen(story: Records) -> None:
    rows = turned_away(story).select("server", "host", "t_s").rows()
    assert rows == [("web-1", "b1", 11.25), ("cold-1", "b1", 12.5)]


def test_the_last_host_that_refused_is_named_like_those_before_it() -> None:
    """Three hosts are tried for each server of the scenario, and all three refuse at the end of their own stage."""
    records = as_records(sim.run(SCENARIOS / "retries_exhausted.yaml"))
    away = turned_away(records)
    for server, stage in (("live-one", "pre_check"), ("cold-one", "claim_failure")):
        ends = records.frame(r.Step).filter(pl.col("step") == stage, pl.col("server") == server)["t"].to_list()
        rows = away.filter(pl.col("server") == server).select("host", "t_s", "again").rows()
        assert rows == [("odd-1", ends[0], True), ("odd-2", ends[1], True), ("odd-3", ends[2], False)]


def test_a_build_that_no_host_could_do_names_the_last_host_too() -> None:
    """Two hosts whose builds fail: each turns the server away when its own try ends, the last one too."""
    cloud = {
        "hosts": [{"name": "bad-{n:1-2}", "vcpus": 16, "memory": "96 GiB", "disk": "1 TiB", "fails": ["build"]}],
        "flavors": [{"name": "m", "vcpus": 2, "memory": "4 GiB", "disk": "10 GiB"}],
        "images": [{"name": "image", "size": "1 GiB"}],
    }
    session = sim.Session(sim.Scenario.model_validate({"name": "failed build", "cloud": cloud}), seed=1)
    body = {"server": {"name": "new", "flavorRef": "m", "imageRef": "image", "networks": "none"}}
    session.request(None, body, microversion="2.90")
    session.settle()
    run = session.run()
    records = as_records(run)
    tries = records.frame(r.Step).filter(pl.col("step") == "spawn").select("host", "t").rows()
    assert [host for host, _ in tries] == ["bad-1", "bad-2"]
    away = turned_away(records).select("host", "t_s", "again").rows()
    assert away == [(*tries[0], True), (*tries[1], False)]
    told = run.explain("new")
    assert told.index("bad-1 turned it away") < told.index("it is on bad-2 now") < told.index("bad-2 turned it away")
    assert "To do: repair the hosts where it failed" in told  # a build has no migrate_max_retries


@pytest.mark.parametrize(
    ("what", "host", "words"),
    [
        ("wbe-1", None, "did you mean web-1"),
        ("99", None, "is not in this run"),
        ("1", "z9", "there is no host 'z9'"),
        ("web-1", "b1", "asks about a decision"),
    ],
)
def test_mistakes(story: Records, what: str, host: str | None, words: str) -> None:
    with pytest.raises(sim.InputError, match=words):
        explain(story, what, host)


# --- what was said wrongly once --------------------------------------------------------------------------------------


def test_among_equals_nobody_is_said_to_have_weighed_more() -> None:
    """Hosts are alike: all weigh the same. With a subset of 3 luck decides, without it the scenario's order."""
    for subset, words in ((3, "luck decided"), (1, "the first in the scenario's order was taken")):
        scenario = {
            "cloud": {
                "hosts": [{"name": "h{n:1-9}", "vcpus": 8, "memory": "32 GiB", "disk": "1 TiB"}],
                "flavors": [{"name": "f", "vcpus": 1, "memory": "1 GiB", "disk": "1 GiB"}],
                "servers": [{"name": "web-{n:1-4}", "flavor": "f", "host": "h9"}],
                "storage": {"instances": "shared"},
                "nova": {"options": {"filter_scheduler": {"host_subset_size": subset}}},
            },
            "plan": [{"drain": {"hosts": ["h9"], "concurrency": 1}}],
        }
        run = sim.run(Scenario.model_validate(scenario), seed=3, explain=True)
        told = explain(run, "1")
        assert f"because nobody weighed more; 7 others weighed the same, and {words}" in told
        assert "weighed more:" not in told


def test_a_move_that_a_reset_took_out_of_its_window_says_so() -> None:
    told = explain(sim.run(SCENARIOS / "auto_confirm_night.yaml"), "batch-07")
    assert "What would have helped: no os-resetState" in told
    assert "it is in ERROR" in told


def test_an_evacuated_server_that_was_left_stopped_is_not_said_to_serve() -> None:
    """From microversion 2.95 on Nova leaves it stopped: its downtime has not ended for its users."""
    told = explain(sim.run(SCENARIOS / "failed_host_evacuation.yaml"), "shop-1")
    end, person = told.splitlines()[-2:]
    assert end.startswith("In the end it is SHUTOFF on ")
    assert end.endswith("stood still for 2 h 50 min in all, and it does not run now.")
    assert "was evacuated, and is stopped there since then. To do: start it" in person


def test_who_gives_up_is_named() -> None:
    told = explain(sim.run(SCENARIOS / "rack_drain.yaml"), "cache-04")
    assert "the drain of rack:r02 gives up on it and leaves it to a person" in told


def test_one_host_is_one_host() -> None:
    two = {"cloud": {"hosts": [{"name": "h{n:1-2}", "vcpus": 8, "memory": "32 GiB", "disk": "1 TiB"}],
                     "flavors": [{"name": "m", "vcpus": 2, "memory": "4 GiB", "disk": "20 GiB"}],
                     "servers": [{"name": "web", "flavor": "m", "host": "h1"}]},
           "plan": [{"drain": {"hosts": ["h1"]}}]}  # fmt: skip
    assert "h2 was chosen of 1 host that passed the filters (1 offered)" in sim.run(parse(two), seed=1).explain("web")


def test_what_held_a_flow_while_no_link_was_full_is_said_too_and_no_fault_is_told_twice() -> None:
    """Its memory fills the link for a moment, its disk is read slower than that; who stays in error has one fault."""
    cloud = {"cloud": {"hosts": [{"name": "h{n:1-2}", "vcpus": 8, "memory": "32 GiB", "disk": "1 TiB",
                                  "nic": "10 Gbit/s"}],
                       "flavors": [{"name": "m", "vcpus": 2, "memory": "8 GiB", "disk": "20 GiB"},
                                   {"name": "l", "vcpus": 2, "memory": "20 GiB", "disk": "20 GiB"}],
                       "servers": [{"name": "web", "flavor": "m", "host": "h1"},
                                   {"name": "a", "flavor": "l", "host": "h1"},
                                   {"name": "b", "flavor": "l", "host": "h2"}],
                       "storage": {"instances": "local"}},
             "plan": [{"drain": {"hosts": ["h1"], "concurrency": 1}},
                      {"at": "10 min", "fail": {"hosts": ["h1"], "kind": "crash"}},
                      {"at": "15 min", "evacuate": {"hosts": ["h1"]}}]}  # fmt: skip
    run = sim.run(parse(cloud), seed=1)
    (rate,) = [line for line in run.explain("web").splitlines() if "live-migration flow" in line]
    assert "; while no link was, its own limit held it" in rate
    (person,) = [line for line in run.explain("a").splitlines() if line.startswith("It needs a person")]
    assert person.count("No valid host was found") == 1
