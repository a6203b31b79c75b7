# SPDX-License-Identifier: MIT
"""What answers look like: one struct for each, which the OpenAPI document and Arrow's schemas are made of."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import UNSET, Meta, UnsetType

_Number = float | None


class Noise(msgspec.Struct):
    """How much noise a series has; null where it is not known."""

    kind: Annotated[str, Meta(description="The estimator: price, mad, level, local, given or none.")]
    noise_sd: Annotated[_Number, Meta(description="Standard deviation of the noise.")]
    step_sd: Annotated[_Number, Meta(description="Standard deviation of a step of the efficient price.")]
    nsr: Annotated[_Number, Meta(description="noise_sd / step_sd.")]
    predicted_gain_db: Annotated[
        _Number, Meta(description="Gain of the best estimate from the whole series.")
    ]
    predicted_causal_gain_db: Annotated[_Number, Meta(description="Gain of the best from the past alone.")]
    gain_probability: Annotated[_Number, Meta(description="How sure it is that smoothing helps.")]


class Check(msgspec.Struct):
    """A guardrail: a metric against its threshold."""

    name: str
    value: Annotated[_Number, Meta(description="null where it cannot be computed.")]
    relation: Annotated[str, Meta(description="How value must stand to threshold.")]
    threshold: float
    passed: bool
    counts: Annotated[bool, Meta(description="Whether it has a say in passed of the report.")]
    verdict: Annotated[str, Meta(description="passed, breached, not counted or not computable.")]


class Report(msgspec.Struct):
    """What was done to a series, by its guardrails; `metrics` has the five numbers alone."""

    correlation: _Number
    rmse: _Number
    trend: _Number
    power: _Number
    score: _Number
    passed: bool | UnsetType = UNSET
    action: str | UnsetType = UNSET
    checks: list[Check] | UnsetType = UNSET


class Degraded(msgspec.Struct):
    """What answers in place of an output, where service.on_failure says so."""

    answer: Annotated[str, Meta(description="raw: the input; hold: the last good value.")]
    reason: Annotated[str, Meta(description="failure, unsound-output or guardrail.")]


class Denoised(msgspec.Struct):
    """A series denoised."""

    values: Annotated[list[_Number], Meta(description="null where there is no value.")]
    report: Annotated[Report | None, Meta(description="null where none is wanted, or it is degraded.")]
    noise: Annotated[Noise | None, Meta(description="null where it is degraded.")]
    action: Annotated[str, Meta(description="denoised, cleaned, passthrough or relaxed; raw or hold.")]
    lookahead: Annotated[int | None, Meta(description="Samples of future that a value may have used.")]
    warmup: Annotated[int, Meta(description="Samples that are there and have no value.")]
    notes: Annotated[list[str], Meta(description="Warnings.")]
    degraded: Annotated[
        Degraded | None, Meta(description="null where it was computed; else as RPSD-Degraded says.")
    ]


class NoiseEstimate(msgspec.Struct):
    """The noise of a series."""

    noise: Noise
    notes: Annotated[list[str], Meta(description="Warnings.")]


class Evaluation(msgspec.Struct):
    """An output held against its input."""

    report: Report
    lookahead: Annotated[int | None, Meta(description="As asked.")]


class Health(msgspec.Struct):
    """Whether it should get requests."""

    status: Annotated[str, Meta(description="healthy or unhealthy.")]
    timestamp: Annotated[str, Meta(description="UTC.")]


class System(msgspec.Struct):
    """Percent in use."""

    cpu_usage: float
    memory_usage: float
    disk_usage: float


class Denoiser(msgspec.Struct):
    """The last minute."""

    requests_per_minute: int
    average_processing_time: Annotated[float, Meta(description="Seconds.")]
    error_rate: Annotated[float, Meta(ge=0, le=1)]


class DetailedHealth(Health):
    """And how busy it is."""

    system: System
    denoiser: Denoiser


class Probe(msgspec.Struct):
    """A probe that is answered."""

    status: Annotated[str, Meta(description="alive, ready or started.")]
