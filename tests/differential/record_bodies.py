"""Records what real Nova answers to good and bad bodies: `python -m tests.differential.record_bodies`.

Writes `tests/conformance/data/bodies.json.gz`, which `tests/conformance/test_bodies.py` plays in the simulator. A row
is one request to a server in one state, or a create; only the answer is recorded.
"""

from __future__ import annotations

import gzip
import json
import pathlib
from collections.abc import Iterable, Iterator
from typing import Any

from tests.differential import cells
from tests.differential.nova_process import RealNova

OUT = pathlib.Path(__file__).parents[1] / "conformance" / "data" / "bodies.json.gz"
IMAGE = "155d900f-4e14-4e4c-a73d-069cbf4541e6"
UNKNOWN = "11111111-2222-3333-4444-555555555555"
Row = dict[str, Any]
EVERYONE = ("admin", "member", "reader")
FLAVORS = [{"op": "flavor", "name": "zero", "vcpus": 1, "memory_mb": 512, "disk_gb": 0}]

_UNSHELVE = (
    None, {}, {"availability_zone": "nova"}, {"availability_zone": "bogus"}, {"availability_zone": None},
    {"availability_zone": ""}, {"availability_zone": " a"}, {"host": "compute2"}, {"host": "nohost"}, {"host": ""},
    {"host": "compute2", "availability_zone": "nova"}, {"host": "compute2", "availability_zone": "x"}, {"x": 1}, "s", 5,
)  # fmt: skip
_ARGUMENTS: dict[str, tuple[Any, ...]] = {
    "lock": (None, {}, {"locked_reason": "a"}, {"locked_reason": ""}, {"locked_reason": 5}, {"x": 1}, "s"),
    "rescue": (
        None, {}, {"adminPass": "x"}, {"adminPass": ""}, {"adminPass": 5}, {"rescue_image_ref": UNKNOWN}, "x", {"x": 1},
    ),
    "reboot": (
        None, {}, {"type": "SOFT"}, {"type": "soft"}, {"type": "sOft"}, {"type": "bad"}, {"type": None}, "x",
        {"type": "HARD", "x": 1},
    ),
    "createImage": (
        None, {}, {"name": ""}, {"name": " a"}, {"name": "a\n"}, {"name": "x" * 256},
        {"name": "a", "metadata": {"k": "v"}}, {"name": "a", "metadata": {"k": 1}},
    ),
    "resize": (
        {"flavorRef": ""}, {"flavorRef": None}, {}, {"flavorRef": "nope"}, {"flavorRef": ["2"]}, {"flavorRef": True},
        {"flavorRef": "2", "OS-DCF:diskConfig": "AUTO"}, {"flavorRef": "2", "OS-DCF:diskConfig": "bad"},
    ),
}  # fmt: skip
_VERSIONS = {"lock": ("2.72", "2.73"), "createImage": ("2.1", "2.38", "2.45")}
_OPEN = ("os-start", "os-stop", "pause", "unpause", "suspend", "resume", "shelve", "shelveOffload", "unrescue",
         "restore", "forceDelete", "confirmResize", "revertResize")  # fmt: skip
_FORCES = ({"force_complete": None}, {"force_complete": {}}, {"force_complete": "x"}, {"x": None}, {},
           {"force_complete": None, "x": 1})  # fmt: skip
_MIGRATING = ("ACTIVE", "ACTIVE_TASK_migrating", "VERIFY_RESIZE", "PAUSED")
_HEADERS = ("2.0", "2", "LATEST", " 2.1", "2.1 ", "2.105", "3.1", "v2.1", "2.01", "", "2.-1", "1.0", "0.1", "2.1.1",
            "two", "2.00")  # fmt: skip


def _rows(
    state: str, key: str, arguments: Iterable[Any], versions: Any = ("2.1", "latest"), whos: Any = ("admin",)
) -> Iterator[Row]:
    for argument in arguments:
        for version in versions:
            for who in whos:
                yield {"state": state, "body": {key: argument}, "microversion": version, "who": who}


def rows() -> Iterator[Row]:
    """Every request, without its answer."""
    for state, whos in (("SHELVED_OFFLOADED", ("admin", "member")), ("SHELVED", ("admin",)), ("ACTIVE", ("admin",))):
        yield from _rows(state, "unshelve", _UNSHELVE, ("2.76", "2.77", "2.90", "2.91"), whos)
    for key, arguments in _ARGUMENTS.items():
        yield from _rows("ACTIVE", key, arguments, _VERSIONS.get(key, ("2.1", "latest")))
    yield from _rows("LOCKED_ACTIVE", "unlock", (None, {}, "x"), ("2.72", "2.73"), EVERYONE)
    yield from _rows("SOFT_DELETED", "restore", (None,), ("2.1",), EVERYONE)
    for key in _OPEN:
        yield from _rows("ACTIVE", key, ("x", {"a": 1}, 7), ("2.1",), EVERYONE)
    yield from _on_migrations()
    for header in _HEADERS:
        yield {"state": "ACTIVE", "body": {"pause": None}, "microversion": header, "who": "admin"}
    for body in _creates():
        for version in ("2.1", "2.19", "2.37", "2.52", "2.57", "2.74", "2.90", "latest"):
            for who in ("admin", "member") if version in ("2.74", "latest") else ("admin",):
                yield {"state": None, "body": body, "microversion": version, "who": who}
    yield {"state": None, "body": _server(), "microversion": "latest", "who": "reader"}


def _on_migrations() -> Iterator[Row]:
    for state in _MIGRATING:
        for version in ("2.21", "2.22", "latest"):
            for body in _FORCES:
                yield {"state": state, "body": body, "microversion": version, "who": "admin", "migration": True}
        for version in ("2.22", "2.23", "2.24", "2.65", "latest"):
            for who in ("admin", "member"):
                yield {"state": state, "body": None, "microversion": version, "who": who, "migration": True,
                       "method": "DELETE"}  # fmt: skip


def _server(*left_out: str, **spec: Any) -> Row:
    whole = {"name": "n", "flavorRef": "1", "imageRef": IMAGE, "networks": "none", **spec}
    return {"server": {key: value for key, value in whole.items() if key not in left_out}}


def _creates() -> Iterator[Any]:
    yield _server()
    for key in ("name", "flavorRef", "imageRef", "networks"):
        yield _server(key)
    for key, values in {
        "name": ("", " a", "a ", "x" * 256, 5), "flavorRef": ("nope", None, "", "zero", "5"), "imageRef": ("", UNKNOWN),
        "networks": ("auto ", 5), "min_count": (0, "2", "x", 1.5), "max_count": (-1,),
        "availability_zone": ("bogus", "nova", "nova:compute2", "a:b:c:d", "", "nova:compute2:compute2", "x:compute2"),
        "host": ("compute2", "nohost", ""), "hypervisor_hostname": ("compute2", "nohost"),
        "metadata": ({"a": "b"}, {"a": 1}, {"": "b"}, {"a" * 256: "b"}, []), "adminPass": (5, "p"),
        "hostname": ("h", "ok-1"), "x": (1,), "return_reservation_id": (True, "maybe"), "config_drive": ("x", True),
        "description": (None, 5), "tags": ([],), "OS-DCF:diskConfig": ("AUTO", "x"),
    }.items():  # fmt: skip
        for value in values:
            yield _server(**{key: value})
    yield _server(min_count=2, max_count=1)
    yield _server(min_count=30, max_count=30)
    yield _server(min_count=3, max_count=30)
    yield _server(hostname="ok-1", max_count=2)
    yield _server(host="compute2", availability_zone="nova:compute2")
    yield from ({"server": None}, {"server": {}}, {}, {"x": 1}, None, {**_server(), "x": 1})
    for hints in ({"group": UNKNOWN}, 5):
        yield {**_server(), "os:scheduler_hints": hints}


def _answer(nova: RealNova, row: Row) -> Row:
    prefix = [cells.STATES[row["state"]]] if row["state"] else [FLAVORS]
    step = {"op": "request", "server": "a", "body": row["body"], "microversion": row["microversion"], "who": row["who"],
            "method": row.get("method", "POST"), "allocations": False, "watch": False, "settle": False}  # fmt: skip
    if row["state"] is None:
        step["path"] = "/servers"
    elif row.get("migration"):
        step["path"] = "/servers/{server}/migrations/{migration}" + ("" if row.get("method") else "/action")
    if row["body"] is None and not row.get("method"):
        step["raw"] = "null"
    answer = nova.play(cells.REQUEST_CLOUD, [step], prefix)[-1]
    return {**row, **{key: answer[key] for key in ("code", "message", "fault_name")}}


def main() -> None:
    with RealNova() as nova:
        answered = [_answer(nova, row) for row in rows()]
    text = json.dumps(answered, separators=(",", ":"))
    OUT.write_bytes(gzip.compress(text.encode(), 9, mtime=0))
    print(f"{len(answered)} requests")


if __name__ == "__main__":
    main()
