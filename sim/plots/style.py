"""One style for all figures: colours that colour-blind readers and black-and-white printers tell apart, and paper size.

Figures are matplotlib's own, made without pyplot: nothing global, nothing to close, no display needed.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import Colormap
from matplotlib.figure import Figure as _Figure
from matplotlib.patches import Patch
from matplotlib.ticker import FuncFormatter

from sim.errors import InputError, Issue

WIDTH = 10.0
"""Inches: the width of a landscape A4 page within its margins."""
INK, PALE, FAINT = "#222222", "#8a8a8a", "#e4e4e4"
BAD, WARN = "#d55e00", "#e69f00"
# Okabe and Ito's colours (2008), told apart by all readers; three are shifted so that in grey, too, a stage differs
# from the next.
STAGES: Mapping[str, str] = {
    "asking": "#56b4e9", "preparing": "#f2b632", "copying": "#005a96", "guest": "#bb6296", "finishing": "#009e73",
    "undoing": "#f0e442", "waiting": "#d0d0d0",
}  # fmt: skip
"""Kinds of stages and their colours."""
_KINDS = {
    "waiting": "wait",
    "asking": "api conductor scheduler",
    "preparing": "pre_check pre_live_migration live_start prep_resize build_claim claim_failure resize_disk image",
    "copying": "copy copy_disk upload snapshot",
    "guest": "shutdown spawn rebuild guest_boot stop start reboot_soft reboot_hard pause unpause suspend resume rescue "
             "unrescue shelve shelve_offload unshelve delete soft_delete restore",
    "finishing": "hand_over live_finish finish_resize confirm",
    "undoing": "live_rollback revert_dest revert_source",
}  # fmt: skip
KIND: Mapping[str, str] = {stage: kind for kind, stages in _KINDS.items() for stage in stages.split()}
"""Stage → its kind."""
STATUSES: Mapping[str, str] = {
    "ACTIVE": "#009e73", "BUILD": "#7cc8f0", "SHUTOFF": "#8c8c8c", "PAUSED": "#c9b458", "SUSPENDED": "#a39a6b",
    "MIGRATING": "#005a96", "RESIZE": "#5d3a9b", "VERIFY_RESIZE": "#b79ad6",
    "REVERT_RESIZE": "#8d6cc0", "REBUILD": "#e69f00", "REBOOT": "#f0e442",
    "HARD_REBOOT": "#b3a717", "RESCUE": "#cc79a7", "SHELVED": "#c7c7c7", "SHELVED_OFFLOADED": "#e3e3e3",
    "SOFT_DELETED": "#f2c9b0", "DELETED": "#ffffff", "ERROR": "#e8702a",
}  # fmt: skip
"""A server's status → its colour."""
_HATCHES: Mapping[str, str] = {
    "RESIZE": "/////", "VERIFY_RESIZE": "///", "REVERT_RESIZE": "\\\\\\\\", "ERROR": "xxxx", "RESCUE": "++++",
    "PAUSED": "||||", "SUSPENDED": "....", "HARD_REBOOT": "ooo", "REBUILD": "----", "REBOOT": "////", "SHELVED": "...",
    "SOFT_DELETED": "xxx",
}  # fmt: skip
"""Statuses whose grey is another's have lines on it; the most common ones are plain."""
_OTHER = "#b0b0b0"
SHARE: Colormap = mpl.colormaps["YlGnBu"]
"""Shares of a capacity, 0..1: light is idle, dark is full, in print too."""

_RC: Any = {
    "figure.dpi": 100, "savefig.dpi": 144, "font.family": "DejaVu Sans", "font.size": 8.5, "axes.titlesize": 10,
    "axes.titleweight": "bold", "axes.titlelocation": "left", "axes.labelsize": 8.5, "axes.edgecolor": PALE,
    "axes.labelcolor": INK, "axes.spines.top": False, "axes.spines.right": False, "axes.axisbelow": True,
    "xtick.color": INK, "ytick.color": INK, "xtick.labelsize": 8, "ytick.labelsize": 7.5, "text.color": INK,
    "grid.color": FAINT, "grid.linewidth": 0.6, "legend.fontsize": 8, "legend.frameon": False, "lines.linewidth": 1.4,
    "hatch.linewidth": 0.5, "svg.fonttype": "path", "svg.hashsalt": "novasim", "text.parse_math": False,
}  # fmt: skip


COUNTS = "{x:,.0f}"
"""Ticks that count."""
PARTS = "{x:.2g}"
"""Ticks of means that stay below one."""


class Figure(_Figure):
    """A figure; ``notes`` says what of the run it shows and what it leaves out, and stands at its foot."""

    notes: str = ""

    def save(self, path: str | Path) -> Path:
        """Write it as ``.png`` or ``.svg``; the same figure makes the same bytes. InputError for another ending."""
        target = Path(path)
        form = target.suffix.lower().lstrip(".")
        if form not in {"png", "svg"}:
            raise InputError([Issue(str(target), "is neither .png nor .svg", "figures are written as PNG or SVG")])
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(self.image(form))
        return target

    def image(self, form: str = "png") -> bytes:
        """The figure as PNG or SVG, without a date in it."""
        buffer = BytesIO()
        with mpl.rc_context(_RC):
            self.savefig(buffer, format=form, metadata={"Date": None} if form == "svg" else {"Software": None})
        return buffer.getvalue()

    def _repr_png_(self) -> bytes:
        """What a notebook shows."""
        return self.image()


@contextmanager
def figure(height: float, title: str, width: float = WIDTH) -> Iterator[Figure]:
    """A figure of so many inches to be filled within the ``with``; the style holds there."""
    with mpl.rc_context(_RC):
        made = Figure(figsize=(width, height), layout="constrained")
        made.suptitle(title, x=0.01, ha="left", fontsize=11.5, fontweight="bold")
        yield made


def note(made: Figure, *parts: str) -> None:
    """Say at the foot what is shown and what is not."""
    made.notes = "; ".join(part for part in parts if part)
    if made.notes:
        text = made.notes[0].upper() + made.notes[1:] + "."
        made.supxlabel(textwrap.fill(text, 165), x=0.01, ha="left", fontsize=8, color="#555555")


_UNITS = ((86400.0, "d"), (3600.0, "h"), (60.0, "min"), (1.0, "s"))
_TICKS = (
    *(tick * 10.0**power for power in range(-3, 1) for tick in (1, 2, 5)),
    *(10.0, 15.0, 20.0, 30.0, 60.0, 120.0, 300.0, 600.0, 900.0, 1200.0, 1800.0, 3600.0, 7200.0, 10800.0, 21600.0),
    *(43200.0, 86400.0, 172800.0, 432000.0, 864000.0, 2592000.0, 8640000.0),
)
"""Distances between ticks, seconds: what clocks and calendars have."""


Between = tuple[float, float]
"""From when to when (simulated s) a figure looks."""


def window(between: Between | None, start: float, end: float) -> Between:
    """What is asked for, else from ``start`` to ``end``. InputError when it ends before it begins."""
    if between is None:
        return start, max(end, start + 1e-9)
    if not 0 <= between[0] < between[1]:
        raise InputError(
            [Issue("between", f"{between} is no span of time", "give (from, to) in seconds, from before to")]
        )
    return between


def time_axis(axes: Axes, start: float, end: float) -> None:
    """Simulated time along x, in the unit that fits its length, with the ticks of a clock."""
    span = max(end - start, 1e-9)
    factor, unit = next((one for one in _UNITS if span >= 2.5 * one[0]), _UNITS[-1])
    short = (tick for tick in _TICKS if abs(tick / factor * 100 - round(tick / factor * 100)) < 1e-6)  # no thirds
    step = next((tick for tick in short if span / tick <= 11), span)
    axes.set_xlim(start, start + span)
    axes.set_xticks(np.arange(np.ceil(start / step - 1e-9), np.floor((start + span) / step + 1e-9) + 1) * step)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value / factor + 0.0:.6g}"))
    axes.set_xlabel(f"simulated time ({unit})")
    axes.grid(axis="x")


def stage_colour(stage: str) -> str:
    """The colour of a stage; grey for one of no kind."""
    return STAGES.get(KIND.get(stage, ""), _OTHER)


def status_colour(status: str) -> str:
    """The colour of a server's status; grey for one that has none."""
    return STATUSES.get(status, _OTHER)


def status_look(status: str) -> dict[str, Any]:
    """How a status is filled: its colour, and the lines (white on dark ones) that tell it from others in grey."""
    colour = status_colour(status)
    lines = {"hatch": _HATCHES[status]} if status in _HATCHES else {}
    return {"facecolor": colour, "edgecolor": "white" if status == "RESIZE" else "#444444", "linewidth": 0.0, **lines}


def legend(axes: Axes, entries: Iterable[tuple[str, Any]]) -> None:
    """A legend above the axes, under the figure's title: (words, colour or artist), in as few lines as hold it."""
    pairs = list(entries)
    handles = [Patch(facecolor=what, edgecolor=PALE, linewidth=0.4) if isinstance(what, str) else what
               for _, what in pairs]  # fmt: skip
    lines = int(sum(0.38 + 0.075 * len(words) for words, _ in pairs) / (WIDTH - 1.2)) + 1
    axes.legend(
        handles, [words for words, _ in pairs], loc="lower left", bbox_to_anchor=(0.0, 1.0), borderaxespad=0.3,
        ncols=-(-len(pairs) // lines), handlelength=1.2, handleheight=0.9, columnspacing=1.1, handletextpad=0.5,
        borderpad=0.1,
    )  # fmt: skip
