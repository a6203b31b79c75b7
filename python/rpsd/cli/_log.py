# SPDX-License-Identifier: MIT
"""What the commands say beside their data: the "rpsd" logger and warnings, on standard error."""

from __future__ import annotations

import contextlib
import logging
import sys
import warnings
from collections.abc import Iterator
from typing import Any, Final

from rpsd import Config
from rpsd._text import one_line

logger: Final = logging.getLogger("rpsd")


@contextlib.contextmanager
def logging_to_stderr() -> Iterator[None]:
    """Send the logger "rpsd" and all warnings to standard error, one line each, while a command runs."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_OneLine())
    before = logger.level, logger.propagate
    logger.addHandler(handler)
    logger.propagate = False
    logger.setLevel(logging.INFO)
    # Matplotlib tells of its font cache; nobody asked.
    logging.getLogger("matplotlib").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("default")
        warnings.showwarning = _log_warning
        try:
            yield
        finally:
            logger.removeHandler(handler)
            logger.setLevel(before[0])
            logger.propagate = before[1]


def use_level(config: Config) -> None:
    """Let ``monitoring.log_level`` decide what is said."""
    logger.setLevel(config.monitoring.log_level)


def _log_warning(message: Warning | str, *_: Any, **__: Any) -> None:
    logger.warning("%s", message)


class _OneLine(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        """Return ``rpsd: warning: text``; ordinary messages without the level."""
        level = "" if record.levelno == logging.INFO else f"{record.levelname.lower()}: "
        return f"rpsd: {level}{one_line(record.getMessage())}"
