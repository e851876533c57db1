"""No option without effect: what is listed as honoured is read by the sources, and what they read is listed."""

from __future__ import annotations

import re
from pathlib import Path

import sim
from sim.scenario.honoured import HONOURED
from sim.scenario.nova_options import NOT_SIMULATED, catalogue

_ABOUT_OPTIONS = {"honoured.py", "nova_options.py"}
SOURCES = [
    path.read_text("utf-8") for path in Path(sim.__file__).parent.rglob("*.py") if path.name not in _ABOUT_OPTIONS
]


def test_what_is_read_is_listed() -> None:
    read = {name for text in SOURCES for name in re.findall(r'options\["(\w+\.\w+)"\]', text)}
    assert read <= HONOURED, f"read but not listed: {sorted(read - HONOURED)}"


def test_what_is_listed_is_read() -> None:
    """By its name as a word, or by a template such as ``initial_{kind}_allocation_ratio``."""
    words = {word for text in SOURCES for word in re.findall(r"\w+", text)}
    templates = [
        re.sub(r"\{\w+\}", r"\\w+", template)
        for text in SOURCES
        for template in re.findall(r'options\[f"\w+\.(\w*\{\w+\}\w+|\w+\{\w+\}\w*)"\]', text)
    ]
    unread = [
        name for name in sorted(HONOURED)
        if name.split(".", 1)[1] not in words and not any(re.fullmatch(t, name.split(".", 1)[1]) for t in templates)
    ]  # fmt: skip
    assert not unread


def test_what_has_no_effect_says_why_and_nothing_else_does() -> None:
    unexplained = {facts.name for facts in catalogue().facts.values() if facts.why == NOT_SIMULATED}
    assert unexplained == HONOURED
