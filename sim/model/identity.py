"""Identifiers that are the same in every run."""

from __future__ import annotations

import uuid

_NAMESPACE = uuid.UUID("6d1f9a3c-55a4-4be0-9a4f-3c8f0b1f5e0a")


def named_uuid(kind: str, name: str) -> str:
    """The UUID of a thing, from what it is and its name alone."""
    return str(uuid.uuid5(_NAMESPACE, f"{kind}/{name}"))
