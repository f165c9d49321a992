"""The chart: what can be read from it, in how little space, and that nothing makes it fail."""

from __future__ import annotations

import subprocess
import sys
from io import StringIO
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from rich.console import Console
from rich.segment import Segment

from tinygpt_tui import charts
from tinygpt_tui.charts.chart import LossChart
from tinygpt_tui.charts.data import BEST_STYLE, BLUE, ORANGE, Level, Series, clean
from tinygpt_tui.charts.export import export_svg
from tinygpt_tui.charts.labels import spread
from tinygpt_tui.charts.numbers import tick_text, value_text
from tinygpt_tui.charts.scale import Scale
from tinygpt_tui.charts.smoothing import smoothed
from tinygpt_tui.charts.ticks import ticks
from tinygpt_tui.charts.view import Extent, View, pan, zoom

SIZES = [(1, 1), (2, 3), (7, 2), (15, 5), (16, 6), (24, 8), (39, 9), (40, 10), (72, 10), (80, 24), (140, 40), (200, 60)]
RISING = np.arange(9.0)


def training(**settings: object) -> LossChart:
    """A chart as the app shows it: a noisy loss, an evaluation now and then, levels, the best point."""
    steps = np.arange(6001.0)
    loss = 1.4 + 2.8 * np.exp(-steps / 600)
    noisy = loss + np.random.default_rng(0).normal(0, 0.1, len(steps))
    chart = {
        "series": [
            Series("train", steps, noisy, BLUE),
            Series("validation", steps[::250], loss[::250] + 0.05, ORANGE, "points"),
        ],
        "levels": [Level("bigram", 2.49), Level("entropy of the grammar", 0.61)],
        "best": (5750.0, 1.446),
        "smoothing": 0.95,
    }
    return LossChart(**{**chart, **settings})  # type: ignore[arg-type]


def segments(chart: LossChart, width: int = 80, height: int = 24, encoding: str = "utf-8") -> list[list[Segment]]:
    console = Console(file=StringIO(), width=width, height=height, color_system="truecolor", force_terminal=True)
    options = console.options.update(width=width, height=height)
    options.encoding = encoding
    return list(Segment.split_lines(console.render(chart, options)))


def lines(chart: LossChart, width: int = 80, height: int = 24) -> list[str]:
    return ["".join(segment.text for segment in line) for line in segments(chart, width, height)]


def text(chart: LossChart, width: int = 80, height: int = 24) -> str:
    return "\n".join(line.rstrip() for line in lines(chart, width, height))


def colours(chart: LossChart, width: int = 80, height: int = 24) -> list[list[str]]:
    """The colour of each cell that has ink, "" elsewhere."""
    return [
        [
            str(segment.style.color.name) if segment.style and segment.style.color and sign != " " else ""
            for segment in line
            for sign in segment.text
        ]
        for line in segments(chart, width, height)
    ]


def dots(line: str) -> list[int]:
    """How many braille dots each cell has."""
    return [(ord(sign) - 0x2800).bit_count() if 0x2800 < ord(sign) < 0x2900 else 0 for sign in line]


def test_a_falling_loss_in_ascii() -> None:
    chart = LossChart(
        series=[
            Series("train", [0, 100, 200, 300, 400], [4, 3, 2.5, 2.2, 2]),
            Series("validation", [0, 200, 400], [4, 2.6, 2.3], ORANGE, "points"),
        ],
        levels=[Level("bigram", 2.49)],
        best=(400, 2.3),
        ascii=True,
    )
    assert text(chart, 44, 12).splitlines() == [
        "loss       * train 2.000  o validation 2.300",
        "4.0 +o",
        "    | ***:",
        "3.5 +    ***::",
        "    |       **:::",
        "3.0 +         ****:::",
        "    |             *****:   best 2.300 @ 400",
        "2.5 +- - - - - - - - - *o*****:::::::::::- -",
        "    |             bigram 2.49 ********** ::x",
        "2.0 +                                   ****",
        "    ++---------+--------+--------+---------+",
        "step 0        100      200      300      400",
    ]


def test_a_small_space_is_all_curve() -> None:
    chart = LossChart([Series("a", RISING, RISING)], ascii=True)
    assert text(chart, 12, 4).splitlines() == ["          **", "       ***", "  *****", "**"]


def test_curves_in_braille() -> None:
    chart = LossChart([Series("a", RISING, RISING), Series("b", RISING, 8 - RISING)])
    assert text(chart, 40, 10).splitlines() == [
        "loss                    ━ a 8.000  ━ b 0",
        "  │⠒⠤⢄⣀                             ⣀⡠⠤⠒",
        "  │    ⠉⠑⠢⠤⣀⡀                 ⢀⣀⠤⠔⠊⠉",
        "5 ┤         ⠈⠉⠒⠤⢄⣀       ⣀⡠⠤⠒⠉⠁",
        "  │               ⠉⢑⣒⠤⢔⣊⠉",
        "  │          ⢀⣀⠤⠔⠒⠉⠁    ⠉⠑⠢⠤⣀⡀",
        "  │     ⣀⡠⠤⠒⠉⠁               ⠈⠉⠒⠤⢄⣀",
        "0 ┤⣀⠤⠔⠊⠉                           ⠉⠑⠢⠤⣀",
        "  └┬────────┬────────┬────────┬──── step",
        "   0        2        4        6        8",
    ]


@pytest.mark.parametrize(("width", "height"), SIZES)
@pytest.mark.parametrize("ascii", [False, True])
def test_every_line_is_exactly_as_wide_as_asked(width: int, height: int, ascii: bool) -> None:
    drawn = segments(training(title="a run", ascii=ascii), width, height)
    assert [Segment.get_line_length(line) for line in drawn] == [width] * height


def test_width_and_height_of_the_chart_come_before_those_of_the_console() -> None:
    console = Console(file=StringIO(), width=80, height=24)
    drawn = "".join(segment.text for segment in console.render(training(width=50, height=12))).splitlines()
    assert [len(line) for line in drawn] == [50] * 12


@given(
    points=st.lists(st.tuples(st.floats(), st.floats()), max_size=30),
    more=st.lists(st.tuples(st.integers(0, 1000), st.floats(0.1, 10)), max_size=30),
    kind=st.sampled_from(["line", "points", "dashes"]),
    level=st.floats(),
    best=st.none() | st.tuples(st.floats(), st.floats()),
    logs=st.tuples(st.booleans(), st.booleans()),
    view=st.builds(View, *[st.none() | st.floats()] * 4, st.floats(0, 1)),
    smoothing=st.floats(0, 1),
    size=st.tuples(st.integers(1, 90), st.integers(1, 30)),
    ascii=st.booleans(),
)
@example(
    [(0.0, 6e15), (1.0, 1e-3), (2.0, 1e-3), (3.0, 1e-3)],
    [],
    "line",
    1.0,
    None,
    (False, True),
    View(),
    0.5,
    (4, 4),
    False,
)
@settings(max_examples=60, deadline=None)
def test_nothing_makes_it_fail_or_change_its_size(
    points, more, kind, level, best, logs, view, smoothing, size, ascii
) -> None:
    chart = LossChart(
        series=[
            Series("漢字 a\nb", [x for x, _ in points], [y for _, y in points], "no such style", kind),
            Series("more", [x for x, _ in more], [y for _, y in more]),
        ],
        levels=[Level("ënd", level)],
        best=best,
        log_x=logs[0],
        log_y=logs[1],
        view=view,
        smoothing=smoothing,
        ascii=ascii,
    )
    width, height = size
    drawn = segments(chart, width, height)
    assert [Segment.get_line_length(line) for line in drawn] == [width] * height
    if ascii:
        assert all(segment.text.isascii() for line in drawn for segment in line)


def test_a_terminal_without_unicode_gets_ascii() -> None:
    drawn = segments(training(title="Über…"), encoding="ascii")
    assert all(segment.text.isascii() for line in drawn for segment in line)
    assert any("Uber" in segment.text for line in drawn for segment in line)
    assert not text(training()).isascii()


def test_same_input_same_output() -> None:
    assert segments(training()) == segments(training())
    assert export_svg(training(), 80, 24, "run") == export_svg(training(), 80, 24, "run")


def test_without_points_it_says_what_it_waits_for() -> None:
    drawn = lines(LossChart([Series("train", [], [])]), 60, 9)
    assert drawn[4].strip() == "waiting for the first step"
    assert len(drawn[4].rstrip()) == 43
    assert not "".join(drawn[:4] + drawn[5:]).strip()


@pytest.mark.parametrize(
    ("xs", "ys"),
    [([5], [1.5]), ([1, 2, 3], [2, 2, 2]), ([7, 7, 7], [1, 2, 3]), ([0, 1], [0, 0]), ([1, 2], [1e99, -1e99])],
    ids=["one point", "constant", "one x", "zeros", "huge"],
)
def test_ranges_of_no_or_any_size_are_drawn(xs: list[float], ys: list[float]) -> None:
    # Curves are drawn in their own colour, the axes and the label are not part of the middle.
    middle = [row[8:60] for row in colours(LossChart([Series("a", xs, ys)]))[2:-2]]
    assert any(BLUE in row for row in middle)


def test_values_that_are_not_numbers_are_left_out() -> None:
    nan, inf = float("nan"), float("inf")
    holes = Series("a", [0, 1, 2, nan, 3, 4, inf], [4, nan, 2, 9, inf, 1, 5])
    assert text(LossChart([holes])) == text(LossChart([Series("a", [0, 2, 4], [4, 2, 1])]))


def test_a_resumed_run_repeats_steps_and_the_later_wins() -> None:
    xs, ys = clean(Series("a", [1, 2, 3, 4, 3, 4, 5], [9, 8, 7, 6, 3, 2, 1]))
    assert xs.tolist() == [1, 2, 3, 4, 5]
    assert ys.tolist() == [9, 8, 3, 2, 1]


@pytest.mark.parametrize(
    ("low", "high", "texts"),
    [
        (0, 6000, ["0", "1k", "2k", "3k", "4k", "5k", "6k"]),
        (0, 19000, ["0", "2k", "4k", "6k", "8k", "10k", "12k", "14k", "16k", "18k"]),
        (0, 4900, ["0", "500", "1k", "1.5k", "2k", "2.5k", "3k", "3.5k", "4k", "4.5k"]),
        (9990, 10060, ["9.99k", "10k", "10.01k", "10.02k", "10.03k", "10.04k", "10.05k", "10.06k"]),
        (0, 0.0003, ["0", "5e-5", "1e-4", "1.5e-4", "2e-4", "2.5e-4", "3e-4"]),
        (-1.2, 1.2, ["-1", "-0.5", "0", "0.5", "1"]),
    ],
)
def test_ticks_are_round(low: float, high: float, texts: list[str]) -> None:
    assert [tick.text for tick in ticks(Scale(low, high, 140), 2, lambda _: 7)] == texts


@pytest.mark.parametrize(
    ("low", "high", "texts"),
    [
        (1, 1000, ["1", "2", "5", "10", "20", "50", "100", "200", "500", "1k"]),
        (1, 1e9, ["1", "10", "100", "1k", "10k", "100k", "1M", "10M", "100M", "1G"]),
        (1.4, 4.2, ["1.5", "2", "2.5", "3", "3.5", "4"]),
    ],
)
def test_ticks_of_a_logarithmic_axis(low: float, high: float, texts: list[str]) -> None:
    assert [tick.text for tick in ticks(Scale(low, high, 140, log=True), 2, lambda _: 5)] == texts


@given(
    low=st.floats(-1e6, 1e6),
    size=st.floats(1e-3, 1e9),
    cells=st.integers(10, 200),
    log=st.booleans(),
)
@settings(max_examples=100, deadline=None)
def test_ticks_do_not_overlap_and_stand_where_they_say(low: float, size: float, cells: int, log: bool) -> None:
    low = abs(low) + 1e-3 if log else low
    scale = Scale(low, low + size, cells * 2, log)
    made = ticks(scale, 2, lambda text: len(text) + 2)
    assert len({tick.text for tick in made}) == len(made)
    for left, right in pairwise(made):
        assert right.cell - left.cell >= (len(left.text) + len(right.text)) / 2 + 2
    for tick in made:
        assert tick.cell == scale.dot(tick.value) // 2


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (1.4456, "1.446"),
        (0.61, "0.6100"),
        (5800, "5.8k"),
        (12345, "12.3k"),
        (999.99, "1k"),
        (0.0003, "3e-4"),
        (0, "0"),
    ],
)
def test_values_have_four_digits(value: float, expected: str) -> None:
    assert value_text(value) == expected


def test_a_tick_has_the_decimals_of_its_step() -> None:
    assert tick_text(2, 0.5, strip=False) == "2.0"
    assert tick_text(1234560, 20) == "1234.56k"


def test_a_cell_in_which_curves_cross_has_the_dots_of_both() -> None:
    first, second = Series("a", RISING, RISING, BLUE), Series("b", RISING, 8 - RISING, ORANGE)
    both, up, down = (
        [ord(sign) for line in lines(LossChart(series), 40, 10)[1:-2] for sign in line[3:]]
        for series in ([first, second], [first], [second])
    )
    crossings = 0
    for cell, mine, theirs in zip(both, up, down, strict=True):
        assert cell == (mine | theirs if mine > 0x2800 and theirs > 0x2800 else max(mine, theirs))
        crossings += mine > 0x2800 and theirs > 0x2800
    assert crossings


def test_curves_on_top_of_each_other_share_their_cells_by_turns() -> None:
    chart = LossChart([Series("a", RISING, RISING * 0, BLUE), Series("b", RISING, RISING * 0, ORANGE)])
    (row,) = [row for row in colours(chart)[1:-2] if BLUE in row[4:60]]
    shared = [colour for colour in row[4:60] if colour in (BLUE, ORANGE)]
    assert all(left != right for left, right in pairwise(shared))
    assert len(shared) > 40


def test_a_thin_curve_is_seen_inside_a_wide_one() -> None:
    steps = np.arange(10_000.0)
    noisy = Series("noisy", steps, np.where(steps % 2, 2.0, 0.0), BLUE)
    chart = LossChart([noisy, Series("thin", [0, 9999], [1, 1], ORANGE)])
    row = max(colours(chart)[1:-2], key=lambda row: row[4:60].count(ORANGE))
    assert row[5:60].count(ORANGE) >= 50


def test_the_kinds_differ_without_colour() -> None:
    drawn = [
        "".join(line[4:] for line in lines(LossChart([Series("a", RISING, RISING, kind=kind)]), 40, 10)[1:-2])
        for kind in ("line", "points", "dashes")
    ]
    assert drawn[1].count("●") >= 4
    assert sum(dots(drawn[2])) < sum(dots(drawn[0])) * 0.8
    assert "●" not in drawn[0] + drawn[2]


def test_smoothing_puts_the_measured_values_behind_the_curve() -> None:
    styles = {
        (segment.style.color.name, bool(segment.style.dim))
        for line in segments(training(levels=[]))
        for segment in line
        if segment.style and segment.style.color
    }
    assert {(BLUE, True), (BLUE, False)} <= styles
    assert (BLUE, True) not in {
        (segment.style.color.name, bool(segment.style.dim))
        for line in segments(training(smoothing=0))
        for segment in line
        if segment.style and segment.style.color
    }


@pytest.mark.parametrize("keep", [0.001, 0.5, 0.9, 0.999])
@pytest.mark.parametrize("count", [2, 3, 17, 18, 19, 20, 1999, 3000])
def test_smoothing_is_the_mean_of_the_neighbours(keep: float, count: int) -> None:
    values = np.random.default_rng(1).normal(3, 1, count)
    reach = round(keep / (1 - keep))
    expected = []
    for place in range(len(values)):
        right = min(reach, place)
        expected.append(values[max(0, place - reach) : place + right + 1].mean())
    np.testing.assert_allclose(smoothed(values, keep), expected, rtol=1e-9)


@pytest.mark.parametrize("place", [0, 50, 99])
def test_one_huge_value_changes_only_the_means_that_contain_it(place: int) -> None:
    values = np.linspace(2.0, 1.0, 100)
    values[place] = 1e17
    means = smoothed(values, 0.8)
    alone = np.abs(np.arange(100) - place) > 4
    assert (means[alone] < 3).all()
    assert (means[alone & (np.arange(100) >= 4)] > 0.9).all()
    assert means[place] > 1e15


def test_smoothing_does_not_trail_behind_a_falling_curve() -> None:
    line = np.linspace(4.0, 1.0, 400)
    np.testing.assert_allclose(smoothed(line, 0.9)[:390], line[:390], atol=1e-9)


def test_the_best_point_is_marked_and_named_beside_the_curves() -> None:
    chart = training()
    drawn = lines(chart)
    assert sum(line.count("◆") for line in drawn) == 1
    (row,) = [row for row, line in enumerate(drawn) if "best 1.446 @ 5.75k" in line]
    (mark,) = [row for row, line in enumerate(drawn) if "◆" in line]
    assert 1 <= abs(row - mark) <= 4
    start = drawn[row].index("best")
    without = colours(training(best=None, levels=[]))[row][start : start + len("best 1.446 @ 5.75k")]
    assert ORANGE not in without
    assert any(str(segment.style) == BEST_STYLE for line in segments(chart) for segment in line)
    assert "best 1.446 @ 5.75k" in text(training(ascii=True))
    assert "◆" not in text(training(view=View(x_max=3000)))


@pytest.mark.parametrize(("width", "height"), [(60, 16), (80, 24), (140, 40)])
def test_levels_are_named_and_do_not_cover_each_other(width: int, height: int) -> None:
    levels = [Level("bigram", 2.49), Level("trigram", 2.47), Level("4-gram", 2.45)]
    drawn = text(training(levels=levels), width, height)
    for name in ("bigram 2.49", "trigram 2.47", "4-gram 2.45"):
        assert drawn.count(name) == 1
    rows = [next(row for row, line in enumerate(drawn.splitlines()) if level.name in line) for level in levels]
    assert width < 72 or rows == sorted(set(rows))


def test_a_level_far_from_the_curves_is_not_shown() -> None:
    near, far = Level("near", 0.9), Level("far", -5)
    drawn = text(training(levels=[near, far]))
    assert "near 0.9" in drawn
    assert "far" not in drawn
    assert "near" not in text(training(levels=[near], view=View(y_min=1)))
    assert "far -5" in text(training(levels=[near, Level("far", -5, always=True)]))
    for nowhere in (np.nan, np.inf):
        assert "near 0.9" in text(training(levels=[near, Level("far", nowhere, always=True)]))


@given(wanted=st.lists(st.integers(-3, 30), max_size=20), rows=st.integers(20, 25))
def test_labels_are_spread_without_changing_their_order(wanted: list[int], rows: int) -> None:
    wanted = sorted(wanted)
    placed = spread(wanted, rows)
    assert len(placed) == len(wanted)
    assert all(left < right for left, right in pairwise(placed))
    assert all(0 <= row < rows for row in placed)
    if len(set(wanted)) == len(wanted) and all(0 <= want < rows for want in wanted):
        assert placed == wanted


def test_a_power_law_is_straight_on_logarithmic_axes() -> None:
    xs = np.geomspace(1, 1e4, 500)
    marks = [
        (row, line.rindex("*"))
        for row, line in enumerate(
            lines(LossChart([Series("a", xs, 5 * xs**-0.3)], log_x=True, log_y=True, ascii=True), 60, 24)[1:-2]
        )
        if "*" in line
    ]
    steps = [right[1] - left[1] for left, right in pairwise(marks)]
    assert len(marks) > 15
    assert max(steps) - min(steps) <= 1


def test_zooming_in_keeps_the_centre_and_zooming_out_follows_the_data_again() -> None:
    extent = Extent(0, 1000, 1, 4)
    near = zoom(View(), extent, 4, centre=0.25)
    assert near == View(x_min=187.5, x_max=437.5)
    assert zoom(near, extent, 0.25) == View()
    assert zoom(View(), extent, 2, axis="y") == View(y_min=1.75, y_max=3.25)
    decades = zoom(View(), Extent(1, 1e4, 1, 2), 2, centre=0, log=True)
    assert (decades.x_min, decades.x_max) == pytest.approx((1, 100))


def test_panning_stops_at_the_ends_of_the_data() -> None:
    extent = Extent(0, 1000, 1, 4)
    assert pan(View(x_min=0, x_max=100), extent, 0.5) == View(x_min=50, x_max=150)
    assert pan(View(x_min=850, x_max=950), extent, 2) == View(x_min=900, x_max=1000)
    assert pan(View(), extent, 1) == View()


def test_a_view_shows_its_part_and_focus_forgets_the_start() -> None:
    zoomed = text(training(view=View(x_min=2000, x_max=3000)))
    assert zoomed.splitlines()[-1].split() == ["2k", "2.2k", "2.4k", "2.6k", "2.8k", "3k"]
    assert "4.0 ┤" in text(training(levels=[]))
    focused = training(levels=[], view=View(focus=0.5))
    assert "4.0 ┤" not in text(focused)
    assert "1.4 ┤" in text(focused)


def test_what_follows_a_comma_in_a_label_is_for_wide_charts() -> None:
    chart = training(y_label="loss, nats per token")
    assert "nats" in text(chart, 100, 24)
    assert text(chart, 40, 10).splitlines()[0].startswith("loss ")


def test_a_picture_has_the_title_and_the_curve() -> None:
    svg = export_svg(training(), 80, 24, "shakespeare")
    assert svg.startswith("<svg")
    assert "shakespeare" in svg
    assert "best" in svg
    assert BLUE in svg


def test_no_torch_and_no_textual_is_imported() -> None:
    # The package itself is stood in for: what it imports is not the chart's doing.
    package = str(Path(charts.__file__).parents[1])
    code = (
        f"import sys, types; package = types.ModuleType('tinygpt_tui'); package.__path__ = [{package!r}];"
        "sys.modules['tinygpt_tui'] = package; import tinygpt_tui.charts;"
        "sys.exit(any(name in sys.modules for name in ('torch', 'textual')))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_ghost_is_known_by_its_letters() -> None:
    steps = np.arange(0.0, 6001.0, 500.0)
    ghosts = [Series(f"ghost {n}", steps, 4.0 - steps / 2000 + n, "grey50", "ghost") for n in range(3)]
    for ascii in (False, True):
        drawn = text(training(series=[*training().series, *ghosts], ascii=ascii), 100, 30)
        for letter, ghost in zip("abc", ghosts, strict=True):
            assert f"{letter} {ghost.name}" in drawn
            assert sum(line[:70].count(letter) for line in drawn.splitlines()) >= 3


def test_a_ghost_of_one_point_has_its_letter() -> None:
    drawn = text(training(series=[*training().series, Series("one", [3000.0], [2.5], "grey50", "ghost")]), 100, 30)
    assert sum(line[:70].count("a") for line in drawn.splitlines() if "step" not in line) == 1


def test_the_cursor_goes_from_top_to_bottom() -> None:
    drawn = lines(training(cursor=3000.0, ascii=True, best=None), 100, 30)[1:-2]
    column = drawn[1].index("|", 10)
    assert drawn[0][column] == "v"  # its head
    crossed = [line[column] for line in drawn[1:] if line[column] != "|"]
    assert len(crossed) <= 4  # curves and levels go over it
    assert set(crossed) <= set("*o.:- O")
    assert crossed.count("O") == 1  # a dot on the curve
