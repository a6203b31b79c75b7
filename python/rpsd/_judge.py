# SPDX-License-Identifier: MIT
"""Hold an output against its input and against the best estimate of the fitted model."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from rpsd import _core
from rpsd._chain import build_chain
from rpsd._guardrails import AT_MOST, HONEST, NAMES, PLAIN, Guardrails
from rpsd._mirror import checked_threads, raise_from_core
from rpsd._options import Options, make_options, resolve
from rpsd._result import METRICS, Check, Report
from rpsd._windowed import build_windowed, runner

_F64 = npt.NDArray[np.float64]

# By so much the best estimate must clear a threshold of the plain four for it to be expected of an output:
# a quarter of the way from the threshold to perfection.
_MARGIN: Final = 0.25
_PERFECT: Final = {"correlation": 1.0, "rmse": 0.0, "trend": 1.0, "power": 1.0}
# Where the default smooths by so much less than the model's own prediction, it does not believe in the noise.
_DOUBTED: Final = 0.7
_PASSTHROUGH: Final = 0
# Usual moves: what is further from the smoothed prices is a bad tick.
_FAR: Final = 6.0


@dataclass(frozen=True, slots=True)
class Reference:
    """The best estimates of a batch, and what was fitted: a row a series."""

    best: _F64  # of the whole series
    like: _F64  # of the same lookahead as the output's
    models: _F64  # as _core.judge takes them
    plain: _F64  # metrics of `like`
    plain_best: _F64  # of `best`


@cache
def _runner(method: str, lookahead: int | None) -> Any:
    """Return what runs the default, or the plain smoother that takes all noise for real."""
    given: dict[str, Any] = {} if method == "auto" else {"outliers": "spike", "min_gain_db": 0.0}
    options: Options = resolve(make_options(method=method, lookahead=lookahead, **given))
    chain = build_chain(options)
    return runner(chain, build_windowed(chain, options))


def _run(
    method: str, lookahead: int | None, x: _F64, threads: int
) -> tuple[_F64, tuple[npt.NDArray[Any], ...]]:
    out = np.empty_like(x)
    try:
        found, _ = _runner(method, lookahead)(x, out, starts=[], threads=threads)
    except ValueError as error:
        raise_from_core(error)
    return out, found


def _predicted_db(ratio: _F64) -> _F64:
    """Return the offline gain of the local level model, 5 log10(1 + 4 NSR^2)."""
    return 5 * np.log10(1 + 4 * ratio * ratio)


#: Of the default options on the whole series: the values, and what the core reports of them.
DefaultRun = tuple[_F64, Sequence[npt.NDArray[Any]]]


def make_reference(
    x: _F64,
    lookahead: int | None,
    threads: int,
    default: DefaultRun | None = None,
    metrics: _F64 | None = None,
) -> Reference:
    """Fit each series, series x time, and return its best estimate by the default options.

    Where the default finds no significant noise, the smoother of as much noise as there may be takes its
    place: an output that smooths no more than that does no harm that could be told.

    default: the run of the default options on x, where there was one already; metrics: of x and its values.
    """
    best, found = default or _run("auto", None, x, threads)
    noise_sd, level, _, action, step_sd, gain = (np.array(column, dtype=np.float64) for column in found[:6])
    with np.errstate(all="ignore"):
        ratio = np.nan_to_num(noise_sd / step_sd, posinf=0.0)
        walk = level == 0
        doubted = np.flatnonzero(walk & ((action == _PASSTHROUGH) | (gain < _DOUBTED * _predicted_db(ratio))))
        if default and doubted.size:
            best, metrics = best.copy(), None
        for row in doubted:
            best[row], noise_sd[row], step_sd[row] = _benefit_of_doubt(x[row], threads)
            ratio[row] = np.nan_to_num(noise_sd[row] / step_sd[row], posinf=0.0)
            gain[row] = _predicted_db(ratio[row])
    like = best if lookahead is None else _run("auto", lookahead, x, threads)[0]
    late = np.array([lag_of_lookahead(r, lookahead) for r in ratio])
    models = np.ascontiguousarray(np.stack([noise_sd, step_sd, np.nan_to_num(gain), late, walk], axis=1))
    plain = _core.metrics(x, best, threads=threads) if metrics is None else metrics
    if lookahead is None:
        return Reference(best, best, models, plain, plain)
    return Reference(best, like, models, _core.metrics(x, like, threads=threads), plain)


def _benefit_of_doubt(x: _F64, threads: int) -> tuple[_F64, float, float]:
    """Return the smoothed series, noise and step sd, the noise two standard errors larger than it is found.

    Those of the noise's variance, where it is small beside the steps', are the steps' over sqrt(n): the
    Fisher information of Whittle's likelihood there.
    """
    (best,), found = _run("kalman", None, x.reshape(1, -1), threads)
    noise_sd, step_sd = float(found[0][0]), float(found[4][0])
    seen = ~np.isnan(x)
    if not step_sd > 0 or not np.isfinite(noise_sd):
        return best, noise_sd, step_sd
    # In units of a step about the first price, whose squares are in range.
    first = x[seen][0]
    far = _FAR * np.median(np.abs(np.diff(x[seen])))
    samples = np.where(seen, (best - first + np.clip(x - best, -far, far)) / step_sd, 0.0)
    variance = (noise_sd / step_sd) ** 2 + 2 / np.sqrt(np.count_nonzero(seen))
    rows = (samples, seen.astype(np.float64), np.ones(len(x)), np.full(len(x), variance))
    mean = _core.local_level_smooth(*(row.reshape(1, -1) for row in rows))[0][0]
    return np.where(seen, first + step_sd * mean, np.nan), step_sd * float(np.sqrt(variance)), step_sd


def lag_of_lookahead(ratio: float, lookahead: int | None) -> float:
    """Return by how many samples the steady filter, k samples later, comes late by the lag check.

    ratio: noise to step standard deviation. The estimate is the level and the later innovations times
    K (1 - K)^j, K the steady gain (Anderson & Moore 1979, chapter 7); x - y and the speed of y then are
    sums over innovations.
    """
    if lookahead is None or not ratio > 0:
        return 0.0
    square = ratio * ratio
    gain = (np.sqrt(1 + 4 * square) - 1) / (2 * square)
    k = min(lookahead, 1000)
    later = gain * (1 - gain) ** np.arange(1, k + 1)
    weights = np.concatenate([[gain], later])  # of innovations t .. t + k in y[t]
    apart = np.concatenate([[0.0, 1 - gain], -later, [0.0]])  # of t - 1 .. t + k + 1 in x[t] - y[t]
    moved = np.concatenate([weights[:-1] - weights[1:], weights[-1:]])  # of t .. t + k in y[t] - y[t - 1]
    speed = np.zeros(k + 3)
    speed[1:-1] += moved / 2
    speed[2:] += moved / 2
    return float(np.sum(apart * speed) / np.sum(speed * speed))


def make_report(
    shaped: Callable[[npt.NDArray[Any]], Any],
    x: _F64,
    y: _F64,
    guardrails: Guardrails,
    *,
    lookahead: int | None = None,
    threads: int = 1,
    reference: Reference | None = None,
    found: Sequence[npt.NDArray[Any]] | None = None,
) -> Report:
    """Return the report on outputs y of x, a row a series; what takes a model is found when asked for.

    reference: that of x and lookahead, where it is known already. found: what the core reports, where y is
    what the default options make of x.
    """
    count = checked_threads(threads)
    try:
        table = _core.metrics(x, y, threads=count)
    except ValueError as error:
        raise_from_core(error)
    metrics = {name: shaped(column) for name, column in zip(METRICS, table.T, strict=True)}
    x, y = x.copy(), y.copy()  # the caller may change them before it asks

    def judged() -> tuple[tuple[Check, ...], Any, Any]:
        default = None if found is None else (y, found)
        against = reference or make_reference(x, lookahead, count, default, default and table)
        checks = make_checks(x, y, table, against, guardrails, count)
        passed = np.logical_and.reduce([c.passed | ~c.counts for c in checks], axis=0)
        same = ((x == y) | np.isnan(x) | np.isnan(y)).all(axis=1)
        action = np.where(same, "passthrough", "denoised")
        return tuple(_shaped_check(check, shaped) for check in checks), _plain(shaped(passed)), shaped(action)

    return Report(**metrics, judged=judged)


def make_checks(
    x: _F64, y: _F64, table: _F64, reference: Reference, guardrails: Guardrails, threads: int
) -> list[Check]:
    """Return every check with one value a series; table: the metrics of x and y."""
    found = _core.judge(x, y, reference.best, reference.like, reference.models, threads=threads)
    values = dict(zip(METRICS, table.T, strict=True)) | dict(zip(HONEST, found.T, strict=True))
    values["missing"] = np.count_nonzero(~np.isfinite(y) & ~np.isnan(x), axis=-1)
    changed = (y != x) & ~np.isnan(y) & ~np.isnan(x)
    checks = []
    for name in NAMES:
        threshold = 0 if name == "missing" else getattr(guardrails, f"{name}_threshold")
        counts = np.ones(len(x), dtype=bool)
        if name in PLAIN:
            # Of the whole series too: that estimate is without bad ticks which a causal one may let through.
            counts = np.logical_and.reduce(
                [
                    _expected(name, metrics[:, METRICS.index(name)], threshold)
                    | _expected(name, metrics[:, METRICS.index(name)], _default(name))
                    for metrics in (reference.plain, reference.plain_best)
                ]
            )
        elif name == "whiteness":
            # It tells how far to trust the model, on which an output that is the input does not rely.
            counts = changed.any(axis=1)
        passed = _passes(name, values[name], threshold) | np.isnan(values[name])
        checks.append(Check(name, values[name], threshold, "<=" if name in AT_MOST else ">=", passed, counts))
    return checks


def _default(name: str) -> float:
    return float(getattr(Guardrails(), f"{name}_threshold"))


def _expected(name: str, of_best: _F64, threshold: float) -> npt.NDArray[np.bool_]:
    """Return where the best estimate clears a threshold by so much that any good output is expected to."""
    cleared = threshold + _MARGIN * (_PERFECT[name] - threshold)
    return _passes(name, of_best, cleared) | np.isnan(of_best)


def _passes(name: str, value: Any, threshold: float) -> npt.NDArray[np.bool_]:
    return np.asarray(value <= threshold if name in AT_MOST else value >= threshold)


def _shaped_check(check: Check, shaped: Callable[[npt.NDArray[Any]], Any]) -> Check:
    return Check(
        check.name,
        shaped(check.value),
        check.threshold,
        check.relation,
        _plain(shaped(check.passed)),
        _plain(shaped(check.counts)),
    )


def _plain(value: Any) -> Any:
    return bool(value) if np.ndim(value) == 0 else value
