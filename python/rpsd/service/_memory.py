# SPDX-License-Identifier: MIT
"""Gives memory that was freed back to the system, which allocators keep."""

from __future__ import annotations

import ctypes
import sys


def give_back() -> None:
    """Return what the allocators of C and of Arrow hold and nobody uses."""
    if "pyarrow" in sys.modules:
        sys.modules["pyarrow"].default_memory_pool().release_unused()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None) if sys.platform == "linux" else None
    if trim is not None:  # glibc's own; other C libraries give memory back by themselves
        trim(0)
