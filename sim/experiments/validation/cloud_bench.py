"""Rows that were measured on a Nova cloud: played as scenarios through the whole simulator, and read from its log."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sim.eventlog import records as r
from sim.experiments.validation.rows import Row
from sim.experiments.validation.settings import (
    UnknownKindError,
    auto_converge,
    link_bps,
    memory_of_row,
    profile_of,
    rate,
    timings_of,
)
from sim.runs.engine import execute
from sim.scenario.spec import Scenario
from sim.units import GIB, MIB

SERVERS = 31
"""How many servers a case is played with, each on a host of its own."""
REPETITIONS = 9
"""How often a case about many servers together is played."""
_GAP_S = 900
"""Between requests that must not meet."""
_IN_WAVES = frozenset({"osic-10gbe-2017"})
"""Clouds whose client asked for so many migrations, waited for all, and asked for the next (its Rally plugin does)."""
_HALF_FULL = 0.5
_TINY_USE = 0.02
"""How full the disk of a tiny test guest is: some 20 MB of 1 GiB."""


@dataclass(frozen=True, slots=True)
class Action:
    """An ordinary action: what is asked of a server in which state, and the status that ends it."""

    body: dict[str, Any] | None
    until: str
    before: str = "active"


ACTIONS: dict[str, Action] = {
    "resize confirm": Action({"confirmResize": None}, "ACTIVE", "resized"),
    "resize revert": Action({"revertResize": None}, "ACTIVE", "resized"),
    "resize": Action({"resize": {"flavorRef": "larger"}}, "VERIFY_RESIZE"),
    "migrate": Action({"migrate": None}, "VERIFY_RESIZE"),
    "soft reboot": Action({"reboot": {"type": "SOFT"}}, "ACTIVE"),
    "reboot": Action({"reboot": {"type": "HARD"}}, "ACTIVE"),
    "suspend": Action({"suspend": None}, "SUSPENDED"),
    "resume": Action({"resume": None}, "ACTIVE", "suspended"),
    "unpause": Action({"unpause": None}, "ACTIVE", "paused"),
    "pause": Action({"pause": None}, "PAUSED"),
    "stop": Action({"os-stop": None}, "SHUTOFF"),
    "start": Action({"os-start": None}, "ACTIVE", "stopped"),
    "delete": Action(None, "DELETED"),
    "boot": Action({}, "ACTIVE"),
    "create": Action({}, "ACTIVE"),
}  # fmt: skip
"""The first word found in a row's kind decides, in this order."""


def samples(row: Row) -> list[float]:
    """What the row's metric is a statistic of, in seconds. Raises UnknownKindError with the reason."""
    kind = row.kind.lower()
    if re.search(r"evacuat|masakari", kind):
        return _evacuation(row)
    if re.search(r"\blive\b|\d+ vms\b", kind):
        return _live(row)
    for word, action in ACTIONS.items():
        if word in kind:
            return _ordinary(row, action)
    known = "live, N VMs, evacuate, " + ", ".join(ACTIONS)
    raise UnknownKindError(f"kind {row.kind!r} is not simulated; known are {known}, precopy, postcopy and fleet")


# --- live migrations --------------------------------------------------------------------------------------------------


def live_scenario(row: Row) -> Scenario:
    """The cloud and the plan of a row about live migrations."""
    together = _together(row)
    sources = 1 if together else SERVERS
    memory = memory_of_row(row)
    kind = row.kind.lower()
    options: dict[str, Any] = {}
    if "tun-on" in kind or "tunnelled" in kind:
        options["live_migration_tunnelled"] = True
    if auto_converge(row) is not None:
        options["live_migration_permit_auto_converge"] = True
    if re.search("post-?copy", kind):
        options["live_migration_permit_post_copy"] = True
    bandwidth = rate(row, of_copy=True)
    if bandwidth is not None:
        options["live_migration_bandwidth"] = max(1, round(bandwidth / MIB))
    ram_b = row.ram_b or 0.0
    server = {"flavor": "guest", "image": "image", "activity": memory.activity(ram_b), "disk_used": _HALF_FULL}
    if together:
        server |= {"name": "vm", "count": together, "host": "source-1"}
    else:
        server |= {"name": f"vm-{{n:1-{sources}}}", "host": "source-{n}"}
    drain = {
        "hosts": ["source-*"], "method": "live", "concurrency": row.at_once, "disable": False,
        "waves": bool(together) and profile_of(row) in _IN_WAVES,
    }  # fmt: skip
    cloud = _cloud(row, sources, [server], options)
    return Scenario.model_validate({"name": row.id, "cloud": cloud, "plan": [{"drain": drain}]})


def _together(row: Row) -> int:
    """How many servers of one host are moved, in a row about them all; 0 for one about each."""
    found = re.search(r"(\d+) vms\b", row.kind.lower())
    if found is not None and not int(found[1]):
        raise UnknownKindError("no server is moved")
    return 0 if found is None else int(found[1])


def _live(row: Row) -> list[float]:
    scenario = live_scenario(row)
    what = row.metric.split("_")[0]
    if what == "makespan":
        return [_makespan(_records(scenario, seed)) for seed in range(1, REPETITIONS + 1)]
    records = _records(scenario, 1)
    if what == "downtime":
        return [record.downtime_s for record in records if isinstance(record, r.LiveCopy)]
    if what != "total":
        raise UnknownKindError(f"metric {row.metric!r} of a live migration is not simulated; "
                               "known are total, downtime and makespan")  # fmt: skip
    if "nova-compute" in row.setup.lower():
        return list(_compute_times(records))
    moved = {
        record.server for record in records if isinstance(record, r.MigrationState) and record.status == "completed"
    }
    return _seen(row, list(_client_times(records, "os-migrateLive", "ACTIVE", same=True, only=moved)))


def _records(scenario: Scenario, seed: int) -> Sequence[r.Record]:
    return execute(scenario, seed).records()


def _client_times(
    records: Sequence[r.Record], action: str, until: str, *, same: bool, only: Collection[str] | None = None
) -> Iterator[float]:
    """From each request until its server has that status and nothing is under way on it.

    ``same``: it had that status before, too, so it must first be seen with something under way. ``only``: servers whose
    operation came to its good end.
    """
    asked: dict[str, float] = {}
    taken: set[str] = set()
    for record in records:
        if isinstance(record, r.Request) and record.action == action and record.server is not None:
            if only is not None and record.server not in only:
                continue
            asked[record.server] = record.t
        elif isinstance(record, r.ServerState) and record.server in asked:
            if record.task_state is not None:
                taken.add(record.server)
            elif record.status == until and (record.server in taken or not same):
                yield record.t - asked.pop(record.server)
        elif isinstance(record, r.ServerDeleted) and until == "DELETED" and record.server in asked:
            yield record.t - asked.pop(record.server)


def _compute_times(records: Sequence[r.Record]) -> Iterator[float]:
    """From the destination's preparation until the source has finished: what nova-compute's own log shows."""
    began: dict[int, float] = {}
    for record in records:
        if isinstance(record, r.MigrationState):
            if record.status == "preparing":
                began[record.migration] = record.t
            elif record.status == "completed":
                yield record.t - began.pop(record.migration)


def _makespan(records: Sequence[r.Record]) -> float:
    """From the first request until the last server has moved."""
    first = next(record.t for record in records if isinstance(record, r.Request))
    return max(r_.t for r_ in records if isinstance(r_, r.MigrationState) and r_.status == "completed") - first


def _seen(row: Row, times: list[float], action: str = "") -> list[float]:
    """As a polling client sees them, where the cloud's measurements were made by one."""
    polling = timings_of(row).polling
    if polling is None:
        return times
    return [polling.of(action).seen_after(time) for time in times]


# --- ordinary actions -------------------------------------------------------------------------------------------------


def _ordinary(row: Row, action: Action) -> list[float]:
    if row.metric.split("_")[0] != "total":
        raise UnknownKindError(f"metric {row.metric!r} of {row.kind!r} is not simulated; known is total")
    row = replace(row, ram_b=row.ram_b or 64 * MIB)
    creates = action.body == {}
    servers: list[dict[str, Any]] = []
    if not creates:
        server = {"name": f"vm-{{n:1-{SERVERS}}}", "host": "source-{n}", "flavor": "guest", "image": "image",
                  "vm_state": action.before, "disk_used": _TINY_USE}  # fmt: skip
        if action.before == "resized":
            server["resized_from"] = "spare-{n}"
        servers.append(server)
    plan = [{"at": f"{n * _GAP_S} s", "request": _request(n, action, creates)} for n in range(1, SERVERS + 1)]
    scenario = Scenario.model_validate({"name": row.id, "cloud": _cloud(row, SERVERS, servers), "plan": plan})
    name = "create" if creates else "delete" if action.body is None else next(iter(action.body))
    records = _records(scenario, 1)
    same = action.until == "ACTIVE" and action.before == "active"
    times = _create_times(records) if creates else _client_times(records, name, action.until, same=same)
    return _seen(row, list(times), name)


def _request(number: int, action: Action, creates: bool) -> dict[str, Any]:
    if creates:
        body = {"server": {"name": f"vm-{number}", "flavorRef": "guest", "imageRef": "image", "networks": "none"}}
        return {"body": body, "microversion": "2.90"}
    asked: dict[str, Any] = {"server": f"vm-{number}", "microversion": "2.90"}
    return asked | ({"method": "DELETE"} if action.body is None else {"body": action.body})


def _create_times(records: Sequence[r.Record]) -> Iterator[float]:
    asked = iter([record.t for record in records if isinstance(record, r.Request)])
    for record in records:
        if isinstance(record, r.ServerState) and record.status == "ACTIVE" and record.task_state is None:
            yield record.t - next(asked)


# --- evacuations ------------------------------------------------------------------------------------------------------


def _evacuation(row: Row) -> list[float]:
    """From a host's crash until its first server, or its last, is back."""
    what = row.metric.split("_")[0]
    if what not in {"first", "last", "total", "makespan"}:
        raise UnknownKindError(f"metric {row.metric!r} of an evacuation is not simulated; "
                               "known are first and last (back), total and makespan")  # fmt: skip
    count = _together(row) or 1
    masakari = "masakari" in row.words
    row = replace(row, ram_b=row.ram_b or 512 * MIB)
    server = {"name": "vm", "count": count, "host": "source-1", "flavor": "guest", "image": "image"}
    plan = [
        {"at": "100 s", "fail": {"hosts": ["source-1"]}},
        {"at": "100 s", "evacuate": {"hosts": ["source-1"], "by": "masakari" if masakari else "operator",
                                     "concurrency": row.at_once}},
    ]  # fmt: skip
    scenario = Scenario.model_validate({"name": row.id, "cloud": _cloud(row, 1, [server]), "plan": plan})
    found = []
    for seed in range(1, SERVERS + 1):
        back = [record.t - 100.0 for record in _records(scenario, seed)
                if isinstance(record, r.MigrationState) and record.status == "done"]  # fmt: skip
        found.append(min(back) if what in {"first", "total"} else max(back))
    return found


# --- the cloud --------------------------------------------------------------------------------------------------------


def _cloud(
    row: Row, sources: int, servers: list[dict[str, Any]], libvirt: dict[str, Any] | None = None
) -> dict[str, Any]:  # fmt: skip
    """Hosts with room for everything, as many spare ones as sources."""
    ram = int(row.ram_b or 0)
    disk = max(1, -(-int(row.disk_b / _HALF_FULL) // GIB))
    room = {"vcpus": 1000, "memory": f"{max(ram, 2 * GIB) * 100} B", "disk": f"{disk * 100} GiB",
            "nic": f"{link_bps(row)!r} B/s", "cpu_allocation_ratio": 1.0}  # fmt: skip
    local = row.disk_b > 0 or "block" in row.kind.lower()
    spares = max(sources, 21)
    return {
        "hosts": [{"name": f"source-{{n:1-{sources}}}", **room}, {"name": f"spare-{{n:1-{spares}}}", **room}],
        "flavors": [{"name": "guest", "vcpus": 1, "memory": f"{max(ram, 1 * MIB)} B", "disk": f"{disk} GiB"},
                    {"name": "larger", "vcpus": 1, "memory": f"{max(ram, 64 * MIB) * 4} B", "disk": f"{disk} GiB"}],
        "images": [{"name": "image", "size": "16 MiB"}],
        "servers": servers,
        "network": {"kind": "star"},
        "storage": {"instances": "local" if local else "shared"},
        "timings": profile_of(row),
        "nova": {"options": {"libvirt": libvirt or {}, "quota": {"instances": -1, "cores": -1, "ram": -1}}},
    }  # fmt: skip
