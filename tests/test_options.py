# SPDX-License-Identifier: MIT
"""The schema of options: what is allowed, what is refused and how, and what auto stands for."""

import msgspec
import pytest

from rpsd._errors import ConfigError
from rpsd._options import (
    Guardrails,
    Options,
    make_guardrails,
    make_options,
    require_fitting,
    resolve,
)
from rpsd._schema import fields

# The contract, typed once more by hand: default, then the words beside it.
CONTRACT = {
    "method": ("auto", ["wavelet", "fir", "kalman"]),
    "wavelet": ("auto", []),
    "level": ("auto", []),
    "transform": ("auto", ["dwt", "modwt"]),
    "boundary": (
        "symmetric",
        [
            "zero",
            "constant",
            "smooth",
            "periodic",
            "reflect",
            "periodization",
            "antisymmetric",
            "antireflect",
        ],
    ),
    "threshold_mode": (
        "auto",
        [
            "bayes",
            "universal",
            "sure",
            "hybrid",
            "minimax",
            "fdr",
            "blockjs",
            "neighblock",
            "ebayes",
            "wiener",
            "none",
        ],
    ),
    "threshold_rule": (
        "auto",
        ["soft", "hard", "garrote", "firm", "scad", "posterior_median", "posterior_mean"],
    ),
    "threshold_scale": (1.0, []),
    "prior": ("cauchy", ["laplace"]),
    "noise": ("auto", ["price", "mad", "level", "local"]),
    "use_fir_filter": (False, []),
    "fir_cutoff": (0.1, []),
    "fir_taps": (101, []),
    "fir_window": ("hann", []),
    "min_gain_db": ("auto", []),
    "lookahead": (None, []),
    "window": (256, []),
    "min_periods": ("window", []),
    "missing": ("interpolate", ["raise"]),
    "outliers": ("none", ["spike"]),
    "breaks": (None, ["auto"]),
    "space": ("price", ["log"]),
}
GUARDRAILS = {
    "correlation_threshold": 0.85,
    "rmse_threshold": 0.5,
    "trend_threshold": 0.90,
    "power_threshold": 0.95,
    "gain_threshold": -0.1,
    "edges_threshold": -6.0,
    "bias_threshold": 0.25,
    "variance_threshold": 0.25,
    "roughness_threshold": 1.02,
    "lag_threshold": 0.5,
    "scale_threshold": 0.05,
    "overshoot_threshold": 1.0,
    "stuck_threshold": 0.05,
    "jumps_threshold": 0.5,
    "whiteness_threshold": 0.05,
    "policy": "report",
    "policies": None,
}
WORDS = [(name, word) for name, (default, words) in CONTRACT.items() for word in [default, *words]]


def test_the_options_and_their_defaults_are_the_contract():
    assert {f.name: f.default for f in (*fields(Options).values(), *fields(Guardrails).values())} == {
        **{name: default for name, (default, _) in CONTRACT.items()},
        **GUARDRAILS,
    }
    assert msgspec.structs.asdict(make_options()) == {
        name: default for name, (default, _) in CONTRACT.items()
    }
    assert msgspec.structs.asdict(make_guardrails()) == GUARDRAILS


@pytest.mark.parametrize(("name", "value"), WORDS)
def test_every_word_of_the_contract_is_taken_as_it_is(name, value):
    assert getattr(make_options(**{name: value}), name) == value


@pytest.mark.parametrize(
    ("given", "method"),
    [
        ({}, "auto"),
        ({"noise": "mad", "boundary": "zero", "space": "log", "fir_cutoff": 0.2}, "auto"),
        ({"wavelet": "auto", "level": "auto", "transform": "auto", "threshold_mode": "auto"}, "auto"),
        ({"wavelet": "db4"}, "wavelet"),
        ({"level": 4}, "wavelet"),
        ({"transform": "dwt"}, "wavelet"),
        ({"threshold_mode": "bayes"}, "wavelet"),
        ({"threshold_rule": "soft"}, "wavelet"),
        ({"threshold_scale": 1.0}, "wavelet"),
        ({"use_fir_filter": False}, "wavelet"),
        ({"wavelet": "db4", "method": "auto"}, "auto"),
        ({"wavelet": "db4", "method": "kalman"}, "kalman"),
    ],
)
def test_an_explicit_wavelet_option_selects_the_wavelet_method(given, method):
    assert make_options(**given).method == method


def test_a_method_chosen_below_is_kept():
    base = make_options(method="fir", fir_cutoff=0.2)
    changed = make_options(base, wavelet="haar")
    assert (changed.method, changed.wavelet, changed.fir_cutoff) == ("fir", "haar", 0.2)
    assert make_options(make_options(), wavelet="haar").method == "wavelet"
    assert make_options(make_options(window=64), min_periods=64).window == 64


def test_options_are_checked_together_with_their_base():
    with pytest.raises(ConfigError, match=r"from 1 to window \(64\), got 65"):
        make_options(make_options(window=64), min_periods=65)


def test_options_are_immutable_and_hashable():
    options = make_options(breaks=[True, False], fir_window=["general_cosine", [1, 2]])
    with pytest.raises(AttributeError):
        options.level = 3
    assert hash(options) == hash(make_options(breaks=[True, False], fir_window=("general_cosine", (1, 2))))


def test_auto_stands_for_the_price_model():
    settled = resolve(make_options())
    assert (settled.method, settled.noise, settled.min_gain_db) == ("auto", "price", 0.1)
    assert resolve(settled) == settled
    assert resolve(make_options(min_gain_db=0)).min_gain_db == 0
    plain = resolve(make_options(method="kalman"))
    assert (plain.method, plain.noise, plain.min_gain_db) == ("kalman", "price", 0.0)


@pytest.mark.parametrize("given", [{"method": "wavelet"}, {"level": "auto", "wavelet": "db4"}])
def test_auto_of_the_wavelet_method_is_the_textbook_chain_with_the_noise_of_the_price_model(given):
    settled = resolve(make_options(**given))
    assert (settled.method, settled.wavelet, settled.level) == ("wavelet", "db4", "auto")
    assert (settled.transform, settled.threshold_mode, settled.noise) == ("dwt", "bayes", "price")
    assert settled.min_gain_db == 0.0
    assert not settled.use_fir_filter
    assert resolve(settled) == settled


@pytest.mark.parametrize("noise", ["mad", "level", 0.5])
def test_a_noise_that_is_not_the_price_models_asks_for_wavelets(noise):
    options = make_options(noise=noise)
    assert options.method == "auto"
    settled = resolve(options)
    assert (settled.method, settled.noise, settled.min_gain_db) == ("wavelet", noise, 0.0)
    assert resolve(make_options(noise="price")).method == "auto"


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"method": "kalman", "noise": 0.5}, 'noise=0.5 with method="kalman" is not available'),
        ({"method": "kalman", "noise": "mad"}, 'noise="mad" with method="kalman" is not available'),
    ],
    ids=str,
)
def test_what_a_method_cannot_heed_yet_is_refused(given, message):
    with pytest.raises(ConfigError, match=message):
        require_fitting(resolve(make_options(**given)))


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"method": "kalman", "min_gain_db": 2},
        {"noise": "price"},
        {"noise": 2},
        {"level": 2},
        {"method": "fir"},
    ],
    ids=str,
)
def test_what_a_method_heeds_is_not_refused(given):
    require_fitting(resolve(make_options(**given)))


def test_resolve_changes_nothing_that_is_chosen():
    chosen = make_options(
        method="wavelet", wavelet="haar", level=2, transform="dwt", threshold_mode="universal",
        threshold_rule="hard", noise=0.5, use_fir_filter=True, min_gain_db=0.0, boundary="zero",
    )  # fmt: skip
    assert resolve(chosen) == chosen


def test_method_fir_is_the_filter_alone():
    settled = resolve(make_options(method="fir", level=4, threshold_mode="bayes", fir_taps=31))
    assert (settled.method, settled.level, settled.threshold_mode) == ("fir", 0, "none")
    assert settled.use_fir_filter
    assert settled.fir_taps == 31


# By hand: what can be run.
AVAILABLE = {
    "method": ["auto", "wavelet", "fir", "kalman"],
    "transform": ["auto", "dwt", "modwt"],
    "boundary": ["symmetric", *CONTRACT["boundary"][1]],
    "threshold_mode": ["auto", *CONTRACT["threshold_mode"][1]],
    "threshold_rule": ["auto", *CONTRACT["threshold_rule"][1]],
    "prior": ["cauchy", "laplace"],
    "noise": ["auto", "price", "mad", "level", "local", 0.5],
    "min_gain_db": ["auto", 0.0, 0.1],
    "lookahead": [None, 0, 7],
    "missing": ["interpolate", "raise"],
    "outliers": ["none", "spike"],
    "breaks": [None, "auto", (True, False)],
    "space": ["price", "log"],
}


@pytest.mark.parametrize(("name", "value"), [(n, v) for n, values in AVAILABLE.items() for v in values])
def test_what_is_built_resolves(name, value):
    resolve(make_options(**{name: value}))


def test_every_word_of_the_options_is_available():
    assert [(n, w) for n, w in WORDS if n in AVAILABLE and w not in AVAILABLE[n]] == []


def test_fields_carry_what_a_command_line_needs():
    by_name = {**fields(Options), **fields(Guardrails)}
    field = by_name["fir_cutoff"]
    assert (field.option, field.variable, field.kind) == ("--fir-cutoff", "RPSD_FIR_CUTOFF", float)
    assert by_name["threshold_mode"].words == ("auto", *CONTRACT["threshold_mode"][1])
    assert all(field.help.endswith(".") and "\n" not in field.help for field in by_name.values())


@pytest.mark.parametrize("settings", [Options, Guardrails])
def test_the_same_structs_decode_json(settings):
    # HTTP decodes into the same structs: their types must be ones that msgspec takes.
    assert msgspec.json.decode(b"{}", type=settings) == settings()
    with pytest.raises(msgspec.ValidationError, match="unknown field"):
        msgspec.json.decode(b'{"levle": 3}', type=settings)


def test_decoding_json_keeps_the_ranges():
    decoded = msgspec.json.decode(b'{"level": 3, "noise": 0.5, "lookahead": null}', type=Options)
    assert (decoded.level, decoded.noise, decoded.lookahead) == (3, 0.5, None)
    for bad in (b'{"level": -1}', b'{"noise": 0}', b'{"fir_cutoff": 1.0}', b'{"boundary": "none"}'):
        with pytest.raises(msgspec.ValidationError):
            msgspec.json.decode(bad, type=Options)
