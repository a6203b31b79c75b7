# SPDX-License-Identifier: MIT
"""Result.plot: what each kind shows, that nothing overlaps, and that a bad tick does not hide the rest."""

import itertools
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

import rpsd
from rpsd.report._figures import KINDS, make_figure
from rpsd.report._subject import subject_of

UGLY = "US$ a <b>\"bid\" & 'ask'</b> $\\frac{1}{2}$ " + "very_long_column_name_without_spaces_" * 3


def noisy(n=400, seed=1, nsr=1.0):
    return 100 + rpsd.simulate("a", n, seed=seed, nsr=nsr).noisy


def spoiled():
    x = noisy()
    x[100], x[300] = 1e6, -1e4
    return x


def dated():
    stamps = [
        pd.Timestamp("2025-08-18 09:30", tz="America/New_York") + pd.Timedelta(days=d, minutes=5 * m)
        for d in range(5)
        for m in range(78)
    ]
    return pd.Series(noisy(len(stamps)), index=pd.DatetimeIndex(stamps), name=UGLY)


def run(x, **options):
    return rpsd.Denoiser(**options).run(x)


def lines(axes):
    return {line.get_label(): line for line in axes.lines}


def boxes(figure):
    """Return every text that is drawn, with its place."""
    figure.draw_without_rendering()
    renderer = figure.canvas.get_renderer()
    texts = [*figure.texts]
    for axes in figure.axes:
        texts += [axes.title, axes._left_title, axes._right_title, axes.xaxis.label, axes.yaxis.label]
        texts += [*axes.texts, axes.xaxis.get_offset_text(), axes.yaxis.get_offset_text()]
        texts += axes.get_legend().get_texts() if axes.get_legend() else []
        for axis in (axes.xaxis, axes.yaxis):
            low, high = sorted(axis.get_view_interval())
            for minor in (False, True):
                places = axis.get_ticklocs(minor=minor)
                labels = axis.get_ticklabels(minor=minor)
                texts += [t for t, at in zip(labels, places, strict=False) if low <= at <= high]
    return [
        (text.get_text(), text.get_window_extent(renderer))
        for text in texts
        if text.get_visible() and text.get_text().strip() and text.get_window_extent(renderer).width > 0
    ]


def check_places(figure):
    found = boxes(figure)
    assert len(found) > 8
    for text, box in found:
        assert box.x0 >= -1, text
        assert box.y0 >= -1, text
        assert box.x1 <= figure.bbox.width + 1, text
        assert box.y1 <= figure.bbox.height + 1, text
    for (text, box), (other, place) in itertools.combinations(found, 2):
        assert not box.padded(-1).overlaps(place.padded(-1)), f"{text!r} overlaps {other!r}"


@pytest.mark.parametrize(
    ("x", "options", "kind"),
    [
        (dated(), {}, "overview"),
        (spoiled(), {"outliers": "spike"}, "overview"),
        (np.array([100.0, 101.0, np.nan, 99.0, 102.0]), {}, "overview"),
        (dated(), {"space": "log"}, "multiresolution"),
        (noisy(), {"wavelet": "db4", "level": 3}, "pareto"),
        (dated(), {}, "vintages"),
    ],
    ids=["dates", "bad ticks", "five samples", "levels", "sweep", "vintages"],
)
def test_nothing_overlaps_nothing_is_cut_and_every_axis_says_what_it_is(x, options, kind):
    figure = run(x, **options).plot(kind)
    check_places(figure)
    for axes in figure.axes:
        assert axes.get_ylabel() or [t for t in axes.get_yticklabels() if t.get_text()]
    assert any(axes.get_xlabel() for axes in figure.axes)


def test_one_sample_and_none_and_all_missing_are_drawn():
    for x in (np.empty(0), np.ones(1), np.full(20, np.nan)):
        result = run(x)
        for kind in KINDS.keys() - {"overview", "price", "removed", "increments"}:
            result.plot(kind)
    result.plot("overview").draw_without_rendering()


def test_guardrails_are_drawn_whatever_they_are():
    subject = subject_of(run(noisy()))
    checks = tuple(
        rpsd.Check(name, value, bound, relation, passed)
        for name, value, bound, relation, passed in (
            ("twice", 2.0, 1.0, ">=", True),
            ("half", 0.5, 1.0, ">=", False),
            ("below", 0.25, 0.5, "<=", True),
            ("endless", np.inf, 0.5, "<=", False),
            ("abyss", -np.inf, 0.95, ">=", False),
            ("at zero", 0.0, 0.0, "<=", True),
            ("unknown", np.nan, 0.5, ">=", True),
            ("a check with a name that is far too long to be drawn", -3.0, -1.0, ">=", False),
            *((f"more {i}", 0.1 * i, 0.35, ">=", i > 3) for i in range(8)),
        )
    )
    report = rpsd.Report(0.9, 0.1, 0.9, 0.9, 90.0, judged=lambda: (checks, False, "denoised"))
    subject = replace(subject, report=report)
    figure = make_figure("guardrails", subject)
    check_places(figure)
    (axes,) = figure.axes
    lengths = [patch.get_width() for patch in axes.patches if patch.get_height() == pytest.approx(0.55)]
    # A threshold's worth of room is half the way; there is no way further than to the end.
    np.testing.assert_allclose(lengths[:8], [0.5, -1 / 3, 1 / 3, -1, -1, 0, 0, -2 / 3])
    texts = [text.get_text() for text in axes.texts]
    assert texts[0] == "2  (≥ 1)  passed"
    assert texts[3] == "inf  (≤ 0.5)  breached"
    assert texts[6] == "–  (≥ 0.5)  not computable"
    assert len({axes.texts[i].get_color() for i in (0, 1, 6)}) == 3


@pytest.mark.parametrize("kind", ["price", "increments", "removed"])
def test_a_bad_tick_does_not_flatten_the_picture_and_is_marked(kind):
    axes = run(spoiled(), outliers="spike").plot(kind).axes[0]
    low, high = axes.get_ylim()
    usual = noisy()
    span = np.ptp(usual) if kind == "price" else np.ptp(np.diff(usual))
    assert high - low < 2 * span
    marks = {label: line for label, line in lines(axes).items() if "beyond" in label}
    assert len(marks) == 2
    extreme = {"price": "to 1e+06", "removed": "to 9.999e+05", "increments": "to 9.999e+05"}[kind]
    assert any(label.endswith(extreme) for label in marks)
    assert {100, 300} <= {int(at) for line in marks.values() for at in line.get_xdata()}


def test_a_jump_that_lasts_is_no_bad_tick():
    x = noisy(1000)
    x[950:] += 500
    low, high = run(x).plot("price").axes[0].get_ylim()
    assert low < x.min()
    assert high > x.max()


@pytest.mark.parametrize("space", ["price", "log"])
def test_the_band_is_one_noise_sd_about_the_output(space):
    result = run(noisy(200, nsr=2.0), space=space)
    axes = result.plot("price").axes[0]
    (vertices,) = (path.vertices for path in axes.collections[0].get_paths())
    sd, last = result.noise.noise_sd, result.values[-1]
    ends = sorted({float(y) for x, y in vertices if x == 199})
    expected = [last - sd, last + sd] if space == "price" else [last * np.exp(-sd), last * np.exp(sd)]
    np.testing.assert_allclose(ends, expected, rtol=1e-12)
    assert axes.collections[0].get_label().startswith(f"denoised ± noise sd ({sd:.3g}")


def test_a_series_of_several_is_named_by_position_or_column():
    frame = pd.DataFrame({"bid": noisy(seed=1), "ask": noisy(seed=2)})
    result = run(frame)
    for series in ("ask", 1):
        axes = result.plot("price", series=series).axes[0]
        np.testing.assert_array_equal(lines(axes)["original"].get_ydata(), frame["ask"])
        np.testing.assert_array_equal(lines(axes)["denoised"].get_ydata(), result.values["ask"])
        assert axes.get_ylabel() == "ask"
    with pytest.raises(rpsd.InputError, match="which of the 2 series to draw, got None"):
        result.plot()
    with pytest.raises(rpsd.InputError, match="from 0 to 1 or the name of a column, got 2"):
        result.plot(series=2)
    twice = run(pd.DataFrame(frame.to_numpy(), columns=["a", "a"]))
    with pytest.raises(rpsd.InputError, match="must name one column, got 'a'"):
        twice.plot(series="a")
    x = np.stack([noisy(seed=1), noisy(seed=2)]).T.astype(np.float32)
    axes = rpsd.Denoiser().run(x, axis=0).plot("price", series=1).axes[0]
    np.testing.assert_array_equal(lines(axes)["original"].get_ydata(), x[:, 1].astype(np.float64))
    batch = np.stack([noisy(seed=s) for s in range(6)]).reshape(2, 3, -1)
    axes = run(batch).plot("price", series=4).axes[0]
    np.testing.assert_array_equal(lines(axes)["original"].get_ydata(), batch[1, 1])


def test_times_are_those_of_the_clock_of_their_zone():
    axes = run(dated()).plot("price").axes[0]
    assert axes.get_xlabel() == "time (America/New_York), 2025-08-18 to 2025-08-22; dotted: session breaks"
    labels = [text.get_text() for text in axes.get_xticklabels()]
    assert labels == ["08-18", "08-19", "08-20", "08-21", "08-22"]
    periods = pd.Series(noisy(60), index=pd.period_range("2024-01", periods=60, freq="M"))
    assert "2024-01-01 to 2028-12-01" in run(periods).plot("removed").axes[0].get_xlabel()
    numbered = pd.Series(noisy(60), index=np.arange(500, 560))
    assert run(numbered).plot("removed").axes[0].get_xlabel() == "index of the row"
    named = pd.Series(noisy(60), index=[f"row {i}" for i in range(60)])
    assert run(named).plot("removed").axes[0].get_xlabel() == "row"


def test_axes_and_figures_may_be_given():
    result = run(noisy())
    figure = Figure()
    left, right = figure.subfigures(1, 2)
    assert result.plot("series", figure=left) is figure
    axes = right.subplots()
    assert result.plot("spectrum", ax=axes) is figure
    assert (axes.get_xscale(), axes.get_yscale()) == ("log", "log")
    with pytest.raises(rpsd.ConfigError, match=r"kind must be one of overview, .*; got 'pie'"):
        result.plot("pie")
    with pytest.raises(rpsd.ConfigError, match=r"ax takes a kind of one axes \(price, .*'overview'"):
        result.plot(ax=axes)
    with pytest.raises(rpsd.ConfigError, match="ax and figure exclude each other"):
        result.plot("price", ax=axes, figure=figure)


def test_the_input_is_kept_by_reference_and_not_shown():
    x = noisy()
    result = run(x)
    assert result.x is x
    assert repr(result).endswith(f"options={result.options!r})")


def test_the_extra_is_named_where_matplotlib_is_missing(monkeypatch):
    result = run(noisy())
    for name in ("matplotlib", "matplotlib.figure", "matplotlib.backends.backend_agg"):
        monkeypatch.setitem(__import__("sys").modules, name, None)
    with pytest.raises(rpsd.ConfigError, match=r'pictures need the "plot" extra: pip install "rpsd\[plot\]"'):
        result.plot()


def test_what_was_told_of_the_options_is_not_told_again():
    with pytest.warns(rpsd.RpsdWarning, match="level"):
        result = run(noisy(60), wavelet="db4", level=6)
    for kind in ("pareto", "vintages", "overview"):
        result.plot(kind)  # warnings are errors
