# SPDX-License-Identifier: MIT
"""Choose options by what comes later: a walk forward over the series, with purge and embargo."""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, TypeVar

import msgspec
import numpy as np
import numpy.typing as npt

from rpsd._breaks import Mask
from rpsd._errors import ConfigError, InputError, RpsdError, warn
from rpsd._folds import LEAST_PART, Stretch, walk_forward
from rpsd._grid import candidates, named
from rpsd._guardrails import Guardrails
from rpsd._mirror import checked_threads, mirror
from rpsd._options import Options, merged_guardrails, settings
from rpsd._runs import Series, Trial, likelihood_trials, reach, smoothness_trials
from rpsd._schema import shown

if TYPE_CHECKING:
    from rpsd._config import Config

_OBJECTIVES: Final = ("likelihood", "smoothness")
_In = TypeVar("_In")
_Out = TypeVar("_Out")


@dataclass(frozen=True, slots=True)
class Candidate:
    """One combination of options and how it did; a row of `Tuned.table`.

    Attributes
    ----------
    choice : mapping of str to object
        The options that the grid gave, by name.
    options : Options
        All options.
    mean, standard_error : float
        Of `scores`; the standard error takes folds for independent, and is too small where they are not.
    scores : tuple of float
        The objective on the test part of each fold; larger is better.
    passed : bool
        Whether the guardrails passed on the test part of every fold.
    """

    choice: Mapping[str, Any]
    options: Options
    mean: float
    standard_error: float
    scores: tuple[float, ...]
    passed: bool


@dataclass(frozen=True, slots=True)
class Fold:
    """One step of the walk forward.

    Attributes
    ----------
    train : tuple of (int, int)
        Stretches (start, stop) of samples that it trains on; more than one where embargoes lie between.
    test : (int, int)
        The stretch that it tests on.
    train_scores : tuple of float
        The objective of each candidate on the training part.
    chosen : int or None
        The candidate that the training part alone would choose; None where none passes its guardrails.
    score : float
        The objective of the chosen one on the test part.
    passed : bool
        Whether it passes the guardrails there.
    """

    train: tuple[Stretch, ...]
    test: Stretch
    train_scores: tuple[float, ...]
    chosen: int | None
    score: float
    passed: bool


@dataclass(frozen=True, slots=True)
class Tuned:
    """What `rpsd.tune` found.

    Attributes
    ----------
    best : Options
        The options of the best candidate.
    best_index : int
        Its place in table.
    table : tuple of Candidate
        Every candidate in the order of the grid.
    folds : tuple of Fold
    objective : str
    purge, embargo : int
        In samples, as they were used.
    forward, forward_error : float
        Mean and standard error over the folds of `Fold.score`: what choosing by the past alone earned.
        The mean of the best candidate is the largest of many and therefore too good; this one is not.
    """

    best: Options
    best_index: int
    table: tuple[Candidate, ...] = field(repr=False)
    folds: tuple[Fold, ...] = field(repr=False)
    objective: str
    purge: int
    embargo: int
    forward: float
    forward_error: float

    def to_config(self) -> dict[str, dict[str, object]]:
        """Return the best options as a configuration, every option given.

        ``load_config(command_line=...)`` takes it, and as YAML it is a configuration file. A mask of
        breaks belongs to the series and is left out.

        Examples
        --------
        >>> import rpsd
        >>> x = rpsd.simulate("a", 600, seed=1).noisy
        >>> found = rpsd.tune(x, {"method": ["auto", "kalman"]}, folds=2)
        >>> rpsd.load_config(command_line=found.to_config(), environ={}).denoiser == found.best
        True
        """
        from rpsd._config import plain

        values = msgspec.structs.asdict(self.best)
        masked = isinstance(values["breaks"], Mask)
        return {
            "denoiser": {
                name: plain(value) for name, value in values.items() if not (masked and name == "breaks")
            }
        }


def tune(
    x: Any,
    grid: "Mapping[str, Any] | Sequence[Mapping[str, Any]]",
    *,
    config: "Config | Options | str | os.PathLike[str] | None" = None,
    guardrails: Guardrails | Mapping[str, Any] | None = None,
    objective: str = "likelihood",
    folds: int = 5,
    train: int | None = None,
    purge: int | None = None,
    embargo: int | None = None,
    n_random: int | None = None,
    seed: int = 0,
    workers: int = 1,
    axis: int = -1,
    progress: Callable[[int, int], object] | None = None,
) -> Tuned:
    """Choose options by how well they do on later parts of the series than those they saw.

    Parameters
    ----------
    x : array_like, pandas.Series or pandas.DataFrame
        Prices, as for `rpsd.denoise`; several series are pooled: one choice for all of them.
    grid : mapping of str to list, or list of such mappings
        The values to try of each option; every combination is a candidate. Of a list of grids all
        combinations of each: for options that do not go with each other.
    config : Config, Options, str, os.PathLike or None
        The options that the grid does not name, and guardrails, as for `rpsd.Denoiser`.
    guardrails : Guardrails, mapping or None
        Thresholds; their policies are not acted on.
    objective : {"likelihood", "smoothness"}
        likelihood : how well the causal estimate at t forecasts the price at t + 1. smoothness : the
        smoothest output among those that pass the guardrails on every fold. See Notes.
    folds : int
        Number of test parts, at least 2.
    train : int or None
        Samples of a training part; None: all from the first one on.
    purge : int or None
        Samples between a training part and its test part that neither sees, at least the largest
        lookahead. None: the largest lookahead plus how far back a value depends on the series: `window`
        samples in windowed methods, the filters' length offline, 256 in auto and kalman.
    embargo : int or None
        Samples after each test part that no fold trains or tests on. None: a hundredth of the series.
    n_random : int or None
        How many combinations to draw at random from the grid; None: all of them.
    seed : int
        Of that draw.
    workers : int
        Threads to share the candidates out to; 0: one for each processor. The result is the same for
        any number.
    axis : int
        The time axis of an ndarray.
    progress : callable, optional
        Is called with the number of candidates that are done and that of all.

    Returns
    -------
    Tuned

    Raises
    ------
    ConfigError
        For bad arguments, and for combinations that no denoiser can be made of, which it names.
    InputError
        Where the series is too short for the folds, or an estimate is missing in all of a part.
    CausalityError
        For ``breaks="auto"`` where x has no times.
    RpsdError
        Where smoothness is asked for and no candidate passes the guardrails on every fold.

    Warns
    -----
    RpsdWarning
        Where purge is shorter than what the estimates depend on, and where all candidates are equal.

    Notes
    -----
    Training and test parts follow each other in time [1]_, with purge and embargo between them [2]_.
    For likelihood every candidate runs with ``lookahead=0``, whatever its own: y[t] forecasts
    x[t + 1], and the score of a part is the mean of ``log p(e) - log p0(e0)``, with p Student's t
    density with 4 degrees of freedom [3]_ and the scale of the errors in the training part, and p0 that
    of the errors e0 of the newest price as the forecast: nats a sample above doing nothing. For
    smoothness a candidate runs on the series up to the end of a part, and the score is -10 log10 of the
    sum of its squared second differences over that of x. Neither changes under x -> a x + b. Of equal
    candidates the earlier one wins. It keeps 8 bytes for each candidate and sample. See docs/tuning.md.

    References
    ----------
    .. [1] L. J. Tashman, "Out-of-sample tests of forecasting accuracy: an analysis and review",
       International Journal of Forecasting 16(4), 2000.
    .. [2] M. Lopez de Prado, "Advances in Financial Machine Learning", Wiley, 2018, chapter 7.
    .. [3] K. L. Lange, R. J. A. Little, J. M. G. Taylor, "Robust statistical modeling using the t
       distribution", Journal of the American Statistical Association 84(408), 1989.

    Examples
    --------
    >>> import rpsd
    >>> x = rpsd.simulate("a", 1000, seed=1, nsr=3.0).noisy
    >>> grid = {"noise": ["mad"], "window": [64], "threshold_scale": [0.0, 1.0, 3.0]}
    >>> rpsd.tune(x, grid, folds=3).best.threshold_scale
    3.0
    """
    if objective not in _OBJECTIVES:
        raise ConfigError(f"objective must be one of {', '.join(_OBJECTIVES)}, got {shown(objective)}")
    base, base_rails = settings(config)
    rails = merged_guardrails(guardrails, base_rails)
    folds = _whole("folds", folds, 2)
    train = None if train is None else _whole("train", train, LEAST_PART)
    n_random = None if n_random is None else _whole("n_random", n_random, 1)
    tried = candidates(grid, base, n_random, _whole("seed", seed, 0))
    causal = objective == "likelihood"
    source = mirror(x, axis)
    values = source.stacked()
    if np.isinf(values).any():
        raise InputError("x must be finite, or NaN for a missing sample, got inf")
    series = Series(values, source.times, source.index)
    purge = _checked_purge(purge, [options for _, options in tried], causal=causal)
    embargo = series.n // 100 if embargo is None else _whole("embargo", embargo, 0)
    splits = walk_forward(series.n, folds, train, purge, embargo)
    names = [named(choice) for choice, _ in tried]
    run = likelihood_trials if causal else smoothness_trials
    with _Pool(checked_threads(workers) or os.cpu_count() or 1, progress, len(tried)) as pool:
        trials = run(series, [options for _, options in tried], names, splits, rails, pool.map)
    table = tuple(
        Candidate(choice, options, *_mean_and_error(trial.test), trial.test, all(trial.test_passed))
        for (choice, options), trial in zip(tried, trials, strict=True)
    )
    steps = tuple(
        _fold(split.train, split.test, k, trials, guarded=not causal) for k, split in enumerate(splits)
    )
    best = _best([row.mean for row in table], [causal or row.passed for row in table])
    if best is None:
        raise RpsdError(f"no candidate passes the guardrails on every fold; {_nearest(names, trials)}")
    if len(table) > 1 and all(row.scores == table[0].scores for row in table):
        warn(f"all {len(table)} candidates score the same: {objective} cannot tell them apart")
    forward = _mean_and_error(tuple(step.score for step in steps))
    return Tuned(table[best].options, best, table, steps, objective, purge, embargo, *forward)


def _whole(name: str, value: Any, least: int) -> int:
    whole = isinstance(value, int | np.integer) and not isinstance(value, bool)
    if not whole or value < least:
        raise ConfigError(f"{name} must be an integer >= {least}, got {shown(value)}")
    return int(value)


def _checked_purge(purge: int | None, tried: list[Options], *, causal: bool) -> int:
    lookahead = max(options.lookahead or 0 for options in tried)
    wanted = lookahead + max(reach(options, causal=causal) for options in tried)
    if purge is None:
        return wanted
    purge = _whole("purge", purge, 0)
    if purge < lookahead:
        raise ConfigError(f"purge must be at least the largest lookahead, {lookahead}, got {purge}")
    if purge < wanted:
        warn(f"purge={purge} is less than {wanted}, as far back as values of test parts depend on the series")
    return purge


class _Pool:
    """Threads that take candidates one by one; the core drops the GIL."""

    def __init__(self, workers: int, progress: Callable[[int, int], object] | None, total: int) -> None:
        self._threads = ThreadPoolExecutor(max_workers=min(workers, total))
        self._progress = progress or (lambda done, total: None)

    def __enter__(self) -> "_Pool":
        return self

    def __exit__(self, *_: object) -> None:
        # After an error or Ctrl-C nobody waits for those that have not begun.
        self._threads.shutdown(wait=True, cancel_futures=True)

    def map(self, function: Callable[[_In], _Out], items: Sequence[_In]) -> Iterator[_Out]:
        """Yield the results in the order of the items, and tell how many there are."""
        # Of the first round only: the runs. Scoring them is short.
        progress, self._progress = self._progress, lambda done, total: None
        for done, result in enumerate(self._threads.map(function, items), start=1):
            progress(done, len(items))
            yield result


def _mean_and_error(scores: tuple[float, ...]) -> tuple[float, float]:
    values: npt.NDArray[np.float64] = np.array(scores)
    if not np.isfinite(values).all():
        return float(np.mean(values)), float("nan")
    return float(np.mean(values)), float(np.std(values, ddof=1) / len(values) ** 0.5)


def _best(scores: Sequence[float], allowed: Sequence[bool]) -> int | None:
    """Return the first of the largest scores among those allowed."""
    places = [k for k, may in enumerate(allowed) if may and not np.isnan(scores[k])]
    return max(places, key=lambda k: scores[k]) if places else None


def _fold(train: tuple[Stretch, ...], test: Stretch, k: int, trials: list[Trial], *, guarded: bool) -> Fold:
    scores = tuple(trial.train[k] for trial in trials)
    chosen = _best(scores, [not guarded or trial.train_passed[k] for trial in trials])
    if chosen is None:
        return Fold(train, test, scores, None, float("nan"), passed=False)
    return Fold(train, test, scores, chosen, trials[chosen].test[k], trials[chosen].test_passed[k])


def _nearest(names: list[str], trials: list[Trial]) -> str:
    """Say which candidate passes on most folds, and what it breaches."""
    k = max(range(len(trials)), key=lambda k: sum(trials[k].test_passed))
    return f"{names[k]} passes on {sum(trials[k].test_passed)} of {len(trials[k].test)}: {trials[k].failures}"
