"""The host's late look at a server group: two decisions at the same moment may have broken what each kept."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sim.model.exceptions import GroupAffinityViolation

if TYPE_CHECKING:
    from sim.model.cloud import Cloud
    from sim.model.server import Server

_OVER = frozenset({"confirmed", "reverted", "error", "failed", "completed", "cancelled", "done"})
"""Status of migrations that no longer count for a host."""


class GroupCheck:
    """Checks servers against their groups, where ``[workarounds] disable_group_policy_check_upcall`` allows it."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud
        self._off = bool(cloud.options["workarounds.disable_group_policy_check_upcall"])

    def check(self, server: Server, host: int) -> None:
        """Raise GroupAffinityViolation if the server must not be on the host."""
        if server.group is None or self._off:
            return
        group = self._cloud.groups[server.group]
        if group.policy not in {"affinity", "anti-affinity"}:
            return
        servers = self._cloud.db.servers
        others = [servers[name] for name in group.members if name != server.name and name in servers]
        others = [other for other in others if not other.deleted]
        if group.policy == "anti-affinity":
            if sum(_counts(other, host) for other in others) >= group.max_server_per_host:
                raise GroupAffinityViolation("Anti-affinity")
        else:
            hosts = {other.host for other in others if other.host is not None}
            if hosts and host not in hosts:
                raise GroupAffinityViolation("Affinity")


def _counts(server: Server, host: int) -> bool:
    """Whether the server is on the host, or on its way from or to it."""
    if server.host == host:
        return True
    last = server.migrations[-1] if server.migrations else None
    return last is not None and last.status not in _OVER and host in {last.source, last.dest}
