# SPDX-License-Identifier: MIT
"""What a run gives back: values, the report of the guardrails, and the noise that was found."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from rpsd._options import Guardrails, Options

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure

# Metric, the guardrail key of its threshold, and whether larger is better.
_CHECKS = (
    ("correlation", "correlation_threshold", True),
    ("rmse", "rmse_threshold", False),
    ("trend", "trend_threshold", True),
    ("power", "power_threshold", True),
)


@dataclass(frozen=True, slots=True)
class Check:
    """One guardrail: a metric against its threshold.

    Attributes
    ----------
    name : str
        ``correlation``, ``rmse``, ``trend`` or ``power``; ``missing`` counts the samples that the
        input has and the output has not.
    value : float or ndarray
        The metric, one for each series; NaN where it cannot be computed.
    threshold : float
        The bound.
    relation : str
        ``">="`` or ``"<="``: how value must stand to threshold.
    passed : bool or ndarray of bool
        A metric that cannot be computed (NaN) does not count against a series.
    """

    name: str
    value: Any
    threshold: float
    relation: str
    passed: Any


@dataclass(frozen=True, slots=True)
class Report:
    """The guardrail metrics of one run; see `rpsd.evaluate` for their definitions.

    For one series each metric is a float; for a batch it is an array with one value per series.

    Attributes
    ----------
    correlation, rmse, trend, power, score : float or ndarray
    passed : bool or ndarray of bool
        Whether every check passed; True where there was nothing to check (no sample, or all missing).
    checks : tuple of Check
    """

    correlation: Any
    rmse: Any
    trend: Any
    power: Any
    score: Any
    passed: Any
    checks: tuple[Check, ...]

    def failures(self) -> str:
        """Return the failed checks in words, empty where there are none."""
        failed = []
        for check in self.checks:
            if np.ndim(check.passed) == 0:
                if not check.passed:
                    bound = f"{check.relation} {check.threshold:g}"
                    failed.append(f"{check.name} {check.value:.4g}, must be {bound}")
            elif not np.all(check.passed):
                count = np.size(check.passed) - np.count_nonzero(check.passed)
                failed.append(f"{check.name} in {count} series, must be {check.relation} {check.threshold:g}")
        return "; ".join(failed)


def make_report(metrics: dict[str, Any], lost: Any, guardrails: Guardrails) -> Report:
    """Return the report of the metrics (correlation, rmse, trend, power, score) under the guardrails.

    lost counts the samples of each series that the input has and the output has not.
    """
    checks = []
    for name, key, larger_is_better in _CHECKS:
        value, threshold = metrics[name], getattr(guardrails, key)
        kept = value >= threshold if larger_is_better else value <= threshold
        passed = kept | np.isnan(value)
        checks.append(
            Check(
                name=name,
                value=value,
                threshold=threshold,
                relation=">=" if larger_is_better else "<=",
                passed=bool(passed) if np.ndim(passed) == 0 else passed,
            )
        )
    kept = lost == 0
    checks.append(Check("missing", lost, 0, "<=", bool(kept) if np.ndim(kept) == 0 else kept))
    passed = np.logical_and.reduce([check.passed for check in checks], axis=0)
    return Report(**metrics, passed=bool(passed) if np.ndim(passed) == 0 else passed, checks=tuple(checks))


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


@dataclass(frozen=True, slots=True)
class Result:
    """A denoised input with everything that is known about it.

    Attributes
    ----------
    values : ndarray, Series or DataFrame
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
        was returned untouched.
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
    """

    values: Any = field(repr=False)
    report: Report
    noise: NoiseModel
    lookahead: int | None
    warmup: Any
    action: Any
    level: Any
    missing: Any
    sessions: Any
    options: Options
    x: Any = field(repr=False)
    axis: int = field(repr=False)

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
