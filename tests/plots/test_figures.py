"""Figures are legible at every scale: nothing is cut off, no two names overlap, and what is left out is said."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from itertools import combinations, pairwise
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from crowd import PER_HOST, crowd
from matplotlib.axis import Axis
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import PolyCollection
from matplotlib.colors import to_hex, to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.text import Text
from matplotlib.transforms import Bbox
from synthetic import log
from typer.testing import CliRunner

import sim
from sim import plots
from sim.cli.main import app
from sim.eventlog import records as r
from sim.eventlog.storage import write_records
from sim.metrics.explain import sentences
from sim.metrics.source import Records
from sim.metrics.tables import table
from sim.plots import style

DRAW: dict[str, Callable[[Records], style.Figure]] = {
    "gantt_hosts": plots.gantt_hosts, "gantt_servers": plots.gantt_servers, "heat_hosts": plots.heat_hosts,
    "heat_links": plots.heat_links, "ribbons": plots.ribbons, "network": plots.network, "progress": plots.progress,
    "spread": plots.spread, "headroom": plots.headroom,
    "guest_speed": lambda records: plots.guest_speed(records, records.frame(r.ServersPresent)["server"][0]),
}  # fmt: skip


@pytest.fixture(scope="module")
def clouds() -> dict[str, Records]:
    """Four hosts of a story told by hand, and drains of 12, 1 000 and 10 000 hosts."""
    sizes = {"12": (12, 3), "1000": (1000, 100), "10000": (10000, 1000)}
    return {"story": Records.of(log())} | {name: Records.of(list(crowd(*size))) for name, size in sizes.items()}


Named = tuple[str, Bbox]


def tick_labels(axis: Axis) -> list[Named]:
    """The labels of an axis that are drawn (those outside its limits are not)."""
    low, high = sorted(axis.get_view_interval())
    ticks = [tick for tick in axis.get_major_ticks() if low - 1e-9 <= tick.get_loc() <= high + 1e-9]
    labels = [label for tick in ticks for label in (tick.label1, tick.label2) if label.get_visible()]
    return [(label.get_text(), label.get_window_extent()) for label in labels if label.get_text()]


def words_of(figure: Figure) -> list[Named]:
    """What stands in the figure, and the box around it in pixels."""
    ticks = {id(label) for axes in figure.axes for axis in (axes.xaxis, axes.yaxis)
             for tick in axis.get_major_ticks() for label in (tick.label1, tick.label2)}  # fmt: skip
    free = [text for text in figure.findobj(Text) if id(text) not in ticks and text.get_text().strip()]
    found = [(text.get_text(), text.get_window_extent()) for text in free if text.get_visible()]
    for axes in figure.axes:
        if axes.axison:
            found += [*tick_labels(axes.xaxis), *tick_labels(axes.yaxis)]
    return found


def test_in_grey_a_stage_differs_from_the_next() -> None:
    def lightness(kind: str) -> float:
        """By the weights of ITU-R BT.601, as printers and image programs turn colours to grey: 0..255."""
        red, green, blue = (255 * part for part in to_rgb(style.STAGES[kind]))
        return 0.299 * red + 0.587 * green + 0.114 * blue

    for pair in pairwise(("asking", "preparing", "copying", "guest", "finishing")):
        assert abs(lightness(pair[0]) - lightness(pair[1])) >= 20, pair
    for pair in (("copying", "finishing"), ("asking", "guest"), ("copying", "undoing"), ("waiting", "preparing")):
        assert abs(lightness(pair[0]) - lightness(pair[1])) >= 20, pair


def test_in_grey_a_status_differs_from_all_others_by_its_lightness_or_its_lines() -> None:
    def seen(status: str) -> tuple[frozenset[str], float]:
        look = style.status_look(status)
        red, green, blue = (255 * part for part in to_rgb(look["facecolor"]))
        return frozenset(look.get("hatch", "")), 0.299 * red + 0.587 * green + 0.114 * blue

    for one, other in combinations(style.STATUSES, 2):
        (lines, light), (other_lines, other_light) = seen(one), seen(other)
        assert lines != other_lines or abs(light - other_light) >= 25, (one, other)


@pytest.mark.parametrize("name", DRAW)
@pytest.mark.parametrize("size", ["story", "12", "1000", "10000"])
def test_nothing_is_cut_off_and_no_names_overlap(clouds: dict[str, Records], name: str, size: str) -> None:
    figure = DRAW[name](clouds[size])
    FigureCanvasAgg(figure).draw()
    page = figure.bbox.padded(1.0)
    assert page.height / figure.dpi <= 13.5, "higher than a page"
    for words, box in words_of(figure):
        inside = page.x0 <= box.x0 and page.y0 <= box.y0 and box.x1 <= page.x1 and box.y1 <= page.y1
        assert inside, f"{words!r} is cut off"
    for axis in (axis for axes in figure.axes if axes.axison for axis in (axes.xaxis, axes.yaxis)):
        labels = tick_labels(axis)
        for (one, box), (other, next_box) in pairwise(labels):
            assert not box.overlaps(next_box), f"{one!r} and {other!r} overlap"
    notes = [box for words, box in words_of(figure) if figure.notes and words == figure.get_supxlabel()]
    for words, box in words_of(figure):
        assert words == figure.get_supxlabel() or not any(box.overlaps(note) for note in notes), (
            f"{words!r} is written over"
        )


def test_the_foot_stands_below_however_many_operations_there_are() -> None:
    """Six bars of operations, and the foot under them."""
    begun = [r.Operation(10.0 + n, 50 + n, "fail", f"a{n} (crash)", "begun", "", "") for n in range(6)]
    ended = [r.Operation(200.0 + n, 50 + n, "fail", f"a{n} (crash)", "ended", "done", "") for n in range(6)]
    figure = plots.progress(Records.of([*log(), *sorted(begun + ended, key=lambda one: one.t)]))
    FigureCanvasAgg(figure).draw()
    boxes = dict(words_of(figure))
    foot = boxes.pop(figure.get_supxlabel())
    assert not [words for words, box in boxes.items() if box.overlaps(foot)]


def test_links_that_lost_capacity_are_marked() -> None:
    """A network's failure is seen on the map: a tenth of an uplink's capacity for a while, then none."""
    carried = table(Records.of(log()), "links")
    name = carried.filter(carried["bytes_b"] > 0)["link"][0]
    more = [r.LinkState(40.0, name, 1e8), r.LinkState(60.0, name, 0.0), r.LinkState(80.0, name, 1.25e9)]
    records = Records.of(sorted([*log(), *more], key=lambda one: one.t))
    legend = plots.heat_links(records).axes[0].get_legend()
    assert [text.get_text() for text in legend.get_texts()] == ["capacity lowered", "dead"]
    assert plots.heat_links(Records.of(log())).axes[0].get_legend() is None


def drawn(figure: Figure) -> Counter[str]:
    """How many bars there are of each colour."""
    bars = [artist for axes in figure.axes for artist in axes.collections if isinstance(artist, PolyCollection)]
    return Counter(to_hex(face) for artist in bars for face in artist.get_facecolors())


def test_a_bar_for_every_stage_of_the_story(clouds: dict[str, Records]) -> None:
    bars = drawn(plots.gantt_servers(clouds["story"]))
    # Copies of web-1, web-2, db-1 and two disks; web-2's and db-1's waits; the pre-check that refused web-1.
    overview = Counter({style.STAGES[kind]: 1 for kind in ("copying", "waiting", "preparing")})
    assert bars - overview == Counter({
        style.STAGES["copying"]: 5, style.STAGES["waiting"]: 2, style.STAGES["preparing"]: 1, style.PALE: 9,
    })  # fmt: skip
    hosts = drawn(plots.gantt_hosts(clouds["story"]))
    assert hosts[style.STAGES["copying"]] - 1 == 5
    assert hosts["#c6def0"] == 5, "five flows were received"


def test_what_is_left_out_is_said(clouds: dict[str, Records]) -> None:
    assert plots.gantt_servers(clouds["1000"]).notes.startswith("page 1 of 21: 48 of 1,000 servers asked for")
    assert "nobody asked for 9,000 servers" in plots.gantt_servers(clouds["1000"]).notes
    assert "each row is the mean of a rack (1,000 hosts in 50 racks)" in plots.heat_hosts(clouds["1000"]).notes
    assert "each row is the mean of 100 neighbours (10,000 hosts)" in plots.heat_hosts(clouds["10000"]).notes
    assert "the 16 busiest of 500 racks" in plots.network(clouds["10000"]).notes
    assert "the 100 busiest of 1,049 links" in plots.heat_links(clouds["1000"]).notes
    assert plots.heat_hosts(clouds["12"]).notes == ""


def test_pages_hold_every_row_once() -> None:
    records = Records.of(list(crowd(60, 24)))
    seen: list[str] = []
    for page in range(1, 6):
        axes = plots.gantt_servers(records, page=page).axes[1]
        seen += [label.get_text() for label in axes.get_yticklabels()]
    assert len(seen) == len(set(seen)) == 24 * PER_HOST
    with pytest.raises(sim.InputError, match="there are 5"):
        plots.gantt_servers(records, page=6)


def test_a_page_of_a_long_run_has_the_time_of_its_servers() -> None:
    """Else the bars of the first page of many are slivers at the left; the whole run is above, with a frame in it."""
    records = Records.of(list(crowd(60, 24)))
    spans = []
    for page in (1, 2):
        made = plots.gantt_servers(records, page=page)
        top, axes = made.axes
        bars = next(one for one in axes.collections if isinstance(one, PolyCollection))
        times = np.concatenate([path.vertices[:, 0] for path in bars.get_paths()])
        low, high = axes.get_xlim()
        assert low <= times.min() < times.max() <= high
        assert times.max() - times.min() > 0.9 * (high - low)
        assert np.ptp(top.get_xlim()) > 2 * (high - low)
        frame = next(patch for patch in top.patches if isinstance(patch, Rectangle))
        assert (frame.get_x(), frame.get_x() + frame.get_width()) == pytest.approx((low, high))
        assert "the time of this page framed" in made.notes
        spans.append((low, high))
    assert spans[0][1] < spans[1][1]
    told = plots.gantt_servers(records, between=(0.0, 50.0)).axes
    assert told[0].get_xlim() == told[1].get_xlim() == (0.0, 50.0)


@pytest.mark.parametrize("span", [(0.0, 60.0), (0.0, 30 * 86400.0)])
def test_no_two_ticks_of_what_is_under_way_read_alike(clouds: dict[str, Records], span: tuple[float, float]) -> None:
    """Over a month the means of short stages stay below one: every tick was called 0."""
    made = plots.gantt_hosts(clouds["story"], between=span)
    made.image()
    labels = [text for text, _ in tick_labels(made.axes[0].yaxis)]
    assert len(labels) > 1
    assert len(set(labels)) == len(labels)


def test_a_figure_of_a_folder_has_the_same_bytes_each_time() -> None:
    """Bars overlap, and joins on several threads have no order of their own."""
    example = Path(__file__).parents[2] / "results" / "example"
    assert len({plots.gantt_hosts(example).image() for _ in range(12)}) == 1


def test_heat_maps_show_what_hosts_hold(clouds: dict[str, Records]) -> None:
    image = plots.heat_hosts(clouds["story"]).axes[0].images[0].get_array()
    # At the end b2 has four small servers of 4096 MiB, of 32768 - 512.
    assert image[3, -1] == pytest.approx(4 * 4096 / 32256)
    assert image[3, 0] == 0.0


def test_a_guest_s_speed(clouds: dict[str, Records]) -> None:
    line = plots.guest_speed(clouds["story"], "db-1").axes[0].lines[0]
    times, speed = line.get_xdata(), line.get_ydata()
    slow = [(t, v) for t, v in zip(times, speed, strict=True) if v == 0.5]
    assert slow == [(76.0, 0.5)], "halved from 76 s on"
    lost = plots.guest_speed(clouds["story"], "db-1").axes[1].lines[0].get_ydata()
    assert lost[-1] == pytest.approx((126.0 - 76.0) * 0.5)
    with pytest.raises(sim.InputError, match="there is no 'nobody'"):
        plots.guest_speed(clouds["story"], "nobody")


def test_the_network_at_a_moment(clouds: dict[str, Records]) -> None:
    told = plots.network(clouds["story"], at=30.5)
    # Then db-1's memory (1 GB/s, from 26 s) and both cold disks (1 GB/s each, from 30 s at the latest) flow.
    assert told.notes.startswith("3 flows, 24 Gbit/s in all")
    with pytest.raises(sim.InputError, match="not within the run"):
        plots.network(clouds["story"], at=301.0)
    with pytest.raises(sim.InputError, match="no migration network"):
        plots.network(clouds["story"], of="migration")


def test_a_run_in_which_nothing_happens_is_drawn() -> None:
    quiet = Records.of(log()[:7])
    for name, draw in DRAW.items():
        assert draw(quiet).image(), name


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("run")
    write_records(log(), made / "records")
    return made


def test_png_and_svg_by_command(folder: Path, tmp_path: Path) -> None:
    for kind, name in (("gantt-servers", "a.png"), ("network", "b.svg")):
        done = CliRunner().invoke(app, ["plot", str(folder), kind, "-o", str(tmp_path / name)], catch_exceptions=False)
        assert done.exit_code == 0
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")
    assert ElementTree.parse(tmp_path / "b.svg").getroot().tag.endswith("svg")
    again = plots.network(folder).save(tmp_path / "c.svg")
    assert again.read_bytes() == (tmp_path / "b.svg").read_bytes(), "the same run is the same picture"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["flowers"], "is not a figure"),
        (["network", "--page", "2"], "says nothing about network"),
        (["guest"], "whose guest"),
        (["network", "--at", "soon"], "is not a quantity"),
        (["hosts", "--from", "10 s", "--to", "5 s"], "no span of time"),
        (["hosts", "-o", "hosts.gif"], "PNG or SVG"),
        (["hosts", "--what", "love"], "memory_mb"),
        (["gantt-hosts", "--host", "a1", "--host", "z9"], "z9"),
    ],
)
def test_mistakes(folder: Path, arguments: list[str], words: str) -> None:
    with pytest.raises(sim.InputError, match=words):
        CliRunner().invoke(app, ["plot", str(folder), *arguments], catch_exceptions=False)


def test_a_place_freed_and_taken_at_once_is_one_place() -> None:
    """Four at a time are never drawn as five, though one begins in the moment in which another ends."""
    run = sim.run(Path(__file__).parents[2] / "scenarios" / "rolling_reboot.yaml", seed=3)
    lines = {line.get_color(): line.get_ydata() for line in plots.progress(run).axes[0].lines}
    assert max(lines[style.STAGES["copying"]]) == 4
    assert list(lines[style.STAGES["finishing"]])[-1] == run.answer().migrations


def test_every_stage_of_a_day_in_the_lab_has_a_colour_and_words() -> None:
    """One of each operation: what the model does, figures can draw and explanations can say."""
    run = sim.run(Path(__file__).parents[2] / "scenarios" / "teaching_lab_day.yaml", seed=1)
    done = set(run.table("stages")["stage"])
    assert len(done) > 30
    assert done - {"wait"} <= set(style.KIND)
    assert [name for name in sorted(done - {"wait"}) if said_of(name).startswith("step ")] == []


def said_of(stage: str) -> str:
    return str(sentences.said(r.Step(1.0, "vm", None, stage, None, 0.0, "done")))
