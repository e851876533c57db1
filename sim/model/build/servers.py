"""Servers of a scenario as model objects, by the hundred thousand."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from sim import units
from sim.model import states
from sim.model.aggregate import ServerGroup
from sim.model.flavor import Flavor, Image
from sim.model.guest import Guest
from sim.model.identity import named_uuid
from sim.model.migration.memory import ACTIVITIES, memory_of
from sim.model.server import NO_EXTRAS, Server
from sim.scenario.expand import ServerRow
from sim.scenario.spec import ActivitySpec, CloudSpec

_POWER = {
    "building": states.NOSTATE, "paused": states.PAUSED, "stopped": states.SHUTDOWN, "suspended": states.SHUTDOWN,
    "shelved": states.SHUTDOWN, "shelved_offloaded": states.SHUTDOWN, "soft-delete": states.SHUTDOWN,
}  # fmt: skip
"""What the power state is where a scenario does not say: otherwise running."""


def flavor_of(spec: Any) -> Flavor:
    """A flavor of the scenario in Nova's units."""
    return Flavor(
        spec.name, spec.vcpus, spec.memory // units.MIB, -(-spec.disk // units.GIB), -(-spec.ephemeral // units.GIB),
        -(-spec.swap // units.MIB), dict(spec.extra_specs),
    )  # fmt: skip


def image_of(spec: Any) -> Image:
    """An image of the scenario in Nova's units."""
    return Image(
        spec.name, spec.size, spec.min_memory // units.MIB, -(-spec.min_disk // units.GIB), dict(spec.properties)
    )


class Guests:
    """Guests by activity and flavor, each made once and shared."""

    def __init__(self) -> None:
        self._made: dict[tuple[str, str], Guest] = {}

    def of(self, activity: str | ActivitySpec, flavor: Flavor) -> Guest:
        """The guest of a class (or of own numbers) in a flavor. KeyError for an unknown class."""
        if isinstance(activity, ActivitySpec):
            profile = tuple((float(time), float(factor)) for time, factor in activity.profile)
            working_set = min(activity.working_set, flavor.memory_mb * units.MIB)
            return Guest(
                "custom", activity.dirty, working_set, activity.nonzero, activity.cpu, profile, hot_b=activity.hot
            )  # fmt: skip
        key = (activity, flavor.name)
        guest = self._made.get(key)
        if guest is None:
            ram_b = flavor.memory_mb * units.MIB
            memory = memory_of(activity, ram_b)
            guest = self._made[key] = Guest(
                activity, memory.dirty_bps, int(memory.working_set_b), memory.nonzero_b / ram_b,
                ACTIVITIES[activity].cpu, hot_b=int(memory.hot_b),
            )  # fmt: skip
        return guest

    def resized(self, guest: Guest, flavor: Flavor) -> Guest:
        """The same guest with another flavor's memory; one with own numbers keeps them."""
        if guest.activity == "custom":
            return guest
        other = self.of(guest.activity, flavor)
        return replace(other, profile=guest.profile, clocked=True) if guest.clocked else other


class ServerMaker:
    """Makes the servers of a scenario's rows."""

    def __init__(
        self,
        spec: CloudSpec,
        host_index: Mapping[str, int],
        flavors: Mapping[str, Flavor],
        images: Mapping[str, Image],
        groups: Mapping[str, ServerGroup],
        guests: Guests,
    ) -> None:
        self._spec, self._hosts = spec, host_index
        self._flavors, self._images, self._groups, self._guests = flavors, images, groups, guests

    def make(self, rows: Iterator[ServerRow]) -> Iterator[tuple[Server, ServerRow]]:
        """Each row's server, not yet entered anywhere."""
        hosts, flavors, images, groups = self._hosts, self._flavors, self._images, self._groups
        for row in rows:
            flavor = flavors[row.flavor]
            vm_state = row.vm_state
            power = row.power_state
            server = Server(
                row.name,
                row.uuid or named_uuid("server", row.name),
                flavor,
                self._guests.of(row.activity, flavor),
                project=row.project,
                user=row.user,
                image=None if row.image is None else images[row.image],
                host=None if row.host is None or vm_state == "shelved_offloaded" else hosts[row.host],
                vm_state=vm_state,
                task_state=row.task_state,
                power_state=_POWER.get(vm_state, states.RUNNING) if power is None else states.POWER_STATES[power],
                boot_from_volume=row.boot_from == "volume",
            )
            if row.hostless and power is None:
                server.power_state = states.NOSTATE
            if row.hostless or vm_state == "building":
                server.launched = None
            if row.locked:
                server.locked_by = row.locked if isinstance(row.locked, str) else "admin"
            server.az = row.availability_zone
            if row.group is not None:
                server.group = row.group
                groups[row.group].members.append(row.name)
            extras = self._extras(row)
            if extras:
                server.extras = extras
            yield server, row

    @staticmethod
    def _extras(row: ServerRow) -> dict[str, Any]:
        """What few servers have; most share one empty mapping."""
        if not (row.hints or row.metadata or row.cpu_trace) and row.disk_used == 0.5:
            return NO_EXTRAS
        return {
            "hints": dict(row.hints), "metadata": dict(row.metadata), "cpu_trace": row.cpu_trace,
            "disk_used": row.disk_used,
        }  # fmt: skip
