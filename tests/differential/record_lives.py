"""Records lives in the oracle's shape, and more of its kinds: `python -m tests.differential.record_lives`.

Writes `tests/conformance/data/lives.json.gz`, which `tests/conformance/test_lives.py` plays in the simulator: live
migrations with hosts that fail their check, by microversion, retries and forced host; what is asked during one; cold
migrations, evacuations and automatic confirmations.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from typing import Any

from tests.conformance.lifecycle_player import body_of, reset_of
from tests.conformance.recordings import COPY, compact
from tests.differential.nova_process import RealNova

Case = dict[str, Any]
HOSTS = {f"compute{number}": {"vcpus": 10, "memory_mb": 8192, "disk_gb": 1028} for number in (1, 2, 3, 4)}
OTHERS = ("compute2", "compute3", "compute4")
AUTO = {"host": None, "block_migration": "auto"}
_VERSIONS = ("2.25", "2.33", "2.34", "2.68", "latest")
_NAMED: tuple[tuple[str, dict[str, Any]], ...] = (
    ("2.25", {}), ("2.29", {}), ("2.30", {}), ("2.30", {"force": True}), ("2.30", {"force": False}),
    ("2.33", {"force": True}), ("2.34", {}), ("2.34", {"force": True}), ("2.67", {"force": True}), ("2.68", {}),
    ("latest", {}),
)  # fmt: skip
_DURING: tuple[dict[str, Any], ...] = (
    {"os-stop": None}, {"os-start": None}, {"pause": None}, {"unpause": None}, {"suspend": None}, {"resume": None},
    {"reboot": {"type": "SOFT"}}, {"reboot": {"type": "HARD"}}, {"rescue": None}, {"unrescue": None}, {"shelve": None},
    {"shelveOffload": None}, {"unshelve": None}, {"lock": None}, {"unlock": None}, {"migrate": None},
    {"resize": {"flavorRef": "m1.small"}}, {"os-migrateLive": AUTO}, {"evacuate": {}}, {"confirmResize": None},
    {"revertResize": None}, {"os-resetState": {"state": "active"}}, {"os-resetState": {"state": "error"}},
    {"injectNetworkInfo": None}, {"resetNetwork": None}, {"createImage": {"name": "snapshot"}}, {"restore": None},
)  # fmt: skip


def _case(title: str, *steps: str, **more: Any) -> Case:
    return {"case": title, "steps": [*steps], **more}


def _live() -> Iterator[Case]:
    for version in _VERSIONS:
        yield _case(f"live migrate ok, {version}", "os-migrateLive", microversion=version)
        for bad in (1, 2, 3):
            for retries in (None, -1, 0, 1, 2, 5):
                title = f"live migrate, {bad} of 3 bad, migrate_max_retries={retries}, {version}"
                yield _case(
                    title, "os-migrateLive", microversion=version, bad_hosts=OTHERS[:bad], migrate_max_retries=retries
                )
        yield _case(f"live migrate, all others disabled, {version}", "os-migrateLive", microversion=version)
    for version, more in _NAMED:
        for host in ("compute2", "compute3"):
            body = json.dumps({"host": host, "block_migration": "auto"} | more)
            title = f"live migrate to bad host compute2, {version} {body}"
            yield _case(title, "os-migrateLive", microversion=version, bad_hosts=["compute2"])


def _during() -> Iterator[Case]:
    for body in _DURING:
        yield _case(f"during a running live migration: {json.dumps(body)}", "during", slow=True)
    yield _case("abort a running live migration", "live migrate, then DELETE migration", slow=True)


def _moves() -> Iterator[Case]:
    for end in ("confirm", "revert"):
        yield _case(f"cold migrate, {end}", "migrate", f"{end}Resize")
        yield _case(f"resize, {end}", "resize", f"{end}Resize")
        yield _case(f"cold migrate SHUTOFF, {end}", "os-stop", "migrate", f"{end}Resize")
        yield _case(f"resize SHUTOFF, {end}", "os-stop", "resize", f"{end}Resize")
    for host in OTHERS:
        yield _case(f"cold migrate to host {host}", "migrate", "confirmResize")
        yield _case(f"cold migrate to host {host} whose claim fails", "migrate")
    yield _case("cold migrate, claims fail on compute2, compute3", "migrate")
    yield _case("cold migrate, claims fail on compute4", "migrate")
    yield _case("resize, claims fail on compute2, compute3", "resize")
    yield _case("cold migrate, all others disabled", "migrate")
    yield _case("injectNetworkInfo", "injectNetworkInfo")
    yield _case("resetNetwork", "resetNetwork")
    for state in ("active", "error"):
        yield _case(
            f"auto confirm but server was put in {state}", "migrate", f"resetState {state}", "sleep 2.5", "poll"
        )
    yield _case("auto confirm", "migrate", "sleep 2.5", "poll")
    yield _case("auto confirm of a stopped server", "os-stop", "migrate", "sleep 2.5", "poll")
    for version in ("2.13", "2.14", "2.28", "2.29", "2.67", "2.68", "2.94", "2.95", "latest"):
        shared = version == "2.13"
        bodies = [{}] if version in ("2.14", "2.94", "2.95") else [{}, {"host": "compute3"}]
        if version in ("2.29", "2.67"):
            bodies += [{"host": "compute3", "force": True}, {"host": "compute3", "force": False}]
        for body in bodies:
            told = json.dumps(body | ({"onSharedStorage": False} if shared else {}))
            yield _case(f"evacuate {version} {told}", "source down", "evacuate", microversion=version)
            title = f"evacuate a stopped server {version} {told}"
            yield _case(title, "os-stop", "source down", "evacuate", microversion=version)
    yield _case("evacuate, host up", "evacuate")


def cases() -> Iterator[Case]:
    """Every case, without what came of it."""
    yield from _live()
    yield from _during()
    yield from _moves()


def main() -> None:
    with RealNova() as nova:
        recorded = [compact(_recorded(nova, case)) for case in cases()]
    text = json.dumps(recorded, separators=(",", ":"))
    (COPY / "lives.json.gz").write_bytes(gzip.compress(text.encode(), 9, mtime=0))
    print(f"{len(recorded)} lives recorded")


def _recorded(nova: RealNova, case: Case) -> Case:
    fails = {host: ["live_migration_check"] for host in case.get("bad_hosts", ())}
    title = case["case"]
    if "claim" in title:
        fails = {host: ["resize_claim"] for host in OTHERS if host in title}
    cloud = {"hosts": HOSTS, "fails": fails, "slow": case.get("slow", False)}
    options: dict[str, Any] = {}
    if case.get("migrate_max_retries") is not None:
        options["migrate_max_retries"] = case["migrate_max_retries"]
    if "auto confirm" in title:
        options["resize_confirm_window"] = 1
    prefix: list[Case] = [{"op": "option", "name": name, "value": value} for name, value in options.items()]
    if "all others disabled" in title:
        prefix += [{"op": "service", "host": host, "disabled": True} for host in OTHERS]
    small = {"op": "flavor", "name": "little", "id": "m1.small", "vcpus": 2, "memory_mb": 1024, "disk_gb": 2}
    prefix += [small, {"op": "create", "name": "vm", "host": "compute1"}]
    told = [list(_told(case, step)) for step in case["steps"]]
    rows = nova.play(cloud, [part | {"record": True} for parts in told for part in parts], prefix=[prefix])
    kept = []
    for step, parts in zip(case["steps"], told, strict=True):
        kept.append(_kept(step, [rows.pop(0) for _ in parts]))
    return {key: value for key, value in case.items() if key != "slow"} | {"steps": kept}


def _told(case: Case, step: str) -> Iterator[dict[str, Any]]:
    """A step in the words of real Nova's player."""
    asked = {"op": "request", "server": "vm", "microversion": case.get("microversion", "2.90")}
    running = asked | {"microversion": "2.90", "body": {"os-migrateLive": AUTO}, "settle_s": 0.5}
    if step == "source down":
        yield {"op": "service", "host": "compute1", "forced_down": True}
    elif step.startswith("sleep"):
        yield {"op": "settle"}  # the poll is what looks at the time
    elif step == "poll":
        yield {"op": "wait", "seconds": 200.0}
    elif step == "during":
        yield running
        yield asked | {"body": json.loads(case["case"].split(": ", 1)[1]), "settle_s": 0.5}
    elif "DELETE migration" in step:
        yield running
        yield asked | {"method": "DELETE", "path": "/servers/{server}/migrations/{migration}"}
    elif step.startswith("resetState"):
        yield asked | {"body": reset_of(step)}
    else:
        yield asked | {"body": {step: body_of(case, step)}}


def _kept(step: str, rows: list[dict[str, Any]]) -> Case:
    """A step and what came of it, in the oracle's shape."""
    asked = next((row for row in reversed(rows) if "code" in row), None)
    server = rows[-1]["servers"]["vm"]
    return {
        "step": step,
        "response": asked and {"code": asked["code"], "message": asked["message"]},
        "settled": rows[-1]["settled"],
        "events": [event for row in rows for event in row["events"]],
        "after": server["server"],
        "migrations": server["migrations"],
        "instance_actions": server["actions"],
        "allocations": server["allocations"],
    }


if __name__ == "__main__":
    main()
