"""Makes the reference pages from the code itself: scenario, records, tables, commands, Python.

``python docs/make_reference.py`` writes them; a test says when they are stale.
"""

from __future__ import annotations

import ast
import inspect
import json
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin

import click
import msgspec
import typer
from pydantic import BaseModel

import sim
from sim.cli.main import app
from sim.eventlog import records
from sim.metrics import reference as tables
from sim.scenario import distribution, spec, timings
from sim.scenario.schema import scenario_schema

FOLDER = Path(__file__).parent / "reference"
_MADE = "<!-- Made by docs/make_reference.py from the code. Do not edit. -->\n"


# --- the scenario file ------------------------------------------------------------------------------------------------


def _models(root: type[BaseModel]) -> list[type[BaseModel]]:
    """The root and every model that its fields mention, in the order in which a reader meets them."""
    found: dict[type[BaseModel], None] = {}

    def visit(hint: Any) -> None:
        if isinstance(hint, type) and issubclass(hint, BaseModel):
            if hint not in found:
                found[hint] = None
                for field in hint.model_fields.values():
                    visit(field.annotation)
        else:
            for part in get_args(hint):
                visit(part)

    visit(root)
    return list(found)


def _shown(hint: Any) -> str:
    """A type as a person would say it."""
    origin, inner = get_origin(hint), [part for part in get_args(hint) if part not in (Ellipsis, type(None))]
    if origin is Literal:
        return ", ".join(f"`{value}`" for value in inner)
    if hasattr(hint, "__metadata__"):
        return _shown(inner[0])
    joint = {Union: ("", " or "), types.UnionType: ("", " or "), tuple: ("list of ", " and "),
             dict: ("mapping of ", " to ")}.get(origin)  # fmt: skip
    if joint is not None:
        return joint[0] + joint[1].join(map(_shown, inner))
    if isinstance(hint, type) and issubclass(hint, BaseModel):
        return f"[{_heading(hint)}](#{_heading(hint).lower()})"
    return {str: "text", int: "whole number", float: "number", bool: "true or false"}.get(hint, "anything")


def _heading(model: type[BaseModel]) -> str:
    return model.__name__.removesuffix("Spec")


_UNITS = {"Seconds": "time", "Bytes": "size", "Rate": "rate", "Fraction": "number 0 to 1", "FileName": "file"}


def _source_types(model: type[BaseModel]) -> dict[str, str]:
    """Field → annotation as written, which names the unit."""
    tree = ast.parse(inspect.getsource(model))
    body = tree.body[0]
    assert isinstance(body, ast.ClassDef)
    return {
        node.target.id: ast.unparse(node.annotation)
        for node in body.body
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name)
    }


def _field_rows(model: type[BaseModel]) -> Iterator[str]:
    written = _source_types(model)
    for name, field in model.model_fields.items():
        unit = next((_UNITS[word] for word in written.get(name, "").replace("|", " ").replace("[", " ").replace(
            "]", " ").replace(",", " ").split() if word in _UNITS), None)  # fmt: skip
        shown = _shown(field.annotation)
        if unit is not None:
            shown = shown.replace("whole number", unit).replace("number", unit) if unit != "file" else unit
        default = "**needed**" if field.is_required() else f"`{_plain(field.default)}`"
        meaning = " ".join((field.description or "").replace("|", "\\|").replace("``", "`").split())
        yield f"| `{name}` | {shown} | {default} | {meaning} |"


def _plain(value: Any) -> str:
    if isinstance(value, BaseModel):
        return json.dumps(value.model_dump(mode="json", exclude_defaults=True, exclude_none=True))
    if isinstance(value, tuple):
        return json.dumps(list(value))
    return "" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def scenario_page() -> str:
    """Every key of a scenario file."""
    lines = [_MADE, "# The scenario file", "", _prose(spec.__doc__), ""]
    for model in _models(spec.Scenario):
        if model in {distribution.Dist, timings.Timings, timings.Polling}:
            continue
        lines += [f"## {_heading(model)}", "", _prose(model.__doc__), "", "| key | is | default | meaning |",
                  "|---|---|---|---|", *_field_rows(model), ""]  # fmt: skip
    lines += ["## Dist", "", _prose(distribution.Dist.__doc__), "", _prose(distribution.__doc__), ""]
    lines += ["## Timings", "", _prose(timings.__doc__), "", "| key | is | meaning |", "|---|---|---|"]
    for name, field in timings.Timings.model_fields.items():
        meaning = " ".join((field.description or "").replace("``", "`").split())
        lines.append(f"| `{name}` | {_shown(field.annotation)} | {meaning} |")
    lines += ["", "## Polling", "", _prose(timings.Polling.__doc__), "", "| key | is | default | meaning |",
              "|---|---|---|---|", *_field_rows(timings.Polling)]  # fmt: skip
    return "\n".join(lines) + "\n"


def _prose(text: str | None) -> str:
    return inspect.cleandoc(text or "").replace("``", "`")


# --- records ----------------------------------------------------------------------------------------------------------


def records_page() -> str:
    """Every record type and field of the event log."""
    lines = [_MADE, "# Records of the event log", "", _prose(records.__doc__), ""]
    source = ast.parse(inspect.getsource(records))
    notes = {node.name: dict(_attribute_notes(node)) for node in source.body if isinstance(node, ast.ClassDef)}
    for kind in records.RECORD_TYPES:
        lines += [f"## {kind.__name__}", "", _prose(kind.__doc__), "", "| field | type | meaning |", "|---|---|---|"]
        for field in msgspec.structs.fields(kind):
            hint = field.type if isinstance(field.type, type) and not get_args(field.type) else str(field.type)
            shown = (hint.__name__ if isinstance(hint, type) else hint).replace("|", "or").replace("typing.", "")
            note = notes["Record"].get("t", "") if field.name == "t" else notes[kind.__name__].get(field.name, "")
            lines.append(f"| `{field.name}` | {shown} | {' '.join(note.replace('``', '`').split())} |")
        lines.append("")
    return "\n".join(lines)


def _attribute_notes(node: ast.ClassDef) -> Iterator[tuple[str, str]]:
    """Fields with the text that stands under them."""
    for first, second in zip(node.body, node.body[1:], strict=False):
        if isinstance(first, ast.AnnAssign) and isinstance(first.target, ast.Name) and isinstance(second, ast.Expr):
            value = second.value
            if isinstance(value, ast.Constant) and isinstance(value.value, str):
                yield first.target.id, value.value


# --- commands and Python ----------------------------------------------------------------------------------------------


def commands_page() -> str:
    """Every command with its arguments and options, as ``--help`` has them."""
    codes = (
        "Exit codes: 0 well; 1 no plan keeps the goals; 2 bad input; 3 a law of the cloud is broken, or a run of many "
        "failed; 130 interrupted."
    )
    lines = [_MADE, "# Commands", "", codes, ""]
    root = typer.main.get_command(app)
    for path, command in _commands(root, ("novasim",)):
        context = click.Context(command, info_name=" ".join(path))
        usage = " ".join(command.collect_usage_pieces(context))
        lines += [f"## {' '.join(path)}", "", _prose(command.help), "", "```", f"{' '.join(path)} {usage}", "```", ""]
        rows = [_parameter(parameter) for parameter in command.params if parameter.name != "help"]
        if rows:
            lines += ["| argument | meaning | default |", "|---|---|---|", *rows, ""]
    return "\n".join(lines)


def _commands(command: Any, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
    if hasattr(command, "commands"):
        for name, inner in command.commands.items():
            yield from _commands(inner, (*path, name))
    else:
        yield path, command


def _parameter(parameter: Any) -> str:
    option = parameter.param_type_name == "option"
    name = ", ".join(parameter.opts) if option else (parameter.name or "").upper()
    default = parameter.default
    shown = "" if default is None or callable(default) or default is False else f"`{default}`"
    return f"| `{name}` | {(parameter.help or '').replace('|', chr(92) + '|')} | {shown} |"


def python_page() -> str:
    """What ``sim.__all__`` names."""
    lines = [_MADE, "# Python", "", _prose(sim.__doc__), ""]
    for name in sim.__all__:
        thing = getattr(sim, name)
        if inspect.ismodule(thing):
            lines += [f"## sim.{name}", "", _prose(thing.__doc__), ""]
            for inner in getattr(thing, "__all__", ()):
                lines += _callable(getattr(thing, inner), f"sim.{name}.{inner}", "###")
        elif inspect.isclass(thing):
            lines += [f"## sim.{name}", "", _prose(thing.__doc__), ""]
            for base in reversed([c for c in thing.__mro__ if c.__module__.startswith("sim.")]):
                for inner, member in vars(base).items():
                    if inspect.isfunction(member) and not inner.startswith("_") and not issubclass(thing, BaseModel):
                        lines += _callable(member, f"{name}.{inner}", "###")
        else:
            lines += _callable(thing, f"sim.{name}", "##")
    return "\n".join(lines)


def _callable(function: Any, name: str, level: str) -> list[str]:
    signature = str(inspect.signature(function)) if callable(function) else ""
    signature = signature.replace("(self, ", "(").replace("(self)", "()").replace("'", "")
    return [f"{level} {name}", "", "```python", f"{name}{signature}", "```", "", _prose(function.__doc__), ""]


def pages() -> dict[str, str]:
    """File name → text, of everything that is made."""
    schema = json.dumps(scenario_schema(), indent=1, sort_keys=True) + "\n"
    return {
        "scenario.md": scenario_page(), "records.md": records_page(), "tables.md": tables.markdown(),
        "commands.md": commands_page(), "python.md": python_page(), "scenario.schema.json": schema,
    }  # fmt: skip


if __name__ == "__main__":
    for file, text in pages().items():
        (FOLDER / file).write_text(text, encoding="utf-8")
