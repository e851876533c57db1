"""The reference of tables, as Markdown, from the tables themselves."""

from __future__ import annotations

from sim.metrics.columns import Column, Table
from sim.metrics.tables import TABLES

_HEAD = """# Tables

What `novasim show RUN TABLE` prints and `run.table("TABLE")` returns. This page is made by
`python -m sim.metrics.reference > docs/reference/tables.md` from the tables' own definitions.

Times are simulated seconds since the run began. A *warm-up* is a cut of the metric, not of the run: every table says
what it leaves out. CSV holds lists as `a|b`; an empty cell is "none" or "not known".
"""


def _type(column: Column) -> str:
    names = {"String": "text", "Float64": "number", "Int64": "whole number", "Boolean": "yes/no"}
    return names.get(str(column.dtype), "list of text")


def _section(table: Table) -> str:
    lines = [f"## {table.title}: `{table.name}`", "", table.meaning, "", f"A warm-up {table.warm_up_means}.", ""]
    lines += ["| column | type | unit | meaning |", "|---|---|---|---|"]
    for column in table.columns:
        meaning = column.meaning.replace("|", "\\|")
        lines.append(f"| `{column.name}` | {_type(column)} | {column.unit} | {meaning} |")
    return "\n".join(lines) + "\n"


def markdown() -> str:
    """The whole page."""
    return "\n".join([_HEAD, *(_section(table) for table in TABLES.values())])


if __name__ == "__main__":
    print(markdown(), end="")
