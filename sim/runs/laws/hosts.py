"""What hosts are, who is sent to them, and what operators do."""

from __future__ import annotations

from sim.errors import LawViolation
from sim.eventlog import records as r
from sim.runs.laws.law import Handler
from sim.runs.laws.servers import ServerLaw

_DEAD = frozenset({"crashed", "rebooting"})
_POWERS = _DEAD | {"up", "hung", "cut_off"}


class HostLaw:
    """Hosts that exist are in one of five conditions."""

    def __init__(self) -> None:
        self.names: set[str] = set()
        self.dead: set[str] = set()
        self.disabled: set[str] = set()

    def handlers(self) -> dict[type[r.Record], Handler]:
        """Record type → method."""
        return {r.HostsPresent: self.present, r.HostState: self.state}

    def present(self, record: r.HostsPresent) -> None:
        """All there ever are."""
        self.names.update(record.host)

    def state(self, record: r.HostState) -> None:
        """Who is dead, and who gets no more servers."""
        host = record.host
        if host not in self.names or record.power not in _POWERS:
            raise LawViolation("records name what exists", f"{host} is {record.power}")
        (self.dead.add if record.power in _DEAD else self.dead.discard)(host)
        (self.disabled.add if record.disabled else self.disabled.discard)(host)


class DecisionLaw:
    """Who is chosen is fit: claimed, enabled if the filters ask for that, and one of those who were left."""

    def __init__(self, hosts: HostLaw, servers: ServerLaw) -> None:
        self._hosts, self._servers = hosts, servers
        self._last = 0
        self._only_enabled = True

    def handlers(self) -> dict[type[r.Record], Handler]:
        """Record type → method."""
        return {r.RunStarted: self.started, r.Decision: self.decision}

    def started(self, record: r.RunStarted) -> None:
        """The filters that are in force."""
        filters = record.options.get("filter_scheduler.enabled_filters", ("ComputeFilter",))
        self._only_enabled = "ComputeFilter" in filters

    def decision(self, record: r.Decision) -> None:
        """One after another."""
        chosen, left = record.chosen, record.left
        if record.decision <= self._last:
            raise LawViolation("records are numbered in order", f"decision {record.decision}")
        self._last = record.decision
        if not 0 <= left <= record.hosts <= len(self._hosts.names) or (chosen is None) != (record.reason is not None):
            raise LawViolation("a decision has its reasons", f"{left} of {record.hosts} left, {record.reason!r}")
        if chosen is None:
            return
        if chosen not in self._servers.claims.held[record.server]:
            raise LawViolation("who is chosen is claimed", f"{record.server} holds nothing on {chosen}")
        if self._only_enabled and chosen in self._hosts.disabled and record.hosts > 1:  # one: it may have been forced
            raise LawViolation("nobody is sent to a disabled host", f"{record.server} to {chosen}")
        others = record.alternates
        if len(others) >= left or (others and (chosen in others or not self._hosts.names.issuperset(others))):
            raise LawViolation("a decision has its reasons", f"{chosen} and {others}, of {left} left")


class OperationLaw:
    """Operations begin and end once; who is left to a person is left by one that lasts, and that is not done then."""

    def __init__(self, servers: ServerLaw) -> None:
        self._servers = servers
        self._left: dict[int, int] = {}
        """Operations that last, and how many servers each has left to a person."""
        self._last = 0

    def handlers(self) -> dict[type[r.Record], Handler]:
        """Record type → method."""
        return {r.Operation: self.operation, r.NeedsHuman: self.human}

    def operation(self, record: r.Operation) -> None:
        """Numbered as they begin."""
        number = record.operation
        if record.phase == "begun":
            if number != self._last + 1:
                raise LawViolation("records are numbered in order", f"operation {number}")
            self._last = number
            self._left[number] = 0
            return
        left = self._left.pop(number, None)
        if left is None:
            raise LawViolation("an operation ends once, after it began", f"operation {number}")
        if left and record.outcome == "done":
            raise LawViolation("who leaves somebody is not done", f"operation {number} left {left}")

    def human(self, record: r.NeedsHuman) -> None:
        """One more."""
        self._servers.check(record.server)
        if record.operation not in self._left:
            raise LawViolation("an operation ends once, after it began", f"operation {record.operation}")
        self._left[record.operation] += 1
