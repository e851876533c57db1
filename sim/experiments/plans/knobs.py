"""What an operator can turn in a drain: how many at once, in which order, by which method, and Nova's own options."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sim.errors import Issue
from sim.experiments.axes import Value, axis_of, value_text
from sim.scenario.edits import split_setting
from sim.scenario.expand import expand_hosts, expand_servers, host_index, nova_options
from sim.scenario.patterns import closest
from sim.scenario.spec import Scenario

_OPTIONS = {
    "nova_limit": "DEFAULT.max_concurrent_live_migrations",
    "bandwidth": "libvirt.live_migration_bandwidth",
    "auto_converge": "libvirt.live_migration_permit_auto_converge",
    "post_copy": "libvirt.live_migration_permit_post_copy",
    "timeout_action": "libvirt.live_migration_timeout_action",
}
"""Knobs that are options of Nova."""
NAMES = ("concurrency", "per_host", "order", "method", *_OPTIONS)
_MIB = 2**20


@dataclass(frozen=True, slots=True)
class Knob:
    """One thing to turn, from its gentlest setting to its strongest; ``own`` is what the scenario has."""

    name: str
    path: str
    values: tuple[Value, ...]
    own: Value

    @property
    def start(self) -> Value:
        """Where a search begins: at the scenario's own setting, if that may be tried."""
        return self.own if self.own in self.values else self.values[0]

    @property
    def loose(self) -> bool:
        """Whether its settings have no order."""
        return self.name in {"order", "method", "timeout_action"}

    def neighbours(self, value: Value) -> list[Value]:
        """The settings next to one, where they have an order; all others where they have none."""
        if self.loose:
            return [one for one in self.values if one != value]
        at = self.values.index(value)
        return [self.values[i] for i in (at - 1, at + 1) if 0 <= i < len(self.values)]


def drain_step(scenario: Scenario, name: str | None, issues: list[Issue]) -> int | None:
    """Which step of the plan is the drain: the one of that name, else the first; None and an issue if there is none."""
    drains = [i for i, step in enumerate(scenario.plan) if step.drain is not None]
    named = [i for i in drains if name is not None and scenario.plan[i].name == name]
    if name is not None and not named:
        names = [step.name for step in scenario.plan if step.drain is not None and step.name is not None]
        issues.append(Issue("--step", f"no drain of the plan is named {name!r}", closest(name, names)))
    elif not drains:
        issues.append(Issue("plan", "the scenario has no drain", "name hosts to drain, like --hosts rack:r02"))
    return next(iter(named if name is not None else drains), None)


def parse_tried(texts: Sequence[str], issues: list[Issue]) -> dict[str, list[Value]]:
    """Knob → the settings to try, from ``NAME=VALUES``; an issue for each that cannot be read."""
    return {name: values for name, values in (_tried(text, issues) for text in texts) if name is not None}


def knobs(scenario: Scenario, step: int, tried: Mapping[str, Sequence[Value]]) -> list[Knob]:
    """All knobs with the settings to try; those ``tried`` replace the usual ones."""
    drain = scenario.plan[step].drain
    assert drain is not None
    options = nova_options(scenario.cloud)
    usual = _usual(scenario, step)
    own: dict[str, Any] = {name: getattr(drain, name) for name in NAMES if name not in _OPTIONS}
    own |= {name: options[option] for name, option in _OPTIONS.items()}
    usual |= {name: list(values) for name, values in tried.items()}
    found = []
    for name in NAMES:
        values = list(usual[name])
        if own[name] not in values and name not in tried:
            values = _inserted(values, own[name])
        found.append(Knob(name, _path(scenario, name, step), tuple(values), own[name]))
    return found


def _usual(scenario: Scenario, step: int) -> dict[str, list[Value]]:
    """Settings to try where nobody says which."""
    drain = scenario.plan[step].drain
    assert drain is not None
    rows = expand_hosts(scenario.cloud)
    index = host_index(scenario.cloud, rows)
    sources = set(index.select(drain.hosts))
    on_them = [row for row in expand_servers(scenario.cloud, index) if row.host in sources]
    many = len(on_them) or sum(1 for _ in expand_servers(scenario.cloud, index))
    nic = min((row.migration_nic_bps or row.nic_bps for row in rows if row.name in sources), default=1.25e9)
    stopped = any(row.vm_state == "stopped" for row in on_them)
    return {
        "concurrency": _doubling(many, 128),
        "per_host": [*_doubling(-(-many // max(len(sources), 1)), 8), None] if len(sources) > 1 else [None],
        "order": ["host", "smallest_first", "largest_first"],
        "method": ["auto", "cold"] if stopped else ["live", "cold"],
        "nova_limit": [1, 2, 4],
        "bandwidth": [round(nic / _MIB / 4), round(nic / _MIB / 2), 0],
        "auto_converge": [False, True],
        "post_copy": [False, True],
        "timeout_action": ["abort", "force_complete"],
    }


def _doubling(most: int, limit: int) -> list[Value]:
    """1, 2, 4, … up to the first that is ``most`` or more."""
    values = [1]
    while values[-1] < min(most, limit):
        values.append(2 * values[-1])
    return list(values)


def _inserted(values: list[Value], value: Value) -> list[Value]:
    """A value at its place among numbers, else at the end; null and 0 are without limit, and stay last."""
    if isinstance(value, int) and not isinstance(value, bool) and value > 0:
        at = next((i for i, one in enumerate(values) if not one or one > value), len(values))
        return [*values[:at], value, *values[at:]]
    return [*values, value]


def _tried(text: str, issues: list[Issue]) -> tuple[str | None, list[Value]]:
    name, equals, values = split_setting(text)
    name = name.strip()
    if not equals or name not in NAMES:
        what = f"{name!r} is not a knob of a drain" if equals else "is not NAME=VALUES"
        right = closest(name, NAMES) if equals else "write it like --try concurrency=2,4,8"
        issues.append(Issue(f"--try {text}", what, right))
        return None, []
    axis = axis_of(name, values.strip(), f"--try {text}", issues)
    if axis is not None and axis.span is not None:
        issues.append(Issue(f"--try {text}", "is a range", "list the settings, like 2,4,8"))
    return (name, list(axis.values)) if axis is not None and axis.values else (None, [])


def _path(scenario: Scenario, name: str, step: int) -> str:
    """Where the scenario holds it: an option as the scenario itself writes it, so that the last word is this one."""
    option = _OPTIONS.get(name)
    if option is None:
        return f"plan[{step}].drain.{name}"
    group, key = option.split(".")
    given: Mapping[str, Any] = scenario.cloud.nova.options
    if isinstance(given.get(group), Mapping) and option not in given:
        return f"cloud.nova.options.{group}.{key}"
    if group == "DEFAULT" and key in given:
        return f"cloud.nova.options.{key}"
    return f'cloud.nova.options["{option}"]'


def settings_text(values: Mapping[str, Value], own: Mapping[str, Value]) -> str:
    """What a plan changes in the scenario, in words."""
    changed = [f"{name}={value_text(value)}" for name, value in values.items() if value != own[name]]
    return " ".join(changed) or "as it is"
