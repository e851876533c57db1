"""What Nova's database and placement say, and what happened in which order, as plain rows."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from nova import context as nova_context
from nova import objects
from nova.api.openstack import common
from nova.db.main import api as db
from nova.tests.fixtures import notifications

import virtual_time
from nova_rpc import WORK

_INSTANCE_KEYS = ("vm_state", "task_state", "host", "node", "power_state", "locked")


_NOTIFIED: list[Callable[[dict[str, Any]], None]] = []  # notifiers are made by Nova, before there is an observer


def install_notification_watch() -> None:
    """Before the fixtures start: tell the observer of every versioned notification."""
    notify = notifications.FakeVersionedNotifier._notify

    def notified(self: Any, priority: str, ctxt: Any, event_type: str, payload: Any) -> None:
        notify(self, priority, ctxt, event_type, payload)
        for tell in _NOTIFIED:
            tell(self.versioned_notifications[-1])

    notifications.FakeVersionedNotifier._notify = notified


class Observer:
    """Reads states; records events while `recording`."""

    def __init__(self, cloud: Any) -> None:
        self.cloud = cloud
        self.recording = False
        self.events: list[dict[str, Any]] = []
        self.calls: list[str] = []
        self._start_s = 0.0
        self._db = nova_context.get_admin_context(read_deleted="yes")
        nova_context.set_target_cell(self._db, cloud.cell_mappings["cell1"])
        WORK.watch_call = self._call
        WORK.watch_raise = self._raise
        self._watch_objects()

    def record(self, on: bool) -> None:
        """Building notifications takes longer than what they tell of; they are sent only while recording."""
        self.recording = on
        self.cloud.set_option("notifications.notification_format", "versioned" if on else "unversioned")

    def begin(self) -> None:
        self.events = []
        self.calls = []
        self._start_s = virtual_time.CLOCK.now_s

    def add(self, kind: str, **fields: Any) -> None:
        if self.recording:
            at_s = round(virtual_time.CLOCK.now_s - self._start_s, 3)
            self.events.append({"t": at_s, "kind": kind, **fields})

    # -- states ---------------------------------------------------------------------------------------------------

    def server(self, uuid: str | None) -> dict[str, Any]:
        if uuid is None:
            return {"get_code": 404}
        try:
            instance = objects.Instance.get_by_uuid(self._db, uuid, expected_attrs=["fault"])
        except Exception:
            return self._unscheduled(uuid)
        if instance.deleted:
            return {"get_code": 404}
        status = common.status_from_state(instance.vm_state, instance.task_state)
        row: dict[str, Any] = {
            "status": status, "vm_state": instance.vm_state, "task_state": instance.task_state,
            "power_state": instance.power_state or 0, "host": instance.host, "locked": bool(instance.locked),
        }
        if status in ("ERROR", "DELETED") and instance.fault is not None:
            row["fault"] = {"code": instance.fault.code, "message": instance.fault.message}
        return row

    def _unscheduled(self, uuid: str) -> dict[str, Any]:
        """A server in cell0 or with nothing but a build request, as the API shows it."""
        reply = self.cloud.call("GET", f"/servers/{uuid}", who="admin", microversion="2.26")
        if reply.code != 200:
            return {"get_code": reply.code}
        body = reply.body["server"]
        row = {
            "status": body["status"], "vm_state": body["OS-EXT-STS:vm_state"],
            "task_state": body["OS-EXT-STS:task_state"], "power_state": body["OS-EXT-STS:power_state"],
            "host": body["OS-EXT-SRV-ATTR:host"], "locked": body["locked"],
        }
        if "fault" in body:
            row["fault"] = {"code": body["fault"]["code"], "message": body["fault"]["message"]}
        return row

    def migrations(self, uuid: str | None) -> list[dict[str, Any]]:
        if uuid is None:
            return []
        found = objects.MigrationList.get_by_filters(self._db, {"instance_uuid": uuid})
        keys = ("id", "status", "migration_type", "source_compute", "dest_compute", "source_node", "dest_node")
        return [{key: getattr(one, key) for key in keys} for one in sorted(found, key=lambda one: one.id)]

    def actions(self, uuid: str | None) -> list[dict[str, Any]]:
        if uuid is None:
            return []
        found = objects.InstanceActionList.get_by_instance_uuid(self._db, uuid)
        return [
            {"action": one.action, "message": one.message, "user_id": one.user_id, "events": self._events_of(one.id)}
            for one in sorted(found, key=lambda one: one.id)
        ]

    def _events_of(self, action_id: int) -> list[dict[str, Any]]:
        found = objects.InstanceActionEventList.get_by_action(self._db, action_id)
        rows = []
        for one in sorted(found, key=lambda one: one.id):
            details = one.details if one.obj_attr_is_set("details") else None
            last = one.traceback.strip("\n").split("\n")[-1] if one.traceback else None
            rows.append({"event": one.event, "result": one.result, "details": details, "host": one.host,
                         "traceback_last_line": last})
        return rows

    def allocations(self, consumer: str | None) -> dict[str, dict[str, int]]:
        if consumer is None:
            return {}
        found = self.cloud.placement.get(f"/allocations/{consumer}").body["allocations"]
        named = {self.provider(uuid): dict(sorted(one["resources"].items())) for uuid, one in found.items()}
        return dict(sorted(named.items()))

    @functools.cache  # noqa: B019 - one observer a process
    def provider(self, uuid: str) -> str:
        return str(self.cloud.placement.get(f"/resource_providers/{uuid}").body["name"])

    # -- what happens ---------------------------------------------------------------------------------------------

    def _call(self, method: str, host: str) -> None:
        self.calls.append(f"{method}@{host}")
        self.add("rpc", method=method, host=host, service="_TrackingEndpointWrapper")

    def _raise(self, method: str, host: str, error: BaseException) -> None:
        shown: Any = error
        info = getattr(error, "exc_info", None)
        message = str(info[1]) if info else str(shown)
        self.add("rpc_raise", method=method, host=host, exc=type(error).__name__, message=message)

    def _notified(self, sent: dict[str, Any]) -> None:
        data = sent["payload"].get("nova_object.data", {})
        fault = (data.get("fault") or {}).get("nova_object.data", {}).get("exception")
        self.add("notification", event_type=sent["event_type"], publisher_id=sent["publisher_id"],
                 priority=sent["priority"],
                 state=data.get("state"), task_state=data.get("task_state"), host=data.get("host"),
                 fault_exception=fault)

    def _watch_objects(self) -> None:
        def after(owner: Any, name: str, tell: Callable[..., None], before: Callable[..., Any] | None = None) -> None:
            original = getattr(owner, name)

            @functools.wraps(original)
            def wrapped(self_or_cls: Any, *args: Any, **kwargs: Any) -> Any:
                seen = before(self_or_cls) if before and self.recording else None
                result = original(self_or_cls, *args, **kwargs)
                if self.recording:
                    tell(self_or_cls, seen, result, *args, **kwargs)
                return result

            setattr(owner, name, wrapped)

        _NOTIFIED.append(self._notified)
        after(objects.Instance, "save", self._instance_saved, self._instance_changes)
        after(objects.Migration, "create", self._migration("create"), lambda one: sorted(one.obj_what_changed()))
        after(objects.Migration, "save", self._migration("update"), lambda one: sorted(one.obj_what_changed()))
        self._watch_db()

    @staticmethod
    def _instance_changes(instance: Any) -> dict[str, Any]:
        changed = instance.obj_what_changed()
        return {key: getattr(instance, key) for key in _INSTANCE_KEYS if key in changed}

    def _instance_saved(self, instance: Any, changed: dict[str, Any], *_: Any, **__: Any) -> None:
        if changed:
            status = common.status_from_state(instance.vm_state, instance.task_state)
            self.add("instance", changed=changed, status=status, vm_state=instance.vm_state,
                     task_state=instance.task_state)

    def _migration(self, op: str) -> Callable[..., None]:
        def tell(one: Any, changed: list[str], *_: Any, **__: Any) -> None:
            if changed:
                self.add("migration", op=op, id=one.id, status=one.status, migration_type=one.migration_type,
                         source_compute=one.source_compute,
                         dest_compute=one.dest_compute if "dest_compute" in one else None, changed=changed)

        return tell

    def _watch_db(self) -> None:
        def watch(name: str, tell: Callable[[dict[str, Any]], None]) -> None:
            original = getattr(db, name)

            @functools.wraps(original)
            def wrapped(context: Any, values: dict[str, Any], *args: Any, **kwargs: Any) -> Any:
                if self.recording:
                    tell(values)
                return original(context, values, *args, **kwargs)

            setattr(db, name, wrapped)

        watch("action_start", lambda v: self.add("action_start", action=v["action"]))
        watch("action_finish", lambda v: self.add("action_finish", message=v.get("message")))
        watch("action_event_start", lambda v: self.add("event_start", event=v["event"], host=v.get("host")))
        watch("action_event_finish", self._event_finished)
        watch("instance_fault_create", lambda v: self.add("instance_fault", code=v["code"], message=v["message"],
                                                          host=v["host"]))

    def _event_finished(self, values: dict[str, Any]) -> None:
        trace = values.get("traceback")
        self.add("event_finish", event=values["event"], result=values.get("result"), details=values.get("details"),
                 traceback_last_line=trace.strip("\n").split("\n")[-1] if trace else None)
