"""A journal of hosts that changed: readers with columns of their own follow it host by host."""

from __future__ import annotations

_REMEMBERED = 4096
"""Changes that the journal keeps at least; who is further behind starts anew."""


class Journal:
    """Which hosts changed, in order, so that a reader brings its own columns up to date host by host."""

    def __init__(self) -> None:
        self._hosts: list[int] = []
        self._dropped = 0

    @property
    def position(self) -> int:
        """How many changes there were so far."""
        return self._dropped + len(self._hosts)

    def add(self, host: int) -> None:
        """The host changed."""
        hosts = self._hosts
        hosts.append(host)
        if len(hosts) > 2 * _REMEMBERED:
            del hosts[:_REMEMBERED]
            self._dropped += _REMEMBERED

    def forget(self) -> None:
        """Everything changed: every reader starts anew."""
        self._dropped += len(self._hosts) + 1
        self._hosts.clear()

    def since(self, position: int) -> list[int] | None:
        """Hosts that changed since ``position``, perhaps more than once; None if that is forgotten."""
        start = position - self._dropped
        return None if start < 0 else self._hosts[start:]
