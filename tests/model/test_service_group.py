"""Whom Nova believes to be alive, against its rule played out: reports, one after another, and the age of the last."""

from __future__ import annotations

import numpy as np
import pytest

from sim.runs.simulation import Simulation
from sim.scenario.loader import parse

END_S = 1500.0
INTERVAL_S = 10
FIRST_REPORT_S = 5.0


def spells(seed: int) -> list[tuple[str, float, float]]:
    """Kind, from when to when: of failures one after another, some soon after the last."""
    luck = np.random.default_rng(seed)
    made, now = [], float(luck.uniform(50, 150))
    while now < END_S - 200:
        ends = now + float(luck.uniform(*((1, 40), (40, 80), (80, 200))[luck.integers(3)]))
        made.append((("hang", "network", "crash")[luck.integers(3)], now, ends))
        now = ends + float(luck.uniform(*((0.5, 4.5), (5, 200))[luck.integers(2)]))
    return made


def reports(phase: float, silences: list[tuple[str, float, float]]) -> list[float]:
    """When the service reports: each 10 s; 5 s after it has started anew; not heard while it is silent."""
    made, at = [], phase
    for kind, began, ended in [*silences, ("end", END_S, END_S)]:
        while at < began:
            made.append(at)
            at += INTERVAL_S
        if kind == "network":
            while at < ended:
                at += INTERVAL_S
        else:
            at = ended + FIRST_REPORT_S
    return made


def believed_down(heard: list[float], patience: float) -> list[tuple[float, float]]:
    """Spells in which the last report is older than that."""
    pairs = zip(heard, [*heard[1:], END_S], strict=True)
    return [(last + patience, following) for last, following in pairs if following - last > patience + 1e-6]


@pytest.mark.parametrize(("seed", "patience"), [(seed, (60, 25, 31)[seed % 3]) for seed in range(30)])
def test_a_service_is_down_while_its_last_report_is_too_old(seed: int, patience: int) -> None:
    """Also one that is back and has not reported yet, or falls silent again before it has."""
    silences = spells(seed)
    plan = [{"at": f"{began!r} s", "fail": {"hosts": ["h1"], "kind": kind, "repair": f"{ended - began!r} s"}}
            for kind, began, ended in silences]  # fmt: skip
    host = {"name": "h1", "vcpus": 8, "memory": "64 GiB", "disk": "1 TB"}
    cloud = {"hosts": [host], "timings": "ideal", "nova": {"options": {"service_down_time": patience}}}
    simulation = Simulation(parse({"cloud": cloud, "plan": plan}), seed)
    service_group, env = simulation.cloud.service_group, simulation.env
    phase = float(simulation.cloud.hosts.report_phase_s[0])
    changes, was = [], True
    while env.peek() < END_S:
        simulation.step()
        if service_group.is_up(0) != was:
            was = not was
            changes.append(env.now)
    expected = [t for spell in believed_down(reports(phase, silences), patience) for t in spell if t < END_S]
    assert changes == pytest.approx(expected)
