# SPDX-License-Identifier: MIT
"""Threads that compute; those of concurrent.futures would keep a process that must end alive."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable


class Workers:
    """Runs functions on a fixed number of threads, first come first served.

    Parameters
    ----------
    count : int
    """

    def __init__(self, count: int) -> None:
        self.count = count
        self._tasks: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        for number in range(count):
            threading.Thread(target=self._work, name=f"rpsd-worker-{number}", daemon=True).start()

    def submit(self, task: Callable[[], None]) -> None:
        """Run a function that raises nothing."""
        self._tasks.put(task)

    def close(self) -> None:
        """Let the threads end when they have nothing left to do."""
        for _ in range(self.count):
            self._tasks.put(None)

    def _work(self) -> None:
        while (task := self._tasks.get()) is not None:
            task()
