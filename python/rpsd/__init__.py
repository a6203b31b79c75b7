# SPDX-License-Identifier: MIT
"""Robust financial time-series denoiser."""

import typing as _typing

from rpsd._api import clean, denoise, estimate_noise, evaluate, fir_filter
from rpsd._core import __version__
from rpsd._errors import (
    CausalityError,
    ConfigError,
    GuardrailError,
    InputError,
    RpsdError,
    RpsdWarning,
    StateError,
)
from rpsd._modwt import imodwt, modwt
from rpsd._wavelet import wavedec, waverec

if _typing.TYPE_CHECKING:
    from rpsd._audit import Leak, LeakReport, audit
    from rpsd._config import Config, load_config
    from rpsd._denoiser import Denoiser
    from rpsd._guardrails import Guardrails
    from rpsd._info import build_info
    from rpsd._options import Options
    from rpsd._result import Check, NoiseModel, Report, Result
    from rpsd._simulate import Simulated, simulate
    from rpsd._stream import Health, Stream
    from rpsd._tune import Candidate, Fold, Tuned, tune
    from rpsd._verify import Verification
    from rpsd._vintages import Vintages
else:
    # Loaded when first used: msgspec, the schema and the data classes take three times as long as the rest.
    _MODULES = {
        "Candidate": "_tune",
        "Check": "_result",
        "Config": "_config",
        "Denoiser": "_denoiser",
        "Fold": "_tune",
        "Guardrails": "_guardrails",
        "Health": "_stream",
        "Leak": "_audit",
        "LeakReport": "_audit",
        "NoiseModel": "_result",
        "Options": "_options",
        "Report": "_result",
        "Result": "_result",
        "Simulated": "_simulate",
        "Stream": "_stream",
        "Tuned": "_tune",
        "Verification": "_verify",
        "Vintages": "_vintages",
        "audit": "_audit",
        "build_info": "_info",
        "load_config": "_config",
        "simulate": "_simulate",
        "tune": "_tune",
    }

    def __getattr__(name):
        if name not in _MODULES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from importlib import import_module

        value = getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
        globals()[name] = value
        return value

    def __dir__():
        return sorted(globals().keys() | _MODULES.keys())


__all__ = [
    "Candidate",
    "CausalityError",
    "Check",
    "Config",
    "ConfigError",
    "Denoiser",
    "Fold",
    "GuardrailError",
    "Guardrails",
    "Health",
    "InputError",
    "Leak",
    "LeakReport",
    "NoiseModel",
    "Options",
    "Report",
    "Result",
    "RpsdError",
    "RpsdWarning",
    "Simulated",
    "StateError",
    "Stream",
    "Tuned",
    "Verification",
    "Vintages",
    "__version__",
    "audit",
    "build_info",
    "clean",
    "denoise",
    "estimate_noise",
    "evaluate",
    "fir_filter",
    "imodwt",
    "load_config",
    "modwt",
    "simulate",
    "tune",
    "wavedec",
    "waverec",
]
