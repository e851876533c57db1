"""One scheduling decision over H hosts: µs with its claim and record, beside bare numpy over as many hosts.

Servers of one flavor are moved from host to host as a drain moves them: each decision ignores the source, claims the
destination, and then the server leaves the source, so that two hosts change between decisions. The floor masks a column
of as many hosts twice and takes its maximum: ``np.where(up & fits, weights, -inf).argmax()``. Times are CPU times, the
least of some rounds, so that what else the machine does counts little.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from sim.eventlog.log import EventLog
from sim.kernel.streams import Streams
from sim.model.flavor import Flavor
from sim.model.guest import Guest
from sim.model.host import Hosts
from sim.model.placement import Placement
from sim.model.scheduler.request import SchedulerRequest
from sim.model.scheduler.scheduler import Scheduler
from sim.model.scheduler.view import View
from sim.model.server import Server
from sim.scenario.nova_conf import read_options

ROUNDS, DECISIONS = 7, 400
CASES: dict[str, dict[str, Any]] = {
    "all hosts weighed": {"scheduler.max_placement_results": 10**9},
    "Nova's defaults (1000 candidates)": {},
    "two alternates": {"scheduler.max_placement_results": 10**9},
    "best of 5 equals, shuffled": {
        "scheduler.max_placement_results": 10**9, "filter_scheduler.host_subset_size": 5,
        "filter_scheduler.shuffle_best_same_weighed_hosts": True,
    },
}  # fmt: skip


class Clock:
    """Stands still."""

    now = 0.0


def cloud(hosts: int, per_host: int, options: dict[str, Any], seed: int) -> tuple[Scheduler, list[Server]]:
    """Hosts with servers spread unevenly over them, as after some days of work."""
    table = Hosts([f"h{n}" for n in range(hosts)], ["r"] * hosts, ["nova"] * hosts)
    log = EventLog()
    placement = Placement(
        Clock(), log, table, total=[[64] * hosts, [262144] * hosts, [4000] * hosts], reserved=np.zeros((3, hosts)),
        ratio=np.array([4.0, 1.0, 1.0])[:, None] * np.ones(hosts),
    )  # fmt: skip
    flavor, guest = Flavor("m", 4, 16384, 40), Guest("idle", 0.0, 0, 1.0)
    where = Streams(seed).rng("bench").integers(0, hosts, hosts * per_host)
    servers = []
    for number, host in enumerate(where.tolist()):
        servers.append(Server(f"s{number}", f"u{number}", flavor, guest, project="p", user="u", image=None, host=host))
    placement.load((server, server.host, server.resources) for server in servers)
    table.instances += np.bincount(where, minlength=hosts)
    view = View(
        hosts=table, placement=placement, aggregates=[], groups={}, servers={}, on_host={},
        options=read_options(None, options),
    )  # fmt: skip
    return Scheduler(view, Clock(), log, Streams(seed)), servers


def least(work: Callable[[], None], count: int) -> float:
    """µs of CPU for each of ``count`` things that ``work`` does; the least of some rounds."""
    found = []
    for _ in range(ROUNDS):
        began = time.process_time()
        work()
        found.append((time.process_time() - began) / count * 1e6)
    return min(found)


def decide(hosts: int, options: dict[str, Any], alternates: int) -> float:
    """µs for a decision with its claim and record."""
    scheduler, servers = cloud(hosts, 8, options, 1)
    placement, instances, journal = (
        scheduler.view.placement,
        scheduler.view.hosts.instances,
        scheduler.view.hosts.journal,
    )
    waiting = iter(servers)
    spent = [0.0]

    def move(server: Server) -> None:
        source = server.host
        assert source is not None
        request = SchedulerRequest.for_move(server, ignore=(source,))
        began = time.process_time()
        chosen = scheduler.select(request, alternates).chosen
        spent[0] += time.process_time() - began
        placement.release(server, source)
        server.host = chosen
        instances[source] -= 1
        instances[chosen] += 1
        journal.add(source)
        journal.add(chosen)

    found = []
    for _ in range(ROUNDS):
        spent[0] = 0.0
        for _, server in zip(range(DECISIONS), waiting, strict=False):
            move(server)
        found.append(spent[0] / DECISIONS * 1e6)
    return min(found)


def floor(hosts: int) -> float:
    """µs for the same choice with bare numpy."""
    rng = np.random.default_rng(1)
    weights, up, fits = rng.random(hosts), rng.random(hosts) > 0.01, rng.random(hosts) > 0.1

    def work() -> None:
        for _ in range(DECISIONS):
            int(np.where(up & fits, weights, -np.inf).argmax())

    return least(work, DECISIONS)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hosts", type=int, default=10_000)
    hosts = parser.parse_args().hosts
    bare = floor(hosts)
    print(f"{hosts} hosts, least of {ROUNDS} rounds of {DECISIONS} decisions")
    print(f"{'case':<36} {'µs/decision':>12} {'x floor':>8}")
    print(f"{'floor: bare numpy mask and argmax':<36} {bare:>12.1f} {1.0:>8.1f}")
    for name, options in CASES.items():
        took = decide(hosts, options, 2 if name == "two alternates" else 0)
        print(f"{name:<36} {took:>12.1f} {took / bare:>8.1f}")


if __name__ == "__main__":
    main()
