"""What is known of Nova's options: types, defaults and bounds of those around servers' actions, names of all others.

The facts are in ``data/nova_options.json`` (Nova 34.0.0, read from its registered options). Whether an option has an
effect is said by ``honoured.HONOURED``; why another has none, by the data file.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import lru_cache
from importlib.resources import files
from types import MappingProxyType
from typing import Any, NamedTuple

from oslo_config import cfg, types

from sim.scenario.honoured import HONOURED

NOT_SIMULATED = "not simulated"
_PLUGIN = """
auth_url default_domain_id default_domain_name domain_id domain_name password project_domain_id project_domain_name
project_id project_name system_scope tenant_id tenant_name trust_id user_domain_id user_domain_name user_id username
"""
"""How services log in to each other, by the plugins of keystoneauth."""


class OptionFacts(NamedTuple):
    """One option around servers' actions."""

    name: str
    """``GROUP.name``."""
    type: str
    default: Any
    min: float | None
    choices: tuple[str | None, ...] | None
    deprecated: tuple[str, ...]
    """Older names, ``GROUP.name``."""
    why: str
    """Why it has no effect, where it has none."""

    @property
    def group(self) -> str:
        """Section of nova.conf."""
        return self.name.split(".", 1)[0]

    @property
    def key(self) -> str:
        """Name within its section."""
        return self.name.split(".", 1)[1]

    def right(self) -> str:
        """What a right value looks like."""
        if self.choices is not None:
            words = ", ".join(choice if choice else "(blank)" for choice in self.choices)
            return f"one of: {words}"
        words = {"Integer": "a whole number", "Float": "a number", "Boolean": "true or false", "List": "a list: a,b,c",
                 "Dict": "key:value,key:value", "MultiString": "text", "HostDomain": "a host's name or address",
                 "String": "text"}[self.type]  # fmt: skip
        bound = f", at least {self.min:g}" if self.min is not None else ""
        return f"write {words}{bound} (Nova's default: {_shown(self.default)})"

    def value_type(self) -> Any:
        """The oslo.config type that converts and checks a value."""
        if self.type == "Integer":
            return types.Integer(min=None if self.min is None else int(self.min))
        if self.type == "Float":
            return types.Float(min=self.min)
        if self.type == "String" and self.choices is not None:
            return types.String(choices=list(self.choices))
        return {"Boolean": types.Boolean, "List": types.List, "Dict": types.Dict, "HostDomain": types.HostDomain}.get(
            self.type, types.String)()  # fmt: skip

    def oslo(self, reference: str | None = None) -> cfg.Opt:
        """The option as oslo.config registers it. ``reference``: what references to it find while it is unset."""
        deprecated = [cfg.DeprecatedOpt(key, group=group) for group, key in (d.split(".", 1) for d in self.deprecated)]
        multi = self.type == "MultiString"
        kind = cfg.MultiStrOpt if multi else cfg.Opt
        extra = {} if multi else {"type": self.value_type()}
        default = reference if self.default is None else self.default
        return kind(self.key, default=default, deprecated_opts=deprecated, **extra)


class Catalogue(NamedTuple):
    """All of Nova's options."""

    facts: Mapping[str, OptionFacts]
    aliases: Mapping[str, str]
    """Older name → name of today."""
    others: Mapping[str, str]
    """Every other option of Nova and of the libraries it reads options for → why it has no effect."""


def _shown(value: Any) -> str:
    if value is None or value == "":
        return "blank"
    if isinstance(value, bool):
        return str(value).lower()
    return ",".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)


@lru_cache(maxsize=1)
def catalogue() -> Catalogue:
    """The data file, read once; immutable."""
    data = json.loads(files("sim.scenario").joinpath("data/nova_options.json").read_text("utf-8"))
    facts: dict[str, OptionFacts] = {}
    aliases: dict[str, str] = {}
    for name, row in data["options"].items():
        choices = tuple(row["choices"]) if "choices" in row else None
        facts[name] = OptionFacts(name, row["type"], row["default"], row.get("min"), choices,
                                  tuple(row.get("deprecated", ())), row.get("why", NOT_SIMULATED))  # fmt: skip
        aliases.update(dict.fromkeys(row.get("deprecated", ()), name))
    reasons = data["other_why"]
    others: dict[str, str] = {}
    for group, keys in data["other"].items():
        names = keys.split()
        # Options of the plugin that is named there are known only to who loads it.
        plugin = _PLUGIN.split() if {"auth_type", "auth_section"} & set(names) else ()
        others.update({f"{group}.{key}": reasons[group] for key in (*names, *plugin)})
    return Catalogue(MappingProxyType(facts), MappingProxyType(aliases), MappingProxyType(others))


def is_honoured(name: str) -> bool:
    """Whether the simulated cloud reads the option."""
    return name in HONOURED
