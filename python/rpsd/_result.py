# SPDX-License-Identifier: MIT
"""What a run gives back: values, the report of the guardrails, and the noise that was found."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from rpsd._mirror import Mirror
from rpsd._options import Options

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure

#: The plain metrics of a report and their score.
METRICS: Final = ("correlation", "rmse", "trend", "power", "score")


@dataclass(frozen=True, slots=True)
class Check:
    """One guardrail: a metric against its threshold.

    Attributes
    ----------
    name : str
        One of those of docs/guardrails.md; ``missing`` counts the samples that the input has and the
        output has not.
    value : float or ndarray
        The metric, one for each series; NaN where it cannot be computed.
    threshold : float
        The bound.
    relation : str
        ``">="`` or ``"<="``: how value must stand to threshold.
    passed : bool or ndarray of bool
        A metric that cannot be computed (NaN) does not count against a series.
    counts : bool or ndarray of bool
        Whether it has a say in `Report.passed`: correlation, rmse, trend and power have none where
        the best estimate of the fitted model would fail them too; whiteness where nothing was changed.
    """

    name: str
    value: Any
    threshold: float
    relation: str
    passed: Any
    counts: Any = True

    @property
    def verdict(self) -> str:
        """What became of one series: passed, breached, not counted (a breach has no say), not computable."""
        if np.isnan(self.value):
            return "not computable"
        if self.passed:
            return "passed"
        return "breached" if self.counts else "not counted"


class Report:
    """What was done to a series, by its guardrails; see `rpsd.evaluate` for their definitions.

    For one series each metric is a float; for a batch it is an array with one value per series. What
    takes a fit of the noise, as `checks`, `passed` and `action` do, is computed when it is first
    asked for.

    Attributes
    ----------
    correlation, rmse, trend, power, score : float or ndarray
    passed : bool or ndarray of bool
        Whether every check that counts passed; True where there was nothing to check (no sample, or
        all missing).
    checks : tuple of Check
    action : str or ndarray of str
        ``passthrough`` where the output is the input: nothing was done; else ``denoised``.
    """

    __slots__ = ("_found", "_judged", "correlation", "power", "rmse", "score", "trend")

    def __init__(
        self,
        correlation: Any,
        rmse: Any,
        trend: Any,
        power: Any,
        score: Any,
        judged: Callable[[], tuple[tuple[Check, ...], Any, Any]],
    ) -> None:
        self.correlation = correlation
        self.rmse = rmse
        self.trend = trend
        self.power = power
        self.score = score
        self._judged: Callable[[], tuple[tuple[Check, ...], Any, Any]] | None = judged
        self._found: tuple[tuple[Check, ...], Any, Any] | None = None

    @property
    def checks(self) -> tuple[Check, ...]:
        """Every guardrail, those of the model included."""
        return self._verdict()[0]

    @property
    def passed(self) -> Any:
        """Whether every check that counts passed."""
        return self._verdict()[1]

    @property
    def action(self) -> Any:
        """Whether anything was done."""
        return self._verdict()[2]

    def __repr__(self) -> str:
        metrics = ", ".join(f"{name}={getattr(self, name)!r}" for name in METRICS)
        why = f", failures={self.failures()!r}" if not np.all(self.passed) else ""
        return f"Report({metrics}, passed={self.passed!r}, action={self.action!r}{why})"

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuilt, (tuple(getattr(self, name) for name in METRICS), self._verdict())

    def failures(self) -> str:
        """Return the failed checks that count in words, empty where there are none."""
        failed = []
        for check in self.checks:
            bad = np.logical_and(check.counts, np.logical_not(check.passed))
            bound = f"{check.relation} {check.threshold:g}"
            if np.ndim(bad) == 0:
                if bad:
                    failed.append(f"{check.name} {check.value:.4g}, must be {bound}")
            elif bad.any():
                failed.append(f"{check.name} in {np.count_nonzero(bad)} series, must be {bound}")
        return "; ".join(failed)

    def _verdict(self) -> tuple[tuple[Check, ...], Any, Any]:
        judged = self._judged  # two threads may both ask: they find the same
        if self._found is None and judged is not None:
            self._found = judged()
            self._judged = None  # and with it what it held of the series
        assert self._found is not None
        return self._found


def _rebuilt(metrics: tuple[Any, ...], verdict: tuple[tuple[Check, ...], Any, Any]) -> Report:
    return Report(**dict(zip(METRICS, metrics, strict=True)), judged=lambda: verdict)


@dataclass(frozen=True, slots=True)
class NoiseModel:
    """How much noise a series has; see `rpsd.estimate_noise`.

    Attributes
    ----------
    noise_sd : float or ndarray
        Standard deviation of the noise, in the units of the prices (of their logarithms with
        ``space="log"``); bad ticks that were set aside do not count. NaN where none was estimated.
    step_sd : float or ndarray
        Standard deviation of one step of the efficient price; a jump counts as a step of at most four
        times the usual. NaN where the estimator cannot tell (``mad`` and ``level`` cannot).
    nsr : float or ndarray
        noise_sd / step_sd.
    predicted_gain_db, predicted_causal_gain_db : float or ndarray
        10 log10 of the mean squared error of the series as it is over that of the best estimate, from
        the whole series and from the past alone; NaN where unknown. Both are 0 where the noise is not
        significant: the default then leaves the series as it is, or only replaces bad ticks. Bad ticks
        that ``outliers="spike"`` replaced count in the first as errors of the series, but for those
        that have no logarithm with ``space="log"``.
    gain_probability : float or ndarray
        P(gain > 0): how sure it is that smoothing helps; NaN where unknown.
    kind : str
        The estimator: ``price``, ``mad``, ``level``, ``local``, ``given`` or ``none``.
    """

    noise_sd: Any
    step_sd: Any
    nsr: Any
    predicted_gain_db: Any
    predicted_causal_gain_db: Any
    gain_probability: Any
    kind: str


def joined(runs: Sequence[tuple[Any, ...]]) -> tuple[npt.NDArray[Any], ...]:
    """Return what calls of the core found, of all their series: the numbers of each kind as one array."""
    if len(runs) == 1:
        return tuple(map(np.asarray, runs[0]))
    return tuple(np.concatenate(part) for part in zip(*runs, strict=True)) or (np.empty(0),) * 10


def what_was_found(
    source: Mirror, found: list[tuple[npt.NDArray[Any], ...]], kind: str
) -> tuple[NoiseModel, Any, Any, Any]:
    """Return the noise model, level, missing count and action of each series, from the core's columns."""
    noise_sd, level, missing, action, step_sd, gain, causal_gain, probability = (
        source.per_series([part[k] for part in found]) for k in range(8)
    )
    with np.errstate(divide="ignore", invalid="ignore"):  # steps may be too small for a number
        ratio = np.divide(noise_sd, step_sd)
        # The past alone never tells more than past and future, and nothing where no noise is believed.
        causal = np.minimum(causal_gain, gain)
    if source.shape == ():
        ratio, causal = ratio.item(), causal.item()
    return NoiseModel(noise_sd, step_sd, ratio, gain, causal, probability, kind), level, missing, action


@dataclass(frozen=True, slots=True)
class Result:
    """A denoised input with everything that is known about it.

    Attributes
    ----------
    values : ndarray, Series, DataFrame or Arrow array or table
        The output; mirrors the input.
    report : Report
        The guardrails, measured on these values.
    noise : NoiseModel
    lookahead : int or None
        How many samples of future each value may have used; None: the whole series (offline).
    warmup : int or ndarray of int
        Samples that are there and have no value: those before ``min_periods`` of their session, and
        the last ``lookahead``; 0 offline.
    action : str or ndarray of str
        ``denoised``; ``cleaned`` where only bad ticks were replaced; ``passthrough`` where the input
        was returned untouched; ``relaxed`` where a guardrail's policy made the smoothing weaker.
    strength : float or ndarray
        Share of the smoothing asked for: 1, or what a policy of relax or passthrough left of it.
    binding : str or ndarray of str
        The guardrails that keep the strength from being larger, joined by commas; empty where no policy
        acted.
    level : int or ndarray of int
        Wavelet levels used; 0 where none were.
    missing : int or ndarray of int
        NaN samples of the input; they are NaN in the output.
    sessions : int or ndarray of int
        How many sessions each series was split into, by ``breaks``; 1 where it was not.
    options : Options
        What was run, with every ``auto`` but the level's replaced by what it stood for.
    x : ndarray, Series, DataFrame or list
        The input itself, not a copy: what is changed in it shows in `plot`.
    axis : int
        The axis of x along time.
    by, time, value
        The columns of x that were given, as in `rpsd.denoise`.
    groups : tuple or None
        With ``by``: the key of each group, in the order in which they first come, which is that of the
        arrays (groups x columns, where value is a list); a tuple of keys where by is a list.
    """

    values: Any = field(repr=False)
    report: Report
    noise: NoiseModel
    lookahead: int | None
    warmup: Any
    action: Any
    strength: Any
    binding: Any
    level: Any
    missing: Any
    sessions: Any
    options: Options
    x: Any = field(repr=False)
    axis: int = field(repr=False)
    by: Any = field(default=None, repr=False)
    time: Any = field(default=None, repr=False)
    value: Any = field(default=None, repr=False)
    groups: tuple[Any, ...] | None = field(default=None, repr=False)

    def plot(
        self,
        kind: str = "overview",
        *,
        series: Any = None,
        name: str | None = None,
        ax: "Axes | None" = None,
        figure: "Figure | SubFigure | None" = None,
    ) -> "Figure":
        """Draw what was done (extra: plot).

        Parameters
        ----------
        kind : str
            overview : series, spectrum, autocorrelation and guardrails together.
            series : price, removed and increments over one time axis.
            price : the series before and after, with y plus and minus the noise sd.
            newest : price, of the last 150 samples.
            removed : the input less the output.
            increments : differences of neighbours before and after.
            spectrum : periodogram before and after, with the low band of the guardrail power.
            autocorrelation : of what was removed and of the one-step innovations of the fitted model, with
            the 95 % band of white noise.
            multiresolution : details and smooth of `rpsd.modwt` before and after.
            guardrails : a bar for each check, from its threshold.
            pareto : roughness against what was removed, for other strengths, with the frontier.
            vintages : the newest estimates as they were and as they became; runs `Denoiser.vintages`.
        series : int or label
            Which series of several: its position, in C order, or the name of a DataFrame's column.
        name : str
            For the axes; the name of the Series or column, or "price", where none is given.
        ax : matplotlib.axes.Axes
            Where to draw a kind of one axes (price, removed, increments, spectrum, autocorrelation,
            guardrails, pareto).
        figure : matplotlib.figure.Figure or SubFigure
            Where to draw any kind.

        Returns
        -------
        matplotlib.figure.Figure
            A new one has the Agg canvas: ``result.plot().savefig("price.png")``; pyplot is not touched.

        Raises
        ------
        ConfigError
            For an unknown kind, for ax with a kind of several axes, and where matplotlib is missing.
        InputError
            Where series does not name one, and for values beyond ±1e300.

        Examples
        --------
        >>> import numpy as np, rpsd
        >>> prices = 100 + np.cumsum(np.random.default_rng(0).normal(size=500))
        >>> figure = rpsd.Denoiser().run(prices).plot("spectrum")
        >>> figure.axes[0].get_xlabel()
        'frequency (cycles per sample)'
        """
        from rpsd.report import plot_result

        return plot_result(self, kind, series=series, name=name, ax=ax, figure=figure)


def noise_data(noise: NoiseModel) -> dict[str, Any]:
    """Return the noise model of one series as plain data."""
    return {
        "kind": noise.kind,
        "noise_sd": float(noise.noise_sd),
        "step_sd": float(noise.step_sd),
        "nsr": float(noise.nsr),
        "predicted_gain_db": float(noise.predicted_gain_db),
        "predicted_causal_gain_db": float(noise.predicted_causal_gain_db),
        "gain_probability": float(noise.gain_probability),
    }


def report_data(report: Report, *, checks: bool = True) -> dict[str, Any]:
    """Return the report on one series as plain data; without checks, what takes no fit of a model."""
    metrics = {name: getattr(report, name) for name in METRICS}
    if not checks:
        return metrics
    return {
        "passed": report.passed,
        "action": report.action,
        **metrics,
        "checks": [
            {
                "name": check.name,
                "value": check.value,
                "relation": check.relation,
                "threshold": check.threshold,
                "passed": check.passed,
                "counts": check.counts,
                "verdict": check.verdict,
            }
            for check in report.checks
        ],
    }
