# SPDX-License-Identifier: MIT
"""rpsd.tune: scores by their definition, the truth wins, and nothing from a test part gets into training."""

import numpy as np
import pandas as pd
import pytest
import scipy.optimize
import scipy.stats
import yaml
from loose import LOOSE

import rpsd

WAVELET = {"method": ["wavelet"], "noise": ["mad"], "window": [64], "threshold_scale": [0.0, 0.5, 1.0, 3.0]}
BOTH = [{"method": ["kalman"]}, WAVELET]
STEPS = {"folds": 3, "embargo": 5}


def prices(n=1000, seed=1, nsr=3.0, kind="a"):
    return 100 + rpsd.simulate(kind, n, seed=seed, nsr=nsr).noisy


def t_scale(errors):
    """Return the maximum-likelihood scale of Student's t with 4 degrees of freedom, by SciPy."""

    def loss(log_scale):
        return -scipy.stats.t.logpdf(errors, 4, scale=np.exp(log_scale)).sum()

    guess = np.log(np.median(np.abs(errors)))
    found = scipy.optimize.minimize_scalar(loss, bracket=(guess - 1, guess + 1), tol=1e-12)
    return np.exp(found.x)


def shares(fold, n):
    """Return which samples a fold trains on, and which it tests on."""
    train, test = np.zeros(n, bool), np.zeros(n, bool)
    for start, stop in fold.train:
        train[start:stop] = True
    test[slice(*fold.test)] = True
    return train, test


def test_likelihood_is_the_mean_log_density_of_forecasts_above_that_of_the_newest_price():
    x = np.stack([prices(seed=1), 10 * prices(seed=2)])
    x[0, 300:303] = np.nan
    found = rpsd.tune(x, WAVELET, **STEPS)
    for row in found.table:
        options = {name: row.choice[name] for name in WAVELET}
        y = rpsd.denoise(x, lookahead=0, **options)
        for fold, score, k in zip(found.folds, row.scores, range(3), strict=True):
            gains = {"train": [], "test": []}
            for before, after in zip(x, y, strict=True):
                # A missing sample has no forecast error, and the forecasts after it are the last ones made.
                error = before[1:] - pd.Series(after).ffill().to_numpy()[:-1]
                naive = before[1:] - pd.Series(before).ffill().to_numpy()[:-1]
                train, test = (part[1:] & ~np.isnan(error) for part in shares(fold, len(before)))
                s, s0 = t_scale(error[train]), t_scale(naive[train])
                for name, part in (("train", train), ("test", test)):
                    gains[name].append(
                        scipy.stats.t.logpdf(error[part], 4, scale=s)
                        - scipy.stats.t.logpdf(naive[part], 4, scale=s0)
                    )
            assert score == pytest.approx(np.concatenate(gains["test"]).mean(), abs=1e-6)
            at = found.table.index(row)
            assert found.folds[k].train_scores[at] == pytest.approx(
                np.concatenate(gains["train"]).mean(), abs=1e-6
            )
        assert row.mean == pytest.approx(np.mean(row.scores))
        assert row.standard_error == pytest.approx(scipy.stats.sem(row.scores))
        passed = [
            rpsd.evaluate(x[:, slice(*fold.test)], y[:, slice(*fold.test)], lookahead=0).passed.all()
            for fold in found.folds
        ]
        assert row.passed == all(passed)
    # A scale of 0 gives the series back, up to rounding: nothing gained, nothing lost.
    assert found.table[0].mean == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize("lookahead", [None, 0, 3])
def test_smoothness_compares_second_differences_of_runs_that_end_with_their_part(lookahead):
    x = np.stack([prices(seed=1), 10 * prices(seed=2)])
    options = {"method": "wavelet", "noise": "mad", "lookahead": lookahead}
    options |= {} if lookahead is None else {"window": 64}
    found = rpsd.tune(
        x, {**options, "threshold_scale": [0.5, 2.0]}, objective="smoothness", guardrails=LOOSE, **STEPS
    )
    assert found.best.threshold_scale == 2.0
    for row in found.table:
        for fold, score in zip(found.folds, row.scores, strict=True):
            start, stop = fold.test
            y = rpsd.denoise(x[:, :stop], **options, threshold_scale=row.options.threshold_scale)
            end = stop - (lookahead or 0)
            ratio = np.sum(np.diff(y[:, start:end], 2) ** 2, axis=1) / np.sum(
                np.diff(x[:, start:end], 2) ** 2, axis=1
            )
            assert score == pytest.approx(-10 * np.log10(np.mean(ratio)), rel=1e-9)


@pytest.mark.parametrize("objective", ["likelihood", "smoothness"])
@pytest.mark.parametrize("change", ["other", "missing"])
def test_what_a_fold_fits_and_chooses_sees_neither_its_test_part_nor_the_purge_gap(objective, change):
    grid = [{"method": ["kalman"]}, {**WAVELET, "threshold_scale": [0.5, 3.0], "lookahead": [None, 2]}]
    settings = {"objective": objective, "guardrails": LOOSE, **STEPS}
    x = prices()
    before = rpsd.tune(x, grid, **settings)
    for k, fold in enumerate(before.folds):
        start = fold.train[-1][1]
        gap = before.purge
        assert fold.test[0] == start + gap == start + 258
        for changed in (slice(start, start + gap), slice(start + gap, None)):
            other = x.copy()
            noise = np.random.default_rng(0).normal(size=x[changed].size)
            other[changed] = x[changed][::-1] * 3 + 5 * noise
            if change == "missing":
                other[changed][::5] = np.nan
            after = rpsd.tune(other, grid, **settings)
            for earlier, later in zip(before.folds[: k + 1], after.folds[: k + 1], strict=True):
                assert earlier.train_scores == later.train_scores
                assert earlier.chosen == later.chosen
            assert fold.score != after.folds[k].score  # the change was felt where it should be
    other = x.copy()
    other[start - 10 : start] += 50.0
    assert rpsd.tune(other, grid, **settings).folds[k].train_scores != fold.train_scores


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("nsr", [0.3, 3.0])
def test_the_scale_with_the_least_error_against_the_truth_wins(seed, nsr):
    s = rpsd.simulate("a", 3000, seed=seed, nsr=nsr)
    found = rpsd.tune(s.noisy, {**WAVELET, "threshold_scale": [0.0, 1.0, 4.0]}, folds=4)
    tested = np.logical_or.reduce([shares(fold, 3000)[1] for fold in found.folds])
    errors = []
    for row in found.table:
        y = rpsd.denoise(
            s.noisy,
            method="wavelet",
            noise="mad",
            window=64,
            lookahead=0,
            **{"threshold_scale": row.options.threshold_scale},
        )
        errors.append(np.mean((y - s.truth)[tested] ** 2))
    assert found.best_index == np.argmin(errors) == (0 if nsr < 1 else 2)
    assert found.best.threshold_scale == (0.0 if nsr < 1 else 4.0)


def test_the_method_that_is_right_wins_and_each_fold_would_have_chosen_it():
    s = rpsd.simulate("a", 1500, seed=5, nsr=3.0)
    found = rpsd.tune(s.noisy, [WAVELET, {"method": "kalman"}], folds=4)
    assert found.best.method == "kalman"
    assert [fold.chosen for fold in found.folds] == [4] * 4
    assert found.forward == found.table[4].mean
    assert found.forward > 0.1


def test_a_bad_tick_does_not_decide():
    """One bad tick has the squared error of thousands of samples; its log density is finite."""
    s = rpsd.simulate("a", 1500, seed=2, nsr=3.0)
    x = s.noisy.copy()
    x[700] += 1e4
    grid = {**WAVELET, "outliers": "spike"}
    clean, dirty = (rpsd.tune(v, grid, folds=3) for v in (s.noisy, x))
    assert clean.best == dirty.best
    assert dirty.table[dirty.best_index].mean == pytest.approx(clean.table[clean.best_index].mean, abs=0.03)


@pytest.mark.parametrize("objective", ["likelihood", "smoothness"])
def test_scores_do_not_change_with_the_unit_and_the_origin(objective):
    x = rpsd.simulate("c", 1000, seed=3, nsr=2.0).noisy
    one = rpsd.tune(x, BOTH, objective=objective, guardrails=LOOSE, **STEPS)
    for factor, origin in ((1e-4, 7.0), (250.0, -3.0)):
        other = rpsd.tune(factor * x + origin, BOTH, objective=objective, guardrails=LOOSE, **STEPS)
        assert other.best_index == one.best_index
        for row, same in zip(one.table, other.table, strict=True):
            np.testing.assert_allclose(same.scores, row.scores, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("objective", ["likelihood", "smoothness"])
def test_workers_change_nothing(objective):
    x = np.stack([prices(seed=1), prices(seed=2)])
    one = rpsd.tune(x, BOTH, objective=objective, guardrails=LOOSE, **STEPS)
    for workers in (0, 3, 16):
        assert rpsd.tune(x, BOTH, objective=objective, guardrails=LOOSE, workers=workers, **STEPS) == one


def test_a_random_search_draws_from_the_grid_in_its_order_and_seeds_give_it_again():
    x = prices(600)
    grid = [
        {"method": "kalman", "min_gain_db": [0.0, 0.1]},
        {**WAVELET, "threshold_scale": np.linspace(0, 2, 9)},
    ]
    whole = rpsd.tune(x, grid, folds=2)
    assert len(whole.table) == 11
    assert [row.options.threshold_scale for row in whole.table[2:]] == np.linspace(0, 2, 9).tolist()
    drawn = [rpsd.tune(x, grid, folds=2, n_random=4, seed=seed) for seed in (7, 7, 8)]
    assert drawn[0] == drawn[1]
    assert [row.choice for row in drawn[0].table] != [row.choice for row in drawn[2].table]
    places = [[row.choice for row in whole.table].index(row.choice) for row in drawn[0].table]
    assert places == sorted(set(places))
    assert len(places) == 4
    assert rpsd.tune(x, grid, folds=2, n_random=99) == whole
    huge = {"method": ["wavelet"], "noise": ["mad"], "window": [64]}
    huge |= {"threshold_scale": np.linspace(0, 2, 10**4), "fir_cutoff": np.linspace(0.1, 0.9, 10**4)}
    huge["fir_taps"] = range(1, 10**4)
    assert len(rpsd.tune(x, huge, folds=2, n_random=3).table) == 3


def test_of_equal_candidates_the_earlier_wins_and_all_equal_ones_are_told():
    x = prices(400)
    grid = {"method": ["kalman"], "fir_cutoff": [0.3, 0.2]}
    with pytest.warns(rpsd.RpsdWarning, match="all 2 candidates score the same: likelihood cannot tell"):
        found = rpsd.tune(x, grid, folds=2)
    assert found.best.fir_cutoff == 0.3


def test_smoothness_takes_the_smoothest_that_passes_everywhere_and_says_what_none_passes():
    x = prices(800, nsr=0.5)
    grid = {"method": "wavelet", "noise": "mad", "level": [1, 2, 3]}
    loose = rpsd.tune(x, grid, objective="smoothness", folds=3, guardrails=LOOSE)
    parts = [slice(*fold.test) for fold in loose.folds]
    worst = []
    for level in grid["level"]:
        runs = [rpsd.denoise(x[: p.stop], method="wavelet", noise="mad", level=level) for p in parts]
        reports = [rpsd.evaluate(x[p], y[p]) for p, y in zip(parts, runs, strict=True)]
        worst.append(min(check.value for r in reports for check in r.checks if check.name == "variance"))
    assert loose.best.level == 3
    assert worst[2] < min(worst[:2])
    rails = {**LOOSE, "variance_threshold": min(worst[:2])}
    found = rpsd.tune(x, grid, objective="smoothness", folds=3, guardrails=rails)
    assert [row.passed for row in found.table] == [True, True, False]
    assert found.best.level == 2
    assert found.table[2].mean > found.table[1].mean > found.table[0].mean
    with pytest.raises(rpsd.RpsdError, match=r"no candidate passes .*level=1 passes on 0 of 3: fold 1: var"):
        rpsd.tune(x, grid, objective="smoothness", folds=3, guardrails={**rails, "variance_threshold": 1e9})


def test_sessions_have_no_forecast_over_night():
    s = rpsd.simulate("g", 1170, seed=1, nsr=2.0)
    index = pd.date_range("2026-01-05 09:30", periods=390, freq="min")
    index = index.append([index + pd.Timedelta(days=1), index + pd.Timedelta(days=2)])
    frame = pd.DataFrame({"A": s.noisy, "B": s.noisy[::-1].copy()}, index=index)
    grid = [{"method": "kalman"}, {"method": "wavelet", "noise": "mad", "window": 64, "min_periods": 8}]
    mask = rpsd.tune(frame, grid, config=rpsd._options.make_options(breaks=s.breaks), folds=2)
    auto = rpsd.tune(frame, grid, config=rpsd._options.make_options(breaks="auto"), folds=2)
    assert [row.scores for row in mask.table] == [row.scores for row in auto.table]
    assert "breaks" not in mask.to_config()["denoiser"]
    assert auto.to_config()["denoiser"]["breaks"] == "auto"
    # What a night moves is in no score: without it the others stay.
    calm = frame.to_numpy().T.copy()
    calm[:, 390:] += 1000
    calm[:, 780:] -= 3000
    moved = rpsd.tune(calm, grid, config=rpsd._options.make_options(breaks=s.breaks), folds=2)
    for row, same in zip(mask.table, moved.table, strict=True):
        np.testing.assert_allclose(row.scores, same.scores, rtol=1e-6)
    with pytest.raises(rpsd.CausalityError, match="without times"):
        rpsd.tune(s.noisy, {"breaks": ["auto"], "method": "kalman"}, folds=2)


def test_on_ticks_that_hardly_move_a_scale_is_at_least_that_of_rounding():
    x = np.round(rpsd.simulate("a", 1000, seed=1, nsr=0.2, step_sd=0.1).noisy)
    assert np.mean(np.diff(x) == 0) > 0.8  # the likelihood of doing nothing has no bound
    found = rpsd.tune(x, {**WAVELET, "threshold_scale": 3.0}, **STEPS)
    y = rpsd.denoise(x, method="wavelet", noise="mad", window=64, threshold_scale=3.0, lookahead=0)
    error, naive = x[1:] - y[:-1], np.diff(x)
    for fold, score in zip(found.folds, found.table[0].scores, strict=True):
        train, test = (part[1:] & ~np.isnan(error) for part in shares(fold, len(x)))
        s0 = 12**-0.5

        def slope(scale, squares=error[train] ** 2):
            """Return the sign of the likelihood's derivative by the scale."""
            return np.mean(5 * squares / (4 * scale**2 + squares)) - 1

        s = scipy.optimize.brentq(slope, s0, 100, xtol=1e-13) if slope(s0) > 0 else s0
        logs = [scipy.stats.t.logpdf(e[test], 4, scale=scale) for e, scale in ((error, s), (naive, s0))]
        assert score == pytest.approx(np.mean(logs[0] - logs[1]), abs=1e-6)


def test_the_configuration_gives_the_options_again(tmp_path):
    x = prices(400)
    base = rpsd._options.make_options(fir_window=("kaiser", 8.6), noise="mad", window=64, lookahead=2)
    found = rpsd.tune(x, {"threshold_scale": [1, 2]}, config=base, folds=2)
    assert found.best.method == "wavelet"  # as a threshold asks for it
    place = tmp_path / "best.yaml"
    place.write_text(yaml.safe_dump(found.to_config()))
    assert rpsd.load_config(place, environ={}).denoiser == found.best
    assert rpsd.load_config(command_line=found.to_config(), environ={}).denoiser == found.best
    again = rpsd.tune(x, {"threshold_scale": [1, 2]}, config=place, folds=2)
    assert again.best == found.best


def test_progress_counts_candidates():
    seen = []
    rpsd.tune(prices(400), WAVELET, folds=2, purge=64, progress=lambda *done: seen.append(done))
    assert seen == [(1, 4), (2, 4), (3, 4), (4, 4)]


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"objective": "gain"}, rpsd.ConfigError, 'one of likelihood, smoothness, got "gain"'),
        ({"folds": 1}, rpsd.ConfigError, "folds must be an integer >= 2, got 1"),
        ({"train": 31}, rpsd.ConfigError, "train must be an integer >= 32, got 31"),
        ({"embargo": -1}, rpsd.ConfigError, "embargo must be an integer >= 0"),
        ({"n_random": 0}, rpsd.ConfigError, "n_random must be an integer >= 1"),
        ({"seed": 1.5}, rpsd.ConfigError, "seed must be an integer >= 0, got 1.5"),
        ({"workers": -1}, rpsd.InputError, "threads must be an integer from 0"),
        ({"grid": 3}, rpsd.ConfigError, "grid must be a mapping of option to values, or a list of"),
        ({"grid": {"scale": [1]}}, rpsd.ConfigError, 'unknown option in grid "scale"'),
        ({"grid": {"level": []}}, rpsd.ConfigError, "grid: level must have at least one value"),
        ({"grid": {"fir_taps": range(1, 10_002)}}, rpsd.ConfigError, "at most 10000 combinations, got 10001"),
        ({"grid": {"method": "kalman", "lookahead": [0, 9]}, "purge": 8}, rpsd.ConfigError, "9, got 8"),
        ({"x": np.ones(400)}, rpsd.InputError, "x must move in the training part of every fold"),
        ({"x": np.r_[prices(399), np.inf]}, rpsd.InputError, "x must be finite"),
        ({"x": prices(254)}, rpsd.InputError, "at least 255 samples with folds=2, train=None, purge=64 and"),
        ({"grid": {**WAVELET, "window": [64, 256]}, "x": prices(595), "purge": 256}, rpsd.InputError,
         r"fold 1 trains on 82 samples: 0 of them have a forecast by .*window=256"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named(arguments, error, message):
    given = {"x": prices(400), "grid": WAVELET, "folds": 2, "purge": 64, "embargo": 95, **arguments}
    with pytest.raises(error, match=message):
        rpsd.tune(given.pop("x"), given.pop("grid"), **given)


def test_combinations_that_cannot_be_are_named_in_one_error():
    grid = {"method": ["kalman", "wavelet"], "noise": ["price", "mad", "level"], "threshold_scale": [1, -1]}
    with pytest.raises(rpsd.ConfigError, match=r"^grid: 8 of 12 combinations are refused: ") as caught:
        rpsd.tune(prices(400), grid)
    text = str(caught.value)
    assert 'method="kalman", noise="price", threshold_scale=-1: threshold_scale must be' in text
    assert 'method="kalman", noise="mad", threshold_scale=1: noise="mad" with method="kalman"' in text
    assert "; and 5 more; leave them out by a list of several grids" in text


def test_a_purge_shorter_than_what_values_depend_on_is_told():
    with pytest.warns(rpsd.RpsdWarning, match="purge=10 is less than 67"):
        rpsd.tune(prices(400), {**WAVELET, "lookahead": 3}, folds=2, purge=10)
    offline = {"method": "wavelet", "noise": "mad", "wavelet": ["db4", "haar"], "level": 3}
    found = rpsd.tune(prices(400), offline, folds=2, objective="smoothness", guardrails=LOOSE)
    assert found.purge == 7 * 7  # a filter of 8 taps, spread to 1, 2 and 4
    assert rpsd.tune(prices(700), {"method": ["kalman", "auto"]}, folds=2).purge == 256
