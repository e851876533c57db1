"""A calibration as a timing profile: YAML that ``timings:`` of a scenario may name, and what to say of it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from sim import units
from sim.experiments.calibration.fit import Calibration, Estimate
from sim.scenario.distribution import Dist
from sim.scenario.timings import load_profile
from sim.scenario.yaml_text import to_yaml

SETUP = ("api", "conductor", "scheduler", "pre_check", "pre_live_migration", "live_start", "live_finish")
"""The stages whose sum is the set-up time."""
_SHOWN = 40


def profile_data(found: Calibration, base: str, measured: str) -> dict[str, Any]:
    """The profile: ``base`` with what was measured put over it. The set-up is split as ``base`` splits it."""
    before = load_profile(base)
    hand_over = 0.0 if found.handover_s is None else found.handover_s.value
    factor = max(0.0, found.setup_s.value - hand_over) / before.live_setup_s
    data: dict[str, Any] = {
        "profile": base,
        "source": f"novasim calibrate on {measured}; everything that was not measured is {base}'s",
        "fit_error": f"durations: median {found.error(50):.1%}, 90th percentile {found.error(90):.1%}, "
                     f"worst {found.error(100):.1%} of {len(found.residuals)} migrations",
    }  # fmt: skip
    for stage in SETUP:
        dist: Dist = getattr(before, stage)
        data[stage] = _plain(dist.times(factor))
    data["stream"] = _rate(found.stream_bps)
    if found.block_bps is not None:
        data["block_stream"] = _rate(found.block_bps)
    if found.handover_s is not None:
        factor = found.handover_s.value / before.device_state.mean
        data["device_state"] = _plain(before.device_state.times(factor))
    return data


def write_profile(found: Calibration, path: Path, base: str, measured: str) -> None:
    """Write the profile, whole or not at all."""
    text = "# " + "\n# ".join(_comments(found)) + "\n" + to_yaml(profile_data(found, base, measured))
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.part")
    part.write_text(text, encoding="utf-8")
    os.replace(part, path)


def _comments(found: Calibration) -> list[str]:
    lines = [f"Name this file in a scenario: cloud.timings. Set-up {found.setup_s.value:.4g} s in all."]
    activity = activity_of(found)
    if activity is not None:
        lines.append(f"The guests that were measured: activity: {activity}")
    return lines + [f"Not measured: {reason}" for reason in found.refused]


def activity_of(found: Calibration) -> str | None:
    """The guests' dirty behaviour, as a server's ``activity:`` would have it."""
    if found.dirty_bps is None or found.working_set_b is None:
        return None
    size = units.format_bytes(int(found.working_set_b))
    return f'{{dirty: "{found.dirty_bps.value / 1e6:.4g} MB/s", working_set: "{size}"}}  # working set: at least'


def screen(found: Calibration) -> RenderableType:
    """Constants with intervals, every row's residuals, and what was refused."""
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="bold")
    table.add_column("constant", no_wrap=True)
    for name in ("value", "95 % interval"):
        table.add_column(name, justify="right", no_wrap=True)
    for name, one, factor, unit in (
        ("set-up time", found.setup_s, 1.0, "s"), ("stream", found.stream_bps, 1e-6, "MB/s"),
        ("block stream", found.block_bps, 1e-6, "MB/s"), ("hand-over", found.handover_s, 1e3, "ms"),
        ("dirty rate", found.dirty_bps, 1e-6, "MB/s"),
    ):  # fmt: skip
        if one is not None:
            interval = f"{one.low * factor:.4g} … {one.high * factor:.4g} {unit}"
            table.add_row(name, f"{one.value * factor:.4g} {unit}", interval)
    rows = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="bold")
    for name in ("line", "memory", "disk", "duration", "residual", "downtime", "residual"):
        rows.add_column(name, justify="right", no_wrap=True)
    for one_row in found.residuals[:_SHOWN]:
        row = one_row.row
        rows.add_row(
            str(row.line), units.format_bytes(int(row.memory_b)), units.format_bytes(int(row.disk_b)),
            f"{row.duration_s:.4g} s", f"{one_row.duration:+.1%}",
            "" if row.downtime_s is None else f"{row.downtime_s * 1e3:.4g} ms",
            "" if one_row.downtime is None else f"{one_row.downtime:+.1%}",
        )  # fmt: skip
    left = len(found.residuals) - _SHOWN
    more = [Text(f"… {left} more", style="dim")] if left > 0 else []
    error = f"durations: median |residual| {found.error(50):.1%}, 90th percentile {found.error(90):.1%}"
    refused = [Text(f"cannot be told: {reason}", style="yellow") for reason in found.refused]
    return Group(table, Text(), rows, *more, Text(error), *refused)


def _rate(one: Estimate) -> str:
    return f"{one.value / 1e6:.5g} MB/s"


def _plain(dist: Dist) -> Any:
    """A distribution as YAML has it."""
    data = dist.model_dump(mode="json", exclude_none=True)
    return data["constant"] if set(data) == {"constant"} else data
