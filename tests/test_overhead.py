# SPDX-License-Identifier: MIT
"""Short calls and a short import: lazy names, kept validations and the plain series change nothing else."""

import json
import subprocess
import sys
import threading
import tracemalloc

import numpy as np
import pandas as pd
import pytest
import pywt

import rpsd
from rpsd._api import _validated


def prices(n=64, seed=5):
    generator = np.random.default_rng(seed)
    return 100 + np.cumsum(generator.standard_normal(n)) + generator.standard_normal(n)


@pytest.fixture(autouse=True)
def nothing_kept():
    _validated.cache_clear()


def loaded_after(code):
    """The modules that a fresh interpreter holds after the code."""
    code = f"import sys, json\n{code}\nprint(json.dumps([*sys.modules]))"
    run = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    return set(json.loads(run.stdout))


@pytest.mark.parametrize(
    "code",
    [
        "import rpsd",
        "import rpsd; rpsd.fir_filter([1.0, 2.0, 3.0], [0.5, 0.5])",
        "import rpsd; rpsd.wavedec([1.0, 2.0, 3.0], 'haar', level=1)",
    ],
)
def test_only_options_load_the_schema(code):
    heavy = {"msgspec", "yaml", "rpsd._schema", "rpsd._options", "rpsd._config", "rpsd._result"}
    assert not loaded_after(code) & heavy
    assert {"msgspec", "rpsd._schema"} <= loaded_after(f"{code}; rpsd.Options")


def test_lazy_names_are_those_of_their_modules():
    assert set(rpsd.__all__) <= set(dir(rpsd))
    names = {}
    exec("from rpsd import *", names)
    for name in rpsd.__all__:
        assert getattr(rpsd, name) is names[name]
        if name != "__version__":
            assert names[name].__module__.startswith("rpsd._")
            assert names[name].__name__ == name
    with pytest.raises(AttributeError, match="no attribute 'denoize'"):
        rpsd.denoize  # noqa: B018


class Subclass(np.ndarray):
    pass


def misaligned(x):
    raw = np.empty(x.nbytes + 1, dtype=np.uint8)
    view = raw[1:].view(x.dtype)
    view[:] = x
    return view


OTHER_FORMS = {
    "list": list,
    "strided": lambda x: np.repeat(x, 2)[::2],
    "backwards": lambda x: x[::-1].copy()[::-1],
    "misaligned": misaligned,
    "swapped": lambda x: x.astype(x.dtype.newbyteorder("S")),
    "subclass": lambda x: x.view(Subclass),
    "batch": lambda x: x[np.newaxis],
    "column": lambda x: x[:, np.newaxis],
    "read only": lambda x: np.frombuffer(x.tobytes(), dtype=x.dtype),
}


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("form", OTHER_FORMS)
@pytest.mark.parametrize("n", [0, 1, 2, 64, 1001])
@pytest.mark.parametrize("method", ["auto", "kalman", "wavelet"])
def test_a_plain_series_has_the_bits_of_every_other_form(method, form, n, dtype):
    if form == "list" and dtype == np.float32:
        dtype = np.float64  # numbers of Python are double
    x = prices(n).astype(dtype)
    x[5:7] = np.nan
    given = x.copy()
    plain = rpsd.denoise(x, method=method)
    other = rpsd.denoise(OTHER_FORMS[form](x), axis=0 if form == "column" else -1, method=method)
    assert np.asarray(other).reshape(-1).tobytes() == plain.tobytes()
    assert (type(plain), plain.dtype, plain.shape) == (np.ndarray, x.dtype, x.shape)
    assert plain.base is None
    assert not np.shares_memory(plain, x)
    np.testing.assert_array_equal(x, given)


def test_a_series_of_pandas_is_made_around_the_output():
    x = pd.Series(prices(200_000))
    tracemalloc.start()
    try:
        y = rpsd.denoise(x, method="wavelet")
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 1.5 * y.to_numpy().nbytes
    assert not np.shares_memory(y.to_numpy(), x.to_numpy())


class Bare(pd.Series):
    """A subclass that knows few options."""

    def __init__(self, data=None, index=None, name=None):
        super().__init__(data, index=index, name=name)


@pytest.mark.parametrize("dtype", ["float64", "Float64", "Float32", "Int64"])
@pytest.mark.parametrize("kind", [pd.Series, Bare])
def test_views_of_series_of_any_kind(kind, dtype):
    x = pd.Series(np.round(100 * prices(130)), name="x").astype(dtype)
    for part in (x.iloc[::2], x.iloc[::-1].reset_index(drop=True)):
        y = rpsd.denoise(kind(part.array, index=part.index, name="x"), method="wavelet")
        assert (type(y), y.name) == (kind, "x")
        plain = part.to_numpy(np.float32 if dtype == "Float32" else np.float64)
        np.testing.assert_array_equal(y.to_numpy(plain.dtype), rpsd.denoise(plain, method="wavelet"))


@pytest.mark.parametrize("method", ["auto", "wavelet"])
def test_only_plain_series_take_the_short_way(method):
    x = prices()
    core = rpsd.Denoiser(method=method)._core
    for dtype in (np.float64, np.float32):
        y = core.denoise_series(x.astype(dtype), 64, -1, 1)
        assert y.dtype == dtype
        assert y.tobytes() == rpsd.denoise(x.astype(dtype)[np.newaxis], method=method).tobytes()
    forms = {name: make for name, make in OTHER_FORMS.items() if name != "read only"}
    for name, make in forms.items():
        assert core.denoise_series(make(x), 0, -1, 1) is None, name
    for other in (x.astype(np.int64), x.astype(np.float16), x.astype(complex), np.float64(1), None, "x"):
        assert core.denoise_series(other, 0, -1, 1) is None
    for least, axis, threads in ((65, -1, 1), (0, 1, 1), (0, -2, 1), (0, False, 1), (0, 10**30, 1)):
        assert core.denoise_series(x, least, axis, threads) is None
    for threads in (True, -1, 0, 2, 1.0, None, 10**30):
        assert core.denoise_series(x, 0, -1, threads) is None


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"axis": 1}, "axis must be an integer from -1 to 0"),
        ({"axis": True}, "axis must be"),
        ({"axis": 10**30}, "axis must be"),
        ({"threads": True}, "threads must be"),
        ({"threads": -1}, "threads must be"),
        ({"threads": 1025}, "threads must be"),
        ({"threads": 10**30}, "threads must be"),
    ],
)
def test_plain_series_refuse_bad_arguments(given, message):
    for _ in range(2):
        with pytest.raises(rpsd.InputError, match=message):
            rpsd.denoise(prices(), **given)


def test_plain_series_refuse_bad_samples():
    x = prices()
    x[3] = np.inf
    for options in ({}, {"wavelet": "sym8"}):
        with pytest.raises(rpsd.InputError, match="x has inf at position 3"):
            rpsd.denoise(x, **options)
    x[3] = np.nan
    with pytest.raises(rpsd.InputError, match="x has NaN at position 3"):
        rpsd.denoise(x, missing="raise")


def test_plain_series_fill_out():
    x = prices()
    expected = rpsd.denoise(x)
    out = np.empty_like(x)
    assert rpsd.denoise(x, out=out) is out
    np.testing.assert_array_equal(out, expected)
    assert rpsd.denoise(x, out=x) is x
    np.testing.assert_array_equal(x, expected)
    with pytest.raises(rpsd.InputError, match="out must be an ndarray of float64"):
        rpsd.denoise(x, out=np.empty(64, dtype=np.float32))


@pytest.mark.parametrize("taps", [2, 8])
@pytest.mark.parametrize("level", [0, 1, 3, 40])
def test_a_level_warns_on_every_call_where_pywavelets_does(level, taps):
    wavelet = {2: "haar", 8: "db4"}[taps]
    denoiser = rpsd.Denoiser(wavelet=wavelet, level=level)
    for n in {2, taps, (taps - 1) * 2 ** min(level, 8) - 1, (taps - 1) * 2 ** min(level, 8), 3000}:
        x = prices(n)
        deep = level > pywt.dwt_max_level(n, taps)
        for call in (denoiser.denoise, lambda x: rpsd.denoise(x, wavelet=wavelet, level=level)):
            for _ in range(2):
                if deep:
                    with pytest.warns(UserWarning, match="Level value of") as caught:
                        call(x)
                    assert [w.filename for w in caught] == [__file__]
                else:
                    call(x)


def test_equal_options_are_validated_once():
    x = prices()
    expected = rpsd.Denoiser(wavelet="sym8", level=2).denoise(x)
    for _ in range(3):
        np.testing.assert_array_equal(rpsd.denoise(x, wavelet="sym8", level=2), expected)
    assert (_validated.cache_info().misses, _validated.cache_info().hits) == (1, 2)
    for k in range(100):
        rpsd.denoise(x, noise=0.5 + k)
    assert _validated.cache_info().currsize <= 32


def test_what_is_equal_but_of_another_type_is_validated():
    x = prices()
    for name, good, bad in (("level", 1, True), ("level", 1, 1.0), ("use_fir_filter", True, 1)):
        rpsd.denoise(x, **{name: good})
        for _ in range(2):
            with pytest.raises(rpsd.ConfigError, match=f"{name} must be"):
                rpsd.denoise(x, **{name: bad})
    np.testing.assert_array_equal(rpsd.denoise(x, threshold_scale=1), rpsd.denoise(x, threshold_scale=1.0))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"wavlet": "db4"}, "unknown option"),
        ({"level": -1}, "level must be"),
        ({"noise": float("nan")}, "noise must be"),
        ({"lookahead": 1001}, "lookahead must be at most 1000"),
        ({"rmse_threshold": 0.1}, "is a guardrail"),
        ({"wavelet": ["db4"]}, "wavelet must be"),
        ({"level": np.arange(3)}, "level must be"),
    ],
)
def test_errors_are_the_same_each_time(options, message):
    for _ in range(3):
        with pytest.raises(rpsd.ConfigError, match=message):
            rpsd.denoise(prices(), **options)
    assert _validated.cache_info().currsize == 0


def test_what_can_change_is_validated_at_each_call(tmp_path):
    x = prices()
    path = tmp_path / "config.yaml"
    for level in (1, 2):
        path.write_text(f"denoiser: {{level: {level}}}", encoding="utf-8")
        expected = rpsd.denoise(x, level=level)
        for config in (path, str(path), rpsd.load_config(path)):
            np.testing.assert_array_equal(rpsd.denoise(x, config=config), expected)

    bank = [list(taps) for taps in pywt.Wavelet("haar").filter_bank]
    for scale in (1.0, 0.5):
        bank[2] = [tap * scale for tap in bank[2]]
        wavelet = pywt.Wavelet("mine", filter_bank=bank)
        expected = rpsd.Denoiser(wavelet=wavelet).denoise(x)
        np.testing.assert_array_equal(rpsd.denoise(x, wavelet=wavelet), expected)

    rails = {"policy": "report", "rmse_threshold": 0}
    rpsd.denoise(x, noise="mad", guardrails=rails)
    rails["policy"] = "raise"
    for _ in range(2):
        with pytest.raises(rpsd.GuardrailError):
            rpsd.denoise(x, noise="mad", guardrails=rails)


def test_threads_that_share_the_kept_validations():
    x = prices()
    wavelets = pywt.wavelist("db")[:8] + pywt.wavelist("sym")[:8]
    expected = {name: rpsd.Denoiser(wavelet=name).denoise(x).tobytes() for name in wavelets}
    wrong = []

    def work(seed):
        drawn = map(str, np.random.default_rng(seed).choice(wavelets, 200))
        wrong.extend(name for name in drawn if rpsd.denoise(x, wavelet=name).tobytes() != expected[name])

    workers = [threading.Thread(target=work, args=(seed,)) for seed in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert not wrong
