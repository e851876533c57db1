"""``novasim validate``: published measurements against what novasim makes of them."""

from __future__ import annotations

import json
import math
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sim.experiments.validation.comparison import Comparison

_WIDE = 110
"""Columns of a screen on which a case's description has room beside its numbers."""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("validate")(validate)


def validate(
    file: Annotated[
        Path | None, typer.Argument(help="CSV of measured cases; default: those that come with novasim.")
    ] = None,
    *,
    figure: Annotated[Path, typer.Option(help="Where to write the figure (.png or .svg).")] = Path(
        "results/validation.png"
    ),
    fits: Annotated[bool, typer.Option("--fits", help="Show where the profiles' constants come from instead.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the comparison as JSON.")] = False,
) -> None:
    """Simulate every measured case; print measured, simulated and the error. Fitted cases are marked, never counted."""
    from rich.console import Console

    from sim.experiments.validation.rows import read_rows

    rows = read_rows(file)
    console = Console(markup=False, emoji=False)
    if fits:
        from sim.experiments.validation.fits import fits as fitted
        from sim.experiments.validation.show import fits_screen

        console.print(fits_screen(fitted(rows)))
        return
    from sim.experiments.validation.comparison import compare
    from sim.experiments.validation.show import errors_figure, screen

    comparisons = compare(rows)
    path = errors_figure(comparisons).save(figure)
    if as_json:
        print(json.dumps(_plain(comparisons), indent=1))
        return
    console.print(screen(comparisons, wide=console.width >= _WIDE))
    console.print(f"figure {path}", style="dim", highlight=False)


def _plain(comparisons: Sequence[Comparison]) -> dict[str, Any]:
    """The comparison as JSON holds it; what is not known is null."""
    from sim.experiments.validation.comparison import summary

    said = {name: None if isinstance(value, float) and math.isnan(value) else value
            for name, value in asdict(summary(comparisons)).items()}  # fmt: skip
    rows = [
        {"id": one.row.id, "use": one.row.use, "kind": one.row.kind, "metric": one.row.metric, "profile": one.profile,
         "measured_s": one.row.value if one.row.unit == "s" else None, "simulated_s": one.simulated, "error": one.error,
         "reason": one.reason or None, "not_understood": one.not_understood}
        for one in comparisons
    ]  # fmt: skip
    return {"summary": said, "rows": rows}
