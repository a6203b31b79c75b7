# SPDX-License-Identifier: MIT
"""rpsd.report: what is drawn, where ticks and session breaks stand, and that nothing overlaps."""

import itertools
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

import rpsd
from rpsd.report import plot_denoised, plot_vintages, to_png
from rpsd.report._axis import position_axis, session_breaks

SECOND = np.timedelta64(1, "s")
START = np.datetime64("2025-08-18T13:30:00", "ns")


def sessions(days=5, minutes=390):
    stamps = [START + np.timedelta64(24 * 60 * d + m, "m") for d in range(days) for m in range(minutes)]
    return np.array(stamps)


def drawn(time, n=None, **more):
    n = len(time) if n is None else n
    x = 100 + rpsd.simulate("a", n, seed=4).noisy
    return plot_denoised(time, x, x - 0.5, **more)


def lines(axes):
    return {line.get_label(): line for line in axes.lines}


def test_original_denoised_and_removed_are_drawn_by_position():
    x = np.array([1.0, 3.0, np.nan, 2.0])
    y = np.array([1.5, 2.5, np.nan, 2.0])
    upper, lower = plot_denoised(None, x, y, name="mid", truth=x + 1).axes
    np.testing.assert_array_equal(lines(upper)["original"].get_ydata(), x)
    np.testing.assert_array_equal(lines(upper)["denoised"].get_ydata(), y)
    np.testing.assert_array_equal(lines(upper)["truth"].get_ydata(), x + 1)
    np.testing.assert_array_equal(lines(lower)["original minus denoised"].get_ydata(), x - y)
    np.testing.assert_array_equal(lines(upper)["original"].get_xdata(), [0, 1, 2, 3])
    assert (upper.get_ylabel(), lower.get_xlabel()) == ("mid", "row")
    assert lower.get_ylabel() == "removed\n(same unit)"


def test_names_are_drawn_as_they_are():
    figure = drawn(None, 50, name="US$ and \\frac$", title="a$^{b\udcff\x1b$")
    assert to_png(figure).startswith(b"\x89PNG")
    assert figure.axes[0].get_ylabel() == "US$ and \\frac$"
    assert figure.get_suptitle() == r"a$^{b\udcff\x1b$"


def test_both_lines_can_be_seen_where_they_coincide():
    both = lines(drawn(None, 50).axes[0])
    assert both["original"].get_linewidth() > 2 * both["denoised"].get_linewidth()


def test_lines_are_broken_at_nights_and_not_within_a_session():
    time = np.delete(sessions(), 7)  # one minute without a trade is no break
    upper = drawn(time).axes[0]
    line = lines(upper)["original"]
    holes = np.flatnonzero(np.isnan(line.get_ydata()))
    np.testing.assert_array_equal(holes, [389 + k * 391 for k in range(4)])
    # What stays connected are neighbours: no line crosses a night.
    assert np.nanmax(np.diff(line.get_xdata())) == 1
    assert drawn(time).axes[-1].get_xlabel().endswith("dotted: session breaks")


def test_session_breaks_need_an_hour_and_ten_usual_steps():
    np.testing.assert_array_equal(session_breaks(sessions(3, 10)), [10, 20])
    daily = np.array(["2025-08-21", "2025-08-22", "2025-08-25", "2025-08-26"], "datetime64[ns]")
    assert session_breaks(daily).size == 0  # a weekend among days
    ticks = START + np.array([0, 1, 2, 3, 1800, 1801]) * SECOND
    assert session_breaks(ticks).size == 0  # half an hour among seconds


@pytest.mark.parametrize(
    ("time", "labels"),
    [
        (sessions(), ["08-18", "08-19", "08-20", "08-21", "08-22"]),
        (sessions(1), ["14:00", "15:00", "16:00", "17:00", "18:00", "19:00"]),
        (sessions(2, 120), ["08-18 14:00", "08-18 14:30", "08-18 15:00", "08-19 13:30", "08-19 14:00"]),
        (START + np.arange(40) * SECOND, ["13:30:05", "13:30:10", "13:30:15", "13:30:20"]),
        (START + np.arange(400) * np.timedelta64(1, "D"), ["2025-09", "2025-11", "2026-01", "2026-03"]),
        (START + np.arange(2000) * np.timedelta64(1, "D"), ["2026", "2027", "2028", "2029", "2030"]),
        (START[None], ["13:30:00"]),
    ],
    ids=["five days", "one day", "two days", "seconds", "months", "years", "one row"],
)
def test_ticks_say_where_calendar_units_begin(time, labels):
    axis = position_axis(time, len(time), "UTC")
    assert axis.labels[: len(labels)] == labels
    assert len(axis.labels) <= 9
    for tick, label in zip(axis.ticks, axis.labels, strict=True):
        assert label.replace(" ", "T") in str(time[tick])


def test_ticks_of_a_long_series_stand_at_their_days():
    time = START + np.arange(1_000_000) * SECOND
    axis = position_axis(time, len(time))
    assert 3 <= len(axis.ticks) <= 9
    for tick, label in zip(axis.ticks[1:], axis.labels[1:], strict=True):
        midnight = np.datetime64(f"2025-{label}")
        assert abs(time[tick] - midnight) <= np.timedelta64(100, "s")


def test_an_index_is_labelled_with_its_numbers():
    axis = position_axis(np.arange(100, 200), 100)
    assert (axis.labels[0], axis.labels[-1], axis.title) == ("100", "199", "index of the row")


@pytest.mark.parametrize(
    "time",
    [
        sessions(),
        sessions(2, 120),
        START + np.arange(1000) * np.timedelta64(1, "ms"),
        np.arange(0, 10**12, 10**9),
    ],
    ids=["days", "two days", "milliseconds", "large index"],
)
def test_nothing_overlaps_and_nothing_is_cut(time):
    figure = drawn(time, name="price", title="A title", zone="UTC")
    figure.canvas.draw()
    renderer = figure.canvas.get_renderer()
    width, height = figure.bbox.width, figure.bbox.height
    ticks = [text.get_window_extent(renderer) for text in figure.axes[1].get_xticklabels() if text.get_text()]
    for left, right in itertools.pairwise(ticks):
        assert left.x1 + 2 <= right.x0
    boxes = [axes.get_legend().get_window_extent(renderer) for axes in figure.axes]
    boxes += [axes.xaxis.label.get_window_extent(renderer) for axes in figure.axes[1:]]
    boxes += [
        figure.axes[0]._left_title.get_window_extent(renderer),
        figure._suptitle.get_window_extent(renderer),
    ]
    boxes = [box for box in boxes if box.width > 0]
    for i, box in enumerate(boxes):
        assert box.x0 >= 0
        assert box.y0 >= 0
        assert box.x1 <= width
        assert box.y1 <= height
        assert not any(box.overlaps(other) for other in boxes[i + 1 :])
    for axes in figure.axes:
        assert not axes.get_legend().get_window_extent(renderer).overlaps(axes.get_window_extent(renderer))


def test_a_long_series_keeps_its_extremes_with_few_points():
    n = 300_000
    x = rpsd.simulate("a", n, seed=5).noisy
    x[123_456], x[200_000], x[7:9] = 1e4, -1e4, np.nan
    line = lines(plot_denoised(None, x, x).axes[0])["original"]
    values = line.get_ydata()
    assert len(values) <= 2400
    assert (np.nanmax(values), np.nanmin(values)) == (1e4, -1e4)
    assert line.get_xdata()[np.nanargmax(values)] == pytest.approx(123_456, abs=n / 1200)
    assert not np.isnan(values).any()


@pytest.mark.parametrize("n", [0, 1, 2])
@pytest.mark.parametrize("with_time", [True, False])
def test_short_series_are_drawn(n, with_time):
    time = sessions()[:n] if with_time else None
    assert to_png(plot_denoised(time, np.ones(n), np.ones(n))).startswith(b"\x89PNG")


def test_all_missing_is_drawn():
    nothing = np.full(20, np.nan)
    assert to_png(plot_denoised(None, nothing, nothing)).startswith(b"\x89PNG")


def test_the_same_figure_gives_the_same_bytes():
    assert to_png(drawn(sessions())) == to_png(drawn(sessions()))


def test_lengths_must_agree():
    with pytest.raises(rpsd.InputError, match=r"must have one length, got lengths \[2, 3\]"):
        plot_denoised(None, np.ones(2), np.ones(3))


def test_pyplot_is_left_alone():
    code = (
        "import sys, numpy as np\n"
        "from rpsd.report import plot_denoised, to_png\n"
        "to_png(plot_denoised(None, np.ones(3), np.ones(3)))\n"
        "assert 'matplotlib.pyplot' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_values_that_no_axis_spans():
    x = np.array([1e308, -1e308, np.nan])
    with pytest.raises(
        rpsd.InputError, match=r"x must lie within ±1e\+300 to be drawn, got a value of size 1e\+308"
    ):
        plot_denoised(None, x, x)


def test_vintages_are_drawn_with_their_band_and_misses():
    x = 100 + rpsd.simulate("a", 700, seed=4).noisy
    v = rpsd.Denoiser(method="kalman").vintages(x, (0, 5, 30))
    upper, lower = plot_vintages(None, x, v, newest=150).axes
    np.testing.assert_array_equal(lines(upper)["original"].get_ydata(), x[-150:])
    np.testing.assert_array_equal(lines(upper)["lag 0"].get_ydata(), v.values[-150:, 0])
    np.testing.assert_array_equal(lines(upper)["lag 30 (final)"].get_ydata(), v.values[-150:, 2])
    low, high = (bound[-150:, 0] for bound in v.band())
    edges = upper.collections[0].get_paths()[0].vertices[:, 1]
    assert (edges.min(), edges.max()) == (low.min(), high.max())
    final = v.values[-150:, 2]
    outside = np.flatnonzero((final < low) | (final > high))
    assert 3 <= len(outside) <= 30
    np.testing.assert_array_equal(lines(lower)["outside the band"].get_xdata(), outside)
    assert lower.xaxis.get_major_formatter()(0, None) == "550"
    with_time = plot_vintages(sessions()[:700], x, v, newest=400, truth=x)
    assert np.isnan(lines(with_time.axes[0])["truth"].get_ydata()).sum() == 1
    to_png(with_time)


def test_vintages_of_other_series_are_not_drawn():
    x = rpsd.simulate("a", 100, seed=4).noisy
    for other in (np.stack([x, x]), x[:50]):
        v = rpsd.Denoiser().vintages(other)
        with pytest.raises(rpsd.InputError, match="vintages must be of one series of 100 samples"):
            plot_vintages(None, x, v)


def test_times_of_a_pandas_index_with_a_zone_are_times():
    index = pd.date_range("2026-03-02 09:30", periods=300, freq="min", tz="America/New_York")
    x = rpsd.simulate("a", 300, 1, nsr=1.0).noisy
    vintages = rpsd.Denoiser().vintages(x, (0, 5))
    figure = plot_vintages(index, x, vintages)
    figure.draw_without_rendering()
    labels = [text.get_text() for axes in figure.axes for text in axes.get_xticklabels()]
    assert any(label.startswith(("09:", "10:", "11:", "12:", "13:", "14:")) for label in labels), labels
    assert any("America/New_York" in axes.get_xlabel() for axes in figure.axes)
    with pytest.raises(rpsd.InputError, match="time must be datetime64, numbers or a pandas index"):
        plot_vintages(index.to_numpy(), x, vintages)
