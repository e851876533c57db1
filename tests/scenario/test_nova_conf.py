"""Operators' nova.conf as it is found: references between sections, stray names, options of plugins and of older Novas."""

from __future__ import annotations

from pathlib import Path

import pytest

from sim.errors import InputError
from sim.scenario.nova_conf import NovaOptions, read_options


def options_of(tmp_path: Path, text: str) -> NovaOptions:
    path = tmp_path / "nova.conf"
    path.write_text(text, "utf-8")
    return read_options(path)


def test_references_reach_the_default_section_from_everywhere(tmp_path: Path) -> None:
    """As in every installation guide: $my_ip in [vnc] and [libvirt], set in [DEFAULT] or left to Nova."""
    text = """[DEFAULT]
my_ip = 10.0.0.7
max_concurrent_live_migrations = ${parallel}
parallel = 3
resize_confirm_window = ${scheduler.max_attempts}
[scheduler]
max_attempts = 7
[libvirt]
live_migration_inbound_addr = $my_ip
live_migration_downtime = ${resize_confirm_window}00
"""
    found = options_of(tmp_path, text)
    assert found["DEFAULT.max_concurrent_live_migrations"] == 3
    assert found["DEFAULT.resize_confirm_window"] == 7
    assert found["libvirt.live_migration_downtime"] == 700
    assert found.values["libvirt.live_migration_inbound_addr"] == "10.0.0.7"
    left = options_of(tmp_path, "[libvirt]\nlive_migration_inbound_addr = $my_ip\n")
    assert left.values["libvirt.live_migration_inbound_addr"] == "127.0.0.1"


def test_names_that_nova_does_not_read_are_listed(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """With dashes, in other letters, oslo.config's own, with a leading underscore; an older name is read in silence."""
    text = """[DEFAULT]
report-interval = 3
Service_Down_Time = 5
config_dir = /etc/nova/nova.conf.d
_hidden = 1
quota_instances = 50
"""
    found = options_of(tmp_path, text)
    assert (found["DEFAULT.report_interval"], found["DEFAULT.service_down_time"]) == (10, 60)
    assert found["quota.instances"] == 50
    said = {use.name: use.note for use in found.unknown}
    assert "did you mean 'report_interval'?" in said["DEFAULT.report-interval"]
    assert "did you mean 'service_down_time'?" in said["DEFAULT.Service_Down_Time"]
    assert {"DEFAULT._hidden"} <= said.keys()
    assert capfd.readouterr() == ("", "")


def test_options_that_have_moved_are_told_where_to(tmp_path: Path) -> None:
    text = "[DEFAULT]\nram_weight_multiplier = -1\nscheduler_max_attempts = 4\nuse_neutron = true\n"
    said = {use.name: use.note for use in options_of(tmp_path, text).unknown}
    assert said["DEFAULT.ram_weight_multiplier"].endswith("it has filter_scheduler.ram_weight_multiplier")
    assert said["DEFAULT.scheduler_max_attempts"].endswith("it has scheduler.max_attempts")
    assert said["DEFAULT.use_neutron"] == "Nova has no such option in [DEFAULT]"


def test_how_services_log_in_is_known_to_nova(tmp_path: Path) -> None:
    text = "".join(f"[{group}]\nauth_type = password\nusername = nova\npassword = a$b\nproject_name = service\n"
                   for group in ("keystone_authtoken", "placement", "neutron", "service_user"))  # fmt: skip
    found = options_of(tmp_path, text)
    assert not found.unknown
    assert len(found.no_effect) == 16
    assert {use.value for use in found.no_effect} == {None}


def test_lines_end_where_nova_ends_them(tmp_path: Path) -> None:
    found = options_of(tmp_path, "[DEFAULT]\n# a\u2028b\x0cc\x85d\nreport_interval = 15\n")
    assert found["DEFAULT.report_interval"] == 15
    assert found.honoured[0].where.endswith("nova.conf:3 [DEFAULT] report_interval")


def test_a_byte_order_mark_is_told_as_what_it_is(tmp_path: Path) -> None:
    with pytest.raises(InputError) as told:
        options_of(tmp_path, "\ufeff[DEFAULT]\nreport_interval = x\n")
    assert [issue.what for issue in told.value.issues] == ["begins with a byte order mark, which Nova cannot read"]
