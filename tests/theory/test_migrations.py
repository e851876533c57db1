"""Live migrations through the whole simulator against closed forms: rounds as a series, shared links, a queue."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from sim.eventlog import records as r
from sim.runs.engine import execute
from sim.scenario.loader import parse

GIB = 2**30
ROOM = {"vcpus": 64, "memory": "1 TiB", "disk": "1 TiB"}


def migrations(servers: list[dict[str, Any]], moves: Sequence[tuple[str, str]], nic: str = "1 GB/s",
               **options: Any) -> list[r.LiveCopy]:  # fmt: skip
    """All moves (server, destination) asked for at once; nothing but bytes takes time, hosts h1 … h6 on one switch."""
    records = execute(parse({
        "cloud": {
            "hosts": [{"name": "h{n:1-6}", "nic": nic, **ROOM}], "network": {"kind": "star"}, "timings": "ideal",
            "flavors": [{"name": "f", "vcpus": 1, "memory": "8 GiB", "disk": "1 GiB"}], "images": [{"name": "i"}],
            "servers": [{"flavor": "f", "image": "i", **server} for server in servers],
            "storage": {"instances": "shared"}, "nova": {"options": options},
        },
        "plan": [{"request": {"server": server, "microversion": "2.60", "body": {"os-migrateLive": {
            "host": host, "block_migration": "auto", "force": True}}}} for server, host in moves],
    }), 1).records()  # fmt: skip
    return [record for record in records if isinstance(record, r.LiveCopy)]


def quiet(name: str, host: str) -> dict[str, Any]:
    return {"name": name, "host": host, "activity": {"dirty": 0, "working_set": 0}}


@pytest.mark.parametrize("ratio", [0.05, 0.3, 0.6])
def test_rounds_are_a_geometric_series(ratio: float) -> None:
    """The rest above S = B * 50 ms shrinks by λ a round, so (V - S) / (1 - λ) is sent above S, and S in the stop.

    QEMU's slices of 50 ms cut the series where less than one is left: at most one too much or too little in each round.
    """
    rate = 1e9
    activity = {"dirty": f"{ratio * rate} B/s", "working_set": "8 GiB", "nonzero": 1.0}
    copy = migrations([{"name": "vm", "host": "h1", "activity": activity}], [("vm", "h2")])[0]
    stop = 0.05 * rate
    series = ((8 * GIB - stop) / (1 - ratio) + stop) / rate
    assert copy.t - copy.began == pytest.approx(series, abs=0.05 * (copy.rounds + 1))
    assert copy.downtime_s <= 0.05


def test_three_migrations_on_two_nics_share_as_max_min_says() -> None:
    """h1 sends A to h2 and B to h3, h4 sends C to h2: A and B halve h1's link, A and C halve h2's.

    All have 1/2 until the first ends. All are as long, so all end together after V / (B / 2).
    """
    copies = migrations(
        [quiet("a", "h1"), quiet("b", "h1"), quiet("c", "h4")], [("a", "h2"), ("b", "h3"), ("c", "h2")],
        max_concurrent_live_migrations=0,
    )  # fmt: skip
    assert [copy.t for copy in copies] == pytest.approx([8 * GIB / 0.5e9] * 3, rel=1e-9)


def test_who_is_held_up_elsewhere_leaves_its_share_to_others() -> None:
    """h1 sends A and B to h2 and C to h3; h4, h5 and h6 each send one to h2, too. h2's link: 1/5 for each of five.

    So A and B have 1/5, and C has what they leave of h1's link, 3/5: it ends after V / 0.6 B.
    """
    servers = [*(quiet(name, "h1") for name in "abc"), *(quiet(f"x{n}", f"h{n}") for n in (4, 5, 6))]
    moves = [("a", "h2"), ("b", "h2"), ("c", "h3"), *((f"x{n}", "h2") for n in (4, 5, 6))]
    copies = {copy.server: copy for copy in migrations(servers, moves, max_concurrent_live_migrations=0)}
    assert copies["c"].t == pytest.approx(8 * GIB / 0.6e9, rel=1e-9)
    assert copies["a"].t == pytest.approx(8 * GIB / 0.2e9, rel=1e-9)


@pytest.mark.parametrize("limit", [1, 2, 3])
def test_a_source_s_queue_is_served_in_waves(limit: int) -> None:
    """Six guests from one host, ``limit`` at once, all over one link of B: the k-th wave ends at k * limit * V / B."""
    copies = migrations(
        [quiet(f"v{n}", "h1") for n in range(6)], [(f"v{n}", f"h{2 + n % 5}") for n in range(6)],
        max_concurrent_live_migrations=limit,
    )  # fmt: skip
    waves = [8 * GIB / 1e9 * limit * (1 + n // limit) for n in range(6)]
    assert sorted(copy.t for copy in copies) == pytest.approx(waves, rel=1e-9)
