# SPDX-License-Identifier: MIT
"""What the workers do with the series of a request."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

import numpy as np

import rpsd
from rpsd import CausalityError, ConfigError, GuardrailError, InputError
from rpsd._guardrails import Guardrails
from rpsd._options import merged_guardrails
from rpsd._result import noise_data, report_data
from rpsd.service._admission import Stop
from rpsd.service._body import ClientGone
from rpsd.service._degrade import guarded
from rpsd.service._notes import collected_notes
from rpsd.service._problems import Problem
from rpsd.service._request import F64, Answer, Asked, Outcome
from rpsd.service._snapshot import Snapshot

#: Makes an answer of what was asked, and looks at the stop between series.
Compute = Callable[[Snapshot, Asked, Stop], Answer]


def denoise(snapshot: Snapshot, asked: Asked, stop: Stop) -> Answer:
    """Denoise each series by itself.

    Raises
    ------
    Problem
        For options or data that are not allowed, and guardrails breached under the policy raise.
    ClientGone
        Where nobody waits any more.
    """
    threads = snapshot.config.performance.threads
    with _problems():
        denoiser, notes = snapshot.denoiser(asked.options, asked.guardrails)

    def one(number: int) -> Outcome:
        with collected_notes() as more:
            result = denoiser.run(asked.series[number], threads=threads)
            full = asked.report == "full"
            report = None if asked.report == "none" else report_data(result.report, checks=full)
        content = {
            "report": report,
            "noise": noise_data(result.noise),
            "action": str(result.action),
            "lookahead": result.lookahead,
            "warmup": int(result.warmup),
            "notes": [*notes, *more],
            "degraded": None,
        }
        removed = _removed(asked.series[number], result.values) if full else None
        return Outcome(result.values, content, len(asked.series[number]), removed=removed)

    return _each(asked, stop, guarded(snapshot, asked, one))


def _removed(x: F64, y: F64) -> float | None:
    """Return the share of the variance of steps that an output is without, or None where there is none."""
    before, after = np.diff(x), np.diff(y)
    both = np.isfinite(before) & np.isfinite(after)
    variance = float(np.var(before[both])) if both.any() else 0.0
    return 1 - float(np.var(after[both])) / variance if variance > 0 else None


def estimate_noise(snapshot: Snapshot, asked: Asked, stop: Stop) -> Answer:
    """Estimate the noise of each series; as `denoise`."""
    threads = snapshot.config.performance.threads
    with _problems():
        denoiser, notes = snapshot.denoiser(asked.options, asked.guardrails)

    def one(number: int) -> Outcome:
        with collected_notes() as more:
            noise = denoiser.estimate_noise(asked.series[number], threads=threads)
        content = {"noise": noise_data(noise), "notes": [*notes, *more]}
        return Outcome(None, content, len(asked.series[number]))

    return _each(asked, stop, one)


def evaluate(snapshot: Snapshot, asked: Asked, stop: Stop) -> Answer:
    """Hold each output against its input; as `denoise`, but no policy acts."""
    with _problems():
        if asked.options.keys() - {"lookahead"}:
            raise ConfigError("evaluate has one option, lookahead, and guardrails")
        base: Guardrails = snapshot.config.guardrails
        guardrails = merged_guardrails(asked.guardrails, base)
    lookahead = asked.options.get("lookahead")

    def one(number: int) -> Outcome:
        x, y = asked.series[number], asked.others[number]
        report = rpsd.evaluate(x, y, guardrails, lookahead=lookahead)
        return Outcome(None, {"report": report_data(report), "lookahead": lookahead}, len(x))

    return _each(asked, stop, one)


def _each(asked: Asked, stop: Stop, one: Callable[[int], Outcome]) -> Answer:
    outcomes = []
    for number in range(len(asked.series)):
        if stop.set:
            raise ClientGone
        with _problems("" if asked.names is None else f'series "{asked.names[number][:80]}": '):
            outcomes.append(one(number))
    return Answer(asked.names, tuple(outcomes))


@contextlib.contextmanager
def _problems(which: str = "") -> Iterator[None]:
    """Turn errors of rpsd into problems."""
    try:
        yield
    except GuardrailError as error:
        report = report_data(error.report)
        raise Problem("guardrail-breached", f"{which}{error}", report=report) from None
    except (CausalityError, ConfigError, InputError) as error:
        raise Problem("invalid-request", f"{which}{error}") from None
