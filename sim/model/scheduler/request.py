"""What is asked of the scheduler, and what it answers. Hosts are indices into :class:`sim.model.host.Hosts`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from sim.model.flavor import Flavor, Image, Resources
from sim.model.placement import Consumer
from sim.model.server import Server

_NO_HINTS: Mapping[str, Any] = {}


class SchedulerRequest:
    """A host is wanted for a server. Make one by :meth:`for_move` or :meth:`for_build`, or field by field."""

    __slots__ = (
        "attempt", "az", "consumer", "flavor", "force_host", "group", "hints", "ignore", "image", "request",
        "requested_host", "resources", "server",
    )  # fmt: skip

    def __init__(
        self,
        server: Server,
        *,
        flavor: Flavor | None = None,
        resources: Resources | None = None,
        consumer: Consumer | None = None,
        request: str | None = None,
        ignore: tuple[int, ...] = (),
        requested_host: int | None = None,
        force_host: int | None = None,
        az: str | None = None,
        hints: Mapping[str, Any] | None = None,
        attempt: int = 1,
    ) -> None:
        self.server = server
        self.flavor = server.spec_flavor if flavor is None else flavor
        self.resources = server.needs(self.flavor) if resources is None else resources
        self.consumer: Consumer = server if consumer is None else consumer
        """Who will hold the resources."""
        self.request = request
        """Id of the request, for records."""
        self.ignore = ignore
        """Hosts that must not be chosen."""
        self.requested_host = requested_host
        """The only host that may be chosen, after all filters."""
        self.force_host = force_host
        """The only host that may be chosen, without filters."""
        self.az = server.az if az is None else az
        self.image: Image | None = server.image
        self.group = server.group
        """Name of the server's group."""
        self.hints: Mapping[str, Any] = server.extras.get("hints", _NO_HINTS) if hints is None else hints
        self.attempt = attempt

    @classmethod
    def for_move(
        cls,
        server: Server,
        *,
        request: str | None = None,
        flavor: Flavor | None = None,
        ignore: tuple[int, ...] = (),
        requested_host: int | None = None,
        az: str | None = None,
        attempt: int = 1,
    ) -> SchedulerRequest:
        """A server that exists wants another host (or, with ``flavor``, to be resized)."""
        return cls(
            server, request=request, flavor=flavor, ignore=ignore, requested_host=requested_host, az=az, attempt=attempt
        )

    @classmethod
    def for_build(
        cls,
        server: Server,
        *,
        request: str | None = None,
        ignore: tuple[int, ...] = (),
        requested_host: int | None = None,
        force_host: int | None = None,
        az: str | None = None,
        attempt: int = 1,
    ) -> SchedulerRequest:
        """A new server wants its first host."""
        return cls(
            server, request=request, ignore=ignore, requested_host=requested_host, force_host=force_host, az=az,
            attempt=attempt,
        )  # fmt: skip

    @property
    def only(self) -> int | None:
        """The one host that placement is asked about, if there is one."""
        return self.force_host if self.requested_host is None else self.requested_host

    def hint(self, name: str) -> Any:
        """A scheduler hint; what stands alone in a list is given by itself, as Nova gives it. None if there is none."""
        value = self.hints.get(name)
        return value[0] if isinstance(value, list) and len(value) == 1 else value


class Selection(NamedTuple):
    """What the scheduler chose; the chosen host's resources are claimed."""

    chosen: int
    alternates: list[int]
    """Best first; nothing is claimed there."""
    offered: int
    """Hosts that placement offered."""
    left: int
    """Of them, those that passed all filters."""
    decision: int
    """Number of the decision, as in the records."""
