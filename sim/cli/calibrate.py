"""``novasim calibrate``: an operator's own measurements → a timing profile."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from sim.errors import InputError, Issue


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("calibrate")(calibrate)


def calibrate(
    measurements: Annotated[
        Path, typer.Argument(help="CSV of live migrations: memory, disk, duration, downtime.", show_default=False)
    ],
    output: Annotated[Path, typer.Option("-o", "--output", help="Profile to write (YAML).", show_default=False)],
    base: Annotated[str, typer.Option("--profile", help="Profile that gives what was not measured.")] = "default",
) -> None:
    """Fit set-up time, stream rates, hand-over and dirty rate to measured live migrations, and write a timing profile.

    Prints intervals and residuals. What the measurements cannot tell is refused, with the reason.
    """
    from rich.console import Console

    from sim.experiments.calibration import fit
    from sim.experiments.calibration.measurements import read_measurements
    from sim.experiments.calibration.profile import screen, write_profile
    from sim.scenario.timings import profile_names

    if base not in profile_names():
        raise InputError([Issue("--profile", f"{base!r} is unknown", f"known are {', '.join(profile_names())}")])
    if output.suffix not in {".yaml", ".yml"}:
        raise InputError([Issue("-o", f"{output.name!r} is no YAML file's name", "write a name like profile.yaml")])
    rows = read_measurements(measurements)
    found = fit.calibrate(rows, str(measurements))
    write_profile(found, output, base, f"{measurements.name} ({len(rows)} migrations)")
    Console(markup=False, emoji=False).print(screen(found))
    print(f"wrote {output}; use it as cloud.timings: {output.name}")
