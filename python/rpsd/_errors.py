# SPDX-License-Identifier: MIT
"""The exceptions and the warning that rpsd raises on purpose."""

import os
import sys
import warnings
from typing import Any

_PACKAGE = os.path.dirname(__file__)  # pathlib alone would take longer to import than all of rpsd


class RpsdError(Exception):
    """Base of every error that rpsd raises on purpose: ``except rpsd.RpsdError`` catches them all."""


class ConfigError(RpsdError):
    """An option or a configuration value is unknown, out of range, or not available in this release.

    The message names the option (and the file and line, variable or argument it came from), what
    came, and what is allowed.
    """


class InputError(RpsdError, ValueError):
    """The data cannot be worked on: wrong dtype, shape or content.

    The message names the argument, what came, and what is allowed.
    """


class GuardrailError(RpsdError):
    """A guardrail was breached under ``policy="raise"``.

    Parameters
    ----------
    message : str
        Which checks failed, with their values and thresholds.
    report : Report
        The full report of the run, kept as the attribute ``report``.
    """

    report: Any

    def __init__(self, message: str, report: Any) -> None:
        super().__init__(message)
        self.report = report

    def __reduce__(self) -> tuple[type["GuardrailError"], tuple[str, Any]]:
        # Exception's own recipe rebuilds from the message alone and would lose the report on its
        # way back from a worker process.
        return type(self), (str(self), self.report)


class CausalityError(RpsdError):
    """A result that looks ahead was about to be used where only the past may be seen."""


class StateError(RpsdError):
    """A stream, snapshot or receipt does not fit the state in which it was used."""


class RpsdWarning(UserWarning):
    """Something was mended or ignored in a documented way, and the result is still usable."""


def warn(message: str, category: type[Warning] = RpsdWarning) -> None:
    """Warn, pointing at the first line outside this package: the caller's."""
    level, frame = 1, sys._getframe(0)
    while frame.f_back is not None and frame.f_code.co_filename.startswith(_PACKAGE):
        level, frame = level + 1, frame.f_back
    warnings.warn(message, category, stacklevel=level)
