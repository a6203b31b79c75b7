# SPDX-License-Identifier: MIT
"""Exit codes of the commands that compare: those of cmp and diff, which tell a difference from trouble."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from rpsd import ConfigError, RpsdError

_DIFFERENT: Final = 1
_TROUBLE: Final = 2


def exit_code(*, different: int, unknown: int) -> int:
    """Return the code for so many files that differ, and that could not be compared."""
    if unknown:
        return _TROUBLE
    return _DIFFERENT if different else 0


def counted(files: int, *, different: int, unknown: int) -> str:
    """Return the counts for the last line."""
    more = f", {unknown} not compared" if unknown else ""
    return f"{files} file(s): {files - different - unknown} same, {different} different{more}"


@contextmanager
def comparing() -> Iterator[None]:
    """Let what keeps a command from comparing at all end it as trouble, not as a difference."""
    try:
        yield
    except RpsdError as error:
        raise ConfigError(str(error)) from error
    except OSError as error:
        raise ConfigError(f"{error.filename}: {error.strerror}") from error
