# SPDX-License-Identifier: MIT
"""What the workers do with the series of a request."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import Final

import numpy as np

import rpsd
from rpsd import CausalityError, ConfigError, GuardrailError, InputError, Options
from rpsd._guardrails import Guardrails
from rpsd._options import merged_guardrails
from rpsd._result import report_data
from rpsd._schema import fields
from rpsd.service._admission import Stop
from rpsd.service._degrade import accept, guarded
from rpsd.service._notes import collected_notes
from rpsd.service._problems import Problem
from rpsd.service._request import F64, Answer, Asked, Outcome
from rpsd.service._rows import denoise_rows, fits_rows, noise_rows
from rpsd.service._snapshot import Snapshot

#: Makes an answer of what was asked, and looks at the stop between series.
Compute = Callable[[Snapshot, Asked, Stop], Answer]
#: Samples of one call for several series: the stop is looked at between calls.
_TOGETHER: Final = 65_536


def denoise(snapshot: Snapshot, asked: Asked, stop: Stop) -> Answer:
    """Denoise each series as if it were alone.

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

    def some(numbers: Sequence[int]) -> list[Outcome]:
        with collected_notes() as more:
            outcomes = denoise_rows(
                denoiser, _stacked(asked.series, numbers), asked.report, threads, stop.check
            )
        if more and len(numbers) > 1:
            raise _Apart
        return _with_notes(outcomes, [*notes, *more])

    return _each(
        asked,
        stop,
        some,
        together=fits_rows(denoiser, asked.report),
        one=guarded(snapshot, asked, lambda number: some([number])[0]),
        good=lambda number, outcome: accept(snapshot, asked, number, outcome),
    )


def estimate_noise(snapshot: Snapshot, asked: Asked, stop: Stop) -> Answer:
    """Estimate the noise of each series; as `denoise`."""
    threads = snapshot.config.performance.threads
    with _problems():
        denoiser, notes = snapshot.denoiser(asked.options, asked.guardrails)

    def some(numbers: Sequence[int]) -> list[Outcome]:
        rows = _stacked(asked.series, numbers)
        with collected_notes() as more:
            noise = denoiser.estimate_noise(rows, axis=1, threads=threads)
        if more and len(numbers) > 1:
            raise _Apart
        outcomes = [Outcome(None, {"noise": data, "notes": []}, rows.shape[1]) for data in noise_rows(noise)]
        return _with_notes(outcomes, [*notes, *more])

    return _each(asked, stop, some)


def evaluate(snapshot: Snapshot, asked: Asked, stop: Stop) -> Answer:
    """Hold each output against its input; as `denoise`, but no policy acts."""
    with _problems():
        if asked.options.keys() - {"lookahead"}:
            raise ConfigError("evaluate has one option, lookahead, and guardrails")
        base: Guardrails = snapshot.config.guardrails
        guardrails = merged_guardrails(asked.guardrails, base)
        # Also where there is no series that would be held against anything.
        lookahead = fields(Options)["lookahead"].check(asked.options.get("lookahead"))

    def some(numbers: Sequence[int]) -> list[Outcome]:
        x, y = asked.series[numbers[0]], asked.others[numbers[0]]
        report = rpsd.evaluate(x, y, guardrails, lookahead=lookahead)
        stop.check()
        return [Outcome(None, {"report": report_data(report), "lookahead": lookahead}, len(x))]

    return _each(asked, stop, some, together=False)


def check(compute: Compute, snapshot: Snapshot, asked: Asked) -> None:
    """Raise what computing would, of options that are not allowed; nothing is computed."""
    compute(snapshot, Asked((), (), asked.options, asked.guardrails, asked.report), Stop())


class _Apart(Exception):
    """What came of several series is not told apart: each by itself, then."""


def _each(
    asked: Asked,
    stop: Stop,
    some: Callable[[Sequence[int]], list[Outcome]],
    *,
    together: bool = True,
    one: Callable[[int], Outcome] | None = None,
    good: Callable[[int, Outcome], None] | None = None,
) -> Answer:
    """Compute all series, those of one length together where that may be.

    Parameters
    ----------
    one : callable, optional
        Computes a series by itself, where that is not what `some` does with it.
    good : callable, optional
        Told of each that was computed beside others; raises where it may not be answered.
    """
    outcomes: dict[int, Outcome] = {}
    for numbers in _groups([len(one) for one in asked.series], together):
        stop.check()
        if len(numbers) > 1:
            # Whatever fails, each by itself says which one it is that does, and what answers instead.
            with contextlib.suppress(Exception):
                found = some(numbers)
                for number, outcome in zip(numbers, found, strict=True):
                    if good is not None:
                        good(number, outcome)
                outcomes.update(zip(numbers, found, strict=True))
                continue
        for number in numbers:
            stop.check()
            with _problems("" if asked.names is None else f'series "{asked.names[number][:80]}": '):
                outcomes[number] = some([number])[0] if one is None else one(number)
    return Answer(asked.names, tuple(outcomes[number] for number in range(len(asked.series))))


def _groups(lengths: Sequence[int], together: bool) -> Iterator[list[int]]:
    """Return which series are computed by one call: of one length, and no more samples than end soon."""
    by_length: dict[int, list[int]] = {}
    for number, length in enumerate(lengths):
        by_length.setdefault(length, []).append(number)
    for length, numbers in by_length.items():
        size = max(1, _TOGETHER // max(1, length)) if together else 1
        for begin in range(0, len(numbers), size):
            yield numbers[begin : begin + size]


def _stacked(series: Sequence[F64], numbers: Sequence[int]) -> F64:
    if len(numbers) == 1:
        return series[numbers[0]].reshape(1, -1)
    return np.stack([series[number] for number in numbers])


def _with_notes(outcomes: list[Outcome], notes: list[str]) -> list[Outcome]:
    for outcome in outcomes if notes else ():
        outcome.content["notes"].extend(notes)
    return outcomes


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
