"""``novasim``: the console command. Each command has a file of its own in this folder."""

from __future__ import annotations

import importlib
import os
import sys

import typer

from sim.errors import InputError, NovasimError

COMMANDS = (
    "run",
    "check",
    "schema",
    "show",
    "explain",
    "plot",
    "report",
    "trace",
    "compare",
    "sweep",
    "plan",
    "validate",
    "calibrate",
    "importing",
)
"""Modules of this folder, in the order of ``novasim --help``; each has ``register(app)``."""

app = typer.Typer(
    help="Simulate an OpenStack Nova cloud under administrative actions.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for _name in COMMANDS:
    importlib.import_module(f"sim.cli.{_name}").register(app)


def main() -> None:
    """Entry point. Exit codes: 0 well, 1 no plan keeps the goals, 2 bad input, 3 a run is broken, 130 interrupted."""
    try:
        app()
    except InputError as error:
        count = len(error.issues)
        print(f"{error}\n{count} {'issue' if count == 1 else 'issues'}", file=sys.stderr)
        sys.exit(2)
    except NovasimError as error:
        print(error, file=sys.stderr)
        sys.exit(3)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        sys.exit(130)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    except OSError as error:
        print(f"{error.filename or 'file'}: {error.strerror or error}", file=sys.stderr)
        sys.exit(2)
