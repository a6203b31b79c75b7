# SPDX-License-Identifier: MIT
"""Single values of the schema: what is taken, as what, and what is said of the rest."""

import numpy as np
import pytest
import pywt
from scipy.signal import windows

from rpsd._breaks import Mask
from rpsd._errors import ConfigError, InputError
from rpsd._guardrails import Guardrails
from rpsd._options import Options, make_guardrails, make_options
from rpsd._schema import _WINDOW_PARAMETERS, fields

WORD_DEFAULTS = {f.name: f.default for f in fields(Options).values() if isinstance(f.default, str)}
FIELDS = {**fields(Options), **fields(Guardrails)}


def refused(name, value):
    with pytest.raises(ConfigError) as caught:
        make_options(**{name: value})
    return str(caught.value)


@pytest.mark.parametrize("name", WORD_DEFAULTS)
@pytest.mark.parametrize("change", [str.upper, lambda word: word + " ", lambda word: word.encode()])
def test_words_are_exact(name, change):
    assert refused(name, change(WORD_DEFAULTS[name])).startswith(f"{name} must be ")


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("level", 0, 0),
        ("level", np.int32(5), 5),
        ("level", np.uint8(5), 5),
        ("threshold_scale", 0, 0.0),
        ("threshold_scale", np.float32(0.5), 0.5),
        ("noise", 1, 1.0),
        ("noise", np.float64(0.25), 0.25),
        ("use_fir_filter", np.True_, True),
        ("fir_cutoff", np.nextafter(1.0, 0.0), np.nextafter(1.0, 0.0)),
        ("fir_taps", 1, 1),
        ("min_gain_db", 0, 0.0),
        ("lookahead", np.int64(0), 0),
        ("window", 256, 256),
        ("min_periods", 256, 256),
        ("space", np.str_("log"), "log"),
        ("fir_window", np.float32(8.5), 8.5),
        ("fir_window", ["kaiser", 8.5], ("kaiser", 8.5)),
        ("fir_window", ("general_cosine", [1, 0.5, np.float64(0.25)]), ("general_cosine", (1, 0.5, 0.25))),
        ("breaks", np.array([True, False]), Mask((True, False))),
        ("breaks", [False, True], Mask((False, True))),
    ],
)
def test_values_become_plain_python(name, value, expected):
    came = getattr(make_options(**{name: value}), name)
    assert came == expected
    assert type(came) is type(expected) if not isinstance(expected, np.generic) else type(came) is float


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("level", -3, 'level must be "auto" or an integer from 0 to 64, got -3'),
        ("level", True, 'level must be "auto" or an integer from 0 to 64, got True'),
        ("level", 4.0, 'level must be "auto" or an integer from 0 to 64, got 4.0'),
        ("level", np.float64(4), 'level must be "auto" or an integer from 0 to 64, got 4.0'),
        ("level", "4", 'level must be "auto" or an integer from 0 to 64, got "4"'),
        ("level", 2**31, "got 2147483648; the largest is 2147483647"),
        ("fir_taps", 0, "fir_taps must be an integer from 1 to 16384, got 0"),
        ("fir_taps", None, "fir_taps must be an integer from 1 to 16384, got None"),
        ("fir_cutoff", 0.0, "fir_cutoff must be a number > 0 and < 1, got 0.0"),
        ("fir_cutoff", 1, "fir_cutoff must be a number > 0 and < 1, got 1"),
        ("fir_cutoff", 10**400, "fir_cutoff must be a number > 0 and < 1, got an integer beyond 64 bits"),
        ("fir_cutoff", np.ones(3), "and < 1, got an array of shape (3,) and dtype float64"),
        ("threshold_scale", -0.5, "threshold_scale must be a number >= 0, got -0.5"),
        ("threshold_scale", float("inf"), "threshold_scale must be a number >= 0, got inf"),
        ("threshold_scale", float("nan"), "threshold_scale must be a number >= 0, got nan"),
        ("noise", 0.0, 'noise must be "auto", "price", "mad", "level", "local" or a number > 0, got 0.0'),
        ("noise", False, 'noise must be "auto", "price", "mad", "level", "local" or a number > 0, got False'),
        ("use_fir_filter", 1, "use_fir_filter must be true or false, got 1"),
        ("use_fir_filter", "true", 'use_fir_filter must be true or false, got "true"'),
        ("min_gain_db", -1, 'min_gain_db must be "auto" or a number >= 0, got -1'),
        ("lookahead", -1, "lookahead must be None (null in YAML) or an integer >= 0, got -1"),
        ("window", 1, "window must be an integer >= 2, got 1"),
        ("min_periods", 0, 'min_periods must be "window" or an integer >= 1, got 0'),
        ("min_periods", 257, 'min_periods must be "window" or an integer from 1 to window (256), got 257'),
        ("missing", None, 'missing must be "interpolate" or "raise", got None'),
        ("space", "logs", 'space must be "price" or "log", got "logs"; did you mean "log"?'),
        ("breaks", "atuo", 'breaks must be None (null in YAML), "auto" or a 1-D boolean mask, got "atuo"'),
        ("breaks", 3, 'None (null in YAML), "auto" or a 1-D boolean mask, got 3'),
        ("wavelet", "db44", 'a pywt.Wavelet, got "db44"; did you mean "db4"?'),
        ("wavelet", "morl", '"auto", a discrete wavelet name of PyWavelets or a pywt.Wavelet, got "morl"'),
        ("wavelet", 4, "a pywt.Wavelet, got 4"),
        ("wavelet", "x" * 500, "xxx..."),
        ("fir_window", "hanning", 'got "hanning"; did you mean "han'),
        ("fir_window", "kaiser", 'got "kaiser"; parameters of kaiser: 1'),
        ("fir_window", ("tukey", 1, 2), "parameters of tukey: 0 to 1"),
        ("fir_window", ("kaiser", "8"), "a window name of scipy.signal.get_window, a (name, parameter"),
        ("fir_window", ("kaiser", float("nan")), "(Kaiser beta), got tuple ('kaiser', nan)"),
        ("fir_window", (), "got tuple ()"),
        ("fir_window", None, "got None"),
        ("fir_window", True, "got True"),
        ("fir_window", float("inf"), "got inf"),
    ],
)  # fmt: skip
def test_a_bad_value_names_the_option_what_came_and_what_is_allowed(name, value, message):
    text = refused(name, value)
    assert message in text
    assert text.startswith(f"{name} must be ")
    assert len(text) < 300


@pytest.mark.parametrize(
    ("mask", "got"),
    [
        ([[True, False]], "got list [[True, False]]"),
        ([0, 1], 'None (null in YAML), "auto" or a 1-D boolean mask, got list [0, 1]'),
        (np.zeros(4), "got an array of shape (4,) and dtype float64"),
        ([[True], [True, False]], "breaks must be None"),
    ],
)
def test_a_mask_that_is_none_is_bad_data_as_one_of_another_length_is(mask, got):
    with pytest.raises(InputError) as caught:
        make_options(breaks=mask)
    assert got in str(caught.value)


def test_an_integer_too_long_to_print_is_refused_in_words():
    text = "fir_taps must be an integer from 1 to 16384, got an integer beyond 64 bits"
    assert text in refused("fir_taps", 10**5000)


@pytest.mark.parametrize(
    ("name", "low", "high"),
    [
        ("correlation_threshold", -1, 1),
        ("rmse_threshold", 0, None),
        ("trend_threshold", 0, 1),
        ("power_threshold", 0, 1),
    ],
)
def test_guardrail_thresholds_have_closed_ranges(name, low, high):
    allowed = f"{name} must be a number " + (f">= {low}" if high is None else f"from {low} to {high}")
    assert getattr(make_guardrails(**{name: low}), name) == low
    with pytest.raises(ConfigError, match=f"{allowed}, got {low - 0.01}"):
        make_guardrails(**{name: low - 0.01})
    if high is not None:
        assert getattr(make_guardrails(**{name: high}), name) == high
        with pytest.raises(ConfigError, match=f"{allowed}, got 1.01"):
            make_guardrails(**{name: high + 0.01})


def test_an_unknown_option_suggests_the_nearest_name():
    with pytest.raises(ConfigError, match='unknown option "treshold_mode"; did you mean "threshold_mode"'):
        make_options(treshold_mode="bayes")
    with pytest.raises(ConfigError, match='unknown option "qqq"; known: method, wavelet, level'):
        make_options(qqq=1)
    with pytest.raises(
        ConfigError, match='unknown guardrail key "rmse_treshold"; did you mean "rmse_threshold"'
    ):
        make_guardrails(rmse_treshold=0.4)


def test_every_discrete_wavelet_is_taken_in_any_case():
    names = pywt.wavelist(kind="discrete")
    assert [make_options(wavelet=name.upper()).wavelet for name in names] == names


def test_a_wavelet_object_is_kept():
    bank = pywt.Wavelet("mine", filter_bank=pywt.Wavelet("db2").filter_bank)
    assert make_options(wavelet=bank).wavelet is bank


def test_no_continuous_wavelet_is_taken():
    for name in pywt.wavelist(kind="continuous"):
        assert "got" in refused("wavelet", name)


PARAMETERS = {
    "kaiser": (8.6,), "kaiser_bessel_derived": (8.6,), "gaussian": (7.0,), "general_cosine": ((1.0, 0.5),),
    "general_gaussian": (1.5, 7.0), "general_hamming": (0.75,), "chebwin": (100.0,), "dpss": (2.5,),
}  # fmt: skip


def test_the_windows_of_scipy_are_taken():
    for name in sorted(set(windows.__all__) - {"get_window"}):
        window = (name, *PARAMETERS[name]) if name in PARAMETERS else name
        assert make_options(fir_window=window).fir_window == window
        assert len(windows.get_window(window, 8, fftbins=False)) == 8


def test_no_other_window_is_taken():
    for name, (least, _) in _WINDOW_PARAMETERS.items():
        parameters = [60.0 if name.startswith("cheb") else 2.5] * least
        if name in ("general cosine", "general_cosine"):
            parameters = [(1.0, 0.5)]
        assert len(windows.get_window((name, *parameters) if parameters else name, 8, fftbins=False)) == 8, (
            name
        )


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("level", "4", 4),
        ("level", " auto ", "auto"),
        ("use_fir_filter", "true", True),
        ("use_fir_filter", "Off", False),
        ("use_fir_filter", "1", True),
        ("noise", "0.5", 0.5),
        ("noise", "1e-3", 0.001),
        ("noise", "mad", "mad"),
        ("threshold_scale", "2", 2.0),
        ("lookahead", "none", None),
        ("lookahead", "null", None),
        ("lookahead", "0", 0),
        ("outliers", "none", "none"),
        ("threshold_mode", "none", "none"),
        ("breaks", "None", None),
        ("breaks", "auto", "auto"),
        ("wavelet", "SYM4", "sym4"),
        ("fir_window", "hamming", "hamming"),
        ("fir_window", "kaiser, 8.6", ("kaiser", 8.6)),
        ("fir_window", "8.6", 8.6),
        ("rmse_threshold", ".3", 0.3),
        ("policy", "warn", "warn"),
    ],
)
def test_text_is_read_by_the_schema(name, text, value):
    came = FIELDS[name].parse(text)
    assert came == value
    assert type(came) is type(value)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("level", ""), ("level", "4.0"), ("level", "1_0"), ("level", "none"), ("level", "٣"),
        ("level", "0x4"), ("level", "9" * 99), ("noise", "nan"), ("noise", "inf"), ("noise", "1_0.0"),
        ("use_fir_filter", "2"), ("breaks", "true,false"), ("fir_window", "kaiser,"), ("wavelet", "none"),
    ],
)  # fmt: skip
def test_text_that_is_not_allowed(name, text):
    with pytest.raises(ConfigError, match=f"^{name} must be .*, got "):
        FIELDS[name].parse(text)
