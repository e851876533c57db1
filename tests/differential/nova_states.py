"""What Nova's databases and placement's say of one server, read as rows: objects would cost more than what they say.

A server that no host was found for lives in cell0; one that is not scheduled yet has nothing but a build request, and
is read as the API shows it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import sqlalchemy
from nova import context as nova_context
from nova.api.openstack import common
from nova.db.main import api as main_db
from placement import db_api as placement_db

Row = dict[str, Any]
_MIGRATION_KEYS = ("id", "status", "migration_type", "source_compute", "dest_compute", "source_node", "dest_node")
_SERVER = "SELECT vm_state, task_state, power_state, host, locked, deleted FROM instances WHERE uuid = :uuid"
_FAULT = (
    "SELECT code, message FROM instance_faults WHERE instance_uuid = :uuid ORDER BY created_at DESC, id DESC LIMIT 1"
)
_MIGRATIONS = f"SELECT uuid, {', '.join(_MIGRATION_KEYS)} FROM migrations WHERE instance_uuid = :uuid ORDER BY id"
_ACTIONS = "SELECT id, action, message, user_id FROM instance_actions WHERE instance_uuid = :uuid ORDER BY id"
_EVENTS = (
    "SELECT action_id, event, result, details, host, traceback FROM instance_actions_events"
    " WHERE action_id IN (SELECT id FROM instance_actions WHERE instance_uuid = :uuid) ORDER BY id"
)
_ALLOCATIONS = (
    "SELECT p.name AS host, a.resource_class_id AS class, a.used FROM allocations a"
    " JOIN resource_providers p ON p.id = a.resource_provider_id WHERE a.consumer_id = :uuid ORDER BY p.name"
)
_CLASSES = ("VCPU", "MEMORY_MB", "DISK_GB")  # the standard classes' ids are their places in os_resource_classes


class States:
    """Reads one cloud. `show`: how the API shows a server, asked where no cell has it."""

    def __init__(self, cells: dict[str, Any], show: Callable[[str], Any]) -> None:
        self._show = show
        self._cells = []
        for name in ("cell1", "cell0"):
            with nova_context.target_cell(nova_context.get_admin_context(), cells[name]) as cell:
                self._cells.append(main_db.get_engine(context=cell).connect())
        self._placement = placement_db.placement_context_manager.writer.get_engine().connect()

    def of(self, uuid: str, *, allocations: bool = True) -> Row:
        """One server: its state, migration records, instance actions with events, and what placement holds."""
        cell, found = self._find(uuid)
        records = self._rows(cell, _MIGRATIONS, uuid)
        row: Row = {
            "server": self._server(cell, uuid, found),
            "migrations": [{key: one[key] for key in _MIGRATION_KEYS} for one in records],
            "actions": self._actions(cell, uuid),
        }
        if allocations:
            row["allocations"] = self._allocations(uuid)
            held = {str(one["id"]): self._allocations(one["uuid"]) for one in records}
            row["held"] = {key: value for key, value in held.items() if value}
        return row

    def server(self, uuid: str | None) -> Row:
        """Status, states, host and lock; `get_code` instead where the API would not show it."""
        if uuid is None:
            return {"get_code": 404}
        cell, found = self._find(uuid)
        return self._server(cell, uuid, found)

    def migrations(self, uuid: str | None) -> list[Row]:
        """Migration records, oldest first."""
        return [] if uuid is None else self._rows(self._cells[0], _MIGRATIONS, uuid)

    def _rows(self, connection: Any, text: str, uuid: str) -> list[Row]:
        found = [dict(one) for one in connection.execute(sqlalchemy.text(text), {"uuid": uuid}).mappings()]
        connection.rollback()  # ends the read, so that the next one sees what was written since
        return found

    def _find(self, uuid: str) -> tuple[Any, Row | None]:
        for cell in self._cells:
            found = self._rows(cell, _SERVER, uuid)
            if found:
                return cell, found[0]
        return self._cells[0], None

    def _server(self, cell: Any, uuid: str, found: Row | None) -> Row:
        if found is None:
            return self._unscheduled(uuid)
        if found["deleted"]:
            return {"get_code": 404}
        status = common.status_from_state(found["vm_state"], found["task_state"])
        row: Row = {
            "status": status,
            "vm_state": found["vm_state"],
            "task_state": found["task_state"],
            "power_state": found["power_state"] or 0,
            "host": found["host"],
            "locked": bool(found["locked"]),
        }
        faults = self._rows(cell, _FAULT, uuid) if status in ("ERROR", "DELETED") else []
        if faults:
            row["fault"] = faults[0]
        return row

    def _unscheduled(self, uuid: str) -> Row:
        reply = self._show(uuid)
        if reply.code != 200:
            return {"get_code": reply.code}
        body = reply.body["server"]
        row: Row = {
            "status": body["status"],
            "vm_state": body["OS-EXT-STS:vm_state"],
            "task_state": body["OS-EXT-STS:task_state"],
            "power_state": body["OS-EXT-STS:power_state"],
            "host": body["OS-EXT-SRV-ATTR:host"],
            "locked": body["locked"],
        }
        if "fault" in body:
            row["fault"] = {"code": body["fault"]["code"], "message": body["fault"]["message"]}
        return row

    def _actions(self, cell: Any, uuid: str) -> list[Row]:
        events: dict[int, list[Row]] = {}
        for one in self._rows(cell, _EVENTS, uuid):
            trace = one.pop("traceback")
            one["traceback_last_line"] = trace.strip("\n").split("\n")[-1] if trace else None
            events.setdefault(one.pop("action_id"), []).append(one)
        rows = self._rows(cell, _ACTIONS, uuid)
        return [{**one, "events": events.get(number, [])} for one in rows for number in [one.pop("id")]]

    def _allocations(self, consumer: str) -> dict[str, dict[str, int]]:
        found: dict[str, dict[str, int]] = {}
        for one in self._rows(self._placement, _ALLOCATIONS, consumer):
            found.setdefault(one["host"], {})[_CLASSES[one["class"]]] = one["used"]
        return {host: dict(sorted(held.items())) for host, held in found.items()}
