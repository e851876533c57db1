"""Many reasons in few words: the same reason about other names is one reason; and what a person can do about it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

_UUID = re.compile(r"\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b", re.IGNORECASE)
_QUOTED = re.compile(r"'[^']*'")
_REQUEST = re.compile(r"\breq-[\w-]+")
_NUMBER = re.compile(r"(?<![\w.-])\d+(?:\.\d+)?(?![\w-])")
_SPACE = re.compile(r"\s+")

_ADVICE: tuple[tuple[str, str], ...] = (
    ("no valid host", "free capacity, enable hosts, or relax the filters, then ask again"),
    ("exceeded max scheduling attempts", "see why its destinations refused it, then ask again"),
    ("retrying build failures", "repair the hosts where it failed, or add others, then delete it and create it anew"),
    ("maximum number of retries", "raise migrate_max_retries, or repair the destinations that refused it"),
    ("max retries", "raise migrate_max_retries, or repair the destinations that refused it"),
    ("timed out", "migrate when it is calmer, allow post-copy or auto-converge, or stop it and migrate cold"),
    ("timeout", "migrate when it is calmer, allow post-copy or auto-converge, or stop it and migrate cold"),
    ("locked", "unlock it (or ask its owner), then ask again"),
    ("verify_resize", "check it, then confirm or revert"),
    ("unconfirmed", "check it, then confirm or revert"),
    ("still in use", "wait until the service is seen down, or force it down, then evacuate"),
    ("task_state", "see what it waits for; if nothing does, os-resetState and check it"),
    ("insufficient compute resources", "free capacity on the destination, or name another"),
    ("completion_timeout", "allow post-copy or force-complete, calm its guest, or migrate it cold"),
    ("is in error", "repair the cause, then os-resetState or evacuate or rebuild it"),
    ("vm_state", "bring it into a state that allows the move, then ask again"),
    ("post-copy and does not run", "start it anew by a hard reboot, and check its data"),
    ("post-copy: the guest was lost", "start it anew by a hard reboot, and check its data"),
    ("is stopped there since then", "start it: evacuating starts what Nova calls active, nothing from 2.95 on"),
    ("was not started again", "start it; resume_guests_state_on_host_boot would have done so"),
    ("lost the connection", "repair the network between the hosts, then ask again"),
    ("crashed", "repair the host, or evacuate the server"),
    ("is hung", "fence the host, then evacuate the server"),
    ("its host", "bring the host back, or evacuate the server"),
    ("pre-check", "see why the destination refused it; choose another"),
    ("unable to migrate", "see why the destination refused it; choose another"),
)
_OTHERWISE = "look at its instance actions, then decide"


def shape(reason: str) -> str:
    """A reason without the names in it: ids, quoted names and numbers become ``…``."""
    text = _UUID.sub("…", reason)
    text = _REQUEST.sub("…", text)
    text = _QUOTED.sub("'…'", text)
    text = _NUMBER.sub("…", text)
    return _SPACE.sub(" ", text).strip()


def grouped(told: Iterable[tuple[str, str]], names: Iterable[str] = ()) -> list[tuple[str, list[str]]]:
    """Reasons with the servers of each, of pairs (server, reason), most servers first.

    ``names`` (of servers and hosts) do not tell reasons apart; a reason that came once keeps its names.
    """
    known = set(names)
    groups: dict[str, list[tuple[str, str]]] = {}
    for server, reason in told:
        parts = re.split(r"([\w.-]+)", shape(reason))
        key = "".join("…" if part in known else part for part in parts)
        groups.setdefault(key, []).append((server, reason))
    counted = []
    for key, found in groups.items():
        counted.append((_common(key, {reason for _, reason in found}), [server for server, _ in found]))
    return sorted(counted, key=lambda pair: (-len(pair[1]), pair[0]))


def _common(key: str, reasons: set[str]) -> str:
    """Reasons of one shape as one: words that all of them have stay, ``…`` stands only for what differs."""
    texts = [key.split(), *(reason.split() for reason in sorted(reasons))]
    if len({len(text) for text in texts}) > 1:
        return min(reasons) if len(reasons) == 1 else key
    return " ".join(said[0] if len(set(said)) == 1 else masked for masked, *said in zip(*texts, strict=True))


def with_names(reason: str, names: Mapping[str, str]) -> str:
    """A reason with the names of servers (by id) in place of their ids."""
    return _UUID.sub(lambda found: names.get(found[0].lower(), found[0]), reason)


def advice(reason: str) -> str:
    """What a person can do about a server with this reason."""
    text = reason.lower()
    return next((what for sign, what in _ADVICE if sign in text), _OTHERWISE)
