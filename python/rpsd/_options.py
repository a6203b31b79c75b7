# SPDX-License-Identifier: MIT
"""The one schema of options and guardrails that Python, YAML, the environment, CLI and HTTP share."""

import os
from collections.abc import Mapping
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from rpsd._core import __version__
from rpsd._errors import CausalityError, ConfigError
from rpsd._guardrails import NAMES, Guardrails
from rpsd._schema import BreaksValue, WaveletValue, WindowValue, fields, shown, unknown

_Auto = Literal["auto"]
_NonNegativeInt = Annotated[int, Meta(ge=0)]
_PositiveFloat = Annotated[float, Meta(gt=0)]
_NonNegativeFloat = Annotated[float, Meta(ge=0)]
_Boundary = Literal[
    "symmetric", "zero", "constant", "smooth", "periodic",
    "reflect", "periodization", "antisymmetric", "antireflect",
]  # fmt: skip
_ThresholdMode = Literal[
    "auto", "bayes", "universal", "sure", "hybrid", "minimax",
    "fdr", "blockjs", "neighblock", "ebayes", "wiener", "none",
]  # fmt: skip
_ThresholdRule = Literal[
    "auto", "soft", "hard", "garrote", "firm", "scad", "posterior_median", "posterior_mean"
]  # fmt: skip


class Options(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Every option of a denoiser, immutable; build one with `make_options`, which validates.

    Method ``auto`` fits a price model to each series and smooths it, or leaves it alone where there
    is no noise to remove. The table of all options, with allowed values and meaning, is
    docs/config.md.

    Examples
    --------
    >>> from rpsd._options import make_options
    >>> options = make_options(wavelet="sym8", level=3)
    >>> options.method, options.wavelet, options.level
    ('wavelet', 'sym8', 3)
    """

    method: Annotated[
        Literal["auto", "wavelet", "fir", "kalman"],
        Meta(description="Denoising method; auto fits a price model and leaves clean prices alone."),
    ] = "auto"
    wavelet: Annotated[
        WaveletValue, Meta(description="Discrete wavelet, by its PyWavelets name; auto is db4.")
    ] = "auto"
    level: Annotated[
        _Auto | Annotated[int, Meta(ge=0, le=64)],  # 2^64 samples would not fit any machine
        Meta(description="Levels of decomposition; auto is 4, or fewer where the series is short."),
    ] = "auto"
    transform: Annotated[
        Literal["auto", "dwt", "modwt"],
        Meta(description="Decimated (dwt) or translation-invariant (modwt) transform; auto is dwt."),
    ] = "auto"
    boundary: Annotated[_Boundary, Meta(description="How the signal is extended at its ends.")] = "symmetric"
    threshold_mode: Annotated[
        _ThresholdMode,
        Meta(description="How thresholds are found; auto is bayes, none keeps all coefficients."),
    ] = "auto"
    threshold_rule: Annotated[
        _ThresholdRule,
        Meta(
            description="How coefficients shrink at their threshold; auto: soft, posterior_median of ebayes."
        ),
    ] = "auto"
    threshold_scale: Annotated[_NonNegativeFloat, Meta(description="Factor on every threshold.")] = 1.0
    prior: Annotated[
        Literal["cauchy", "laplace"], Meta(description="Prior of signal with threshold_mode ebayes.")
    ] = "cauchy"
    noise: Annotated[
        Literal["auto", "price", "mad", "level", "local"] | _PositiveFloat,
        Meta(description="Estimator of the noise, or its standard deviation; auto is price."),
    ] = "auto"
    use_fir_filter: Annotated[bool, Meta(description="Low-pass FIR filter after the wavelet step.")] = False
    fir_cutoff: Annotated[
        float,
        Meta(gt=0, lt=1, description="Cutoff of the FIR filter, as a fraction of the Nyquist frequency."),
    ] = 0.1
    fir_taps: Annotated[int, Meta(ge=1, le=16384, description="Number of FIR coefficients.")] = 101
    fir_window: Annotated[
        WindowValue, Meta(description="Window of the FIR design, as SciPy's get_window takes it.")
    ] = "hann"
    min_gain_db: Annotated[
        _Auto | _NonNegativeFloat,
        Meta(description="Predicted gain in dB, of the best smoother, below which the input is returned."),
    ] = "auto"
    lookahead: Annotated[
        _NonNegativeInt | None,
        Meta(description="Samples of future that each value may use; 0 is causal, none is offline."),
    ] = None
    window: Annotated[int, Meta(ge=2, description="Trailing samples that a windowed causal method sees.")] = (
        256
    )
    min_periods: Annotated[
        Literal["window"] | Annotated[int, Meta(ge=1)],
        Meta(description="Samples of a session before its first value; window is as many as window holds."),
    ] = "window"
    missing: Annotated[Literal["interpolate", "raise"], Meta(description="What NaN in the input does.")] = (
        "interpolate"
    )
    outliers: Annotated[
        Literal["none", "spike"], Meta(description="Cleaning of bad ticks before denoising.")
    ] = "none"
    breaks: Annotated[BreaksValue, Meta(description="Session breaks that no information crosses.")] = None
    space: Annotated[Literal["price", "log"], Meta(description="Denoise prices, or their logarithms.")] = (
        "price"
    )


# Methods that fit a price model, and the longest lag that they keep.
_FITTED = ("auto", "kalman")
_MOST_LOOKAHEAD = 1000
# The translation-invariant transform wraps around, or mirrors what it wraps.
_MODWT_BOUNDARIES = ("symmetric", "periodic")

# Rules that are read off the posterior distribution, which only one mode has.
_OF_EBAYES = ("posterior_median", "posterior_mean")

# An explicit one of these asks for the wavelet method, unless a method is given beside it.
_SELECTS_WAVELET = (
    "wavelet",
    "level",
    "transform",
    "threshold_mode",
    "threshold_rule",
    "threshold_scale",
    "use_fir_filter",
)


def make_options(base: Options | None = None, /, **overrides: Any) -> Options:
    """Return validated options: the base, or the defaults, with the overrides on top.

    An explicit wavelet, level, transform, threshold_* or use_fir_filter among the overrides turns
    method ``auto`` into ``wavelet``, unless the overrides give a method too. The word ``auto`` is no
    explicit choice.

    Parameters
    ----------
    base : Options, optional
        Options to start from.
    **overrides
        Options by name; NumPy scalars are taken as the Python values they hold.

    Returns
    -------
    Options

    Raises
    ------
    ConfigError
        For an unknown option or a value that is not allowed, naming both and what is allowed.

    Examples
    --------
    >>> make_options(make_options(level=3), threshold_mode="universal").level
    3
    """
    given = check_given(Options, overrides)
    options = Options() if base is None else base
    check_given(Options, msgspec.structs.asdict(options))  # the class itself takes any value
    if options.method == "auto" and selects_wavelet(given) is not None:
        given["method"] = "wavelet"
    return check_together(msgspec.structs.replace(options, **given))


def make_guardrails(base: Guardrails | None = None, /, **overrides: Any) -> Guardrails:
    """Return validated guardrails: the base, or the defaults, with the overrides on top.

    Raises
    ------
    ConfigError
        For an unknown key or a value that is not allowed, naming both and what is allowed.

    Examples
    --------
    >>> make_guardrails(policy="warn").policy
    'warn'
    """
    given = check_given(Guardrails, overrides)
    guardrails = Guardrails() if base is None else base
    check_given(Guardrails, msgspec.structs.asdict(guardrails))  # the class itself takes any value
    return msgspec.structs.replace(guardrails, **given)


def require_causal_policies(options: Options, guardrails: Guardrails) -> None:
    """Raise CausalityError for a policy that would decide from the whole series what a past value is."""
    if options.lookahead is None:
        return
    for name in NAMES:
        policy = guardrails.policy_of(name)
        if policy in ("relax", "passthrough"):
            raise CausalityError(
                f'policy="{policy}" looks at the whole series, and lookahead={options.lookahead} may not; '
                "available with a lookahead: report, warn, raise"
            )


def check_given(settings: type[msgspec.Struct], given: Mapping[str, object]) -> dict[str, Any]:
    """Check each given value by itself against a settings struct and return the plain values."""
    known = fields(settings)
    for name in given:
        if name not in known:
            what = "option" if settings is Options else "guardrail key"
            raise unknown(what, name, known)
    return {name: known[name].check(value) for name, value in given.items()}


def selects_wavelet(given: Mapping[str, object]) -> str | None:
    """Return the first given option that asks for the wavelet method, where no method is given."""
    if "method" in given:
        return None
    chosen = (name for name in _SELECTS_WAVELET if given.get(name, "auto") != "auto")
    return next(chosen, None)


def check_together(options: Options) -> Options:
    """Return the options if their values fit each other, or raise ConfigError."""
    if isinstance(options.min_periods, int) and options.min_periods > options.window:
        raise ConfigError(
            f'min_periods must be "window" or an integer from 1 to window ({options.window}), '
            f"got {options.min_periods}"
        )
    if options.threshold_rule in _OF_EBAYES and options.threshold_mode not in ("auto", "ebayes"):
        raise ConfigError(
            f'threshold_rule="{options.threshold_rule}" needs threshold_mode="ebayes", '
            f'got threshold_mode="{options.threshold_mode}"'
        )
    return options


def require_fitting(options: Options) -> None:
    """Raise ConfigError where a value of resolved options is one that their method cannot heed yet.

    Raises
    ------
    ConfigError
        Naming the value, the method, the release, and what is available.
    """
    fitted, noise = options.method in _FITTED, options.noise
    refused = f"with method={shown(options.method)} is not available in rpsd {__version__}; available: "
    if options.transform == "modwt" and options.boundary not in _MODWT_BOUNDARIES:
        raise ConfigError(
            f'boundary must be {" or ".join(_MODWT_BOUNDARIES)} with transform="modwt", '
            f"got {shown(options.boundary)}"
        )
    if fitted and noise != "price":
        raise ConfigError(f"noise={shown(noise)} {refused}auto, price")
    if fitted and (options.lookahead or 0) > _MOST_LOOKAHEAD:
        raise ConfigError(
            f"lookahead must be at most {_MOST_LOOKAHEAD} with method={shown(options.method)}, "
            f"got {options.lookahead}"
        )


def resolve(options: Options) -> Options:
    """Return the options with every ``auto`` replaced by what it stands for.

    Method ``auto`` stays, as it chooses for each series, unless a noise is given that is not the price
    model's: that asks for ``wavelet``. Noise ``auto`` is ``price``. Level ``auto`` stays, as it depends
    on the length of the series: min(4, largest useful level), and min(8, the same) with
    ``threshold_mode="ebayes"``, which goes with wavelet sym8 and the posterior median where none is given.
    Method ``fir`` is the FIR filter alone: no decomposition (level 0), no threshold, filter on,
    whatever those options say.

    Examples
    --------
    >>> resolve(make_options()).min_gain_db, resolve(make_options(noise=0.5)).method
    (0.1, 'wavelet')
    """
    method = options.method
    if method == "auto" and options.noise not in {"auto", "price"}:
        method = "wavelet"
    mode = _first(options.threshold_mode, "ebayes" if options.threshold_rule in _OF_EBAYES else "bayes")
    ebayes = mode == "ebayes"
    settled: dict[str, Any] = {
        "method": method,
        "wavelet": _first(options.wavelet, "sym8" if ebayes or method == "auto" else "db4"),
        "transform": _first(options.transform, "dwt"),
        "threshold_mode": mode,
        "threshold_rule": _first(options.threshold_rule, "posterior_median" if ebayes else "soft"),
        "noise": _first(options.noise, "price"),
        "min_gain_db": _first(options.min_gain_db, 0.1 if method == "auto" else 0.0),
    }
    if options.method == "fir":
        settled |= {"level": 0, "threshold_mode": "none", "use_fir_filter": True}
    return msgspec.structs.replace(options, **settled)


def _first(value: Any, stands_for: Any) -> Any:
    return stands_for if isinstance(value, str) and value == "auto" else value


def settings(config: Any) -> tuple[Options, Guardrails]:
    """Return the options and guardrails that a config argument stands for."""
    if config is None:
        return Options(), Guardrails()
    if isinstance(config, Options):
        return config, Guardrails()
    from rpsd._config import Config, load_config

    if isinstance(config, str | os.PathLike):
        config = load_config(config)
    if isinstance(config, Config):
        return config.denoiser, config.guardrails
    raise ConfigError(f"config must be a Config, Options, a path or None, got {type(config).__name__}")


def merged_guardrails(given: Guardrails | Mapping[str, Any] | None, base: Guardrails) -> Guardrails:
    """Return the guardrails given, or the base with the keys given on top."""
    if given is None:
        return base
    return make_guardrails(given) if isinstance(given, Guardrails) else make_guardrails(base, **given)
