"""Plays one step after another on real Nova and says what each did. Steps are plain dictionaries; see `Player.play`."""

from __future__ import annotations

from typing import Any

import eventlet
import nova_cloud
import virtual_time
from nova_driver import WORLD, Gate
from nova_observer import Observer
from nova_rpc import WORK
from nova_states import States

IMAGE = "155d900f-4e14-4e4c-a73d-069cbf4541e6"
_LATE_S = 30.0
_MOMENT_S = 2.0
_REPORTED_S = 15.0
"""Services that have started anew have told so."""
_WARM = ("warm1", "warm2")
NO_SERVER = "00000000-aaaa-bbbb-cccc-000000000000"


class Player:
    """Holds the servers by name. A step answers a row; `watch` lists the servers whose state the row shows."""

    def __init__(self, cloud: Any) -> None:
        self.cloud = cloud
        self.observer = Observer(cloud)
        self.states = States(cloud.cell_mappings, self._show)
        self.servers: dict[str, str] = {}
        self.counted: set[str] = set()
        """Hosts that have counted their resources in this step."""
        self.groups: dict[str, str] = {}

    def _show(self, uuid: str) -> Any:
        return self.cloud.call("GET", f"/servers/{uuid}", microversion="2.26")

    def play(self, step: dict[str, Any]) -> dict[str, Any]:
        self.observer.record(bool(step.get("record")))
        self.observer.begin()
        self.counted.clear()
        if "hold" in step:
            WORLD.gates.append(Gate(step["hold"]))
        reply = getattr(self, f"op_{step['op']}")(step)
        midst = "midst_s" in step and bool(WORLD.gates)
        settled = WORK.settle(step["midst_s"] if midst else step.get("settle_s", 7200.0))
        if step.get("sync", False):
            self._sync(everywhere=step["op"] == "open")
        row: dict[str, Any] = {"settled": settled, "held": "hold" in step and WORLD.held(step["hold"])}
        if "hold" in step and not row["held"]:
            WORLD.open()
            WORK.settle(7200.0)
        if WORK.dead and "noticed_s" in step and not WORLD.gates:
            self._pass(step["noticed_s"])
            self._periodic("_poll_unconfirmed_resizes")
        if reply is not None:
            row |= {"code": reply.code, "message": reply.message, "fault_name": reply.fault_name}
            if reply.code < 400 and reply.body:
                row["body"] = reply.body
        if step.get("watch", True):
            row["servers"] = {
                name: self.states.of(uuid, allocations=step.get("allocations", True))
                for name, uuid in self.servers.items()
            }
        row["counted"] = sorted(self.counted)
        row["names"] = {uuid: name for name, uuid in self.servers.items()}
        row["rpc"] = list(self.observer.calls)
        if self.observer.recording:
            row["events"] = list(self.observer.events)
        return row

    def _sync(self, *, everywhere: bool) -> None:
        """A minute or two pass before the next step, as far as the scheduler is concerned.

        Until the hosts' periodic tasks have told it, it does not know what they have counted since; and it keeps its
        own view of a host until a later one is written. The clock moves by seconds only, so that no call fails.
        """
        virtual_time.CLOCK.now_s += _MOMENT_S
        alive = set(self.cloud.computes) - WORK.dead
        touched = alive if everywhere else alive & {call.rpartition("@")[2] for call in self.observer.calls}
        if touched:
            self.counted |= touched
            self.cloud.run_periodic("update_available_resource", sorted(touched))
            self.cloud.run_periodic("_sync_scheduler_instance_info", sorted(touched))
            WORK.settle(1.0)
        virtual_time.CLOCK.now_s += _MOMENT_S

    # -- what a client does -------------------------------------------------------------------------------------------

    def op_create(self, step: dict[str, Any]) -> Any:
        body: dict[str, Any] = {"name": step["name"], "imageRef": IMAGE, "flavorRef": step.get("flavor", "1")}
        microversion = step.get("microversion", "2.74")
        if microversion == "latest" or int(microversion.split(".")[1]) >= 37:
            body["networks"] = "none"
        if step.get("host"):
            body["host"] = step["host"]
        whole = {"server": body | step.get("extra", {})}
        if "group" in step:
            whole["os:scheduler_hints"] = {"group": self.groups[step["group"]]}
        reply = self.cloud.call("POST", "/servers", body=whole, microversion=microversion, who=step.get("who", "admin"))
        if reply.code == 202:
            self.servers[step["name"]] = reply.body["server"]["id"]
        return reply

    def op_request(self, step: dict[str, Any]) -> Any:
        path = self._fill(step.get("path", "/servers/{server}/action"), step)
        raw = step["raw"].encode() if "raw" in step else None
        return self.cloud.call(
            step.get("method", "POST"),
            path,
            body=step.get("body"),
            raw=raw,
            who=step.get("who", "admin"),
            microversion=step.get("microversion"),
            headers=step.get("headers"),
        )

    def _fill(self, path: str, step: dict[str, Any]) -> str:
        uuid = self.servers.get(step.get("server", ""), step.get("server_id", NO_SERVER))
        if "{migration}" in path:
            records = self.states.migrations(uuid)
            path = path.replace("{migration}", str(records[-1]["id"] if records else 999))
        return path.replace("{server}", uuid)

    def op_flavor(self, step: dict[str, Any]) -> Any:
        flavor = {
            "name": step["name"],
            "id": step.get("id", step["name"]),
            "vcpus": step["vcpus"],
            "ram": step["memory_mb"],
            "disk": step["disk_gb"],
        }
        return self.cloud.call("POST", "/flavors", body={"flavor": flavor})

    def op_group(self, step: dict[str, Any]) -> Any:
        body = {"server_group": {"name": step["name"], "policy": step["policy"]}}
        reply = self.cloud.call("POST", "/os-server-groups", body=body, microversion="2.64")
        self.groups[step["name"]] = reply.body["server_group"]["id"]
        return reply

    # -- what an operator does ----------------------------------------------------------------------------------------

    def op_service(self, step: dict[str, Any]) -> Any:
        """Disable, enable, force down or lift the compute service of a host."""
        host = self._named(step)
        if host is None:
            return None
        found = self.cloud.call("GET", f"/os-services?host={host}&binary=nova-compute", microversion="2.53")
        service = found.body["services"][0]["id"]
        change: dict[str, Any] = {}
        if "disabled" in step:
            change["status"] = "disabled" if step["disabled"] else "enabled"
        if "forced_down" in step:
            change["forced_down"] = step["forced_down"]
        reply = self.cloud.call("PUT", f"/os-services/{service}", body=change, microversion="2.53")
        return None if reply.code == 200 else reply

    def _named(self, step: dict[str, Any]) -> str | None:
        """The step's `host`, or the one that the server `host_of` is on."""
        if "host" in step:
            return str(step["host"])
        return self.states.server(self.servers.get(step["host_of"])).get("host")

    def op_write(self, step: dict[str, Any]) -> None:
        self.cloud.write_instance(self.servers[step["server"]], step["values"])

    def op_option(self, step: dict[str, Any]) -> None:
        self.cloud.set_option(step["name"], step["value"])

    def op_policy(self, step: dict[str, Any]) -> None:
        self.cloud.policy.set_rules(step["rules"], overwrite=False)

    # -- time and luck ------------------------------------------------------------------------------------------------

    def op_wait(self, step: dict[str, Any]) -> None:
        """Time passes; then every living host, in order of name, does its periodic tasks."""
        self._pass(step["seconds"])
        self._periodic("update_available_resource", "_poll_unconfirmed_resizes", "_cleanup_incomplete_migrations")

    @staticmethod
    def _pass(seconds: float) -> None:
        """Services report every ten seconds: instead of thousands of reports, one late one each."""
        virtual_time.CLOCK.now_s += max(0.0, seconds - _LATE_S)
        eventlet.sleep(min(seconds, _LATE_S))

    def _periodic(self, *tasks: str) -> None:
        hosts = sorted(set(self.cloud.computes) - WORK.dead)
        if "update_available_resource" in tasks:
            self.counted.update(hosts)
        for task in tasks:
            self.cloud.run_periodic(task, hosts)

    def op_settle(self, step: dict[str, Any]) -> None:
        """Nothing but let go on what is under way."""

    def op_gate(self, step: dict[str, Any]) -> None:
        """The next such call of that host's driver is held, or fails, or is its last."""
        WORLD.gates.append(Gate(step["call"], step["kind"], step["host"], step.get("message", "")))

    def op_open(self, _: dict[str, Any]) -> None:
        WORLD.open()

    def op_dead(self, step: dict[str, Any]) -> None:
        host = self._named(step)
        if host is not None:
            WORK.die(host)
            if step.get("crash"):
                self.cloud.computes[host].manager.driver.lose_guests()

    def op_back(self, _: dict[str, Any]) -> None:
        for host in sorted(set(self.cloud.computes) & WORK.dead):
            self.counted.add(host)
            self.cloud.return_host(host)
        eventlet.sleep(_REPORTED_S)


def start(spec: dict[str, Any], cloud: Any) -> Player:
    """A cloud as `spec` has it: hosts (name -> vcpus, memory_mb, disk_gb), options, fails, and what is true of it."""
    WORLD.slow = bool(spec.get("slow"))
    WORLD.slow_limit_s = float(spec.get("slow_limit_s", 5.0))
    WORLD.same_host = bool(spec.get("same_host"))
    WORLD.as_libvirt = bool(spec.get("as_libvirt"))
    WORLD.fails = {host: set(kinds) for host, kinds in spec.get("fails", {}).items()}
    for name, value in spec.get("options", {}).items():
        cloud.set_option(name, value)
    if spec.get("no_quota"):
        cloud.without_quota()
    for name, size in spec["hosts"].items():
        cloud.start_host(name, size["vcpus"], size["memory_mb"], size["disk_gb"])
    player = Player(cloud)
    WORK.settle(60.0)
    return player


def new_cloud() -> Any:
    """Nova without a host, warmed up: forks inherit compiled queries and schemas."""
    cloud = nova_cloud.Cloud(nova_cloud.Cloud.setUp.__name__)  # a test case must name a test
    cloud.setUp()
    cloud.quiet()
    for name in _WARM:
        cloud.start_host(name, 10, 8192, 100)
    _live(Player(cloud))
    for name in _WARM:
        cloud.remove_host(name)
    cloud.forget_servers()
    return cloud


def _live(player: Player) -> None:
    """One life with something of everything."""
    ask = {"op": "request", "server": "warm", "watch": False}
    resize = [{"resize": {"flavorRef": "2"}}, {"revertResize": None}, {"migrate": None}, {"confirmResize": None}]
    live = {"os-migrateLive": {"host": None, "block_migration": "auto"}}
    player.play({"op": "create", "name": "warm", "host": _WARM[0]})
    for body in [*resize, live, {"lock": None}, {"os-stop": None}, {"unlock": None}, {"os-start": None}]:
        player.play({**ask, "body": body, "microversion": "2.60"})
    player.play({"op": "service", "host_of": "warm", "forced_down": True})
    player.play({**ask, "body": {"evacuate": {}}, "microversion": "2.60"})
    player.play({**ask, "body": {"forceDelete": None}})
