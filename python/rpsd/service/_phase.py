# SPDX-License-Identifier: MIT
"""Where the service is between start and stop, and why it is not ready where it is not."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Literal


class Phase:
    """Starting, serving or draining, with what else keeps it from being ready; any thread may ask and tell.

    Attributes
    ----------
    name : str
        ``starting``, ``serving`` or ``draining``; it never goes back.
    """

    def __init__(self) -> None:
        self.name: Literal["starting", "serving", "draining"] = "starting"
        self._draining: list[Callable[[], None]] = []
        self._faults: dict[str, str] = {}
        self._lock = threading.Lock()

    def serve(self) -> None:
        """End the start."""
        if self.name == "starting":
            self.name = "serving"

    def drain(self) -> None:
        """Begin the end."""
        self.name = "draining"
        for tell in self._draining:
            tell()

    def when_draining(self, tell: Callable[[], None]) -> None:
        """Have a function called when the end begins, by whoever begins it."""
        self._draining.append(tell)

    def set_fault(self, part: str, fault: str | None) -> str | None:
        """Say what is wrong with a part, or that nothing is; return what was wrong with it before."""
        with self._lock:
            before = self._faults.get(part)
            others = {name: text for name, text in self._faults.items() if name != part}
            self._faults = others if fault is None else {**others, part: fault}
        return before

    @property
    def reason(self) -> str | None:
        """Why no requests should come, or None where they should."""
        if self.name != "serving":
            return f"the service is {self.name}"
        return "; ".join(self._faults.values()) or None

    @property
    def refusal(self) -> str | None:
        """Why requests for numbers are refused, or None: while it drains they are still answered."""
        if self.name == "starting":
            return "the service is starting"
        return "; ".join(self._faults.values()) or None
