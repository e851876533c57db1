"""The JSON Schema that editors use takes every scenario that loads, and marks what does not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from sim.scenario.schema import scenario_schema

ROOT = Path(__file__).parents[2]
SCHEMA = jsonschema.Draft202012Validator(scenario_schema())


def complaints(text: str) -> list[str]:
    found: Any = yaml.safe_load(text)
    return [error.message for error in SCHEMA.iter_errors(found)]


def test_it_is_a_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(scenario_schema())


@pytest.mark.parametrize("path", sorted((ROOT / "scenarios").glob("*.yaml")), ids=lambda path: path.stem)
def test_scenarios_that_come_with_novasim_please_it(path: Path) -> None:
    assert complaints(path.read_text(encoding="utf-8")) == []


def test_a_file_that_extends_another_leaves_out_what_it_inherits() -> None:
    assert complaints("extends: other.yaml\ncloud: {nova: {options: {max_concurrent_live_migrations: 2}}}") == []
    assert complaints("extends: [a.yaml, b.yaml]") == []


def test_a_wrong_key_is_marked() -> None:
    assert "nme" in complaints("cloud: {hosts: [{nme: h1, vcpus: 1, memory: 1 GiB, disk: 1 GiB}]}")[0]
    assert complaints("extends: 7")


@pytest.mark.parametrize("step", ["{hosts: [h1], per_host: 0}", "{hosts: [h1], concurrency: 0}"])
def test_a_bound_is_marked_also_of_what_may_be_left_out(step: str) -> None:
    assert complaints(f"extends: other.yaml\nplan: [{{drain: {step}}}]")
    assert complaints(f"extends: other.yaml\nplan: [{{drain: {step.replace('0', '1')}}}]") == []
