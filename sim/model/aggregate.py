"""Host aggregates and server groups, passive."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(slots=True, eq=False)
class Aggregate:
    """A host aggregate: hosts by index, metadata, perhaps an availability zone."""

    name: str
    hosts: list[int]
    zone: str | None = None
    metadata: dict[str, str] = field(default_factory=dict)


@dataclass(slots=True, eq=False)
class ServerGroup:
    """A server group: policy, rules, and its members by name in order of joining."""

    name: str
    policy: str
    max_server_per_host: int = 1
    members: list[str] = field(default_factory=list)
