"""What an operation leaves must not refer back to itself: the collector looks seldom while a run lasts."""

import gc
from collections import Counter
from typing import Any

import pytest

from sim.runs.simulation import Simulation
from sim.scenario.loader import parse

_HOSTS = {"name": "h{n:1-4}", "vcpus": 8, "memory": "32 GiB", "disk": "1 TB", "nic": "10 Gbit/s"}
_CLOUD = {
    "hosts": [_HOSTS],
    "flavors": [{"name": "m", "vcpus": 4, "memory": "8 GiB", "disk": "20 GiB"}],
    "images": [{"name": "image", "size": "1 GiB"}],
    "servers": [{"name": "s{n:1-4}", "flavor": "m", "hosts": ["h1", "h2"]}],
}
_PLANS: dict[str, list[Any]] = {
    "live migrations": [{"drain": {"hosts": ["h1"]}}],
    "live migrations without a host": [{"drain": {"hosts": ["h{n:1-4}"]}}],
    "cold migrations without a host": [{"drain": {"hosts": ["h{n:1-4}"], "method": "cold"}}],
    "evacuations without a host": [
        {"fail": {"hosts": ["h{n:1-4}"]}}, {"at": "5 min", "evacuate": {"hosts": ["h1"]}},
    ],
}  # fmt: skip


@pytest.mark.parametrize("kind", _PLANS)
def test_no_operation_leaves_cycles(kind: str) -> None:
    simulation = Simulation(parse({"name": kind, "cloud": _CLOUD, "plan": _PLANS[kind]}), seed=1)
    gc.collect()
    gc.set_debug(gc.DEBUG_SAVEALL)  # whatever only the collector can free is kept in gc.garbage
    try:
        simulation.advance(finished=True)
        gc.collect()
        left = Counter(type(found).__name__ for found in gc.garbage)
    finally:
        gc.set_debug(0)
        gc.garbage.clear()
    assert not left.keys() & {"frame", "traceback", "generator", "Process", "SchedulerRequest"}, left
