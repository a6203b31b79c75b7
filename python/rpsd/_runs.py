# SPDX-License-Identifier: MIT
"""Candidates of a tuning run on the parts of a walk forward, and scored there."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final, NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt

from rpsd._breaks import Mask, sessions
from rpsd._denoiser import Denoiser
from rpsd._errors import InputError
from rpsd._folds import Split, Stretch, inside
from rpsd._guardrails import Guardrails
from rpsd._judge import Reference, make_reference, make_report
from rpsd._options import Options, resolve
from rpsd._scores import LEAST_ERRORS, forecast_errors, likelihood_scores, references, smoothness
from rpsd._wavelet import filter_bank
from rpsd._windowed import with_values

_F64 = npt.NDArray[np.float64]

#: How far back the fitted methods depend on the series: with noise of up to 37 steps the steady Kalman
#: filter has given away all but a thousandth of its weight by then.
_MEMORY: Final = 256
_USUAL_LEVEL: Final = 4

#: Maps a function over items with threads, in their order.
_Map = Callable[[Callable[[Any], Any], Sequence[Any]], Iterator[Any]]


class Trial(NamedTuple):
    """The scores of one candidate, fold by fold, and whether the guardrails passed."""

    train: tuple[float, ...]
    test: tuple[float, ...]
    train_passed: tuple[bool, ...]
    test_passed: tuple[bool, ...]
    #: what was breached first on a test part, in words
    failures: str


class _Verdict(NamedTuple):
    """Whether the guardrails passed on a part, and what was breached, in words."""

    passed: bool
    failures: str


class Series:
    """The series that are tuned on, series x time, with what tells their sessions."""

    def __init__(self, values: _F64, times: npt.NDArray[np.int64] | None, index: Any) -> None:
        self.values = values
        self._times = times
        self._index = index
        self._starts: dict[Any, list[int]] = {}
        self._references: dict[tuple[bytes, int | None], Reference] = {}

    @property
    def n(self) -> int:
        """Samples of each series."""
        return int(self.values.shape[1])

    def starts(self, options: Options) -> list[int]:
        """Return where sessions begin after the first sample, told by what came before."""
        breaks = options.breaks
        if breaks not in self._starts:
            ((_, starts),) = sessions(breaks, self.values, self._times, self._index, causal=True)
            self._starts[breaks] = starts
        return self._starts[breaks]

    def denoised(self, options: Options, stop: int) -> _F64:
        """Return the run on the samples before stop."""
        breaks = None
        if options.breaks is not None:
            first = np.zeros(self.n, dtype=np.bool_)
            first[self.starts(options)] = True
            breaks = Mask(first[:stop].tolist())
        denoiser = Denoiser(msgspec.structs.replace(options, breaks=breaks))
        return np.asarray(denoiser.denoise(np.ascontiguousarray(self.values[:, :stop]), axis=1))

    def verdict(
        self, y: _F64, stretches: tuple[Stretch, ...], rails: Guardrails, lookahead: int | None
    ) -> _Verdict:
        """Return what the guardrails say on the stretches; what lies between them counts as missing."""
        span = slice(stretches[0][0], stretches[-1][1])
        part = inside(stretches, span.stop)[span]
        before, after = (np.where(part, values[:, span], np.nan) for values in (self.values, y))
        if lookahead is not None:
            before, after = with_values(before, after)
        # The model is fitted once for all candidates, or once more by each thread that asks meanwhile.
        key = (before.tobytes(), lookahead)
        if key not in self._references:
            self._references[key] = make_reference(before, lookahead, 1)
        report = make_report(
            lambda column: column, before, after, rails, lookahead=lookahead, reference=self._references[key]
        )
        return _Verdict(bool(np.all(report.passed)), report.failures())


def reach(options: Options, *, causal: bool) -> int:
    """Return how many samples back a value depends on the series."""
    settled = resolve(options)
    if settled.method in {"auto", "kalman"}:
        return _MEMORY
    if causal or settled.lookahead is not None:
        return settled.window
    level = _USUAL_LEVEL if settled.level == "auto" else settled.level
    filtered = settled.fir_taps - 1 if settled.use_fir_filter else 0
    return (len(filter_bank(settled.wavelet)[0]) - 1) * ((1 << level) - 1) + filtered


def likelihood_trials(
    series: Series,
    tried: list[Options],
    names: list[str],
    splits: list[Split],
    rails: Guardrails,
    spread: _Map,
) -> list[Trial]:
    """Score the forecasts of each candidate's causal estimates."""

    def run(options: Options) -> tuple[_F64, list[_Verdict]]:
        causal = msgspec.structs.replace(options, lookahead=0)
        y = series.denoised(causal, series.n)
        verdicts = [series.verdict(y, (test,), rails, 0) for _, test in splits]
        return forecast_errors(series.values, y, series.starts(causal)), verdicts

    runs = list(spread(run, tried))
    usable = np.logical_and.reduce([~np.isnan(errors) for errors, _ in runs])
    _require_errors(runs, usable, names, splits)
    against = {
        breaks: references(
            forecast_errors(series.values, series.values, series.starts(Options(breaks=breaks))),
            usable,
            splits,
        )
        for breaks in {options.breaks for options in tried}
    }

    def scored(k: int) -> list[tuple[float, float]]:
        return likelihood_scores(runs[k][0], against[tried[k].breaks])

    trials = []
    for scores, (_, verdicts) in zip(spread(scored, range(len(runs))), runs, strict=True):
        if np.isnan(scores).any():
            raise InputError("x must move in the training part of every fold, got one that does not")
        passed = tuple(verdict.passed for verdict in verdicts)
        train, test = zip(*scores, strict=True)
        trials.append(Trial(train, test, passed, passed, _failures(verdicts)))
    return trials


def _require_errors(
    runs: list[tuple[_F64, list[_Verdict]]],
    usable: npt.NDArray[np.bool_],
    names: list[str],
    splits: list[Split],
) -> None:
    """Refuse parts in which some candidate has no estimates, and name the one that has fewest."""
    for k, (train, test) in enumerate(splits, start=1):
        for what, stretches, least in (("trains", train, LEAST_ERRORS), ("tests", (test,), 1)):
            part = inside(stretches, usable.shape[1])
            if np.count_nonzero(usable & part, axis=1).max(initial=0) >= least:
                continue
            counts = [
                int(np.count_nonzero(~np.isnan(errors[:, part]), axis=1).max(initial=0)) for errors, _ in runs
            ]
            worst = int(np.argmin(counts))
            raise InputError(
                f"fold {k} {what} on {np.count_nonzero(part)} samples: {counts[worst]} of them have a "
                f"forecast by {names[worst]}, and fewer than {least} one by all candidates; a longer series, "
                "fewer folds, or a smaller window or min_periods have more"
            )


def smoothness_trials(
    series: Series,
    tried: list[Options],
    names: list[str],
    splits: list[Split],
    rails: Guardrails,
    spread: _Map,
) -> list[Trial]:
    """Score how smooth the output of each candidate is, and check its guardrails."""

    def run(options: Options) -> Trial:
        # With a lookahead later samples change nothing, so that one run has all of them.
        whole = None if options.lookahead is None else series.denoised(options, series.n)

        def measured(stretches: tuple[Stretch, ...]) -> tuple[float, _Verdict]:
            stop = stretches[-1][1]
            if whole is None:
                y = series.denoised(options, stop)
            else:
                y = whole[:, :stop].copy()
                y[:, stop - (options.lookahead or 0) :] = np.nan
            part = inside(stretches, stop)
            x = np.where(part, series.values[:, :stop], np.nan)
            y[:, ~part] = np.nan
            return smoothness(x, y), series.verdict(y, stretches, rails, options.lookahead)

        trained = [measured(train) for train, _ in splits]
        tested = [measured((test,)) for _, test in splits]
        return Trial(
            tuple(score for score, _ in trained),
            tuple(score for score, _ in tested),
            tuple(verdict.passed for _, verdict in trained),
            tuple(verdict.passed for _, verdict in tested),
            _failures([verdict for _, verdict in tested]),
        )

    trials = list(spread(run, tried))
    for k in range(len(splits)):
        if np.isnan([trial.test[k] for trial in trials]).all():
            raise InputError(
                f"x must bend, and have output of some candidate, in the test part of fold {k + 1}: "
                f"samples {splits[k].test[0]} to {splits[k].test[1] - 1}"
            )
    return trials


def _failures(verdicts: list[_Verdict]) -> str:
    breached = (k for k, verdict in enumerate(verdicts) if not verdict.passed)
    return next((f"fold {k + 1}: {verdicts[k].failures}" for k in breached), "")
