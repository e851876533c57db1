"""The clouds and plans that are measured, as scenarios."""

from __future__ import annotations

from typing import Any

from sim.scenario.spec import Scenario

Shape = tuple[int, int, int]
"""(hosts, servers, hosts drained)."""


def _cloud(hosts: int, servers: int) -> dict[str, Any]:
    """Hosts of 64 cores, 256 GiB, 10 Gbit/s in racks of 40; servers of 4 cores, 16 GiB, spread evenly, on volumes."""
    return {
        "hosts": [
            {"name": _hosts(1, hosts, hosts), "rack_size": 40, "vcpus": 64, "memory": "256 GiB", "disk": "4 TB",
             "nic": "10 Gbit/s"}
        ],
        "flavors": [{"name": "m", "vcpus": 4, "memory": "16 GiB", "disk": "40 GiB"}],
        "images": [{"name": "image", "size": "1 GiB"}],
        "servers": [
            {"name": f"s{{n:1-{servers}}}", "flavor": "m", "hosts": [_hosts(1, hosts, hosts)], "boot_from": "volume"}
        ] if servers else [],
        "storage": {"instances": "shared"},
        "nova": {"options": {"quota": {"instances": -1, "cores": -1, "ram": -1}}},
    }  # fmt: skip


def _hosts(first: int, last: int, count: int) -> str:
    """The names of some hosts, as a pattern."""
    width = len(str(count))
    return f"h{{n:{first:0{width}d}-{last:0{width}d}}}"


def drain(hosts: int, servers: int, drained: int) -> Scenario:
    """W(H, V, D): D hosts are emptied by live migration, one outgoing migration for each of them at a time."""
    step = {"hosts": [_hosts(1, drained, hosts)], "method": "live", "concurrency": drained, "per_host": 1}
    return _scenario(f"W({hosts}, {servers}, {drained})", _cloud(hosts, servers), [{"drain": step}])


def rolling(hosts: int, servers: int, drained: int) -> Scenario:
    """The same for all hosts, a tenth of them at a time, each rebooted when it is empty."""
    step = {"hosts": [_hosts(1, drained, hosts)], "batch": max(1, hosts // 10), "takes": {"constant": "5 min"},
            "drain": {"method": "live", "concurrency": max(1, hosts // 10), "per_host": 1}}  # fmt: skip
    return _scenario(f"rolling({hosts}, {servers}, {drained})", _cloud(hosts, servers), [{"rolling_reboot": step}])


def failed_rack(hosts: int, servers: int, failed: int) -> Scenario:
    """A rack of ``failed`` hosts dies at once; its servers are evacuated when all of it is known to be down.

    Sooner, Nova chooses hosts of the same rack that it still believes to be alive, and those wait for ever.
    """
    names = [_hosts(1, failed, hosts)]
    plan = [{"fail": {"hosts": names}}, {"at": "2 min", "evacuate": {"hosts": names, "concurrency": 3}}]
    return _scenario(f"rack({hosts}, {servers}, {failed})", _cloud(hosts, servers), plan)


def churn(hosts: int, created: int, _: int) -> Scenario:
    """A day in which ``created`` servers are created, live for an hour, and are deleted."""
    users = {"name": "u", "every": {"exponential": {"mean": f"{86400 / created} s"}}, "count": created,
             "lifetime": {"exponential": {"mean": "1 h"}}, "image": "image", "boot_from": "volume"}  # fmt: skip
    return _scenario(f"churn({hosts}, {created})", _cloud(hosts, 0), [], workload=[users])


def idle(hosts: int, servers: int, _: int) -> Scenario:
    """A day in which nothing happens."""
    return _scenario(f"idle({hosts}, {servers})", _cloud(hosts, servers), [], run={"duration": "1 day"})


def _scenario(name: str, cloud: dict[str, Any], plan: list[Any], **more: Any) -> Scenario:
    return Scenario.model_validate({"name": name, "cloud": cloud, "plan": plan, **more})


MAKE = {"drain": drain, "rolling": rolling, "rack": failed_rack, "churn": churn, "idle": idle}
