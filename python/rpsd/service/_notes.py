# SPDX-License-Identifier: MIT
"""Warnings of rpsd as notes of the request that caused them.

`warnings.catch_warnings` is for the whole process; here each thread has a list of its own.
"""

from __future__ import annotations

import threading
import warnings
from collections.abc import Callable
from typing import Any

from rpsd import RpsdWarning


class _Lists(threading.local):
    notes: list[str] | None = None


_here = _Lists()


def install(otherwise: Callable[[str], None]) -> None:
    """Collect warnings from now on; those of no request go elsewhere."""
    warnings.simplefilter("always", RpsdWarning)

    def show(message: Warning | str, *_: Any, **__: Any) -> None:
        if _here.notes is None:
            otherwise(str(message))
        elif str(message) not in _here.notes:
            _here.notes.append(str(message))

    warnings.showwarning = show


class collected_notes:  # used as a function; one made of a generator takes five times as long
    """Collect what is warned of in this thread: ``with collected_notes() as notes``."""

    __slots__ = ("_before",)

    def __enter__(self) -> list[str]:
        self._before, _here.notes = _here.notes, []
        return _here.notes

    def __exit__(self, *_: object) -> None:
        _here.notes = self._before
