"""A log written by hand: what tables are checked against, with every number known from the story below.

Four hosts of 16 CPUs (ratio 2), 32 GiB (512 MiB reserved), 500 GB: ``a1``, ``a2`` in rack A, zone north; ``b1``, ``b2``
in rack B, zone south; aggregate ``fast`` has a1 and b1. Flavors: small 2/4096/20, big 8/16384/80. Links of 2 GB/s.

=====  ==============================================================================================================
t (s)  what happens
=====  ==============================================================================================================
0      web-1, web-2 (small), db-1 (big) on a1; cold-1, cold-2 (small, stopped) on a2; lost-1 (small) on b1
10     drain of rack A begins (5 servers); a1 and a2 are disabled
10     web-1 live: b1 fails its pre-check, b2 accepts; copies from 14 to 18 at 1 GB/s (4 GB), down 0.25 s; done at 18.5
10     web-2 live: waits at a1 from 12 to 18.5, copies from 20 to 24 (2 GB at 500 MB/s), down 0.5 s; on b1 at 24.5
10     db-1 live: waits from 12 to 24.5, copies from 26 to 126 at 1 GB/s without end, throttled to 0.5 from 76 to 126,
       times out; failed at 127, and is left to a human
10     cold-1 cold: claim fails on b1, alternate b2 takes it; disk 15 GB from 15 to 35; finished 40, confirmed 50
10     cold-2 cold: to b2; finished at 45; nobody confirms
20     an operator deletes db-1: refused, it is locked
130    the drain ends: 4 moved, 1 left
200    b1 crashes with lost-1 and web-2; evacuation begins at 260
262    lost-1 evacuates to b2, back at 280 (80 s down); web-2 finds no valid host, ERROR at 263
300    evacuation ends; the run ends
=====  ==============================================================================================================
"""

from __future__ import annotations

import json

from sim.eventlog import records as r

GB = 1e9
HOSTS = ["a1", "a2", "b1", "b2"]
FLAVORS = {"small": (2, 4096, 20), "big": (8, 16384, 80)}
LINKS = [f"{host}:{way}" for host in HOSTS for way in ("up", "down")]
SERVERS = {
    "web-1": ("small", "a1", "active"), "web-2": ("small", "a1", "active"), "db-1": ("big", "a1", "active"),
    "cold-1": ("small", "a2", "stopped"), "cold-2": ("small", "a2", "stopped"), "lost-1": ("small", "b1", "active"),
}  # fmt: skip
STATUS = {"active": "ACTIVE", "stopped": "SHUTOFF", "resized": "VERIFY_RESIZE", "error": "ERROR"}


def link(host: str, way: str) -> int:
    return LINKS.index(f"{host}:{way}")


class Story:
    """Writes the records of a story, in the order of their times."""

    def __init__(self) -> None:
        self._made: list[tuple[float, int, r.Record]] = []
        self._flavor = {name: flavor for name, (flavor, _, _) in SERVERS.items()}

    def add(self, *records: r.Record) -> None:
        for record in records:
            self._made.append((record.t, len(self._made), record))

    def log(self) -> list[r.Record]:
        return [record for _, _, record in sorted(self._made, key=lambda made: made[:2])]

    def start(self) -> None:
        n = len(HOSTS)
        names = list(SERVERS)
        self.add(
            r.RunStarted(0.0, "synthetic", "abc", 7, {"DEFAULT.max_concurrent_live_migrations": 1}),
            r.HostsPresent(
                0.0, HOSTS, ["A", "A", "B", "B"], ["north", "north", "south", "south"],
                [16] * n, [32768] * n, [500] * n, [2.0] * n, [1.0] * n, [1.0] * n,
                [0] * n, [512] * n, [0] * n, ["spec-hp-ml110-g5"] * n,
            ),
            r.AggregatesPresent(0.0, ["fast"], [None], [["a1", "b1"]]),
            r.FlavorsPresent(0.0, list(FLAVORS), *(list(column) for column in zip(*FLAVORS.values(), strict=True))),
            r.LinksPresent(0.0, LINKS, [2 * GB] * len(LINKS)),
            r.ServersPresent(
                0.0, names, [f"uuid-{name}" for name in names], ["demo"] * len(names),
                [SERVERS[name][0] for name in names], [SERVERS[name][1] for name in names],
                [SERVERS[name][2] for name in names], [None] * len(names),
                [4 if SERVERS[name][2] == "stopped" else 1 for name in names],
                [STATUS[SERVERS[name][2]] for name in names], [name == "db-1" for name in names], [True] * len(names),
                [FLAVORS[SERVERS[name][0]][2] for name in names],
            ),
            r.GroupsPresent(0.0, [], [], []),
        )  # fmt: skip

    def asks(
        self, t: float, request: str, action: str, server: str, code: int = 202, message: str | None = None
    ) -> None:
        body = json.dumps({action: None})
        self.add(
            r.Request(t, request, action, server, "2.90", "drain", body),
            r.Answer(t + 0.25, request, code, message),
        )

    def state(
        self, t: float, server: str, host: str | None, vm: str = "active", task: str | None = None, power: int = 1,
        status: str | None = None, request: str | None = None,
    ) -> None:  # fmt: skip
        shown = status or STATUS[vm]
        self.add(
            r.ServerState(t, server, vm, task, power, host, self._flavor[server], shown, server == "db-1", request)
        )

    def claim(self, t: float, server: str, host: str) -> None:
        self.add(r.Claimed(t, server, host, *FLAVORS[self._flavor[server]]))

    def live(self, server: str, number: int, times: tuple[float, float, float, float], dest: str, rate: float) -> None:
        """One live migration from a1 that copies from ``times[1]`` to ``times[2]``."""
        request = f"req-{number}"
        preparing, copying, copied, over = times
        link_ids = [link("a1", "up"), link(dest, "down")]
        self.add(
            r.MigrationState(10.5, number, server, "live-migration", "accepted", "a1", None, request),
            r.ClaimMoved(10.5, server, f"migration:{number}", "a1"),
            r.MigrationState(12.0, number, server, "live-migration", "queued", "a1", dest, request),
            r.MigrationState(preparing, number, server, "live-migration", "preparing", "a1", dest, request),
            r.MigrationState(copying, number, server, "live-migration", "running", "a1", dest, request),
            r.FlowStarted(copying, number, "live-migration", server, "a1", dest, link_ids, rate),
            r.FlowEnded(copied, number, rate * (copied - copying), over != 127.0),
            r.Step(copied, server, request, "copy", "a1", copying, "failed" if over == 127.0 else "done"),
        )
        if preparing > 12.0:
            self.add(r.Waited(preparing, "live_migrations:a1", server, request, 12.0))


def drain(story: Story) -> None:
    story.add(r.Operation(10.0, 1, "drain", "rack:A", "begun", "", "", 5))
    for host in ("a1", "a2"):
        story.add(r.HostState(10.0, host, "up", True, False, "drain of rack:A"))
    for number, server in enumerate(("web-1", "web-2", "db-1"), start=1):
        request = f"req-{number}"
        story.asks(10.0, request, "os-migrateLive", server)
        story.state(10.25, server, "a1", task="migrating", status="MIGRATING", request=request)
        story.add(r.ActionStarted(10.25, server, "live-migration", request))
    # web-1 is refused by b1's pre-check and taken by b2.
    story.add(
        r.Decision(10.75, 1, "req-1", "web-1", 3, 2, "b1", ["b2"], 1, None),
        r.FilterStep(10.75, 1, "ComputeFilter", 3, 2, ["a2"]),
        r.WeighStep(10.75, 1, "RAMWeigher", 1.0, ["b1", "b2"], [1.0, 0.5]),
    )
    story.claim(10.75, "web-1", "b1")
    story.add(r.Step(11.0, "web-1", "req-1", "pre_check", "b1", 10.75, "failed"), r.Released(11.0, "web-1", "b1"))
    story.add(r.Decision(11.25, 2, "req-1", "web-1", 2, 1, "b2", [], 2, None))
    story.claim(11.25, "web-1", "b2")
    story.live("web-1", 1, (12.0, 14.0, 18.0, 18.5), "b2", GB)
    story.add(
        r.LiveCopy(18.0, 1, "web-1", "a1", "b2", 14.0, "precopy", "completed", 3, 4 * GB, 0.0, 0.25, 0.0),
        r.Downtime(18.0, "web-1", 17.75, "live-migration", "req-1"),
        r.Released(18.5, "migration:1", "a1"),
        r.MigrationState(18.5, 1, "web-1", "live-migration", "completed", "a1", "b2", "req-1"),
    )
    story.state(18.5, "web-1", "b2", request="req-1")
    # web-2 waits for web-1.
    story.add(r.Decision(11.0, 3, "req-2", "web-2", 2, 2, "b1", ["b2"], 1, None))
    story.claim(11.0, "web-2", "b1")
    story.live("web-2", 2, (18.5, 20.0, 24.0, 24.5), "b1", GB / 2)
    story.add(
        r.LiveCopy(24.0, 2, "web-2", "a1", "b1", 20.0, "precopy", "completed", 2, 2 * GB, 0.0, 0.5, 0.0),
        r.Downtime(24.0, "web-2", 23.5, "live-migration", "req-2"),
        r.Released(24.5, "migration:2", "a1"),
        r.MigrationState(24.5, 2, "web-2", "live-migration", "completed", "a1", "b1", "req-2"),
    )
    story.state(24.5, "web-2", "b1", request="req-2")
    never_converges(story)


def never_converges(story: Story) -> None:
    story.add(r.Decision(11.0, 4, "req-3", "db-1", 2, 2, "b1", ["b2"], 1, None))
    story.claim(11.0, "db-1", "b1")
    story.live("db-1", 3, (24.5, 26.0, 126.0, 127.0), "b1", GB)
    why = "Live migration has timed out"
    story.add(
        r.Slowdown(76.0, "db-1", 0.5, "auto-converge"),
        r.Slowdown(126.0, "db-1", 0.0, "auto-converge"),
        r.LiveCopy(126.0, 3, "db-1", "a1", "b1", 26.0, "precopy", "timed_out", 9, 100 * GB, 0.0, 0.0, 0.5),
        r.EventStarted(10.5, "db-1", "req-3", "compute_live_migration", "a1"),
        r.EventFinished(127.0, "db-1", "req-3", "compute_live_migration", "a1", "Error", why),
        r.Released(127.0, "db-1", "b1"),
        r.ClaimMoved(127.0, "migration:3", "db-1", "a1"),
        r.MigrationState(127.0, 3, "db-1", "live-migration", "failed", "a1", "b1", "req-3"),
        r.NeedsHuman(127.0, "db-1", 1, why),
    )
    story.state(127.0, "db-1", "a1", request="req-3")
    story.asks(20.0, "req-6", "delete", "db-1", 409, "Instance uuid-db-1 is locked")
    story.add(r.Operation(130.0, 1, "drain", "rack:A", "ended", "partial", "4 moved, 1 left"))


def cold(story: Story) -> None:
    for number, server, begins, ends in ((4, "cold-1", 15.0, 40.0), (5, "cold-2", 20.0, 45.0)):
        request, source, kind = f"req-{number}", "a2", "migration"
        story.asks(10.0, request, "migrate", server)
        story.state(10.25, server, "a2", "stopped", "resize_prep", 4, "RESIZE", request)
        story.add(
            r.ActionStarted(10.25, server, "migrate", request),
            r.MigrationState(10.5, number, server, kind, "pre-migrating", source, None, request),
            r.ClaimMoved(10.5, server, f"migration:{number}", source),
        )
        first = "b1" if number == 4 else "b2"
        story.add(r.Decision(11.0, number + 1, request, server, 2, 2, first, ["b2"], 1, None))
        for t, host in ((11.5, first), (12.5, "b2"))[: 2 if number == 4 else 1]:
            failed = number == 4 and host == "b1"
            story.claim(t, server, host)
            story.add(r.EventStarted(t, server, request, "compute_prep_resize", host))
            result = ("Error", "Insufficient compute resources") if failed else ("Success", None)
            story.add(r.EventFinished(t + 0.5, server, request, "compute_prep_resize", host, *result))
            if failed:
                story.add(r.Released(t + 0.5, server, host))
        flow = 10 + number
        story.add(
            r.MigrationState(begins, number, server, kind, "migrating", source, "b2", request),
            r.FlowStarted(begins, flow, "disk", server, "a2", "b2", [link("a2", "up"), link("b2", "down")], GB / 2),
            r.FlowRate(begins + 10.0, flow, GB),
            r.FlowEnded(begins + 20.0, flow, 15 * GB, True),
            r.Step(begins + 20.0, server, request, "copy_disk", "a2", begins, "done"),
            r.MigrationState(ends - 4.0, number, server, kind, "post-migrating", source, "b2", request),
            r.MigrationState(ends, number, server, kind, "finished", source, "b2", request),
        )
        story.state(ends, server, "b2", "resized", None, 4, request=request)
    story.asks(46.0, "req-7", "confirmResize", "cold-1", 204)
    story.add(
        r.MigrationState(47.0, 4, "cold-1", "migration", "confirming", "a2", "b2", "req-4"),
        r.Released(50.0, "migration:4", "a2"),
        r.MigrationState(50.0, 4, "cold-1", "migration", "confirmed", "a2", "b2", "req-4"),
    )
    story.state(50.0, "cold-1", "b2", "stopped", None, 4, request="req-7")


def disaster(story: Story) -> None:
    story.add(
        r.HostState(200.0, "b1", "crashed", False, False, "fail b1"),
        r.Operation(200.0, 2, "evacuate", "b1", "begun", "", "", 2),
    )
    for number, server in ((6, "lost-1"), (7, "web-2")):
        request = f"req-{number + 2}"
        story.asks(260.0, request, "evacuate", server, 200)
        story.state(260.25, server, "b1", task="rebuilding", status="REBUILD", request=request)
        story.add(
            r.ActionStarted(260.25, server, "evacuate", request),
            r.MigrationState(260.25, number, server, "evacuation", "accepted", "b1", None, request),
        )
    story.add(r.Decision(261.0, 7, "req-8", "lost-1", 1, 1, "b2", [], 1, None))
    story.claim(262.0, "lost-1", "b2")
    story.add(
        r.MigrationState(262.0, 6, "lost-1", "evacuation", "pre-migrating", "b1", "b2", "req-8"),
        r.MigrationState(280.0, 6, "lost-1", "evacuation", "done", "b1", "b2", "req-8"),
        r.Downtime(280.0, "lost-1", 200.0, "evacuation", None),
    )
    story.state(280.0, "lost-1", "b2", request="req-8")
    why = "No valid host was found. There are not enough hosts available."
    story.add(
        r.Decision(262.5, 8, "req-9", "web-2", 0, 0, None, [], 1, why),
        r.EventStarted(262.0, "web-2", "req-9", "rebuild_server", "nova-conductor"),
        r.EventFinished(263.0, "web-2", "req-9", "rebuild_server", "nova-conductor", "Error", why),
        r.MigrationState(263.0, 7, "web-2", "evacuation", "error", "b1", None, "req-9"),
        r.ServerFault(263.0, "web-2", 500, why, ""),
        r.Operation(300.0, 2, "evacuate", "b1", "ended", "partial", "1 moved, 1 left"),
        r.NeedsHuman(263.0, "web-2", 2, why),
    )
    story.state(263.0, "web-2", "b1", "error", None, 1, request="req-9")


def log() -> list[r.Record]:
    """The whole story."""
    story = Story()
    story.start()
    drain(story)
    cold(story)
    disaster(story)
    return story.log()
