# SPDX-License-Identifier: MIT
"""What a run found and did, in plain words and as plain data."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from rpsd import NoiseModel, Result
from rpsd.cli._show import number, small_number

_F64 = npt.NDArray[np.float64]


def noise_rows(noise: NoiseModel) -> Iterator[tuple[str, str]]:
    """Yield name and text of what is known about the noise of one series."""
    yield "noise sd", small_number(noise.noise_sd)
    if noise.kind != "price":
        return
    yield "step sd", small_number(noise.step_sd)
    yield "noise/step", number(noise.nsr, 3)
    yield "predicted gain", f"{number(noise.predicted_gain_db, 2)} dB"
    if not math.isnan(noise.gain_probability):
        yield "P(gain > 0)", number(noise.gain_probability, 3)


def action_rows(result: Result, x: _F64) -> Iterator[tuple[str, str]]:
    """Yield the action taken on the series x, and why where it was not denoised."""
    yield "action", str(result.action)
    if result.action == "cleaned":
        replaced = int(np.count_nonzero(result.values != x) - result.missing)
        yield "", f"{replaced} bad tick(s) replaced, the rest returned as it is"
    elif result.binding:
        yield "", f"{result.strength:.0%} of the smoothing is left, for {result.binding}"
    elif result.action == "passthrough":
        yield "", f"{_reason(result.noise)}: the series is returned as it is"


def _reason(noise: NoiseModel) -> str:
    if noise.kind != "price":
        return "no noise found"
    if math.isnan(noise.noise_sd):
        return "too short or still to fit"
    return "too little to gain" if noise.predicted_gain_db > 0 else "no significant noise"
