# SPDX-License-Identifier: MIT
"""What the workers do: denoise the series of a request."""

from __future__ import annotations

from rpsd import CausalityError, ConfigError, Denoiser, GuardrailError, InputError
from rpsd._result import noise_data, report_data
from rpsd.service._admission import Stop
from rpsd.service._body import ClientGone
from rpsd.service._notes import collected_notes
from rpsd.service._problems import Problem
from rpsd.service._request import F64, Answer, Asked, Outcome, Reported
from rpsd.service._snapshot import Snapshot


def denoise(snapshot: Snapshot, asked: Asked, stop: Stop) -> Answer:
    """Denoise each series by itself.

    Raises
    ------
    Problem
        For options or data that are not allowed, and guardrails breached under the policy raise.
    ClientGone
        Where nobody waits any more; looked at between series.
    """
    threads = snapshot.config.performance.threads
    outcomes = []
    try:
        denoiser, notes = snapshot.denoiser(asked.options, asked.guardrails)
    except (CausalityError, ConfigError, InputError) as error:
        raise Problem("invalid-request", str(error)) from None
    for number, x in enumerate(asked.series):
        if stop.set:
            raise ClientGone
        try:
            outcomes.append(_outcome(denoiser, x, asked.report, threads, notes))
        except GuardrailError as error:
            detail = f"{_which(asked, number)}{error}"
            raise Problem("guardrail-breached", detail, report=report_data(error.report)) from None
        except (CausalityError, ConfigError, InputError) as error:
            raise Problem("invalid-request", f"{_which(asked, number)}{error}") from None
    return Answer(asked.names, tuple(outcomes))


def _which(asked: Asked, number: int) -> str:
    return "" if asked.names is None else f'series "{asked.names[number][:80]}": '


def _outcome(denoiser: Denoiser, x: F64, wanted: Reported, threads: int, notes: list[str]) -> Outcome:
    with collected_notes() as more:
        result = denoiser.run(x, threads=threads)
        report = None if wanted == "none" else report_data(result.report, checks=wanted == "full")
    return Outcome(
        values=result.values,
        action=str(result.action),
        lookahead=result.lookahead,
        warmup=int(result.warmup),
        noise=noise_data(result.noise),
        report=report,
        notes=(*notes, *more),
    )
