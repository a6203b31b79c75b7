# SPDX-License-Identifier: MIT
"""Series of one length denoised by one call of the core, and what came of each of them.

The core gives a series the same bits whatever other series are beside it, in a fraction of the time: a price
model is fitted to several at once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import fields
from functools import partial
from typing import Any

import numpy as np

from rpsd import Denoiser
from rpsd._mirror import Mirror
from rpsd._result import METRICS, Check, NoiseModel, Report, noise_data, report_data, what_was_found
from rpsd.service._request import F64, Outcome, Reported

_ACTIONS = ("passthrough", "cleaned", "denoised")
_NOISE = tuple(one.name for one in fields(NoiseModel) if one.name != "kind")


_NO_ORDER = np.empty(0, dtype=np.intp)  # of one batch, in which the order is that of the rows


def _only_batch(outputs: list[F64]) -> F64:
    return outputs[0]


def fits_rows(denoiser: Denoiser, report: Reported) -> bool:
    """Return whether a series beside others has the report that it has alone.

    Not where policies act, which are of one series each, and not with a lookahead, where a report leaves out
    what no series beside it has a value for.
    """
    return not denoiser.guardrails.acts and (report == "none" or denoiser.options.lookahead is None)


def denoise_rows(
    denoiser: Denoiser, rows: F64, report: Reported, threads: int, check: Callable[[], None]
) -> list[Outcome]:
    """Return what comes of each row of a series x time array.

    Parameters
    ----------
    check : callable
        Called between the steps that take time; raises where nobody waits any more.
    """
    if report == "none" and not denoiser.guardrails.acts:  # the metrics cost ten times what some methods do
        source = Mirror([rows], _only_batch, (len(rows),), _NO_ORDER)
        values, found = denoiser._run_batch(source, rows, threads)
        noise, _, _, actions = what_was_found(source, [found], denoiser._noise_kind())
        named = [_ACTIONS[action] for action in actions.tolist()]
        return _outcomes(denoiser, rows, values, noise, named, found[-1].tolist(), [None] * len(rows))
    if len(rows) == 1:
        result = denoiser.run(rows[0], threads=threads)
        check()
        one = report_data(result.report, checks=report == "full")
        noise = _noise([np.array([getattr(result.noise, name)]) for name in _NOISE], result.noise.kind)
        action, warmup = str(result.action), int(result.warmup)
        return _outcomes(denoiser, rows, [result.values], noise, [action], [warmup], [one], report == "full")
    result = denoiser.run(rows, axis=1, threads=threads)
    check()
    reports = [report_data(one, checks=report == "full") for one in _reports(result.report, report)]
    actions, warmups = result.action.tolist(), result.warmup.tolist()
    return _outcomes(denoiser, rows, result.values, result.noise, actions, warmups, reports, report == "full")


def _outcomes(
    denoiser: Denoiser,
    rows: F64,
    values: Any,
    noise: NoiseModel,
    actions: Any,
    warmups: Any,
    reports: Any,
    full: bool = False,
) -> list[Outcome]:
    lookahead = denoiser.options.lookahead
    return [
        Outcome(
            value,
            {
                "report": report,
                "noise": data,
                "action": action,
                "lookahead": lookahead,
                "warmup": warmup,
                "notes": [],
                "degraded": None,
            },
            len(value),
            removed=_removed(x, value) if full else None,
        )
        for x, value, data, action, warmup, report in zip(
            rows, values, noise_rows(noise), actions, warmups, reports, strict=True
        )
    ]


def _removed(x: F64, y: F64) -> float | None:
    """Return the share of the variance of steps that an output is without, or None where there is none."""
    before, after = np.diff(x), np.diff(y)
    both = np.isfinite(before) & np.isfinite(after)
    variance = float(np.var(before[both])) if both.any() else 0.0
    return 1 - float(np.var(after[both])) / variance if variance > 0 else None


def noise_rows(noise: NoiseModel) -> list[dict[str, Any]]:
    """Return the noise model of each series as plain data."""
    columns = (getattr(noise, name).tolist() for name in _NOISE)
    return [noise_data(_noise(values, noise.kind)) for values in zip(*columns, strict=True)]


def _noise(values: Iterable[Any], kind: str) -> NoiseModel:
    return NoiseModel(**dict(zip(_NOISE, values, strict=True)), kind=kind)


def _reports(report: Report, wanted: Reported) -> Iterator[Report]:
    """Return the report on each series."""
    columns = {name: getattr(report, name).tolist() for name in METRICS}
    checks, passed, actions = report._verdict() if wanted == "full" else ((), None, None)
    for k in range(len(columns["score"])):
        verdict: Any = None
        if wanted == "full":
            own = tuple(_check(check, k) for check in checks)
            verdict = own, bool(passed[k]), str(actions[k])  # type: ignore[index]
        metrics = {name: column[k] for name, column in columns.items()}
        yield Report(**metrics, judged=partial(_same, verdict))


def _same(verdict: Any) -> Any:
    return verdict


def _check(check: Check, k: int) -> Check:
    value, passed, counts = (np.asarray(part)[k].item() for part in (check.value, check.passed, check.counts))
    return Check(check.name, value, check.threshold, check.relation, passed, counts)
