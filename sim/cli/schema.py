"""``novasim schema``: the scenario file as JSON Schema, so that an editor completes and checks while one types."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("schema")(schema)


def schema(
    output: Annotated[Path | None, typer.Option("-o", "--output", help="File to write; default: the screen.")] = None,
) -> None:
    """Print the JSON Schema of scenario files, for editors that complete and check while you type."""
    from sim.scenario.schema import scenario_schema

    text = json.dumps(scenario_schema(), indent=1, sort_keys=True)
    if output is None:
        print(text)
    else:
        output.write_text(text + "\n", encoding="utf-8")
        print(output)
