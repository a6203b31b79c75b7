# SPDX-License-Identifier: MIT
"""The denoiser: options validated once, then run on any input from any thread."""

import os
import sys
from collections.abc import Callable, Hashable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from rpsd._breaks import sessions
from rpsd._chain import build_chain
from rpsd._errors import ConfigError, InputError
from rpsd._guardrails import Guardrails
from rpsd._mirror import Batch, Labels, Mirror, checked_out, checked_threads, mirror, raise_from_core
from rpsd._options import (
    Options,
    make_options,
    merged_guardrails,
    require_causal_policies,
    require_fitting,
    resolve,
    settings,
)
from rpsd._result import NoiseModel, Report, Result, joined, what_was_found
from rpsd._schema import fields
from rpsd._ticks import warn_of_lost_ticks
from rpsd._unused import warn_of_unused
from rpsd._wavelet import filter_bank, warn_of_level
from rpsd._windowed import build_windowed, longest_window, runner, with_values

if TYPE_CHECKING:
    from rpsd._config import Config
    from rpsd._stream import Stream
    from rpsd._verify import Verification
    from rpsd._vintages import Vintages

_ACTIONS = ("passthrough", "cleaned", "denoised")


class Denoiser:
    """A denoiser whose options have been validated once.

    Immutable; may be used from any number of threads at once. The GIL is released while it works.

    Parameters
    ----------
    config : Config, Options, str, os.PathLike or None
        Where options and guardrails come from: a loaded configuration, options, or the path of a
        YAML file (loaded with `rpsd.load_config`, so that files in the standard places and RPSD_
        variables count too). None: the defaults alone; no file or variable is read.
    guardrails : Guardrails, mapping or None
        Thresholds and policy; overrides those of config.
    **options
        The options of docs/config.md by name (method, wavelet, level, threshold_mode, ...); they
        override those of config.

    Attributes
    ----------
    options : Options
        With every ``auto`` but the level's replaced by what it stands for.
    guardrails : Guardrails

    Raises
    ------
    ConfigError
        For an unknown option, a bad value, or one that this release does not have yet.

    Warns
    -----
    RpsdWarning
        For an option among ``**options`` that the method does not use.

    Notes
    -----
    ``method="auto"`` takes a series for a random walk seen through noise [1]_, lets the volatility of
    the walk move and steps and noise have heavy tails where the data ask for it, and asks whether
    there is noise at all. Where it is not significant, or the predicted gain is below min_gain_db
    (0.1), the series is returned as it is, but for single bad ticks: the action is ``passthrough`` or
    ``cleaned``. Else it is smoothed [2]_: ``denoised``.

    ``method="kalman"`` is the same model with Gaussian noise and steps of one size, by exact maximum
    likelihood, and always smooths: the plain baseline.

    ``method="wavelet"`` is db4, 4 levels (fewer for a short series) and BayesShrink [3]_ soft
    thresholds, with the noise that the price model finds; a series in which it finds none is returned.
    With ``noise="mad"``, the median absolute deviation of the finest details [4]_, it is the textbook
    chain, which takes price steps for noise, and makes series worse whose noise is small beside them.
    See docs/method.md for all of them.

    References
    ----------
    .. [1] A. C. Harvey, "Forecasting, Structural Time Series Models and the Kalman Filter",
       Cambridge University Press, 1989.
    .. [2] H. E. Rauch, F. Tung, C. T. Striebel, "Maximum likelihood estimates of linear dynamic
       systems", AIAA Journal 3(8), 1965.
    .. [3] S. G. Chang, B. Yu, M. Vetterli, "Adaptive wavelet thresholding for image denoising and
       compression", IEEE Trans. Image Processing 9(9), 2000.
    .. [4] D. L. Donoho, I. M. Johnstone, "Ideal spatial adaptation by wavelet shrinkage",
       Biometrika 81(3), 1994.

    Examples
    --------
    >>> import numpy as np, rpsd
    >>> prices = 100 + np.cumsum(np.random.default_rng(0).normal(size=1000))
    >>> denoiser = rpsd.Denoiser(wavelet="sym8", use_fir_filter=True, fir_cutoff=0.2)
    >>> denoiser.denoise(prices).shape
    (1000,)
    """

    __slots__ = ("_core", "_guardrails", "_least", "_options", "_run", "_taps")

    def __init__(
        self,
        config: "Config | Options | str | os.PathLike[str] | None" = None,
        *,
        guardrails: Guardrails | Mapping[str, Any] | None = None,
        **options: Any,
    ) -> None:
        base, rails = settings(config)
        for name in options.keys() & fields(Guardrails).keys():
            raise ConfigError(f"{name} is a guardrail: give guardrails={{{name!r}: {options[name]!r}}}")
        asked = make_options(base, **options)
        self._guardrails = merged_guardrails(guardrails, rails)
        self._options = resolve(asked)
        require_fitting(self._options)
        require_causal_policies(self._options, self._guardrails)
        warn_of_unused(asked, self._options, options)
        self._taps = len(filter_bank(self._options.wavelet)[0])
        self._core = build_chain(self._options)
        self._run = runner(self._core, build_windowed(self._core, self._options))
        self._least = self._least_plain_length()

    @property
    def options(self) -> Options:
        """What runs, with every ``auto`` but the level's replaced by what it stands for."""
        return self._options

    @property
    def guardrails(self) -> Guardrails:
        """Thresholds and policy."""
        return self._guardrails

    def __reduce__(self) -> tuple[Callable[[Options, Guardrails], "Denoiser"], tuple[Options, Guardrails]]:
        # The compiled chain is made anew in the process that unpickles.
        return _rebuilt, (self._options, self._guardrails)

    def __repr__(self) -> str:
        return f"Denoiser({self.options!r})"

    def denoise(
        self,
        x: Any,
        *,
        axis: int = -1,
        out: npt.NDArray[Any] | None = None,
        threads: int = 1,
        by: Labels = None,
        time: Hashable = None,
        value: Labels = None,
    ) -> Any:
        """Return the denoised input; see `rpsd.denoise`."""
        if by is not None or time is not None or value is not None:
            if out is not None:
                raise InputError("out is for ndarrays, and by, time and value are for tables; got both")
            return self._denoise_any(x, axis, threads, by, time, value)
        try:
            values = self._core.denoise_series(x, self._least, axis, threads)
            if values is None and 0 < self._least < sys.maxsize:
                # Too short for the level, perhaps; what is plain needs no more than a warning.
                values = self._core.denoise_series(x, 1, axis, threads)
                if values is not None and len(x) < self._least:
                    warn_of_level(int(self.options.level), len(x), self._taps)
        except ValueError as error:
            raise_from_core(error)
        if values is None:
            values = self._denoise_any(x, axis, threads)
        if out is None:
            return values
        out = checked_out(out, values)
        out[...] = values
        return out

    def _denoise_any(
        self, x: Any, axis: int, threads: int, by: Labels = None, time: Hashable = None, value: Labels = None
    ) -> Any:
        if self.guardrails.acts:
            return self.run(x, axis=axis, threads=threads, by=by, time=time, value=value).values
        if by is None:
            source = mirror(x, axis, time=time, value=value)
            return source.rebuild(self._outputs(source, threads))
        from rpsd.integrations._long import LongTable

        table = LongTable(x, axis, by, time, value, self.options.breaks)
        return table.assembled([outputs[0] for outputs in table.run(self._outputs, threads)])

    def _outputs(self, source: Mirror, threads: int) -> list[Batch]:
        return [self._run_batch(source, batch, threads)[0] for batch in source.batches]

    def run(
        self,
        x: Any,
        *,
        axis: int = -1,
        threads: int = 1,
        by: Labels = None,
        time: Hashable = None,
        value: Labels = None,
    ) -> Result:
        """Denoise and report.

        Parameters are those of `rpsd.denoise`.

        Returns
        -------
        Result
            For one series its fields are scalars, for several arrays with one value per series.

        Raises
        ------
        GuardrailError
            Where a check fails under the policy ``raise``; it carries the report.

        Examples
        --------
        >>> import numpy as np, rpsd
        >>> walk = 100 + np.cumsum(np.random.default_rng(0).normal(size=500))
        >>> noisy = walk + 2 * np.random.default_rng(1).normal(size=500)
        >>> rpsd.Denoiser().run(walk).action, rpsd.Denoiser().run(noisy).action
        ('passthrough', 'denoised')
        """
        given = {"x": x, "axis": axis, "by": by, "time": time, "value": value}
        if by is None:
            return self._run_source(mirror(x, axis, time=time, value=value), threads, **given)
        from rpsd.integrations._long import LongTable, run_long

        return run_long(
            LongTable(x, axis, by, time, value, self.options.breaks), self._run_source, threads, **given
        )

    def _run_source(
        self, source: Mirror, threads: int, x: Any = None, axis: int = -1, **given: Any
    ) -> Result:
        runs = [self._run_batch(source, batch, threads) for batch in source.batches]
        outputs = [run[0] for run in runs]
        found = [run[1] for run in runs]
        noise, level, missing, action = what_was_found(source, found, self._noise_kind())
        actions = np.atleast_1d(np.array(_ACTIONS)[action])
        # What the core reports is the guardrails' reference where the run is the default's.
        default = self._options == resolve(Options()) and [b.dtype for b in source.batches] == [np.float64]
        report = self._report(source, outputs, threads, found[0] if default else None)
        strength, binding = np.ones(actions.shape), np.full(actions.shape, "", dtype=object)
        if self.guardrails.acts and not np.all(report.passed):
            from rpsd._policy import enforce

            enforced = enforce(self, source, outputs, report, checked_threads(threads))
            outputs = enforced.outputs
            report = self._report(source, outputs, threads)
            actions = np.where(enforced.action == "", actions.ravel(), enforced.action).reshape(actions.shape)
            strength = enforced.strength.reshape(actions.shape)
            binding = enforced.binding.reshape(actions.shape)
        single = source.shape == ()
        return Result(
            values=source.rebuild(outputs),
            report=report,
            noise=noise,
            lookahead=self.options.lookahead,
            warmup=source.per_series([part[-1] for part in found]),
            action=actions.item() if single else actions,
            strength=strength.item() if single else strength,
            binding=binding.item() if single else binding,
            level=level,
            missing=missing,
            sessions=source.per_series([part[-2] for part in found]),
            options=self.options,
            x=x,
            axis=axis,
            **given,
        )

    def _report(self, source: Mirror, outputs: list[Batch], threads: int, found: Any = None) -> Report:
        from rpsd._judge import make_report

        lookahead, before, after = self.options.lookahead, source.stacked(), source.stacked(outputs)
        if lookahead is not None:
            before, after = with_values(before, after)
        return make_report(
            source.shaped, before, after, self.guardrails, lookahead=lookahead, threads=threads, found=found
        )

    def stream(self, n_series: int | None = None, on_breach: str | None = None) -> "Stream":
        """Return a `Stream` of one series, or a bank of n_series, with these options.

        on_breach: "raw", "hold", "raise" or None, what comes out while the series drifts; see `Stream`.
        """
        from rpsd._stream import Stream  # json and zlib are for it alone

        options = self._options
        if options.level != "auto" and options.threshold_mode != "none":
            warn_of_level(options.level, options.window + (options.lookahead or 0), self._taps)
        return Stream(options, self._core, n_series, on_breach)

    def vintages(
        self, x: Any, lags: Iterable[int | None] = (0, 1, 5, 30), *, axis: int = -1, threads: int = 1
    ) -> "Vintages":
        """Return the estimates of each sample as they were 0, 1, ... samples after it, and how they moved.

        The value of lag L is that of ``lookahead=L`` whatever lookahead this denoiser has: one run a lag.

        Parameters
        ----------
        x, axis, threads
            As in `rpsd.denoise`.
        lags : iterable of int or None
            Ascending; the last one gives the values that count as final, and may be None: offline.

        Returns
        -------
        Vintages
        """
        from rpsd._vintages import make_vintages

        return make_vintages(self, x, lags, axis, threads)

    def verify(self, x: Any, *, seed: int = 0) -> "Verification":
        """Check on changed copies of one series what no output tells by itself.

        Parameters
        ----------
        x : array_like or pandas.Series
            One series of at least 32 samples.
        seed : int
            Of the changes of the future.

        Returns
        -------
        Verification
            That no value depends on samples beyond the lookahead, and that the output of a x + b is a y + b.

        Examples
        --------
        >>> import rpsd
        >>> rpsd.Denoiser(lookahead=0).verify(rpsd.simulate("a", 200, nsr=1.0).noisy).passed
        True
        """
        from rpsd._verify import verify

        return verify(self, x, seed)

    def estimate_noise(self, x: Any, *, axis: int = -1, threads: int = 1) -> NoiseModel:
        """Return what `run` reports as noise, without its guardrails; see `rpsd.estimate_noise`."""
        source = mirror(x, axis)
        found = [self._run_batch(source, batch, threads)[1] for batch in source.batches]
        return what_was_found(source, found, self._noise_kind())[0]

    def _noise_kind(self) -> str:
        if not isinstance(self.options.noise, str):
            return "given"
        used = self.options.threshold_mode != "none" and self.options.level != 0
        return self.options.noise if used or self.options.method in {"auto", "kalman"} else "none"

    def _least_plain_length(self) -> int:
        """Return from how many samples on a series needs no warning of its level or ticks and no report."""
        general = self.options.breaks is not None or self.options.lookahead is not None
        if self.guardrails.acts or general or self._loses_ticks():
            return sys.maxsize
        if self.options.level == "auto" or self.options.threshold_mode == "none":
            return 0
        return min((self._taps - 1) << self.options.level, sys.maxsize)

    def _loses_ticks(self) -> bool:
        return self.options.space == "log" and self.options.method == "auto"

    def _run_batch(
        self, source: Mirror, batch: Batch, threads: int
    ) -> tuple[Batch, tuple[npt.NDArray[Any], ...]]:
        """Return the output and what was found: what the core reports, and the number of sessions."""
        out = np.empty_like(batch)
        options = self.options
        if options.level != "auto" and options.threshold_mode != "none" and batch.size:
            warn_of_level(options.level, longest_window(options, batch.shape[1]), self._taps)
        count = checked_threads(threads)
        runs = []
        for rows, starts in sessions(
            options.breaks, batch, source.times, source.index, causal=options.lookahead is not None
        ):
            try:
                found, warmup = self._run(batch[rows], out[rows], starts=starts, threads=count)
            except ValueError as error:
                raise_from_core(error)
            runs.append((*found, [len(starts) + 1] * len(warmup), warmup))
        found = joined(runs)
        if self._loses_ticks():
            warn_of_lost_ticks(batch, found[0], found[4])
        return out, found


def _rebuilt(options: Options, guardrails: Guardrails) -> Denoiser:
    return Denoiser(options, guardrails=guardrails)
