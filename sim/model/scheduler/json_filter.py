"""Nova's filter by a query that the user writes as JSON: ``[">=", "$free_ram_mb", 1024]``."""

from __future__ import annotations

import json
import operator
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from sim.model.scheduler.base import HostFilter
from sim.model.scheduler.request import SchedulerRequest
from sim.model.scheduler.view import Mask

_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq, "<": operator.lt, ">": operator.gt, "<=": operator.le, ">=": operator.ge,
}  # fmt: skip
_OPERATIONS = (*_COMPARE, "in", "not", "or", "and")


class JsonFilter(HostFilter):
    """Hosts for which the query in the hint ``query`` is true."""

    def mask(self, request: SchedulerRequest) -> Mask | None:
        """Each host's values put into the query. Raises ValueError for what is no query."""
        text = request.hint("query")
        if not text:
            return None
        query = json.loads(text) if isinstance(text, str) else text
        columns = {name: column for name in sorted(_variables(query)) if (column := self.view.column(name)) is not None}
        rows = zip(*(column.tolist() for column in columns.values()), strict=True)
        if not columns:
            return np.full(len(self.view.hosts), _truth(query, {}))
        return np.array([_truth(query, dict(zip(columns, row, strict=True))) for row in rows], dtype=np.bool_)


def _variables(query: Any) -> set[str]:
    if isinstance(query, list):
        return {name for part in query for name in _variables(part)}
    return {query[1:]} if isinstance(query, str) and query.startswith("$") else set()


def _truth(query: Any, values: Mapping[str, Any]) -> bool:
    result = _value(query, values)
    return any(result) if isinstance(result, list) else bool(result)


def _value(query: Any, values: Mapping[str, Any]) -> Any:
    """What a query comes to. An argument that is unknown is left out, as Nova leaves it out."""
    if not query:
        return True
    operation, *rest = query
    if operation not in _OPERATIONS:
        raise ValueError(f"{operation!r} is no operation of a query; known are {', '.join(_OPERATIONS)}")
    arguments = [value for part in rest if (value := _argument(part, values)) is not None]
    if operation == "not":
        return [not argument for argument in arguments]
    if operation in {"or", "and"}:
        return any(arguments) if operation == "or" else all(arguments)
    if len(arguments) < 2:
        return False
    first, others = arguments[0], arguments[1:]
    if operation == "in":
        return first in others
    try:
        return all(_COMPARE[operation](first, other) for other in others)
    except TypeError as error:
        raise ValueError(str(error)) from error


def _argument(part: Any, values: Mapping[str, Any]) -> Any:
    if isinstance(part, list):
        return _value(part, values)
    if isinstance(part, str):
        return values.get(part[1:]) if part.startswith("$") else part or None
    return part
