"""Quotas of projects, by Nova's options: what is counted, what is too much, and how Nova says so."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

from sim.model.api.faults import ApiFault, unexpected

if TYPE_CHECKING:
    from sim.model.cloud import Cloud
    from sim.model.flavor import Flavor
    from sim.model.server import Server

Amounts = dict[str, int]
"""instances, cores, ram (MB)."""
_NONE = frozenset(("nova.quota.NoopQuotaDriver",))


class Quotas:
    """Counts when asked: only servers of the project, and only where there is a limit."""

    def __init__(self, cloud: Cloud) -> None:
        self._db = cloud.db
        off = cloud.options["quota.driver"] in _NONE
        self._limits = {
            name: -1 if off else int(cloud.options[f"quota.{name}"]) for name in ("instances", "cores", "ram")
        }
        self._of_project: dict[str, list[Server]] = {}
        self._read = 0
        """How many of the database's servers, in order of creation, have been given to their projects."""

    def check_resize(self, project: str, old: Flavor, new: Flavor) -> None:
        """ApiFault 403 if the bigger flavor takes the project over its quota. Smaller ones are not looked at."""
        deltas = {}
        if new.vcpus > old.vcpus:
            deltas["cores"] = new.vcpus - old.vcpus
        if new.memory_mb > old.memory_mb:
            deltas["ram"] = new.memory_mb - old.memory_mb
        if not deltas:
            return
        used, overs = self._over(project, {"cores": deltas.get("cores", 0), "ram": deltas.get("ram", 0)})
        if any(over not in deltas for over in overs):
            # Nova looks for the amount asked of what was not asked for, and finds none.
            raise unexpected("KeyError")
        if overs:
            raise self._too_much(overs, {name: str(delta) for name, delta in deltas.items()}, used)

    def check_create(self, project: str, flavor: Flavor, min_count: int, max_count: int) -> int:
        """How many of max_count servers the project may have; ApiFault 403 if not even min_count."""
        asked = {"instances": max_count, "cores": max_count * flavor.vcpus, "ram": max_count * flavor.memory_mb}
        used, overs = self._over(project, asked)
        if not overs:
            return max_count
        allowed = self._headroom(flavor, used)
        if allowed > 0 and min_count <= allowed <= max_count:
            return self.check_create(project, flavor, min_count, allowed)
        count = str(min_count) if min_count == max_count else f"{min_count}-{max_count}"
        raise self._too_much(overs, {**{name: str(n) for name, n in asked.items()}, "instances": count}, used)

    def _headroom(self, flavor: Flavor, used: Amounts) -> int:
        """How many more servers fit; a resource without limit is as good as the instances."""
        limits = self._limits
        instances = limits["instances"] - used["instances"]
        allowed = instances
        for name, each in (("cores", flavor.vcpus), ("ram", flavor.memory_mb)):
            if each:
                allowed = min(allowed, instances if limits[name] == -1 else (limits[name] - used[name]) // each)
        return allowed

    def _over(self, project: str, more: Amounts) -> tuple[Amounts, list[str]]:
        """What the project uses, and which limits ``more`` would break, by name."""
        limits = self._limits
        if all(limits[name] < 0 for name in more):
            return {}, []
        used = self._count(project)
        return used, sorted(name for name in more if 0 <= limits[name] < used[name] + more[name])

    def _count(self, project: str) -> Amounts:
        """What the project's servers take; deleted and soft-deleted ones do not count."""
        every = self._db.servers
        if len(every) > self._read:
            for server in islice(every.values(), self._read, None):
                self._of_project.setdefault(server.project, []).append(server)
            self._read = len(every)
        there = [server for server in self._of_project.get(project, ()) if not server.deleted]
        self._of_project[project] = there
        counted = [server.flavor for server in there if server.vm_state != "soft-delete"]
        return {
            "instances": len(counted),
            "cores": sum(flavor.vcpus for flavor in counted),
            "ram": sum(flavor.memory_mb for flavor in counted),
        }

    def _too_much(self, overs: list[str], asked: dict[str, str], used: Amounts) -> ApiFault:
        names = ", ".join(overs)
        wanted, have = ", ".join(asked[name] for name in overs), ", ".join(str(used[name]) for name in overs)
        limits = ", ".join(str(self._limits[name]) for name in overs)
        return ApiFault(
            403, f"Quota exceeded for {names}: Requested {wanted}, but already used {have} of {limits} {names}"
        )
