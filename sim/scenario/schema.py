"""The scenario file as JSON Schema, for editors: names of keys, what they hold, what they mean, as one types.

``novasim check`` says more (names that nothing has, quantities that cannot be); this says it sooner.
"""

from __future__ import annotations

from typing import Any

from sim.scenario.spec import CloudSpec, Scenario

_EXTENDS = {
    "description": "A file, or several, over which this one is laid: mappings merge, lists are replaced, null takes an "
    "inherited key away.",
    "anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}, "minItems": 1}],
}


def scenario_schema() -> dict[str, Any]:
    """JSON Schema (draft 2020-12) of a scenario file, as it is written and not as it is loaded.

    A file that ``extends`` another may leave out what it inherits, so scenario and cloud require nothing.
    """
    schema = Scenario.model_json_schema()
    schema = {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}
    schema["properties"] = {"extends": _EXTENDS, **schema["properties"]}
    schema.pop("required", None)
    schema["$defs"][CloudSpec.__name__].pop("required", None)
    return schema
