# SPDX-License-Identifier: MIT
"""The scikit-learn transformer: scikit-learn's own checks, and that no row knows of a later one."""

import doctest
import inspect
import pickle
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import pywt
from sklearn.base import clone
from sklearn.compose import ColumnTransformer
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import GridSearchCV, TimeSeriesSplit
from sklearn.pipeline import make_pipeline, make_union
from sklearn.preprocessing import StandardScaler
from sklearn.utils import get_tags
from sklearn.utils.estimator_checks import check_estimator

import rpsd
from rpsd._options import Options
from rpsd._schema import fields
from rpsd.integrations import sklearn as integration
from rpsd.integrations.sklearn import DenoiseTransformer

pytestmark = pytest.mark.filterwarnings("ignore:.*is not used with lookahead=0:rpsd.RpsdWarning")

DOCS = Path(__file__).parent.parent / "docs"
METHODS = {
    "auto": {},
    "kalman": {"method": "kalman"},
    "wavelet": {"wavelet": "haar", "level": 2, "window": 32, "min_periods": 8},
    "fir": {"method": "fir", "fir_taps": 5, "window": 16},
    "lag": {"lookahead": 3},
    "bad ticks": {"outliers": "spike", "space": "log", "method": "kalman"},
    "threads": {"threads": 2},
}


def prices(n=400, columns=3, dtype=np.float64, seed=3):
    generator = np.random.default_rng(seed)
    walk = np.cumsum(generator.standard_normal((n, columns)), axis=0)
    x = 500 + walk + 1.5 * generator.standard_normal((n, columns))
    x[n // 2, 0] = np.nan
    return x.astype(dtype)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"method": "kalman"},
        {"wavelet": "db2", "noise": "mad", "window": 8, "min_periods": 1},
        {"lookahead": 2},
        {"lookahead": None, "method": "kalman"},
    ],
    ids=str,
)
def test_scikit_learn_checks_pass_but_those_of_order(options):
    results = check_estimator(DenoiseTransformer(**options), on_fail=None, on_skip=None)
    failed = {result["check_name"]: result["exception"] for result in results if result["status"] == "failed"}
    # Both take rows for samples in any order; the value of a row of a series comes from its neighbours.
    order = {"check_methods_sample_order_invariance", "check_methods_subset_invariance"}
    assert failed.keys() == order, failed
    assert len(results) > 40
    tags = get_tags(DenoiseTransformer(**options))
    assert tags.transformer_tags.preserves_dtype == ["float64", "float32"]
    assert (tags.input_tags.allow_nan, tags.requires_fit) == (True, False)


def test_parameters_are_the_options_of_the_schema():
    known = {name: field.default for name, field in fields(Options).items()}
    known["wavelet_transform"] = known.pop("transform")  # transform is the method
    expected = known | {"lookahead": 0, "threads": 1}
    signature = inspect.signature(DenoiseTransformer)
    assert {name: p.default for name, p in signature.parameters.items()} == expected
    assert {p.kind for p in signature.parameters.values()} == {inspect.Parameter.KEYWORD_ONLY}
    assert DenoiseTransformer().get_params() == expected


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("method", "kalman"), ("wavelet", "sym8"), ("level", 1), ("wavelet_transform", "modwt"),
        ("boundary", "periodic"), ("threshold_mode", "universal"), ("threshold_rule", "hard"),
        ("threshold_scale", 0.5), ("prior", "laplace"), ("noise", 0.2), ("use_fir_filter", True),
        ("fir_cutoff", 0.3), ("fir_taps", 7), ("fir_window", "boxcar"), ("min_gain_db", 20.0),
        ("lookahead", 2), ("window", 64), ("min_periods", 16), ("outliers", "spike"),
        ("breaks", np.arange(600) % 100 == 0), ("space", "log"),
    ],
)  # fmt: skip
def test_every_parameter_reaches_its_option(name, value):
    beside = {"level": 2, "window": 128, "min_periods": 32}
    if name.startswith("fir_"):
        beside |= {"use_fir_filter": True}
    if name in {"method", "min_gain_db", "lookahead", "outliers", "space", "breaks"}:
        beside = {}
    if name == "prior":
        beside |= {"threshold_mode": "ebayes", "noise": "mad"}
    if name == "boundary":
        beside |= {"wavelet": "db4"}
    x = prices(600, 1)
    x[300] += 100  # a bad tick
    option = {"wavelet_transform": "transform"}.get(name, name)
    given = {**beside, option: value}
    expected = rpsd.denoise(x[:, 0], **{"lookahead": 0, **given})
    transformer = DenoiseTransformer(**beside)
    plain = transformer.fit_transform(x)
    got = transformer.set_params(**{name: value}).fit_transform(x)
    np.testing.assert_array_equal(got[:, 0], expected)
    assert not np.array_equal(got, plain, equal_nan=True)
    assert transformer.get_params()[name] is value


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("name", METHODS)
def test_columns_have_the_bits_of_denoise(name, dtype):
    x = prices(dtype=dtype)
    given = x.copy()
    transformer = DenoiseTransformer(**METHODS[name])
    y = transformer.fit(prices(50, seed=9)).transform(x)  # what fit saw changes nothing
    assert (type(y), y.dtype, y.shape) == (np.ndarray, x.dtype, x.shape)
    for j in range(x.shape[1]):
        expected = rpsd.denoise(x[:, j].copy(), **{"lookahead": 0, **METHODS[name]})
        np.testing.assert_array_equal(y[:, j], expected)
    for other in (np.asfortranarray(x), np.repeat(x, 2, axis=0)[::2], x.tolist() if dtype is float else x):
        np.testing.assert_array_equal(transformer.transform(other), y)
    np.testing.assert_array_equal(x, given)
    for copy in (clone(transformer), pickle.loads(pickle.dumps(transformer))):
        np.testing.assert_array_equal(copy.fit_transform(x), y)


def test_rows_without_a_value_are_where_the_page_says():
    x = prices(columns=1)
    x[200] = 500  # no gap
    missing = {
        name: np.flatnonzero(np.isnan(DenoiseTransformer(**o).fit_transform(x)))
        for name, o in METHODS.items()
    }
    assert missing["auto"].tolist() == missing["kalman"].tolist() == []
    assert missing["wavelet"].tolist() == list(range(7))
    assert missing["fir"].tolist() == list(range(15))
    assert missing["lag"].tolist() == [397, 398, 399]
    x[10] = np.nan
    assert np.flatnonzero(np.isnan(DenoiseTransformer().fit_transform(x))).tolist() == [10]


@pytest.mark.parametrize("name", METHODS)
def test_no_row_of_a_pipeline_knows_of_a_later_one(name):
    lag = METHODS[name].get("lookahead", 0)
    x = prices()
    pipeline = make_pipeline(DenoiseTransformer(**METHODS[name]), StandardScaler())
    whole = DenoiseTransformer(**METHODS[name]).fit_transform(x)
    generator = np.random.default_rng(8)
    for train, test in TimeSeriesSplit(4).split(x):
        pipeline.fit(x[train])
        block = pipeline.transform(x[test])
        cut = int(generator.integers(20, len(test)))
        changed = x[test]
        changed[cut:] = 2 * changed[cut:] + 50
        for future in (changed, changed[:cut]):
            np.testing.assert_array_equal(pipeline.transform(future)[: cut - lag], block[: cut - lag])
        # Denoised before the split, each fold is what it would be had the series ended with it.
        known = DenoiseTransformer(**METHODS[name]).fit_transform(x[: test[-1] + 1])
        np.testing.assert_array_equal(known[: len(known) - lag], whole[: len(known) - lag])


@pytest.mark.parametrize(("lookahead", "ahead"), [(0, 0), (2, 2), (None, 50)])
def test_audit_of_a_pipeline(lookahead, ahead):
    x = prices(160, 1, seed=4)[:, 0]
    transformer = DenoiseTransformer(method="kalman", lookahead=lookahead)
    pipeline = make_pipeline(transformer, StandardScaler()).fit(x[:80, np.newaxis])
    report = rpsd.audit(lambda series: pipeline.transform(series[:, np.newaxis]), x)
    assert report.causal == (lookahead == 0)
    assert report.lookahead == ahead if ahead < 50 else report.lookahead > ahead


def test_only_an_explicit_none_is_offline():
    x = prices()
    y = DenoiseTransformer(lookahead=None).fit_transform(x)
    np.testing.assert_array_equal(y, rpsd.denoise(x, axis=0))
    assert not np.array_equal(y, DenoiseTransformer().fit_transform(x), equal_nan=True)


def test_frames_keep_names_and_index_where_asked():
    index = pd.date_range("2026-01-05 09:30", periods=400, freq="min", tz="America/New_York")
    frame = pd.DataFrame(prices(), columns=["bid", "mid", "ask"], index=index)
    transformer = DenoiseTransformer().fit(frame)
    assert transformer.get_feature_names_out().tolist() == ["bid", "mid", "ask"]
    assert isinstance(transformer.transform(frame), np.ndarray)
    pd.testing.assert_frame_equal(
        transformer.set_output(transform="pandas").transform(frame), rpsd.denoise(frame, lookahead=0)
    )
    columns = ColumnTransformer([("level", DenoiseTransformer(), ["mid"])], remainder="passthrough")
    mixed = columns.set_output(transform="pandas").fit_transform(frame)
    assert list(mixed) == ["level__mid", "remainder__bid", "remainder__ask"]
    np.testing.assert_array_equal(mixed["level__mid"], rpsd.denoise(frame["mid"], lookahead=0))
    np.testing.assert_array_equal(mixed["remainder__bid"], frame["bid"])
    with pytest.raises(ValueError, match="feature names"):
        transformer.transform(frame[["mid", "bid", "ask"]])


def test_times_of_a_frame_count():
    days = pd.date_range("2026-01-05", periods=4, freq="D")
    minutes = pd.timedelta_range("14:30:00", periods=100, freq="min")
    index = pd.DatetimeIndex([day + minute for day in days for minute in minutes])
    frame = pd.DataFrame(prices(columns=2), index=index)
    sessions = DenoiseTransformer(method="kalman", breaks="auto").fit_transform(frame)
    expected = rpsd.denoise(frame, method="kalman", lookahead=0, breaks="auto")
    np.testing.assert_array_equal(sessions, expected)
    assert not np.array_equal(sessions, DenoiseTransformer(method="kalman").fit_transform(frame))
    with pytest.raises(rpsd.InputError, match="must not go back in time"):
        DenoiseTransformer().fit_transform(frame[::-1])


def test_options_are_checked_where_scikit_learn_expects_it():
    x = prices()
    with pytest.raises(rpsd.ConfigError, match='unknown option "wavlet"; did you mean "wavelet"'):
        DenoiseTransformer(wavlet="db4")
    with pytest.raises(ValueError, match="Invalid parameter 'wavlet'"):
        DenoiseTransformer().set_params(wavlet="db4")
    for name, value in [("level", -1), ("wavelet_transform", "dct"), ("lookahead", "all"), ("level", True)]:
        transformer = DenoiseTransformer(**{name: value})
        for call in (transformer.fit, transformer.transform):
            with pytest.raises(rpsd.ConfigError, match=f"^{name} must be"):
                call(x)
    for data in (x, pd.DataFrame(x)):
        with pytest.raises(rpsd.InputError, match="threads must be"):
            DenoiseTransformer(threads=-1).fit_transform(data)
    with pytest.warns(rpsd.RpsdWarning, match="fir_taps=7 is not used") as caught:
        DenoiseTransformer(fir_taps=7).fit_transform(x)
    assert len(caught) == 1  # by fit alone


def test_wavelets_and_masks_are_cloned():
    breaks = np.zeros(400, dtype=bool)
    breaks[[0, 250]] = True
    transformer = DenoiseTransformer(
        wavelet=pywt.Wavelet("haar"), noise="mad", breaks=breaks, window=32, min_periods=4
    )
    x = prices()
    expected = rpsd.denoise(
        x, axis=0, lookahead=0, wavelet="haar", noise="mad", breaks=breaks, window=32, min_periods=4
    )
    np.testing.assert_array_equal(clone(transformer).fit_transform(x), expected)
    assert "haar" in repr(transformer)


def test_a_grid_search_sets_options():
    x = prices(600, 1)
    x[300] = 500
    model = make_pipeline(make_union("passthrough", DenoiseTransformer()), LinearRegression())
    name = "featureunion__denoisetransformer__method"
    search = GridSearchCV(model, {name: ["auto", "kalman"]}, cv=TimeSeriesSplit(3), error_score="raise")
    search.fit(x[:-1], np.diff(x[:, 0]))
    assert search.best_params_[name] in {"auto", "kalman"}


def test_scikit_learn_is_imported_by_its_own_module_only():
    code = """
import sys, rpsd, rpsd.integrations
assert "sklearn" not in sys.modules
sys.modules["sklearn"] = None
try:
    import rpsd.integrations.sklearn
except ModuleNotFoundError as error:
    print(error)
"""
    run = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert 'pip install "rpsd[sklearn]"' in run.stdout


def test_the_examples_run_and_the_leak_shows():
    assert doctest.testmod(integration).attempted >= 4
    assert doctest.testmod(integration).failed == 0
    text = (DOCS / "integrations.md").read_text(encoding="utf-8")
    names = {}
    for block in re.findall(r"```python\n(.*?)```", text, re.DOTALL):
        exec(block, names)
    # Noise and steps of variance 1: errors one step ahead have variance (3 + sqrt(5)) / 2, changes 3.
    possible = 1 - (3 + np.sqrt(5)) / 2 / 3
    assert 0.5 * possible < names["in_pipeline"] < names["before_split"] < 1.2 * possible
    assert names["leaking"] > 3 * possible


def test_the_page_of_the_interface_has_its_first_line():
    first = inspect.getdoc(DenoiseTransformer).splitlines()[0]
    line = f"| `rpsd.integrations.sklearn.DenoiseTransformer` | {first} |"
    assert line in (DOCS / "api.md").read_text(encoding="utf-8")
