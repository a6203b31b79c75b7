# SPDX-License-Identifier: MIT
"""Robust financial time-series denoiser."""

from rpsd._api import denoise, evaluate, fir_filter
from rpsd._config import Config, load_config
from rpsd._core import __version__
from rpsd._denoiser import Denoiser
from rpsd._errors import (
    CausalityError,
    ConfigError,
    GuardrailError,
    InputError,
    RpsdError,
    RpsdWarning,
    StateError,
)
from rpsd._info import build_info
from rpsd._options import Guardrails, Options
from rpsd._result import Check, NoiseModel, Report, Result
from rpsd._simulate import Simulated, simulate
from rpsd._wavelet import wavedec, waverec

__all__ = [
    "CausalityError",
    "Check",
    "Config",
    "ConfigError",
    "Denoiser",
    "GuardrailError",
    "Guardrails",
    "InputError",
    "NoiseModel",
    "Options",
    "Report",
    "Result",
    "RpsdError",
    "RpsdWarning",
    "Simulated",
    "StateError",
    "__version__",
    "build_info",
    "denoise",
    "evaluate",
    "fir_filter",
    "load_config",
    "simulate",
    "wavedec",
    "waverec",
]
