# SPDX-License-Identifier: MIT
"""The compiled core: strict dtypes and layouts in, no defaults, GIL released during each call.

Arrays are C-contiguous and two-dimensional, series x time, float32 or float64; nothing is converted.
Errors are ValueError with a text that names the argument, what came and what is allowed.
"""

from collections.abc import Callable, Sequence
from typing import Any, Final, TypeVar, final

import numpy as np
import numpy.typing as npt

_T = TypeVar("_T", np.float32, np.float64)
_R = TypeVar("_R")
_F64 = npt.NDArray[np.float64]
_I64 = npt.NDArray[np.int64]
#: dec_lo, dec_hi, rec_lo, rec_hi, of one length
_Bank = tuple[Sequence[float], Sequence[float], Sequence[float], Sequence[float]]

__version__: Final[str]

def build_info() -> dict[str, object]:
    """version, compiler, threads_backend, isas (that run here), isa (in use), cpu_count, pointer_bits."""

class Stopped(BaseException):
    """A call was told to stop. No Exception: what answers in place of an error must not take it for one."""

@final
class Stop:
    """Ends calls of the core that are under way; its methods may be called from any thread."""

    def set(self) -> None:
        """Stop what runs under it, now and later."""

    @property
    def is_set(self) -> bool: ...
    def during(self, call: Callable[[], _R], /) -> _R:
        """call(), in which calls of the core by this thread end soon with Stopped once it is set.

        What it was to write to is of no use then. Streams are not stopped: theirs would be left half done.
        """

def modwt(x: npt.NDArray[_T], *, bank: _Bank, boundary: str, level: int, threads: int) -> npt.NDArray[_T]:
    """(series, level + 1, time): V_J, W_J .. W_1. boundary: periodic, symmetric; time length >= 1."""

def imodwt(coeffs: npt.NDArray[_T], *, bank: _Bank, boundary: str, threads: int) -> npt.NDArray[_T]:
    """Inverse of modwt; finite coefficients where boundary is symmetric."""

def fir_filter(x: npt.NDArray[_T], out: npt.NDArray[_T], *, taps: _F64, mode: str, threads: int) -> None:
    """mode: zero_phase, causal, same. out may be x."""

def median_abs(x: npt.NDArray[_T]) -> _F64:
    """(series,): the exact median of |x| of each; finite numbers, at least one sample."""

def metrics(x: _F64, y: _F64, *, threads: int) -> _F64:
    """(series, 5): correlation, rmse, trend, power, score; NaN where undefined."""

def judge(x: _F64, y: _F64, best: _F64, like: _F64, models: _F64, *, threads: int) -> _F64:
    """(series, 10): gain_db, edge_db, bias, variance, roughness, lag, scale, stuck, jumps, whiteness.

    models, (series, 5): noise_sd, step_sd, gain_db, lateness of like, and 1 where a walk was fitted.
    """

def tick_size(y: _F64, seen: _F64, *, precision: float) -> float:
    """Return the tick of prices y (time,), 0 where there is none; seen: 0 where missing."""

def smooth_lattice(
    y: _F64,
    seen: _F64,
    *,
    tick: float,
    noise_variance: float,
    step_variance: float,
    step_scale: _F64,  # factors of the step's variance, or empty for all 1
) -> tuple[_F64, _F64, dict[str, float]]:
    """Return mean and variance of the efficient price behind prices on ticks, and the fit."""

def autocorrelation(x: _F64, *, lags: int, threads: int) -> _F64:
    """(series, lags): of each series about its mean, at 1 to lags; NaN where not finite or constant."""

def local_level_smooth(y: _F64, seen: _F64, q: _F64, r: _F64) -> tuple[_F64, _F64, _F64, _F64]:
    """Mean, variance and E[step^2] given all samples, and the log likelihood given the first.

    seen: 1 where there is a sample, 0 where none (y finite there too); q, r: variances of the steps and
    of the noise.
    """

def local_level_mixture(
    y: _F64, seen: _F64, q: _F64, r: _F64, step_weights: _F64, noise_weights: _F64
) -> _F64:
    """(series,): predictive log likelihood; weights of 6 step and 8 noise scales, variances times 4^k."""

def local_level_fit(y: _F64, seen: _F64, step_shape: _F64, noise_shape: _F64) -> _F64:
    """(series, 4): noise and step variance, the log likelihoods there and without noise."""

def noise_sites(
    y: _F64,
    seen: _F64,
    mean: _F64,
    variance: _F64,
    r: _F64,
    *,
    least_variance: float,
    noise_variance: float,
    weights: _F64,
) -> tuple[_F64, float, _F64, float]:
    """Of a smoothed series (1, time): r matched, new noise variance, 8 sums of responsibilities, doubt."""

def step_sites(
    mean: _F64,
    step_square: _F64,
    shape: _F64,
    q: _F64,
    *,
    least_variance: float,
    step_variance: float,
    weights: _F64,
) -> tuple[_F64, _F64, float, _F64, float]:
    """E[step^2 / scale], matched variances over base ones, new variance, 6 responsibilities, doubt."""

def step_volatility(u: _F64, *, step_variance: float) -> _F64:
    """(1, time): the shape of the steps' variance from E[step^2] in its scale's units."""

@final
class CausalModel:
    """The default and the local level model with a fixed lag: each estimate from the past alone."""

    def __init__(self, *, method: str, lookahead: int, outliers: str, min_gain_db: float) -> None:
        """Check the options: auto, kalman; lookahead of at most 1000; none, spike."""

    def denoise(self, x: _F64, *, threads: int) -> tuple[_F64, _F64]:
        """Estimates of x, NaN at the last lookahead samples and where x is; and (series, 6) reports."""

    def start(self) -> _F64:
        """Return the state of a series without samples: a copy is a snapshot."""

    def push(self, state: _F64, x: _F64) -> _F64:
        """Take in x (time,); return at each sample the estimate lookahead before it. Changes the state."""

    def flush(self, state: _F64) -> _F64:
        """Return the estimates of the last lookahead samples, with what is known."""

    def report(self, state: _F64) -> dict[str, float]:
        """noise_sd, step_sd, gain_db, gate, resets, seen; the columns of reports."""

@final
class Drift:
    """The drift monitor of one series, whose state is an array."""

    def __init__(self, *, reference: int, run_length: float) -> None: ...
    def start(self) -> _F64:
        """Return the state of a series without samples."""

    def push(self, state: _F64, x: _F64, sample: _F64, y: _F64) -> npt.NDArray[np.uint8]:
        """Take in x, and estimates y of samples; return the alarms that stand after each, as bits."""

    def acknowledge(self, state: _F64) -> None:
        """Let no alarm stand, and learn the series anew."""

    def report(self, state: _F64) -> dict[str, Any]:
        """Return (reference, recent rate, side, count) of scale, noise, missing, stale; residual; lag."""

@final
class Transform:
    """A filter bank with a boundary: symmetric and the other eight."""

    def __init__(self, *, bank: _Bank, boundary: str) -> None: ...
    def wavedec(self, x: npt.NDArray[_T], *, level: int, threads: int) -> list[npt.NDArray[_T]]:
        """[cA_L, cD_L, ..., cD_1], each (series, length of that level); level >= 0; time length >= 1."""

    def waverec(self, coeffs: Sequence[npt.NDArray[_T]], *, threads: int) -> npt.NDArray[_T]:
        """Inverse of wavedec; an approximation one longer than its detail loses its last sample."""

    def wavedec_series(self, x: object, level: object, /) -> list[npt.NDArray[Any]] | None:
        """Return the coefficients of one plain series (see Denoiser); None for anything that may need more.

        level: an int from 1 to the deepest that reads samples only, or None for that one.
        """

    def waverec_series(self, coeffs: list[Any], /) -> npt.NDArray[Any] | None:
        """Return the series of a list of plain coefficients of one dtype; None for anything else."""

@final
class Denoiser:
    """A validated chain, ready to run on any number of batches and from any number of threads."""

    def __init__(
        self,
        *,
        method: str,  # auto, wavelet, kalman
        bank: _Bank,
        transform: str,  # dwt, modwt (boundary symmetric or periodic)
        boundary: str,
        level: int,  # -1: auto
        threshold_mode: str,  # a word of the option but auto
        threshold_rule: str,  # a word of the option but auto
        threshold_scale: float,
        prior: str,  # cauchy, laplace
        noise: str,  # mad, level, local, given, price
        noise_sd: float,  # used where noise is "given"
        fir_taps: _F64,  # empty: no FIR
        min_gain_db: float,
        space: str,  # price, log
        missing: str,  # interpolate, raise
        outliers: str,  # none, spike
    ) -> None: ...
    def denoise_series(
        self, x: object, least: int, axis: object, threads: object, /
    ) -> npt.NDArray[Any] | None:
        """Return one series denoised; None where it is not the plain case, which is for `run`.

        Plain: an ndarray (no subclass), one-dimensional, contiguous and aligned, of float32 or
        float64 in native byte order, with at least `least` samples; axis the int -1 or 0, threads
        the int 1.
        """

    def run(
        self, x: npt.NDArray[_T], out: npt.NDArray[_T], *, starts: Sequence[int], threads: int
    ) -> tuple[_F64, _I64, _I64, _I64, _F64, _F64, _F64, _F64]:
        """Write out (may be x) and return what was found in each series.

        noise_sd, level, missing count, action (0 passthrough, 1 cleaned, 2 denoised), step_sd, predicted
        gain in dB, the causal one, and P(gain > 0); NaN where unknown.
        """

@final
class Causal:
    """The default method or the local level with a fixed lag."""

    def __init__(self, chain: Denoiser, *, lookahead: int) -> None: ...
    def run(
        self, x: npt.NDArray[_T], out: npt.NDArray[_T], *, starts: Sequence[int], threads: int
    ) -> tuple[tuple[_F64, _I64, _I64, _I64, _F64, _F64, _F64, _F64], _I64]:
        """As `Windowed.run`; noise and gains are those at the end."""

@final
class Stream:
    """A bank of series that are still coming, of any method; callers wait for one another."""

    def __init__(
        self,
        chain: Denoiser,
        *,
        window: int,
        lookahead: int,
        min_periods: int,
        series: int,
        on_breach: str,
    ) -> None: ...
    def push(self, rows: npt.NDArray[np.uint64] | None, x: _F64, *, threads: int) -> _F64:
        """Move series rows[i], all where None, on by x[i]; return the values `lookahead` samples before.

        RuntimeError where a breach stands and on_breach is "raise".
        """

    def push_one(self, x: float, /) -> float:
        """Move a bank of one on."""

    def amend(self, rows: npt.NDArray[np.uint64] | None, x: _F64, *, threads: int) -> _F64:
        """As push, in place of the last sample of each; RuntimeError where there is none."""

    def amend_one(self, x: float, /) -> float:
        """As push_one, in place of the last sample."""

    def begin_session(self, rows: npt.NDArray[np.uint64] | None) -> None:
        """Let a session begin with the next sample of each."""

    def acknowledge(self, rows: npt.NDArray[np.uint64] | None) -> None:
        """Let no alarm stand, and learn each series anew."""

    def flush(self) -> _F64:
        """(series, lookahead): the values of the last samples if the session ended here."""

    def report(self) -> _F64:
        """(series, 10): samples, missing, noise_sd, step_sd, gate, resets, and what is recent.

        Those are noise_ratio, missing_rate, lag, alarms (bits: scale, noise, missing, stale). NaN: unknown.
        """

    def save(self) -> bytes:
        """Return the state."""

    def load(self, state: bytes) -> None:
        """Go on from a state that a bank of as many series with the same options saved."""

@final
class Windowed:
    """The chain of a Denoiser with a fixed lag: each value from its own window."""

    def __init__(self, chain: Denoiser, *, window: int, lookahead: int, min_periods: int) -> None: ...
    def run(
        self, x: npt.NDArray[_T], out: npt.NDArray[_T], *, starts: Sequence[int], threads: int
    ) -> tuple[tuple[_F64, _I64, _I64, _I64, _F64, _F64, _F64, _F64], _I64]:
        """Write out, which lies apart from x; return what `Denoiser.run` does, and samples without a value.

        Noise and level are those of the last window, the action that of any.
        """
