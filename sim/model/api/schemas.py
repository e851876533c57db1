"""The shapes of request bodies: for each action, from which to which microversion.

Facts of Nova's API. The order of keys is the order in which mistakes are found, and so part of the facts.
"""

from __future__ import annotations

from typing import Any

from sim.model.api.microversions import MAXIMUM, MINIMUM, Version

Schema = dict[str, Any]
Spans = tuple[tuple[Version, Version, Schema], ...]

_BOOLEAN: Schema = {
    "type": ["boolean", "string"],
    "enum": [True, "True", "TRUE", "true", "1", "ON", "On", "on", "YES", "Yes", "yes",
             False, "False", "FALSE", "false", "0", "OFF", "Off", "off", "NO", "No", "no"],
}  # fmt: skip
_BOOLEAN_OR_AUTO: Schema = {"type": ["boolean", "string"], "enum": [*_BOOLEAN["enum"], "auto"]}
_HOST: Schema = {"type": "string", "pattern": "^[a-zA-Z0-9-._]*$", "minLength": 1, "maxLength": 255}
_HOSTNAME: Schema = {
    "type": "string", "pattern": "^[a-zA-Z0-9]+[a-zA-Z0-9-]*[a-zA-Z0-9]+$", "minLength": 2, "maxLength": 63,
}  # fmt: skip
_HOST_OR_NULL: Schema = {**_HOST, "type": ["string", "null"]}
_NAME: Schema = {"type": "string", "format": "name", "minLength": 1, "maxLength": 255}
_PASSWORD: Schema = {"type": "string"}
_METADATA: Schema = {
    "type": "object", "patternProperties": {"^[a-zA-Z0-9-_:. ]{1,255}$": {"type": "string", "maxLength": 255}},
    "additionalProperties": False,
}  # fmt: skip
_COUNT: Schema = {"type": ["integer", "string"], "pattern": "^[0-9]*$", "minimum": 1, "minLength": 1}


def _closed(properties: Schema, required: tuple[str, ...] = (), kind: object = "object") -> Schema:
    """An object with these properties and no others."""
    schema: Schema = {"type": kind, "properties": properties}
    if required:
        schema["required"] = list(required)
    schema["additionalProperties"] = False
    return schema


def _action(name: str, argument: Schema) -> Schema:
    return _closed({name: argument}, (name,))


def _always(schema: Schema) -> Spans:
    return ((MINIMUM, MAXIMUM, schema),)


def _live(*, over_commit: bool = False, auto: bool = True, force: bool = False) -> Schema:
    properties: Schema = {"block_migration": _BOOLEAN_OR_AUTO if auto else _BOOLEAN}
    required: tuple[str, ...] = ("block_migration", "host")
    if over_commit:
        properties["disk_over_commit"] = _BOOLEAN
        required = ("block_migration", "disk_over_commit", "host")
    properties["host"] = _HOST_OR_NULL
    if force:
        properties["force"] = _BOOLEAN
    return _action("os-migrateLive", _closed(properties, required))


def _evacuate(*, shared: bool = False, force: bool = False) -> Schema:
    properties: Schema = {"host": _HOST}
    if shared:
        properties["onSharedStorage"] = _BOOLEAN
    properties["adminPass"] = _PASSWORD
    if force:
        properties["force"] = _BOOLEAN
    return _action("evacuate", _closed(properties, ("onSharedStorage",) if shared else ()))


def _server(minor: int) -> Schema:
    """The create body. What has no effect in the simulated cloud is taken as it comes."""
    anything: Schema = {}
    properties: Schema = {
        "name": _NAME, "imageRef": {"type": "string", "maxLength": 255},
        "flavorRef": {"type": ["string", "integer"], "minLength": 1}, "adminPass": _PASSWORD,
        "metadata": _METADATA,
        "networks": {"oneOf": [{"type": "array"}, {"type": "string", "enum": ["none", "auto"]}]}
        if minor >= 37 else {"type": "array"},
        "OS-DCF:diskConfig": {"type": "string", "enum": ["AUTO", "MANUAL"]},
        "accessIPv4": anything, "accessIPv6": anything, "personality": anything,
        "availability_zone": _NAME, "block_device_mapping": {"type": "array"},
        "block_device_mapping_v2": {"type": "array"}, "config_drive": _BOOLEAN, "key_name": _NAME,
        "min_count": _COUNT, "max_count": _COUNT, "return_reservation_id": _BOOLEAN,
        "security_groups": {"type": "array"}, "user_data": {"type": ["string", "null"]},
    }  # fmt: skip
    for since, name, schema in (
        (19, "description", {"type": ["string", "null"], "maxLength": 255}), (52, "tags", {"type": "array"}),
        (63, "trusted_image_certificates", {"type": ["array", "null"]}), (74, "host", _HOST),
        (74, "hypervisor_hostname", _HOST), (90, "hostname", _HOSTNAME), (94, "hostname", _HOST),
    ):  # fmt: skip
        if minor >= since:
            properties[name] = schema
    if minor >= 57:
        del properties["personality"]
    required = ("name", "flavorRef", "networks") if minor >= 37 else ("name", "flavorRef")
    hints: Schema = {"type": "object"}
    return _closed(
        {"server": _closed(properties, required), "os:scheduler_hints": hints, "OS-SCH-HNT:scheduler_hints": hints},
        ("server",),
    )


def _creates() -> Spans:
    begins = (1, 19, 37, 52, 57, 63, 74, 90, 94)
    ends = (*(minor - 1 for minor in begins[1:]), MAXIMUM[1])
    return tuple(((2, begin), (2, end), _server(begin)) for begin, end in zip(begins, ends, strict=True))


_OPEN = (
    "injectNetworkInfo", "confirmResize", "revertResize", "os-start", "os-stop", "pause", "unpause", "suspend",
    "resume", "shelve", "shelveOffload", "unrescue", "restore", "forceDelete",
)  # fmt: skip
"""Actions whose argument may be anything."""

BODIES: dict[str, Spans] = {
    **{name: _always(_action(name, {})) for name in _OPEN},
    "create": _creates(),
    "evacuate": (
        (MINIMUM, (2, 13), _evacuate(shared=True)), ((2, 14), (2, 28), _evacuate()),
        ((2, 29), (2, 67), _evacuate(force=True)), ((2, 68), MAXIMUM, _evacuate()),
    ),
    "createImage": _always(_action("createImage", _closed({"name": _NAME, "metadata": _METADATA}, ("name",)))),
    "force_complete": _always(_action("force_complete", {"type": "null"})),
    "lock": (
        (MINIMUM, (2, 72), _action("lock", {})),
        ((2, 73), MAXIMUM, _action("lock", _closed(
            {"locked_reason": {"type": "string", "minLength": 1, "maxLength": 255}}, kind=["object", "null"]
        ))),
    ),
    "migrate": (((2, 56), MAXIMUM, _action("migrate", _closed({"host": _HOST_OR_NULL}, kind=["object", "null"]))),),
    "os-migrateLive": (
        (MINIMUM, (2, 24), _live(over_commit=True, auto=False)), ((2, 25), (2, 29), _live()),
        ((2, 30), (2, 67), _live(force=True)), ((2, 68), MAXIMUM, _live()),
    ),
    "os-resetState": _always(_action(
        "os-resetState", _closed({"state": {"type": "string", "enum": ["active", "error"]}}, ("state",))
    )),
    "reboot": _always(_action("reboot", _closed(
        {"type": {"type": "string", "enum": ["HARD", "Hard", "hard", "SOFT", "Soft", "soft"]}}, ("type",)
    ))),
    "rescue": _always(_action("rescue", _closed(
        {"adminPass": _PASSWORD, "rescue_image_ref": {"type": "string"}}, kind=["object", "null"]
    ))),
    "resize": _always(_action("resize", _closed({
        "flavorRef": {"type": ["string", "integer"], "minLength": 1},
        "OS-DCF:diskConfig": {"type": "string", "enum": ["AUTO", "MANUAL"]},
    }, ("flavorRef",)))),
    "unlock": ((MINIMUM, (2, 72), _action("unlock", {})),),
    "unshelve": (
        (MINIMUM, (2, 76), _action("unshelve", {})),
        ((2, 77), (2, 90), _action("unshelve", _closed(
            {"availability_zone": _NAME}, ("availability_zone",), ["object", "null"]
        ))),
        ((2, 91), MAXIMUM, _action("unshelve", _closed(
            {"availability_zone": {"type": ["string", "null"]}, "host": {"type": "string"}}, kind=["object", "null"]
        ))),
    ),
}  # fmt: skip
"""Action (or ``create``) → its shapes. No shape at a microversion means that anything goes."""
