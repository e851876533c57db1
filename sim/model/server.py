"""A server (Nova: instance), passive: what it is and where, no clock.

Only :class:`sim.model.database.Database` changes its states, only placement changes what it holds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sim.model import states
from sim.model.flavor import Flavor, Image, Resources
from sim.model.needs import resources_of

if TYPE_CHECKING:
    from sim.model.action import InstanceAction
    from sim.model.guest import Guest
    from sim.model.migration_record import MigrationRecord

NO_EXTRAS: dict[str, Any] = {}


class Fault:
    """A fault that Nova attached to a server."""

    __slots__ = ("code", "created", "details", "message")

    def __init__(self, code: int, message: str, details: str, created: float) -> None:
        self.code, self.message, self.details, self.created = code, message, details, created


class Server:
    """One server. ``host`` is an index into :class:`sim.model.host.Hosts`, None without a host."""

    __slots__ = (
        "actions", "az", "boot_from_volume", "consumer", "deleted", "extras", "fault", "flavor", "group", "guest",
        "held", "host", "image", "launched", "left_on", "locked_by", "migrations", "move_claim", "name", "old_flavor",
        "old_vm_state", "power_state", "project", "spec_flavor", "task_state", "terminated", "unmade_on", "user",
        "uuid", "vm_state",
    )  # fmt: skip

    def __init__(
        self,
        name: str,
        uuid: str,
        flavor: Flavor,
        guest: Guest,
        *,
        project: str,
        user: str,
        image: Image | None,
        host: int | None = None,
        vm_state: str = "active",
        task_state: str | None = None,
        power_state: int = states.RUNNING,
        boot_from_volume: bool = False,
    ) -> None:
        self.name = name
        self.consumer = name
        """Its name as a consumer of placement, and in the records."""
        self.uuid = uuid
        self.flavor = flavor
        self.spec_flavor = flavor
        """The flavor that the scheduler finds hosts by: of a resize that broke off it stays the wanted one."""
        self.old_flavor: Flavor | None = None
        """The flavor before a resize that waits for confirm or revert."""
        self.guest = guest
        """What runs in it: memory activity, shared between servers of a class."""
        self.project, self.user = project, user
        self.image = image
        self.host = host
        self.vm_state, self.task_state, self.power_state = vm_state, task_state, power_state
        self.old_vm_state: str | None = None
        """What it was before a resize, so that confirm and revert can bring it back."""
        self.locked_by: str | None = None
        """None, ``admin`` or ``owner``."""
        self.fault: Fault | None = None
        self.group: str | None = None
        self.az: str | None = None
        """The availability zone it is pinned to by its create request."""
        self.boot_from_volume = boot_from_volume
        self.deleted = False
        self.launched: float | None = 0.0
        """When it first ran; None for a server that never did."""
        self.terminated: float | None = None
        self.left_on: tuple[int, ...] = ()
        """Hosts that still know a guest of it: it was evacuated, or its move away is not confirmed."""
        self.unmade_on: int | None = None
        """The host whose hypervisor has no guest of it, though the row says that it lies there: it is being made,
        or its move broke off."""
        self.move_claim: MigrationRecord | None = None
        """The move whose claim its row remembers (Nova's ``migration_context``)."""
        self.held: dict[int, Resources] = {}
        """Host → what it holds there; written by placement alone."""
        self.migrations: tuple[MigrationRecord, ...] = ()
        self.actions: tuple[InstanceAction, ...] = ()
        """In order; a tuple, because most of a million servers have none."""
        self.extras: dict[str, Any] = NO_EXTRAS
        """Seldom-used things: scheduler hints, metadata, disk_used, cpu trace."""

    @property
    def status(self) -> str:
        """The status that the API shows."""
        return states.status(self.vm_state, self.task_state)

    @property
    def unmade(self) -> bool:
        """Whether the hypervisor of its host has no such guest (yet)."""
        return self.unmade_on is not None and self.unmade_on == self.host

    @property
    def resources(self) -> Resources:
        """What it takes of a host by its flavor; a server booted from volume takes no disk."""
        return self.needs(self.flavor)

    def needs(self, flavor: Flavor) -> Resources:
        """What it would take with ``flavor``; a root disk on a volume takes none of the host's."""
        return resources_of(flavor, self.image, self.boot_from_volume)

    def __repr__(self) -> str:
        return f"<Server {self.name} {self.status} on {self.host}>"
