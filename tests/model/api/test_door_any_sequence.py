"""Any sequence of requests, to servers in any state, with hosts that come and go: always an answer, and lawful."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest
from door_cloud import NO_LIMITS, cloud

from sim.runs.session import Session

_HOSTS = ("h1", "h2", "h3", "h4", "h9")
_VERSIONS = ("2.1", "2.13", "2.24", "2.29", "2.30", "2.33", "2.34", "2.56", "2.67", "2.77", "2.91", "2.95", "latest")
_ROLES = (("admin",), ("admin",), ("admin",), ("member",), ("reader",))
_CODES = {200, 202, 204, 400, 403, 404, 409, 410, 500, 501}
"""Everything that Nova answers to these; 500 is its own defects."""


def _bodies(pick: Any) -> dict[str, Any]:
    """Every action with an argument that some microversion takes."""
    host = pick(_HOSTS)
    return {
        "migrate": pick((None, {"host": host})),
        "os-migrateLive": pick((
            {"host": None, "block_migration": "auto"}, {"host": host, "block_migration": "auto"},
            {"host": host, "block_migration": False, "force": True},
            {"host": None, "block_migration": False, "disk_over_commit": False},
        )),
        "evacuate": pick(({}, {"host": host}, {"onSharedStorage": False}, {"host": host, "force": True})),
        "resize": {"flavorRef": pick(("small", "large"))}, "confirmResize": None, "revertResize": None,
        "os-resetState": {"state": pick(("active", "error"))}, "injectNetworkInfo": None, "resetNetwork": None,
        "os-start": None, "os-stop": None, "reboot": {"type": pick(("SOFT", "HARD"))}, "pause": None, "unpause": None,
        "suspend": None, "resume": None, "shelve": None, "shelveOffload": None,
        "unshelve": pick((None, {"availability_zone": "west"}, {"host": host})), "rescue": None, "unrescue": None,
        "lock": None, "unlock": None, "restore": None, "forceDelete": None, "createImage": {"name": "i"},
        "rebuild": {"imageRef": "tiny"},
    }  # fmt: skip


def _play(seed: int, length: int) -> Counter[int]:
    """A sequence of its own for each seed. Returns how often each code was answered."""
    rng = np.random.default_rng(seed)

    def pick(values: Any) -> Any:
        return values[int(rng.integers(len(values)))]

    options = {**NO_LIMITS, "reclaim_instance_interval": pick((0, 600)), "resize_confirm_window": pick((0, 60)),
               "shelved_offload_time": pick((0, -1, 300))}  # fmt: skip
    session = cloud({}, {"vm_state": "stopped"}, {"boot_from": "volume"}, {"host": "h3"}, options=options)
    codes: Counter[int] = Counter()
    for _ in range(length):
        _disturb(session, pick)
        bodies = _bodies(pick)
        codes[_request(session, pick, pick(list(bodies)), bodies)] += 1
        session.run_for(float(pick((0.0, 0.5, 5.0, 60.0, 900.0))))
    for host in range(4):
        if session._cloud.hosts.power[host] != "up":
            session._cloud.host_returned(host)
    session.settle()
    session.result()
    return codes


def _request(session: Session, pick: Any, key: str, bodies: dict[str, Any]) -> int:
    server = pick([s.name for s in session.servers()] or ["vm1"])
    common = {"microversion": pick(_VERSIONS), "roles": pick(_ROLES), "project": "demo"}
    choice = pick(range(12))
    if choice == 0:
        return session.request(server, None, method="DELETE", **common).code
    if choice == 1:
        spec = {"name": "new", "flavorRef": "small", "imageRef": "tiny", "networks": "none"}
        return session.request(None, {"server": spec}, **common).code
    if choice == 2:
        migrations = session.migrations(server)
        number = migrations[-1].id if migrations else 99
        if pick((True, False)):
            return session.request(server, None, method="DELETE", migration=number, **common).code
        return session.request(server, {"force_complete": None}, migration=number, **common).code
    return session.request(server, {key: bodies[key]}, **common).code


def _disturb(session: Session, pick: Any) -> None:
    """Now and then a host fails, returns, or is taken out of service."""
    cloud_, host = session._cloud, pick(range(4))
    what = pick(("", "", "", "", "fail", "return", "down", "up"))
    if what == "fail" and cloud_.hosts.power[host] == "up":
        cloud_.host_failed(host, pick(("crash", "hang", "network", "reboot")), "test")
    elif what == "return" and cloud_.hosts.power[host] != "up":
        cloud_.host_returned(host)
    elif what in {"down", "up"}:
        cloud_.env.process(cloud_.door.service(host, forced_down=what == "down"))


@pytest.mark.parametrize("seed", range(12))
def test_any_sequence_is_answered_and_lawful(seed: int) -> None:
    codes = _play(seed, 40)
    assert set(codes) <= _CODES
    assert codes[202] > 3


@pytest.mark.long
def test_a_thousand_sequences() -> None:
    total: Counter[int] = Counter()
    for seed in range(100, 1100):
        total += _play(seed, 40)
    assert set(total) <= _CODES
