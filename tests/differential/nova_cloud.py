"""Real Nova in this process: API, conductor, scheduler, placement and computes on Nova's own functional fixtures."""

from __future__ import annotations

import dataclasses
import json
import logging
import sys
import warnings
from typing import Any
from unittest import mock

import nova_driver
import nova_observer
import nova_rpc
import sqlalchemy
import webob
from nova import context as nova_context
from nova import objects, rpc
from nova.db.api import api as api_db
from nova.db.main import api as main_db
from nova.servicegroup.drivers import db as servicegroup_db
from nova.tests import fixtures as nova_fixtures
from nova.tests.functional import integrated_helpers
from nova_driver import WORLD
from nova_rpc import WORK
from oslo_config import cfg
from placement import db_api as placement_db

ROLES = {
    "admin": ("admin", "reader,member,admin"),
    "member": ("fake", "reader,member"),
    "reader": ("reader", "reader"),
    "stranger": ("stranger", "reader,member"),
}


@dataclasses.dataclass(frozen=True)
class Reply:
    """What the API answered: `message` and `fault_name` for an error, `body` the decoded JSON (or None)."""

    code: int
    message: str | None
    fault_name: str | None
    body: Any


class Cloud(integrated_helpers.ProviderUsageBaseTestCase):
    """The fixtures of one of Nova's functional tests, kept up instead of torn down after a test."""

    compute_driver = "fake.MediumFakeDriver"

    def setUp(self) -> None:
        self.flags(api_paste_config=f"{sys.prefix}/etc/nova/api-paste.ini", group="wsgi")
        nova_rpc.install()
        nova_observer.install_notification_watch()
        nova_driver.install_failures()
        self._keep_dead_hosts_silent()
        super().setUp()
        self.app = self.api_fixture.app()
        self._keep_connections()
        self.real_driver = lambda virtapi, *_: nova_driver.Driver(virtapi)

    def _keep_connections(self) -> None:
        """No connection grows too old, however far the clock jumps: a database in memory would go with it."""
        engines = [api_db.get_engine(), placement_db.placement_context_manager.writer.get_engine()]
        for cell in self.cell_mappings.values():
            with nova_context.target_cell(nova_context.get_admin_context(), cell) as target:
                engines.append(main_db.get_engine(context=target))
        for engine in engines:
            engine.pool._recycle = -1

    @staticmethod
    def quiet() -> None:
        """Nova's fixtures format every debug line; nobody reads them here."""
        root = logging.getLogger()
        for handler in list(root.handlers):
            root.removeHandler(handler)
        logging.disable(logging.CRITICAL)
        warnings.resetwarnings()  # its fixtures turn warnings of newer libraries into errors, which an API would not
        warnings.simplefilter("ignore")
        rpc.LegacyValidatingNotifier.fatal = False  # a test fails at an unknown notification, an API does not

    @staticmethod
    def _keep_dead_hosts_silent() -> None:
        report = servicegroup_db.DbDriver._report_state

        def report_state(self: Any, service: Any) -> None:
            if not (service.binary == "nova-compute" and service.host in WORK.dead):
                report(self, service)

        servicegroup_db.DbDriver._report_state = report_state

    def without_quota(self) -> None:
        self.useFixture(nova_fixtures.NoopQuotaDriverFixture())

    def start_host(self, host: str, vcpus: int, memory_mb: int, disk_gb: int) -> None:
        WORLD.sizes[host] = (vcpus, memory_mb, disk_gb)
        with mock.patch("nova.virt.driver.load_compute_driver", self.real_driver):
            self._start_compute(host)

    def remove_host(self, host: str) -> None:
        """As if it had never been. (To stop a service gracefully takes as long as its work might.)"""
        WORK.die(host)
        self.computes.pop(host).tg.stop()
        found = self.call("GET", f"/os-services?host={host}&binary=nova-compute", microversion="2.53")
        reply = self.call("DELETE", f"/os-services/{found.body['services'][0]['id']}", microversion="2.53")
        assert reply.code == 204, reply
        del WORLD.sizes[host]

    def return_host(self, host: str) -> None:
        """A dead host's service starts anew; what ran on its hypervisor is still there."""
        driver = self.computes[host].manager.driver
        WORK.revive(host)
        WORLD.crashed.discard(host)
        self._service_fixture_count["compute"] -= 1
        with mock.patch("nova.virt.driver.load_compute_driver", return_value=driver):
            self.computes[host] = self.start_service("compute", host=host)

    def set_option(self, name: str, value: Any) -> None:
        group, _, key = name.rpartition(".")
        cfg.CONF.set_override(key, value, None if group in ("", "DEFAULT") else group)

    def call(
        self,
        method: str,
        path: str,
        *,
        body: Any = None,
        raw: bytes | None = None,
        who: str = "admin",
        microversion: str | None = None,
        headers: dict[str, str] | None = None,
    ) -> Reply:
        """Ask the API, through its whole WSGI pipeline. `raw` replaces the JSON of `body` byte for byte."""
        user, roles = ROLES[who]
        request = webob.Request.blank(f"/v2.1{path}", method=method)
        request.headers["Content-Type"] = "application/json"
        if microversion:
            request.headers["X-OpenStack-Nova-API-Version"] = microversion
            request.headers["OpenStack-API-Version"] = f"compute {microversion}"
        request.headers.update(
            {
                "X-Auth-User": user,
                "X-User-Id": user,
                "X-Roles": roles,
                "X-Auth-Project-Id": "other" if who == "stranger" else self.api_fixture.project_id,
                **(headers or {}),
            }
        )
        if raw is not None:
            request.body = raw
        elif body is not None or method == "POST":
            request.body = json.dumps(body).encode()
        response = request.get_response(self.app)
        return _read(response)

    def write_instance(self, uuid: str, values: dict[str, Any]) -> None:
        """Write the server's row, as an operator would in the database."""
        context = nova_context.get_admin_context()
        with nova_context.target_cell(context, self.cell_mappings["cell1"]) as cell:
            instance = objects.Instance.get_by_uuid(cell, uuid)
            for key, value in values.items():
                setattr(instance, key, value)
            instance.save()

    def forget_servers(self) -> None:
        """Empty every table that a server leaves rows in, so that ids begin at 1 again."""
        context = nova_context.get_admin_context()
        for cell in self.cell_mappings.values():
            with nova_context.target_cell(context, cell) as target:
                _empty(main_db.get_engine(context=target), _SERVER_TABLES)
        _empty(api_db.get_engine(), _SERVER_TABLES)
        for compute in self.computes.values():
            compute.manager.driver.instances.clear()

    def run_periodic(self, name: str, hosts: list[str]) -> None:
        context = nova_context.get_admin_context()
        for host in hosts:
            with nova_context.target_cell(context, self.cell_mappings["cell1"]) as cell, WORK.on_host(host):
                getattr(self.computes[host].manager, name)(cell)


_SERVER_TABLES = (
    "instance_actions_events",
    "instance_actions",
    "instance_faults",
    "instance_extra",
    "instance_info_caches",
    "instance_metadata",
    "instance_system_metadata",
    "instance_id_mappings",
    "block_device_mapping",
    "migrations",
    "virtual_interfaces",
    "tags",
    "instances",
    "instance_mappings",
    "request_specs",
    "build_requests",
)


def _empty(engine: Any, tables: tuple[str, ...]) -> None:
    with engine.begin() as connection:
        present = set(sqlalchemy.inspect(connection).get_table_names())
        for table in tables:
            if table in present:
                connection.execute(sqlalchemy.text(f"DELETE FROM {table}"))


def _read(response: Any) -> Reply:
    body: Any = None
    if response.body:
        try:
            body = json.loads(response.body)
        except ValueError:
            body = response.text
    if response.status_int < 400:
        return Reply(response.status_int, None, None, body)
    if isinstance(body, dict) and len(body) == 1:
        ((name, fault),) = body.items()
        if isinstance(fault, dict):
            return Reply(response.status_int, fault.get("message"), name, body)
        if name == "errors":
            return Reply(response.status_int, fault[0].get("detail"), None, body)
    return Reply(response.status_int, body if isinstance(body, str) else None, None, body)
