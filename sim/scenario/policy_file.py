"""An operator's policy file: whether it is one, and whether its rules can be read. What they mean, the door knows."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from oslo_policy import policy

from sim.errors import Issue
from sim.scenario.tree import shown

# A rule that it cannot read oslo.policy logs, and refuses whatever it guards: here that is told as a mistake.
logging.getLogger("oslo_policy").addHandler(logging.NullHandler())


def policy_issues(name: str) -> Iterator[Issue]:
    """Everything wrong with the file; nothing for one that is not there, which is told elsewhere."""
    path, place = Path(name), shown(name)
    if path.is_dir():
        yield Issue(place, "is a folder", "name a file of rules, like policy.yaml")
    if not path.is_file():
        return
    try:
        text = path.read_text("utf-8-sig")
        tree, rules = yaml.compose(text, yaml.SafeLoader), yaml.safe_load(text)
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        line = getattr(getattr(error, "problem_mark", None), "line", None)
        where = f"{place}:{line + 1}" if line is not None else place
        yield Issue(where, "is neither YAML nor JSON", 'write rules like "rule": "role:admin"')
        return
    if rules is None:
        return
    if not isinstance(rules, dict):
        yield Issue(place, "holds no rules", 'write lines like "rule": "role:admin"')
        return
    lines = {key.value: key.start_mark.line + 1 for key, _ in tree.value}
    for rule, value in rules.items():
        where = f"{place}:{lines.get(str(rule), 1)}"
        if not isinstance(value, (str, list)):
            yield Issue(where, f"rule {rule!r} is {value!r}", 'write it as text, like "role:admin"')
        elif not _readable(value):
            yield Issue(where, f"rule {rule!r} cannot be read: {value!r}", 'write it like "role:admin or rule:other"')


def _readable(rule: Any) -> bool:
    """What oslo.policy cannot read becomes a part that refuses, "!", beyond those that are written."""
    try:
        parsed = policy.Rules.from_dict({"rule": rule})["rule"]
    except (TypeError, ValueError, AttributeError):
        return False
    return str(parsed).count("!") <= str(rule).count("!")
