"""What happened inside Nova, in which order, as plain rows."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import virtual_time
from nova import objects
from nova.api.openstack import common
from nova.db.main import api as db
from nova.tests.fixtures import notifications
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
        self.add(
            "notification",
            event_type=sent["event_type"],
            publisher_id=sent["publisher_id"],
            priority=sent["priority"],
            state=data.get("state"),
            task_state=data.get("task_state"),
            host=data.get("host"),
            fault_exception=fault,
        )

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
            self.add(
                "instance", changed=changed, status=status, vm_state=instance.vm_state, task_state=instance.task_state
            )

    def _migration(self, op: str) -> Callable[..., None]:
        def tell(one: Any, changed: list[str], *_: Any, **__: Any) -> None:
            if changed:
                self.add(
                    "migration",
                    op=op,
                    id=one.id,
                    status=one.status,
                    migration_type=one.migration_type,
                    source_compute=one.source_compute,
                    dest_compute=one.dest_compute if "dest_compute" in one else None,
                    changed=changed,
                )

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
        watch(
            "instance_fault_create",
            lambda v: self.add("instance_fault", code=v["code"], message=v["message"], host=v["host"]),
        )

    def _event_finished(self, values: dict[str, Any]) -> None:
        trace = values.get("traceback")
        self.add(
            "event_finish",
            event=values["event"],
            result=values.get("result"),
            details=values.get("details"),
            traceback_last_line=trace.strip("\n").split("\n")[-1] if trace else None,
        )
