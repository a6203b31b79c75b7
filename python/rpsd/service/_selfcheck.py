# SPDX-License-Identifier: MIT
"""A known series through the kernel, now and then: a service that computes wrongly must not answer."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any, Final

import rpsd
from rpsd.service import _known
from rpsd.service._log import trace_of

#: Seconds after which a check that has not ended counts as failed.
_PATIENCE: Final = 60.0


class SelfCheck:
    """Holds the kernel against known values every so many seconds, on a thread of its own.

    The workers are not asked: a full queue is no fault of the kernel.

    Parameters
    ----------
    interval : callable
        Seconds until the next check; asked each time, as a reload may change it.
    told : callable
        Told after each check what is wrong, or None.

    Attributes
    ----------
    fault : str or None
        What the last check that ended found wrong.
    """

    def __init__(self, interval: Callable[[], float], told: Callable[[str | None], None]) -> None:
        self._interval = interval
        self._told = told
        self._stop = threading.Event()
        self._begun: float | None = None
        self.fault: str | None = None

    def run(self) -> str | None:
        """Check once; tell, and return, what is wrong."""
        self._begun = time.monotonic()
        try:
            fault = check()
        except Exception as error:  # whatever it is, the kernel does not do what it should
            fault = f"the self-check failed: {trace_of(error)}"
        self._begun, self.fault = None, fault
        self._told(fault)
        return fault

    @property
    def overdue(self) -> bool:
        """Whether a check hangs."""
        begun = self._begun
        return begun is not None and time.monotonic() - begun > _PATIENCE

    def start(self) -> None:
        """Check again and again."""
        threading.Thread(target=self._repeat, name="rpsd-self-check", daemon=True).start()

    def stop(self) -> None:
        """Check no more."""
        self._stop.set()

    def _repeat(self) -> None:
        while not self._stop.wait(self._interval()):
            self.run()


def check() -> str | None:
    """Denoise the known series offline and causally; return what is wrong with it, or None."""
    cases: tuple[tuple[str, Any, Any, slice], ...] = (
        ("wavelets", _known.CHAIN, _known.CHAIN_VALUES, slice(None)),
        ("kalman", _known.CAUSAL, _known.CAUSAL_VALUES, slice(None, None, 8)),
    )
    for name, options, expected, part in cases:
        values = rpsd.Denoiser(rpsd.Config(), **options).run(_known.SERIES).values
        wrong = _known.difference(values[part], expected)
        if wrong is not None:
            return f"the self-check failed: {name}: {wrong}"
    return None
