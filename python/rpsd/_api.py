# SPDX-License-Identifier: MIT
"""The public functions: check arguments once, call the core once, mirror the input."""

from collections.abc import Hashable, Mapping
from functools import lru_cache
from types import NoneType
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from rpsd import _core
from rpsd._errors import InputError
from rpsd._mirror import Labels, checked_threads, mirror, numeric_array, raise_from_core, require_same_labels

if TYPE_CHECKING:
    from rpsd._config import Config
    from rpsd._denoiser import Denoiser
    from rpsd._guardrails import Guardrails
    from rpsd._result import NoiseModel, Report

_PLAIN_TYPES = frozenset({str, int, float, bool, NoneType})


def denoise(
    x: Any,
    *,
    axis: int = -1,
    out: npt.NDArray[Any] | None = None,
    threads: int = 1,
    by: Labels = None,
    time: Hashable = None,
    value: Labels = None,
    **options: Any,
) -> Any:
    """Return the denoised input, offline unless ``lookahead`` is given.

    By default a price model is fitted, and a series in which no noise is found is returned as it is.
    With ``lookahead=k`` the value at t uses data up to t + k only.

    Parameters
    ----------
    x : array_like, or a series, array, frame or table of pandas, polars, pyarrow or another Arrow library
        Prices. An ndarray of more than one dimension is series x time; a frame is time x series. float32
        and float64 are worked on as they are, integers and decimals become float64, unscaled. NaN and null
        are missing samples, and stay what they are. Never modified. Any length from 0.
    axis : int, optional
        The time axis of an ndarray.
    out : ndarray, optional
        Where to put the result; of its shape and dtype. May be x itself.
    threads : int, optional
        Threads to share the series out to, or the parts of a single long one; 0: one for each
        processor. The result has the same bits for any number.
    by : str or list of str, optional
        The column, or columns, whose values tell the series of a long table apart: rows of one key are
        one series, in the order in which they come, and stay where they are. With pandas also a level
        of the index. A row without a key is an InputError.
    time : str, optional
        The column of times, dates or numbers: must not go back within a series nor be missing, and is
        what breaks="auto" goes by. None: the index of pandas where it has times, else rows are in order.
    value : str or list of str, optional
        The column, or columns, of prices; the others come back as they are. None: all columns but time,
        and with by the only one that holds numbers.
    **options
        The options of docs/config.md by name: method, wavelet, level, boundary, threshold_mode,
        threshold_rule, threshold_scale, prior, noise, use_fir_filter, fir_cutoff, fir_taps, fir_window,
        missing, space and the rest. Two more are those of `rpsd.Denoiser`: ``config``, where options
        and guardrails come from (a Config, Options or the path of a YAML file), and ``guardrails``,
        thresholds and policy (Guardrails or a mapping). The policy is obeyed; `rpsd.Denoiser.run`
        returns the report as well.

    Returns
    -------
    ndarray, Series, DataFrame or Arrow array or table
        Mirrors the input: type, dtype, shape, index, time zone, names, and order.

    Raises
    ------
    InputError
        For an infinite sample, a dtype that is not a number, no dimension, times that go backwards or
        are missing, a row without a key, or a name that no column has.
    ConfigError
        For an unknown or bad option.
    GuardrailError
        Where a guardrail is breached under the policy ``raise``; it carries the report.

    Warns
    -----
    RpsdWarning
        For a time index with repeated times, many series of few samples (most likely transposed: give
        axis), an option that the method does not use, breaks="auto" that finds no break without times,
        and a breach under the policy ``warn``.

    Notes
    -----
    `rpsd.Denoiser` says what the methods do; it also reports what was found, and saves the validation
    when there are many calls. The threshold modes and rules are those of the papers below; docs/method.md
    has their formulas.

    References
    ----------
    universal, minimax, soft, hard : D. L. Donoho, I. M. Johnstone, Biometrika 81(3), 1994.
    sure, hybrid : D. L. Donoho, I. M. Johnstone, J. American Statistical Association 90, 1995.
    bayes : S. G. Chang, B. Yu, M. Vetterli, IEEE Trans. Image Processing 9(9), 2000.
    fdr : F. Abramovich, Y. Benjamini, Computational Statistics and Data Analysis 22(4), 1996.
    blockjs : T. T. Cai, Annals of Statistics 27(3), 1999.
    neighblock : T. T. Cai, B. W. Silverman, Sankhya B 63(2), 2001.
    ebayes, prior, posterior_median, posterior_mean : I. M. Johnstone, B. W. Silverman, Annals of
    Statistics 32(4), 2004, and 33(4), 2005; J. Statistical Software 12(8), 2005.
    garrote : H.-Y. Gao, J. Computational and Graphical Statistics 7(4), 1998.
    firm : H.-Y. Gao, A. G. Bruce, Statistica Sinica 7, 1997.
    scad : A. Antoniadis, J. Fan, J. American Statistical Association 96, 2001.
    modwt : R. R. Coifman, D. L. Donoho, in Wavelets and Statistics, 1995.

    Examples
    --------
    >>> import numpy as np, rpsd
    >>> walk = np.cumsum(np.random.default_rng(0).normal(size=1000))
    >>> bool((rpsd.denoise(walk) == walk).all())  # no noise, nothing to remove
    True
    >>> noisy = walk + 2 * np.random.default_rng(1).normal(size=1000)
    >>> [round(float(np.std(y - walk)), 1) for y in (noisy, rpsd.denoise(noisy))]
    [2.0, 1.0]
    """
    plain = "config" not in options and _PLAIN_TYPES.issuperset(map(type, options.values()))
    denoiser = _validated(**options) if plain else _validated.__wrapped__(**options)
    if by is None and time is None and value is None:
        return denoiser.denoise(x, axis=axis, out=out, threads=threads)
    return denoiser.denoise(x, axis=axis, out=out, threads=threads, by=by, time=time, value=value)


# Validation takes ten times as long as 64 samples do. Options are kept by value and type (True is not 1), and
# only where they cannot change: a file, a mask or a filter bank may. What is refused is not kept.
@lru_cache(maxsize=32, typed=True)
def _validated(**options: Any) -> "Denoiser":
    from rpsd._denoiser import Denoiser

    return Denoiser(**options)


def clean(x: Any, *, axis: int = -1, out: npt.NDArray[Any] | None = None, threads: int = 1) -> Any:
    """Return the input without its bad ticks; nothing else is changed.

    A bad tick leaves the level of its neighbours and comes back: a sample more than six robust standard
    deviations away from the median of its four neighbours, whose moves there and back are alike, or a run
    of up to three, each more than twelve away from the levels before and after, which are alike. A move
    that stays is none. Bad ticks get the value of the line between their neighbours. Offline: whether a
    move stays is told by what comes after it.

    Parameters
    ----------
    x : array_like, pandas.Series or pandas.DataFrame
        As for `rpsd.denoise`: any length, NaN is a missing sample and stays NaN.
    axis : int, optional
        The time axis of an ndarray.
    out : ndarray, optional
        Where to put the result; of its shape and dtype. May be x itself.
    threads : int, optional
        Threads to share the series out to; 0: one for each processor.

    Returns
    -------
    ndarray, Series or DataFrame
        Mirrors the input; samples that are no bad ticks keep their bits.

    Raises
    ------
    InputError
        As `rpsd.denoise`.

    Notes
    -----
    This is what the option ``outliers="spike"`` does before it denoises (docs/method.md).

    Examples
    --------
    >>> import numpy as np, rpsd
    >>> prices = np.r_[np.linspace(100.0, 101.0, 50), 1000.0, np.linspace(101.0, 102.0, 50)]
    >>> float(rpsd.clean(prices)[50])
    101.0
    """
    options: dict[str, Any] = {"method": "wavelet", "threshold_mode": "none", "outliers": "spike"}
    return _validated(**options).denoise(x, axis=axis, out=out, threads=threads)


def estimate_noise(x: Any, axis: int = -1, *, threads: int = 1) -> "NoiseModel":
    """Estimate how much noise prices have, and what denoising them can gain.

    Parameters
    ----------
    x : array_like, pandas.Series or pandas.DataFrame
        As for `rpsd.denoise`: any length, NaN is a missing sample.
    axis : int, optional
        The time axis of an ndarray.
    threads : int, optional
        Threads to share the series out to; 0: one for each processor.

    Returns
    -------
    NoiseModel
        What the default of `rpsd.denoise` finds. For one series its fields are floats, for several
        arrays with one value per series. NaN, and predicted gains of 0, where there is too little to
        fit a model to: under 32 samples, or hardly a move.

    Raises
    ------
    InputError
        As `rpsd.denoise`.

    Notes
    -----
    The model is a random walk (the efficient price) seen through independent noise [1]_, fitted by
    maximum likelihood in the time domain; Whittle's likelihood [2]_ is its approximation in the
    frequency domain. Volatility that moves, jumps, and noise with heavy tails are fitted too where the
    data ask for them, so that they are taken neither for noise nor for steps of the usual size.

    References
    ----------
    .. [1] A. C. Harvey, "Forecasting, Structural Time Series Models and the Kalman Filter",
       Cambridge University Press, 1989.
    .. [2] P. Whittle, "Estimation and information in stationary time series", Arkiv foer Matematik
       2(5), 1953.

    Examples
    --------
    >>> import numpy as np, rpsd
    >>> walk = 100 + np.cumsum(0.02 * np.random.default_rng(1).normal(size=2000))
    >>> prices = walk + 0.05 * np.random.default_rng(2).normal(size=2000)
    >>> noise = rpsd.estimate_noise(prices)
    >>> round(noise.noise_sd, 2), round(noise.step_sd, 2), round(noise.predicted_gain_db)
    (0.05, 0.02, 7)
    >>> rpsd.estimate_noise(walk).predicted_gain_db
    0.0
    """
    return _validated().estimate_noise(x, axis=axis, threads=threads)


def evaluate(
    x: Any,
    y: Any,
    guardrails: "Guardrails | Mapping[str, Any] | Config | None" = None,
    *,
    lookahead: int | None = None,
) -> "Report":
    """Measure what was done to x by comparing the output y with it, and with what its noise allows.

    Parameters
    ----------
    x, y : array_like, pandas.Series or pandas.DataFrame
        Input and output, of one shape. An ndarray has time on its last axis, a DataFrame in its
        rows. NaN is filled by interpolation, in each series for itself.
    guardrails : Guardrails, mapping, Config or None
        Thresholds; None: the defaults. Their policy is not acted on: this function reports.
    lookahead : int or None
        Samples of future that each value of y used, as whoever made it says: nothing here proves it, but
        `rpsd.audit` does. A causal output comes late by what that costs, is held against the best one that
        does, and may lack its first values and the last `lookahead`. None: the whole series.

    Returns
    -------
    Report
        correlation : Pearson's correlation of x and y.
        rmse : RMS(x - y) / std(x), free of the price's unit.
        trend : share of 30-sample least-squares slopes with the same sign; NaN under 30 samples.
        power : 1 - abs(P(y) - P(x)) / P(x), with P the periodogram's power at 0 < f <= 0.1 Nyquist.
        score : 40 min(correlation / 0.85, 1) + 25 max(0, 1 - rmse / 0.5) + 20 min(trend / 0.9, 1)
        + 15 min(power / 0.95, 1), from 0 to 100.

    Raises
    ------
    InputError
        Where the shapes differ, the labels of two pandas objects differ, or a sample is infinite.

    Notes
    -----
    These four prevent gross failures only: a denoiser that returns its input scores 100, and a
    one-bar lag 92. So there are checks beside them that ask what the fitted noise allows: gain, edges,
    variance, roughness, lag, scale, stuck, jumps, whiteness (docs/guardrails.md); and ``missing``,
    which fails where y has no value for a sample that x has. They are computed when `Report.checks`
    or `Report.passed` is first asked for.

    Examples
    --------
    >>> import numpy as np, rpsd
    >>> x = np.cumsum(np.random.default_rng(0).normal(size=1000))
    >>> rpsd.evaluate(x, x).score
    100.0
    """
    from rpsd._guardrails import Guardrails
    from rpsd._judge import make_report
    from rpsd._options import merged_guardrails, settings
    from rpsd._windowed import without_warmup

    if guardrails is None or isinstance(guardrails, Guardrails | Mapping):
        rails = merged_guardrails(guardrails, Guardrails())
    else:
        rails = settings(guardrails)[1]
    require_same_labels(x, y)
    source, other = mirror(x, -1), mirror(y, -1, "y")
    before, after = source.stacked(), other.stacked()
    if source.shape != other.shape or before.shape != after.shape:
        raise InputError(f"y must have the shape of x, {np.shape(x)}, got {np.shape(y)}")
    for name, values in (("x", before), ("y", after)):
        if np.isinf(values).any():
            raise InputError(f"{name} must be finite, or NaN for a missing sample, got inf")
    if lookahead is not None:
        if isinstance(lookahead, bool) or not isinstance(lookahead, int | np.integer) or lookahead < 0:
            raise InputError(f"lookahead must be None or an integer of at least 0, got {lookahead!r}")
        before, after = without_warmup(before, after, int(lookahead))
    return make_report(source.shaped, before, after, rails, lookahead=lookahead)


def fir_filter(
    x: Any, taps: npt.ArrayLike, mode: str = "zero_phase", axis: int = -1, threads: int = 1
) -> Any:
    """Filter with given taps.

    Parameters
    ----------
    x : array_like, pandas.Series or pandas.DataFrame
        As for `rpsd.denoise`; NaN and infinities spread as far as the filter reaches.
    taps : array_like, shape (T,)
        Finite coefficients, at least one; symmetric or not.
    mode : {"zero_phase", "causal", "same"}
        zero_phase : forward and backward, equal to ``scipy.signal.filtfilt(taps, 1, x)`` with odd
        extension by min(3 T, n - 1) samples; computed as one symmetric filter of 2T - 1 taps.
        causal : ``scipy.signal.lfilter(taps, 1, x)``, from rest. same : centred, zeros outside the
        series.
    axis : int, optional
        The time axis of an ndarray.
    threads : int, optional
        Threads to share the series out to, or the parts of a single long one; 0: one for each
        processor.

    Returns
    -------
    ndarray, Series or DataFrame
        Mirrors the input.

    Raises
    ------
    InputError
        For bad x, taps or mode.

    References
    ----------
    F. Gustafsson, "Determining the initial states in forward-backward filtering", IEEE Trans. Signal
    Processing 44(4), 1996.

    Examples
    --------
    >>> import rpsd
    >>> rpsd.fir_filter([0.0, 0.0, 3.0, 0.0, 0.0], [1 / 3, 1 / 3, 1 / 3], mode="same")
    array([0., 1., 1., 1., 0.])
    """
    if not isinstance(mode, str):
        raise InputError(f"mode must be one of zero_phase, causal, same, got {mode!r}")
    given = numeric_array(taps, "taps")
    if given.ndim != 1:
        came = f"shape {given.shape}" if given.ndim > 0 else f"the scalar {given}; one tap is a list of one"
        raise InputError(f"taps must be one-dimensional, got {came}")
    coefficients = np.ascontiguousarray(given, dtype=np.float64)
    source = mirror(x, axis)
    outputs = [np.empty_like(batch) for batch in source.batches]
    try:
        for batch, output in zip(source.batches, outputs, strict=True):
            _core.fir_filter(batch, output, taps=coefficients, mode=mode, threads=checked_threads(threads))
    except ValueError as error:
        raise_from_core(error)
    return source.rebuild(outputs)
