"""Bad input: each mistake gives an error with file, line or path, and what would be right; exit code 2."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import pytest

from sim.cli.main import main
from tests.scenario.mistakes_in_exports import CONF_MISTAKES, EXPORT_MISTAKES, write_exports
from tests.scenario.mistakes_in_scenarios import GOOD, SCENARIO_MISTAKES


class Outcome(NamedTuple):
    """What a command did."""

    code: int
    out: str
    err: str


class Console:
    """Runs novasim in this process, in a folder of its own."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder, self._monkeypatch, self._capsys = folder, monkeypatch, capsys
        monkeypatch.chdir(folder)

    def write(self, files: Mapping[str, str]) -> None:
        for name, text in files.items():
            (self.folder / name).parent.mkdir(parents=True, exist_ok=True)
            (self.folder / name).write_text(text)

    def run(self, *argv: str) -> Outcome:
        self._monkeypatch.setattr(sys, "argv", ["novasim", *argv])
        code = 0
        try:
            main()
        except SystemExit as stop:
            code = int(stop.code or 0)
        captured = self._capsys.readouterr()
        return Outcome(code, captured.out, captured.err)

    def refuses(self, *argv: str) -> str:
        """The command must say what is wrong, and leave the folder as it was. Returns what it says."""
        before = sorted(path.relative_to(self.folder) for path in self.folder.rglob("*"))
        outcome = self.run(*argv)
        assert outcome.code == 2, outcome
        assert "Traceback" not in outcome.err
        assert re.search(r"^\d+ issues?$", outcome.err, re.MULTILINE), outcome.err
        assert outcome.err.splitlines()[-1].split()[0] == str(len(outcome.err.splitlines()) - 1)
        assert sorted(path.relative_to(self.folder) for path in self.folder.rglob("*")) == before
        return outcome.err


@pytest.fixture
def console(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Console:
    return Console(tmp_path, monkeypatch, capsys)


def _marked(text: str) -> tuple[str, int | None]:
    """The text without its mark, and the line that was marked."""
    at = text.find("§")
    return text.replace("§", ""), text.count("\n", 0, at) + 1 if at >= 0 else None


def test_there_are_at_least_sixty_different_mistakes() -> None:
    assert len(SCENARIO_MISTAKES) + len(EXPORT_MISTAKES) + len(CONF_MISTAKES) >= 100
    assert len(SCENARIO_MISTAKES) >= 60


def test_the_file_that_the_mistakes_are_made_in_is_good(console: Console) -> None:
    console.write({"scenario.yaml": GOOD})
    assert console.run("check", "scenario.yaml").code == 0


@pytest.mark.parametrize("name", SCENARIO_MISTAKES)
def test_scenario_mistakes(console: Console, name: str) -> None:
    mistake = SCENARIO_MISTAKES[name]
    assert GOOD.count(mistake.old) == 1
    text, line = _marked(GOOD.replace(mistake.old, mistake.new))
    console.write({"scenario.yaml": text})
    said = console.refuses("check", "scenario.yaml")
    assert console.refuses("run", "scenario.yaml", "--out", "out") == said
    place = f"scenario.yaml:{line}" if line is not None else "scenario.yaml"
    about = [one for one in said.splitlines() if place in one and mistake.path in one]
    assert about, said
    for words in mistake.says:
        assert any(words in one for one in about), (words, said)


@pytest.mark.parametrize("name", EXPORT_MISTAKES)
def test_export_mistakes(console: Console, name: str) -> None:
    mistake = EXPORT_MISTAKES[name]
    write_exports(console.folder / "export", mistake.files)
    said = console.refuses("import", "openstack", "export", "-o", "cloud.yaml", *mistake.options)
    for words in (mistake.place, *mistake.says):
        assert words in said, (words, said)


@pytest.mark.parametrize("name", CONF_MISTAKES)
def test_nova_conf_mistakes(console: Console, name: str) -> None:
    mistake = CONF_MISTAKES[name]
    text, line = _marked(mistake.text)
    good = GOOD.replace("nova: {options: {resize_confirm_window: 60}}", "nova: {conf: nova.conf}")
    console.write({"nova.conf": text, "scenario.yaml": good})
    write_exports(console.folder / "export", {})
    for argv in (
        ["check", "scenario.yaml"],
        ["import", "openstack", "export", "--nova-conf", "nova.conf", "-o", "c.yaml"],
    ):
        said = console.refuses(*argv)
        for words in (f"nova.conf:{line}" if line is not None else "nova.conf", *mistake.says):
            assert words in said, (words, said)


def test_all_issues_come_at_once(console: Console) -> None:
    text = GOOD.replace("      vcpus: 32", "      vcpu: 32").replace("policy: anti-affinity", "policy: none").replace(
        "hosts: [h-1]", "hosts: [nowhere]").replace("      flavor: small", "      flavor: large")  # fmt: skip
    console.write({"scenario.yaml": text})
    said = console.refuses("check", "scenario.yaml")
    for words in ("unknown key 'vcpu'", "'vcpus' is missing", "'none' is not possible", "'nowhere' matches no host",
                  "unknown flavor 'large'"):  # fmt: skip
        assert words in said
    assert "5 issues" in said


@pytest.mark.parametrize("extends", ["scenario.yaml", "nowhere.yaml", "7"])
def test_a_file_that_cannot_be_extended_is_the_only_mistake(console: Console, extends: str) -> None:
    console.write({"scenario.yaml": f"extends: {extends}\nplan:\n  - drain: {{hosts: [h-1]}}\n"})
    assert console.refuses("check", "scenario.yaml").splitlines()[-1] == "1 issue"


@pytest.mark.parametrize(
    "wrong",
    [
        "every: 3 parsecs, lifetime: 1 h, count: 3", "every: {exponential: 1 h}, lifetime: 1 h, count: 3",
        "every: 1 min, lifetime: {exponential: 1 h}, count: 3", "every: 1 min, lifetime: {normal: {mean: 1 h}}, count: 3",
        "every: 1 min, lifetime: 1 h, count: many", "every: 1 min, lifetime: 1 h, until: soon",
    ],
)  # fmt: skip
def test_what_is_there_and_wrong_is_not_called_missing(console: Console, wrong: str) -> None:
    console.write({"scenario.yaml": GOOD + f"workload:\n  - {{name: users, {wrong}}}\n"})
    said = console.refuses("check", "scenario.yaml")
    assert said.splitlines()[-1] == "1 issue", said


@pytest.mark.parametrize(
    ("argv", "says"),
    [
        (["check", "nothing.yaml"], ("no such file: nothing.yaml",)),
        (["check", "."], ("is a folder",)),
        (["check", "empty.yaml"], ("empty.yaml", "is empty", "cloud, plan, run")),
        (["check", "list.yaml"], ("list.yaml", "not keys and values")),
        (["check", "latin.yaml"], ("latin.yaml", "not UTF-8")),
        (["check", "scenario.yaml", "--set", "run.seed"], ("--set run.seed", "is not PATH=VALUE")),
        (["check", "scenario.yaml", "--set", "run.sed=7"], ("run.sed", "did you mean 'seed'")),
        (["check", "scenario.yaml", "--set", "cloud.hosts[0]vcpus=7"], ("is broken at 'vcpus'", "cloud.hosts[0].nic")),
        (["check", "scenario.yaml", "--set", "cloud.hosts[9].vcpus=7"], ("there is no [9]", "[0] to [1]")),
        (["check", "scenario.yaml", "--set", "cloud.hosts[gone].vcpus=7"], ("no entry is named 'gone'", "big-1")),
        (["check", "scenario.yaml", "--set", "cloud.hosts[h-1].vcpus=7"], ("one of many", "set [0]")),
        (["check", "scenario.yaml", "--set", "cloud.hosts[1].vcpus=seven"], ("'seven' is not a whole number",)),
        (["check", "scenario.yaml", "--set", "run={"], ("--set run={", "quote the value")),
        (["import", "openstack", "nowhere", "-o", "c.yaml"], ("nowhere: no such folder",)),
        (["import", "openstack", "scenario.yaml", "-o", "c.yaml"], ("is a file, not a folder",)),
        (["import", "openstack", "hollow", "-o", "c.yaml"], ("has no *.json", "server list")),
        (["import", "openstack", "export", "-o", "scenario.yaml"], ("exists and is no import", "another file")),
        (["import", "openstack", "export", "-o", "no/c.yaml"], ("the folder 'no' does not exist",)),
        (["import", "openstack", "export", "-o", "hollow"], ("is a folder", "name a file")),
        (["import", "openstack", "export", "-o", "c.yaml", "--nova-conf", "gone.conf"], ("gone.conf", "no such file")),
        (["import", "openstack", "export", "-o", "c.yaml", "--host-defaults", "cores=8"], ("unknown key 'cores'", "vcpus")),
        (["import", "openstack", "export", "-o", "c.yaml", "--host-defaults", "vcpus"], ("is not KEY=VALUE",)),
        (["import", "openstack", "export", "-o", "c.yaml", "--host-defaults", "memory=8"], ("memory=8", "has no unit")),
    ],
)  # fmt: skip
def test_command_line_mistakes(console: Console, argv: list[str], says: tuple[str, ...]) -> None:
    console.write({"scenario.yaml": GOOD, "empty.yaml": "", "list.yaml": "- a\n- b\n"})
    (console.folder / "latin.yaml").write_bytes("name: caf\xe9\n".encode("latin-1"))
    (console.folder / "hollow").mkdir()
    write_exports(console.folder / "export", {})
    said = console.refuses(*argv)
    for words in says:
        assert words in said, (words, said)


@pytest.mark.parametrize(
    "argv", [["check", "bad.yaml"], ["import", "openstack", "export", "-o", "cloud.yaml"], ["run", "bad.yaml"]]
)
def test_the_real_command_says_the_same(tmp_path: Path, argv: list[str]) -> None:
    (tmp_path / "bad.yaml").write_text(GOOD.replace("      vcpus: 32", "      vcpu: 32"))
    write_exports(tmp_path / "export", {"server-list.json": "[{"})
    before = sorted(tmp_path.rglob("*"))
    source = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", "from sim.cli.main import main; main()", *argv],
        cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(source)}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 2, done
    assert "Traceback" not in done.stderr
    assert re.search(r"^\d+ issues?$", done.stderr, re.MULTILINE)
    assert sorted(tmp_path.rglob("*")) == before
