"""The scenarios that are shipped: each has its story at the top, and there is nothing wrong with any."""

from __future__ import annotations

from pathlib import Path

import pytest

from sim.errors import Issue
from sim.scenario.importers.openstack import import_openstack, write_scenario
from sim.scenario.loader import dump, examine, load, parse
from sim.scenario.tree import Node
from sim.scenario.yaml_text import parse_yaml

SCENARIOS = Path(__file__).parents[2] / "scenarios"
SHIPPED = sorted(path for path in SCENARIOS.glob("*.yaml") if path.name != "imported_cloud.yaml")


def test_at_least_the_eight_that_are_promised() -> None:
    assert {path.stem for path in SHIPPED} >= {
        "rack_drain", "rolling_reboot", "failed_host_evacuation", "never_converges", "retries_exhausted",
        "auto_confirm_night", "anti_affinity_deadlock", "teaching_lab_day",
    }  # fmt: skip


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_each_is_without_errors_and_tells_its_story_in_two_lines(path: Path) -> None:
    lines = path.read_text().splitlines()
    assert lines[0].startswith("# ")
    assert lines[1].startswith("# ")
    assert not lines[2].startswith("#")
    found = examine(path)
    assert found.scenario.name == path.stem
    assert found.scenario.story
    assert found.scenario.plan
    issues: list[Issue] = []
    data = parse_yaml(dump(found.scenario), "dump", issues)
    assert isinstance(data, Node)
    assert not issues
    assert parse(data.plain()) == found.scenario


def test_the_imported_cloud_is_what_the_importer_makes_of_the_exports(tmp_path: Path) -> None:
    imported, _ = import_openstack(
        SCENARIOS / "openstack-export", nova_conf=SCENARIOS / "openstack-export" / "nova.conf"
    )
    made = write_scenario(imported, tmp_path / "imported_cloud.yaml").read_text().splitlines()
    kept = (SCENARIOS / "imported_cloud.yaml").read_text().splitlines()
    assert [line for line in made if "nova.conf" not in line] == [line for line in kept if "nova.conf" not in line]


def test_the_rack_is_drained_of_what_the_exports_say_is_in_it() -> None:
    scenario = load(SCENARIOS / "rack_drain.yaml")
    in_rack = {host.name for host in scenario.cloud.hosts if host.rack == "r02"}
    assert len(in_rack) == 5
    assert sum(server.host in in_rack for server in scenario.cloud.servers) == 8 + 3 + 24
