"""Operators' policy files: what cannot be read is told with its line, before anything runs."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from sim.errors import InputError
from sim.scenario.loader import parse
from sim.scenario.policy_file import policy_issues

RULES = """\
# ours
"os_compute_api:os-migrate-server:migrate": "role:admin and (not"
"os_compute_api:os-evacuate": "role:admin or operator"
"deny": "!"
"all": ""
"either": [["role:admin", "rule:all"], ["@"]]
"os_compute_api:servers:resize":
"""


def test_rules_that_cannot_be_read_are_told_with_their_lines(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """oslo.policy logs a traceback for each, and refuses everybody what it guards."""
    path = tmp_path / "policy.yaml"
    path.write_text(RULES)
    told = {issue.where.rpartition(":")[2]: issue.what for issue in policy_issues(str(path))}
    assert told.keys() == {"2", "3", "7"}
    assert told["3"] == "rule 'os_compute_api:os-evacuate' cannot be read: 'role:admin or operator'"
    assert capfd.readouterr() == ("", "")


def test_a_folder_is_no_policy_file(tmp_path: Path) -> None:
    host = {"name": "h", "vcpus": 1, "memory": "4 GiB", "disk": "1 TiB"}
    with pytest.raises(InputError, match="is a folder; name a file of rules"):
        parse({"cloud": {"hosts": [host], "nova": {"policy": "."}}}, base=tmp_path)


def test_rules_are_read_alike_whatever_is_logged(tmp_path: Path) -> None:
    """Programs around novasim switch loggers off, as they like."""
    path = tmp_path / "policy.yaml"
    path.write_text(RULES)
    before = [str(issue) for issue in policy_issues(str(path))]
    logging.disable(logging.CRITICAL)
    try:
        assert [str(issue) for issue in policy_issues(str(path))] == before
    finally:
        logging.disable(logging.NOTSET)


@pytest.mark.parametrize("text", ["", "# nothing\n", '{"a": "role:admin"}', '\ufeff"a": "role:x"\r\n'])
def test_other_forms_are_good(tmp_path: Path, text: str) -> None:
    path = tmp_path / "policy.json"
    path.write_text(text, "utf-8")
    assert list(policy_issues(str(path))) == []
