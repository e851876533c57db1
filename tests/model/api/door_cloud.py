"""A small cloud to knock at: four hosts, two zones, servers ``vm1`` … of the project ``demo``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sim.model.api.door import ApiAnswer
from sim.runs.session import Session
from sim.scenario.spec import Scenario

NO_LIMITS = {"quota.instances": -1, "quota.cores": -1, "quota.ram": -1}
_FLAVORS = [
    {"name": "small", "vcpus": 1, "memory": "512 MiB", "disk": "1 GiB"},
    {"name": "large", "vcpus": 4, "memory": "4 GiB", "disk": "20 GiB"},
    {"name": "diskless", "vcpus": 1, "memory": "512 MiB", "disk": 0},
]
_IMAGES = [
    {"name": "tiny", "size": "20 MB"},
    {"name": "fat", "size": "8 GiB"},
    {"name": "hungry", "size": "20 MB", "min_memory": "2 GiB"},
    {"name": "deep", "size": "20 MB", "min_disk": "10 GiB"},
]


def cloud(*servers: dict[str, Any], options: dict[str, Any] | None = None, **more: Any) -> Session:
    """A session; each of ``servers`` overrides a server of the flavor small on h1."""
    hosts = [
        {"name": f"h{n}", "zone": "east" if n < 3 else "west", "vcpus": 16, "memory": "32 GiB", "disk": "500 GiB"}
        for n in range(1, 5)
    ]
    made = [
        {"name": f"vm{n}", "flavor": "small", "host": "h1", "image": "tiny", **server}
        for n, server in enumerate(servers or ({},), 1)
    ]
    policy = more.pop("policy", None)
    spec = {
        "hosts": hosts, "flavors": _FLAVORS, "images": _IMAGES, "servers": made,
        "nova": {"options": {"oslo_policy.enforce_new_defaults": True, **(NO_LIMITS if options is None else options)},
                 "policy": policy}, **more,
    }  # fmt: skip
    return Session(Scenario.model_validate({"name": "door", "cloud": spec}), seed=1)


def ask(
    session: Session, key: str, argument: Any = None, *, server: str = "vm1", version: str = "2.90",
    roles: Sequence[str] = ("admin",), **more: Any,
) -> ApiAnswer:  # fmt: skip
    """An action on a server."""
    return session.request(server, {key: argument}, microversion=version, roles=roles, **more)


def create(session: Session, *, version: str = "2.90", roles: Sequence[str] = ("member",), **spec: Any) -> ApiAnswer:
    """A create request of project ``demo``."""
    body: dict[str, Any] = {"name": "new", "flavorRef": "small", "imageRef": "tiny", "networks": "none", **spec}
    if version < "2.37":
        del body["networks"]
    return session.request(None, {"server": body}, microversion=version, roles=roles, project="demo")
