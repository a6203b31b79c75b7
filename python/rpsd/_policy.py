# SPDX-License-Identifier: MIT
"""What a breach of a guardrail does beyond standing in the report."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import msgspec
import numpy as np
import numpy.typing as npt

from rpsd import _core
from rpsd._errors import GuardrailError, warn
from rpsd._guardrails import Guardrails
from rpsd._judge import Reference, make_checks, make_reference
from rpsd._mirror import Batch, Mirror
from rpsd._result import Report
from rpsd._windowed import with_values

_F64 = npt.NDArray[np.float64]
_TELLING: Final = ("report", "warn")  # policies that change no output
_STEPS: Final = 10  # of the bisection: the strength is found to one in a thousand


@dataclass(frozen=True, slots=True)
class Enforced:
    """What the policies made of a run; one value a series, in the order of the input.

    Attributes
    ----------
    outputs : list of ndarray
        As the run's, the series that were passed through or relaxed replaced.
    action : ndarray of str
        ``passthrough`` or ``relaxed`` where a policy acted, else empty.
    strength : ndarray of float
        Share of the smoothing asked for: 1 where no policy acted, 0 where the input is returned.
    binding : ndarray of str
        The guardrails that keep the strength from being larger, joined by commas.
    """

    outputs: list[Batch]
    action: npt.NDArray[Any]
    strength: _F64
    binding: npt.NDArray[Any]


def enforce(denoiser: Any, source: Mirror, outputs: list[Batch], report: Report, threads: int) -> Enforced:
    """Warn, raise, pass through or relax, as the policies say."""
    rails = denoiser.guardrails
    rows = int(np.prod(source.shape, dtype=np.intp))
    enforced = Enforced(
        list(outputs), np.full(rows, "", dtype="U11"), np.ones(rows), np.full(rows, "", dtype=object)
    )
    breached = {
        check.name: np.reshape(np.logical_and(check.counts, np.logical_not(check.passed)), rows)
        for check in report.checks
    }
    by_policy = {
        policy: [name for name, bad in breached.items() if bad.any() and rails.policy_of(name) == policy]
        for policy in ("raise", "warn", "relax", "passthrough")
    }
    message = f"guardrails breached: {report.failures()}"
    if by_policy["raise"]:
        raise GuardrailError(message, report)
    if by_policy["warn"]:
        warn(message)
    for policy in ("relax", "passthrough"):
        for name in by_policy[policy]:
            for row in np.flatnonzero(breached[name]):
                enforced.action[row] = policy
                enforced.binding[row] = ",".join(filter(None, [enforced.binding[row], name]))
    batches = [batch.copy() for batch in outputs]
    for row in np.flatnonzero(enforced.action != ""):
        b, i = _place(source, int(row))
        x, y = source.batches[b][i], outputs[b][i]
        if enforced.action[row] == "relax":
            enforced.strength[row], batches[b][i], binding = _relaxed(denoiser, x, y, threads)
            if binding:  # none where it passes up to the last step of the bisection
                enforced.binding[row] = ",".join(binding)
        else:
            enforced.strength[row], batches[b][i] = 0.0, _passed_through(x, y, denoiser)
        enforced.action[row] = "relaxed" if enforced.strength[row] > 0 else "passthrough"
    return Enforced(batches, enforced.action, enforced.strength, enforced.binding)


def _place(source: Mirror, row: int) -> tuple[int, int]:
    """Return the batch and the row in it of a series."""
    place = int(source.order[row])
    for b, batch in enumerate(source.batches):
        if place < len(batch):
            return b, place
        place -= len(batch)
    raise AssertionError("every series is in a batch")


def _passed_through(x: npt.NDArray[Any], y: npt.NDArray[Any], denoiser: Any) -> npt.NDArray[Any]:
    """Return the input, without the samples for which a lookahead leaves no value."""
    return x if denoiser.options.lookahead is None else np.where(np.isnan(y), np.nan, x).astype(x.dtype)


def _relaxed(
    denoiser: Any, x: npt.NDArray[Any], y: npt.NDArray[Any], threads: int
) -> tuple[float, npt.NDArray[Any], list[str]]:
    """Return the greatest strength at which every guardrail passes, its output, and what binds just above it.

    Of the thresholds, where there are any; BayesShrink drops whole levels however small they are made, so
    where none passes, and without thresholds, of the way from the input to the output.
    """
    options = denoiser.options
    reference = make_reference(_compared(denoiser, x, y)[0], options.lookahead, threads)

    def strongest(at: Callable[[float], npt.NDArray[Any]]) -> tuple[float, npt.NDArray[Any], list[str]]:
        least, most, best, binding = 0.0, 1.0, _passed_through(x, y, denoiser), list[str]()
        for _ in range(_STEPS):
            strength = (least + most) / 2
            output = at(strength)
            breached = _breached(*_compared(denoiser, x, output), reference, denoiser.guardrails, threads)
            if breached:
                most, binding = strength, breached
            else:
                least, best = strength, output
        return least, best, binding

    if options.method == "wavelet" and options.threshold_mode != "none" and not options.use_fir_filter:
        found = strongest(lambda strength: _scaled(denoiser, strength).denoise(x, threads=threads))
        if found[0] > 0:
            return found
    return strongest(lambda strength: (x + strength * (y - x)).astype(x.dtype))


def _scaled(denoiser: Any, factor: float) -> Any:
    scale = denoiser.options.threshold_scale * factor
    return type(denoiser)(msgspec.structs.replace(denoiser.options, threshold_scale=scale))


def _compared(denoiser: Any, x: npt.NDArray[Any], y: npt.NDArray[Any]) -> tuple[_F64, _F64]:
    """Return what guardrails compare, as batches of one series."""
    before, after = (v.astype(np.float64).reshape(1, -1) for v in (x, y))
    return (before, after) if denoiser.options.lookahead is None else with_values(before, after)


def _breached(x: _F64, y: _F64, reference: Reference, guardrails: Guardrails, threads: int) -> list[str]:
    table = _core.metrics(x, y, threads=threads)
    checks = make_checks(x, y, table, reference, guardrails, threads)
    return [
        check.name
        for check in checks
        if guardrails.policy_of(check.name) not in _TELLING and not bool((check.passed | ~check.counts).all())
    ]
