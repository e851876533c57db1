"""The stage of a sequence: hosts, options, what fails where, and the servers that are there at the start.

Many sequences share a stage: real Nova takes seconds to set one up. No two hosts are alike, so that the weighers always
have one best host and chance decides nothing.
"""

from __future__ import annotations

from typing import Any

from tests.differential.draw import Draw

Stage = dict[str, Any]
Step = dict[str, Any]

PER_STAGE = 5
"""Sequences that share a stage."""
FLAVORS: dict[str, tuple[int, int, int]] = {
    "tiny": (1, 512, 1), "small": (2, 2048, 20), "medium": (4, 4096, 40), "big": (8, 12_000, 60),
    "nodisk": (1, 512, 0), "giant": (1, 900_000, 1),
}  # fmt: skip
"""Name → vCPUs, memory MB, disk GB."""
FITTING = ("tiny", "small", "medium", "big")
IMAGE = "155d900f-4e14-4e4c-a73d-069cbf4541e6"
FAILS = ("live_migration_check", "resize_claim", "pre_live_migration", "build", "rebuild")
_OPTIONS: dict[str, tuple[Any, ...]] = {
    "DEFAULT.migrate_max_retries": (-1, 0, 1, 2),
    "DEFAULT.resize_confirm_window": (50_000,),
    "DEFAULT.allow_resize_to_same_host": (True,),
    "DEFAULT.shelved_offload_time": (-1,),
    "DEFAULT.reclaim_instance_interval": (10_000_000,),
    "DEFAULT.max_concurrent_live_migrations": (0, 2),
    "scheduler.max_attempts": (1, 2),
    "filter_scheduler.ram_weight_multiplier": (-1.0,),
    "filter_scheduler.cpu_weight_multiplier": (3.5,),
    "filter_scheduler.disk_weight_multiplier": (-4.5,),
    "filter_scheduler.host_subset_size": (1,),
    "quota.instances": (2, 4),
    "quota.cores": (6,),
    "quota.ram": (9000,),
    "api.enable_instance_password": (False,),
}
"""Options beside their defaults."""
POLICIES = ("affinity", "anti-affinity", "soft-affinity", "soft-anti-affinity")


def draw_stage(number: int) -> Stage:
    """The stage of that number."""
    draw = Draw(1, number)
    count = draw.whole(2, 5)
    ranks = draw.shuffled(range(count))
    hosts = {}
    for place, rank in enumerate(ranks):
        # They grow together, but not alike: whatever the multipliers, no two hosts weigh the same.
        hosts[f"compute{place + 1}"] = {
            "vcpus": 6 + 5 * rank, "memory_mb": 8192 + 6000 * rank + 5000 * rank**2,
            "disk_gb": 150 + int(500 * rank**0.5),
        }  # fmt: skip
    options = {name: draw.one(values) for name, values in _OPTIONS.items() if draw.chance(0.22)}
    stage: Stage = {
        "hosts": hosts,
        "options": options,
        "fails": _fails(draw, list(hosts)),
        "groups": {policy: policy for policy in draw.some(POLICIES, 0.3)} if draw.chance(0.4) else {},
        "tight": draw.chance(0.15),
    }
    stage["servers"] = _servers(draw, stage)
    return stage


def _fails(draw: Draw, hosts: list[str]) -> dict[str, list[str]]:
    """Host → what goes wrong there."""
    if draw.chance(0.5):
        return {}
    kinds = draw.some(FAILS, 0.35)
    found = {host: draw.some(kinds, 0.5) for host in hosts}
    return {host: kinds for host, kinds in found.items() if kinds}


def _servers(draw: Draw, stage: Stage) -> list[Step]:
    """Requests that create the first servers, on hosts where building does not fail."""
    safe = [host for host in stage["hosts"] if "build" not in stage["fails"].get(host, [])]
    steps = []
    for number in range(draw.whole(1, 3)):
        flavor = draw.weighted({"tiny": 4, "small": 3, "medium": 1, "big": 0.5 + 2 * stage["tight"]})
        step: Step = {"op": "create", "name": f"s{number + 1}", "flavor": flavor, "microversion": "2.90"}
        if safe and draw.chance(0.7):
            step["host"] = draw.one(safe)
        if stage["groups"] and draw.chance(0.6):
            step["group"] = draw.one(list(stage["groups"]))
        steps.append(step)
    return steps
